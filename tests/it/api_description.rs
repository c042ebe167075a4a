//! The description of the API says what the API does: answers fit the schemas, parameters have
//! their types, errors their statuses.

use actix_web::test::TestRequest;
use modelpager::config::Config;
use modelpager::store::outbox::Next;
use serde_json::{Value, json};

use crate::log_support::{Case, told};
use crate::support::databases::{Fresh, on_both_databases};
use crate::web_support::Site;

on_both_databases! { answers_fit_their_schemas, incidents_say_what_is_wrong_and_who_answers_for_it }

async fn description(site: &Site) -> Value {
    site.get("/api/v1/openapi.json").await.json()
}

fn operations(description: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = description["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

/// What does not fit the schema that the description has for `GET path`.
fn misfits(description: &Value, path: &str, status: &str, answer: &Value) -> Vec<String> {
    let content = &description["paths"][path]["get"]["responses"][status]["content"];
    let schema = content.get("application/json").or(content.get("application/problem+json")).unwrap();
    let mut root = schema["schema"].clone();
    root["components"] = description["components"].clone();
    let validator = jsonschema::options()
        .with_draft(jsonschema::Draft::Draft202012)
        .should_validate_formats(true)
        .build(&root)
        .unwrap();
    validator.iter_errors(answer).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

async fn answers_fit_their_schemas(database: Fresh) {
    let mut config = Config::default();
    config.channels = vec![serde_json::from_value(json!({"name": "console", "kind": "log"})).unwrap()];
    config.route.channels = vec!["console".to_owned()];
    let site = Site::over(database, config).await;
    let description = description(&site).await;
    let post = |uri: &str, body: Value| {
        let request = TestRequest::post().uri(uri).set_json(body);
        async { site.call(request).await }
    };
    let entry = json!({
        "slug": "fraud-detector", "aliases": ["f"], "matchers": [{"matchers": ["a=\"b\""]}], "contacts": [{"name": "ada"}],
        "tags": {"a": "b"}, "links": {"logs": "https://l"}, "tier": 1,
    });
    assert_eq!(post("/api/v1/catalog", entry).await.status, 201);
    assert_eq!(post("/api/v1/catalog/fraud-detector/versions", json!({"version": "1"})).await.status, 201);
    assert_eq!(post("/api/v1/catalog/fraud-detector/deployments", json!({"version": "2"})).await.status, 201);
    let good = json!({"alerts": [{"status": "firing", "labels": {"alertname": "A"}}, {"labels": {}}]});
    let event = post("/webhooks/alertmanager", good).await.json()["event_id"].as_str().unwrap().to_owned();
    let told_of = site.tell(&told("console", "LatencyHigh")).await;
    let end = Some(Next::Failed("gone".to_owned()));
    let failed = site.tell(&Case { end, entry: "", ..told("console", "ErrorBudget") }).await;

    let (incident, failed) = (told_of.incident, failed.notification);
    for (path, uri) in [
        ("/api/v1/catalog", "/api/v1/catalog".to_owned()),
        ("/api/v1/catalog/{slug}", "/api/v1/catalog/fraud-detector".to_owned()),
        ("/api/v1/catalog/{slug}/versions", "/api/v1/catalog/fraud-detector/versions".to_owned()),
        ("/api/v1/catalog/{slug}/deployments", "/api/v1/catalog/fraud-detector/deployments".to_owned()),
        ("/api/v1/events", "/api/v1/events".to_owned()),
        ("/api/v1/events/{id}", format!("/api/v1/events/{event}")),
        ("/api/v1/incidents", "/api/v1/incidents".to_owned()),
        ("/api/v1/incidents/{id}", format!("/api/v1/incidents/{incident}")),
        ("/api/v1/notifications", "/api/v1/notifications".to_owned()),
        ("/api/v1/notifications/{id}", format!("/api/v1/notifications/{failed}")),
        ("/api/v1/channels", "/api/v1/channels".to_owned()),
        ("/api/v1/channels/{name}", "/api/v1/channels/console".to_owned()),
        ("/api/v1/status", "/api/v1/status".to_owned()),
    ] {
        let answer = site.get(&uri).await;
        assert_eq!(answer.status, 200, "{uri}: {}", answer.text());
        let answer = answer.json();
        assert_ne!(answer["items"], json!([]), "{uri}");
        assert_eq!(misfits(&description, path, "200", &answer), Vec::<String>::new(), "{uri}: {answer}");
    }
    let verdicts = site.get(&format!("/api/v1/events/{event}")).await.json()["verdicts"].clone();
    assert_eq!(verdicts[0]["index"], 1, "{verdicts}");
    for (path, uri, status) in [
        ("/api/v1/incidents", "/api/v1/incidents?state=x&limit=0", "422"),
        ("/api/v1/incidents", "/api/v1/incidents?cursor=x", "400"),
        ("/api/v1/incidents/{id}", "/api/v1/incidents/x", "404"),
    ] {
        let answer = site.get(uri).await;
        assert_eq!(answer.status.as_str(), status, "{uri}");
        assert_eq!(misfits(&description, path, status, &answer.json()), Vec::<String>::new(), "{uri}");
    }
}

async fn incidents_say_what_is_wrong_and_who_answers_for_it(database: Fresh) {
    let site = Site::over(database, Config::default()).await;
    let entry = json!({"slug": "fraud-detector", "owner": "ada@example.org"});
    assert_eq!(site.call(TestRequest::post().uri("/api/v1/catalog").set_json(entry)).await.status, 201);
    let with_entry = site.tell(&told("console", "LatencyHigh")).await;
    let without = site.tell(&Case { entry: "", ..told("console", "") }).await;

    let listed = site.get("/api/v1/incidents").await.json()["items"].clone();

    assert_eq!(listed[1]["owner"], "ada@example.org");
    assert_eq!(
        (&listed[0]["owner"], &listed[0]["summary"], &listed[0]["value"]),
        (&json!(""), &json!(""), &json!(""))
    );
    let shown = site.get(&format!("/api/v1/incidents/{}", with_entry.incident)).await.json();
    assert_eq!(shown["owner"], "ada@example.org");
    for (query, expected) in [
        ("entry=(none)", &without),
        ("alertname=(none)", &without),
        ("entry=fraud-detector", &with_entry),
        ("entry=(none)&state=&severity=&q=&limit=&cursor=", &without),
    ] {
        let found = site.get(&format!("/api/v1/incidents?{query}")).await.json()["items"].clone();
        assert_eq!(found.as_array().map(Vec::len), Some(1), "{query}: {found}");
        assert_eq!(found[0]["id"], expected.incident.as_str(), "{query}");
    }
}

#[actix_web::test]
async fn empty_parameters_are_as_if_they_were_not_given() {
    let site = Site::open().await;
    for uri in [
        "/api/v1/notifications?format=&limit=&cursor=&state=&since=&until=&severity=",
        "/api/v1/events?state=&since=&until=&limit=&cursor=&receiver=",
        "/api/v1/catalog?kind=&tier=&owner=&team=&q=&limit=&cursor=",
        "/api/v1/catalog/export?format=",
    ] {
        let answer = site.get(uri).await;
        assert_eq!(answer.status, 200, "{uri}: {}", answer.text());
    }
    let import = |query: &str| {
        let request = TestRequest::post().uri(&format!("/api/v1/catalog/import?{query}"));
        request.insert_header(("Content-Type", "application/yaml")).set_payload("entries: []")
    };
    assert_eq!(site.call(import("dry_run=&prune=")).await.status, 200);
    let wrong = import("dry_run=yes&prune=1");
    assert_eq!(site.call(wrong).await.json()["errors"].as_array().map(Vec::len), Some(2));
}

#[actix_web::test]
async fn parameters_have_their_types_and_errors_their_statuses() {
    let description = description(&Site::open().await).await;
    for (path, method, operation) in operations(&description) {
        let what = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap();
        let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(id.contains('_') && id.chars().all(is_word), "{what}: {id}");
        let summary = operation["summary"].as_str().unwrap();
        assert!(
            summary.ends_with('.') && !summary.contains(". ") && !summary.contains('\n'),
            "{what}: {summary}"
        );

        let none = Vec::new();
        for parameter in operation["parameters"].as_array().unwrap_or(&none) {
            let schema = &parameter["schema"];
            let fits = match parameter["name"].as_str().unwrap() {
                "limit" => {
                    (&schema["type"], &schema["minimum"], &schema["maximum"])
                        == (&json!("integer"), &json!(1), &json!(500))
                }
                "tier" => (&schema["type"], &schema["maximum"]) == (&json!("integer"), &json!(5)),
                "state" | "severity" | "kind" | "format" => {
                    schema["enum"].as_array().is_some_and(|words| words.len() > 1)
                }
                "since" | "until" => schema["format"] == "date-time",
                "dry_run" | "prune" => schema["type"] == "boolean",
                _ => schema["type"] == "string",
            };
            assert!(fits, "{what}: {parameter}");
        }
        let responses = operation["responses"].as_object().unwrap();
        let mut expected = vec!["default"];
        if operation.get("security").is_none() {
            expected.extend(["401", "403"]);
        }
        if operation.get("parameters").is_some() {
            expected.push("422");
        }
        if operation.get("requestBody").is_some() {
            expected.extend(["400", "413", "415", "422"]);
        }
        if path.contains("{id}") || path.contains("{name}") || (path.contains("{slug}") && method != "put") {
            expected.push("404");
        }
        for status in expected {
            let schema = &responses[status]["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/ProblemBody", "{what}: {status}");
        }
    }
    let body = &description["paths"]["/webhooks/alertmanager"]["post"]["requestBody"]["content"];
    assert_eq!(body["application/json"]["schema"]["$ref"], "#/components/schemas/WebhookBody");
    assert_eq!(description["components"]["schemas"]["WebhookBody"]["required"], json!(["alerts"]));
    assert!(!description.to_string().contains("StoredJson"));
    assert_eq!(description["servers"][0]["url"], "/");
}
