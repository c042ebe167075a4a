//! Every metric of the program: what it is called, what it means, and the one typed
//! method that records it. `/metrics` shows what [`Metrics::encode`] returns.
//!
//! Promises: names and units as Prometheus wants them (`promtool check metrics` passes);
//! labels take their values from the configuration, from fixed words or from a bounded
//! set; recording never blocks for long and never fails. Cloning shares.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use crate::domain::alert::AlertStatus;
use crate::domain::clock::Timestamp;
use crate::domain::notification::NotificationState;
use crate::domain::outcome::SendOutcome;

pub use super::exposition::CONTENT_TYPE;
use words::bounded_method;
pub use words::{DecisionOutcome, EventResult, Queue};

mod words;

/// How many rule names get a series of their own in
/// `modelpager_unmatched_alerts_total`; the rest shares `other`.
pub const MAX_UNMATCHED_ALERTNAMES: usize = 200;

/// The states of a circuit breaker.
pub const BREAKER_STATES: [&str; 3] = ["closed", "open", "half_open"];

/// Seconds; from a fast local write to a request that waits for a slow disk.
const STORE_BUCKETS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
/// Seconds; from an answer out of memory to a client that is slow to send its body.
const HTTP_BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];
/// Seconds; from a local receiver to the greatest usual time limit of a channel.
const SEND_BUCKETS: [f64; 10] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];
/// Seconds; from "at once" to the age at which a notification is given up.
const LATENCY_BUCKETS: [f64; 13] =
    [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 86_400.0];

