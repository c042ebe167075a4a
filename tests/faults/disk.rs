//! A database that takes no writes for a while: a full disk, a limit, files that may not be
//! changed, another process that holds the lock, a server that was made read-only. While it
//! lasts the senders hear 503 and come again; when it is over, the program goes on by itself
//! and nothing is missing.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use modelpager::fakes::engine::Step;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqliteConnection};

use crate::chance::Chance;
use crate::ledger::{Log, check_webhook, wait_until_all_is_told};
use crate::load::{Load, single};
use crate::receiver::{NAME_PREFIX, Receiver};
use crate::small_disk::SmallDisk;
use crate::support::postgres;
use crate::support::service::{LIMIT, Service, Surroundings, eventually, serve_and_end};

/// How long the last message may take after the trouble.
const LAST_LIMIT: Duration = Duration::from_secs(60);
/// So many refusals are no accident.
const REFUSALS: usize = 6;
/// How many lines about it the log may have: one for each sort of work on the database, and
/// for each of two reasons.
const LINES: usize = 16;

/// The program under load, and what goes wrong.
struct Scene {
    service: Service,
    webhook: Receiver,
    load: Load,
}

impl Scene {
    async fn begin(surroundings: Surroundings, storage: &str) -> Self {
        let webhook = Receiver::webhook().await;
        let service = Service::start_in(surroundings, &config(storage, &webhook)).await;
        // Intake must not wait for the others: it has to meet the trouble, too.
        let load = Load::start(&service.clone_api(), webhook.watch(), 100_000, &Chance::new());
        eventually("some messages told", || async { (webhook.watch().alerts() >= 20).then_some(()) }).await;
        assert_eq!(load.refusals(503), 0, "refused before anything went wrong");
        Self { service, webhook, load }
    }

    /// Waits until the trouble shows, and looks at how; `advice` is what the log has to say.
    async fn suffer(&self, advice: &[&str]) {
        let service = &self.service;
        eventually("some refusals", || async { (self.load.refusals(503) >= REFUSALS).then_some(()) }).await;
        let refused = eventually("a refusal", || async {
            let reply = service.call("POST", "/webhooks/alertmanager", &sample().to_string()).await.ok()?;
            (reply.status == 503).then_some(reply)
        })
        .await;
        assert!(refused.header("retry-after").is_some_and(|s| s.parse::<u32>().is_ok()), "{}", refused.head);
        eventually("red readiness that says why", || async {
            let reply = service.call("GET", "/-/ready", "").await.ok()?;
            (reply.status == 503 && is_in(&reply.body, advice)).then_some(())
        })
        .await;
        for path in ["/-/healthy", "/metrics", "/api/v1/events?limit=5", "/api/v1/notifications?limit=5"] {
            let reply = service.call("GET", path, "").await.unwrap();
            assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        }
        let log = service.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("trying again")).collect();
        assert!(lines.iter().any(|line| is_in(line, advice)), "{lines:#?}");
        assert!(lines.iter().any(|line| line.contains("Nothing that was accepted is lost")), "{lines:#?}");
        assert!(lines.len() <= LINES, "{lines:#?}");
    }

    /// Once the trouble is over: nothing is lost, nothing came twice.
    async fn recover(self) {
        let Self { service, webhook, load } = self;
        eventually("green readiness", || async {
            let reply = service.call("GET", "/-/ready", "").await.ok()?;
            (reply.status == 200).then_some(())
        })
        .await;
        let before = load.events();
        eventually("the load goes on", || async { (load.events() > before + 10).then_some(()) }).await;
        let taken = load.stop().await;
        wait_until_all_is_told(&service, LAST_LIMIT).await;
        let mut log = Log::read(&service).await;
        // The refused sample may be among them if it was repeated in time.
        log.forget(SAMPLE);
        let mut told = webhook.told();
        told.forget(SAMPLE);
        log.has_all(&taken);
        check_webhook(&service, &log, &taken, &told).await;
        let repeated: Vec<_> = told.by_id().into_iter().filter(|(_, times)| *times > 1).collect();
        assert!(repeated.is_empty(), "sent again although it was known to be told: {repeated:?}");
        assert!(service.log().contains("could store what was posted again"), "{}", service.log());
    }
}

fn config(storage: &str, webhook: &Receiver) -> Value {
    json!({
        "storage": {"url": storage},
        "delivery": {"backoff_min": "20ms", "backoff_max": "200ms", "concurrency": 4},
        "channels": [{"name": "webhook", "kind": "webhook", "timeout": "1s", "url": webhook.url()}],
        "route": {"channels": ["webhook"], "group_interval": "50ms"},
    })
}

fn is_in(text: &str, any_of: &[&str]) -> bool {
    any_of.iter().any(|one| text.contains(one))
}

