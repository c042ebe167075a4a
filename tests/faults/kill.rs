//! `kill -9` at random moments under load, a hundred times over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::chance::Chance;
use crate::load::{Load, Taken};
use crate::receiver::{Receiver, Told};
use crate::support::databases::{Fresh, on_both_databases};
use crate::support::service::Service;

/// How often the program is killed.
const ROUNDS: usize = 100;
/// How many messages each channel sends at the same time: as many as a kill can cut short.
const CONCURRENCY: usize = 4;
/// How many alerts may be on their way at a time.
const ROOM: usize = 120;
/// How long the end may take: on a database that several processes may share, a dead one's
/// leases have to run out, which takes a minute.
const LAST_LIMIT: Duration = Duration::from_secs(150);

on_both_databases! { what_was_answered_200_outlives_a_hundred_kills }

async fn what_was_answered_200_outlives_a_hundred_kills(fresh: Fresh) {
    let chance = Chance::new();
    let (webhook, slack) = (Receiver::webhook().await, Receiver::slack().await);
    for receiver in [&webhook, &slack] {
        let step = modelpager::fakes::engine::Step::usual().delayed(Duration::from_millis(4));
        receiver.http().always(step);
    }
    let mut service = Service::start(&config(&webhook, &slack, &fresh)).await;
    let load = Load::start(&service.clone_api(), webhook.watch(), ROOM, &chance);
    for _ in 0..ROUNDS {
        if chance.happens(10) {
            // In the midst of starting.
            service.launch_again();
            tokio::time::sleep(chance.between(Duration::ZERO, Duration::from_millis(150))).await;
        } else {
            tokio::time::sleep(chance.between(Duration::from_millis(50), Duration::from_millis(400))).await;
        }
        service.kill();
        if matches!(fresh, Fresh::Postgres(_)) {
            load.add_room(CONCURRENCY);
        }
        service.restart().await;
    }
    let taken = load.stop().await;
    wait_until_all_is_told(&service).await;

    let log = Log::read(&service).await;
    let (on_webhook, on_slack) = (webhook.told(), slack.told());
    log.has_all(&taken);
    check_webhook(&service, &log, &taken, &on_webhook).await;
    check_slack(&log, &taken, &on_slack);
    let (marked, sent) = (log.marked(), log.on("slack").count());
    println!(
        "{} events, {} alerts, {} deliveries repeated by their senders; {} + {} messages arrived; \
         {marked} of {sent} marked as maybe sent twice",
        taken.events.len(),
        taken.alerts.len(),
        taken.repeats,
        on_webhook.arrivals.len(),
        on_slack.arrivals.len(),
    );
    assert!(marked <= ROUNDS * CONCURRENCY, "a kill cuts at most {CONCURRENCY} sends short: {marked}");
}

fn config(webhook: &Receiver, slack: &Receiver, fresh: &Fresh) -> Value {
    json!({
        "storage": {"url": fresh.url()},
        "delivery": {"backoff_min": "20ms", "backoff_max": "200ms", "concurrency": CONCURRENCY},
        "channels": [
            {"name": "webhook", "kind": "webhook", "timeout": "1s", "url": webhook.url()},
            {"name": "slack", "kind": "slack", "timeout": "1s", "webhook_url": slack.url()},
        ],
        "route": {
            "channels": ["webhook"], "group_interval": "50ms",
            "routes": [{"matchers": ["chat=\"yes\""], "channels": ["webhook", "slack"]}],
        },
    })
}

async fn wait_until_all_is_told(service: &Service) {
    let end = tokio::time::Instant::now() + LAST_LIMIT;
    let open = [
        "/api/v1/events?state=pending&limit=1",
        "/api/v1/notifications?state=pending&limit=1",
        "/api/v1/notifications?state=sending&limit=1",
    ];
    'again: loop {
        for path in open {
            let first = &service.get(path).await["items"][0];
            if !first.is_null() {
                assert!(tokio::time::Instant::now() < end, "not after {LAST_LIMIT:?}: {first:#}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue 'again;
            }
        }
        return;
    }
}

/// What the program says it did.
struct Log {
    events: BTreeMap<String, Value>,
    incidents: Vec<Value>,
    notifications: Vec<Value>,
}