type Words<const N: usize> = [(&'static str, &'static str); N];
type Texts<const N: usize> = [(&'static str, String); N];
type Seconds = Gauge<f64, AtomicU64>;
type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// The registry with everything in it.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    events: Family<Words<2>, Counter>,
    failed_events: Counter,
    alerts: Family<Words<1>, Counter>,
    entry_matches: Family<Words<1>, Counter>,
    default_route: Counter,
    unmatched: Family<Texts<1>, Counter>,
    unmatched_names: Mutex<HashSet<String>>,
    unknown_severities: Family<Words<1>, Counter>,
    broken_annotations: Counter,
    decisions: Family<Words<1>, Counter>,
    queue_depth: Family<Words<1>, Gauge>,
    queue_oldest: Family<Words<1>, Seconds>,
    sends: Family<Texts<2>, Counter>,
    send_seconds: Histograms<Texts<1>>,
    notifications: Family<Texts<2>, Counter>,
    latency: Histograms<Texts<1>>,
    channel_queue_depth: Family<Texts<1>, Gauge>,
    channel_queue_oldest: Family<Texts<1>, Seconds>,
    channel_healthy: Family<Texts<1>, Gauge>,
    breaker_state: Family<Texts<2>, Gauge>,
    breaker_opened: Family<Texts<1>, Counter>,
    fallbacks: Family<Texts<1>, Counter>,
    template_failures: Family<Texts<1>, Counter>,
    store_seconds: Histograms<Words<1>>,
    http_seconds: Histograms<Texts<3>>,
    catalog_entries: Gauge,
    replicas: Gauge,
    clock_ahead: Seconds,
    reload_successful: Gauge,
    reload_at: Seconds,
    retention_deleted: Family<Words<1>, Counter>,
    retention_at: Seconds,
}

impl Metrics {
    /// All metrics at zero; series whose labels are fixed words exist from the start, so
    /// that a rate over them sees the first increase.
    pub fn new(started_at: Timestamp) -> Self {
        let mut new = Registrar(Registry::default());
        let build: Family<Words<1>, Gauge> = new.add("build_info", "The running version; always 1");
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        let started: Seconds = Gauge::default();
        started.set(seconds(started_at));
        new.0.register("process_start_time_seconds", "When the process started", started);

        let inner = Inner {
            events: new.add("events", "Received webhook bodies by source and result"),
            failed_events: new
                .add("failed_events", "Events that triage could not process, completely or in part"),
            alerts: new.add("alerts", "Alerts of accepted events, by status"),
            entry_matches: new.add("alert_entry_matches", "Alerts by whether a catalog entry was found"),
            unmatched: new.add("unmatched_alerts", "Alerts without a catalog entry, by rule name"),
            unmatched_names: Mutex::default(),
            unknown_severities: new
                .add("unknown_severity_alerts", "Alerts with a missing or unknown severity"),
            broken_annotations: new
                .add("broken_annotations", "Annotations that contain a template error of the alerting rule"),
            default_route: new.add(
                "default_route_notifications",
                "Notifications sent by the default route because no other route matched",
            ),
            decisions: new.add("decisions", "Notification decisions by outcome"),
            queue_depth: new.add("queue_depth", "Rows waiting in the queue"),
            queue_oldest: new.add("queue_oldest_age_seconds", "Age of the oldest row that is due"),
            sends: new.add("sends", "Attempts to send, by channel and outcome"),
            send_seconds: new.add_histogram("send_duration_seconds", "Duration of attempts", || {
                Histogram::new(SEND_BUCKETS)
            }),
            notifications: new.add("notifications", "Finished notifications by channel and final state"),
            latency: new.add_histogram(
                "delivery_latency_seconds",
                "Time from receiving an event to delivering a message about it",
                || Histogram::new(LATENCY_BUCKETS),
            ),
            channel_queue_depth: new.add("channel_queue_depth", "Messages waiting for the channel"),
            channel_queue_oldest: new
                .add("channel_queue_oldest_age_seconds", "Age of the oldest message waiting for the channel"),
            channel_healthy: new.add("channel_healthy", "Whether the channel delivers messages: 1 or 0"),
            breaker_state: new.add(
                "channel_breaker_state",
                "State of the channel's circuit breaker: 1 for the current state, 0 for the others",
            ),
            breaker_opened: new
                .add("channel_breaker_openings", "Number of times the channel's circuit breaker opened"),
            fallbacks: new
                .add("fallback_notifications", "Messages of the channel sent through its fallback channel"),
            template_failures: new
                .add("template_failures", "Messages sent as built-in plain text because a template failed"),
            store_seconds: new.add_histogram(
                "store_operation_duration_seconds",
                "Duration of database operations",
                || Histogram::new(STORE_BUCKETS),
            ),
            http_seconds: new.add_histogram(
                "http_request_duration_seconds",
                "HTTP requests by route, method and status code",
                || Histogram::new(HTTP_BUCKETS),
            ),
            catalog_entries: new.add("catalog_entries", "Entries in the catalog"),
            replicas: new.add("replicas", "Live replicas that share the database, including this one"),
            clock_ahead: new.add(
                "clock_ahead_seconds",
                "How far the database clock is ahead of the clock of this machine",
            ),
            reload_successful: new.add(
                "config_last_reload_successful",
                "Whether the last configuration reload succeeded: 1 or 0",
            ),
            reload_at: new.add(
                "config_last_reload_success_timestamp_seconds",
                "When the configuration was last loaded successfully",
            ),
            retention_deleted: new.add("retention_deleted_rows", "Rows deleted by retention, by table"),
            retention_at: new
                .add("retention_last_run_timestamp_seconds", "When retention last completed in this process"),
            registry: new.0,
        };
        let metrics = Self(Arc::new(inner));
        metrics.start_series();
        metrics
    }

    fn start_series(&self) {
        for result in EventResult::ALL {
            self.0.events.get_or_create(&event_labels("alertmanager", result)).inc_by(0);
        }
        for status in [AlertStatus::Firing.as_str(), AlertStatus::Resolved.as_str(), "rejected"] {
            self.0.alerts.get_or_create(&[("status", status)]).inc_by(0);
        }
        for result in ["matched", "unmatched"] {
            self.0.entry_matches.get_or_create(&[("result", result)]).inc_by(0);
        }
        for reason in ["missing", "unknown"] {
            self.0.unknown_severities.get_or_create(&[("reason", reason)]).inc_by(0);
        }
        for outcome in DecisionOutcome::ALL {
            self.0.decisions.get_or_create(&[("outcome", outcome.as_str())]).inc_by(0);
        }
        for queue in [Queue::Events, Queue::Notifications] {
            self.set_queue(queue, 0, Duration::ZERO);
        }
    }

    /// One body came in from `source` (a fixed word such as `alertmanager`).
    pub fn event(&self, source: &'static str, result: EventResult) {
        self.0.events.get_or_create(&event_labels(source, result)).inc();
    }

    /// Triage ended `count` events as failed.
    pub fn failed_events(&self, count: u64) {
        self.0.failed_events.inc_by(count);
    }

    /// `count` alerts of that status were taken.
    pub fn alerts(&self, status: AlertStatus, count: u64) {
        self.0.alerts.get_or_create(&[("status", status.as_str())]).inc_by(count);
    }

    /// `count` alerts of an accepted event were unusable.
    pub fn alerts_rejected(&self, count: u64) {
        self.0.alerts.get_or_create(&[("status", "rejected")]).inc_by(count);
    }

    /// An alert found its catalog entry.
    pub fn entry_matched(&self) {
        self.0.entry_matches.get_or_create(&[("result", "matched")]).inc();
    }

    /// An alert of the rule `alertname` found no catalog entry.
    pub fn entry_unmatched(&self, alertname: &str) {
        self.0.entry_matches.get_or_create(&[("result", "unmatched")]).inc();
        self.0.unmatched.get_or_create(&[("alertname", self.bounded_alertname(alertname))]).inc();
    }

    /// Rule names come from outside: only the first so many get a series.
    fn bounded_alertname(&self, alertname: &str) -> String {
        const LONGEST: usize = 200;
        let mut names = self.0.unmatched_names.lock();
        let has_room = names.len() < MAX_UNMATCHED_ALERTNAMES && alertname.len() <= LONGEST;
        if !names.contains(alertname) && !has_room {
            return "other".to_owned();
        }
        if !names.contains(alertname) {
            names.insert(alertname.to_owned());
        }
        alertname.to_owned()
    }

    /// The default severity stands for that of an alert; `reason`: `missing` or `unknown`.
    pub fn severity_unknown(&self, reason: &'static str) {
        self.0.unknown_severities.get_or_create(&[("reason", reason)]).inc();
    }

    /// An annotation held `<error expanding template …>` instead of text.
    pub fn broken_annotation(&self) {
        self.0.broken_annotations.inc();
    }

    /// A message is owed by the default route, since no other took it.
    pub fn default_route(&self) {
        self.0.default_route.inc();
    }

    /// One decision was taken.
    pub fn decision(&self, outcome: DecisionOutcome) {
        self.0.decisions.get_or_create(&[("outcome", outcome.as_str())]).inc();
    }

    /// How much waits now, and how long the oldest that is due has waited.
    pub fn set_queue(&self, queue: Queue, depth: u64, oldest: Duration) {
        let labels = [("queue", queue.as_str())];
        self.0.queue_depth.get_or_create(&labels).set(i64::try_from(depth).unwrap_or(i64::MAX));
        self.0.queue_oldest.get_or_create(&labels).set(oldest.as_secs_f64());
    }

    /// One attempt to send through `channel` ended after `took`.
    pub fn send(&self, channel: &str, outcome: SendOutcome, took: Duration) {
        let labels = [("channel", channel.to_owned()), ("outcome", outcome.as_str().to_owned())];
        self.0.sends.get_or_create(&labels).inc();
        self.0.send_seconds.get_or_create(&channel_label(channel)).observe(took.as_secs_f64());
    }

    /// A notification of `channel` ended in `state`.
    pub fn notification_ended(&self, channel: &str, state: NotificationState) {
        let labels = [("channel", channel.to_owned()), ("state", state.as_str().to_owned())];
        self.0.notifications.get_or_create(&labels).inc();
    }

    /// A message was delivered that long after its event had been received.
    pub fn delivered_after(&self, channel: &str, latency: Duration) {
        self.0.latency.get_or_create(&channel_label(channel)).observe(latency.as_secs_f64());
    }

    /// How much waits for `channel`, and how long the oldest has waited.
    pub fn set_channel_queue(&self, channel: &str, depth: u64, oldest: Duration) {
        let depth = i64::try_from(depth).unwrap_or(i64::MAX);
        self.0.channel_queue_depth.get_or_create(&channel_label(channel)).set(depth);
        self.0.channel_queue_oldest.get_or_create(&channel_label(channel)).set(oldest.as_secs_f64());
    }

    /// Whether the channel takes messages. Also makes the channel known before its first.
    pub fn set_channel_healthy(&self, channel: &str, healthy: bool) {
        self.0.channel_healthy.get_or_create(&channel_label(channel)).set(i64::from(healthy));
    }

    /// Where the circuit breaker of `channel` stands: one of [`BREAKER_STATES`].
    pub fn set_breaker(&self, channel: &str, state: &str) {
        for known in BREAKER_STATES {
            let labels = [("channel", channel.to_owned()), ("state", known.to_owned())];
            self.0.breaker_state.get_or_create(&labels).set(i64::from(known == state));
        }
        self.0.breaker_opened.get_or_create(&channel_label(channel)).inc_by(0);
        self.0.fallbacks.get_or_create(&channel_label(channel)).inc_by(0);
    }

    /// The circuit breaker of `channel` opened.
    pub fn breaker_opened(&self, channel: &str) {
        self.0.breaker_opened.get_or_create(&channel_label(channel)).inc();
    }

    /// A message of `channel` goes through its fallback channel instead.
    pub fn fell_back(&self, channel: &str) {
        self.0.fallbacks.get_or_create(&channel_label(channel)).inc();
    }

    /// A message of `channel` fell back to the built-in plain text.
    pub fn template_failed(&self, channel: &str) {
        self.0.template_failures.get_or_create(&channel_label(channel)).inc();
    }

    /// The database operation of that name (a fixed word such as `insert_events`) took
    /// so long.
    pub fn store_operation(&self, operation: &'static str, took: Duration) {
        self.0.store_seconds.get_or_create(&[("operation", operation)]).observe(took.as_secs_f64());
    }

    /// A request to the route `handler` (its pattern, never the path asked for) was
    /// answered.
    pub fn http_request(&self, handler: &str, method: &str, code: u16, took: Duration) {
        let labels = [
            ("handler", handler.to_owned()),
            ("method", bounded_method(method).to_owned()),
            ("code", code.to_string()),
        ];
        self.0.http_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// How many entries the catalog has.
    pub fn set_catalog_entries(&self, count: usize) {
        self.0.catalog_entries.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How many replicas share the database and live, this one included.
    pub fn set_replicas(&self, alive: u64) {
        self.0.replicas.set(i64::try_from(alive).unwrap_or(i64::MAX));
    }

    /// By how many milliseconds the database's clock is ahead of this machine's.
    pub fn set_clock_ahead(&self, ahead_ms: i64) {
        self.0.clock_ahead.set(ahead_ms as f64 / 1_000.0);
    }

    /// The configuration was loaded at `now`.
    pub fn config_loaded(&self, now: Timestamp) {
        self.0.reload_successful.set(1);
        self.0.reload_at.set(seconds(now));
    }

    /// The configuration could not be loaded; the one before still holds.
    pub fn config_refused(&self) {
        self.0.reload_successful.set(0);
    }

    /// So many outdated rows of a table (a fixed word) were deleted.
    pub fn retention_deleted(&self, table: &'static str, rows: u64) {
        self.0.retention_deleted.get_or_create(&[("table", table)]).inc_by(rows);
    }

    /// Everything outdated was deleted by `now`.
    pub fn retention_done(&self, now: Timestamp) {
        self.0.retention_at.set(seconds(now));
    }

    /// Everything in the Prometheus text format, see [`CONTENT_TYPE`].
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail; were it to, what is there is still worth showing.
        let _ = encode(&mut text, &self.0.registry);
        super::exposition::from_openmetrics(&text)
    }
}

/// Gives every metric its prefix.
struct Registrar(Registry);

impl Registrar {
    fn add<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        let metric = M::default();
        self.0.register(format!("modelpager_{name}"), help, metric.clone());
        metric
    }

    fn add_histogram<L>(&mut self, name: &str, help: &str, make: fn() -> Histogram) -> Histograms<L>
    where
        L: Clone + std::hash::Hash + Eq,
        Histograms<L>: Metric,
    {
        let metric = Histograms::<L>::new_with_constructor(make);
        self.0.register(format!("modelpager_{name}"), help, metric.clone());
        metric
    }
}

fn event_labels(source: &'static str, result: EventResult) -> Words<2> {
    [("source", source), ("result", result.as_str())]
}

fn channel_label(channel: &str) -> Texts<1> {
    [("channel", channel.to_owned())]
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millis() as f64 / 1_000.0
}

#[cfg(test)]
mod tests;
