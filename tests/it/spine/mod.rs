//! Intake, triage and dispatch over one real store, on a clock that tests move.

mod alarm;
mod breaker;
mod commands;
mod dispatch;
mod ends;
mod fallback;
mod foreign;
mod intake;
mod limits;
mod locale;
mod long_values;
mod lost_answers;
mod odd_bodies;
mod order;
mod outage;
mod outbox;
mod overtake;
mod parts;
mod provider_texts;
mod replicas;
mod server;
mod routing;
mod set_aside;
mod timers;
mod triage;
mod twins;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use modelpager::catalog::Catalog;
use modelpager::catalog::service::CatalogService;
use modelpager::config::{ChannelConfig, Config, RouteConfig};
use modelpager::dispatch::plan::Plan;
use modelpager::dispatch::{self as dispatcher, Dispatcher};
use modelpager::domain::clock::{Clock as _, ManualClock, SharedClock, Timestamp};
use modelpager::domain::entry::Entry;
use modelpager::domain::ids::IdMaker;
use modelpager::domain::notification::Snapshot;
use modelpager::domain::random::SeededRandom;
use modelpager::http::Proxies;
use modelpager::intake::alertmanager;
use modelpager::intake::inbox::{self, Accepted, Inbox, IntakeError};
use modelpager::store::Store;
use modelpager::store::events::{EventState, NewEvent};
use modelpager::store::log::PageKey;
use modelpager::store::log_events::{EventFilter, EventSummary};
use modelpager::store::log_incidents::{IncidentFilter, IncidentSummary};
use modelpager::store::log_notifications::{NotificationFilter, NotificationSummary};
use modelpager::store::outbox::{Claimed, Lease};
use modelpager::store::pending::PendingEvent;
use modelpager::telemetry::metrics::Metrics;
use modelpager::triage::change::{Parts, Triage};
use modelpager::triage::processor::{ParsedEvent, Processor};
use modelpager::triage::rules::Rules;
use serde_json::{Value, json};

use crate::support::databases::Fresh;

/// Two processes on one database must not make the same ids.
static WORLDS: AtomicU64 = AtomicU64::new(7);

pub const START: Timestamp = Timestamp::from_millis(1_787_220_000_000);

/// Everything but the HTTP surface and the dispatcher.
pub struct World {
    pub clock: ManualClock,
    pub store: Store,
    pub ids: IdMaker,
    pub inbox: Inbox,
    pub triage: Arc<Triage>,
    pub processor: Processor,
    pub catalog: CatalogService,
    pub metrics: Metrics,
    url: String,
    _fresh: Option<Fresh>,
}

/// A channel of kind `log` with that name.
pub fn log_channel(name: &str) -> ChannelConfig {
    ChannelConfig::new(name, "log")
}

pub fn route(channels: &[&str], matchers: &[&str]) -> RouteConfig {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    RouteConfig { channels: owned(channels), matchers: owned(matchers), ..RouteConfig::default() }
}

pub fn config() -> Config {
    let mut config = Config::default();
    config.channels = vec![log_channel("console"), log_channel("oncall")];
    config.route = route(&["console"], &[]);
    config.route.routes =
        vec![RouteConfig { continue_: true, ..route(&["oncall", "console"], &["severity=\"critical\""]) }];
    config
}

fn parse(event: &PendingEvent) -> Result<ParsedEvent, String> {
    let received_at = Timestamp::from_millis(event.received_at);
    let delivery = alertmanager::parse_part(&event.body, received_at, event.places.clone())
        .map_err(|e| e.to_string())?;
    assert!(
        !delivery.alerts.iter().any(|alert| alert.labels.contains_key("make_triage_panic")),
        "asked to panic"
    );
    Ok(ParsedEvent {
        receiver: delivery.receiver,
        external_url: delivery.external_url,
        truncated: delivery.truncated,
        alerts: delivery.alerts,
        next: Some(event.places.end).filter(|next| *next < delivery.places),
    })
}

