//! What is wrong with a catalog document or an entry is answered at once, each field once and with
//! its line where there is a document: by the API and by the import page, on both databases.

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::test::TestRequest;
use modelpager::catalog::faults::{Faults, FieldError};
use modelpager::catalog::reading::read_checked_document;
use modelpager::config::Config;
use serde_json::{Value, json};

use crate::support::databases::{Fresh, on_both_databases};
use crate::web_support::{Answer, START, Site};

on_both_databases! {
    every_fault_of_an_import_is_answered_at_once_with_its_line,
    names_that_other_entries_have_are_answered_with_the_other_faults,
    of_many_faults_of_an_import_the_first_hundred_are_answered,
    every_wrong_field_of_one_entry_is_answered_at_once,
    the_import_page_lists_every_fault_with_its_line_and_keeps_what_was_typed,
}

const YAML: &str = include_str!("../fixtures/catalog/faults.yml");
const JSON: &str = include_str!("../fixtures/catalog/faults.json");
const IMPORT: &str = "/api/v1/catalog/import";

async fn import(site: &Site, media_type: &'static str, document: &str) -> Answer {
    let request = TestRequest::post().uri(IMPORT).insert_header((CONTENT_TYPE, media_type));
    site.call(request.set_payload(document.to_owned())).await
}

/// The errors of an answer that refuses fields.
fn errors(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", answer.text());
    answer.json()["errors"].as_array().unwrap_or_else(|| panic!("{}", answer.text())).clone()
}

/// Where they are, in short.
fn places(errors: &[Value]) -> Vec<String> {
    let place = |error: &Value| format!("{} {}", error["line"], error["field"].as_str().unwrap());
    errors.iter().map(place).collect()
}

async fn every_fault_of_an_import_is_answered_at_once_with_its_line(database: Fresh) {
    let site = Site::over(database, Config::default()).await;
    for (media_type, document) in [("application/yaml", YAML), ("application/json", JSON)] {
        let answer = import(&site, media_type, document).await;

        let found = errors(&answer);
        assert_eq!(found[0]["field"], "entries[0].ownr");
        assert_eq!(found[0]["message"], "unknown key; did you mean `owner`?");
        let line = document.lines().position(|line| line.contains("ownr")).unwrap() + 1;
        assert_eq!(found[0]["line"], line);
        let faults = read_checked_document(document.as_bytes(), START).unwrap_err().into_faults();
        assert_eq!(json!(found), json!(faults.listed()));
        assert!(found.len() >= 26, "{}", answer.text());
        assert_eq!(answer.json()["errors_omitted"], Value::Null);
    }
    assert_eq!(site.get("/api/v1/catalog").await.json()["items"], json!([]));
}

async fn names_that_other_entries_have_are_answered_with_the_other_faults(database: Fresh) {
    let site = Site::over(database, Config::default()).await;
    let other =
        TestRequest::post().uri("/api/v1/catalog").set_json(json!({"slug": "other", "aliases": ["x"]}));
    assert_eq!(site.call(other).await.status, StatusCode::CREATED);

    let answer =
        import(&site, "application/yaml", "entries:\n- slug: a\n  tier: 9\n  aliases:\n  - b\n  - X\n").await;
    let alone = import(&site, "application/yaml", "entries:\n- slug: a\n  aliases:\n  - b\n  - X\n").await;

    assert_eq!(places(&errors(&answer)), ["3 entries[0].tier", "6 entries[0].aliases[1]"]);
    assert_eq!(places(&errors(&alone)), ["5 entries[0].aliases[1]"]);
}

async fn of_many_faults_of_an_import_the_first_hundred_are_answered(database: Fresh) {
    let site = Site::over(database, Config::default()).await;
    let unread = format!("entries:\n{}", "- {slug: a, ownr: x}\n".repeat(300));
    let read = format!("entries:\n{}", "- {slug: a, tier: 9}\n".repeat(300));
    for document in [unread, read] {
        let answer = import(&site, "application/yaml", &document).await;

        assert_eq!(errors(&answer).len(), 100);
        // Every entry has a wrong key or value, and all but the first the slug of the first.
        assert_eq!(answer.json()["errors_omitted"], 499);
        assert_eq!(answer.json()["detail"], "599 fields are wrong; the first 100 are listed");
        assert_eq!(errors(&answer)[99]["line"], 52);
    }
}

async fn every_wrong_field_of_one_entry_is_answered_at_once(database: Fresh) {
    let site = Site::over(database, Config::default()).await;
    let body = json!({
        "ownr": "ada", "tier": 9, "kind": "modell", "team": null, "aliases": ["ok", 7],
        "matchers": [{"matchers": ["job=\"a\"", "pod=~\"(\""], "prio": 1}], "contacts": [{"kind": "mail"}],
        "links": {"logs": "ftp://x", "grafana.example": 7}, "owner": "a\u{0}b",
    });
    let put = TestRequest::put().uri("/api/v1/catalog/fraud").set_json(&body);
    let answer = site.call(put).await;

    let found = errors(&answer);
    let mut fields: Vec<&str> = found.iter().map(|error| error["field"].as_str().unwrap()).collect();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "aliases[1]",
            "contacts[0].name",
            "kind",
            "links.grafana.example",
            "links.logs",
            "matchers[0].matchers[1]",
            "matchers[0].prio",
            "owner",
            "ownr",
            "team",
            "tier",
        ]
    );
    assert!(found.iter().all(|error| error.get("line").is_none()), "{}", answer.text());
}

async fn the_import_page_lists_every_fault_with_its_line_and_keeps_what_was_typed(database: Fresh) {
    let site = Site::over(database, Config::default()).await;
    for act in ["compare", "apply"] {
        let sent =
            TestRequest::post().uri("/catalog/-/import").insert_header(("Sec-Fetch-Site", "same-origin"));
        let answer = site.call(sent.set_form([("document", YAML), ("act", act)])).await;

        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        let page = answer.text();
        let faults = read_checked_document(YAML.as_bytes(), START).unwrap_err().into_faults();
        for problem in faults.listed() {
            let item = format!("<li>line {}: <code>{}</code>: ", problem.line.unwrap(), problem.field);
            assert_eq!(page.matches(&item).count(), places_of(&faults, problem), "{item}: {page}");
        }
        let typed = page.split("<textarea").nth(1).and_then(|rest| rest.split("</textarea>").next()).unwrap();
        assert!(typed.contains("# One fault of every kind") && typed.contains("entrys: []"), "{typed}");
    }
}

/// How many faults stand at the place of that one.
fn places_of(faults: &Faults, problem: &FieldError) -> usize {
    let same = |other: &&FieldError| (other.line, &other.field) == (problem.line, &problem.field);
    faults.listed().iter().filter(same).count()
}
