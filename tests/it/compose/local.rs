//! The files of the compose set-up, made to run as local processes.
//!
//! The only changes are the ones that containers bring with them: a service's name becomes
//! an address on loopback, and what compose mounts (`/run/secrets`, `/data`) becomes a
//! folder of the test. Everything else is the file that is deployed.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

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
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let replacements = [
            ("0.0.0.0:9095", addresses.modelpager.clone()),
            ("modelpager:9095", addresses.modelpager.clone()),
            ("alertmanager:9093", addresses.alertmanager.clone()),
            ("toy-exporter:9464", addresses.toy_exporter.clone()),
            ("host: mailpit, port: 1025", format!("host: 127.0.0.1, port: {}", addresses.smtp_port)),
            ("/run/secrets/", format!("{root}/secrets/")),
            ("sqlite:///data/", format!("sqlite://{root}/data/")),
        ];
        copy(&repository().join("deploy/compose"), folder.path(), &replacements);
        Self { folder }
    }

    /// A file of the copy, or a place for one.
    pub fn file(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }
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

/// Runs a program that must succeed and answers what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| {
        panic!("{:?} cannot be started ({error}); scripts/test-setup.sh installs it", command.get_program())
    });
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}\n{printed}\n{}", String::from_utf8_lossy(&output.stderr));
    printed
}
