//! Commands on incidents over the API and the page.

use actix_web::http::StatusCode;
use actix_web::test::TestRequest;
use serde_json::json;

use crate::log_support::told;
use crate::support::databases::{Fresh, on_both_databases};
use crate::web_support::{Answer, Site, config_with_tokens};

on_both_databases! {
    an_incident_is_resolved_with_a_comment_and_only_once,
    a_comment_may_be_left_out_and_nothing_else_is_taken,
    the_page_resolves_an_incident_for_who_may_write,
}

async fn an_incident_is_resolved_with_a_comment_and_only_once(fresh: Fresh) {
    let site = Site::over(fresh, config_with_tokens()).await;
    let ids = site.tell(&told("oncall", "AccuracyDrop")).await;
    let uri = format!("/api/v1/incidents/{}/resolve", ids.incident);

    let answer = post(&site, "write", &uri, Some(r#"{"comment": " rolled back "}"#)).await;

    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let incident = answer.json();
    assert_eq!((&incident["state"], &incident["resolve_reason"]), (&json!("resolved"), &json!("person")));
    let line = incident["timeline"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&line["kind"], &line["actor"], &line["detail"]["comment"]),
        (&json!("resolved"), &json!("write"), &json!("rolled back"))
    );
    let again = post(&site, "write", &uri, None).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.text().contains("resolved already"), "{}", again.text());
    assert_eq!(post(&site, "read", &uri, None).await.status, StatusCode::FORBIDDEN);
}

async fn a_comment_may_be_left_out_and_nothing_else_is_taken(fresh: Fresh) {
    let site = Site::over(fresh, config_with_tokens()).await;
    let ids = site.tell(&told("oncall", "AccuracyDrop")).await;
    let uri = format!("/api/v1/incidents/{}/resolve", ids.incident);
    let long = json!({"comment": "x".repeat(4_097)}).to_string();

    for (body, status, says) in [
        (r#"{"coment": "x"}"#, StatusCode::UNPROCESSABLE_ENTITY, "unknown field `coment`"),
        (r#"{"comment": 1}"#, StatusCode::UNPROCESSABLE_ENTITY, "expected a string"),
        (long.as_str(), StatusCode::UNPROCESSABLE_ENTITY, "at most 4096 characters"),
        ("{", StatusCode::BAD_REQUEST, "the body is not JSON"),
    ] {
        let refused = post(&site, "write", &uri, Some(body)).await;
        assert_eq!(refused.status, status, "{body}: {}", refused.text());
        assert!(refused.text().contains(says), "{body}: {}", refused.text());
    }
    let unknown = post(&site, "write", "/api/v1/incidents/nowhere/resolve", None).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(post(&site, "write", &uri, None).await.status, StatusCode::OK);
}

async fn the_page_resolves_an_incident_for_who_may_write(fresh: Fresh) {
    let site = Site::over(fresh, config_with_tokens()).await;
    let ids = site.tell(&told("oncall", "AccuracyDrop")).await;
    let page = format!("/incidents/{}", ids.incident);
    let action = format!("{page}/resolve");

    assert!(see(&site, "write", &page).await.text().contains(&action));
    assert!(!see(&site, "read", &page).await.text().contains(&action));
    let form = TestRequest::post()
        .uri(&action)
        .insert_header(("Authorization", "Bearer write-token-0123456"))
        .insert_header(("Sec-Fetch-Site", "same-origin"));
    let answer = site.call(form.set_form([("comment", "<b>false alarm</b>")])).await;

    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
    let page = see(&site, "write", &page).await.text().to_owned();
    assert!(page.contains("&lt;b&gt;false alarm&lt;/b&gt;"), "{page}");
    assert!(!page.contains(&action), "it cannot be resolved again");
}

async fn post(site: &Site, scope: &str, uri: &str, body: Option<&str>) -> Answer {
    let request = TestRequest::post()
        .uri(uri)
        .insert_header(("Authorization", format!("Bearer {scope}-token-0123456")));
    let request = match body {
        Some(body) => {
            request.insert_header(("Content-Type", "application/json")).set_payload(body.to_owned())
        }
        None => request,
    };
    site.call(request).await
}

async fn see(site: &Site, scope: &str, uri: &str) -> Answer {
    let request =
        TestRequest::get().uri(uri).insert_header(("Authorization", format!("Bearer {scope}-token-0123456")));
    site.call(request).await
}
