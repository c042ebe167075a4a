//! A NUL character, which no database stores, is refused wherever the API takes a text, on both
//! databases: 422 with the name of the field. Half a character in JSON is told apart from it.

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use modelpager::config::Config;
use serde_json::{Value, json};

use crate::support::databases::{Fresh, on_both_databases};
use crate::web_support::{Answer, Site};

on_both_databases! {
    every_text_of_an_entry_and_its_history_is_refused_with_nul,
    every_text_of_an_imported_document_is_refused_with_nul,
    every_parameter_is_refused_with_nul,
}

const FIELD_CASE: &str = include_str!("../fixtures/field/f44-entry-with-nul.json");
const CATALOG: &str = "/api/v1/catalog";

async fn site(database: Fresh) -> Site {
    Site::over(database, Config::default()).await
}

async fn send(site: &Site, request: TestRequest, body: &Value) -> Answer {
    site.call(request.set_json(body)).await
}

fn wrong(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text());
    let errors = answer.json()["errors"].as_array().unwrap_or_else(|| panic!("{}", answer.text())).clone();
    errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
}

/// An entry with every text it can have, and those texts' places.
fn whole_entry() -> (Value, Vec<&'static str>) {
    let entry = json!({
        "slug": "fraud", "display_name": "a", "description": "a", "owner": "a", "team": "a", "environment": "a",
        "business_impact": "a", "aliases": ["a", "b"], "matchers": [{"matchers": ["job=\"a\""]}],
        "current_version": "a", "endpoint_url": "https://a", "links": {"logs": "https://a"},
        "runbook_url": "https://a", "runbook": "a", "contacts": [{"name": "a", "kind": "a", "value": "a"}],
        "tags": {"k": "a"},
    });
    let texts = vec![
        "/slug",
        "/display_name",
        "/description",
        "/owner",
        "/team",
        "/environment",
        "/business_impact",
        "/aliases/0",
        "/aliases/1",
        "/matchers/0/matchers/0",
        "/current_version",
        "/endpoint_url",
        "/links/logs",
        "/runbook_url",
        "/runbook",
        "/contacts/0/name",
        "/contacts/0/kind",
        "/contacts/0/value",
        "/tags/k",
    ];
    (entry, texts)
}

/// `/aliases/1` as answers write it: `aliases[1]`.
fn dotted(pointer: &str) -> String {
    pointer.split('/').skip(1).fold(String::new(), |path, part| match part.parse::<usize>() {
        Ok(index) => format!("{path}[{index}]"),
        Err(_) if path.is_empty() => part.to_owned(),
        Err(_) => format!("{path}.{part}"),
    })
}

fn with_nul(document: &Value, pointer: &str) -> Value {
    let mut document = document.clone();
    let text = document.pointer_mut(pointer).unwrap();
    *text = json!(format!("{}\0x", text.as_str().unwrap()));
    document
}

async fn every_text_of_an_entry_and_its_history_is_refused_with_nul(database: Fresh) {
    let site = site(database).await;
    let (entry, texts) = whole_entry();
    let seen = site
        .call(
            TestRequest::post()
                .uri(CATALOG)
                .insert_header(("Content-Type", "application/json"))
                .set_payload(FIELD_CASE),
        )
        .await;
    assert_eq!(wrong(&seen), ["aliases[0]"]);

    for text in &texts {
        let created = send(&site, TestRequest::post().uri(CATALOG), &with_nul(&entry, text)).await;
        assert_eq!(wrong(&created), [dotted(text)]);
    }
    let key = json!({"slug": "a", "tags": {"k\u{0}": "v"}, "links": {"l\u{0}": "https://a"}});
    assert_eq!(wrong(&send(&site, TestRequest::post().uri(CATALOG), &key).await), ["links.l\0", "tags.k\0"]);

    assert_eq!(send(&site, TestRequest::post().uri(CATALOG), &entry).await.status, StatusCode::CREATED);
    let one = format!("{CATALOG}/fraud");
    for text in texts.iter().filter(|text| **text != "/slug") {
        let put = send(&site, TestRequest::put().uri(&one), &with_nul(&entry, text)).await;
        assert_eq!(wrong(&put), [dotted(text)]);
        let patched = send(&site, TestRequest::patch().uri(&one), &with_nul(&entry, text)).await;
        assert_eq!(wrong(&patched), [dotted(text)]);
    }
    let version = json!({"version": "1", "note": "a", "url": "https://a"});
    let deployment = json!({
        "external_id": "a", "version": "1", "previous_version": "a", "actor": "a", "commit": "a", "url": "https://a",
        "rollback_command": "a",
    });
    for (path, record) in [("versions", version), ("deployments", deployment)] {
        for field in record.as_object().unwrap().keys() {
            let body = with_nul(&record, &format!("/{field}"));
            let recorded = send(&site, TestRequest::post().uri(&format!("{one}/{path}")), &body).await;
            assert_eq!(wrong(&recorded), [field.as_str()]);
        }
    }
}

