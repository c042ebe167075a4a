//! `auth`: who may do what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::secret::Secret;

/// `auth`
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthConfig {
    /// Bearer tokens; also taken as the password of basic authentication with the
    /// token's name as the user.
    pub tokens: Vec<TokenConfig>,
}

/// One of `auth.tokens`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// Who uses it; stands in the audit log.
    pub name: String,
    /// The token itself, at least 16 characters.
    pub token: Secret,
    /// What it may do.
    pub scopes: Vec<Scope>,
}

/// What a token may do. `admin` may do everything; `write` includes `read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Post alerts.
    Ingest,
    /// Look at everything.
    Read,
    /// Change the catalog, redeliver, replay.
    Write,
    /// Reload, send tests, and all of the above.
    Admin,
}
