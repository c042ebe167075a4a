//! What the handlers work with. The composition root fills it in once; everything in it
//! is shared by all workers.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::auth::TokenSet;
use crate::config::Config;
use crate::domain::clock::{SharedClock, Timestamp};
use crate::domain::ids::IdMaker;
use crate::store::Store;
use crate::telemetry::metrics::Metrics;

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
}

/// The part of the state that a reload replaces, all at once.
#[derive(Debug)]
pub struct Live {
    /// The configuration.
    pub config: Arc<Config>,
    /// Its tokens, ready to be compared.
    pub tokens: TokenSet,
}

impl Live {
    /// What follows from `config`.
    pub fn new(config: Arc<Config>) -> Self {
        Self { tokens: TokenSet::new(&config.auth), config }
    }
}
