//! What can be measured at a page: what it complains about, who it shuts out, what it looks
//! like, how much it jumps, and what it loads from where.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fantoccini::error::CmdError;
use serde_json::{Value, json};

use super::Browser;
use crate::support::program;

/// Says which version of axe there is.
const SETUP: &str = include_str!("../../../../scripts/test-setup.sh");

/// Runs axe. The answer holds what it has found and how much it has looked at.
const AXE_RUN: &str = "
return axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    resultTypes: ['violations'],
}).then(found => ({violations: found.violations, passes: found.passes.length}));";

/// The sum of the shifts that no one's click or key explains. Those that have happened are told
/// to an observer after it is made, not at once: two frames and a task later all have come.
const LAYOUT_SHIFT: &str = "
return new Promise(done => {
    let sum = 0;
    const add = entries => {
        for (const entry of entries) if (!entry.hadRecentInput) sum += entry.value;
    };
    const observer = new PerformanceObserver(list => add(list.getEntries()));
    observer.observe({type: 'layout-shift', buffered: true});
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => {
        add(observer.takeRecords());
        done(sum);
    })));
});";

const TRANSFERRED: &str = "
return performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))
    .reduce((sum, entry) => sum + entry.transferSize, 0);";

/// Addresses that no network is asked for.
const LOCAL: [&str; 5] = ["data:", "blob:", "about:", "chrome:", "chrome-untrusted:"];

/// The folder for what is built.
fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

/// Whether the accessibility checker is there; if not, `test` is said to be skipped.
pub fn has_axe_or_skip(test: &str) -> bool {
    let there = axe().is_file();
    if !there {
        program::skip(test, "axe-core");
    }
    there
}

/// Where the accessibility checker belongs.
fn axe() -> PathBuf {
    let version = SETUP.lines().find_map(|line| line.strip_prefix("readonly AXE_VERSION=")).unwrap();
    target().join(format!("test-tools/axe-core-{version}/axe.min.js"))
}

impl Browser {
    /// What the page has complained about since this was last asked, as `SEVERE source: message`:
    /// errors and warnings of scripts, of the network and of the content security policy.
    pub async fn console_errors(&self) -> Vec<String> {
        // Complaints travel. What the page says now comes after all that it said before.
        let mark = "all has been said";
        self.eval(&format!("console.debug({mark:?})")).await;
        let mut entries = Vec::new();
        let told = async || {
            entries.extend(self.log("browser").await);
            let is_mark = |entry: &Value| entry["message"].as_str().is_some_and(|text| text.contains(mark));
            if entries.iter().any(is_mark) { Ok(()) } else { Err(CmdError::WaitTimeout) }
        };
        self.until("a word to the console", told).await;
        let grave = entries.iter().filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING");
        grave
            .map(|entry| {
                let text = |key: &str| entry[key].as_str().unwrap_or_default();
                format!("{} {}: {}", text("level"), text("source"), text("message"))
            })
            .collect()
    }

    /// What shuts people out: one line for each rule of WCAG 2.2 AA and of good practice that
    /// the page breaks, with its severity, where, and what to do.
    ///
    /// # Panics
    /// When the page cannot be checked at all, as in a browser without scripts.
    pub async fn accessibility_violations(&self) -> Vec<String> {
        assert!(self.javascript, "axe needs scripts");
        let source = fs::read_to_string(axe()).unwrap();
        let found = self.execute(&format!("{source}\n{AXE_RUN}")).await;
        assert_ne!(found["passes"], 0, "axe has looked at nothing");
        found["violations"].as_array().unwrap().iter().map(violation).collect()
    }

    /// Saves the whole page, also what is below the fold, as `target/screenshots/NAME-LOOK.png`.
    pub async fn screenshot(&self, name: &str) -> PathBuf {
        let metrics = self.devtools("Page.getLayoutMetrics", json!({})).await;
        let size = &metrics["cssContentSize"];
        let clip = json!({
            "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1,
        });
        let wanted = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let picture = self.devtools("Page.captureScreenshot", wanted).await;
        let folder = target().join("screenshots");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{name}-{}.png", self.look().name()));
        fs::write(&file, STANDARD.decode(picture["data"].as_str().unwrap()).unwrap()).unwrap();
        file
    }

    /// How much of the page has moved by itself since it was opened: 0 is nothing, from 0.1 on
    /// people notice.
    ///
    /// # Panics
    /// In a browser without scripts.
    pub async fn layout_shift(&self) -> f64 {
        assert!(self.javascript, "to see what moves needs scripts");
        self.execute(LAYOUT_SHIFT).await.as_f64().unwrap()
    }

    /// What the page and all it has loaded took on the wire, in bytes, with headers.
    pub async fn transferred_bytes(&self) -> u64 {
        self.execute(TRANSFERRED).await.as_u64().unwrap()
    }

    /// Every address this browser has asked for since it was started, also in vain, but not
    /// what needs no network (`data:`, `blob:`, the browser's own pages).
    pub async fn requests(&self) -> Vec<String> {
        let entries = self.log("performance").await;
        let messages = entries
            .iter()
            .map(|entry| serde_json::from_str::<Value>(entry["message"].as_str().unwrap()).unwrap());
        let addresses = messages
            .filter(|message| message["message"]["method"] == "Network.requestWillBeSent")
            .map(|message| message["message"]["params"]["request"]["url"].as_str().unwrap().to_owned())
            .filter(|url| !LOCAL.iter().any(|scheme| url.starts_with(scheme)));
        let mut requested = self.requested.lock();
        requested.extend(addresses);
        requested.clone()
    }

    /// What has come to one of the driver's logs since it was last asked for it.
    async fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self.extension("se/log", json!({"type": kind})).await;
        entries.as_array().unwrap().clone()
    }
}

/// `RULE (IMPACT) at SELECTOR, SELECTOR: SUMMARY`
fn violation(found: &Value) -> String {
    let nodes = found["nodes"].as_array().unwrap();
    let selectors: Vec<String> = nodes.iter().map(|node| targets(&node["target"])).collect();
    let summary = nodes[0]["failureSummary"].as_str().unwrap_or_default();
    let summary: Vec<&str> = summary.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    format!(
        "{} ({}) at {}: {}",
        found["id"].as_str().unwrap(),
        found["impact"].as_str().unwrap_or("unknown"),
        selectors.join(", "),
        summary.join(" ")
    )
}

/// A selector, or several through frames and shadow roots.
fn targets(target: &Value) -> String {
    let parts = target.as_array().unwrap().iter();
    parts
        .map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned))
        .collect::<Vec<_>>()
        .join(" ")
}
