//! Finding, starting and ending other programs.
//!
//! A test whose program is not there says so and passes, except where `CI=true`: there it
//! fails, so that nothing is skipped where it counts.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to be ready. Generous: the machine may be busy.
pub const READY_LIMIT: Duration = Duration::from_secs(60);

/// Where Debian puts programs that are not on the `PATH`.
const MORE_FOLDERS: [&str; 2] = ["/usr/sbin", "/usr/local/bin"];

/// The first of `names` that is installed; `None` after having said that `test` is skipped.
///
/// # Panics
/// Instead of skipping, where `CI=true`.
pub fn find_or_skip(test: &str, names: &[&str]) -> Option<PathBuf> {
    let found = find(names);
    if found.is_none() {
        skip(test, names.join(" or "));
    }
    found
}

/// The first of `names` that is installed.
pub fn find(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> =
        std::env::split_paths(&path).chain(MORE_FOLDERS.iter().map(PathBuf::from)).collect();
    names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
}

/// Says that `test` is skipped for want of `program`.
///
/// # Panics
/// Instead of skipping, where `CI=true`.
pub fn skip(test: &str, program: impl AsRef<str>) {
    let message = format!("SKIPPED: {test} needs {}; scripts/test-setup.sh installs it", program.as_ref());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
    eprintln!("{message}");
}

/// `$1` folder, `$2` names. An authority, and a certificate of it for those names.
const CERTIFICATES: &str = r#"
set -eu
cd "$1"
key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
openssl req -x509 $key -keyout ca.key -out ca.pem -days 2 -subj "/CN=Test authority"
openssl req $key -keyout server.key -out server.csr -subj "/CN=localhost"
printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\n' "$2" >server.ext
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.pem
"#;

/// Puts `ca.pem`, `server.pem` and `server.key` for `names` (`DNS:localhost,IP:127.0.0.1`)
/// into a folder; wants openssl.
///
/// # Panics
/// When openssl does not do it.
pub fn make_certificates(folder: &Path, names: &str) {
    let made = Command::new("sh").args(["-c", CERTIFICATES, "sh"]).arg(folder).arg(names).output().unwrap();
    assert!(made.status.success(), "no certificates: {}", String::from_utf8_lossy(&made.stderr));
}

/// A port nobody listens on at this moment.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A program under way. It is killed when this is dropped, and its output is shown when
/// that happens in a failing test.
pub struct Program {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `command` with its output going to a file in `folder`.
    pub fn start(name: &str, mut command: Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let output = File::create(&log).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Self { name: name.to_owned(), child, log }
    }

    /// Waits for `ready` to say yes.
    ///
    /// # Panics
    /// When the program ends before that, or is not ready within [`READY_LIMIT`].
    pub async fn wait_until<F: Future<Output = bool>>(&mut self, mut ready: impl FnMut() -> F) {
        let began = Instant::now();
        while !ready().await {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("{} ended with {status} before it was ready", self.name);
            }
            assert!(began.elapsed() < READY_LIMIT, "{} is not ready after {READY_LIMIT:?}", self.name);
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has printed.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal: `TERM`, `HUP`.
    pub fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success(), "{command}");
    }

    /// Waits for it to end by itself.
    ///
    /// # Panics
    /// When it still runs after [`READY_LIMIT`].
    pub async fn wait_for_end(&mut self) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < READY_LIMIT, "{} still runs after {READY_LIMIT:?}", self.name);
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- output of {} ---\n{}--- end of {} ---", self.name, self.log(), self.name);
        }
    }
}
