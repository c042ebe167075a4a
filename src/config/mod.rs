//! The configuration file: its sections as types. One section a file where it has rules
//! of its own; [`load_file`] reads, expands, checks and reports every problem at once.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod auth;
mod catalog;
mod channel;
mod delivery;
mod kind;
mod load;
mod retention;
mod route;
mod server;
mod severity;
mod storage;

pub use auth::{AuthConfig, Scope, TokenConfig};
pub use catalog::CatalogConfig;
pub use channel::{ChannelConfig, OnAmbiguous};
pub use delivery::{DeliveryConfig, IncidentsConfig, IntakeConfig};
pub use kind::KindPolicy;
pub use load::{Draft, Env, KindSchema, Loaded, draft, draft_file, load_file, parse, schema};
pub use retention::{Keep, RetentionConfig};
pub use route::RouteConfig;
pub use server::ServerConfig;
pub use severity::SeverityConfig;
pub use storage::StorageConfig;

pub use crate::yaml::{Position, Problem, Problems, did_you_mean};

/// Everything `modelpager.yml` may say. No file at all is the same as an empty one.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where it listens and how it is reached.
    pub server: ServerConfig,
    /// Where it keeps its data.
    pub storage: StorageConfig,
    /// Who may do what.
    pub auth: AuthConfig,
    /// How severity words are understood.
    pub severity: SeverityConfig,
    /// How alerts find their catalog entry.
    pub catalog: CatalogConfig,
    /// What arrives.
    pub intake: IntakeConfig,
    /// How incidents live.
    pub incidents: IncidentsConfig,
    /// How messages are delivered.
    pub delivery: DeliveryConfig,
    /// How long the log is kept.
    pub retention: RetentionConfig,
    /// Handlebars template of the dedup key of an alert that matched an entry.
    pub dedup_key: DedupKeyTemplate,
    /// Folder with template overrides: `KIND/FIELD.hbs`.
    pub templates_dir: Option<PathBuf>,
    /// The destinations. Without any: one of kind `log` named `console`.
    pub channels: Vec<ChannelConfig>,
    /// The routing tree. Without it: everything to the first channel.
    pub route: RouteConfig,
}

/// `dedup_key`: a Handlebars template.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct DedupKeyTemplate(pub String);

impl Default for DedupKeyTemplate {
    fn default() -> Self {
        Self("{{alertname}}:{{entry}}".to_owned())
    }
}