impl World {
    pub async fn open(fresh: Fresh, config: &Config) -> Self {
        let mut world = Self::on(&fresh.url(), config).await;
        world._fresh = Some(fresh);
        world
    }

    /// A second process on the same database, or the first after a restart.
    pub async fn on(url: &str, config: &Config) -> Self {
        let store = Store::open(url, 4).await.unwrap();
        let clock = ManualClock::at(START);
        let shared: SharedClock = Arc::new(clock.clone());
        let ids =
            IdMaker::new(shared.clone(), Arc::new(SeededRandom::new(WORLDS.fetch_add(1, Ordering::Relaxed))));
        let metrics = Metrics::new(START);
        let snapshot = Arc::new(Catalog::new(config.catalog.clone()));
        let catalog = CatalogService::new(store.clone(), snapshot.clone(), shared.clone(), ids.clone());
        catalog.refresh().await.unwrap();
        store.go_on_with_ids(&ids).await.unwrap();
        let rules = Rules::build(config).unwrap_or_else(|problems| panic!("{problems:?}"));
        let (inbox, _) = Inbox::start(inbox::Parts {
            store: store.clone(),
            clock: shared.clone(),
            ids: ids.clone(),
            metrics: metrics.clone(),
            dedup_window: config.intake.dedup_window.0,
            stored: Arc::default(),
        });
        let triage = Triage::new(Parts {
            store: store.clone(),
            catalog: snapshot,
            rules: Arc::new(ArcSwap::from_pointee(rules)),
            clock: shared,
            ids: ids.clone(),
            metrics: metrics.clone(),
            wake: Arc::default(),
            work_available: Box::new(|_| {}),
        });
        let processor = Processor::new(triage.clone(), parse);
        Self {
            clock,
            store,
            ids,
            inbox,
            triage,
            processor,
            catalog,
            metrics,
            url: url.to_owned(),
            _fresh: None,
        }
    }

    /// A dispatcher on the world's own clock.
    pub async fn dispatch(&self, config: &Config) -> Dispatcher {
        self.dispatch_by(Arc::new(self.clock.clone()), config).await
    }

    /// A dispatcher on another clock.
    pub async fn dispatch_by(&self, clock: SharedClock, config: &Config) -> Dispatcher {
        let (plan, problems) =
            Plan::build(config, &Proxies::default()).unwrap_or_else(|problems| panic!("{problems:?}"));
        assert!(problems.is_empty(), "{problems:?}");
        let parts = dispatcher::Parts {
            store: self.store.clone(),
            clock,
            random: Arc::new(SeededRandom::new(3)),
            ids: self.ids.clone(),
            metrics: self.metrics.clone(),
        };
        Dispatcher::start(parts, plan).await.unwrap()
    }

    /// Where the database is.
    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn post(&self, body: &Value) -> Result<Accepted, IntakeError> {
        self.inbox.accept(Bytes::from(body.to_string()), "test").await
    }

    /// Posts and triages.
    pub async fn tell(&self, alerts: &[Value]) {
        self.post(&body(alerts)).await.unwrap();
        self.processor.settle().await.unwrap();
    }

    /// Closes the database, as a process that ends does.
    pub async fn end(self) {
        let Self { store, inbox, triage, processor, catalog, .. } = self;
        drop((inbox, triage, processor, catalog));
        store.close().await;
    }

    /// Lets time pass, then does what is due.
    pub async fn pass(&self, by: Duration) {
        self.clock.advance(by);
        self.processor.settle().await.unwrap();
    }

    /// Every message owed so far, oldest first, as `channel kind severity`.
    pub async fn owed(&self) -> Vec<String> {
        let told = |n: &NotificationSummary| format!("{} {} {}", n.channel, n.kind, n.severity);
        self.notifications().await.iter().map(told).collect()
    }

    /// Every message of any age, oldest first.
    pub async fn all_notifications(&self) -> Vec<NotificationSummary> {
        let mut found: Vec<NotificationSummary> = Vec::new();
        let mut page = PageKey { before: None, limit: 1_000 };
        loop {
            let slice = self.store.list_notifications(&NotificationFilter::default(), &page).await.unwrap();
            found.extend(slice.items);
            page.before = slice.next;
            if page.before.is_none() {
                found.reverse();
                return found;
            }
        }
    }