impl Log {
    async fn read(service: &Service) -> Self {
        let events = service.list("/api/v1/events").await;
        Self {
            events: events.into_iter().map(|event| (text(&event, "id").to_owned(), event)).collect(),
            incidents: service.list("/api/v1/incidents").await,
            notifications: service.list("/api/v1/notifications").await,
        }
    }

    fn on(&self, channel: &str) -> impl Iterator<Item = &Value> {
        self.notifications.iter().filter(move |one| one["channel"] == channel)
    }

    fn marked(&self) -> usize {
        self.notifications.iter().filter(|one| one["maybe_sent_twice"] == true).count()
    }

    /// Every event that was answered with 200 is there and was worked on, every alert has
    /// its one incident, and nothing is owed any more.
    fn has_all(&self, taken: &Taken) {
        for id in &taken.events {
            let event = self.events.get(id).unwrap_or_else(|| panic!("event {id} is lost"));
            assert_eq!(event["state"], "processed", "{event:#}");
        }
        let incidents: Vec<&str> = self.incidents.iter().map(|one| text(one, "alertname")).collect();
        let distinct: BTreeSet<&str> = incidents.iter().copied().collect();
        assert_eq!(incidents.len(), distinct.len(), "an alert has two incidents");
        let sent: BTreeSet<&str> = taken.alerts.keys().map(String::as_str).collect();
        assert_eq!(distinct, sent);
        for one in &self.notifications {
            assert_eq!(one["state"], "delivered", "{one:#}");
        }
    }

    /// What one channel owed: for each alert that it fires, and that it is over.
    fn owed<'a>(&'a self, channel: &str) -> BTreeMap<(&'a str, bool), &'a Value> {
        let mut owed = BTreeMap::new();
        for one in self.on(channel) {
            let before = owed.insert((text(one, "alertname"), one["kind"] == "resolved"), one);
            assert!(before.is_none(), "decided twice: {one:#}");
        }
        owed
    }
}

/// Everything arrived, in order; and twice only what an attempt of unknown end explains.
async fn check_webhook(service: &Service, log: &Log, taken: &Taken, told: &Told) {
    assert!(told.complaints.is_empty(), "{:?}", told.complaints);
    assert_eq!(told.out_of_order(), Vec::<&str>::new());
    let arrived = told.by_alert();
    let owed = log.owed("webhook");
    assert_eq!(owed.keys().collect::<Vec<_>>(), arrived.keys().collect::<Vec<_>>());
    let expected: BTreeSet<(&str, bool)> = (taken.alerts.keys().map(|name| (name.as_str(), false)))
        .chain(taken.resolved.iter().map(|name| (name.as_str(), true)))
        .collect();
    assert_eq!(owed.keys().copied().collect::<BTreeSet<_>>(), expected);
    let by_id = told.by_id();
    for one in owed.values() {
        let times = by_id[text(one, "id")];
        assert_eq!(one["maybe_sent_twice"], false, "a receiver knows the id");
        if times > 1 {
            let attempts = service.notification(&one["id"]).await["attempts"].clone();
            let unknown = attempts.as_array().unwrap().iter().filter(|a| a["outcome"] == "ambiguous").count();
            assert!(times <= unknown + 1, "came {times} times: {attempts:#}");
        }
    }
}

/// Everything arrived, in order; and twice only where the log warns of it.
fn check_slack(log: &Log, taken: &Taken, told: &Told) {
    assert!(told.complaints.is_empty(), "{:?}", told.complaints);
    assert_eq!(told.out_of_order(), Vec::<&str>::new());
    let in_chat = |name: &&String| taken.alerts[name.as_str()];
    let expected: BTreeSet<(&str, bool)> = (taken.alerts.keys().filter(in_chat).map(|n| (n.as_str(), false)))
        .chain(taken.resolved.iter().filter(in_chat).map(|n| (n.as_str(), true)))
        .collect();
    let arrived = told.by_alert();
    assert_eq!(arrived.keys().copied().collect::<BTreeSet<_>>(), expected);
    let owed = log.owed("slack");
    assert_eq!(owed.keys().copied().collect::<BTreeSet<_>>(), expected);
    for (about, times) in arrived {
        assert!(
            times == 1 || owed[&about]["maybe_sent_twice"] == true,
            "came {times} times: {:#}",
            owed[&about]
        );
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}
