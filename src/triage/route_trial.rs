//! Where an alert with these labels would go: the routing tree asked without an alert. Pure.

use std::collections::BTreeMap;

use super::routes::Node;
use super::rules::Rules;
use crate::domain::severity::Severity;

/// What the tree does with labels.
#[derive(Debug)]
pub struct RouteTrial<'t> {
    /// The severity they stand for.
    pub severity: Severity,
    /// The nodes that take them, in the order of the tree.
    pub nodes: Vec<&'t Node>,
    /// The channels reached, each once.
    pub channels: Vec<&'t str>,
}

impl RouteTrial<'_> {
    /// Whether the labels pass this node on their way.
    pub fn passes(&self, node: &Node) -> bool {
        let is_taken = self.nodes.iter().any(|taken| std::ptr::eq(*taken, node));
        is_taken || node.children().iter().any(|child| self.passes(child))
    }
}

/// Asks the tree. The severity is normalised as for a real alert, the status is firing unless
/// given; what only the catalog knows is given like a label.
pub fn try_labels<'t>(rules: &'t Rules, given: &[(String, String)]) -> RouteTrial<'t> {
    let mut labels: BTreeMap<&str, &str> =
        given.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let severity = rules.severity.normalise(labels.get("severity").copied());
    labels.insert("severity", severity.as_str());
    labels.entry("status").or_insert("firing");
    let lookup = |name: &str| labels.get(name).copied();
    let channels = rules.tree.destinations(lookup).iter().map(|destination| destination.channel).collect();
    RouteTrial { severity, nodes: rules.tree.find(lookup), channels }
}

/// One label as it is written: `severity=page` or `severity="page"`.
///
/// # Errors
/// What would be right.
pub fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), unquote(value).to_owned())),
        _ => Err("expected LABEL=VALUE, such as severity=critical".to_owned()),
    }
}

/// The quotes of `severity="critical"` belong to the matcher syntax, not to the value.
fn unquote(value: &str) -> &str {
    value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value)
}
