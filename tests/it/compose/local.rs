//! The files of the compose set-up, made to run as local processes.
//!
//! The only changes are the ones that containers bring with them: a service's name becomes
//! an address on loopback, and a folder that compose mounts becomes a folder of the test.
//! Everything else, the arguments of the programs included, is what is deployed.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::support::program::find_or_skip;

/// Where each service of the compose set-up is to be found instead.
pub struct Addresses {
    pub modelpager: String,
    pub alertmanager: String,
    pub toy_exporter: String,
    pub smtp_port: u16,
}

impl Default for Addresses {
    fn default() -> Self {
        let local = |port: u16| format!("127.0.0.1:{port}");
        Self {
            modelpager: local(9095),
            alertmanager: local(9093),
            toy_exporter: local(9464),
            smtp_port: 1025,
        }
    }
}

/// A copy of `deploy/compose` that runs here.
pub struct Local {
    folder: TempDir,
}

impl Local {
    /// Copies the files with their addresses replaced.
    pub fn prepare(addresses: &Addresses) -> Self {
        let folder = TempDir::new().unwrap();
        let root = folder.path().to_str().unwrap().to_owned();
        let replacements = [
            ("0.0.0.0:9095", addresses.modelpager.clone()),
            ("modelpager:9095", addresses.modelpager.clone()),
            ("alertmanager:9093", addresses.alertmanager.clone()),
            ("toy-exporter:9464", addresses.toy_exporter.clone()),
            ("host: mailpit, port: 1025", format!("host: 127.0.0.1, port: {}", addresses.smtp_port)),
            ("/run/secrets/", format!("{root}/secrets/")),
            ("sqlite:///data/", format!("sqlite://{root}/modelpager-data/")),
        ];
        copy(&repository().join("deploy/compose"), folder.path(), &replacements);
        Self { folder }
    }

    /// A file of the copy, or a place for one.
    pub fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// What compose starts `service` with, as it is to be started here: the arguments with
    /// every mounted folder replaced by its local one.
    pub fn arguments(&self, service: &str) -> Vec<String> {
        let file = compose_file();
        let service = &file["services"][service];
        let mounts: Vec<(&str, String)> =
            texts(&service["volumes"]).into_iter().map(|mount| self.mount(mount)).collect();
        let secrets = ("/run/secrets", self.file("secrets").display().to_string());
        let local = |argument: &str| {
            let starts = |(inside, _): &&(&str, String)| {
                argument.contains(&format!("{inside}/")) || argument.ends_with(inside)
            };
            let found = mounts.iter().chain([&secrets]).find(starts);
            found.map_or_else(
                || argument.to_owned(),
                |(inside, outside)| argument.replacen(inside, outside, 1),
            )
        };
        texts(&service["command"]).into_iter().map(local).collect()
    }

    /// `./deploy/compose/x:/etc/x:ro` → `/etc/x` and where it is here.
    fn mount<'a>(&self, mount: &'a str) -> (&'a str, String) {
        let mut parts = mount.split(':');
        let (outside, inside) = (parts.next().unwrap(), parts.next().unwrap());
        let here = match (outside.strip_prefix("./deploy/compose/"), outside.strip_prefix("./")) {
            (Some(copied), _) => self.file(copied),
            (None, Some(other)) => repository().join(other),
            (None, None) => self.file(outside),
        };
        (inside, here.display().to_string())
    }
}

/// `docker-compose.yml`, with its anchors resolved.
pub fn compose_file() -> Map<String, Value> {
    let text = std::fs::read_to_string(repository().join("docker-compose.yml")).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

/// The texts of a list; none when it is absent.
pub fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn copy(from: &Path, to: &Path, replacements: &[(&str, String)]) {
    for entry in std::fs::read_dir(from).unwrap() {
        let source = entry.unwrap().path();
        let target = to.join(source.file_name().unwrap());
        if source.is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&source, &target, replacements);
        } else {
            let text = std::fs::read_to_string(&source).unwrap();
            let text = replacements.iter().fold(text, |text, (old, new)| text.replace(old, new));
            std::fs::write(target, text).unwrap();
        }
    }
}

/// The repository's root.
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A command of the first program of `names` that is installed; `None` after having said
/// that `test` is skipped.
pub fn tool(test: &str, names: &[&str]) -> Option<Command> {
    find_or_skip(test, names).map(Command::new)
}

/// Runs a command that must succeed and answers what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}\n{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    printed
}
