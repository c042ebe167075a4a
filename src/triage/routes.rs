//! The routing tree: which channels must know, and how often they are told.
//!
//! Names and meaning are Alertmanager's (`dispatch/route.go`): depth first, left to right;
//! a node whose matchers hold hands on to its children; the first child that matched
//! without `continue` ends the scan; a node none of whose children matched is a
//! destination itself. The root holds for everything, so there always is a destination.
//! Channels and timing are inherited, matchers and `continue` are not.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::config::RouteConfig;
use crate::domain::duration::PromDuration;
use crate::domain::matcher::{Matchers, Values};

#[cfg(test)]
mod tests;

/// How often a route tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Told again after this long without change; more than zero.
    pub repeat_interval: Duration,
    /// Changes among the members are told at most once in this time.
    pub group_interval: Duration,
    /// A re-fire within this time folds into the same incident.
    pub cooldown: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            repeat_interval: Duration::from_secs(4 * 3600),
            group_interval: Duration::from_secs(60),
            cooldown: Duration::ZERO,
        }
    }
}

/// A node of the tree, with what it inherited.
#[derive(Clone, Debug)]
pub struct Node {
    channels: Vec<String>,
    timing: Timing,
    path: Vec<String>,
    matchers: Matchers,
    continues: bool,
    children: Vec<Node>,
}

impl Node {
    /// Where to: at least one channel.
    pub fn channels(&self) -> &[String] {
        &self.channels
    }

    /// How often.
    pub const fn timing(&self) -> Timing {
        self.timing
    }

    /// The matchers of every node from the root (`{}`) to this one.
    pub fn path(&self) -> &[String] {
        &self.path
    }

    /// Whether the scan goes on with the next sibling after this node matched.
    pub const fn continues(&self) -> bool {
        self.continues
    }

    /// The nodes below, in the order in which they are tried.
    pub fn children(&self) -> &[Node] {
        &self.children
    }
}

/// A channel that must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination<'t> {
    /// The channel's name.
    pub channel: &'t str,
    /// How often it is told.
    pub timing: Timing,
    /// The path through the tree that led to it, root first.
    pub path: &'t [String],
}

/// Something wrong with a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct RouteProblem {
    /// Where: `route.routes[1].matchers[0]`.
    pub path: String,
    /// What, and what would be right.
    pub message: String,
}

/// The whole tree, ready to be asked.
#[derive(Clone, Debug)]
pub struct RouteTree {
    root: Node,
}

impl RouteTree {
    /// Builds the tree of a configuration whose root names at least one channel.
    ///
    /// # Errors
    /// Every problem of every node.
    pub fn build(config: &RouteConfig) -> Result<Self, Vec<RouteProblem>> {
        let mut problems = check_root(config);
        let nothing = Inherited { channels: &[], timing: Timing::default(), path: &[] };
        let root = build_node(config, &nothing, "route", &mut problems);
        if problems.is_empty() { Ok(Self { root }) } else { Err(problems) }
    }

    /// The node that takes what no other takes.
    pub const fn root(&self) -> &Node {
        &self.root
    }

    /// The nodes that take what `lookup` describes, in the order of the tree; never none.
    pub fn find<'v, V: Into<Values<'v>>>(&self, lookup: impl Fn(&str) -> V) -> Vec<&Node> {
        let mut found = Vec::new();
        collect(&self.root, &lookup, &mut found);
        found
    }

    /// The channels that must know of what `lookup` describes; never none. Of several
    /// nodes that name one channel the first counts.
    pub fn destinations<'v, V: Into<Values<'v>>>(&self, lookup: impl Fn(&str) -> V) -> Vec<Destination<'_>> {
        destinations_of(&self.find(lookup))
    }

    /// Whether that path ends at the root although the root has children: none of them
    /// took what was routed.
    pub fn is_default(&self, path: &[String]) -> bool {
        !self.root.children.is_empty() && path == self.root.path
    }

    /// The names of all labels any matcher looks at.
    pub fn label_names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        let mut open = vec![&self.root];
        while let Some(node) = open.pop() {
            names.extend(node.matchers.label_names());
            open.extend(&node.children);
        }
        names
    }
}

/// The channels of these nodes, each once: of several nodes that name one the first counts.
pub fn destinations_of<'t>(nodes: &[&'t Node]) -> Vec<Destination<'t>> {
    let mut destinations: Vec<Destination<'t>> = Vec::new();
    for node in nodes {
        for channel in &node.channels {
            let is_new = destinations.iter().all(|known| known.channel != channel);
            if is_new {
                destinations.push(Destination { channel, timing: node.timing, path: &node.path });
            }
        }
    }
    destinations
}

/// What a node takes over from its parent.
struct Inherited<'a> {
    channels: &'a [String],
    timing: Timing,
    path: &'a [String],
}

fn check_root(config: &RouteConfig) -> Vec<RouteProblem> {
    let findings = [
        (config.channels.is_empty(), "channels", "the root route needs at least one channel"),
        (!config.matchers.is_empty(), "matchers", "the root route takes everything: put matchers on a child"),
        (config.continue_, "continue", "the root route has no sibling to continue with"),
    ];
    findings
        .into_iter()
        .filter(|(is_wrong, ..)| *is_wrong)
        .map(|(_, key, message)| RouteProblem { path: format!("route.{key}"), message: message.to_owned() })
        .collect()
}

fn build_node(
    config: &RouteConfig,
    parent: &Inherited<'_>,
    at: &str,
    problems: &mut Vec<RouteProblem>,
) -> Node {
    let matchers = Matchers::parse_all(&config.matchers).unwrap_or_else(|faulty| {
        problems.extend(faulty.into_iter().map(|(index, error)| RouteProblem {
            path: format!("{at}.matchers[{index}]"),
            message: error.to_string(),
        }));
        Matchers::default()
    });
    if config.repeat_interval == Some(PromDuration(Duration::ZERO)) {
        let message = "must be more than zero".to_owned();
        problems.push(RouteProblem { path: format!("{at}.repeat_interval"), message });
    }
    let channels = if config.channels.is_empty() { parent.channels } else { &config.channels };
    let timing = inherit_timing(config, parent.timing);
    let path = [parent.path, &[matchers.to_string()]].concat();
    let own = Inherited { channels, timing, path: &path };
    let children = config
        .routes
        .iter()
        .enumerate()
        .map(|(index, child)| build_node(child, &own, &format!("{at}.routes[{index}]"), problems))
        .collect();
    Node { channels: channels.to_vec(), timing, path, matchers, continues: config.continue_, children }
}

fn inherit_timing(config: &RouteConfig, parent: Timing) -> Timing {
    let or = |own: Option<PromDuration>, inherited| own.map_or(inherited, |own| own.0);
    Timing {
        repeat_interval: or(config.repeat_interval, parent.repeat_interval),
        group_interval: or(config.group_interval, parent.group_interval),
        cooldown: or(config.cooldown, parent.cooldown),
    }
}

/// Adds the destinations below and including a node that matched.
fn collect<'t, 'v, V: Into<Values<'v>>>(
    node: &'t Node,
    lookup: &impl Fn(&str) -> V,
    found: &mut Vec<&'t Node>,
) {
    let before = found.len();
    for child in &node.children {
        if !child.matchers.matches(lookup) {
            continue;
        }
        collect(child, lookup, found);
        if !child.continues {
            break;
        }
    }
    let no_child_matched = found.len() == before;
    if no_child_matched {
        found.push(node);
    }
}
