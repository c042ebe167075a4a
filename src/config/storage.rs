//! `storage`: where the data is kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::secret::Secret;

/// `storage`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StorageConfig {
    /// `sqlite://FILE` or `postgres://USER:PASSWORD@HOST/DATABASE`.
    pub url: Secret,
    /// How many connections to keep for reading (SQLite) or in all (PostgreSQL).
    #[schemars(range(min = 1, max = 1000))]
    pub max_connections: u32,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self { url: Secret::new("sqlite://modelpager.db"), max_connections: 8 }
    }
}
