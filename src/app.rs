//! The composition root: builds every part, owns every task, notices when one ends that
//! should not, and stops them in the order in which an alert meets them.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::dev::{Server, ServerHandle};
use anyhow::Context as _;
use arc_swap::ArcSwap;
use futures_util::future::join_all;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{Duration, Instant, timeout};

use crate::catalog::Catalog;
use crate::catalog::service::CatalogService;
use crate::config::Config;
use crate::dispatch::{self, Dispatcher};
use crate::domain::clock::{AdjustedClock, SharedClock};
use crate::domain::ids::IdMaker;
use crate::domain::random::SharedRandom;
use crate::intake::inbox::{self, Inbox};
use crate::store::{Store, full_disk};
use crate::telemetry::metrics::Metrics;
use crate::triage::change::{self, Triage};
use crate::triage::processor::Processor;
use crate::web::body::BodyBudget;
use crate::web::connections::{Connections, raise_file_limit};
use crate::web::hour_counts::HourCounts;
use crate::web::live_views::LiveViews;
use crate::web::state::{AppState, Live};

pub mod configuration;
mod index_writer;
mod maintenance;
mod news;
mod operations;
mod pulse;
mod retention;
mod stored_events;
mod time;

use configuration::Configuration;
use operations::Control;

/// What each part may take to end in order when those before it used up the time.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How long bodies that are being sent at a stop may take to come to their end.
const LAST_BYTES: Duration = Duration::from_secs(1);

/// What a program is started with.
pub struct Start {
    /// The checked configuration.
    pub configuration: Configuration,
    /// The file it came from, read again by a reload.
    pub file: Option<PathBuf>,
    /// The time.
    pub clock: SharedClock,
    /// Jitter and ids.
    pub random: SharedRandom,
}

/// The running program.
pub struct App {
    address: SocketAddr,
    server: Server,
    inbox: Inbox,
    tasks: Tasks,
    control: Arc<Control>,
    live_views: LiveViews,
    connections: Connections,
}

