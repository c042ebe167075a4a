//! The whole way, with the files that are deployed: the toy exporter misbehaves, a real
//! Prometheus notices, a real Alertmanager posts, Modelpager looks the model up and writes a
//! mail, and the delivery log says so.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use modelpager::domain::clock::SystemClock;
use modelpager::fakes::smtp::SmtpFake;
use serde_json::Value;

use super::local::{Addresses, Local, repository, run, tool};
use crate::support::http;
use crate::support::program::{Program, free_port};

/// From the start of all programs to the entry in the log. It takes about fifteen seconds;
/// the rest is for a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn an_alert_of_the_toy_exporter_arrives_as_a_mail_and_in_the_log() {
    let test = "an_alert_of_the_toy_exporter_arrives_as_a_mail_and_in_the_log";
    let tools = (
        tool(test, &["python3"]),
        tool(test, &["prometheus-alertmanager", "alertmanager"]),
        tool(test, &["prometheus"]),
    );
    let (Some(python), Some(alertmanager), Some(prometheus)) = tools else { return };
    let mails = SmtpFake::start(Arc::new(SystemClock)).await.unwrap();
    let site = Site::prepare(mails.address().port());

    let _toy = site.start_toy(python).await;
    let _modelpager = site.start_modelpager().await;
    site.ask_for_health();
    site.import_catalog();
    let _alertmanager = site.start_alertmanager(alertmanager).await;
    let _prometheus = site.start_prometheus(prometheus).await;
    let delivered = site.wait_for_delivery("HighErrorRate").await;

    assert_eq!(delivered["channel"], "ml-mail", "{delivered}");
    assert_eq!(delivered["severity"], "critical", "{delivered}");
    assert_eq!(delivered["entry"], "fraud-detector", "{delivered}");
    let mails = mails.wait_for_mails(1, LIMIT).await;
    let about = mails.iter().find(|mail| mail.subject().contains("HighErrorRate")).unwrap();
    for words in
        ["20% of the predictions of fraud-detector fail", "payments-ml", "kubectl -n ml rollout undo"]
    {
        assert!(about.text().contains(words), "{words} is not in:\n{}", about.text());
    }
}

/// The set-up of `docker-compose.yml`, here.
struct Site {
    local: Local,
    addresses: Addresses,
    prometheus: String,
}

impl Site {
    fn prepare(smtp_port: u16) -> Self {
        let address = || format!("127.0.0.1:{}", free_port());
        let addresses =
            Addresses { modelpager: address(), alertmanager: address(), toy_exporter: address(), smtp_port };
        Self { local: Local::prepare(&addresses), addresses, prometheus: address() }
    }

    async fn start_toy(&self, mut command: Command) -> Program {
        command
            .args(&self.local.arguments("toy-exporter")[1..])
            .env("TOY_LISTEN", &self.addresses.toy_exporter)
            .env("TOY_SCHEDULE", "errors=3600");
        self.start("toy-exporter", command, &self.addresses.toy_exporter, "/-/healthy").await
    }

    async fn start_modelpager(&self) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modelpager"));
        command.args(self.local.arguments("modelpager")).env_remove("MODELPAGER_STORAGE");
        self.start("modelpager", command, &self.addresses.modelpager, "/-/ready").await
    }

    /// As the image's health check does.
    fn ask_for_health(&self) {
        let url = format!("http://{}", self.addresses.modelpager);
        run(Command::new(env!("CARGO_BIN_EXE_modelpager")).args(["healthcheck", "--url", &url]));
    }

    fn import_catalog(&self) {
        let arguments = self.local.arguments("catalog-import");
        let reachable = |argument: &String| argument.replace("modelpager:9095", &self.addresses.modelpager);
        let printed = run(Command::new(env!("CARGO_BIN_EXE_modelpager"))
            .args(arguments.iter().map(reachable))
            .env_remove("MODELPAGER_STORAGE"));
        assert!(printed.contains("3 created"), "{printed}");
    }

    async fn start_alertmanager(&self, mut command: Command) -> Program {
        command
            .args(self.local.arguments("alertmanager"))
            .arg(format!("--web.listen-address={}", self.addresses.alertmanager))
            .arg("--cluster.listen-address=");
        self.start("alertmanager", command, &self.addresses.alertmanager, "/-/ready").await
    }

    async fn start_prometheus(&self, mut command: Command) -> Program {
        command
            .args(self.local.arguments("prometheus"))
            .arg(format!("--web.listen-address={}", self.prometheus));
        self.start("prometheus", command, &self.prometheus, "/-/ready").await
    }

    async fn start(&self, name: &str, command: Command, address: &str, health: &str) -> Program {
        let mut program = Program::start(name, command, &self.local.file(""));
        let url = format!("http://{address}{health}");
        program.wait_until(|| async { http::get(&url).await.is_ok_and(|reply| reply.status == 200) }).await;
        program
    }

    /// Waits until the delivery log has a mail about that rule, and answers its row.
    async fn wait_for_delivery(&self, alertname: &str) -> Value {
        let token = std::fs::read_to_string(repository().join("deploy/compose/secrets/admin-token")).unwrap();
        let url = format!(
            "http://{}/api/v1/notifications?state=delivered&channel=ml-mail&alertname={alertname}",
            self.addresses.modelpager
        );
        let began = Instant::now();
        loop {
            let reply = http::get_with_token(&url, token.trim()).await.unwrap();
            assert_eq!(reply.status, 200, "{}", reply.body);
            if let Some(first) = reply.json()["items"].get(0) {
                return first.clone();
            }
            assert!(began.elapsed() < LIMIT, "nothing was delivered within {LIMIT:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
