//! PostgreSQL with a locale of the C library: comparing texts by its rules takes time that grows
//! with their length much faster than their length does.

use serde_json::json;

use super::{World, body, config, firing};
use crate::support::databases::Fresh;
use crate::upkeep::raw::Raw;

const LOCALE: &str = "en_US.UTF-8";
/// Every column of a text type that is compared by the rules of a language.
const BY_LANGUAGE: &str = "SELECT r.relname || '.' || a.attname FROM pg_attribute a \
     JOIN pg_class r ON r.oid = a.attrelid AND r.relkind = 'r' JOIN pg_collation c ON c.oid = a.attcollation \
     WHERE r.relnamespace = 'public'::REGNAMESPACE AND a.attnum > 0 AND NOT a.attisdropped \
     AND c.collname <> 'C' AND r.relname NOT LIKE '\\_sqlx%' ORDER BY 1";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_column_is_compared_by_the_rules_of_a_language() {
    let test = "no_column_is_compared_by_the_rules_of_a_language";
    let Some(fresh) = Fresh::postgres_with_locale(test, LOCALE).await else { return };
    let world = World::open(fresh, &config()).await;

    assert_eq!(Raw::open(world.url()).await.texts(BY_LANGUAGE).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_that_a_language_compares_slowly_do_not_hold_triage_up() {
    let test = "texts_that_a_language_compares_slowly_do_not_hold_triage_up";
    let Some(fresh) = Fresh::postgres_with_locale(test, LOCALE).await else { return };
    let world = World::open(fresh, &config()).await;
    for n in 0..400 {
        let sign = ["\u{1}", "\u{200B}", "\u{1F525}"][n % 3];
        let mut one = body(&[firing(&n.to_string(), "high")]);
        one["receiver"] = json!(format!("{}{n}", sign.repeat(1_000)));
        one["alerts"][0]["labels"]["alertname"] = json!(format!("{}{n}", sign.repeat(800)));
        world.post(&one).await.unwrap();
    }

    let limit = std::time::Duration::from_secs(20);
    tokio::time::timeout(limit, world.processor.settle()).await.expect("triage is held up").unwrap();

    let mut raw = Raw::open(world.url()).await;
    assert_eq!(raw.number("SELECT COUNT(*) FROM events WHERE state = 'processed'").await, 400);
    assert_eq!(raw.number("SELECT COUNT(*) FROM notifications").await, 400);
    assert_eq!(raw.number("SELECT COUNT(*) FROM alert_sources").await, 400);
}
