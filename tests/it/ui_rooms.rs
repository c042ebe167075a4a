//! The pages of channels, events and the configuration, in the test's own process.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use modelpager::app::configuration;
use modelpager::config::{ChannelConfig, Config};
use modelpager::domain::clock::ManualClock;
use modelpager::fakes::engine::Step;
use modelpager::fakes::webhook::WebhookFake;
use modelpager::store::log::PageKey;
use modelpager::store::log_events::EventFilter;
use modelpager::store::log_notifications::NotificationFilter;
use modelpager::store::outbox::Next;
use modelpager::store::triage::{Consequences, TriagedEvent};
use modelpager::web::state::Live;
use serde_json::{Value, json};

use crate::log_support::{Case, told};
use crate::web_support::{Answer, START, Site, config_with_tokens};

/// Text of a stranger that must never be taken for markup.
const HOSTILE: &str = "<script>alert('x')</script>";

fn channel(settings: Value) -> ChannelConfig {
    serde_json::from_value(settings).unwrap()
}

fn console() -> Config {
    with_tokens_and(vec![channel(json!({"name": "console", "kind": "log"}))])
}

fn with_tokens_and(channels: Vec<ChannelConfig>) -> Config {
    let mut config = config_with_tokens();
    config.route.channels = vec![channels[0].name.clone()];
    config.channels = channels;
    config
}

impl Site {
    /// A page as the holder of that scope sees it.
    async fn page(&self, scope: &str, uri: &str) -> String {
        let answer = self.call(asked(TestRequest::get(), scope, uri)).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8", "{uri}");
        let text = answer.text().to_owned();
        assert!(!text.contains("<script>"), "{uri}: {text}");
        text
    }

    /// A form of our own pages, sent by the holder of that scope.
    async fn send_form(&self, scope: &str, uri: &str, fields: &[(&str, &str)]) -> Answer {
        let request = asked(TestRequest::post(), scope, uri).insert_header(("Sec-Fetch-Site", "same-origin"));
        self.call(request.set_form(fields)).await
    }
}

fn asked(request: TestRequest, scope: &str, uri: &str) -> TestRequest {
    request
        .uri(uri)
        .insert_header(("Authorization", format!("Bearer {scope}-token-0123456")))
        .insert_header(("Accept", "text/html"))
}

/// Only forms of our own pages, sent by who may, are taken.
async fn assert_guarded(site: &Site, too_low: &str, enough: &str, uri: &str) {
    assert_eq!(site.send_form(too_low, uri, &[]).await.status, StatusCode::FORBIDDEN, "{uri}");
    for strange in [None, Some("cross-site"), Some("same-site"), Some("none")] {
        let request = asked(TestRequest::post(), enough, uri);
        let request = match strange {
            Some(site) => request.insert_header(("Sec-Fetch-Site", site)),
            None => request,
        };
        let answer = site.call(request.set_form([("a", "b")])).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{uri} from {strange:?}");
    }
}

#[actix_web::test]
async fn the_channels_show_how_they_fare_and_what_they_sent() {
    let site = Site::with_config(console()).await;
    // The test sends the messages, and nobody else.
    site.state.dispatcher.stop(std::time::Duration::ZERO).await;
    let rejected = Case { end: Some(Next::Failed("gone".to_owned())), ..told("console", HOSTILE) };
    site.tell(&rejected).await;
    site.tell(&told("console", "LatencyHigh")).await;

    let list = site.page("read", "/channels").await;
    assert!(list.contains("href=\"/channels/console\""), "{list}");
    let shown = site.page("read", "/channels/console").await;
    assert!(shown.contains("Last failures") && shown.contains("gone"), "{shown}");
    assert!(!shown.contains("Send a test message"), "a reader sends nothing: {shown}");
    assert!(site.page("admin", "/channels/console").await.contains("Send a test message"));

    let unknown = site.call(asked(TestRequest::get(), "read", "/channels/nope")).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert!(unknown.text().contains("<h1>"), "{}", unknown.text());
}

