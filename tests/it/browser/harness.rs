//! The browser of the tests: what it reports is there, what is not there it misses, and it
//! leaves nothing behind.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use modelpager::domain::clock::SystemClock;
use modelpager::fakes::engine::{Answer, HttpServer, Provider, Request};
use serde_json::json;

use crate::support::browser::{Browser, Key, Look, runs};

/// As strict as a page of ours: no script and no style but the server's own.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     form-action 'self'";

const FAULTLESS: &str = r#"<!doctype html><html lang="en"><head><title>Faultless</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"></head>
<body><main><h1>Faultless</h1><p>Nothing to see.</p><noscript><p id="plain">Without scripts.</p></noscript>
<a href="/form">To the form</a></main></body></html>"#;

const SHUTS_OUT: &str = r#"<!doctype html><html lang="en"><head><title>Faulty</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/pale.css"></head>
<body><main><h1>Faulty</h1><img src="data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=">
<p class="pale">Hard to read.</p></main></body></html>"#;

const BREAKS_ITS_POLICY: &str = r#"<!doctype html><html lang="en"><head><title>Forbidden</title>
<link rel="icon" href="data:,"></head>
<body><script>document.title = "it ran"</script><script src="http://elsewhere.example/x.js"></script>
</body></html>"#;

const ASKS_ANOTHER: &str = r#"<!doctype html><html lang="en"><head><title>Elsewhere</title>
<link rel="icon" href="data:,"></head><body><img alt="" src="http://elsewhere.example/x.png"></body></html>"#;

const JUMPS: &str = r#"<!doctype html><html lang="en"><head><title>Jumps</title>
<link rel="icon" href="data:,"></head><body><div id="late"></div><p>Pushed down.</p>
<script src="/late.js"></script></body></html>"#;

/// After the first picture of the page, not before it: only then something moves.
const LATE: &str = "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => {
    const late = document.getElementById('late');
    late.style.height = '400px';
    late.className = 'there';
})));";

const FORM: &str = r#"<!doctype html><html lang="en"><head><title>Form</title>
<link rel="icon" href="data:,"></head><body><form action="/sent">
<label>Name <input name="name" value="before"></label>
<select name="kind"><option value="a">A</option><option value="b b">B</option></select>
<button type="button">Nothing</button><button>Send</button></form>
<ul><li>one</li><li>two</li></ul></body></html>"#;

/// The pages above, each at a path of its own.
struct Pages;

impl Provider for Pages {
    fn answer(&self, request: &Request) -> Answer {
        let (kind, body) = match request.path.as_str() {
            "/faultless" => ("text/html", FAULTLESS.to_owned()),
            "/shuts-out" => ("text/html", SHUTS_OUT.to_owned()),
            "/breaks-its-policy" => ("text/html", BREAKS_ITS_POLICY.to_owned()),
            "/asks-another" => {
                return Answer { status: 200, headers: Vec::new(), body: ASKS_ANOTHER.into() }
                    .with_header("Content-Type", "text/html");
            }
            "/jumps" => ("text/html", JUMPS.to_owned()),
            "/form" => ("text/html", FORM.to_owned()),
            "/sent" => {
                let cookie = request.header("cookie").unwrap_or_default();
                ("text/html", format!("<title>Sent</title><p>{} {cookie}</p>", request.query))
            }
            "/pale.css" => ("text/css", ".pale { color: #ccc; background: #fff; }".to_owned()),
            "/late.js" => ("text/javascript", LATE.to_owned()),
            _ => return Answer::text(404, "no such page"),
        };
        Answer { status: 200, headers: Vec::new(), body: body.into_bytes() }
            .with_header("Content-Type", format!("{kind}; charset=utf-8"))
            .with_header("Content-Security-Policy", POLICY)
    }
}

async fn pages() -> HttpServer {
    HttpServer::start(Arc::new(SystemClock), Box::new(Pages)).await.unwrap()
}

