//! Who may see which page and send which form, sessions, and pages that many look at, in the
//! test's own process.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use futures_util::StreamExt as _;
use modelpager::config::Config;
use modelpager::store::outbox::Next;
use modelpager::web::server;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::e2e::delivery;
use crate::log_support::{Case, told};
use crate::support::databases::{Fresh, on_both_databases};
use crate::support::service::Service;
use crate::web_support::{Answer, Site, config_with_tokens};

/// Every page, as a pattern filled in with something.
const PAGES: [&str; 15] = [
    "/",
    "/incidents",
    "/incidents/x",
    "/notifications",
    "/notifications/x",
    "/notifications/x/mail",
    "/notifications.csv",
    "/catalog",
    "/catalog/-/export",
    "/catalog/x",
    "/catalog/x/edit",
    "/channels",
    "/events",
    "/events/x",
    "/configuration",
];

/// Every form that changes something, and the scope it needs.
const FORMS: [(&str, &str); 10] = [
    ("/notifications/redeliver", "write"),
    ("/catalog/-/new", "write"),
    ("/catalog/-/import", "write"),
    ("/catalog/x/edit", "write"),
    ("/catalog/x/delete", "write"),
    ("/events/x/replay", "write"),
    ("/incidents/x/resolve", "write"),
    ("/channels/x/test", "admin"),
    ("/channels/x/reset", "admin"),
    ("/configuration/reload", "admin"),
];

/// Without tokens, with a channel, as the program is without a file.
async fn open() -> Site {
    open_over(Fresh::sqlite()).await
}

async fn open_over(database: Fresh) -> Site {
    let mut config = Config::default();
    config.channels = vec![serde_json::from_value(json!({"name": "console", "kind": "log"})).unwrap()];
    config.route.channels = vec!["console".to_owned()];
    Site::over(database, config).await
}

fn form(uri: &str) -> TestRequest {
    TestRequest::post()
        .uri(uri)
        .insert_header(("Sec-Fetch-Site", "same-origin"))
        .insert_header(("Accept", "text/html"))
}

fn bearer(request: TestRequest, scope: &str) -> TestRequest {
    request.insert_header(("Authorization", format!("Bearer {scope}-token-0123456")))
}

/// The session that a token is good for.
async fn log_in(site: &Site, scope: &str) -> String {
    let answer = site
        .call(
            form("/login")
                .set_form([("token", format!("{scope}-token-0123456")), ("next", "/catalog".to_owned())]),
        )
        .await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/catalog"));
    let cookie = answer.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    cookie.split(';').next().unwrap().to_owned()
}

