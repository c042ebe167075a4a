//! Databases of every earlier schema, with data in every table, are brought up to date and
//! worked on.
//!
//! `tests/fixtures/schemas/` has the data: the file of a migration's name fills what that
//! migration brings, on top of the files before it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use modelpager::domain::clock::{Clock as _, SystemClock, Timestamp};
use regex::{Captures, Regex};
use serde_json::{Value, json};
use sqlx::migrate::{Migration, Migrator};

use super::raw::Raw;
use super::running::Running;
use crate::support::databases::{Fresh, on_both_databases};
use crate::support::service::eventually;

on_both_databases! { every_earlier_schema_with_data_is_brought_up_to_date_and_worked_on }

/// Two minutes after the last moment in the data: leases in it have run out.
const NOW: Timestamp = Timestamp::from_millis(1_795_272_681_782 + 120_000);

async fn every_earlier_schema_with_data_is_brought_up_to_date_and_worked_on(fresh: Fresh) {
    let history = History::read(&fresh).await;
    for version in 1..=history.migrations.len() {
        let own = match &fresh {
            Fresh::Sqlite(_) => Fresh::sqlite(),
            Fresh::Postgres(_) => Fresh::postgres("every_earlier_schema").await.unwrap(),
        };
        let name = &history.names[version - 1];
        history.build(&own.url(), version).await;
        let before = Raw::open(&own.url()).await.counts().await;
        assert!(!before.is_empty());
        for (table, rows) in &before {
            assert!(*rows > 0, "tests/fixtures/schemas/{name}.sql has to bring rows of {table}");
        }

        let store = modelpager::store::Store::open(&own.url(), 2).await.unwrap();
        store.close().await;
        drop(store);

        let after = Raw::open(&own.url()).await.counts().await;
        for (table, rows) in before {
            // Later migrations add counters of their own to `meta`.
            let is_kept = if table == "meta" { after[&table] >= rows } else { after[&table] == rows };
            assert!(is_kept, "{name}: {table} had {rows} rows and has {}", after[&table]);
        }
        work_on(&own.url(), name).await;
    }
}

/// The migrations of one kind of database, and where the data is.
struct History {
    migrations: Vec<Migration>,
    names: Vec<String>,
    is_sqlite: bool,
}

impl History {
    async fn read(fresh: &Fresh) -> Self {
        let is_sqlite = matches!(fresh, Fresh::Sqlite(_));
        let folder = root().join("migrations").join(if is_sqlite { "sqlite" } else { "postgres" });
        let migrations = Migrator::new(folder.as_path()).await.unwrap().migrations.into_owned();
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        names.sort();
        assert_eq!(names.len(), migrations.len());
        Self { migrations, names, is_sqlite }
    }

    /// A database as it was at the `version`th schema, filled as it went along.
    async fn build(&self, url: &str, version: usize) {
        let mut raw = Raw::open(url).await;
        for step in 1..=version {
            let migrations = Cow::Owned(self.migrations[..step].to_vec());
            let migrator = Migrator { migrations, ..Migrator::DEFAULT };
            match &mut raw {
                Raw::Sqlite(connection) => migrator.run(connection).await.unwrap(),
                Raw::Postgres(connection) => migrator.run(connection).await.unwrap(),
            }
            let file = root().join(format!("tests/fixtures/schemas/{}.sql", self.names[step - 1]));
            if let Ok(sql) = std::fs::read_to_string(file) {
                let sql = if self.is_sqlite { sql } else { recent(&sql.replace(" AS BLOB)", " AS BYTEA)")) };
                raw.execute(&sql).await;
            }
        }
    }
}

/// The same data as if it had been written just now: on PostgreSQL the time is the server's.
fn recent(sql: &str) -> String {
    let since = SystemClock.now().since(NOW);
    let moment = Regex::new(r"\b1795\d{9}\b").unwrap();
    let shifted = |found: &Captures<'_>| {
        let then = Timestamp::from_millis(found[0].parse().unwrap());
        then.plus(since).as_millis().to_string()
    };
    moment.replace_all(sql, shifted).into_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

/// What was unfinished is finished, and everything can be looked at.
async fn work_on(url: &str, name: &str) {
    let channels = json!([{"name": "console", "kind": "log"}, {"name": "hook", "kind": "log"}]);
    let program = Running::start(json!({"channels": channels}), url, NOW).await;
    let unfinished = ["notifications?state=pending", "notifications?state=sending", "events?state=pending"];
    eventually(&format!("everything of {name} is finished"), || async {
        for list in unfinished {
            if !items(&program, list).await.is_empty() {
                return None;
            }
        }
        Some(())
    })
    .await;

    for (list, least) in [("incidents", 5), ("notifications", 10), ("events", 9), ("catalog", 1)] {
        let found = items(&program, list).await;
        assert!(found.len() >= least, "{name}: {} {list}", found.len());
        for one in &found {
            let key = one["id"].as_str().or(one["slug"].as_str()).unwrap();
            program.get(&format!("/api/v1/{list}/{key}")).await;
        }
    }
    let delivered = items(&program, "notifications?state=delivered").await;
    let told = |alertname: &str| delivered.iter().filter(|one| one["alertname"] == alertname).count();
    assert_eq!((told("QueueStuck"), told("AccuracyDrop")), (1, 2), "{name}");
    program.stop().await;
}

async fn items(program: &Running, list: &str) -> Vec<Value> {
    let page = program.get(&format!("/api/v1/{list}")).await;
    page["items"].as_array().unwrap().clone()
}
