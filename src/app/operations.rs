//! What the API and signals ask of the program as a whole: reload, and whether all of it
//! is alive.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use tokio::sync::Notify;

use super::configuration::{self, Configuration};
use crate::catalog::Catalog;
use crate::dispatch::Dispatcher;
use crate::domain::clock::SharedClock;
use crate::store::{Store, StoreError};
use crate::telemetry::metrics::Metrics;
use crate::triage::rules::Rules;
use crate::web::state::{Live, Operations};

/// The handles by which the running program is steered.
pub struct Control {
    pub(super) file: Option<PathBuf>,
    pub(super) live: Arc<ArcSwap<Live>>,
    pub(super) rules: Arc<ArcSwap<Rules>>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) dispatcher: Arc<Dispatcher>,
    pub(super) clock: SharedClock,
    pub(super) metrics: Metrics,
    pub(super) store: Store,
    pub(super) triage: Arc<Notify>,
    pub(super) reloading: tokio::sync::Mutex<()>,
}

impl Operations for Control {
    fn stopped_workers(&self) -> Vec<String> {
        // The other tasks' ends stop the whole program at once.
        if self.dispatcher.is_alive() { Vec::new() } else { vec!["dispatch".to_owned()] }
    }

    fn reload(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(self.reload_file())
    }
}

impl Control {
    async fn reload_file(&self) -> Result<(), String> {
        let _one_at_a_time = self.reloading.lock().await;
        let configuration = match configuration::load(self.file.as_deref()) {
            Ok(configuration) => configuration,
            Err(problems) => {
                self.metrics.config_refused();
                tracing::error!(%problems, "the configuration is refused, the present one stays in force");
                return Err(problems.to_string());
            }
        };
        self.put_in_force(configuration).await;
        tracing::info!("configuration reloaded");
        Ok(())
    }

    /// Nothing here can fail half-way: everything is built, it is only swapped in.
    async fn put_in_force(&self, configuration: Configuration) {
        configuration.warn();
        let remarks = configuration.remarks();
        let Configuration { loaded, rules, plan, .. } = configuration;
        let shown = loaded.redacted_json().clone();
        let config = Arc::new(loaded.config);
        self.warn_about_restart(&config);
        if let Err(error) = self.dispatcher.announce(&plan).await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "other replicas do not know yet which channels this one serves now");
        }
        self.catalog.configure(config.catalog.clone());
        self.rules.store(Arc::new(rules));
        let live = Live::new(config, loaded.digest, self.clock.now()).showing(shown).remarking(remarks);
        self.live.store(Arc::new(live));
        if let Err(error) = self.dispatcher.apply(plan).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "messages for removed channels stay until the next start"
            );
        }
        if let Err(error) = self.decide_again().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(
                error,
                "open incidents are decided by the new configuration only when they change"
            );
        }
        self.metrics.config_loaded(self.clock.now());
        self.triage.notify_one();
    }

    async fn decide_again(&self) -> Result<(), StoreError> {
        self.store.decide_again(self.clock.now()).await?;
        self.store.decide_ends_again(self.clock.now()).await.map(|_| ())
    }

    fn warn_about_restart(&self, new: &crate::config::Config) {
        let live = self.live.load();
        let old = &live.config;
        let changed = [
            ("server.listen", old.server.listen != new.server.listen),
            ("storage.url", old.storage.url != new.storage.url),
            ("storage.max_connections", old.storage.max_connections != new.storage.max_connections),
            ("server.shutdown_grace", old.server.shutdown_grace != new.server.shutdown_grace),
            ("intake.dedup_window", old.intake.dedup_window != new.intake.dedup_window),
        ];
        for (key, _) in changed.into_iter().filter(|(_, changed)| *changed) {
            tracing::warn!(key, "this change takes effect at the next start");
        }
    }
}
