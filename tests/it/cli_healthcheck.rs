//! `modelpager healthcheck` against the service and against nobody.

use std::process::{Command, Output};

use modelpager::domain::clock::SystemClock;
use modelpager::fakes::engine::Step;
use modelpager::fakes::webhook::WebhookFake;

use crate::support::program::{Program, free_port};

async fn healthcheck(args: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_modelpager"));
    command.arg("healthcheck").args(args).env_remove("MODELPAGER_CONFIG");
    let Output { status, stdout, .. } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    (status.success(), String::from_utf8(stdout).unwrap())
}

#[tokio::test]
async fn a_running_server_is_ready_and_a_stopped_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let config = folder.path().join("modelpager.yml");
    std::fs::write(&config, format!("server: {{listen: \"{address}\"}}\n")).unwrap();
    let config = config.to_str().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_modelpager"));
    command.args(["serve", "--config", config]).current_dir(folder.path());
    let mut program = Program::start("modelpager", command, folder.path());

    program.wait_until(|| async { healthcheck(&["--config", config]).await.0 }).await;
    let ready = healthcheck(&["--url", &format!("http://{address}/")]).await;
    program.kill();
    let gone = healthcheck(&["--config", config]).await;

    assert_eq!(ready, (true, format!("http://{address} is ready\n")));
    assert!(
        !gone.0
            && gone.1.starts_with(&format!(
                "http://{address} is not ready: cannot connect to http://{address}: connection refused\n"
            )),
        "{gone:?}"
    );
    assert_eq!(gone.1.lines().count(), 1);
}

#[tokio::test]
async fn a_server_that_says_no_or_nothing_is_not_ready() {
    let fake = WebhookFake::start(std::sync::Arc::new(SystemClock)).await.unwrap();
    let url = fake.http().url();
    fake.http().script([Step::status(503), Step::hang(), Step::status(503)]);

    let refused = healthcheck(&["--url", &url]).await;
    let silent = healthcheck(&["--url", &url, "--timeout", "200ms"]).await;
    let told = healthcheck(&["--url", &url, "--json"]).await;

    assert_eq!(refused, (false, format!("{url} is not ready: it answered 503\n")));
    let document: serde_json::Value = serde_json::from_str(&told.1).unwrap();
    assert_eq!(document, serde_json::json!({"server": url, "ready": false, "reason": "it answered 503"}));
    assert!(!told.0);
    assert_eq!(silent, (false, format!("{url} is not ready: no answer from {url}: timed out after 200ms\n")));
}
