//! `modelpager routes test` with a catalog: from a file, and from a running server; and the
//! same question on the configuration page.

use std::net::TcpListener;

use actix_web::{rt, web};
use assert_cmd::Command;
use modelpager::app::configuration;
use modelpager::domain::entry::{Entry, EntryKind};
use modelpager::web::connections::Connections;
use modelpager::web::server;
use predicates::prelude::*;
use predicates::str::contains;
use tempfile::TempDir;

use crate::web_support::Site;

const ROUTED: &str = r#"
auth: {tokens: [{name: reader, token: read-token-0123456, scopes: [read]}]}
channels: [{name: console, kind: log}, {name: llm-chat, kind: log}, {name: hit, kind: log}]
route:
  channels: [console]
  routes:
    - {matchers: ['severity="warning"', 'entry.kind="llm"'], channels: [llm-chat]}
    - {matchers: ['status="500"'], channels: [hit]}
    - {matchers: ['receiver="otlp"'], channels: [hit]}
    - {matchers: ['source="kubelet"'], channels: [hit]}
    - {matchers: ['version="3"'], channels: [hit]}
    - {matchers: ['mp.receiver="ml"'], channels: [hit]}
"#;
const CATALOG: &str = "entries: [{slug: support-assistant, kind: llm, aliases: [helper]}]";

/// A folder with `modelpager.yml` and `catalog.yml`.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("modelpager.yml"), ROUTED).unwrap();
    std::fs::write(folder.path().join("catalog.yml"), CATALOG).unwrap();
    folder
}

fn routes_test(folder: &TempDir, args: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("modelpager"));
    command.current_dir(folder.path()).args(["routes", "test", "--config", "modelpager.yml"]).args(args);
    for name in ["MODELPAGER_CONFIG", "MODELPAGER_SERVER", "MODELPAGER_TOKEN"] {
        command.env_remove(name);
    }
    command
}

#[test]
fn a_catalog_file_decides_as_the_server_would() {
    let folder = folder();
    for (labels, channel) in [
        (&["severity=warning", "model=support-assistant"][..], "llm-chat"),
        (&["severity=warning", "model=HELPER"], "llm-chat"),
        (&["severity=warning", "model=other"], "console"),
        (&["severity=critical", "model=support-assistant"], "console"),
    ] {
        let args = [&["--catalog", "catalog.yml"], labels].concat();
        routes_test(&folder, &args)
            .assert()
            .success()
            .stdout(predicate::str::starts_with(format!("{channel}\n")))
            .stderr(predicate::str::is_empty());
    }
    let faulty = "entries:\n- {slug: a, ownr: x}\n- {slug: b, tier: 9, kind: modell}\n";
    std::fs::write(folder.path().join("faulty.yml"), faulty).unwrap();
    let all_named = contains("\nfaulty.yml:2:13: entries[0].ownr: ")
        .and(contains("\nfaulty.yml:3:19: entries[1].tier: "))
        .and(contains("\nfaulty.yml:3:28: entries[1].kind: "));
    routes_test(&folder, &["--catalog", "faulty.yml"]).assert().code(1).stderr(all_named);
    routes_test(&folder, &["--catalog", "absent.yml"]).assert().code(1).stderr(contains("absent.yml"));
    routes_test(&folder, &["--catalog", "catalog.yml", "--server", "http://x"]).assert().code(2);
}

#[test]
fn without_a_catalog_it_says_what_was_not_looked_up() {
    let folder = folder();
    let labels = ["severity=warning", "model=support-assistant"];
    routes_test(&folder, &labels)
        .assert()
        .success()
        .stdout(predicate::str::starts_with("console\n"))
        .stderr(contains("no catalog was given").and(contains("entry.kind")));
    routes_test(&folder, &["severity=warning", "entry.kind=llm", "version=1"])
        .assert()
        .stdout(predicate::str::starts_with("llm-chat\n"))
        .stderr(predicate::str::is_empty());
}

#[test]
fn an_alerts_own_label_decides_and_what_stands_around_it_is_said_by_name() {
    let folder = folder();
    for label in ["status=500", "receiver=otlp", "source=kubelet", "version=3", "mp.receiver=ml"] {
        routes_test(&folder, &[label]).assert().success().stdout(predicate::str::starts_with("hit\n"));
    }
    routes_test(&folder, &["receiver=ml"]).assert().stdout(predicate::str::starts_with("console\n"));
    routes_test(&folder, &["mp.status=open"]).assert().code(1).stderr(contains("firing or resolved"));
}

#[actix_web::test]
async fn a_running_server_is_asked_for_its_catalog_and_its_page_answers_the_same() {
    let loaded = configuration::parse(ROUTED).unwrap_or_else(|problems| panic!("{problems}")).loaded;
    let site = Site::with_config(loaded.config).await;
    let entry = Entry { slug: "support-assistant".to_owned(), kind: EntryKind::Llm, ..Entry::default() };
    site.state.catalog.create("test", entry).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    rt::spawn(server::serve(listener, site.state.clone(), Connections::new(1_024)).unwrap());

    let folder = folder();
    let labels = ["severity=warning", "model=support-assistant"];
    let mut command = routes_test(&folder, &[&["--server", &address][..], &labels].concat());
    let output = web::block(move || command.output().unwrap()).await.unwrap();
    let (shown, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(shown.starts_with("llm-chat\n"), "{shown}{said}");
    assert!(said.is_empty(), "{said}");

    let mut command = routes_test(
        &folder,
        &[&["--server", &address, "--token", "wrong-token-0123456"][..], &labels].concat(),
    );
    let output = web::block(move || command.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(1));

    for (asked, channel) in [
        ("severity%3Dwarning+model%3Dsupport-assistant", "llm-chat"),
        ("severity%3Dwarning+model%3Dother", "console"),
        ("status%3D500", "hit"),
        ("receiver%3Dotlp", "hit"),
        ("source%3Dkubelet", "hit"),
        ("version%3D3", "hit"),
    ] {
        let page = page(&site, asked).await;
        let answer = page.split("<h3>Result").nth(1).and_then(|rest| rest.split("</p>").next()).unwrap();
        assert!(answer.contains(&format!("/channels/{channel}\"")), "{asked}: {answer}");
    }
    assert!(page(&site, "mp.status%3Dopen").await.contains("firing or resolved"));
}

async fn page(site: &Site, labels: &str) -> String {
    let request = actix_web::test::TestRequest::get()
        .uri(&format!("/configuration?labels={labels}"))
        .insert_header(("authorization", "Bearer read-token-0123456"));
    site.call(request).await.text().to_owned()
}
