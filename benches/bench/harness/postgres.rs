//! A PostgreSQL of our own, as its package comes: `fsync` on, commits waited for. Ended and
//! removed with its data when dropped.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::product::{free_address, fresh_folder};

/// `$1` folder, `$2` folder of PostgreSQL's programs, `$3` port.
const START: &str = r#"
set -eu
"$2/initdb" -D "$1/data" -U postgres -A trust -E UTF8 --locale=C
"$2/pg_ctl" -D "$1/data" -w -t 60 -l "$1/server.log" -o "-h 127.0.0.1 -p $3 -k ''" start
"#;
const STOP: &str = r#""$2/pg_ctl" -D "$1/data" -m immediate stop"#;

/// A running server.
pub struct Postgres {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
}

impl Postgres {
    /// Starts one with its data below `parent`.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub fn start(parent: &Path) -> anyhow::Result<Self> {
        let programs = find_programs()
            .context("PostgreSQL (initdb, pg_ctl) is not installed: scripts/test-setup.sh installs it")?;
        let folder = fresh_folder(parent)?;
        if is_root() {
            // PostgreSQL refuses to run as root.
            Command::new("chown").arg("postgres:").arg(&folder).status()?;
        }
        let server = Self { folder, programs, port: free_address()?.port() };
        let output = server.command(START).output()?;
        if !output.status.success() {
            bail!("PostgreSQL does not start: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(server)
    }

    /// Makes a database; answers its URL.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn create_database(&self, name: &str) -> anyhow::Result<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut connection = PgConnection::connect(&self.url("postgres")).await?;
            connection.execute(sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))).await?;
            connection.close().await
        })?;
        Ok(self.url(name))
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// `sh` with `script`, as a user PostgreSQL agrees to run as.
    fn command(&self, script: &str) -> Command {
        let mut command = Command::new(if is_root() { "runuser" } else { "sh" });
        if is_root() {
            command.args(["-u", "postgres", "--", "sh"]);
        }
        command.args(["-c", script, "sh"]).args([&self.folder, &self.programs]).arg(self.port.to_string());
        command.current_dir(std::env::temp_dir()).stdin(Stdio::null());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.command(STOP).output();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

fn find_programs() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.flatten().map(|version| version.path().join("bin")).collect())
        .unwrap_or_default();
    folders.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let has_all = |folder: &PathBuf| ["initdb", "pg_ctl"].iter().all(|name| folder.join(name).is_file());
    folders.into_iter().rev().chain(on_path).find(has_all)
}