#[actix_web::test]
async fn a_channel_may_have_any_name() {
    let site =
        Site::with_config(with_tokens_and(vec![channel(json!({"name": HOSTILE, "kind": "log"}))])).await;
    let segment: String = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();

    for uri in ["/channels", "/configuration", "/configuration?labels=a%3Db"] {
        assert!(site.page("read", uri).await.contains("&lt;script&gt;alert"), "{uri}");
    }
    let shown = site.page("admin", &format!("/channels/{segment}")).await;
    assert!(shown.contains("<h1>&lt;script&gt;alert"), "{shown}");
    assert!(shown.contains(&format!("action=\"/channels/{segment}/test\"")), "{shown}");
    let tried = site.send_form("admin", &format!("/channels/{segment}/test"), &[]).await;
    assert!(tried.text().contains("Test message"), "{}", tried.text());
}

#[actix_web::test]
async fn a_channel_is_tried_from_its_page_by_operators_alone() {
    let hook = WebhookFake::unsigned(Arc::new(ManualClock::at(START))).await.unwrap();
    let config =
        with_tokens_and(vec![channel(json!({"name": "hook", "kind": "webhook", "url": hook.url()}))]);
    let site = Site::with_config(config).await;

    let sent = site.send_form("admin", "/channels/hook/test", &[]).await;
    assert_eq!(sent.status, StatusCode::OK, "{}", sent.text());
    assert!(sent.text().contains("accepted") && sent.text().contains("/notifications/"), "{}", sent.text());

    hook.http().script([Step::status(410)]);
    let refused = site.send_form("admin", "/channels/hook/test", &[]).await;
    assert!(refused.text().contains("answered HTTP 410"), "{}", refused.text());
    let got = hook.http().requests().len();
    assert_guarded(&site, "write", "admin", "/channels/hook/test").await;
    assert_guarded(&site, "write", "admin", "/channels/hook/reset").await;
    assert_eq!(hook.http().requests().len(), got, "nothing else was sent");
}

