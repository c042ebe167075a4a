//! What the README shows works as it stands there: its requests, its configuration, its
//! Alertmanager snippet.

use std::path::Path;
use std::process::Command;

use regex::Regex;

use crate::support::http;
use crate::support::program::{Program, find_or_skip, free_port};

/// Where the README has the service.
const ADDRESS: &str = "127.0.0.1:9095";

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The fenced blocks of that language.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let text = readme();
    let blocks: Vec<String> =
        text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).map(str::to_owned).collect();
    assert!(!blocks.is_empty(), "no block of {language}");
    blocks
}

/// The `curl` calls: method, path, body.
fn requests() -> Vec<(String, String, String)> {
    let call = Regex::new(
        r"(?s)curl (?:-X (?<method>\w+) )?'?http://127\.0\.0\.1:9095(?<path>[^\s']*)'?(?<rest>.*)",
    )
    .unwrap();
    let body = Regex::new(r"(?s)-d '(?<body>.*?)'").unwrap();
    let mut requests = Vec::new();
    for block in blocks("sh") {
        for text in block.split("\ncurl ").map(|text| format!("curl {}", text.trim_start_matches("curl "))) {
            let Some(found) = call.captures(&text) else { continue };
            let method = found.name("method").map_or("GET", |method| method.as_str());
            let body =
                body.captures(&found["rest"]).map_or_else(String::new, |found| found["body"].to_owned());
            requests.push((method.to_owned(), found["path"].to_owned(), body));
        }
    }
    requests
}

#[tokio::test]
async fn every_request_of_the_readme_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("127.0.0.1:{}", free_port());
    let config = folder.path().join("modelpager.yml");
    std::fs::write(&config, format!("server: {{listen: \"{address}\"}}\n")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_modelpager"));
    command.arg("serve").arg("--config").arg(&config).current_dir(folder.path());
    let mut program = Program::start("modelpager", command, folder.path());
    let ready = format!("http://{address}/-/ready");
    program.wait_until(|| async { http::get(&ready).await.is_ok_and(|reply| reply.status == 200) }).await;

    let requests = requests();

    assert!(requests.len() >= 4, "{requests:?}");
    for (method, path, body) in requests {
        let reply = http::request(&method, &format!("http://{address}{path}"), &body).await.unwrap();
        assert!((200..300).contains(&reply.status), "{method} {path}: {} {}", reply.status, reply.body);
    }
}

#[test]
fn the_configuration_of_the_readme_is_accepted() {
    let block = blocks("yaml").into_iter().find(|block| block.contains("channels:\n")).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), block).unwrap();

    let output = Command::new(env!("CARGO_BIN_EXE_modelpager"))
        .arg("check-config")
        .arg(file.path())
        .env("SLACK_URL", "https://hooks.slack.com/services/T0/B0/x")
        .env("PD_KEY", "0123456789abcdef0123456789abcdef")
        .output()
        .unwrap();

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_alertmanager_of_the_readme_is_accepted() {
    let Some(amtool) = find_or_skip("the_alertmanager_of_the_readme_is_accepted", &["amtool"]) else {
        return;
    };
    let block = blocks("yaml").into_iter().find(|block| block.contains("webhook_configs:")).unwrap();
    assert!(block.contains(&format!("http://{ADDRESS}/webhooks/alertmanager")), "{block}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), block).unwrap();

    let output = Command::new(amtool).arg("check-config").arg(file.path()).output().unwrap();

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