const SAMPLE: &str = "RefusedSample";

fn sample() -> Value {
    json!({
        "version": "4", "status": "firing", "receiver": "modelpager", "externalURL": "", "groupKey": "{}:{}",
        "truncatedAlerts": 0, "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
        "alerts": [{
            "status": "firing", "labels": {"alertname": SAMPLE}, "annotations": {},
            "startsAt": "2026-08-20T10:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
        }],
    })
}

fn sqlite_url(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("test.db").display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_answered_with_503_until_there_is_space_again() {
    let Some(disk) = SmallDisk::mount("24m") else { return };
    let scene = Scene::begin(Surroundings::default(), &sqlite_url(disk.path())).await;
    disk.fill();
    scene.suffer(&["the disk is full: free some space"]).await;
    assert!(scene.service.log().contains(&disk.path().display().to_string()), "which disk?");
    disk.free();
    scene.recover().await;
}

/// The same without the rights that a disk of its own needs: the log of writes may not grow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_on_file_sizes_is_answered_with_503_until_it_is_lifted() {
    let folder = tempfile::tempdir().unwrap();
    // Without this the limit would be enforced by the death of the process.
    let surroundings = Surroundings { shell: Some("trap '' XFSZ"), ..Surroundings::default() };
    let scene = Scene::begin(surroundings, &sqlite_url(folder.path())).await;
    let limit = |value: &str| {
        let process = scene.service.process_id().to_string();
        let mut command = Command::new("prlimit");
        command.args(["--pid", &process, &format!("--fsize={value}:unlimited")]);
        assert!(command.status().unwrap().success());
    };
    let size = std::fs::metadata(folder.path().join("test.db-wal")).unwrap().len();
    limit(&size.to_string());
    scene.suffer(&["the disk reports an error: check it"]).await;
    // Now the log cannot be written either. Nobody must stumble over that.
    limit("0");
    let before = scene.load.refusals(503);
    eventually("refusals go on", || async { (scene.load.refusals(503) > before + REFUSALS).then_some(()) })
        .await;
    limit("unlimited");
    scene.recover().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_may_not_be_changed_are_answered_with_503_until_they_may() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::begin(Surroundings::default(), &sqlite_url(folder.path())).await;
    let change = |flag: &str| {
        let files = ["test.db", "test.db-wal"].map(|name| folder.path().join(name));
        Command::new("chattr").arg(flag).args(files).status().is_ok_and(|status| status.success())
    };
    if !change("+i") {
        println!(
            "NOT TESTED: files cannot be made immutable here; a limit on their size is tested beside this"
        );
        return;
    }
    scene.suffer(&["the disk reports an error", "is read-only: make it writable", "cannot be opened"]).await;
    assert!(change("-i"));
    scene.recover().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_held_by_another_process_is_answered_with_503_until_it_is_let_go() {
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::begin(Surroundings::default(), &sqlite_url(folder.path())).await;
    let mut other = SqliteConnection::connect(&sqlite_url(folder.path())).await.unwrap();
    sqlx::raw_sql("PRAGMA busy_timeout = 20000; BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    scene.suffer(&["another process holds a lock on the file: stop it"]).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    scene.recover().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_on_a_read_only_disk_says_so_and_ends() {
    let Some(disk) = SmallDisk::mount("8m") else { return };
    disk.make_read_only();
    let config = json!({"server": {"listen": "127.0.0.1:0"}, "storage": {"url": sqlite_url(disk.path())}});
    let (status, printed) = serve_and_end(&config.to_string()).await;
    assert!(!status.success());
    assert!(printed.contains("Read-only file system") && printed.contains("test.db"), "{printed}");
}

const WAITS: &str = "the start waits for space on the database's disk";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_on_a_full_disk_waits_and_says_so() {
    let Some(disk) = SmallDisk::mount("24m") else { return };
    disk.fill();
    let webhook = Receiver::webhook().await;
    let config = config(&sqlite_url(disk.path()), &webhook);
    let mut service = Service::begin(&config, None, Surroundings::default());
    service.wait_for_log(WAITS).await;
    assert!(service.log().contains("the disk is full: free some space"), "{}", service.log());

    disk.free();
    service.wait_until_ready().await;
    assert_eq!(service.log().matches(WAITS).count(), 1, "{}", service.log());
    service.deliver(&single(&format!("{NAME_PREFIX}First"), "firing")).await;
    eventually("the message", || async { (webhook.watch().alerts() == 1).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_on_a_full_disk_takes_up_what_was_being_sent_once_there_is_space() {
    let Some(disk) = SmallDisk::mount("24m") else { return };
    let webhook = Receiver::webhook().await;
    webhook.http().always(Step::usual().delayed(LIMIT));
    let mut service = Service::start(&config(&sqlite_url(disk.path()), &webhook)).await;
    service.deliver(&single(&format!("{NAME_PREFIX}First"), "firing")).await;
    webhook.http().wait_for_requests(1, LIMIT).await;

    service.kill();
    // Who closes it last removes the log of writes, which has room of its own.
    let mut last = SqliteConnection::connect(&sqlite_url(disk.path())).await.unwrap();
    sqlx::query("SELECT 1 FROM notifications").fetch_all(&mut last).await.unwrap();
    last.close().await.unwrap();
    disk.fill();
    webhook.http().clear();
    service.launch_again();
    service.wait_for_log(WAITS).await;
    assert!(service.log().contains("the disk is full: free some space"), "{}", service.log());
    disk.free();
    service.wait_until_ready().await;
    webhook.http().wait_for_requests(2, LIMIT).await;
    wait_until_all_is_told(&service, LIMIT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_postgres_is_answered_with_503_until_there_is_space_again() {
    let test = "a_full_disk_of_postgres";
    let Some(database) = postgres::create_database(test).await else { return };
    let Some(disk) = SmallDisk::mount("20m") else { return };
    disk.give_to("postgres");
    let tablespace = Tablespace::create(&database, disk.path()).await;
    let scene = Scene::begin(Surroundings::default(), database.url()).await;
    disk.fill();
    scene.suffer(&["the database server's disk is full: free some space there"]).await;
    disk.free();
    scene.recover().await;
    drop(database);
    tablespace.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_was_made_read_only_is_answered_with_503_until_it_takes_writes() {
    let Some(database) = postgres::create_database("a_read_only_postgres").await else { return };
    let scene = Scene::begin(Surroundings::default(), database.url()).await;
    let switch = |setting: &'static str| {
        let (server, name) = (database.server_url().to_owned(), database.name().to_owned());
        async move {
            execute(&server, &format!("ALTER DATABASE {name} {setting}")).await;
            // As a failover does: who was connected has to connect anew.
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname =";
            execute(&server, &format!("{end} '{name}'")).await;
        }
    };
    switch("SET default_transaction_read_only = on").await;
    scene.suffer(&["the database is read-only"]).await;
    // This time nobody is thrown out: sessions opened meanwhile stay read-only for ever.
    let (server, name) = (database.server_url(), database.name());
    execute(server, &format!("ALTER DATABASE {name} RESET default_transaction_read_only")).await;
    scene.recover().await;
}

/// Whoever leases a message here finds all other connections broken right afterwards.
const BREAK_AFTER_LEASING: &str = "CREATE FUNCTION break_connections() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
     PERFORM pg_terminate_backend(pid) FROM pg_stat_activity \
     WHERE datname = current_database() AND pid <> pg_backend_pid(); RETURN NULL; END $$; \
     CREATE TRIGGER break_connections AFTER UPDATE OF lease_owner ON notifications \
     FOR EACH ROW WHEN (NEW.state = 'sending') EXECUTE FUNCTION break_connections()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_leased_is_sent_although_the_database_cannot_be_asked_any_more() {
    let Some(database) = postgres::create_database("leased_and_then_broken").await else { return };
    let webhook = Receiver::webhook().await;
    let config = config(database.url(), &webhook);
    let service = Service::start(&config).await;
    execute(database.url(), BREAK_AFTER_LEASING).await;
    // Its lease would run out a minute later.
    for round in 1..=3 {
        let body = single(&format!("{NAME_PREFIX}{round}"), "firing").to_string();
        // Intake's connections break, too: its sender comes again.
        eventually("the answer", || async {
            let reply = service.call("POST", "/webhooks/alertmanager", &body).await.ok()?;
            (reply.status == 200).then_some(())
        })
        .await;
        eventually("the message", || async { (webhook.watch().alerts() == round).then_some(()) }).await;
    }
}

/// A place for a database of the shared server.
struct Tablespace {
    server: String,
    name: String,
}

impl Tablespace {
    async fn create(database: &postgres::Database, folder: &Path) -> Self {
        let (server, name) = (database.server_url().to_owned(), format!("space_of_{}", database.name()));
        execute(&server, &format!("CREATE TABLESPACE {name} LOCATION '{}'", folder.display())).await;
        execute(&server, &format!("ALTER DATABASE {} SET TABLESPACE {name}", database.name())).await;
        Self { server, name }
    }

    /// Once its database is gone, and before its disk goes.
    async fn remove(self) {
        execute(&self.server, &format!("DROP TABLESPACE {}", self.name)).await;
    }
}

async fn execute(server: &str, statement: &str) {
    let mut connection = PgConnection::connect(server).await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection);
    tokio::time::timeout(LIMIT, done).await.unwrap().unwrap();
}
