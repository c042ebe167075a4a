//! A receiver that takes everything and remembers every arrival, in order and quickly: it
//! is asked all the time how far the program has got.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use modelpager::domain::clock::SystemClock;
use modelpager::fakes::engine::{Answer, HttpServer, Provider, Request};
use parking_lot::Mutex;

/// What stands before the number in an alert's name, so that it is found in any message.
pub const NAME_PREFIX: &str = "Fault";

/// The receiving end of one channel.
pub struct Receiver {
    http: HttpServer,
    told: Arc<Mutex<Told>>,
}

/// Everything that came.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// One for each request, in order.
    pub arrivals: Vec<Arrival>,
    /// How many messages told each alert, by its name.
    pub alerts: HashMap<String, usize>,
    /// What was wrong with a request.
    pub complaints: Vec<String>,
    bodies: HashMap<String, Vec<u8>>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The webhook's message id; empty where the provider has none.
    pub id: String,
    /// The alerts in it.
    pub alerts: Vec<String>,
    /// Whether it says that they are over.
    pub resolved: bool,
}

/// How a message is read.
#[derive(Clone, Copy, Debug)]
enum Format {
    /// Standard Webhooks.
    Webhook,
    /// An incoming webhook of Slack.
    Slack,
}

impl Receiver {
    /// Of a channel of kind `webhook`.
    pub async fn webhook() -> Self {
        Self::start(Format::Webhook).await
    }

    /// Of a channel of kind `slack` with a `webhook_url`.
    pub async fn slack() -> Self {
        Self::start(Format::Slack).await
    }

    async fn start(format: Format) -> Self {
        let told = Arc::new(Mutex::new(Told::default()));
        let provider = Recording { format, told: told.clone() };
        let http = HttpServer::start(Arc::new(SystemClock), Box::new(provider)).await.unwrap();
        Self { http, told }
    }

    /// Where messages go.
    pub fn url(&self) -> String {
        format!("{}/hook", self.http.url())
    }

    /// The server underneath.
    pub fn http(&self) -> &HttpServer {
        &self.http
    }

    /// Everything that came.
    pub fn told(&self) -> Told {
        self.told.lock().clone()
    }

    /// A handle for those who only ask.
    pub fn watch(&self) -> Watch {
        Watch(self.told.clone())
    }
}

/// Asks what a receiver was told.
#[derive(Clone)]
pub struct Watch(Arc<Mutex<Told>>);

impl Watch {
    /// How many alerts it was told of.
    pub fn alerts(&self) -> usize {
        self.0.lock().alerts.len()
    }

    /// Whether it was told of this one.
    pub fn knows(&self, alertname: &str) -> bool {
        self.0.lock().alerts.contains_key(alertname)
    }
}

impl Told {
    /// Leaves out what is about one alert.
    pub fn forget(&mut self, alertname: &str) {
        self.arrivals.retain(|arrival| !arrival.alerts.iter().any(|alert| alert == alertname));
    }

    /// How often each message came: webhooks by their id.
    pub fn by_id(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for arrival in &self.arrivals {
            *counts.entry(arrival.id.as_str()).or_default() += 1;
        }
        counts
    }

    /// How often each alert was told to fire and to be over.
    pub fn by_alert(&self) -> BTreeMap<(&str, bool), usize> {
        let mut counts = BTreeMap::new();
        for arrival in &self.arrivals {
            for alert in &arrival.alerts {
                *counts.entry((alert.as_str(), arrival.resolved)).or_default() += 1;
            }
        }
        counts
    }

    /// The alerts that were told to fire after they had been told to be over.
    pub fn out_of_order(&self) -> Vec<&str> {
        let mut over = std::collections::HashSet::new();
        let mut wrong = Vec::new();
        for arrival in &self.arrivals {
            for alert in &arrival.alerts {
                if arrival.resolved {
                    over.insert(alert.as_str());
                } else if over.contains(alert.as_str()) {
                    wrong.push(alert.as_str());
                }
            }
        }
        wrong
    }
}

struct Recording {
    format: Format,
    told: Arc<Mutex<Told>>,
}

impl Provider for Recording {
    fn answer(&self, request: &Request) -> Answer {
        let arrival = match self.format {
            Format::Webhook => read_webhook(request),
            Format::Slack => read_slack(request),
        };
        let mut told = self.told.lock();
        match arrival {
            Ok(arrival) => told.take(arrival, &request.body),
            Err(complaint) => told.complaints.push(complaint),
        }
        match self.format {
            Format::Webhook => Answer::text(204, ""),
            Format::Slack => Answer::text(200, "ok"),
        }
    }
}

impl Told {
    fn take(&mut self, arrival: Arrival, body: &[u8]) {
        for alert in &arrival.alerts {
            *self.alerts.entry(alert.clone()).or_default() += 1;
        }
        if !arrival.id.is_empty() {
            let first = self.bodies.entry(arrival.id.clone()).or_insert_with(|| body.to_vec());
            if first.as_slice() != body {
                self.complaints.push(format!("{} came with another body", arrival.id));
            }
        }
        self.arrivals.push(arrival);
    }
}

fn read_webhook(request: &Request) -> Result<Arrival, String> {
    let id = request.header("webhook-id").ok_or("a message without webhook-id")?;
    let body = request.json().ok_or("a message that is no JSON")?;
    let incidents = body["data"]["incidents"].as_array().ok_or("a message without incidents")?;
    let name = |incident: &serde_json::Value| incident["alertname"].as_str().map(str::to_owned);
    Ok(Arrival {
        id: id.to_owned(),
        alerts: incidents.iter().filter_map(name).collect(),
        resolved: body["type"] == "incident.resolved",
    })
}

fn read_slack(request: &Request) -> Result<Arrival, String> {
    let body = request.json().ok_or("a message that is no JSON")?;
    let text = body["text"].as_str().ok_or("a message without text")?;
    Ok(Arrival { id: String::new(), alerts: names_in(text), resolved: text.contains("RESOLVED") })
}

/// The names of alerts in a text for people.
fn names_in(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let mut names: Vec<String> =
        words.filter(|word| word.starts_with(NAME_PREFIX)).map(str::to_owned).collect();
    names.dedup();
    names
}
