//! The SQLite file is deleted, renamed or replaced while the program has it open: nothing is
//! answered 200 that would be gone after a restart.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::load::single;
use crate::support::service::{Service, eventually, serve_and_end};

fn config(database: &Path) -> Value {
    json!({
        "storage": {"url": format!("sqlite://{}", database.display())},
        "channels": [{"name": "console", "kind": "log"}], "route": {"channels": ["console"]},
    })
}

async fn post(service: &Service, name: &str) -> u16 {
    let body = single(name, "firing").to_string();
    service.call("POST", "/webhooks/alertmanager", &body).await.unwrap().status
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_file_that_is_gone_is_answered_with_503_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let (database, aside) = (folder.path().join("test.db"), folder.path().join("aside.db"));
    let mut service = Service::start(&config(&database)).await;
    assert_eq!(post(&service, "Before").await, 200);

    for step in ["renamed", "replaced"] {
        match step {
            "renamed" => fs::rename(&database, &aside).unwrap(),
            _ => fs::write(&database, "another file").unwrap(),
        }
        assert_eq!(post(&service, "Meanwhile").await, 503, "{step}");
        let ready = service.call("GET", "/-/ready", "").await.unwrap();
        assert_eq!(ready.status, 503, "{step}");
        assert!(ready.body.contains("was deleted, renamed or replaced"), "{}", ready.body);
    }
    service.wait_for_log("put it back, or restart modelpager").await;
    assert!(service.log().contains(&database.display().to_string()), "{}", service.log());

    fs::rename(&aside, &database).unwrap();
    eventually("green readiness", || async {
        (service.call("GET", "/-/ready", "").await.ok()?.status == 200).then_some(())
    })
    .await;
    assert_eq!(post(&service, "After").await, 200);

    fs::remove_file(&database).unwrap();
    assert_eq!(post(&service, "Lost").await, 503);
    service.restart().await;
    assert_eq!(post(&service, "Again").await, 200, "a restart begins with the file that is there now");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_file_that_is_overwritten_is_answered_with_503_and_sets_no_alert_aside() {
    for how in ["emptied", "first page of noise"] {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("test.db");
        let service = Service::start(&config(&database)).await;
        assert_eq!(post(&service, "Before").await, 200);
        service.wait_for_processed(1).await;

        let mut bytes = fs::read(&database).unwrap();
        bytes[..4_096].fill(0xA5);
        // In its place: the same inode.
        fs::write(&database, if how == "emptied" { &[][..] } else { &bytes }).unwrap();

        eventually("refused alerts", || async { (post(&service, "Meanwhile").await == 503).then_some(()) })
            .await;
        let ready = eventually("red readiness", || async {
            let reply = service.call("GET", "/-/ready", "").await.ok()?;
            (reply.status == 503).then_some(reply)
        })
        .await;
        assert!(ready.body.contains("damaged or was overwritten"), "{how}: {}", ready.body);
        assert!(!service.log().contains("set aside"), "{how}: {}", service.log());
        assert_eq!(post(&service, "Later").await, 503, "{how}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_name_of_the_file_lets_no_second_process_in() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("test.db");
    let service = Service::start(&config(&database)).await;
    let (symbolic, hard) = (folder.path().join("symbolic.db"), folder.path().join("hard.db"));
    std::os::unix::fs::symlink(&database, &symbolic).unwrap();

    let (status, printed) = serve_and_end(&config(&symbolic).to_string()).await;
    assert!(!status.success() && printed.contains("is in use by another modelpager"), "{printed}");

    fs::hard_link(&database, &hard).unwrap();
    let (status, printed) = serve_and_end(&config(&hard).to_string()).await;
    assert!(!status.success() && printed.contains("has 2 names (hard links)"), "{printed}");

    fs::remove_file(folder.path().join("test.db.lock")).unwrap();
    assert_eq!(post(&service, "Unlocked").await, 503);
}
