//! A throw-away PostgreSQL for the tests, with a fresh database for each of them.
//!
//! `MODELPAGER_TEST_POSTGRES_URL` names a server to use. Without it one is started on
//! loopback, and shared: making a cluster takes seconds, and with cargo-nextest each test
//! is a process of its own. Every process holds a shared lock on a file as long as it
//! lives; a small watchdog ends the server and removes its data a few seconds after the
//! last of those locks is gone, however its holder ended.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use modelpager::domain::random::{Random as _, SystemRandom};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::sync::OnceCell;

use super::program;

/// Where to find a server that is there already.
const URL_VARIABLE: &str = "MODELPAGER_TEST_POSTGRES_URL";

/// `$1` folder, `$2` folder of PostgreSQL's programs, `$3` port, `$4` the watchdog. Nothing
/// here must survive a crash, so nothing waits for the disk.
const START: &str = r#"
set -eu
fast="-F -c full_page_writes=off -c synchronous_commit=off -c wal_level=minimal -c max_wal_senders=0"
small="-c shared_buffers=32MB -c max_connections=300 -c autovacuum=off"
rm -rf "$1/data"
"$2/initdb" -D "$1/data" -U postgres -A trust -E UTF8 --locale=C --no-sync
"$2/pg_ctl" -D "$1/data" -w -t 60 -l "$1/server.log" -o "-h 127.0.0.1 -p $3 -k '' $fast $small" start
setsid sh -c "$4" watchdog "$1" "$2" </dev/null >/dev/null 2>&1 &
"#;

/// `$1` and `$2` as above. Ends the server when for three looks in a row nobody held the
/// lock. It outlives the test that started it on purpose.
const WATCHDOG: &str = r#"
exec 9<"$1/users.lock"
pid=$(head -n 1 "$1/data/postmaster.pid")
idle=0
while kill -0 "$pid" 2>/dev/null; do
    sleep 4
    if ! flock -n 9; then idle=0; continue; fi
    idle=$((idle + 1))
    if [ "$idle" -ge 3 ]; then
        rm -f "$1/url"
        "$2/pg_ctl" -D "$1/data" -m immediate stop
        rm -rf "$1/data"
        exit 0
    fi
    flock -u 9
done
"#;

/// A database of its own; removed when this is dropped.
pub struct Database {
    url: String,
    name: String,
    server: &'static Server,
}

struct Server {
    url: String,
    /// Its lock says that this process uses the server.
    _users: Option<File>,
}

/// A fresh, empty database; `None` when there is no PostgreSQL and `test` is skipped.
///
/// # Panics
/// When a server that should be there does not work.
pub async fn create_database(test: &str) -> Option<Database> {
    create_database_with(test, "").await
}

/// The same with a locale of the C library; `None` also when the machine has no such locale.
///
/// # Panics
/// When a server that should be there does not work.
pub async fn create_database_with_locale(test: &str, locale: &str) -> Option<Database> {
    let known = Command::new("locale").arg("-a").output().map(|output| output.stdout).unwrap_or_default();
    let plain = |name: &str| name.to_lowercase().replace('-', "");
    if !String::from_utf8_lossy(&known).lines().any(|name| plain(name) == plain(locale)) {
        program::skip(test, format!("the locale {locale}"));
        return None;
    }
    create_database_with(test, &format!("LOCALE_PROVIDER libc LOCALE '{locale}'")).await
}

/// A fresh database with these options of `CREATE DATABASE`.
///
/// # Panics
/// When a server that should be there does not work.
pub async fn create_database_with(test: &str, options: &str) -> Option<Database> {
    static SERVER: OnceCell<Option<Server>> = OnceCell::const_new();
    let server = SERVER.get_or_init(find_server).await.as_ref();
    let Some(server) = server else {
        program::skip(test, "PostgreSQL (postgres, initdb, pg_ctl)");
        return None;
    };
    let name = format!("modelpager_test_{:016x}", SystemRandom.bits());
    execute(&server.url, format!("CREATE DATABASE {name} TEMPLATE template0 {options}")).await.unwrap();
    Some(Database { url: with_database(&server.url, &name), name, server })
}

impl Database {
    /// `postgres://…`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its name on the server.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server's own database, from which others are managed.
    pub fn server_url(&self) -> &str {
        &self.server.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let url = self.server.url.clone();
        let remove = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(execute(&url, statement)).map_err(io::Error::other)
        };
        // A runtime of its own, as this may run inside one. What is left behind goes with
        // the server.
        let _ = std::thread::spawn(remove).join();
    }
}

