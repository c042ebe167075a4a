//! The catalog over HTTP: entries, preconditions, history, import and export.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::test::TestRequest;
use serde_json::{Value, json};

use crate::web_support::{Answer, Site, config_with_tokens};

const CATALOG: &str = "/api/v1/catalog";

async fn send(site: &Site, request: TestRequest, body: &Value) -> Answer {
    site.call(request.set_json(body)).await
}

async fn create(site: &Site, body: Value) -> Answer {
    let answer = send(site, TestRequest::post().uri(CATALOG), &body).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
    answer
}

fn slugs(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let items = answer.json()["items"].as_array().unwrap().clone();
    items.iter().map(|item| item["slug"].as_str().unwrap().to_owned()).collect()
}

/// The status and the last word of the problem's type.
fn problem(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let kind = answer.json()["type"].as_str().unwrap().trim_start_matches("/problems/").to_owned();
    (answer.status.as_u16(), kind)
}

fn wrong(answer: &Answer) -> Vec<String> {
    assert_eq!(problem(answer), (422, "validation".to_owned()), "{}", answer.text());
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn an_entry_is_created_read_replaced_patched_and_deleted() {
    let site = Site::open().await;
    let body = json!({"slug": "fraud", "kind": "llm", "tier": 1, "links": {"logs": "https://l"}});

    let created = create(&site, body).await;
    assert_eq!(created.header("location"), "/api/v1/catalog/fraud");
    let uri = created.header("location").to_owned();
    let read = site.get(&uri).await;
    assert_eq!((read.header("etag"), read.json()), (created.header("etag"), created.json()));
    assert_eq!(read.json()["created_at"], "2026-08-20T10:00:03.125Z");

    // What was read may be written back.
    let mut edited = read.json();
    edited["owner"] = json!("ada");
    let replaced = send(&site, TestRequest::put().uri(&uri), &edited).await;
    assert_eq!((replaced.status, replaced.json()["owner"].as_str()), (StatusCode::OK, Some("ada")));
    assert_ne!(replaced.header("etag"), created.header("etag"));
    let patch = TestRequest::patch().uri(&uri);
    let patched = send(&site, patch, &json!({"tier": null, "links": {"dashboard": "https://d"}})).await;
    assert_eq!(patched.json()["links"], json!({"dashboard": "https://d", "logs": "https://l"}));
    assert_eq!(patched.json().get("tier"), None);

    let deleted = site.call(TestRequest::delete().uri(&uri)).await;
    assert_eq!((deleted.status, deleted.text()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(problem(&site.get(&uri).await), (404, "not-found".to_owned()));
    let again = send(&site, TestRequest::put().uri(&uri), &json!({})).await;
    assert_eq!((again.status, again.header("location")), (StatusCode::CREATED, uri.as_str()));
}

#[actix_web::test]
async fn look_ups_are_right_as_soon_as_a_change_is_answered() {
    let site = Site::open().await;

    create(&site, json!({"slug": "fraud", "aliases": ["Fraud Detector"]})).await;

    let found = site.state.catalog.catalog().find_by_name("fraud detector");
    assert_eq!(found.unwrap().entry.slug, "fraud");
}

#[actix_web::test]
async fn a_change_may_be_bound_to_a_revision() {
    let site = Site::open().await;
    let uri = "/api/v1/catalog/fraud";
    let stale = create(&site, json!({"slug": "fraud"})).await.header("etag").to_owned();
    let change = |request: TestRequest, header: (&'static str, String), owner: &str| {
        let request = request.uri(uri).insert_header(header).set_json(json!({"owner": owner}));
        async { site.call(request).await }
    };
    let refused = (412, "precondition-failed".to_owned());

    let first = change(TestRequest::patch(), ("If-Match", stale.clone()), "ada").await;
    assert_eq!(first.status, StatusCode::OK);
    for method in [TestRequest::patch(), TestRequest::put(), TestRequest::delete()] {
        assert_eq!(problem(&change(method, ("If-Match", stale.clone()), "bob").await), refused);
    }
    assert_eq!(problem(&change(TestRequest::put(), ("If-None-Match", "*".into()), "bob").await), refused);
    let absent = TestRequest::put().uri("/api/v1/catalog/absent").insert_header(("If-Match", "*"));
    assert_eq!(problem(&send(&site, absent, &json!({})).await), refused);
    assert_eq!(site.get(uri).await.json()["owner"], "ada");

    let known = TestRequest::get().uri(uri).insert_header(("If-None-Match", first.header("etag")));
    assert_eq!(site.call(known).await.status, StatusCode::NOT_MODIFIED);
    let current = first.header("etag").to_owned();
    let deleted = change(TestRequest::delete(), ("If-Match", current), "").await;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT);
}

#[actix_web::test]
async fn every_wrong_field_is_named_at_once() {
    let site = Site::open().await;
    create(&site, json!({"slug": "churn", "aliases": ["taken"]})).await;
    let body = json!({
        "slug": "Fraud!", "tier": 7, "aliases": ["Taken", ""], "matchers": [{"matchers": ["pod=~\"(\""]}],
        "endpoint_url": "ml", "links": {"logs": "ftp://x"}, "contacts": [{"name": ""}]
    });

    let answer = send(&site, TestRequest::post().uri(CATALOG), &body).await;
    let mut fields = wrong(&answer);
    fields.sort();
    assert_eq!(
        fields,
        [
            "aliases[0]",
            "aliases[1]",
            "contacts[0].name",
            "endpoint_url",
            "links.logs",
            "matchers[0].matchers[0]",
            "slug",
            "tier"
        ]
    );

    let types = json!({"slug": "x", "tier": "one", "ownr": "ada", "links": []});
    assert_eq!(
        wrong(&send(&site, TestRequest::post().uri(CATALOG), &types).await),
        ["tier", "links", "ownr"]
    );
    let rename = send(&site, TestRequest::patch().uri("/api/v1/catalog/churn"), &json!({"slug": "x"})).await;
    assert_eq!(wrong(&rename), ["slug"]);
    let twice = send(&site, TestRequest::post().uri(CATALOG), &json!({"slug": "churn"})).await;
    assert_eq!(problem(&twice), (409, "conflict".to_owned()));
    let no_json = site.post(CATALOG, "{").await;
    assert_eq!(no_json.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[actix_web::test]
async fn a_link_template_is_checked_when_it_is_written() {
    let site = Site::open().await;
    let link = |url: &str| json!({"slug": "fraud", "links": {"dashboard": url}});

    let broken = send(&site, TestRequest::post().uri(CATALOG), &link("https://g/{{#if}}")).await;
    assert_eq!(wrong(&broken), ["links.dashboard"]);
    create(&site, link("https://g/d?var-model={{entry}}&from={{window.from_ms}}")).await;
}

#[actix_web::test]
async fn the_list_is_filtered_and_paged() {
    let site = Site::open().await;
    for n in 0..7 {
        let kind = if n % 2 == 0 { "model" } else { "llm" };
        create(&site, json!({"slug": format!("m-{n}"), "kind": kind, "owner": format!("o{n}"), "team": "ml", "tier": 1 + n % 3})).await;
    }

    let mut seen = Vec::new();
    let mut uri = format!("{CATALOG}?limit=3");
    loop {
        let answer = site.get(&uri).await;
        seen.extend(slugs(&answer));
        let Value::String(cursor) = &answer.json()["next_cursor"] else { break };
        uri = format!("{CATALOG}?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, ["m-0", "m-1", "m-2", "m-3", "m-4", "m-5", "m-6"]);
    for (query, expected) in [
        ("kind=llm", vec!["m-1", "m-3", "m-5"]),
        ("owner=o4", vec!["m-4"]),
        ("team=ml&tier=3", vec!["m-2", "m-5"]),
        ("q=M-6", vec!["m-6"]),
        ("text=o2", vec!["m-2"]),
        ("q=100%25", vec![]),
    ] {
        assert_eq!(slugs(&site.get(&format!("{CATALOG}?{query}")).await), expected, "{query}");
    }
    assert_eq!(wrong(&site.get(&format!("{CATALOG}?kind=robot&tier=9")).await), ["kind", "tier"]);
    assert_eq!(site.get(&format!("{CATALOG}?cursor=x")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(site.get(&format!("{CATALOG}?colour=red")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[actix_web::test]
async fn versions_and_deployments_are_recorded_once_and_listed_newest_first() {
    let site = Site::open().await;
    create(&site, json!({"slug": "fraud"})).await;
    let post = async |what: &str, body: Value| {
        let uri = format!("{CATALOG}/fraud/{what}");
        send(&site, TestRequest::post().uri(&uri), &body).await
    };

    let version = json!({"version": "7", "valid_from": "2026-08-20T08:00:00+02:00", "note": "retrained"});
    assert_eq!(post("versions", version.clone()).await.status, StatusCode::CREATED);
    let again = post("versions", version).await;
    assert_eq!(
        (again.status, &again.json()["valid_from"]),
        (StatusCode::OK, &json!("2026-08-20T06:00:00.000Z"))
    );
    let run =
        json!({"external_id": "run-8", "version": "8", "actor": "ada", "rollback_command": "make rollback"});
    let deployed = post("deployments", run.clone()).await;
    assert_eq!((deployed.status, &deployed.json()["previous_version"]), (StatusCode::CREATED, &json!("7")));
    let repeated = post("deployments", run).await;
    assert_eq!((repeated.status, repeated.json()), (StatusCode::OK, deployed.json()));
    for n in 0..4 {
        let at = format!("2026-08-20T09:0{n}:00Z");
        post("deployments", json!({"external_id": format!("r{n}"), "version": format!("7.{n}"), "at": at}))
            .await;
    }

    assert_eq!(site.get(&format!("{CATALOG}/fraud")).await.json()["current_version"], "8");
    let mut seen = Vec::new();
    let mut uri = format!("{CATALOG}/fraud/deployments?limit=2");
    loop {
        let page = site.get(&uri).await.json();
        let items = page["items"].as_array().unwrap().clone();
        seen.extend(items.iter().map(|item| item["version"].as_str().unwrap().to_owned()));
        let Value::String(cursor) = &page["next_cursor"] else { break };
        uri = format!("{CATALOG}/fraud/deployments?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ["8", "7.3", "7.2", "7.1", "7.0"]);
    let versions = site.get(&format!("{CATALOG}/fraud/versions")).await.json();
    assert_eq!((versions["items"].as_array().unwrap().len(), &versions["next_cursor"]), (1, &Value::Null));

    assert_eq!(
        wrong(&post("versions", json!({"valid_from": "yesterday", "versoin": "1"})).await),
        ["valid_from", "versoin"]
    );
    assert_eq!(wrong(&post("deployments", json!({"version": "", "url": "x"})).await), ["version", "url"]);
    let elsewhere =
        send(&site, TestRequest::post().uri("/api/v1/catalog/absent/versions"), &json!({"version": "1"}))
            .await;
    assert_eq!(problem(&elsewhere).0, 404);
    assert_eq!(problem(&site.get("/api/v1/catalog/absent/deployments").await).0, 404);
}

#[actix_web::test]
async fn a_document_is_imported_after_a_dry_run_and_exported_again() {
    let site = Site::open().await;
    create(&site, json!({"slug": "old"})).await;
    let yaml = "entries:\n  - slug: fraud\n    current_version: 1.10\n    aliases: [Fraud]\n  - {slug: gpt-4o, kind: llm}\n";
    let import = async |query: &str, body: &str| {
        let uri = format!("{CATALOG}/import{query}");
        let request = TestRequest::post().uri(&uri).insert_header((CONTENT_TYPE, "application/yaml"));
        site.call(request.set_payload(body.to_owned())).await
    };

    let yaml = yaml.replace("aliases: [Fraud]", "aliases: [Fraud Detector]");
    let dry_run = import("?dry_run=true&prune=true", &yaml).await.json();
    assert_eq!(
        (&dry_run["created"], &dry_run["deleted"], &dry_run["dry_run"]),
        (&json!(2), &json!(1), &json!(true))
    );
    assert_eq!(slugs(&site.get(CATALOG).await), ["old"]);
    assert_eq!(import("?prune=true", &yaml).await.json()["deleted"], 1);
    assert_eq!(slugs(&site.get(CATALOG).await), ["fraud", "gpt-4o"]);

    for (query, media_type) in [("", "application/yaml"), ("?format=json", "application/json")] {
        let exported = site.get(&format!("{CATALOG}/export{query}")).await;
        assert_eq!(exported.header("content-type"), media_type);
        assert_eq!(
            import("?prune=true", exported.text()).await.json()["unchanged"],
            2,
            "{}",
            exported.text()
        );
    }
    let unreadable = import("", "entries: [{slug: fraud").await;
    assert_eq!(problem(&unreadable), (400, "bad-request".to_owned()));
    assert!(unreadable.json()["detail"].as_str().unwrap().contains("line 1"), "{}", unreadable.text());
    let unknown = import("", "entries:\n  - {slug: fraud, tem: y}\n  - slug: b\n    ownr: x\n").await;
    assert_eq!(wrong(&unknown), ["entries[0].tem", "entries[1].ownr"]);
    assert_eq!(unknown.json()["errors"][0]["line"], 2);
    assert_eq!(
        wrong(&import("", "entries: [{slug: A}, {slug: b, tier: 9}]").await),
        ["entries[0].slug", "entries[1].tier"]
    );
}

#[actix_web::test]
async fn an_import_says_that_it_is_yaml_or_json() {
    let site = Site::open().await;
    let import = async |content_type: Option<&str>| {
        let request = TestRequest::post().uri("/api/v1/catalog/import?prune=true").set_payload("entries: []");
        let said = content_type.map(|content_type| (CONTENT_TYPE, content_type.to_owned()));
        site.call(said.into_iter().fold(request, TestRequest::insert_header)).await.status.as_u16()
    };

    for taken in ["application/yaml", "application/x-yaml", "text/yaml", "application/json; charset=utf-8"] {
        assert_eq!(import(Some(taken)).await, 200, "{taken}");
    }
    let forms =
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "yaml"];
    for refused in forms {
        assert_eq!(import(Some(refused)).await, 415, "{refused}");
    }
    assert_eq!(import(None).await, 415);
}

#[actix_web::test]
async fn an_import_beside_another_is_asked_to_come_again() {
    let site = Site::open().await;
    let import = async || {
        let request =
            TestRequest::post().uri("/api/v1/catalog/import").set_payload("entries: [{slug: fraud}]");
        site.call(request.insert_header((CONTENT_TYPE, "application/yaml"))).await
    };

    let turn = site.state.catalog.begin_import().unwrap();
    let answer = import().await;
    assert_eq!(problem(&answer), (503, "unavailable".to_owned()));
    assert!(!answer.header("retry-after").is_empty());
    drop(turn);

    assert_eq!(import().await.status, StatusCode::OK);
}

#[actix_web::test]
async fn a_body_over_the_limit_is_refused() {
    let mut config = config_with_tokens();
    config.server.max_body_bytes = 100;
    let site = Site::with_config(config).await;
    let request = TestRequest::post()
        .uri("/api/v1/catalog/import")
        .insert_header((CONTENT_TYPE, "application/yaml"))
        .insert_header(("Authorization", "Bearer write-token-0123456"));

    let answer = site.call(request.set_payload("#".repeat(101))).await;

    assert_eq!(problem(&answer), (413, "payload-too-large".to_owned()));
}

#[actix_web::test]
async fn reading_needs_read_and_changing_needs_write_and_the_log_has_the_name() {
    let site = Site::with_config(config_with_tokens()).await;
    let as_token = |request: TestRequest, token: &str| {
        request.insert_header(("Authorization", format!("Bearer {token}-token-0123456")))
    };
    let post = |token: &str| as_token(TestRequest::post().uri(CATALOG), token);

    assert_eq!(site.get(CATALOG).await.status, StatusCode::UNAUTHORIZED);
    let body = json!({"slug": "fraud"});
    for token in ["ingest", "read"] {
        assert_eq!(send(&site, post(token), &body).await.status, StatusCode::FORBIDDEN, "{token}");
    }
    assert_eq!(send(&site, post("write"), &body).await.status, StatusCode::CREATED);
    let list = as_token(TestRequest::get().uri(CATALOG), "read");
    assert_eq!(slugs(&site.call(list).await), ["fraud"]);

    let log = site.state.store.list_audit("catalog_entry", "fraud", 5).await.unwrap();
    assert_eq!((log[0].actor.as_str(), &*log[0].action), ("write", "create"));
}
