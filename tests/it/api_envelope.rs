//! What surrounds every request: ids, headers, errors, tokens, health.

use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::web_support::{Site, config_with_tokens};

#[actix_web::test]
async fn every_answer_carries_an_id_and_the_security_headers() {
    let site = Site::open().await;

    for uri in ["/-/healthy", "/api/v1/status", "/nothing/here"] {
        let answer = site.get(uri).await;

        assert_eq!(answer.header("x-request-id").len(), 36, "{uri}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{uri}");
    }
}

#[actix_web::test]
async fn a_sane_request_id_is_kept_and_any_other_replaced() {
    let site = Site::open().await;
    let ask = |id: &'static str| TestRequest::get().uri("/nope").insert_header(("X-Request-Id", id));

    let kept = site.call(ask("deploy-42.a_b")).await;
    assert_eq!(kept.header("x-request-id"), "deploy-42.a_b");
    assert_eq!(kept.json()["request_id"], "deploy-42.a_b");

    for bad in ["two words", "<script>", "a\tb", "é", ""] {
        assert_eq!(site.call(ask(bad)).await.header("x-request-id").len(), 36, "{bad:?}");
    }
}

#[actix_web::test]
async fn unknown_paths_and_methods_are_problems() {
    let site = Site::open().await;

    let unknown = site.get("/api/v1/nothing").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(unknown.header("content-type"), "application/problem+json");
    assert_eq!(unknown.json()["type"], "/problems/not-found");

    let wrong = site.post("/api/v1/status", "").await;
    assert_eq!(wrong.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(wrong.header("allow"), "GET, HEAD");
    assert_eq!(wrong.json()["type"], "/problems/method-not-allowed");
}

#[actix_web::test]
async fn every_problem_type_has_a_page() {
    let site = Site::open().await;

    let problem = site.get("/api/v1/nothing").await.json();
    let page = site.get(problem["type"].as_str().unwrap()).await;

    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text().starts_with("not-found (404"), "{}", page.text());
}

