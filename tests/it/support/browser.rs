//! A real browser, Chromium behind chromedriver, used as a person would use it.
//!
//! Whatever acts on an element waits for it, for at most [`LIMIT`]; a test waits for what it
//! expects ([`Browser::wait_for`], [`Browser::wait_for_text`]) and never for time to pass.
//! What cannot be done ends the test and says what the page shows instead.

mod driver;
mod measures;

use std::time::Duration;

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
pub use fantoccini::key::Key;
use fantoccini::{Client, Locator};
use parking_lot::Mutex;
use serde_json::{Value, json};

pub use self::driver::runs;
use self::driver::{DESK, Driver, Extension, Programs};

/// How long a page may take to show what it is bound to show.
pub const LIMIT: Duration = Duration::from_secs(10);

/// How often it is asked.
const PERIOD: Duration = Duration::from_millis(25);

/// On what the page is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// A desk, 1280 by 900.
    Light,
    /// The same, of someone who prefers dark pages.
    Dark,
    /// A phone, 390 by 844.
    Phone,
}

impl Look {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Light, Self::Dark, Self::Phone];

    /// As a part of file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
            Self::Phone => "phone",
        }
    }
}

/// A browser with one window. It ends with every process of its own when this is dropped.
pub struct Browser {
    client: Client,
    look: Look,
    /// Whether pages run scripts.
    javascript: bool,
    limit: Duration,
    /// Every address asked for so far.
    requested: Mutex<Vec<String>>,
    driver: Driver,
}

impl Browser {
    /// Starts one; `None` when something it needs is not installed and the test is skipped.
    ///
    /// # Panics
    /// When it is installed and does not start; instead of skipping, where `CI=true`.
    pub async fn start(look: Look) -> Option<Self> {
        Self::launch(look, true).await
    }

    /// Starts one whose pages run no scripts. Those of the test still do, but for timers and
    /// promises: checks that take their time want a page with scripts.
    pub async fn start_without_javascript(look: Look) -> Option<Self> {
        Self::launch(look, false).await
    }

    async fn launch(look: Look, javascript: bool) -> Option<Self> {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("a test with a browser");
        let programs = Programs::find_or_skip(test)?;
        if !measures::has_axe_or_skip(test) {
            return None;
        }
        let driver = Driver::start(&programs).await;
        let client = driver.open(look, javascript).await;
        let browser = Self { client, look, javascript, limit: LIMIT, requested: Mutex::default(), driver };
        if look != Look::Phone {
            let (width, height) = DESK;
            let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
            browser.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        }
        let scheme = if look == Look::Dark { "dark" } else { "light" };
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        browser.devtools("Emulation.setEmulatedMedia", json!({"features": features})).await;
        Some(browser)
    }

    /// What it looks like.
    pub fn look(&self) -> Look {
        self.look
    }

    /// The processes it consists of.
    pub fn processes(&self) -> Vec<u32> {
        self.driver.processes()
    }

    /// From now on it waits for so long, for what is bound not to come.
    pub fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    /// From now on pages are in this time zone: `Asia/Tokyo`. Before that it is UTC.
    pub async fn set_time_zone(&self, zone: &str) {
        self.devtools("Emulation.setTimezoneOverride", json!({"timezoneId": zone})).await;
    }

    /// Sets a cookie of the site at `url`; no page of it needs to be open.
    pub async fn set_cookie(&self, url: &str, name: &str, value: &str) {
        let answer =
            self.devtools("Network.setCookie", json!({"url": url, "name": name, "value": value})).await;
        assert_eq!(answer["success"], true, "cookie {name} for {url}");
    }

