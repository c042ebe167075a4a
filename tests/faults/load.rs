//! Senders that behave as Alertmanager does: each delivery is posted again and again until
//! it is answered with 2xx, and a 4xx is the end of the test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::chance::Chance;
use crate::receiver::{NAME_PREFIX, Watch};
use crate::support::service::Api;

/// How many send at the same time.
const SENDERS: usize = 6;
/// The most alerts in one delivery.
const MOST_ALERTS: usize = 3;
/// How many deliveries in a hundred tell the end of something, too.
const ENDS: u32 = 50;
/// How long a sender waits before it repeats what was not taken. Alertmanager waits longer.
const REPEAT: Duration = Duration::from_millis(20);

/// What was sent and taken.
#[derive(Debug, Default)]
pub struct Taken {
    /// The events that were answered with 200.
    pub events: BTreeSet<String>,
    /// The alerts in them, by name, and whether they also go to the chat.
    pub alerts: BTreeMap<String, bool>,
    /// Those of them that were then resolved.
    pub resolved: BTreeSet<String>,
    /// How many deliveries had to be repeated.
    pub repeats: usize,
    /// The answers that were not 2xx, by status.
    pub refusals: BTreeMap<u16, usize>,
}

/// The senders at work.
pub struct Load {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<()>>,
}

struct Shared {
    api: Api,
    told: Watch,
    stopped: AtomicBool,
    /// How many alerts may be under way before the senders wait for the receiver.
    room: AtomicUsize,
    /// How many deliveries in a hundred tell the end of something, too.
    ends: u32,
    taken: Mutex<Taken>,
}

impl Load {
    /// Starts the senders. They wait while more than `room` alerts have not been told.
    pub fn start(api: &Api, told: Watch, room: usize, chance: &Chance) -> Self {
        Self::launch(api, told, room, chance, ENDS)
    }

    /// The same; nothing that fires ever ends.
    pub fn start_without_ends(api: &Api, told: Watch, room: usize, chance: &Chance) -> Self {
        Self::launch(api, told, room, chance, 0)
    }

    fn launch(api: &Api, told: Watch, room: usize, chance: &Chance, ends: u32) -> Self {
        let shared = Arc::new(Shared {
            api: api.clone(),
            told,
            stopped: AtomicBool::new(false),
            room: AtomicUsize::new(room),
            ends,
            taken: Mutex::default(),
        });
        let senders =
            (0..SENDERS).map(|number| tokio::spawn(send(number, shared.clone(), chance.split()))).collect();
        Self { shared, senders }
    }

    /// Allows for more alerts under way: those that wait for a lease to run out.
    pub fn add_room(&self, alerts: usize) {
        self.shared.room.fetch_add(alerts, Ordering::Relaxed);
    }

    /// How many events were taken so far.
    pub fn events(&self) -> usize {
        self.shared.taken.lock().events.len()
    }

    /// How many deliveries had to be repeated so far, for whatever reason.
    pub fn repeats(&self) -> usize {
        self.shared.taken.lock().repeats
    }

    /// How many refusals with this status there were so far.
    pub fn refusals(&self, status: u16) -> usize {
        self.shared.taken.lock().refusals.get(&status).copied().unwrap_or(0)
    }

    /// Lets every sender bring what it holds to its end; answers what was taken.
    pub async fn stop(self) -> Taken {
        self.shared.stopped.store(true, Ordering::Relaxed);
        for sender in self.senders {
            sender.await.unwrap();
        }
        std::mem::take(&mut *self.shared.taken.lock())
    }
}

async fn send(number: usize, shared: Arc<Shared>, chance: Chance) {
    let mut open: Vec<(String, bool)> = Vec::new();
    for n in 0.. {
        while shared.is_crowded() && !shared.stopped.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if shared.stopped.load(Ordering::Relaxed) {
            return;
        }
        let firing = (0..=chance.below(MOST_ALERTS))
            .map(|m| (format!("{NAME_PREFIX}{number}x{n}x{m}"), chance.happens(25)))
            .collect::<Vec<_>>();
        let over = take_told(&mut open, &shared, &chance);
        let event = deliver(&shared, &body(&firing, over.as_ref())).await;
        let mut taken = shared.taken.lock();
        taken.events.insert(event);
        taken.resolved.extend(over.map(|(name, _)| name));
        taken.alerts.extend(firing.iter().cloned());
        drop(taken);
        open.extend(firing);
    }
}

/// Now and then an alert that has been told is over. One that nobody has heard of yet would
/// not have to be told at all.
fn take_told(open: &mut Vec<(String, bool)>, shared: &Shared, chance: &Chance) -> Option<(String, bool)> {
    if open.is_empty() || !chance.happens(shared.ends) {
        return None;
    }
    let at = chance.below(open.len());
    shared.told.knows(&open[at].0).then(|| open.swap_remove(at))
}

impl Shared {
    fn is_crowded(&self) -> bool {
        let taken = self.taken.lock().alerts.len();
        taken.saturating_sub(self.told.alerts()) > self.room.load(Ordering::Relaxed)
    }
}

/// Posts one delivery until it is taken; answers its event's id.
async fn deliver(shared: &Shared, body: &Value) -> String {
    let body = body.to_string();
    loop {
        match shared.api.call("POST", "/webhooks/alertmanager", &body).await {
            Ok(reply) if reply.status == 200 => {
                return reply.json()["event_id"].as_str().unwrap().to_owned();
            }
            Ok(reply) => {
                assert!(reply.status >= 500, "lost by a {}: {}", reply.status, reply.body);
                *shared.taken.lock().refusals.entry(reply.status).or_default() += 1;
            }
            // Nobody is there, or the connection broke before the answer.
            Err(_) => {}
        }
        shared.taken.lock().repeats += 1;
        tokio::time::sleep(REPEAT).await;
    }
}

fn body(firing: &[(String, bool)], over: Option<&(String, bool)>) -> Value {
    let alerts: Vec<Value> =
        firing.iter().map(|one| alert("firing", one)).chain(over.map(|one| alert("resolved", one))).collect();
    json!({
        "version": "4", "status": "firing", "receiver": "modelpager", "externalURL": "http://alertmanager:9093",
        "groupKey": format!("{{}}:{{alertname=\"{}\"}}", firing[0].0), "truncatedAlerts": 0,
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "alerts": alerts,
    })
}

/// A delivery of one alert.
pub fn single(alertname: &str, status: &str) -> Value {
    let one = (alertname.to_owned(), false);
    let mut body = body(std::slice::from_ref(&one), None);
    body["alerts"] = json!([alert(status, &one)]);
    body
}

fn alert(status: &str, (name, chat): &(String, bool)) -> Value {
    let ends_at = if status == "resolved" { "2026-08-20T10:05:00Z" } else { "0001-01-01T00:00:00Z" };
    json!({
        "status": status,
        "labels": {"alertname": name, "severity": "critical", "chat": if *chat { "yes" } else { "no" }},
        "annotations": {"summary": "something broke"},
        "startsAt": "2026-08-20T10:00:00Z", "endsAt": ends_at, "generatorURL": "",
    })
}