    pub async fn notifications(&self) -> Vec<NotificationSummary> {
        let filter = NotificationFilter::default();
        let page = PageKey { before: None, limit: 500 };
        let mut found = self.store.list_notifications(&filter, &page).await.unwrap().items;
        found.reverse();
        found
    }

    /// What a message that is owed will say: leases it, so once for each.
    pub async fn snapshot(&self, id: &str) -> Snapshot {
        let claimed = self.lease_all("console").await;
        let message = claimed.iter().find(|message| message.id == id).unwrap();
        serde_json::from_str(&message.snapshot).unwrap()
    }

    async fn lease_all(&self, channel: &str) -> Vec<Claimed> {
        let lease = Lease {
            owner: "reader",
            claim: "test",
            now: self.clock.now(),
            length: Duration::from_secs(60),
            from_priority: 0,
        };
        self.store.claim_notifications(channel, &lease, 100).await.unwrap()
    }

    /// What every message owed to the channel will say: leases them, so once.
    pub async fn snapshots(&self, channel: &str) -> Vec<Snapshot> {
        let claimed = self.lease_all(channel).await;
        claimed.iter().map(|message| serde_json::from_str(&message.snapshot).unwrap()).collect()
    }

    /// The newest incidents.
    pub async fn incidents(&self) -> Vec<IncidentSummary> {
        let page = PageKey { before: None, limit: 100 };
        self.store.list_incidents(&IncidentFilter::default(), &page).await.unwrap().items
    }

    /// The newest events.
    pub async fn events(&self) -> Vec<EventSummary> {
        let page = PageKey { before: None, limit: 100 };
        self.store.list_events(&EventFilter::default(), &page).await.unwrap().items
    }

    pub async fn add_entry(&self, slug: &str) {
        let entry =
            Entry { slug: slug.to_owned(), tier: Some(1), owner: "risk".to_owned(), ..Entry::default() };
        self.catalog.create("test", entry).await.unwrap();
    }
}

/// One alert: `("firing", "fraud", "critical", "a")` is status, model, severity, instance.
pub fn alert((status, model, severity, instance): (&str, &str, &str, &str)) -> Value {
    let ends_at = if status == "resolved" { "2026-08-20T10:30:00Z" } else { "0001-01-01T00:00:00Z" };
    json!({
        "status": status,
        "labels": {"alertname": "AccuracyDrop", "model": model, "severity": severity, "instance": instance},
        "annotations": {"summary": "accuracy 0.81 < 0.9"},
        "startsAt": "2026-08-20T10:00:00Z",
        "endsAt": ends_at,
        "generatorURL": "http://prom.example:9090/graph?g0.expr=x",
    })
}

pub fn firing(instance: &str, severity: &str) -> Value {
    alert(("firing", "fraud", severity, instance))
}

pub fn resolved(instance: &str, severity: &str) -> Value {
    alert(("resolved", "fraud", severity, instance))
}

/// An event that waits for triage, as intake stores it.
pub fn pending(id: String, received_at: Timestamp, body: Vec<u8>) -> NewEvent {
    NewEvent {
        id,
        received_at,
        state: EventState::Pending,
        source: "alertmanager",
        receiver: "modelpager".to_owned(),
        group_key: String::new(),
        external_url: String::new(),
        actor: "test".to_owned(),
        alerts: 1,
        rejected: 0,
        truncated: 0,
        replay_of: None,
        reason: String::new(),
        verdicts: "[]".to_owned(),
        body,
        twin: None,
    }
}

/// A body with these alerts.
pub fn body(alerts: &[Value]) -> Value {
    json!({
        "version": "4",
        "receiver": "modelpager",
        "status": "firing",
        "groupKey": "{}:{alertname=\"AccuracyDrop\"}",
        "truncatedAlerts": 0,
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://am.example:9093",
        "alerts": alerts,
    })
}
