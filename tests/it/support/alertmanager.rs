//! A real Alertmanager, alone or as a pair, that sends to a webhook.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use modelpager::domain::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::http;
use super::program::{self, Program};

/// What an Alertmanager is told about its one receiver.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where it sends.
    pub webhook_url: String,
    /// The bearer token it sends along.
    pub token: Option<String>,
    /// The user and the password it sends along.
    pub login: Option<(String, String)>,
    /// The labels that make a group.
    pub group_by: Vec<String>,
    /// How long a new group waits for others.
    pub group_wait: &'static str,
    /// How long a group waits before it tells a change.
    pub group_interval: &'static str,
    /// How long a group waits before it tells the same again.
    pub repeat_interval: &'static str,
    /// The most alerts in one message; 0 for all.
    pub max_alerts: u32,
}

impl Settings {
    /// Groups by `alertname` and sends fast.
    pub fn new(webhook_url: &str) -> Self {
        Self {
            webhook_url: webhook_url.to_owned(),
            token: None,
            login: None,
            group_by: vec!["alertname".to_owned()],
            group_wait: "200ms",
            group_interval: "1s",
            repeat_interval: "1h",
            max_alerts: 0,
        }
    }

    /// JSON is YAML, too, and needs no care with quotes.
    fn config(&self) -> String {
        let mut webhook = json!({
            "url": self.webhook_url, "send_resolved": true, "max_alerts": self.max_alerts,
        });
        if let Some(token) = &self.token {
            webhook["http_config"] = json!({"authorization": {"credentials": token}});
        }
        if let Some((user, password)) = &self.login {
            webhook["http_config"] = json!({"basic_auth": {"username": user, "password": password}});
        }
        json!({
            "route": {
                "receiver": "modelpager",
                "group_by": self.group_by,
                "group_wait": self.group_wait,
                "group_interval": self.group_interval,
                "repeat_interval": self.repeat_interval,
            },
            "receivers": [{"name": "modelpager", "webhook_configs": [webhook]}],
        })
        .to_string()
    }
}

/// How the two of a pair get on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// They gossip: the second sends only what the first has not sent.
    Gossiping,
    /// They know nothing of each other: both send everything.
    Strangers,
}

/// A running Alertmanager.
pub struct Alertmanager {
    program: Program,
    url: String,
    _folder: tempfile::TempDir,
}

impl Alertmanager {
    /// Starts one; `None` when it is not installed and `test` is skipped.
    pub async fn start(test: &str, settings: &Settings) -> Option<Self> {
        let program = find(test)?;
        Some(Self::launch(&program, settings, &[]).await)
    }

    /// Starts two that send to the same receiver.
    pub async fn start_pair(test: &str, settings: &Settings, pair: Pair) -> Option<[Self; 2]> {
        let program = find(test)?;
        if pair == Pair::Strangers {
            let first = Self::launch(&program, settings, &[]).await;
            return Some([first, Self::launch(&program, settings, &[]).await]);
        }
        let (a, b) = (program::free_port(), program::free_port());
        let first = Self::launch(&program, settings, &cluster_flags(a, b)).await;
        let second = Self::launch(&program, settings, &cluster_flags(b, a)).await;
        for one in [&first, &second] {
            one.wait_for_peers(2).await;
        }
        Some([first, second])
    }

    async fn launch(program: &PathBuf, settings: &Settings, cluster: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("alertmanager.yml");
        fs::write(&config, settings.config()).unwrap();
        let address = format!("127.0.0.1:{}", program::free_port());
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg(format!("--web.external-url=http://{address}"));
        if cluster.is_empty() {
            command.arg("--cluster.listen-address=");
        }
        command.args(cluster);
        let url = format!("http://{address}");
        let mut program = Program::start("alertmanager", command, folder.path());
        let ready = format!("{url}/-/ready");
        program.wait_until(|| async { http::get(&ready).await.is_ok_and(|reply| reply.status == 200) }).await;
        Self { program, url, _folder: folder }
    }

    async fn wait_for_peers(&self, count: usize) {
        let url = format!("{}/api/v2/status", self.url);
        let limit = tokio::time::Instant::now() + program::READY_LIMIT;
        loop {
            let status = http::get(&url).await.unwrap().json();
            let peers = status["cluster"]["peers"].as_array().map_or(0, Vec::len);
            if peers == count && status["cluster"]["status"] == "ready" {
                return;
            }
            assert!(tokio::time::Instant::now() < limit, "no pair: {status}\n{}", self.program.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Hands over alerts as Prometheus does (`POST /api/v2/alerts`).
    ///
    /// # Panics
    /// When they are refused.
    pub async fn post_alerts(&self, alerts: &[Value]) {
        let body = Value::Array(alerts.to_vec());
        let reply = http::post_json(&format!("{}/api/v2/alerts", self.url), &body).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.body);
    }

    /// Silences alerts with these labels for an hour; returns the silence's id.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn silence(&self, labels: &[(&str, &str)]) -> String {
        let now = SystemClock.now();
        let matchers: Vec<Value> = labels
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value, "isRegex": false, "isEqual": true}))
            .collect();
        let silence = json!({
            "matchers": matchers,
            "startsAt": now.to_rfc3339(),
            "endsAt": now.plus(Duration::from_secs(3600)).to_rfc3339(),
            "createdBy": "test",
            "comment": "test",
        });
        let reply = http::post_json(&format!("{}/api/v2/silences", self.url), &silence).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()["silenceID"].as_str().unwrap().to_owned()
    }

    /// Ends a silence.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn expire_silence(&self, id: &str) {
        let reply = http::request("DELETE", &format!("{}/api/v2/silence/{id}", self.url), "").await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
}

/// An alert that fires from now on, until Alertmanager's five minutes are over.
pub fn firing(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Value {
    json!({
        "labels": object(labels),
        "annotations": object(annotations),
        "generatorURL": "http://prometheus.example/graph?g0.expr=up",
    })
}

/// The same alert, over as of now.
pub fn resolved(alert: &Value) -> Value {
    let mut alert = alert.clone();
    alert["endsAt"] = json!(SystemClock.now().to_rfc3339());
    alert
}

fn object(pairs: &[(&str, &str)]) -> Value {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn find(test: &str) -> Option<PathBuf> {
    program::find_or_skip(test, &["prometheus-alertmanager", "alertmanager"])
}

fn cluster_flags(own: u16, other: u16) -> Vec<String> {
    vec![
        format!("--cluster.listen-address=127.0.0.1:{own}"),
        format!("--cluster.advertise-address=127.0.0.1:{own}"),
        format!("--cluster.peer=127.0.0.1:{other}"),
        "--cluster.settle-timeout=2s".to_owned(),
        // How much later the second sends, unless it has heard that the first has.
        "--cluster.peer-timeout=2s".to_owned(),
        "--cluster.gossip-interval=50ms".to_owned(),
        "--cluster.pushpull-interval=1s".to_owned(),
        "--cluster.reconnect-interval=500ms".to_owned(),
    ]
}
