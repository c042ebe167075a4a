//! `modelpager migrate-storage`: all of it arrives, once, however often it is cut short.

use std::process::{Command, Stdio};
use std::time::Duration;

use modelpager::store::Store;
use modelpager::store::copy::{CopyError, Phase, TargetState, Transfer};
use serde_json::{Value, json};

use super::program::{Server, run, said};
use super::raw::Raw;
use crate::e2e::delivery;
use crate::spine::{World, alert, config};
use crate::support::databases::Fresh;
use crate::support::service::{eventually, serve_and_end};

/// A database with something in most tables and many rows in some.
async fn filled(fresh: &Fresh, rows: u32) {
    let world = World::on(&fresh.url(), &config()).await;
    world.add_entry("fraud").await;
    world.tell(&[alert(("firing", "fraud", "critical", "a"))]).await;
    world.tell(&[alert(("resolved", "fraud", "critical", "a"))]).await;
    world.tell(&[alert(("firing", "churn", "high", "b"))]).await;
    world.end().await;
    let mut raw = Raw::open(&fresh.url()).await;
    let (id, body) = match fresh {
        Fresh::Sqlite(_) => {
            ("printf('00000000-0000-7000-8000-%012d', i)", "CAST('bytes \u{1F4DF} of ' || i AS BLOB)")
        }
        Fresh::Postgres(_) => (
            "'00000000-0000-7000-8000-' || lpad(CAST(i AS TEXT), 12, '0')",
            "convert_to('bytes \u{1F4DF} of ' || CAST(i AS TEXT), 'UTF8')",
        ),
    };
    let numbers = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})");
    raw.execute(&format!(
        "{numbers} INSERT INTO events (id, received_at, state, source, receiver, group_key, external_url, actor, \
         alerts, rejected, truncated, twins, reason, verdicts, body, processed_at) \
         SELECT {id}, i, 'processed', 'alertmanager', 'Ärger', '', '', '', 1, 0, 0, 0, '', '[]', {body}, \
         CASE WHEN i % 3 = 0 THEN NULL ELSE i END FROM n;
         {numbers} INSERT INTO members (incident_id, fingerprint, status, severity, severity_raw, labels, \
         annotations, starts_at, generator_url, event_id, first_seen_at, last_seen_at) \
         SELECT CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END, {id}, 'firing', 'high', '', '{{}}', '{{}}', i, '', '', i, i \
         FROM n"
    ))
    .await;
}

async fn both() -> Option<(Fresh, Fresh)> {
    let postgres = Fresh::postgres("copying between databases").await?;
    Some((Fresh::sqlite(), postgres))
}

async fn counts(fresh: &Fresh) -> std::collections::BTreeMap<String, i64> {
    Raw::open(&fresh.url()).await.counts().await
}