#[actix_web::test]
async fn health_needs_no_token_and_readiness_follows_the_workers_and_the_database() {
    let site = Site::with_config(config_with_tokens()).await;
    assert_eq!(site.get("/-/healthy").await.text(), "OK\n");
    assert_eq!(site.get("/-/ready").await.status, StatusCode::OK);

    site.operations.stopped.lock().push("triage".to_owned());
    let not_ready = site.get("/-/ready").await;
    assert_eq!(not_ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(not_ready.json()["detail"].as_str().unwrap().contains("triage"));

    site.operations.stopped.lock().clear();
    site.state.store.close().await;
    assert_eq!(site.get("/-/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(site.get("/-/healthy").await.status, StatusCode::OK);
}

#[actix_web::test]
async fn tokens_open_what_their_scopes_allow() {
    let site = Site::with_config(config_with_tokens()).await;
    let as_token = |request: TestRequest, name: &str| {
        request.insert_header(("Authorization", format!("Bearer {name}-token-0123456")))
    };

    let nobody = site.get("/api/v1/status").await;
    assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
    let challenges: Vec<_> = nobody.headers.get_all("www-authenticate").collect();
    assert_eq!(challenges.len(), 2);

    for (uri, name, expected) in [
        ("/api/v1/status", "ingest", 403),
        ("/api/v1/status", "read", 200),
        ("/api/v1/status", "write", 200),
        ("/api/v1/status", "admin", 200),
        ("/api/v1/status", "wrong", 401),
        ("/metrics", "ingest", 200),
        ("/metrics", "read", 200),
    ] {
        let answer = site.call(as_token(TestRequest::get().uri(uri), name)).await;
        assert_eq!(answer.status.as_u16(), expected, "{uri} as {name}");
    }
    for (name, expected) in [("write", 403), ("admin", 200)] {
        let answer = site.call(as_token(TestRequest::post().uri("/-/reload"), name)).await;
        assert_eq!(answer.status.as_u16(), expected, "reload as {name}");
    }
}

#[actix_web::test]
async fn a_refused_reload_says_why() {
    let site = Site::open().await;
    *site.operations.reload_problem.lock() = Some("modelpager.yml:3: unknown key \"rout\"".to_owned());

    let refused = site.post("/-/reload", "").await;

    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.json()["detail"].as_str().unwrap().contains("modelpager.yml:3"));
}

#[actix_web::test]
async fn a_page_of_another_site_cannot_make_a_browser_change_anything() {
    let site = Site::open().await;
    let from =
        |site: &'static str| TestRequest::post().uri("/-/reload").insert_header(("Sec-Fetch-Site", site));

    assert_eq!(site.call(from("cross-site")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(site.call(from("same-site")).await.status, StatusCode::FORBIDDEN);
    assert_eq!(site.call(from("same-origin")).await.status, StatusCode::OK);
    assert_eq!(site.call(from("none")).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_foreign_origin_changes_nothing_on_any_path_whatever_the_browser_adds() {
    let open = Site::open().await;
    let guarded = Site::with_config(config_with_tokens()).await;
    let changes = [
        ("POST", "/webhooks/alertmanager"),
        ("POST", "/webhooks/alertmanager/team-a"),
        ("POST", "/-/reload"),
        ("POST", "/api/v1/catalog"),
        ("POST", "/api/v1/catalog/import?prune=true"),
        ("PUT", "/api/v1/catalog/fraud"),
        ("PATCH", "/api/v1/catalog/fraud"),
        ("DELETE", "/api/v1/catalog/fraud"),
        ("POST", "/api/v1/channels/console/test"),
        ("POST", "/login"),
        ("POST", "/logout"),
        ("POST", "/preferences"),
        ("POST", "/nothing/here"),
    ];
    let request = |method: &str, uri: &str, origin: &'static str| {
        let method: Method = method.parse().unwrap();
        TestRequest::default()
            .method(method)
            .uri(uri)
            .insert_header(("Host", "localhost:9095"))
            .insert_header(("Origin", origin))
    };

    for (method, uri) in changes {
        for origin in
            ["http://evil.example", "http://localhost:8080", "https://localhost.evil.example:9095", "null"]
        {
            let status = open.call(request(method, uri, origin)).await.status;
            assert_eq!(status, StatusCode::FORBIDDEN, "{method} {uri} from {origin}");
            let basic = request(method, uri, origin).insert_header((
                "Authorization",
                format!("Basic {}", BASE64_STANDARD.encode("admin:admin-token-0123456")),
            ));
            let status = guarded.call(basic).await.status;
            assert_eq!(status, StatusCode::FORBIDDEN, "{method} {uri} from {origin} with a password");
        }
    }
    let own = request("POST", "/-/reload", "http://localhost:9095");
    assert_eq!(open.call(own).await.status, StatusCode::OK);
    // Reading is the browser's to refuse: nothing here allows another origin to see an answer.
    let read = open.call(request("GET", "/api/v1/status", "http://evil.example")).await;
    assert_eq!(read.header("access-control-allow-origin"), "");
}

#[actix_web::test]
async fn requests_are_counted_by_route_not_by_path() {
    let site = Site::open().await;

    for path in ["/problems/validation", "/problems/nope-1", "/x/1", "/x/2"] {
        site.get(path).await;
    }

    let text = site.get("/metrics").await.text().to_owned();
    let series = |handler: &str, code: &str| {
        format!(
            "modelpager_http_request_duration_seconds_count{{handler=\"{handler}\",method=\"GET\",code=\"{code}\"}}"
        )
    };
    assert!(text.contains(&format!("{} 1\n", series("/problems/{name}", "200"))), "{text}");
    assert!(text.contains(&format!("{} 1\n", series("/problems/{name}", "404"))));
    assert!(text.contains(&format!("{} 2\n", series("unmatched", "404"))));
}

#[actix_web::test]
async fn without_tokens_a_name_made_to_point_here_is_refused() {
    let open = Site::open().await;
    let guarded = Site::with_config(config_with_tokens()).await;
    let called_by = |host: &str| TestRequest::get().uri("/api/v1/status").insert_header(("host", host));

    for host in ["localhost:9095", "127.0.0.1:9095", "[::1]:9095", "LOCALHOST"] {
        assert_eq!(open.call(called_by(host)).await.status, StatusCode::OK, "{host}");
    }
    assert_eq!(open.call(called_by("attacker.example:9095")).await.status, StatusCode::FORBIDDEN);
    for (method, uri) in [
        (Method::POST, "/webhooks/alertmanager"),
        (Method::POST, "/webhooks/alertmanager/team-a"),
        (Method::GET, "/metrics"),
        (Method::GET, "/"),
        (Method::GET, "/docs"),
    ] {
        let request = TestRequest::default().method(method).uri(uri);
        let answer = open.call(request.insert_header(("host", "attacker.example:9095"))).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{uri}");
        assert!(answer.text().contains("server.external_url"), "{}", answer.text());
    }
    assert_eq!(guarded.call(called_by("attacker.example:9095")).await.status, StatusCode::UNAUTHORIZED);
    let health = TestRequest::get().uri("/-/healthy").insert_header(("host", "some-name:9095"));
    assert_eq!(open.call(health).await.status, StatusCode::OK);
}
