//! The configuration file: its sections as types. One section a file where it has rules
//! of its own; [`load`] reads, expands, checks and reports every problem at once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::duration::PromDuration;
use crate::domain::secret::Secret;
use crate::domain::severity::Severity;

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

/// `server`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// Address and port to listen on.
    pub listen: String,
    /// The address under which people and Alertmanager reach this server.
    pub external_url: String,
    /// The greatest body taken, in bytes.
    pub max_body_bytes: usize,
    /// How long a client may take to send its headers or its body.
    pub client_timeout: PromDuration,
    /// How long to wait at a stop for requests and sends under way.
    pub shutdown_grace: PromDuration,
    /// Allow any address without tokens. Only for a network you trust entirely.
    pub allow_unauthenticated: bool,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9095".to_owned(),
            external_url: "http://localhost:9095".to_owned(),
            max_body_bytes: 16 * 1024 * 1024,
            client_timeout: PromDuration(std::time::Duration::from_secs(30)),
            shutdown_grace: PromDuration(std::time::Duration::from_secs(20)),
            allow_unauthenticated: false,
        }
    }
}

/// `storage`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StorageConfig {
    /// `sqlite://FILE` or `postgres://USER:PASSWORD@HOST/DATABASE`.
    pub url: Secret,
    /// How many connections to keep for reading (SQLite) or in all (PostgreSQL).
    pub max_connections: u32,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self { url: Secret::new("sqlite://modelpager.db"), max_connections: 8 }
    }
}

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

/// `catalog`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CatalogConfig {
    /// Label or annotation whose value is an entry's slug: decides at once.
    pub entry_label: String,
    /// Labels looked at in this order; the first whose value names an entry decides.
    pub match_labels: Vec<String>,
    /// Labels that carry the version, looked at once an entry matched.
    pub version_labels: Vec<String>,
}

impl Default for CatalogConfig {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            entry_label: "catalog_entry".to_owned(),
            match_labels: owned(&[
                "model",
                "model_name",
                "registered_model",
                "inferenceservice",
                "served_model_name",
                "requested_model",
                "model_group",
                "litellm_model_name",
                "gen_ai_request_model",
                "deployment_name",
                "deployment",
                "application",
                "service_name",
                "service",
                "feature_view",
                "store",
                "project",
                "dag_id",
                "pipeline",
                "job_name",
            ]),
            version_labels: owned(&[
                "model_version",
                "version",
                "service_version",
                "predictor_version",
                "revision",
                "image_tag",
            ]),
        }
    }
}

/// `intake`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IntakeConfig {
    /// How long an equal delivery counts as a twin's duplicate.
    pub dedup_window: PromDuration,
}

impl Default for IntakeConfig {
    fn default() -> Self {
        Self { dedup_window: PromDuration(std::time::Duration::from_secs(60)) }
    }
}

/// `incidents`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IncidentsConfig {
    /// An open incident not heard of for this long is resolved as stale, and says so.
    pub stale_after: PromDuration,
}

impl Default for IncidentsConfig {
    fn default() -> Self {
        Self { stale_after: PromDuration(std::time::Duration::from_secs(120 * 3600)) }
    }
}

/// `delivery`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeliveryConfig {
    /// After this age an undelivered notification fails for good; it stays replayable.
    pub max_age: PromDuration,
    /// The first retry waits up to this long.
    pub backoff_min: PromDuration,
    /// No retry waits longer than this, unless the provider asks for it.
    pub backoff_max: PromDuration,
    /// How many messages one channel sends at the same time.
    pub concurrency: usize,
}

impl Default for DeliveryConfig {
    fn default() -> Self {
        let seconds = |s| PromDuration(std::time::Duration::from_secs(s));
        Self {
            max_age: seconds(24 * 3600),
            backoff_min: seconds(1),
            backoff_max: seconds(600),
            concurrency: 16,
        }
    }
}

/// One of `channels`. Keys beyond these belong to the kind and are in `settings`.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct ChannelConfig {
    /// The name routes use.
    pub name: String,
    /// `log`, `webhook`, `slack`, `pagerduty`, `email`.
    pub kind: String,
    /// `false` keeps it in the file but sends nothing through it.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// How long one attempt may take.
    #[serde(default = "default_timeout")]
    pub timeout: PromDuration,
    /// Whether to tell when an incident is over.
    #[serde(default = "yes")]
    pub send_resolved: bool,
    /// Template overrides for this channel: field → Handlebars text.
    #[serde(default)]
    pub templates: BTreeMap<String, String>,
    /// The kind's own keys.
    #[serde(flatten)]
    pub settings: serde_json::Map<String, serde_json::Value>,
}

fn yes() -> bool {
    true
}

fn default_timeout() -> PromDuration {
    PromDuration(std::time::Duration::from_secs(15))
}

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