async fn execute(url: &str, statement: String) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}

/// The URL with another database's name in it.
fn with_database(url: &str, name: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, String::new()), |(base, q)| (base, format!("?{q}")));
    let start = base.find("://").map_or(0, |at| at + 3);
    let end = base[start..].find('/').map_or(base.len(), |at| start + at);
    format!("{}/{name}{query}", &base[..end])
}

async fn find_server() -> Option<Server> {
    if let Ok(url) = std::env::var(URL_VARIABLE) {
        return Some(Server { url, _users: None });
    }
    let programs = find_programs()?;
    program::find(&["flock"])?;
    let folder = prepare_folder();
    let waiting = folder.clone();
    let (users, starting) = tokio::task::spawn_blocking(move || lock(&waiting)).await.unwrap();
    let url = match running(&folder).await {
        Some(url) => url,
        None => start(&folder, &programs),
    };
    drop(starting);
    Some(Server { url, _users: Some(users) })
}

pub(super) fn find_programs() -> Option<PathBuf> {
    let has_all =
        |folder: &PathBuf| ["postgres", "initdb", "pg_ctl"].iter().all(|name| folder.join(name).is_file());
    let mut debian: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort();
    let on_path = program::find(&["initdb"]).and_then(|file| file.parent().map(Path::to_path_buf));
    debian.into_iter().rev().chain(on_path).find(has_all)
}

/// The folder of the server that all tests of this user share. The number changes with
/// what is in it.
fn prepare_folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("modelpager-test-postgres-1-{}", user_id()));
    fs::create_dir_all(&folder).unwrap();
    if user_id() == 0 {
        // PostgreSQL refuses to run as root.
        let changed = Command::new("chown").arg("postgres:").arg(&folder).status().unwrap();
        assert!(changed.success(), "cannot give {} to the user postgres", folder.display());
    }
    folder
}

pub(super) fn user_id() -> u32 {
    fs::metadata("/proc/self").map_or(u32::MAX, |metadata| metadata.uid())
}

/// Takes the shared lock that keeps the server alive, then the one that lets a single
/// process look and start.
fn lock(folder: &Path) -> (File, File) {
    let open =
        |name: &str| File::options().create(true).append(true).read(true).open(folder.join(name)).unwrap();
    let (users, starting) = (open("users.lock"), open("starting.lock"));
    users.lock_shared().unwrap();
    starting.lock().unwrap();
    (users, starting)
}

/// The URL of the shared server, if it answers.
async fn running(folder: &Path) -> Option<String> {
    let url = fs::read_to_string(folder.join("url")).ok()?;
    let connection = PgConnection::connect(&url).await.ok()?;
    // Whether the goodbye arrives does not matter.
    let _ = connection.close().await;
    Some(url)
}

fn start(folder: &Path, programs: &Path) -> String {
    let mut problem = String::new();
    // The port may be taken by the time the server wants it.
    for _ in 0..3 {
        let port = program::free_port();
        let mut command = as_server_user(START);
        let output = command.args([folder, programs]).args([&port.to_string(), WATCHDOG]).output().unwrap();
        if output.status.success() {
            let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
            fs::write(folder.join("url"), &url).unwrap();
            return url;
        }
        let log = fs::read_to_string(folder.join("server.log")).unwrap_or_default();
        problem = format!("{}{log}", String::from_utf8_lossy(&output.stderr));
    }
    panic!("PostgreSQL does not start:\n{problem}");
}

/// `sh` with `script`, as a user PostgreSQL agrees to run as.
pub(super) fn as_server_user(script: &str) -> Command {
    let mut command = Command::new(if user_id() == 0 { "runuser" } else { "sh" });
    if user_id() == 0 {
        command.args(["-u", "postgres", "--", "sh"]);
    }
    command.args(["-c", script, "sh"]).current_dir(std::env::temp_dir());
    command
}

#[test]
fn the_database_is_put_into_any_url() {
    let cases = [
        ("postgres://u:p@h:5432/old?sslmode=disable", "postgres://u:p@h:5432/new?sslmode=disable"),
        ("postgres://u@h/old", "postgres://u@h/new"),
        ("postgres://h", "postgres://h/new"),
    ];
    for (url, expected) in cases {
        assert_eq!(with_database(url, "new"), expected);
    }
}