/// The width and the height of a PNG file.
pub fn size_of(picture: &Path) -> (u32, u32) {
    let bytes = std::fs::read(picture).unwrap();
    assert!(bytes.starts_with(b"\x89PNG"));
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

/// One browser for all of it: starting one takes longer than the rest.
#[tokio::test]
async fn a_browser_reports_what_is_wrong_with_a_page_and_nothing_else() {
    let Some(browser) = Browser::start(Look::Light).await else { return };
    let server = pages().await;
    let at = |path: &str| format!("{}{path}", server.url());

    browser.goto(&at("/faultless")).await;
    assert_eq!(browser.accessibility_violations().await, Vec::<String>::new());
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    assert_eq!(browser.layout_shift().await, 0.0);
    assert_eq!(browser.requests().await, [at("/faultless")]);
    let bytes = browser.transferred_bytes().await;
    assert!((FAULTLESS.len() as u64..FAULTLESS.len() as u64 + 1000).contains(&bytes), "{bytes}");
    assert_eq!(browser.eval("[innerWidth, innerHeight]").await, json!([1280, 900]));
    assert_eq!(browser.eval("matchMedia('(prefers-color-scheme: dark)').matches").await, false);

    browser.goto(&at("/shuts-out")).await;
    let violations = browser.accessibility_violations().await;
    let rule = |name: &str| violations.iter().find(|line| line.starts_with(name));
    assert!(rule("image-alt (critical) at img: ").is_some(), "{violations:?}");
    assert!(rule("color-contrast (serious) at p: ").is_some(), "{violations:?}");
    assert_eq!(violations.len(), 2, "{violations:?}");

    browser.goto(&at("/breaks-its-policy")).await;
    let errors = browser.console_errors().await;
    assert_eq!(browser.title().await, "Forbidden");
    assert!(errors.iter().any(|line| line.contains("inline script")), "{errors:?}");
    assert!(errors.iter().any(|line| line.contains("elsewhere.example/x.js")), "{errors:?}");
    assert_eq!(browser.console_errors().await, Vec::<String>::new(), "each is told once");

    browser.goto(&at("/asks-another")).await;
    assert!(browser.requests().await.contains(&"http://elsewhere.example/x.png".to_owned()));
    assert_eq!(browser.console_errors().await.len(), 1, "and it is not to be had");

    browser.goto(&at("/jumps")).await;
    browser.wait_for(".there").await;
    let shift = browser.layout_shift().await;
    assert!(shift > 0.0, "{shift}");
}

#[tokio::test]
async fn a_browser_is_used_by_hand_and_ends_with_all_its_processes() {
    let Some(mut browser) = Browser::start(Look::Phone).await else { return };
    let server = pages().await;
    let at = |path: &str| format!("{}{path}", server.url());
    browser.set_cookie(&server.url(), "session", "s1").await;
    browser.set_time_zone("Asia/Tokyo").await;

    browser.goto(&at("/faultless")).await;
    assert_eq!(browser.eval("new Date(0).getHours()").await, 9);
    assert_eq!(browser.eval("[innerWidth, innerHeight]").await, json!([390, 844]));
    assert_eq!(browser.eval("matchMedia('(pointer: coarse)').matches").await, true);
    assert_eq!(size_of(&browser.screenshot("harness").await), (780, 1688), "two points a pixel");

    browser.click_link("To the form").await;
    browser.wait_for_url("/form").await;
    assert_eq!(browser.url().await, at("/form"));
    browser.wait_for("form").await;
    assert_eq!(browser.texts("li").await, ["one", "two"]);
    assert_eq!(browser.texts("b").await, Vec::<String>::new());
    assert_eq!(browser.attr("form", "action").await.as_deref(), Some("/sent"));
    assert_eq!(browser.attr("form", "method").await, None);
    browser.fill("[name=name]", "after").await;
    browser.press(Key::Backspace).await;
    browser.press('!').await;
    browser.select("[name=kind]", "b b").await;
    browser.submit("form").await;
    assert_eq!(browser.title().await, "Sent");
    assert_eq!(browser.text("p").await, "name=afte%21&kind=b+b session=s1");
    browser.back().await;
    assert_eq!(browser.title().await, "Form");

    browser.set_limit(Duration::from_millis(100));
    let processes = browser.processes();
    assert!(processes.len() > 2 && processes.iter().all(|&id| runs(id)), "{processes:?}");
    let waiting = AssertUnwindSafe(browser.wait_for_text("li", "three")).catch_unwind();
    let missed = waiting.await.unwrap_err();
    let missed = missed.downcast_ref::<String>().unwrap();
    assert!(missed.contains("\"three\" in \"li\"") && missed.contains("two"), "{missed}");

    drop(browser);
    assert!(!processes.iter().any(|&id| runs(id)));
}

#[tokio::test]
async fn a_dark_browser_prefers_dark_pages() {
    let Some(browser) = Browser::start(Look::Dark).await else { return };
    let server = pages().await;

    for path in ["/faultless", "/form"] {
        browser.goto(&format!("{}{path}", server.url())).await;
        let prefers = "['(prefers-color-scheme: dark)', '(prefers-reduced-motion: reduce)']";
        let matches = browser.eval(&format!("{prefers}.map(query => matchMedia(query).matches)")).await;
        assert_eq!(matches, json!([true, true]), "{path}");
    }
}

#[tokio::test]
async fn without_javascript_a_page_runs_no_script() {
    let Some(browser) = Browser::start_without_javascript(Look::Light).await else { return };
    let server = pages().await;

    browser.goto(&format!("{}/faultless", server.url())).await;
    assert_eq!(browser.text("#plain").await, "Without scripts.");
    assert_eq!(browser.console_errors().await, Vec::<String>::new());
    assert_eq!(browser.requests().await.len(), 1);

    browser.goto(&format!("{}/jumps", server.url())).await;
    assert_eq!(browser.texts(".there").await, Vec::<String>::new());
}
