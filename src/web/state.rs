//! What the handlers work with. The composition root fills it in once; everything in it
//! is shared by all workers.

use std::sync::Arc;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;

use super::base_path::BasePath;
use super::body::BodyBudget;
use super::hour_counts::HourCounts;
use super::live_views::LiveViews;
use super::tokens::TokenSet;
use crate::catalog::service::CatalogService;
use crate::config::Config;
use crate::dispatch::Dispatcher;
use crate::domain::clock::{SharedClock, Timestamp};
use crate::domain::ids::IdMaker;
use crate::intake::inbox::Inbox;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;
use crate::triage::change::Triage;

/// Everything a handler may use.
#[derive(Clone)]
pub struct AppState {
    /// The database.
    pub store: Store,
    /// The configuration in force and what follows from it.
    pub live: Arc<ArcSwap<Live>>,
    /// The time.
    pub clock: SharedClock,
    /// Ids for requests.
    pub ids: IdMaker,
    /// What is counted.
    pub metrics: Metrics,
    /// When the program started.
    pub started_at: Timestamp,
    /// The memory that request bodies may take.
    pub bodies: BodyBudget,
    /// Takes bodies in.
    pub inbox: Inbox,
    /// The one door to the catalog.
    pub catalog: CatalogService,
    /// Carries out what people want of incidents.
    pub triage: Arc<Triage>,
    /// Sends, and tries channels.
    pub dispatcher: Arc<Dispatcher>,
    /// What only the whole program can do or know.
    pub operations: Arc<dyn Operations>,
    /// The pages that are open and want to hear of changes.
    pub live_views: LiveViews,
    /// What the overview counted last.
    pub hour_counts: HourCounts,
}

/// What handlers ask of the program as a whole.
pub trait Operations: Send + Sync {
    /// The names of workers that ought to run and do not.
    fn stopped_workers(&self) -> Vec<String>;

    /// Loads the configuration again and puts it into force, or says what is wrong with it
    /// and changes nothing.
    fn reload(&self) -> BoxFuture<'_, Result<(), String>>;
}

/// The part of the state that a reload replaces, all at once.
#[derive(Debug)]
pub struct Live {
    /// The configuration.
    pub config: Arc<Config>,
    /// Its tokens, ready to be compared.
    pub tokens: TokenSet,
    /// The path below which clients see this server.
    pub base_path: BasePath,
    /// The digest of the file it came from; empty without a file.
    pub digest: String,
    /// When it was loaded.
    pub loaded_at: Timestamp,
    /// The whole configuration for people to look at: no secret is in it.
    pub shown: serde_json::Value,
    /// What somebody should look at in the file, one line each.
    pub remarks: Vec<String>,
}

impl Live {
    /// What follows from `config`, whose file has that digest.
    pub fn new(config: Arc<Config>, digest: String, loaded_at: Timestamp) -> Self {
        // Serialised, secrets and all texts of channels' settings are placeholders.
        let shown = serde_json::to_value(&*config).unwrap_or_default();
        let base_path = BasePath::of(&config.server.external_url);
        Self {
            tokens: TokenSet::new(&config.auth),
            base_path,
            config,
            digest,
            loaded_at,
            shown,
            remarks: Vec::new(),
        }
    }

    /// With a form to look at that hides no more than the secrets.
    pub fn showing(self, shown: serde_json::Value) -> Self {
        Self { shown, ..self }
    }

    /// With what somebody should look at.
    pub fn remarking(self, remarks: Vec<String>) -> Self {
        Self { remarks, ..self }
    }
}
