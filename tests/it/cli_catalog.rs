//! `modelpager catalog` as its users meet it: against a file, and against a server that
//! listens on loopback.

use std::net::TcpListener;

use actix_web::{rt, web};
use assert_cmd::Command;
use modelpager::web::connections::Connections;
use modelpager::web::server;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::web_support::{Site, config_with_tokens};

const CATALOG: &str = "
entries:
  - slug: fraud
    owner: ada
    tier: 1
    versions: [{version: 1.10, valid_from: 2026-08-20T09:00:00Z}]
  - {slug: gpt-4o, kind: llm}
";

fn modelpager(args: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("modelpager"));
    command.arg("catalog").args(args);
    for name in ["MODELPAGER_CONFIG", "MODELPAGER_SERVER", "MODELPAGER_TOKEN"] {
        command.env_remove(name);
    }
    command
}

/// A file in a folder that lives as long as the first of the two.
fn file(text: &str) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("catalog.yml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// A server with tokens, and its address.
async fn serve() -> (Site, String) {
    let site = Site::with_config(config_with_tokens()).await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    rt::spawn(server::serve(listener, site.state.clone(), Connections::new(1_024)).unwrap());
    (site, address)
}

/// Runs a command while the server in this thread goes on.
async fn run(mut command: Command) -> (i32, String, String) {
    let output = web::block(move || command.output().unwrap()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_file_is_validated_without_a_server() {
    let (_folder, good) = file(CATALOG);
    modelpager(&["validate", &good]).assert().success().stdout(contains("2 entries, no problem"));
    let json = modelpager(&["validate", "--json", &good]).output().unwrap().stdout;
    let verdict: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!((&verdict["valid"], &verdict["entries"]), (&json!(true), &json!(2)));

    let (_folder, bad) = file("entries:\n  - {slug: A, tier: 9}\n  - {slug: b, runbook_url: x}\n");
    let all_named = contains("entries[0].slug: ")
        .and(contains("entries[0].tier: "))
        .and(contains("entries[1].runbook_url: "));
    modelpager(&["validate", &bad]).assert().code(1).stdout("").stderr(all_named);

    let (_folder, unreadable) = file("entries:\n  - slug: a\n    ownr: x\n");
    let told = format!("{unreadable}:3:5: entries[0].ownr: unknown key; did you mean `owner`?\n");
    modelpager(&["validate", &unreadable]).assert().code(1).stdout("").stderr(told);
    let json = modelpager(&["validate", "--json", &unreadable]).output().unwrap().stdout;
    let verdict: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(verdict["valid"], false);
    assert_eq!(verdict["problems"][0]["field"], "entries[0].ownr");
    assert_eq!((&verdict["problems"][0]["line"], &verdict["problems"][0]["column"]), (&json!(3), &json!(5)));
    modelpager(&["validate", "-"]).write_stdin(CATALOG).assert().success();
    modelpager(&["validate", "/absent.yml"]).assert().code(1).stderr(contains("/absent.yml"));
    modelpager(&["validate"]).assert().code(2);
}

#[actix_web::test]
async fn a_file_goes_into_a_running_server_and_comes_out_again() {
    let (site, address) = serve().await;
    let (_folder, catalog) = file(CATALOG);
    let import = |more: &[&str]| {
        let mut command = modelpager(&["import", "--server", &address, &catalog]);
        command.args(more).env("MODELPAGER_TOKEN", "write-token-0123456");
        command
    };

    let (code, shown, _) = run(import(&["--dry-run"])).await;
    assert_eq!(code, 0);
    assert!(shown.ends_with("2 created, 0 changed, 0 deleted, 0 unchanged; nothing was written (dry run)\n"));
    assert!(site.state.catalog.catalog().is_empty());
    let (code, made, problem) = run(import(&[])).await;
    assert_eq!(code, 0, "{problem}");
    assert!(made.contains("+ fraud\n") && made.contains("    tier: 1\n    "), "{made}");
    assert!(made.contains("    version 1.10\n"), "{made}");
    let (_, again, _) = run(import(&["--json", "--prune"])).await;
    assert_eq!(serde_json::from_str::<Value>(&again).unwrap()["unchanged"], 2);

    let token = "read-token-0123456";
    let (code, exported, _) = run(modelpager(&["export", "--server", &address, "--token", token])).await;
    assert_eq!(code, 0);
    let (_folder, exported) = file(&exported);
    let mut same = modelpager(&["import", "--server", &address, "--token", "write-token-0123456", &exported]);
    same.arg("--prune");
    assert_eq!(run(same).await.1, "0 created, 0 changed, 0 deleted, 2 unchanged\n");
}

#[actix_web::test]
async fn what_the_server_refuses_is_told_and_exits_1() {
    let (site, address) = serve().await;
    let taken = json!({"slug": "other", "aliases": ["gpt-4o"]});
    let other = modelpager::catalog::document::read_entry(taken, None).unwrap();
    site.state.catalog.create("ada", other).await.unwrap();
    let (_folder, catalog) = file(CATALOG);
    let import = |token: &str| modelpager(&["import", "--server", &address, "--token", token, &catalog]);

    let (code, shown, told) = run(import("write-token-0123456")).await;
    assert_eq!((code, shown.as_str()), (1, ""));
    // The line is that of the file, although JSON is what was sent.
    let taken = ":7:12: entries[1].slug: \"gpt-4o\" already names the entry \"other\"\n";
    assert_eq!(told, format!("{catalog}{taken}"));
    let (code, _, told) = run(import("read-token-0123456")).await;
    assert_eq!(code, 1);
    assert!(told.contains("403") && told.contains("scope write"), "{told}");
    assert!(!told.contains("read-token-0123456"), "{told}");
    let (code, _, told) = run(modelpager(&["export", "--server", "http://127.0.0.1:9"])).await;
    assert_eq!(code, 1);
    assert!(
        told.contains("cannot connect to http://127.0.0.1:9: connection refused;")
            && told.contains("--server"),
        "{told}"
    );
}

#[actix_web::test]
async fn server_and_token_may_come_from_the_configuration() {
    let (_site, address) = serve().await;
    let (folder, catalog) = file(CATALOG);
    let config = folder.path().join("modelpager.yml");
    let token = |name: &str| format!("{{name: {name}, token: {name}-token-0123456, scopes: [{name}]}}");
    let text = format!(
        "server: {{external_url: '{address}'}}\nauth: {{tokens: [{}, {}]}}\n",
        token("ingest"),
        token("write")
    );
    std::fs::write(&config, text).unwrap();

    let (code, told, problem) =
        run(modelpager(&["import", "--config", config.to_str().unwrap(), &catalog])).await;

    assert_eq!(code, 0, "{problem}");
    assert!(told.ends_with("2 created, 0 changed, 0 deleted, 0 unchanged\n"), "{told}");
}

/// The document with a fault of every kind, and what is wrong with it: lines and fields.
const FAULTS: [(&str, &str); 2] = [
    ("yml", include_str!("../fixtures/catalog/faults.yml")),
    ("json", include_str!("../fixtures/catalog/faults.json")),
];

#[actix_web::test]
async fn every_fault_of_a_file_is_told_with_its_line_by_validate_and_import() {
    let (site, address) = serve().await;
    for (kind, text) in FAULTS {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(format!("faults.{kind}")).to_str().unwrap().to_owned();
        std::fs::write(&path, text).unwrap();
        let import = ["import", "--server", &address, "--token", "write-token-0123456", &path];

        let (code, shown, told) = run(modelpager(&["validate", &path])).await;
        let imported = run(modelpager(&import)).await;

        assert_eq!((code, shown.as_str()), (1, ""));
        assert_eq!(told.lines().count(), 26 + usize::from(kind == "json") * 2, "{told}");
        for line in told.lines() {
            let mut parts =
                line.strip_prefix(&format!("{path}:")).unwrap_or_else(|| panic!("{line}")).split(':');
            assert!(parts.next().unwrap().parse::<u64>().is_ok(), "{line}");
            assert!(parts.next().unwrap().parse::<u64>().is_ok(), "{line}");
        }
        assert_eq!(imported, (1, String::new(), told));
    }
    assert!(site.state.catalog.catalog().is_empty());
}

#[test]
fn of_many_faults_the_first_hundred_are_told_and_the_others_counted() {
    let (_folder, path) = file(&format!("entries:\n{}", "  - {slug: A, ownr: x}\n".repeat(100)));

    let output = modelpager(&["validate", &path]).output().unwrap();

    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(told.lines().count(), 101);
    assert!(told.ends_with(&format!("{path}: and 199 more\n")), "{told}");
    let json = modelpager(&["validate", "--json", &path]).output().unwrap().stdout;
    let verdict: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(verdict["problems"].as_array().unwrap().len(), 100);
    assert_eq!(verdict["problems_omitted"], 199);
}
