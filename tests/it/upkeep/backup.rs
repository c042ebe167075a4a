//! `modelpager backup`, and files that others cannot read.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Value, json};

use super::program::{Server, mode, run, said};
use crate::e2e::delivery;
use crate::support::http;
use crate::support::service::{Api, Service, eventually};

const CONFIG: &str = "modelpager.yml";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_holds_what_was_accepted_before_it_and_a_server_goes_on_from_it() {
    let service = Service::start(&json!({})).await;
    let folder = service.config_file().parent().unwrap().to_path_buf();
    let accepted: Arc<Mutex<Vec<String>>> = Arc::default();
    let senders: Vec<_> =
        (0..4).map(|n| tokio::spawn(post_without_end(n, service.clone_api(), accepted.clone()))).collect();
    eventually("some load", || async { (accepted.lock().len() >= 40).then_some(()) }).await;

    let before: BTreeSet<String> = accepted.lock().iter().cloned().collect();
    let backup = tokio::task::spawn_blocking(move || {
        run(&folder, "", &["backup", "--config", CONFIG, "--json", "copy.db"])
    });
    let output = backup.await.unwrap();
    let after = accepted.lock().len();
    eventually("load goes on", || async { (accepted.lock().len() > after).then_some(()) }).await;
    senders.iter().for_each(tokio::task::JoinHandle::abort);

    assert!(output.status.success(), "{}", said(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let copy = service.config_file().with_file_name("copy.db");
    assert_eq!(mode(&copy), 0o600);
    assert_eq!(answer["bytes"], copy.metadata().unwrap().len());
    let held = usize::try_from(answer["rows"]["events"].as_u64().unwrap()).unwrap();
    assert!(held >= before.len(), "{answer:#}");

    let place = tempfile::tempdir().unwrap();
    let restored = place.path().join("restored.db");
    std::fs::copy(&copy, &restored).unwrap();
    let config = json!({"storage": {"url": format!("sqlite://{}", restored.display())}});
    let second = Service::start(&config).await;
    let events = second.wait_for_processed(held).await;
    let there: BTreeSet<String> = events.iter().map(|e| e["id"].as_str().unwrap().to_owned()).collect();
    assert!(before.is_subset(&there), "lost: {:?}", before.difference(&there).collect::<Vec<_>>());
    second.deliver(&delivery("AfterTheRestore")).await;
    let told = second.wait_for_delivered("console", held + 1).await;
    assert!(told.iter().any(|one| one["alertname"] == "AfterTheRestore"));
}

async fn post_without_end(sender: usize, api: Api, accepted: Arc<Mutex<Vec<String>>>) {
    for n in 0.. {
        let body = delivery(&format!("Load{sender}x{n}")).to_string();
        let reply = api.call("POST", "/webhooks/alertmanager", &body).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.body);
        accepted.lock().push(reply.json()["event_id"].as_str().unwrap().to_owned());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_stopped_server_says_what_it_holds() {
    let mut server = Server::start(&json!({}), "", "info").await;
    server.post(&delivery("Once")).await;
    server.program.signal("TERM");
    server.program.wait_for_end().await;

    let output = run(server.folder.path(), "", &["backup", "--config", CONFIG, "copy.db"]);

    assert!(output.status.success(), "{}", said(&output));
    let text = said(&output);
    assert!(text.contains("modelpager.db copied to copy.db") && text.contains("verified"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_cannot_be_made_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let attempt = |config: &Value, file: &str| {
        write(CONFIG, &config.to_string());
        let output = run(folder.path(), "", &["backup", "--config", CONFIG, file]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        said(&output)
    };
    let stored_at = |url: &str| json!({"storage": {"url": url}});

    let postgres = attempt(&stored_at("postgres://u:canary@127.0.0.1/x"), "copy.db");
    assert!(postgres.contains("pg_dump") && !postgres.contains("canary"), "{postgres}");
    assert!(attempt(&stored_at("sqlite://gone.db"), "copy.db").contains("there is no database at gone.db"));
    write("text.db", "this is no database, however long it may be");
    attempt(&stored_at("sqlite://text.db"), "copy.db");
    write("empty.db", "");
    assert!(attempt(&stored_at("sqlite://empty.db"), "copy.db").contains("not a database of modelpager"));
    write("there.db", "precious");
    assert!(attempt(&stored_at("sqlite://empty.db"), "there.db").contains("exists already"));
    assert!(attempt(&stored_at("sqlite://empty.db"), "no/such/copy.db").contains("could not create a file"));

    assert_eq!(std::fs::read_to_string(folder.path().join("there.db")).unwrap(), "precious");
    let names: BTreeSet<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.contains("-wal") && !name.contains("-shm"))
        .collect();
    let expected = [CONFIG, "empty.db", "text.db", "there.db"];
    assert_eq!(names, expected.iter().map(|name| (*name).to_owned()).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_user_can_read_what_is_stored_whatever_the_mask() {
    for mask in ["umask 000;", "umask 022;"] {
        let server = Server::start(&json!({}), mask, "info").await;
        server.post(&delivery("Secret")).await;
        let output = run(server.folder.path(), mask, &["backup", "--config", CONFIG, "copy.db"]);
        assert!(output.status.success(), "{}", said(&output));

        for name in
            ["modelpager.db", "modelpager.db-wal", "modelpager.db-shm", "modelpager.db.lock", "copy.db"]
        {
            assert_eq!(mode(&server.file(name)), 0o600, "{mask} {name}");
        }
        assert_eq!(http::get(&format!("{}/-/ready", server.url)).await.unwrap().status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_others_may_read_is_left_so_and_mentioned() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("modelpager.db");
    std::fs::write(&file, "").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();

    let server = Server::start_in(folder, &json!({}), "", "info").await;

    assert_eq!(mode(&server.file("modelpager.db")), 0o640);
    assert!(server.program.log().contains("chmod 600"), "{}", server.program.log());
}
