//! A catalog entry as the API tells it.

use serde::Serialize;
use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{Object, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::entry::Entry;
use crate::store::StoredEntry;

/// A catalog entry as it is stored: the keys of both in one.
#[derive(Debug, Serialize)]
pub struct CatalogItem {
    #[serde(flatten)]
    entry: Entry,
    #[serde(flatten)]
    stamp: Stamp,
}

/// When an entry changed. Told with it; in a request it means nothing.
#[derive(Debug, Serialize, ToSchema)]
struct Stamp {
    /// The catalog's revision of its last change; the `ETag` in quotes.
    #[schema(read_only)]
    revision: i64,
    /// When it was created.
    #[schema(read_only, format = DateTime)]
    created_at: String,
    /// When it or its history last changed.
    #[schema(read_only, format = DateTime)]
    updated_at: String,
}

impl From<StoredEntry> for CatalogItem {
    fn from(stored: StoredEntry) -> Self {
        let stamp = Stamp {
            revision: stored.revision,
            created_at: stored.created_at.to_rfc3339(),
            updated_at: stored.updated_at.to_rfc3339(),
        };
        Self { entry: stored.entry, stamp }
    }
}

/// Written out, because an entry refuses unknown keys: `allOf` it and anything else
/// describes nothing.
impl PartialSchema for CatalogItem {
    fn schema() -> RefOr<Schema> {
        let (mut item, stamp) = (object(Entry::schema()), object(Stamp::schema()));
        item.example = Some(example());
        item.description = Some("A catalog entry as it is stored.".to_owned());
        item.properties.extend(stamp.properties);
        item.required.extend(stamp.required);
        Schema::Object(item).into()
    }
}

impl ToSchema for CatalogItem {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Entry::schemas(schemas);
    }
}

fn object(schema: RefOr<Schema>) -> Object {
    match schema {
        RefOr::T(Schema::Object(object)) => object,
        _ => Object::default(),
    }
}

fn example() -> serde_json::Value {
    json!({
        "slug": "fraud-detector",
        "kind": "model",
        "display_name": "Fraud detector",
        "description": "Scores card payments before they are authorised",
        "owner": "ada@example.org",
        "team": "payments-ml",
        "tier": 1,
        "environment": "production",
        "business_impact": "Every declined payment is a lost sale",
        "aliases": ["fraud_detector_v2", "openai/fraud"],
        "matchers": [{"matchers": ["namespace=\"ml\"", "pod=~\"fraud-.*\""], "priority": 10}],
        "current_version": "2.4.1",
        "endpoint_url": "https://ml.example.org/fraud",
        "links": {"dashboard": "https://grafana.example.org/d/fraud?from={{window.from_ms}}&to={{window.to_ms}}"},
        "runbook_url": "https://wiki.example.org/fraud/{{alertname}}",
        "runbook": "1. Look at the dashboard\n2. Roll back if the last deployment is younger than an hour",
        "contacts": [{"name": "#payments-ml", "kind": "slack", "value": "C0123456"}],
        "tags": {"cost-center": "4711"},
        "revision": 17,
        "created_at": "2026-08-20T10:00:03.125Z",
        "updated_at": "2026-08-20T11:30:00.000Z"
    })
}
