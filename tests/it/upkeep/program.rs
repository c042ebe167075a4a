//! The program as this house's tests start it: with a mask, with every statement in its log.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::http;
use crate::support::program::{self, Program};

/// A server in a folder of its own, with SQLite beside its configuration.
pub struct Server {
    pub program: Program,
    pub url: String,
    pub folder: tempfile::TempDir,
}

impl Server {
    /// Starts with this configuration; `prelude` is what the shell does before, `log` the
    /// log's level.
    pub async fn start(config: &Value, prelude: &str, log: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), config, prelude, log).await
    }

    pub async fn start_in(folder: tempfile::TempDir, config: &Value, prelude: &str, log: &str) -> Self {
        let address = format!("127.0.0.1:{}", program::free_port());
        let mut config = config.clone();
        config["server"]["listen"] = json!(address);
        if config["storage"].is_null() {
            let file = folder.path().join("modelpager.db");
            config["storage"] = json!({"url": format!("sqlite://{}", file.display())});
        }
        std::fs::write(folder.path().join("modelpager.yml"), config.to_string()).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{prelude} exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_modelpager")]);
        command.args(["serve", "--config", "modelpager.yml", "--log.format", "json", "--log.level", log]);
        command.current_dir(folder.path());
        let mut program = Program::start("modelpager", command, folder.path());
        let url = format!("http://{address}");
        let ready = format!("{url}/-/ready");
        program.wait_until(|| async { http::get(&ready).await.is_ok_and(|reply| reply.status == 200) }).await;
        Self { program, url, folder }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub async fn post(&self, body: &Value) -> Value {
        let reply = http::post_json(&format!("{}/webhooks/alertmanager", self.url), body).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.json()
    }
}

/// Runs another command of the program to its end, in that folder.
pub fn run(folder: &Path, prelude: &str, args: &[&str]) -> Output {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{prelude} exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_modelpager")]);
    command.args(args).current_dir(folder).env_remove("RUST_LOG").env("NO_COLOR", "1");
    command.output().unwrap()
}

/// What a command said, on both of its outputs.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The permission bits of a file.
pub fn mode(file: &Path) -> u32 {
    std::fs::metadata(file).unwrap_or_else(|e| panic!("{}: {e}", file.display())).permissions().mode()
        & 0o7777
}