    /// Goes there and waits until the page is loaded.
    pub async fn goto(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("cannot go to {url}: {error}"));
    }

    /// Goes back to the page before.
    pub async fn back(&self) {
        self.client.back().await.unwrap();
    }

    /// Loads the page anew.
    pub async fn reload(&self) {
        self.client.refresh().await.unwrap();
    }

    /// The address of the page.
    pub async fn url(&self) -> String {
        self.client.current_url().await.unwrap().into()
    }

    /// The title of the page.
    pub async fn title(&self) -> String {
        self.client.title().await.unwrap()
    }

    /// The visible text of the first element that matches.
    pub async fn text(&self, css: &str) -> String {
        self.with(Locator::Css(css), async |element| element.text().await).await
    }

    /// The visible texts of all elements that match at this moment, maybe none.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        let all = async || {
            let mut texts = Vec::new();
            for element in self.client.find_all(Locator::Css(css)).await? {
                texts.push(element.text().await?);
            }
            Ok(texts)
        };
        self.until(&format!("the texts of {css:?}"), all).await
    }

    /// The value of an attribute of the first element that matches.
    pub async fn attr(&self, css: &str, name: &str) -> Option<String> {
        self.with(Locator::Css(css), async |element| element.attr(name).await).await
    }

    /// Clicks the first element that matches. Where that leads to takes its time: wait for it.
    pub async fn click(&self, css: &str) {
        self.with(Locator::Css(css), async |element| element.click().await).await;
    }

    /// Clicks the link with exactly this visible text. Wait for what it leads to.
    pub async fn click_link(&self, text: &str) {
        self.with(Locator::LinkText(text), async |element| element.click().await).await;
    }

    /// Types `value` into a field in the place of what was there.
    pub async fn fill(&self, css: &str, value: &str) {
        let fill = async |element: &Element| {
            element.clear().await?;
            element.send_keys(value).await
        };
        self.with(Locator::Css(css), fill).await;
    }

    /// Chooses the option with that value (its text, when it has none) of a `select`.
    ///
    /// # Panics
    /// When there is no such option.
    pub async fn select(&self, css: &str, value: &str) {
        let select = async |element: &Element| {
            let mut known = Vec::new();
            for option in element.find_all(Locator::Css("option")).await? {
                let its = option.prop("value").await?.unwrap_or_default();
                if its == value {
                    return option.click().await;
                }
                known.push(its);
            }
            panic!("{css:?} has no option {value:?}, only {known:?}")
        };
        self.with(Locator::Css(css), select).await;
    }

    /// Sends a form by its first button that does so, and waits for the page that answers.
    ///
    /// # Panics
    /// When the page stays, as where a script takes care of the form: [`Browser::click`] its button.
    pub async fn submit(&self, css: &str) {
        let buttons = "button:not([type]), button[type=submit], input[type=submit], input[type=image]";
        let submit = async |form: &Element| {
            form.find(Locator::Css(buttons)).await?.click().await?;
            Ok(form.clone())
        };
        let form = self.with(Locator::Css(css), submit).await;
        let gone = async || match form.tag_name().await {
            Err(error) if error.is_stale_element_reference() => Ok(()),
            _ => Err(CmdError::WaitTimeout),
        };
        self.until(&format!("the answer to {css:?}"), gone).await;
    }

    /// Presses a key where the focus is: `Key::Tab`, `'j'`.
    pub async fn press(&self, key: impl Into<char>) {
        let value = key.into();
        let stroke = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value })
            .then(KeyAction::Up { value });
        self.client.perform_actions(stroke).await.unwrap();
    }

    /// Waits until an element matches.
    ///
    /// # Panics
    /// When none does within [`LIMIT`].
    pub async fn wait_for(&self, css: &str) {
        self.with(Locator::Css(css), async |_| Ok(())).await;
    }

    /// Waits until the visible text of the first element that matches contains `needle`.
    ///
    /// # Panics
    /// When it does not within [`LIMIT`].
    pub async fn wait_for_text(&self, css: &str, needle: &str) {
        let shown = async || {
            let text = self.client.find(Locator::Css(css)).await?.text().await?;
            if text.contains(needle) { Ok(()) } else { Err(CmdError::WaitTimeout) }
        };
        self.until(&format!("{needle:?} in {css:?}"), shown).await;
    }

    /// Waits until the address of the page contains `part`.
    ///
    /// # Panics
    /// When it does not within [`LIMIT`].
    pub async fn wait_for_url(&self, part: &str) {
        let there = async || {
            let url = self.client.current_url().await?;
            if url.as_str().contains(part) { Ok(()) } else { Err(CmdError::WaitTimeout) }
        };
        self.until(&format!("{part:?} in the address"), there).await;
    }

    /// The value of a JavaScript expression; of a promise, what it comes to.
    ///
    /// # Panics
    /// When it throws.
    pub async fn eval(&self, js: &str) -> Value {
        self.execute(&format!("return ({js});")).await
    }

    /// Runs statements in the page; the policy of the page does not hold for them.
    async fn execute(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// One call of Chromium's own protocol.
    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.extension("goog/cdp/execute", body).await
    }

    async fn extension(&self, path: &'static str, body: Value) -> Value {
        let said = body.to_string();
        let answer = self.client.issue_cmd(Extension { path, body }).await;
        answer.unwrap_or_else(|error| panic!("{path} {said}: {error}"))
    }

    /// Finds an element and does something with it, again while a page in motion prevents it.
    async fn with<T>(
        &self,
        locator: Locator<'_>,
        action: impl AsyncFn(&Element) -> Result<T, CmdError>,
    ) -> T {
        let attempt = async || action(&self.client.find(locator).await?).await;
        self.until(&format!("{locator:?}"), attempt).await
    }

    /// Asks again and again until there is an answer.
    async fn until<T>(&self, what: &str, mut ask: impl AsyncFnMut() -> Result<T, CmdError>) -> T {
        let end = tokio::time::Instant::now() + self.limit;
        loop {
            let error = match ask().await {
                Ok(answer) => return answer,
                Err(error) => error,
            };
            assert!(may_pass(&error), "{what}: {error}");
            if tokio::time::Instant::now() >= end {
                let url = self.url().await;
                let shown = self.eval("document.body.innerText.slice(0, 2000)").await;
                let shown = shown.as_str().unwrap_or_default();
                panic!("not within {:?}: {what}: {error}\n{url} shows:\n{shown}", self.limit);
            }
            tokio::time::sleep(PERIOD).await;
        }
    }
}

/// Whether a page that still changes may do what this one did not.
fn may_pass(error: &CmdError) -> bool {
    let in_motion = error.is_no_such_element()
        || error.is_stale_element_reference()
        || error.is_element_not_interactable()
        || matches!(error, CmdError::WaitTimeout);
    // The library has no name for this one.
    in_motion || error.to_string().contains("element click intercepted")
}
