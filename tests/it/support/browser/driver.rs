//! The processes of a browser: one chromedriver and the Chromium it starts, with a profile of
//! their own, a way to nowhere but loopback, and an end when their owner ends.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};

use super::Look;
use crate::support::program::{self, Program};

/// The width and the height of the page on a desk.
pub const DESK: (u32, u32) = (1280, 900);
/// The width and the height of the page on a phone.
pub const PHONE: (u32, u32) = (390, 844);

/// How long a killed process may take to be gone.
const END_LIMIT: Duration = Duration::from_secs(10);

/// What chromedriver says when it listens; the port follows.
const STARTED: &str = "started successfully on port ";

/// Chromium without what it does by itself, for a page that must not depend on the machine.
const FLAGS: &[&str] = &[
    "--headless=new",
    // Pages are ours, and neither root nor a container has a sandbox.
    "--no-sandbox",
    "--disable-gpu",
    // A container's shared memory is small.
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--force-prefers-reduced-motion",
    "--force-color-profile=srgb",
    "--lang=en-US",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--no-pings",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-crash-reporter",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-sync",
    // Every name but loopback is unknown, whatever asks for it.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
    // Chromium ends when its driver does, even when the driver is killed.
    "--remote-debugging-pipe",
];

/// The programs a browser is made of.
pub struct Programs {
    driver: PathBuf,
    browser: PathBuf,
}

impl Programs {
    /// Where they are; `None` after having said that `test` is skipped.
    pub fn find_or_skip(test: &str) -> Option<Self> {
        let driver = program::find_or_skip(test, &["chromedriver"])?;
        let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
        let browser = program::find_or_skip(test, &names)?;
        Some(Self { driver, browser })
    }
}

/// chromedriver under way. It is killed with everything it has started when this is dropped.
pub struct Driver {
    program: Program,
    url: String,
    browser: PathBuf,
    folder: tempfile::TempDir,
}

impl Driver {
    /// Starts one on a port that nobody else has.
    pub async fn start(programs: &Programs) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(&programs.driver);
        command.arg("--port=0");
        // What a browser leaves in a home ends with the folder.
        for name in ["HOME", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"] {
            command.env(name, folder.path());
        }
        command.env("TZ", "UTC").env("LANG", "C.UTF-8").env("DBUS_SESSION_BUS_ADDRESS", "disabled:");
        let mut program = Program::start("chromedriver", command, folder.path());
        let log = folder.path().join("chromedriver.log");
        program.wait_until(|| async { port(&log).is_some() }).await;
        let url = format!("http://127.0.0.1:{}", port(&log).unwrap());
        Self { program, url, browser: programs.browser.clone(), folder }
    }

    /// Opens a window of that look.
    ///
    /// # Panics
    /// When Chromium does not start.
    pub async fn open(&self, look: Look, javascript: bool) -> Client {
        let mut flags: Vec<String> = FLAGS.iter().map(|&flag| flag.to_owned()).collect();
        flags.push(format!("--user-data-dir={}", self.folder.path().join("profile").display()));
        let mut options = json!({"binary": self.browser, "args": flags});
        if look == Look::Phone {
            let (width, height) = PHONE;
            let metrics = json!({"width": width, "height": height, "pixelRatio": 2.0, "touch": true});
            options["mobileEmulation"] = json!({"deviceMetrics": metrics});
        }
        // The first page is an empty one: that of Chromium's own makes three hundred requests.
        options["prefs"] = json!({"session.restore_on_startup": 4, "session.startup_urls": ["about:blank"]});
        if !javascript {
            options["prefs"]["profile.managed_default_content_settings.javascript"] = json!(2);
        }
        let mut capabilities = Map::new();
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        capabilities.insert("goog:loggingPrefs".to_owned(), json!({"browser": "ALL", "performance": "ALL"}));
        capabilities.insert("timeouts".to_owned(), json!({"pageLoad": 30_000, "script": 30_000}));
        ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&self.url)
            .await
            .unwrap_or_else(|error| panic!("Chromium does not start: {error}"))
    }

    /// The driver and every process it has started, themselves or through others.
    pub fn processes(&self) -> Vec<u32> {
        family(self.program.id())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let processes = self.processes();
        // Some of them may have ended in the meantime.
        let _ = Command::new("kill")
            .arg("-KILL")
            .args(processes.iter().map(u32::to_string))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        self.program.kill();
        // Their folder goes next: nobody may write to it any more.
        let began = Instant::now();
        while processes.iter().any(|&id| runs(id)) && began.elapsed() < END_LIMIT {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The port chromedriver has chosen, once it listens.
fn port(log: &Path) -> Option<u16> {
    let text = fs::read_to_string(log).ok()?;
    let (_, rest) = text.split_once(STARTED)?;
    rest.split_once('.').and_then(|(number, _)| number.parse().ok())
}

/// A process and all its descendants, where `/proc` tells.
fn family(root: u32) -> Vec<u32> {
    let all: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|id| Some((id, status(id)?.1)))
        .collect();
    let mut found = BTreeSet::from([root]);
    loop {
        let known = found.len();
        found.extend(
            all.iter().filter(|(_, parent)| found.contains(parent)).map(|(id, _)| *id).collect::<Vec<_>>(),
        );
        if found.len() == known {
            return found.into_iter().collect();
        }
    }
}

/// Whether a process is there and more than a zombie.
pub fn runs(id: u32) -> bool {
    status(id).is_some_and(|(state, _)| state != 'Z' && state != 'X')
}

/// The state and the parent of a process.
fn status(id: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name before it may hold anything.
    let (_, rest) = text.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    Some((words.next()?.chars().next()?, words.next()?.parse().ok()?))
}

/// A call of WebDriver that only Chromium's driver has.
#[derive(Debug)]
pub struct Extension {
    pub path: &'static str,
    pub body: Value,
}

impl fantoccini::wd::WebDriverCompatibleCommand for Extension {
    fn endpoint(
        &self,
        base: &reqwest::Url,
        session: Option<&str>,
    ) -> Result<reqwest::Url, <reqwest::Url as std::str::FromStr>::Err> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &reqwest::Url) -> (reqwest::Method, Option<String>) {
        (reqwest::Method::POST, Some(self.body.to_string()))
    }
}
