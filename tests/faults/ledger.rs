//! What the program says it did, against what was sent and what arrived.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use crate::load::Taken;
use crate::receiver::Told;
use crate::support::service::Api;

/// Waits until nothing is to be triaged or sent any more.
///
/// # Panics
/// When that takes longer than `limit`.
pub async fn wait_until_all_is_told(service: &Api, limit: Duration) {
    let end = tokio::time::Instant::now() + limit;
    let open = [
        "/api/v1/events?state=pending&limit=1",
        "/api/v1/notifications?state=pending&limit=1",
        "/api/v1/notifications?state=sending&limit=1",
    ];
    'again: loop {
        for path in open {
            let first = &service.get(path).await["items"][0];
            if !first.is_null() {
                assert!(tokio::time::Instant::now() < end, "not after {limit:?}: {first:#}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue 'again;
            }
        }
        return;
    }
}

/// What the program says it did.
pub struct Log {
    events: BTreeMap<String, Value>,
    incidents: Vec<Value>,
    notifications: Vec<Value>,
}

impl Log {
    /// Reads all of it.
    pub async fn read(service: &Api) -> Self {
        let events = service.list("/api/v1/events").await;
        Self {
            events: events.into_iter().map(|event| (text(&event, "id").to_owned(), event)).collect(),
            incidents: service.list("/api/v1/incidents").await,
            notifications: service.list("/api/v1/notifications").await,
        }
    }

    /// Leaves out what is about one alert.
    pub fn forget(&mut self, alertname: &str) {
        self.incidents.retain(|one| one["alertname"] != alertname);
        self.notifications.retain(|one| one["alertname"] != alertname);
    }

    /// The messages of one channel.
    pub fn on(&self, channel: &str) -> impl Iterator<Item = &Value> {
        self.notifications.iter().filter(move |one| one["channel"] == channel)
    }

    /// How many messages are marked as maybe sent twice.
    pub fn marked(&self) -> usize {
        self.notifications.iter().filter(|one| one["maybe_sent_twice"] == true).count()
    }

    /// Every event that was answered with 200 is there and was worked on, every alert has
    /// its one incident, and nothing is owed any more.
    pub fn has_all(&self, taken: &Taken) {
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
pub async fn check_webhook(service: &Api, log: &Log, taken: &Taken, told: &Told) {
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
pub fn check_slack(log: &Log, taken: &Taken, told: &Told) {
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

/// A text in a document of the API.
fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}
