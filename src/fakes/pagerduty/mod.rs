//! PagerDuty: the Events API v2 and the incidents behind it.

mod event;
mod incidents;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;

pub use event::{Action, Event};
pub use incidents::{Effect, Incident, Incidents, State, Told};

use super::Violations;
use super::engine::{Answer, HttpServer, Provider, Request};
use crate::domain::clock::{SharedClock, Timestamp};

/// The integration key that is known from the start.
pub const ROUTING_KEY: &str = "fake0routing0key0000000000000001";
/// The most an event may weigh.
const MAX_BYTES: usize = 512 * 1024;
/// The greatest number of events of one key in [`RATE_WINDOW`].
const RATE_LIMIT: usize = 120;
const RATE_WINDOW: Duration = Duration::from_secs(60);

/// The Events API on a loopback port.
pub struct PagerDutyFake {
    http: HttpServer,
    account: Arc<Mutex<Account>>,
    violations: Violations,
}

struct Account {
    keys: Vec<String>,
    incidents: Incidents,
    limited: bool,
    taken: Vec<(String, Timestamp)>,
    generated: u32,
}

impl PagerDutyFake {
    /// Starts an account with [`ROUTING_KEY`].
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(clock: SharedClock) -> io::Result<Self> {
        let account = Arc::new(Mutex::new(Account {
            keys: vec![ROUTING_KEY.to_owned()],
            incidents: Incidents::default(),
            limited: false,
            taken: Vec::new(),
            generated: 0,
        }));
        let violations = Violations::default();
        let provider = PagerDutyProvider { account: Arc::clone(&account), violations: violations.clone() };
        let http = HttpServer::start(clock, Box::new(provider)).await?;
        Ok(Self { http, account, violations })
    }

    /// The server underneath: script, requests, stop and restart.
    pub fn http(&self) -> &HttpServer {
        &self.http
    }

    /// Where events go.
    pub fn events_url(&self) -> String {
        format!("{}/v2/enqueue", self.http.url())
    }

    /// Makes another integration key known; 32 characters.
    pub fn add_routing_key(&self, key: &str) {
        self.account.lock().keys.push(key.to_owned());
    }

    /// From now on a key takes 120 events in 60 seconds and answers 429 to the others.
    pub fn limit_rate(&self) {
        self.account.lock().limited = true;
    }

    /// Every incident, in the order of their opening.
    pub fn incidents(&self) -> Vec<Incident> {
        self.account.lock().incidents.all().to_vec()
    }

    /// The latest incident of that dedup key, under any routing key.
    pub fn incident(&self, dedup_key: &str) -> Option<Incident> {
        self.incidents().into_iter().rev().find(|incident| incident.dedup_key == dedup_key)
    }

    /// Every event taken, with what it did, oldest first.
    pub fn told(&self) -> Vec<Told> {
        self.account.lock().incidents.told().to_vec()
    }

    /// The rules broken so far.
    pub fn violations(&self) -> &Violations {
        &self.violations
    }
}

struct PagerDutyProvider {
    account: Arc<Mutex<Account>>,
    violations: Violations,
}

impl Provider for PagerDutyProvider {
    fn answer(&self, request: &Request) -> Answer {
        if request.method != "POST" || request.path != "/v2/enqueue" {
            self.violations.record("pagerduty.path", format!("{} {}", request.method, request.path));
            return Answer::text(404, "Not Found");
        }
        let mut account = self.account.lock();
        match self.take(request, &mut account) {
            Ok(answer) => answer,
            Err(errors) => {
                self.violations.record("pagerduty.event", errors.join("; "));
                let body = json!({
                    "status": "invalid event", "message": "Event object is invalid", "errors": errors,
                });
                Answer::json(400, &body)
            }
        }
    }
}

impl PagerDutyProvider {
    fn take(&self, request: &Request, account: &mut Account) -> Result<Answer, Vec<String>> {
        if request.body.len() > MAX_BYTES {
            return Err(vec![format!("Event is larger than {MAX_BYTES} bytes")]);
        }
        let value = request.json().ok_or_else(|| vec!["Invalid JSON".to_owned()])?;
        let mut event = event::parse(&value)?;
        if !account.keys.contains(&event.routing_key) {
            return Err(vec!["Invalid routing key".to_owned()]);
        }
        if account.limited && !account.take_token(&event.routing_key, request.received_at) {
            let body = json!({
                "status": "throttle exceeded",
                "message": "Requests for this service are arriving too quickly.  Please retry later.",
            });
            return Ok(Answer::json(429, &body));
        }
        if event.dedup_key.is_empty() {
            account.generated += 1;
            event.dedup_key = format!("{:032x}", account.generated);
        }
        let dedup_key = event.dedup_key.clone();
        account.incidents.apply(event, request.received_at);
        let body = json!({"status": "success", "message": "Event processed", "dedup_key": dedup_key});
        Ok(Answer::json(202, &body))
    }
}

impl Account {
    fn take_token(&mut self, key: &str, now: Timestamp) -> bool {
        self.taken.retain(|(_, at)| now.since(*at) < RATE_WINDOW);
        if self.taken.iter().filter(|(taken, _)| taken == key).count() >= RATE_LIMIT {
            return false;
        }
        self.taken.push((key.to_owned(), now));
        true
    }
}
