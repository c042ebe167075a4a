//! PgBouncer before a PostgreSQL server, for one test.

use std::fs;
use std::process::Command;

use sqlx::{Connection as _, PgConnection};

use super::postgres::{Database, user_id};
use super::program::{self, Program};

/// The pooler under way.
pub struct PgBouncer {
    url: String,
    _program: Program,
    _folder: tempfile::TempDir,
}

impl PgBouncer {
    /// Starts one in this mode; `None` when there is none and `test` is skipped.
    pub async fn start(test: &str, database: &Database, mode: &str) -> Option<Self> {
        let file = program::find_or_skip(test, &["pgbouncer"])?;
        let folder = tempfile::tempdir().unwrap();
        let port = program::free_port();
        let server = database.server_url().split_once('@').unwrap().1;
        let (host, server_port) = server.split('/').next().unwrap().split_once(':').unwrap();
        let ini = folder.path().join("pgbouncer.ini");
        let settings = format!(
            "[databases]\n{name} = host={host} port={server_port} dbname={name} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = {mode}\n",
            name = database.name(),
        );
        fs::write(&ini, settings).unwrap();
        let mut command = Command::new(file);
        if user_id() == 0 {
            // It refuses to run as root.
            let shared = Command::new("chown").args(["-R", "postgres:"]).arg(folder.path()).status().unwrap();
            assert!(shared.success());
            command.args(["-u", "postgres"]);
        }
        command.arg(&ini);
        let mut program = Program::start("pgbouncer", command, folder.path());
        let url = format!("postgres://postgres@127.0.0.1:{port}/{}", database.name());
        let is_ready = async || match PgConnection::connect(&format!("{url}?sslmode=disable")).await {
            Ok(connection) => connection.close().await.is_ok(),
            // It answers, if only to say that it refuses what the driver asks for.
            Err(error) => error.as_database_error().is_some(),
        };
        program.wait_until(is_ready).await;
        Some(Self { url, _program: program, _folder: folder })
    }

    /// `postgres://…`
    pub fn url(&self) -> &str {
        &self.url
    }
}