#[actix_web::test]
async fn a_channel_that_is_held_back_gets_a_new_chance_from_its_page() {
    let hook = WebhookFake::unsigned(Arc::new(ManualClock::at(START))).await.unwrap();
    hook.http().always(Step::status(401));
    let config = with_tokens_and(vec![
        channel(json!({"name": "hook", "kind": "webhook", "url": hook.url(), "fallback": "console"})),
        channel(json!({"name": "console", "kind": "log"})),
    ]);
    let site = Site::with_config(config).await;
    site.send_form("admin", "/channels/hook/test", &[]).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !site.page("admin", "/channels/hook").await.contains("Not delivering since") {
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let held = site.page("admin", "/channels/hook").await;
    assert!(held.contains("Retry now") && held.contains("href=\"/channels/console\""), "{held}");
    assert!(!site.page("read", "/channels/hook").await.contains("Retry now"));
    assert!(site.page("read", "/channels").await.contains("Next probe "));

    let answer = site.send_form("admin", "/channels/hook/reset", &[]).await;

    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    assert_eq!(answer.header("location"), "/channels/hook?done=reset");
    let after = site.page("admin", "/channels/hook?done=reset").await;
    assert!(after.contains("Retrying now") && !after.contains("Not delivering"), "{after}");
}

/// A body as Alertmanager posts it, about one alert with these labels.
fn body(labels: &Value) -> Value {
    json!({
        "version": "4", "receiver": "models", "status": "firing", "groupKey": HOSTILE,
        "externalURL": "http://alertmanager:9093",
        "alerts": [{"status": "firing", "labels": labels, "annotations": {"summary": HOSTILE}, "startsAt": "2026-08-20T10:00:00Z"}]
    })
}

impl Site {
    /// Posts a body as Alertmanager does; answers the event's id.
    async fn take_in(&self, body: &[u8]) -> String {
        let request = asked(TestRequest::post(), "ingest", "/webhooks/alertmanager");
        let answer = self.call(request.set_payload(body.to_vec())).await;
        if answer.status == StatusCode::OK {
            return answer.json()["event_id"].as_str().unwrap().to_owned();
        }
        let newest = self.call(asked(TestRequest::get(), "read", "/api/v1/events?limit=1")).await.json();
        newest["items"][0]["id"].as_str().unwrap().to_owned()
    }
}

#[actix_web::test]
async fn events_are_listed_by_what_is_asked_and_shown_with_their_alerts() {
    let site = Site::with_config(console()).await;
    let labels = json!({"alertname": "Slow & late", "model": HOSTILE});
    let id = site.take_in(body(&labels).to_string().as_bytes()).await;
    let refused = site.take_in(b"<html>not an alert</html>").await;

    let all = site.page("read", "/events").await;
    assert!(all.contains(&format!("/events/{id}")) && all.contains(&format!("/events/{refused}")), "{all}");
    assert!(all.contains("the body is not JSON"), "{all}");
    let some = site.page("read", "/events?state=pending&receiver=models&since=2026-01-01T00:00:00Z").await;
    assert!(some.contains(&id) && !some.contains(&refused), "{some}");
    assert!(site.page("read", "/events?receiver=other").await.contains("No matching events."));
    let wrong = site.call(asked(TestRequest::get(), "read", "/events?since=yesterday")).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", wrong.text());

    let one = site.page("read", &format!("/events/{id}")).await;
    assert!(one.contains("/incidents?alertname=Slow+%26+late"), "{one}");
    assert!(one.contains("&lt;script&gt;") && one.contains("http://alertmanager:9093"), "{one}");
    let other = site.page("read", &format!("/events/{refused}")).await;
    assert!(other.contains("Rejected, nothing was used"), "{other}");
    assert!(other.contains("&lt;html&gt;not an alert"), "{other}");
    for unknown in ["/events/01990c1e-7c53-7d1c-8000-000000000000", "/events/nope"] {
        let answer = site.call(asked(TestRequest::get(), "read", unknown)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{unknown}");
    }
}

#[actix_web::test]
async fn an_event_says_which_alerts_were_unusable_and_what_is_no_text() {
    let site = Site::with_config(console()).await;
    let mut two = body(&json!({"alertname": "Slow"}));
    two["alerts"].as_array_mut().unwrap().push(json!({"labels": {}, "note": HOSTILE}));

    let id = site.take_in(two.to_string().as_bytes()).await;
    let shown = site.page("read", &format!("/events/{id}")).await;
    assert!(shown.contains("labels: none, and an alert needs at least one"), "{shown}");
    assert!(shown.contains("1 accepted, 1 rejected"), "{shown}");

    let mut bytes = body(&json!({"alertname": "Slow", "model": "#"})).to_string().into_bytes();
    let hash = bytes.iter().position(|byte| *byte == b'#').unwrap();
    bytes[hash] = 0xff;
    let id = site.take_in(&bytes).await;
    assert!(site.page("read", &format!("/events/{id}")).await.contains("Not valid UTF-8"));

    let alerts: Vec<Value> =
        (0..600).map(|n| json!({"labels": {"alertname": "Slow", "n": n.to_string()}})).collect();
    let id = site.take_in(json!({"receiver": "r", "alerts": alerts}).to_string().as_bytes()).await;
    let long = site.page("read", &format!("/events/{id}")).await;
    assert!(long.contains("and 100 more in the body."), "{}", long.len());
    assert!(long.contains("<details id=\"event-body-text\">"), "{}", long.len());
}

#[actix_web::test]
async fn an_event_is_taken_in_again_by_who_may_write() {
    let site = Site::with_config(console()).await;
    let id = site.take_in(body(&json!({"alertname": "Slow"})).to_string().as_bytes()).await;
    let (uri, form) = (format!("/events/{id}"), format!("/events/{id}/replay"));
    assert!(!site.page("read", &uri).await.contains("Replay this body"));
    assert!(site.page("write", &uri).await.contains("Replay this body"));
    assert_guarded(&site, "read", "write", &form).await;

    let answer = site.send_form("write", &form, &[]).await;

    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    let next = answer.header("location").to_owned();
    assert!(
        next.starts_with("/events/") && next.ends_with("?done=replayed") && !next.contains(&id),
        "{next}"
    );
    let shown = site.page("write", &next).await;
    assert!(shown.contains("Replayed") && shown.contains(&format!("/events/{id}")), "{shown}");

    let refused = site.take_in(b"no json").await;
    let again = site.send_form("write", &format!("/events/{refused}/replay"), &[]).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "{}", again.text());
}

/// In every place where a secret may stand.
const CANARY: &str = "c4n4ry";

/// Tokens of every scope, a channel of every kind, and routes.
const WHOLE: &str = r#"
storage: {url: "postgres://user:c4n4ry-pass@db/pager"}
auth:
  tokens:
    - {name: ingest, token: ingest-token-0123456, scopes: [ingest]}
    - {name: read, token: read-token-0123456, scopes: [read]}
    - {name: write, token: write-token-0123456, scopes: [write]}
    - {name: admin, token: admin-token-0123456, scopes: [admin]}
severity: {aliases: {ouch: high}}
channels:
  - {name: console, kind: log}
  - name: audit
    kind: webhook
    timeout: 2s
    url: http://127.0.0.1:1/c4n4ry-path
    secret: whsec_c4n4ryc4n4ryc4n4ryc4n4ryc4n4ry12
    previous_secret: whsec_c4n4ryc4n4ryc4n4ryc4n4ryc4n4ry34
    headers: {X-Key: c4n4ry-header}
  - {name: hook, kind: slack, timeout: 2s, webhook_url: "http://127.0.0.1:1/services/c4n4ry"}
  - {name: bot, kind: slack, timeout: 2s, token: xoxb-c4n4ry-token, channel: C0123456789, api_url: "http://127.0.0.1:1/c4n4ry-api"}
  - {name: pager, kind: pagerduty, timeout: 2s, routing_key: c4n4ry0123456789c4n4ry0123456789, url: "http://127.0.0.1:1/c4n4ry-enqueue"}
  - name: mail
    kind: email
    timeout: 2s
    smtp: {host: 127.0.0.1, port: 1, tls: none, helo: pager.example.org}
    from: pager@example.org
    to: [team@example.org]
  - name: mail-by-name
    kind: email
    timeout: 2s
    smtp: {host: 127.0.0.1, port: 1, tls: starttls, username: pager, password: c4n4ry-password}
    from: pager@example.org
    to: [team@example.org]
route:
  channels: [console]
  routes:
    - {matchers: ['severity="critical"'], channels: [pager], continue: true}
    - matchers: ['severity=~"critical|high"']
      channels: [hook]
      routes:
        - {matchers: ['model="churn, <weekly>"'], channels: [mail]}
"#;

/// A site with [`WHOLE`] in force, as a program has it that was started with such a file.
async fn whole() -> Site {
    let loaded = configuration::parse(WHOLE).unwrap_or_else(|problems| panic!("{problems}")).loaded;
    let site = Site::with_config(loaded.config.clone()).await;
    let live = Live::new(Arc::new(loaded.config.clone()), loaded.digest.clone(), START);
    site.state.live.store(Arc::new(live.showing(loaded.redacted_json().clone())));
    site
}

#[actix_web::test]
async fn no_page_shows_a_secret() {
    let site = whole().await;
    let event = site.triaged(&body(&json!({"alertname": "Slow"}))).await;
    let mut uris = vec!["/".to_owned(), "/configuration?labels=severity%3Dpage".to_owned()];
    uris.extend(["/channels", "/events", "/incidents", "/notifications"].map(str::to_owned));
    uris.push(format!("/events/{event}"));
    for name in ["console", "audit", "hook", "bot", "pager", "mail", "mail-by-name"] {
        let tried = site.send_form("admin", &format!("/channels/{name}/test"), &[]).await;
        assert_eq!(tried.status, StatusCode::OK, "{}", tried.text());
        assert!(!tried.text().contains(CANARY), "{}", tried.text());
        uris.extend([format!("/channels/{name}"), format!("/channels/{name}/preview")]);
        let tried =
            site.send_form("read", &format!("/channels/{name}/preview"), &[("text", "{{alertname}}")]).await;
        assert!(tried.text().contains("Full message with the current templates"), "{}", tried.text());
        assert!(!tried.text().contains(CANARY), "{}", tried.text());
    }
    let newest = PageKey { limit: 50, before: None };
    let log = site.state.store.list_notifications(&NotificationFilter::default(), &newest).await.unwrap();
    uris.extend(log.items.iter().map(|item| format!("/notifications/{}", item.id)));

    for uri in &uris {
        let page = site.page("admin", uri).await;
        assert!(!page.contains(CANARY) && !page.contains("-token-0123456"), "{uri}: {page}");
    }
    let shown = site.page("read", "/configuration").await;
    assert!(shown.contains("routing_key") && shown.contains("&lt;secret&gt;"), "{shown}");
    assert!(
        shown.contains("team@example.org") && shown.contains("C0123456789"),
        "what is no secret: {shown}"
    );
}

#[actix_web::test]
async fn a_configuration_without_a_file_hides_all_texts_of_settings() {
    let hook = json!({"name": "hook", "kind": "webhook", "url": "http://127.0.0.1:1/c4n4ry", "headers": {"X-Key": "c4n4ry"}});
    let site = Site::with_config(with_tokens_and(vec![channel(hook)])).await;

    let shown = site.page("admin", "/configuration").await;

    assert!(!shown.contains(CANARY) && !shown.contains("-token-0123456"), "{shown}");
    assert!(shown.contains("no file: the defaults are used"), "{shown}");
}

#[actix_web::test]
async fn labels_are_tried_as_an_alert_with_them_would_be_routed() {
    let site = whole().await;
    let reached = async |labels: &str| {
        let labels: String = form_urlencoded::byte_serialize(labels.as_bytes()).collect();
        let page = site.page("read", &format!("/configuration?labels={labels}")).await;
        let from = page.find("<h3>Result").unwrap_or_else(|| panic!("{page}"));
        let answer = page[from..].split("</div>").next().unwrap().to_owned();
        let taken = page.matches("class=\"node taken\"").count();
        let channels: Vec<&str> =
            answer.split("href=\"/channels/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        (channels.join(","), taken)
    };

    assert_eq!(reached("severity=page model=churn").await, ("pager,hook".to_owned(), 3));
    assert_eq!(reached("severity=ouch").await, ("hook".to_owned(), 2));
    assert_eq!(reached("{severity=\"ouch\", model=\"churn, <weekly>\"}").await, ("mail".to_owned(), 3));
    assert_eq!(reached("severity=low").await, ("console".to_owned(), 1));

    let plain = site.page("read", "/configuration").await;
    assert!(!plain.contains("<h3>Result") && !plain.contains("node taken"), "{plain}");
    let wrong = site.page("read", "/configuration?labels=%3Cscript%3E").await;
    assert!(wrong.contains("expected name=value at") && wrong.contains("&lt;script&gt;"), "{wrong}");
}

#[actix_web::test]
async fn operators_load_the_file_again_and_read_what_is_wrong_with_it() {
    let site = Site::with_config(console()).await;
    let form = "/configuration/reload";
    assert!(!site.page("write", "/configuration").await.contains("/configuration/reload"));
    assert!(site.page("admin", "/configuration").await.contains("/configuration/reload"));
    assert_guarded(&site, "write", "admin", form).await;

    let done = site.send_form("admin", form, &[]).await;
    assert_eq!(
        (done.status, done.header("location")),
        (StatusCode::SEE_OTHER, "/configuration?done=reloaded")
    );
    assert!(site.page("admin", "/configuration?done=reloaded").await.contains("Configuration reloaded"));

    *site.operations.reload_problem.lock() = Some(format!("modelpager.yml:3: {HOSTILE}"));
    let refused = site.send_form("admin", form, &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.text().contains("modelpager.yml:3: &lt;script&gt;"), "{}", refused.text());
}

impl Site {
    /// Takes an event in and marks it as triage does when it is done with one.
    async fn triaged(&self, body: &Value) -> String {
        let id = self.take_in(body.to_string().as_bytes()).await;
        let events = vec![TriagedEvent { id: id.clone(), failure: None, at: START }];
        let tx = self.state.store.begin_triage().await.unwrap();
        tx.commit(&Consequences { events, ..Consequences::default() }).await.unwrap();
        id
    }

    /// How many events and messages there are.
    async fn rows(&self) -> (usize, usize) {
        let newest = PageKey { limit: 500, before: None };
        let events = self.state.store.list_events(&EventFilter::default(), &newest).await.unwrap();
        let messages =
            self.state.store.list_notifications(&NotificationFilter::default(), &newest).await.unwrap();
        (events.items.len(), messages.items.len())
    }
}

#[actix_web::test]
async fn a_template_is_tried_on_a_stored_event_and_nothing_is_kept() {
    let hook = WebhookFake::unsigned(Arc::new(ManualClock::at(START))).await.unwrap();
    let mut config = console();
    config.channels.push(channel(json!({"name": "hook", "kind": "webhook", "url": hook.url(),
        "templates": {"text": "OURS {{alertname}}"}})));
    config.channels.push(channel(json!({"name": "off", "kind": "log", "enabled": false})));
    let site = Site::with_config(config).await;
    let uri = "/channels/hook/preview";
    let empty = site.send_form("read", uri, &[("field", "text"), ("text", "x")]).await;
    assert!(empty.text().contains("no event was processed yet"), "{}", empty.text());

    let older = site.triaged(&body(&json!({"alertname": "Older"}))).await;
    site.triaged(&body(&json!({"alertname": "Newest", "model": HOSTILE}))).await;
    let before = site.rows().await;
    let form = site.page("read", uri).await;
    assert!(form.contains("OURS {{alertname}}"), "the text in force: {form}");
    assert!(form.contains(&format!("<option value=\"{older}\">")), "{form}");
    assert!(site.page("read", "/channels/console/preview").await.contains("<textarea id=\"text\""));
    assert!(site.page("read", "/channels/hook").await.contains(uri));

    let edited = "Look: {{alertname}}\r\n{{#each alerts}}{{default labels.model \"none\"}}{{/each}}";
    let tried = site.send_form("read", uri, &[("field", "text"), ("text", edited)]).await;
    assert_eq!(tried.status, StatusCode::OK, "{}", tried.text());
    let shown = tried.text();
    assert!(shown.contains("Look: Newest\n") && shown.contains("OURS Newest"), "beside each other: {shown}");
    assert!(
        shown.contains("the routes do not lead this event to hook") && !shown.contains("As sent"),
        "{shown}"
    );
    assert!(!shown.contains("<script>") && shown.contains("&lt;script&gt;"), "{shown}");

    let other = [("field", "text"), ("other", older.as_str()), ("text", "On {{alertname}}")];
    let tried = site.send_form("read", uri, &other).await;
    assert!(tried.text().contains("On Older"), "{}", tried.text());

    let broken = [("field", "text"), ("text", "fine\n{{#if alertname}}never closed")];
    let failed = site.send_form("read", uri, &broken).await;
    assert!(failed.text().contains("<strong>Line 2: </strong>"), "{}", failed.text());
    assert!(failed.text().contains("never closed"), "what was typed stays: {}", failed.text());
    let unknown = [("field", "text"), ("other", "nope"), ("text", "x")];
    let failed = site.send_form("read", uri, &unknown).await;
    assert!(failed.text().contains("aria-invalid=\"true\""), "{}", failed.text());

    assert_eq!(site.rows().await, before, "nothing was stored");
    assert_eq!(hook.http().requests().len(), 0, "nothing was sent");
    assert!(site.page("read", uri).await.contains("OURS {{alertname}}"), "nothing was saved");
    assert_guarded(&site, "ingest", "read", uri).await;
    for gone in ["/channels/off/preview", "/channels/nope/preview", "/channels/hook/preview?field=nope"] {
        let answer = site.call(asked(TestRequest::get(), "read", gone)).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{gone}");
    }
}
