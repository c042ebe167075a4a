//! What the configuration says about triage, built and ready to use: replaced as a whole by
//! a reload.

use std::collections::BTreeMap;
use std::time::Duration;

use super::decide::{Policy, SendResolved};
use super::routes::{RouteTree, Timing};
use crate::config::Config;
use crate::domain::severity::SeverityTable;
use crate::render::links::DedupKeyTemplate;

/// The rules of triage.
pub struct Rules {
    /// Who must know.
    pub tree: RouteTree,
    /// How severity words are understood.
    pub severity: SeverityTable,
    /// How problems are named.
    pub dedup_key: DedupKeyTemplate,
    /// An open incident not heard of for this long is over.
    pub stale_after: Duration,
    /// How long a message is worth trying.
    pub max_age: Duration,
    channels: BTreeMap<String, ChannelTerms>,
}

/// What triage needs to know about a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelTerms {
    /// Whether it may be sent through at all.
    pub enabled: bool,
    /// Whether it hears of ends.
    pub send_resolved: SendResolved,
    /// Whether it is of kind `log`, which hardly ever fails.
    pub is_log: bool,
    /// Whether a newer message takes the place of one that was never sent.
    pub supersedes: bool,
}

/// Something that keeps a configuration from being put into use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleProblem {
    /// The key: `route.routes[1].matchers[0]`.
    pub key: String,
    /// What is wrong.
    pub message: String,
}

impl Rules {
    /// Builds the rules.
    ///
    /// # Errors
    /// Every problem of the routing tree and of the dedup key, all at once.
    pub fn build(config: &Config) -> Result<Self, Vec<RuleProblem>> {
        let mut problems = Vec::new();
        let tree = RouteTree::build(&config.route).map_err(|found| {
            problems.extend(found.into_iter().map(|p| RuleProblem { key: p.path, message: p.message }));
        });
        let dedup_key = DedupKeyTemplate::parse(&config.dedup_key.0).map_err(|error| {
            problems.push(RuleProblem { key: "dedup_key".to_owned(), message: error.to_string() });
        });
        let (Ok(tree), Ok(dedup_key)) = (tree, dedup_key) else { return Err(problems) };
        Ok(Self {
            tree,
            dedup_key,
            severity: severity_table(config),
            stale_after: config.incidents.stale_after.0,
            max_age: config.delivery.max_age.0,
            channels: config.channels.iter().map(|channel| (channel.name.clone(), terms(channel))).collect(),
        })
    }

    /// Where news of the broken channel go when the tree names no other: one of the root's
    /// channels, else a log, else any; `None` when there is no other.
    pub fn other_channel<'r>(&'r self, broken: &str) -> Option<&'r str> {
        let is_fit = |name: &&str| *name != broken && self.channel(name).is_some_and(|terms| terms.enabled);
        let of_root = self.tree.root().channels().iter().map(String::as_str);
        let logs = self.channels.iter().filter(|(_, terms)| terms.is_log).map(|(name, _)| name.as_str());
        let all = self.channels.keys().map(String::as_str);
        of_root.chain(logs).chain(all).find(is_fit)
    }

    /// What is to be known about a channel; `None` when it is not configured.
    pub fn channel(&self, name: &str) -> Option<ChannelTerms> {
        self.channels.get(name).copied()
    }
}

impl ChannelTerms {
    /// The policy of a conversation on this channel, on the route with that timing; without a
    /// route only changes and the end are told.
    pub fn policy(self, timing: Option<Timing>) -> Policy {
        let default = Timing::default();
        let group_interval = timing.unwrap_or(default).group_interval;
        Policy {
            repeat_interval: timing.map(|timing| timing.repeat_interval),
            group_interval,
            cooldown: timing.map_or(Duration::ZERO, |timing| timing.cooldown),
            send_resolved: self.send_resolved,
        }
    }
}

/// How a configuration understands severity words.
pub(super) fn severity_table(config: &Config) -> SeverityTable {
    let aliases = config.severity.aliases.iter().map(|(word, severity)| (word.clone(), *severity));
    SeverityTable::with_builtin(aliases, config.severity.default)
}

fn terms(channel: &crate::config::ChannelConfig) -> ChannelTerms {
    let send_resolved = if channel.send_resolved { SendResolved::Yes } else { SendResolved::No };
    ChannelTerms {
        enabled: channel.enabled,
        send_resolved,
        is_log: channel.policy.own_log,
        supersedes: channel.supersedes(),
    }
}