async fn transfer(from: &Fresh, to: &Fresh) -> Result<(), CopyError> {
    Transfer::prepare(&from.url(), &to.url()).await?.run(&mut |_| {}).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_rows_go_there_and_back_again() {
    let Some((sqlite, postgres)) = both().await else { return };
    filled(&sqlite, 5_000).await;
    let back = Fresh::sqlite();

    let folder = tempfile::tempdir().unwrap();
    let args = |from: &Fresh, to: &Fresh| {
        ["migrate-storage", "--json", "--from", &from.url(), "--to", &to.url()].map(str::to_owned)
    };
    let mut digests = Vec::new();
    for (from, to) in [(&sqlite, &postgres), (&postgres, &back)] {
        let args = args(from, to);
        let output = run(folder.path(), "", &args.each_ref().map(String::as_str));
        assert!(output.status.success(), "{}", said(&output));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(answer["rows"].as_u64().unwrap() > 10_000, "{answer:#}");
        digests.push(answer["tables"].clone());
    }

    assert_eq!(digests[0], digests[1]);
    assert_eq!(counts(&sqlite).await, counts(&back).await);
    let told =
        "SELECT CAST(COUNT(*) AS TEXT) || ' ' || MAX(snapshot) || MIN(tally) FROM notifications, incidents";
    let texts = Raw::open(&sqlite.url()).await.texts(told).await;
    assert_eq!(Raw::open(&postgres.url()).await.texts(told).await, texts);
    // A server goes on from it.
    let world = World::on(&postgres.url(), &config()).await;
    assert_eq!(world.incidents().await.len(), 2);
    world.tell(&[alert(("resolved", "churn", "high", "b"))]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_of_the_schema_is_copied() {
    let Some((sqlite, postgres)) = both().await else { return };
    filled(&sqlite, 1).await;
    let tables = Raw::open(&sqlite.url()).await.tables().await;

    let copied =
        Transfer::prepare(&sqlite.url(), &postgres.url()).await.unwrap().run(&mut |_| {}).await.unwrap();

    let names: Vec<String> = copied.into_iter().map(|table| table.name).collect();
    assert_eq!(names, tables);
    assert!(names.len() >= 19);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_cut_short_anywhere_goes_on_and_doubles_nothing() {
    let Some((sqlite, postgres)) = both().await else { return };
    filled(&sqlite, 1_500).await;

    // Given up after a few batches, as a kill between two transactions does.
    let mut begun = 0;
    loop {
        let transfer = Transfer::prepare(&sqlite.url(), &postgres.url()).await.unwrap();
        begun += u32::from(transfer.state() == TargetState::Unfinished);
        let (stop, mut stopped) = tokio::sync::watch::channel(0);
        let mut tell = |at: modelpager::store::copy::CopyProgress| {
            if at.phase == Phase::Copying {
                stop.send_modify(|seen| *seen += 1);
            }
        };
        tokio::select! {
            biased;
            _ = stopped.wait_for(|seen| *seen > 6) => {}
            done = transfer.run(&mut tell) => { done.unwrap(); break }
        }
    }

    assert!(begun > 2, "{begun}");
    assert_eq!(counts(&sqlite).await, counts(&postgres).await);
    let error = transfer(&sqlite, &postgres).await.unwrap_err().to_string();
    assert!(error.contains("holds data already"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_killed_in_the_middle_is_finished_by_the_same_command() {
    let Some((sqlite, postgres)) = both().await else { return };
    filled(&sqlite, 2_000).await;
    // The schema is there; nobody may write members: the copy comes that far and waits.
    Store::open(&postgres.url(), 2).await.unwrap().close().await;
    let mut other = Raw::open(&postgres.url()).await;
    other.execute("BEGIN; LOCK TABLE members IN EXCLUSIVE MODE").await;
    let mut watching = Raw::open(&postgres.url()).await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_modelpager"));
    command.args(["migrate-storage", "--from", &sqlite.url(), "--to", &postgres.url()]);
    // Emptying the tables at the beginning needs the lock, too: let that pass first.
    other.execute("COMMIT").await;
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let is_begun = "SELECT COUNT(*) FROM pg_class WHERE relname = 'storage_copy'";
    let mut begun = false;
    for _ in 0..20_000 {
        if watching.number(is_begun).await > 0 {
            begun = true;
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(begun);
    other.execute("BEGIN; LOCK TABLE members IN EXCLUSIVE MODE").await;
    eventually("the copy is in the middle", || async {
        let mut raw = Raw::open(&postgres.url()).await;
        let waits = "SELECT COUNT(*) FROM pg_locks WHERE NOT granted";
        let done = raw.number("SELECT COUNT(*) FROM events").await;
        (done > 0 && raw.number(waits).await > 0).then_some(())
    })
    .await;
    child.kill().unwrap();
    child.wait().unwrap();
    other.execute("COMMIT").await;

    let (status, printed) = serve_and_end(&json!({"storage": {"url": postgres.url()}}).to_string()).await;
    assert!(!status.success() && printed.contains("unfinished copy"), "{printed}");
    let folder = tempfile::tempdir().unwrap();
    let args = ["migrate-storage", "--from", &sqlite.url(), "--to", &postgres.url()];
    let output = run(folder.path(), "", &args);

    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("continuing the unfinished copy"), "{}", said(&output));
    assert_eq!(counts(&sqlite).await, counts(&postgres).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_the_target_does_not_take_is_named_and_found_by_a_dry_run() {
    let Some((sqlite, postgres)) = both().await else { return };
    filled(&sqlite, 600).await;
    let mut raw = Raw::open(&sqlite.url()).await;
    // Too long for an index of PostgreSQL, and not to be made shorter.
    let long = "UPDATE incidents SET dedup_key = hex(randomblob(2000)) WHERE entry = ''";
    raw.execute(long).await;
    let id = raw.texts("SELECT id FROM incidents WHERE entry = ''").await.remove(0);
    drop(raw);
    let folder = tempfile::tempdir().unwrap();
    let copy = |more: &[&str]| {
        let (from, to) = (sqlite.url(), postgres.url());
        let args = [&["migrate-storage", "--from", &from, "--to", &to], more].concat();
        run(folder.path(), "", &args)
    };

    for more in [&["--dry-run"][..], &[]] {
        let output = copy(more);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let named = format!("a row of incidents (id = {id})");
        assert!(said(&output).contains(&named), "{}", said(&output));
        assert!(said(&output).contains("index row"), "{}", said(&output));
        if !more.is_empty() {
            assert_eq!(Raw::open(&postgres.url()).await.tables().await, [""; 0], "a dry run leaves nothing");
        }
    }

    Raw::open(&sqlite.url()).await.execute("UPDATE incidents SET dedup_key = 'short' WHERE entry = ''").await;
    let output = copy(&["--dry-run"]);
    assert!(output.status.success(), "{}", said(&output));
    let output = copy(&[]);
    assert!(output.status.success(), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_differs_is_found_and_the_target_stays_closed() {
    let (from, to) = (Fresh::sqlite(), Fresh::sqlite());
    filled(&from, 1_200).await;
    let transfer = Transfer::prepare(&from.url(), &to.url()).await.unwrap();
    let target = to.url();
    let mut tampered = false;
    let mut tell = |at: modelpager::store::copy::CopyProgress| {
        if at.phase == Phase::Copying && at.table == "members" && !tampered {
            tampered = true;
            let change = "UPDATE events SET reason = 'changed' WHERE id LIKE '%000000000777'";
            let target = target.clone();
            tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(async move {
                    Raw::open(&target).await.execute(change).await;
                });
            });
        }
    };

    let error = transfer.run(&mut tell).await.unwrap_err().to_string();

    assert!(error.contains("differs from its source in events (1203 and 1203 rows)"), "{error}");
    let error = Store::open(&to.url(), 2).await.err().unwrap().to_string();
    assert!(error.contains("unfinished copy"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_use_or_not_empty_is_refused_and_says_why() {
    let Some((sqlite, postgres)) = both().await else { return };
    filled(&sqlite, 1).await;
    let (folder, other) = (tempfile::tempdir().unwrap(), Fresh::sqlite());
    filled(&other, 1).await;
    let refused = |from: &str, to: &str| {
        let output = run(folder.path(), "", &["migrate-storage", "--from", from, "--to", to]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        said(&output)
    };

    assert!(refused(&sqlite.url(), &other.url()).contains("the target holds data already"));
    assert!(refused(&sqlite.url(), &sqlite.url()).contains("the same database"));
    assert!(refused("sqlite://gone.db", &postgres.url()).contains("there is no database at gone.db"));
    assert!(!folder.path().join("gone.db").exists());

    let server = Server::start(&json!({}), "", "info").await;
    let held = format!("sqlite://{}", server.file("modelpager.db").display());
    assert!(refused(&held, &postgres.url()).contains("in use by another modelpager"));
    let store = Store::open(&postgres.url(), 2).await.unwrap();
    assert!(refused(&sqlite.url(), &postgres.url()).contains("the target is in use"));
    store.close().await;

    let args = ["migrate-storage", "--dry-run", "--from", &sqlite.url(), "--to", &postgres.url()];
    let output = run(folder.path(), "", &args);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("the target is empty; nothing was written"), "{}", said(&output));
    assert_eq!(counts(&postgres).await["events"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_is_told_how_to_move_to_a_database_for_several() {
    let server = Server::start(&json!({}), "", "info").await;
    server.post(&delivery("Once")).await;
    let url = format!("sqlite://{}", server.file("modelpager.db").display());

    let config = json!({"server": {"listen": "127.0.0.1:0"}, "storage": {"url": url}});
    let (status, printed) = serve_and_end(&config.to_string()).await;

    assert!(!status.success());
    assert!(printed.contains("modelpager migrate-storage --from sqlite://"), "{printed}");
}
