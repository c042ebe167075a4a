//! `severity`: how the words of senders are understood.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::severity::Severity;

/// `severity`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SeverityConfig {
    /// Word in the `severity` label → severity; adds to and overrides the built-in table.
    pub aliases: BTreeMap<String, Severity>,
    /// What stands for a missing or unknown word.
    pub default: Severity,
}

impl Default for SeverityConfig {
    fn default() -> Self {
        Self { aliases: BTreeMap::new(), default: Severity::Medium }
    }
}
