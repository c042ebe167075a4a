//! The whole program in the test's own process, on a clock that the test moves.

use std::sync::Arc;

use modelpager::app::{App, Start, configuration};
use modelpager::domain::clock::{ManualClock, Timestamp};
use modelpager::domain::random::SystemRandom;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::support::http;

pub struct Running {
    pub clock: ManualClock,
    pub url: String,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// Starts on the database at `storage`, at that moment.
    pub async fn start(mut config: Value, storage: &str, now: Timestamp) -> Self {
        config["server"] = json!({"listen": "127.0.0.1:0"});
        config["storage"] = json!({"url": storage});
        let clock = ManualClock::at(now);
        let start = Start {
            configuration: configuration::parse(&config.to_string()).unwrap(),
            file: None,
            clock: Arc::new(clock.clone()),
            random: Arc::new(SystemRandom),
        };
        let app = App::start(start).await.unwrap();
        let url = format!("http://{}", app.address());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(app.run_until(async move {
            let _ = stopped.await;
        }));
        Self { clock, url, stop, task }
    }

    pub async fn get(&self, path: &str) -> Value {
        let reply = http::get(&format!("{}{path}", self.url)).await.unwrap();
        assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        reply.json()
    }

    pub async fn metrics(&self) -> String {
        http::get(&format!("{}/metrics", self.url)).await.unwrap().body
    }

    pub async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}
