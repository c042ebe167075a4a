//! Events that triage could not use, and triage that does not go on: what operators are told.

use std::time::Duration;

use actix_web::http::StatusCode;
use modelpager::config::Config;
use modelpager::store::triage::{Consequences, TriagedEvent};
use serde_json::{Value, json};

use crate::spine::pending;
use crate::support::databases::{Fresh, on_both_databases};
use crate::web_support::{START, Site};

on_both_databases! {
    a_replay_says_when_it_cannot_help,
    failed_events_and_a_triage_that_hangs_are_red_on_the_overview,
}

const REASON: &str = "alert 0: what follows from it could not be stored";

/// Stores an event; answers its id.
async fn stored(site: &Site, body: &Value) -> String {
    let event = pending(site.state.ids.next_id(), START, body.to_string().into_bytes());
    let id = event.id.clone();
    site.state.store.insert_events(&[event]).await.unwrap();
    id
}

async fn fail(site: &Site, id: &str) {
    let failed = TriagedEvent { id: id.to_owned(), failure: Some(REASON.to_owned()), at: START };
    let tx = site.state.store.begin_triage().await.unwrap();
    tx.commit(&Consequences { events: vec![failed], ..Consequences::default() }).await.unwrap();
}

async fn a_replay_says_when_it_cannot_help(fresh: Fresh) {
    let site = Site::over(fresh, Config::default()).await;
    let replay = async |id: &str| site.post(&format!("/api/v1/events/{id}/replay"), "").await;
    let useless = stored(&site, &json!({"receiver": "r", "alerts": [{"labels": {}}]})).await;
    let useful = stored(&site, &json!({"receiver": "r", "alerts": [{"labels": {"alertname": "A"}}]})).await;

    let answer = replay(&useless).await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "{}", answer.text());
    assert!(answer.text().contains("a replay cannot help"), "{}", answer.text());

    let answer = replay(&useful).await;
    assert_eq!((answer.status, &answer.json()["warning"]), (StatusCode::ACCEPTED, &Value::Null));

    fail(&site, &useful).await;
    let answer = replay(&useful).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text());
    let warning = answer.json()["warning"].as_str().unwrap().to_owned();
    assert_eq!(warning, format!("a replay fails again until the cause is fixed: {REASON}"));
    assert!(
        site.get(&format!("/events/{useful}")).await.text().contains("fails again until the cause is fixed")
    );

    let again = answer.json()["event_id"].as_str().unwrap().to_owned();
    fail(&site, &again).await;
    let warning = replay(&again).await.json()["warning"].as_str().unwrap().to_owned();
    assert!(warning.starts_with("it is a replay that failed too; "), "{warning}");
}

async fn failed_events_and_a_triage_that_hangs_are_red_on_the_overview(fresh: Fresh) {
    let site = Site::over(fresh, Config::default()).await;
    let id = stored(&site, &json!({"receiver": "r", "alerts": [{"labels": {"alertname": "A"}}]})).await;
    site.state.store.watch().triage_went_on(START);
    assert_eq!(site.get("/-/ready").await.status, StatusCode::OK);
    assert!(!site.get("/").await.text().contains("state=failed\">1 event<"));

    fail(&site, &id).await;
    site.clock.advance(Duration::from_secs(61));

    let ready = site.get("/-/ready").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(ready.text().contains("triage has made no progress since"), "{}", ready.text());
    let page = site.get("/").await.text().to_owned();
    assert!(page.contains("href=\"/events?state=failed\">1 event<"), "{page}");
    assert!(page.contains("Alerts are delayed: triage has made no progress"), "{page}");
}