async fn every_text_of_an_imported_document_is_refused_with_nul(database: Fresh) {
    let site = site(database).await;
    let (entry, texts) = whole_entry();
    let import = |document: String, kind: &'static str| {
        let request = TestRequest::post().uri("/api/v1/catalog/import").insert_header(("Content-Type", kind));
        async { site.call(request.set_payload(document)).await }
    };
    for text in texts {
        let document = json!({"entries": [{"slug": "other"}, with_nul(&entry, text)]}).to_string();
        let answer = import(document, "application/json").await;
        assert_eq!(wrong(&answer), [format!("entries[1].{}", dotted(text))]);
    }
    for escape in ["\\0", "\\x00", "\\u0000", "\\U00000000"] {
        let document = format!(
            "entries:\n- slug: fraud\n  aliases: [\"al{escape}ias\"]\n  versions: [{{version: \"1{escape}\"}}]\n"
        );
        let answer = import(document, "application/yaml").await;
        assert_eq!(wrong(&answer), ["entries[0].aliases[0]", "entries[0].versions[0].version"]);
    }
    for raw in
        ["entries: [{slug: a, owner: \"a\0b\"}]", "{\"entries\": [{\"slug\": \"a\", \"owner\": \"a\0b\"}]}"]
    {
        let status = import(raw.to_owned(), "application/yaml").await.status;
        assert!(matches!(status.as_u16(), 400 | 422), "{status}");
    }
    assert_eq!(site.get("/api/v1/catalog").await.json()["items"], json!([]));
}

/// Every parameter that the description of the API knows.
async fn every_parameter_is_refused_with_nul(database: Fresh) {
    let site = site(database).await;
    let description = site.get("/api/v1/openapi.json").await.json();
    let mut tried = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let none = Vec::new();
            for parameter in operation["parameters"].as_array().unwrap_or(&none) {
                let name = parameter["name"].as_str().unwrap();
                let uri = match parameter["in"].as_str().unwrap() {
                    "path" => path.replace(&format!("{{{name}}}"), "a%00b"),
                    "query" => format!("{}?{name}=a%00b", path.replace("{slug}", "a").replace("{name}", "a")),
                    _ => continue,
                };
                let method = method.to_uppercase().parse().unwrap();
                let answer = site.call(TestRequest::default().method(method).uri(&uri)).await;
                assert_eq!(wrong(&answer), [name], "{uri}");
                tried += 1;
            }
        }
    }
    assert!(tried > 40, "{tried}");
    let page = |uri: &str| TestRequest::get().uri(uri).insert_header(("Accept", "text/html"));
    for uri in
        ["/incidents?q=%00", "/notifications?entry=a%00", "/events/%00", "/catalog/a%00", "/incidents?%00=1"]
    {
        assert_eq!(site.call(page(uri)).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{uri}");
    }
    for (uri, form) in [
        ("/catalog/-/new", "slug=a&aliases=b%00"),
        ("/catalog/-/new", "slug=a&tags=k:+%22%5C0%22"),
        ("/catalog/-/import", "document=entries:+[]%00&act=apply"),
        ("/notifications/redeliver", "id=a%00"),
        ("/preferences", "zone=%00"),
    ] {
        let sent = TestRequest::post().uri(uri).insert_header(("Sec-Fetch-Site", "same-origin"));
        let sent = sent.insert_header(("Content-Type", "application/x-www-form-urlencoded"));
        let answer = site.call(sent.set_payload(form)).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{uri} {form}: {}", answer.text());
    }
    // An alert is taken at whatever address of ours it is sent to.
    let alert = json!({"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": "A\u{0}B"}}]});
    let posted = send(&site, TestRequest::post().uri("/webhooks/alertmanager/%00?x=%00"), &alert).await;
    assert_eq!(posted.status, StatusCode::OK, "{}", posted.text());
}

#[actix_web::test]
async fn half_a_character_in_json_is_refused_in_words() {
    let site = Site::open().await;
    for text in [r"a\ud800", r"\ud800\ud800", r"\udc00b", r"\ud83dx"] {
        let entry = format!(r#"{{"slug": "fraud", "owner": "{text}"}}"#);
        let posted = TestRequest::post().uri(CATALOG).insert_header(("Content-Type", "application/json"));
        let document = format!(r#"{{"entries": [{entry}]}}"#);
        let import = TestRequest::post()
            .uri("/api/v1/catalog/import")
            .insert_header(("Content-Type", "application/json"));
        for (request, body) in [(posted, entry), (import, document)] {
            let answer = site.call(request.set_payload(body)).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{text}: {}", answer.text());
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains("lone surrogate) at line 1 column"), "{detail}");
        }
    }
    let yaml =
        TestRequest::post().uri("/api/v1/catalog/import").insert_header(("Content-Type", "application/yaml"));
    let answer = site.call(yaml.set_payload("entries:\n- slug: a\n  owner: \"\\ud800\"\n")).await;
    assert!(matches!(answer.status.as_u16(), 400 | 422), "{}", answer.text());
    assert!(answer.json()["detail"].as_str().unwrap().contains("line 3"), "{}", answer.text());
}