#[actix_web::test]
async fn who_is_not_known_is_led_to_the_way_in_and_sees_nothing() {
    let site = Site::with_config(config_with_tokens()).await;

    for uri in PAGES {
        let asked = TestRequest::get().uri(uri).insert_header(("Accept", "text/html,*/*;q=0.8"));
        let answer = site.call(asked).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{uri}");
        assert!(answer.header("location").starts_with("/login?next=%2F"), "{uri}");
        let program = site.get(uri).await;
        assert_eq!(program.status, StatusCode::UNAUTHORIZED, "{uri}");
        assert_eq!(program.header("content-type"), "application/problem+json", "{uri}");
    }
    assert_eq!(site.get("/live").await.status, StatusCode::UNAUTHORIZED);
    let wrong = form("/login").set_form([("token", "nobody's")]);
    assert_eq!(site.call(wrong).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let ingest = form("/login").set_form([("token", "ingest-token-0123456")]);
    assert!(site.call(ingest).await.text().contains("lacks the scope read"));
}

#[actix_web::test]
async fn the_catalog_is_saved_by_who_is_logged_in() {
    let site = Site::with_config(config_with_tokens()).await;
    let session = log_in(&site, "read").await;
    let asked = |uri: &str| site.call(TestRequest::get().uri(uri).insert_header(("Cookie", session.clone())));

    let page = asked("/catalog").await.text().to_owned();
    let address = page.split('"').find(|part| part.ends_with("/export")).unwrap().to_owned();
    let saved = asked(&address).await;

    assert_eq!(saved.status, StatusCode::OK, "{}", saved.text());
    assert!(saved.header("content-disposition").contains("catalog.yaml"));
    assert!(saved.text().contains("entries:"), "{}", saved.text());
}

#[actix_web::test]
async fn every_form_needs_its_scope_and_a_page_of_our_own() {
    let site = Site::with_config(config_with_tokens()).await;

    for (uri, scope) in FORMS {
        let too_low = if scope == "admin" { "write" } else { "read" };
        let refused = site.call(bearer(form(uri), too_low).set_form([("id", "x")])).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{uri}");
        assert!(refused.text().contains("lacks the scope"), "{uri}: {}", refused.text());
        let session = log_in(&site, scope).await;
        for foreign in
            [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example"), ("Origin", "null")]
        {
            let request = TestRequest::post().uri(uri).insert_header(("Cookie", session.clone()));
            let answer = site.call(request.insert_header(foreign).set_form([("id", "x")])).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{uri} by {foreign:?}");
        }
    }
}

/// Who logs out is out everywhere at once, and alone.
async fn logging_out_ends_the_session_on_every_replica(database: Fresh) {
    let site = Site::over(database, config_with_tokens()).await;
    let (session, other) = (log_in(&site, "read").await, log_in(&site, "read").await);
    assert_ne!(session, other);
    let status = async |cookie: &str| {
        let request = TestRequest::get().uri("/incidents").insert_header(("Cookie", cookie.to_owned()));
        site.call(request).await.status
    };
    assert_eq!(status(&session).await, StatusCode::OK);

    let out = site.call(form("/logout").insert_header(("Cookie", session.clone()))).await;

    assert_eq!((out.status, out.header("location")), (StatusCode::SEE_OTHER, "/login"));
    assert!(out.header("set-cookie").contains("Max-Age=0"), "{}", out.header("set-cookie"));
    assert_eq!(status(&session).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&other).await, StatusCode::OK);
    // What is remembered of it goes when the session would have ended by itself.
    site.state.store.forget_ended_sessions(site.state.clock.now()).await.unwrap();
    assert_eq!(status(&session).await, StatusCode::UNAUTHORIZED);
    site.clock.advance(Duration::from_secs(8 * 24 * 3_600));
    site.state.store.forget_ended_sessions(site.state.clock.now()).await.unwrap();
    let id = session.split('.').nth(3).unwrap();
    assert!(!site.state.store.is_session_ended(id).await.unwrap());
}

#[actix_web::test]
async fn a_session_opens_pages_and_not_the_api() {
    let site = Site::with_config(config_with_tokens()).await;
    let session = log_in(&site, "write").await;
    let with_session = |uri: &str| TestRequest::get().uri(uri).insert_header(("Cookie", session.clone()));

    assert_eq!(site.call(with_session("/incidents")).await.status, StatusCode::OK);
    assert_eq!(site.call(with_session("/api/v1/incidents")).await.status, StatusCode::UNAUTHORIZED);
    site.clock.advance(Duration::from_secs(8 * 24 * 3_600));
    assert_eq!(site.call(with_session("/incidents")).await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn no_page_may_be_framed_or_load_or_run_what_is_not_ours() {
    let site = open().await;

    for uri in [
        "/",
        "/incidents",
        "/notifications",
        "/catalog",
        "/channels",
        "/events",
        "/configuration",
        "/nowhere",
    ] {
        let answer = site.call(TestRequest::get().uri(uri).insert_header(("Accept", "text/html"))).await;
        assert_eq!(answer.status.as_u16(), if uri == "/nowhere" { 404 } else { 200 }, "{uri}");
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{uri}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{uri}: {policy}");
        assert_eq!(answer.header("cache-control"), "no-store", "{uri}");
        let text = answer.text();
        assert!(!text.contains(" style=") && !text.contains("<style") && !text.contains(" onclick"), "{uri}");
    }
}

#[actix_web::test]
async fn who_was_told_of_the_same_change_is_given_the_same_page_but_nobody_elses() {
    let site = Site::with_config(config_with_tokens()).await;
    site.tell(&told("alpha", "First")).await;
    let read = async |scope: &str, beat: &str| -> Answer {
        let request = bearer(TestRequest::get().uri("/notifications"), scope);
        site.call(request.insert_header(("X-Live-Beat", beat))).await
    };

    let first = read("write", "7.").await;
    assert!(first.text().contains("/channels/alpha") && first.text().contains("Resend selected"));
    site.tell(&told("beta", "Second")).await;
    assert_eq!(read("write", "7.").await.text(), first.text(), "written once for this change");
    let reader = read("read", "7.").await;
    assert!(!reader.text().contains("Resend selected"), "another's page is another page");
    assert!(read("write", "8.").await.text().contains("/channels/beta"), "the next change is seen");
    assert!(
        read("write", "7.").await.text().contains("/channels/beta"),
        "who is late is given what is there now"
    );

    site.tell(&told("gamma", "Third")).await;
    let elsewhere = read("write", "8.another").await;
    assert!(elsewhere.text().contains("/channels/gamma"), "another replica counts from elsewhere");

    let tag = read("write", "8.").await.header("etag").to_owned();
    let request = bearer(TestRequest::get().uri("/notifications"), "write");
    let known =
        site.call(request.insert_header(("X-Live-Beat", "8.")).insert_header(("If-None-Match", tag))).await;
    assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0));
}

#[actix_web::test]
async fn a_live_view_hears_of_changes_and_ends_with_the_service() {
    use actix_web::body::MessageBody as _;
    use actix_web::dev::Service as _;

    let site = open().await;
    let data = actix_web::web::Data::new(site.state.clone());
    let service = actix_web::test::init_service(server::app(data)).await;
    let response = service.call(TestRequest::get().uri("/live").to_request()).await.unwrap();
    assert_eq!(response.headers().get("content-type").unwrap(), "text/event-stream");
    let mut body = Box::pin(response.into_body());
    let mut parts = futures_util::stream::poll_fn(move |cx| body.as_mut().poll_next(cx));
    let mut next = async || parts.next().await.map(|part| String::from_utf8(part.unwrap().to_vec()).unwrap());

    assert!(next().await.unwrap().contains("event: change"), "what happened since the page was written");
    assert_eq!(site.state.live_views.count(), 1);
    site.state.live_views.tell();
    assert_eq!(next().await.unwrap(), "event: change\ndata: 1.\n\n");
    site.state.live_views.end();
    assert_eq!(next().await, None);
    assert_eq!(site.get("/live").await.status, StatusCode::SERVICE_UNAVAILABLE, "there are none any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_pages_do_not_hold_up_a_stop() {
    let mut service = Service::start(&json!({})).await;
    let mut view = TcpStream::connect(service.url().trim_start_matches("http://")).await.unwrap();
    view.write_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut heard = [0; 2_048];
    assert!(view.read(&mut heard).await.unwrap() > 0);

    service.signal("TERM");

    let ended = tokio::time::timeout(Duration::from_secs(10), service.wait_for_end()).await;
    assert!(ended.expect("half of the time of grace").success());
}

/// In a process of its own: triage has to run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incident_without_a_rule_is_called_by_its_summary() {
    let service = Service::start(&json!({})).await;
    let mut body = delivery("Nameless");
    body["alerts"][0]["labels"] = json!({"job": "drift", "severity": "high"});
    body["alerts"][0]["annotations"] = json!({"summary": "amount drifted ".repeat(20)});

    service.deliver(&body).await;
    service.wait_for_processed(1).await;

    let incidents = service.list("/api/v1/incidents").await;
    let list = service.call("GET", "/incidents", "").await.unwrap();
    let id = incidents[0]["id"].as_str().unwrap();
    let page = service.call("GET", &format!("/incidents/{id}"), "").await.unwrap();
    let name = format!("{}…", &"amount drifted ".repeat(20)[..120]);
    assert!(list.body.contains(&format!(">{name}</a>")), "{}", list.body);
    assert!(page.body.contains(&format!("<h1>{name}</h1>")), "{}", page.body);
}

#[actix_web::test]
async fn a_list_is_asked_for_by_its_address_and_says_what_it_does_not_know() {
    let site = open().await;
    site.tell(&told("alpha", "First")).await;
    site.tell(&told("beta", "Second")).await;
    let page =
        async |uri: &str| site.call(TestRequest::get().uri(uri).insert_header(("Accept", "text/html"))).await;

    let found = page("/notifications?alertname=First&state=&q=").await;
    assert!(
        found.text().contains("/channels/alpha") && !found.text().contains("/channels/beta"),
        "{}",
        found.text()
    );
    assert!(found.text().contains("Rule: <b>First</b>"), "what is asked for can be taken away");
    let wrong = page("/notifications?state=delivred").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text().contains("must be one of pending"), "{}", wrong.text());
    let saved = page("/notifications.csv?alertname=Second").await;
    assert_eq!(saved.text().lines().count(), 2, "{}", saved.text());

    let older = page("/notifications?limit=1").await;
    let link = older
        .text()
        .split("rel=\"next\" href=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .replace("&amp;", "&");
    assert!(page(&link).await.text().contains("/channels/alpha"));
}

#[actix_web::test]
async fn an_entry_without_a_name_for_the_database_is_not_found() {
    let site = open().await;
    let entry = json!({"slug": "churn", "owner": "bob"}).to_string();
    let created =
        TestRequest::post().uri("/api/v1/catalog").insert_header(("Content-Type", "application/json"));
    assert_eq!(site.call(created.set_payload(entry)).await.status, StatusCode::CREATED);

    for uri in
        ["/catalog/nobody", "/catalog/nobody/edit", "/incidents/nothing", "/events/%FF", "/channels/nothing"]
    {
        let answer = site.call(TestRequest::get().uri(uri).insert_header(("Accept", "text/html"))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{uri}");
    }
    let stale = form("/catalog/churn/delete").set_form([("revision", "0")]);
    assert_eq!(site.call(stale).await.status, StatusCode::PRECONDITION_FAILED);
}

#[actix_web::test]
async fn no_garbage_in_an_address_a_cookie_or_a_form_is_a_defect_of_the_server() {
    let site = open().await;
    let long = "x".repeat(4_000);
    let garbage = [
        "%00",
        "%FF%FE",
        "%F0%9F%92%A9",
        "%3Cscript%3E",
        "'%20OR%201=1--",
        "-1",
        "999999999999999999999",
        "%26%3D%3F",
        "2026-13-45T99:99",
        "9999-12-31T23:59:59Z",
        "-9999-01-01T00:00",
        "(none)",
        long.as_str(),
    ];
    let names = [
        "state", "q", "cursor", "limit", "since", "until", "entry", "labels", "done", "event", "field",
        "slug", "x",
    ];
    for page in
        PAGES.iter().chain(&["/login", "/catalog/-/new", "/catalog/-/import", "/channels/console/preview"])
    {
        for value in garbage {
            for name in names {
                let asked = TestRequest::get()
                    .uri(&format!("{page}?{name}={value}"))
                    .insert_header(("Accept", "text/html"));
                let answer = site.call(asked).await;
                assert!(answer.status.as_u16() < 500, "{page}?{name}={value}: {}", answer.status);
            }
        }
    }
    for cookie in garbage {
        let cookies = format!(
            "modelpager_session={cookie}; modelpager_zone={cookie}; modelpager_theme={cookie}; =; ;;"
        );
        let asked = TestRequest::get().uri("/incidents").insert_header(("Cookie", cookies));
        assert_eq!(site.call(asked).await.status, StatusCode::OK, "{cookie}");
        let asked = TestRequest::get().uri("/incidents").insert_header(("X-Live-Beat", cookie));
        assert_eq!(site.call(asked).await.status, StatusCode::OK, "{cookie}");
    }
    for (uri, _) in FORMS.iter().chain(&[("/login", ""), ("/logout", ""), ("/preferences", "")]) {
        for body in [
            "",
            "%",
            "id=%FF",
            "revision=1&revision=2",
            "document=%00&act=apply",
            "theme=<&zone=../etc&next=//x",
            "=&=&=",
        ] {
            for kind in ["application/x-www-form-urlencoded", "application/json", "text/plain"] {
                let sent = form(uri).insert_header(("Content-Type", kind)).set_payload(body);
                let answer = site.call(sent).await;
                let is_reload = *uri == "/configuration/reload";
                assert!(is_reload || answer.status.as_u16() < 500, "{uri} {kind} {body}: {}", answer.status);
            }
        }
    }
}

on_both_databases! {
    the_overview_counts_what_is_wrong_and_what_was_told,
    every_list_is_shown_whatever_the_database,
    a_commit_by_anybody_is_noticed,
    logging_out_ends_the_session_on_every_replica,
}

async fn the_overview_counts_what_is_wrong_and_what_was_told(database: Fresh) {
    let site = open_over(database).await;
    // The test sends the messages, and nobody else.
    site.state.dispatcher.stop(Duration::ZERO).await;
    for n in 0..3 {
        let entry = if n == 0 { "" } else { "fraud-detector" };
        site.tell(&Case { entry, ..told("console", "LatencyHigh") }).await;
    }
    site.tell(&Case { end: Some(Next::Failed("gone".to_owned())), ..told("console", "LatencyHigh") }).await;

    assert!(site.get_page("/").await.contains("Welcome"), "nobody has posted yet");
    let posted = site.post("/webhooks/alertmanager", &delivery("LatencyHigh").to_string()).await;
    assert_eq!(posted.status, StatusCode::OK, "{}", posted.text());
    let shown = site.get_page("/").await;

    assert!(shown.contains("4</strong><span>high open"), "{shown}");
    assert!(shown.contains("1</strong><span>without a catalog entry"), "{shown}");
    assert!(shown.contains("3 delivered, 1 failed"), "{shown}");
    assert!(shown.contains(">3 open</a>") && shown.contains("entry=%28none%29"), "{shown}");
}

async fn every_list_is_shown_whatever_the_database(database: Fresh) {
    let site = open_over(database).await;
    // The test sends the message, and nobody else.
    site.state.dispatcher.stop(Duration::ZERO).await;
    let ids = site.tell(&told("console", "LatencyHigh")).await;

    for uri in [
        "/incidents",
        "/notifications",
        "/catalog",
        "/channels",
        "/events",
        "/configuration",
        "/channels/console",
    ] {
        site.get_page(uri).await;
    }
    let incident = site.get_page(&format!("/incidents/{}", ids.incident)).await;
    assert!(incident.contains("LatencyHigh") && incident.contains("p99 is 2.4 s"), "{incident}");
    let message = site.get_page(&format!("/notifications/{}", ids.notification)).await;
    assert!(message.contains("Resend") && message.contains(&ids.incident), "{message}");
}

async fn a_commit_by_anybody_is_noticed(database: Fresh) {
    let url = database.url();
    let site = open_over(database).await;
    let mut changes = site.state.store.watch_changes().await.unwrap();
    let before = changes.number().await.unwrap();

    site.tell(&told("console", "LatencyHigh")).await;
    let after = changes.number().await.unwrap();
    assert_ne!(before, after, "this process");
    crate::support::databases::execute(&url, "UPDATE incidents SET updated_at = updated_at + 1").await;
    assert_ne!(after, changes.number().await.unwrap(), "another one");
}

impl Site {
    /// A page, as it is shown to who may see all.
    async fn get_page(&self, uri: &str) -> String {
        let answer = self.call(TestRequest::get().uri(uri).insert_header(("Accept", "text/html"))).await;
        assert_eq!(answer.status, StatusCode::OK, "{uri}: {}", answer.text());
        answer.text().to_owned()
    }
}
