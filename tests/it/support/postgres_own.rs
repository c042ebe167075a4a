//! A PostgreSQL of one test's own, which that test may restart. It waits for the disk before
//! it says that something is committed, as servers do.

use std::path::PathBuf;
use std::process::Command;

use super::postgres::{as_server_user, find_programs, user_id};
use super::program;

/// `$1` folder, `$2` folder of PostgreSQL's programs. Without `-F`: a restart in the mode
/// `immediate` must keep what was committed.
const MAKE: &str = r#""$2/initdb" -D "$1/data" -U postgres -A trust -E UTF8 --locale=C --no-sync"#;
/// `$3` port.
const START: &str = r#""$2/pg_ctl" -D "$1/data" -w -t 60 -l "$1/server.log" \
    -o "-h 127.0.0.1 -p $3 -k '' -c shared_buffers=32MB -c max_connections=100" start >/dev/null"#;
/// `$3` mode.
const STOP: &str = r#""$2/pg_ctl" -D "$1/data" -w -m "$3" stop >/dev/null"#;

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Clients are told, then it ends in order.
    Fast,
    /// As if it had crashed: it recovers at the next start.
    Immediate,
}

/// The server. It is stopped and removed when this is dropped.
pub struct OwnServer {
    folder: tempfile::TempDir,
    programs: PathBuf,
    port: u16,
}

impl OwnServer {
    /// Makes and starts one; `None` when there is no PostgreSQL and `test` is skipped.
    pub fn start(test: &str) -> Option<Self> {
        let Some(programs) = find_programs() else {
            program::skip(test, "PostgreSQL (postgres, initdb, pg_ctl)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        if user_id() == 0 {
            // PostgreSQL refuses to run as root.
            assert!(Command::new("chown").arg("postgres:").arg(folder.path()).status().unwrap().success());
        }
        let server = Self { folder, programs, port: program::free_port() };
        server.run(MAKE, "");
        server.start_again();
        Some(server)
    }

    /// `postgres://…` of a database that is there from the start.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Stops it.
    pub fn stop(&self, mode: Stop) {
        self.run(STOP, if mode == Stop::Fast { "fast" } else { "immediate" });
    }

    /// Starts it after a stop, with its data.
    pub fn start_again(&self) {
        self.run(START, &self.port.to_string());
    }

    fn run(&self, script: &str, argument: &str) {
        let mut command = as_server_user(script);
        command.arg(self.folder.path()).arg(&self.programs).arg(argument);
        let output = command.output().unwrap();
        let log = std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        assert!(output.status.success(), "{}{log}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let mut command = as_server_user(STOP);
        command.arg(self.folder.path()).arg(&self.programs).arg("immediate");
        // It may be stopped already.
        let _ = command.output();
    }
}
