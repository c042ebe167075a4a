//! `route`: the routing tree.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::duration::PromDuration;

/// A node of the routing tree. Names and meaning are Alertmanager's.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RouteConfig {
    /// Where to; inherited from the parent when empty.
    pub channels: Vec<String>,
    /// All must hold.
    pub matchers: Vec<String>,
    /// Go on with the next sibling after this one matched.
    #[serde(rename = "continue")]
    pub continue_: bool,
    /// Tell again after this long without change; inherited; default 4h.
    pub repeat_interval: Option<PromDuration>,
    /// Changes of the members are told at most once in this time; inherited; default 1m.
    pub group_interval: Option<PromDuration>,
    /// A re-fire within this time after the end folds into the same incident and is told
    /// when the time is over, if it still fires; inherited; default 0s.
    pub cooldown: Option<PromDuration>,
    /// Children, tried in order.
    pub routes: Vec<RouteConfig>,
}