/// Every task but the server's own.
struct Tasks {
    inbox_writer: JoinHandle<()>,
    processor: JoinHandle<()>,
    ear: JoinHandle<()>,
    maintenance: JoinHandle<()>,
    index_writer: JoinHandle<()>,
    pulse: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl App {
    /// Opens the database, takes up what an earlier process left, and listens.
    ///
    /// # Errors
    /// When the database or the address cannot be had.
    pub async fn start(start: Start) -> anyhow::Result<Self> {
        let Start { configuration, file, clock, random } = start;
        let config = Arc::new(configuration.loaded.config.clone());
        let remarks = configuration.remarks();
        let storage = &config.storage;
        let open = || Store::open(storage.url.expose(), storage.max_connections);
        let store = full_disk::wait_for_space(open).await?;
        let listener = TcpListener::bind(&config.server.listen)
            .with_context(|| format!("could not listen on {}", config.server.listen))?;
        let metrics = Metrics::new(clock.now());
        let adjusted = AdjustedClock::new(clock);
        let clock: SharedClock = Arc::new(adjusted.clone());
        let time = time::Time { store: store.clone(), clock: adjusted, metrics: metrics.clone() };
        time.set_right().await?;
        let ids = IdMaker::new(clock.clone(), random.clone());
        store.go_on_with_ids(&ids).await?;

        let catalog = Arc::new(Catalog::new(config.catalog.clone()));
        let catalog_service = CatalogService::new(store.clone(), catalog.clone(), clock.clone(), ids.clone());
        catalog_service.refresh().await?;

        let rules = Arc::new(ArcSwap::from_pointee(configuration.rules));
        let parts = dispatch::Parts {
            store: store.clone(),
            clock: clock.clone(),
            random,
            ids: ids.clone(),
            metrics: metrics.clone(),
        };
        let dispatcher = Arc::new(Dispatcher::start(parts, configuration.plan).await?);
        let events_stored = Arc::new(Notify::new());
        dispatcher.set_triage(events_stored.clone());
        let (inbox, inbox_writer) = start_inbox(&config, &store, &clock, &ids, &metrics, &events_stored);
        let (stop, stopped) = watch::channel(false);
        let woken = dispatcher.clone();
        let triage = Triage::new(change::Parts {
            store: store.clone(),
            catalog: catalog.clone(),
            rules: rules.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
            metrics: metrics.clone(),
            wake: events_stored.clone(),
            work_available: Box::new(move |channels| woken.wake(channels.iter().copied())),
        });
        let processor = Processor::new(triage.clone(), stored_events::parse);
        let bodies = BodyBudget::new(config.server.max_body_bytes);
        let live = Live::new(config, configuration.loaded.digest.clone(), clock.now());
        let live = live.showing(configuration.loaded.redacted_json().clone()).remarking(remarks);
        let live = Arc::new(ArcSwap::from_pointee(live));
        let ear = news::Ear {
            store: store.clone(),
            clock: clock.clone(),
            catalog: catalog_service.clone(),
            dispatcher: dispatcher.clone(),
            triage: events_stored.clone(),
        };
        let upkeep = maintenance::Upkeep {
            time,
            store: store.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            catalog: catalog_service.clone(),
            live: live.clone(),
            triage: events_stored.clone(),
        };
        let index_writer = index_writer::IndexWriter { store: store.clone(), clock: clock.clone() };
        let live_views = LiveViews::named(ids.next_id());
        let pulse_taker =
            pulse::PulseTaker { store: store.clone(), clock: clock.clone(), views: live_views.clone() };
        let tasks = Tasks {
            inbox_writer,
            processor: tokio::spawn(processor.run(stopped.clone())),
            ear: tokio::spawn(ear.run(stopped.clone())),
            maintenance: tokio::spawn(upkeep.run(stopped.clone())),
            index_writer: tokio::spawn(index_writer.run(stopped.clone())),
            pulse: tokio::spawn(pulse_taker.run(stopped)),
            stop,
        };
        let control = Arc::new(Control {
            file,
            live: live.clone(),
            rules,
            catalog,
            dispatcher,
            clock: clock.clone(),
            metrics: metrics.clone(),
            store: store.clone(),
            triage: events_stored,
            reloading: tokio::sync::Mutex::new(()),
        });
        metrics.config_loaded(clock.now());
        let address = listener.local_addr()?;
        let started_at = clock.now();
        let state = AppState {
            store,
            live,
            clock,
            ids,
            metrics,
            started_at,
            bodies,
            inbox: inbox.clone(),
            catalog: catalog_service,
            triage,
            dispatcher: control.dispatcher.clone(),
            operations: control.clone(),
            live_views: live_views.clone(),
            hour_counts: HourCounts::default(),
        };
        let connections = Connections::new(raise_file_limit());
        let server = crate::web::server::serve(listener, state, connections.clone())?;
        Ok(Self { address, server, inbox, tasks, control, live_views, connections })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What signals and the API can ask of the program.
    pub fn control(&self) -> Arc<Control> {
        self.control.clone()
    }

    /// Serves until `stop` completes, then ends in order: nothing accepted is lost, sends
    /// under way get their time to end.
    ///
    /// # Errors
    /// When a part ended that should not have: better restarted whole than half alive.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { server, inbox, mut tasks, control, live_views, connections, .. } = self;
        let handle = server.handle();
        let mut server = tokio::spawn(server);
        let failure = tokio::select! {
            () = stop => None,
            ended = &mut server => Some(format!("the HTTP server ended: {ended:?}")),
            ended = &mut tasks.inbox_writer => Some(format!("the inbox's writer ended: {ended:?}")),
            ended = &mut tasks.processor => Some(format!("triage ended: {ended:?}")),
            ended = &mut tasks.ear => Some(format!("listening to other replicas ended: {ended:?}")),
            ended = &mut tasks.maintenance => Some(format!("maintenance ended: {ended:?}")),
            ended = &mut tasks.index_writer => Some(format!("writing the log's index ended: {ended:?}")),
            ended = &mut tasks.pulse => Some(format!("watching for open pages ended: {ended:?}")),
        };
        if let Some(failure) = &failure {
            tracing::error!(failure, "a part of the program ended, stopping the rest");
        } else {
            tracing::info!("stopping");
        }
        // Before the server waits for its answers to end: those to open pages never do.
        live_views.end();
        wind_down(handle, server, inbox, tasks, &control, &connections).await;
        match failure {
            None => Ok(()),
            Some(failure) => Err(anyhow::anyhow!(failure)),
        }
    }
}

fn start_inbox(
    config: &Config,
    store: &Store,
    clock: &SharedClock,
    ids: &IdMaker,
    metrics: &Metrics,
    stored: &Arc<Notify>,
) -> (Inbox, JoinHandle<()>) {
    Inbox::start(inbox::Parts {
        store: store.clone(),
        clock: clock.clone(),
        ids: ids.clone(),
        metrics: metrics.clone(),
        dedup_window: config.intake.dedup_window.0,
        stored: stored.clone(),
    })
}

/// Intake first, so that nothing new comes; then what was accepted is triaged; then what is
/// being sent ends. All of it shares one time of grace.
async fn wind_down(
    handle: ServerHandle,
    server: JoinHandle<std::io::Result<()>>,
    inbox: Inbox,
    tasks: Tasks,
    control: &Control,
    connections: &Connections,
) {
    let grace = control.live.load().config.server.shutdown_grace.0;
    let ends_by = Instant::now() + grace;
    let left = || ends_by.saturating_duration_since(Instant::now());
    let stopping = handle.stop(true);
    tokio::pin!(stopping);
    if timeout(LAST_BYTES, &mut stopping).await.is_err() {
        connections.close_unfinished();
        stopping.await;
    }
    if !server.is_finished() {
        let _ = server.await;
    }
    drop(inbox);
    tasks.stop.send_replace(true);
    let Tasks { inbox_writer, processor, ear, maintenance, index_writer, pulse, .. } = tasks;
    let running = [inbox_writer, processor, ear, maintenance, index_writer, pulse].into_iter();
    let running = running.filter(|task| !task.is_finished());
    if timeout(left().max(LAST_WORDS), join_all(running)).await.is_err() {
        tracing::warn!(grace_s = grace.as_secs(), "a task did not end in time");
    }
    control.dispatcher.stop(left()).await;
    if timeout(LAST_WORDS, control.store.close()).await.is_err() {
        tracing::warn!("the database could not be closed in time; nothing is lost by that");
    }
}
