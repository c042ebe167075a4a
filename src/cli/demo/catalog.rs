//! The demo's catalog: five entries such as an ML team has, with a history that ends
//! shortly before the story begins.

use std::time::Duration;

use serde_json::{Value, json};

use super::service::Service;
use crate::domain::clock::Timestamp;

/// An entry with what is reported to its sub-resources.
struct Chapter {
    slug: &'static str,
    entry: Value,
    versions: Vec<Value>,
    deployments: Vec<Value>,
}

/// Fills the catalog over the REST API, with a history that leads up to `now`; answers how
/// many entries it has.
///
/// # Errors
/// What the service refused.
pub async fn fill(service: &Service, now: Timestamp) -> anyhow::Result<usize> {
    let chapters = [
        fraud_detector(now),
        search_ranker(now),
        support_assistant(now),
        churn_training(now),
        user_features(),
    ];
    let count = chapters.len();
    for chapter in chapters {
        service.post("/api/v1/catalog", &chapter.entry).await?;
        for version in chapter.versions {
            service.post(&format!("/api/v1/catalog/{}/versions", chapter.slug), &version).await?;
        }
        for deployment in chapter.deployments {
            service.post(&format!("/api/v1/catalog/{}/deployments", chapter.slug), &deployment).await?;
        }
    }
    Ok(count)
}

fn ago(now: Timestamp, minutes: u64) -> String {
    now.minus(Duration::from_secs(minutes * 60)).to_rfc3339()
}

const DAY: u64 = 24 * 60;

/// A classifier whose last deployment is 14 minutes old.
fn fraud_detector(now: Timestamp) -> Chapter {
    Chapter {
        slug: "fraud-detector",
        entry: json!({
            "slug": "fraud-detector",
            "kind": "model",
            "display_name": "Fraud detector",
            "description": "Gradient-boosted classifier that scores every card payment before it is authorised.",
            "owner": "Priya Natarajan",
            "team": "payments-ml",
            "tier": 1,
            "environment": "production",
            "business_impact": "payments are approved unscored after 2 s",
            "endpoint_url": "http://fraud.demo.example/v1/score",
            "links": {
                "dashboard": "https://grafana.demo.example/d/fraud?from={{window.from_ms}}&to={{window.to_ms}}",
                "logs": "https://logs.demo.example/explore?model={{entry}}&version={{version}}",
            },
            "runbook_url": "https://runbooks.demo.example/{{entry}}/{{alertname}}",
            "contacts": [{"name": "#payments-ml", "kind": "slack", "value": "#payments-ml"}],
            "tags": {"framework": "xgboost"},
        }),
        versions: vec![json!({"version": "v7", "valid_from": ago(now, 21 * DAY), "note": "retrained on Q3"})],
        deployments: vec![json!({
            "external_id": "deploy-4711",
            "version": "v8",
            "previous_version": "v7",
            "at": ago(now, 14),
            "actor": "ci@payments-ml",
            "commit": "9f2c1ab",
            "url": "https://ci.demo.example/deploys/4711",
            "rollback_command": "kubectl rollout undo deploy/fraud-detector",
        })],
    }
}

/// A ranker.
fn search_ranker(now: Timestamp) -> Chapter {
    Chapter {
        slug: "search-ranker",
        entry: json!({
            "slug": "search-ranker",
            "kind": "model",
            "display_name": "Search ranker",
            "description": "Learning-to-rank model behind the product search.",
            "owner": "Jonas Weber",
            "team": "search",
            "tier": 2,
            "environment": "production",
            "business_impact": "worse results cost about 2 % of orders",
            "links": {
                "dashboard": "https://grafana.demo.example/d/ranker?from={{window.from_ms}}&to={{window.to_ms}}",
                "registry": "https://mlflow.demo.example/#/models/{{entry}}",
            },
            "runbook_url": "https://runbooks.demo.example/{{entry}}",
            "tags": {"framework": "lightgbm"},
        }),
        versions: Vec::new(),
        deployments: vec![json!({
            "external_id": "argo-881",
            "version": "31",
            "previous_version": "30",
            "at": ago(now, 3 * DAY),
            "actor": "jonas",
            "url": "https://argo.demo.example/881",
        })],
    }
}

/// A language model, known to its gateway under another name.
fn support_assistant(now: Timestamp) -> Chapter {
    Chapter {
        slug: "support-assistant",
        entry: json!({
            "slug": "support-assistant",
            "kind": "llm",
            "display_name": "Support assistant",
            "description": "Drafts answers to customers' questions.",
            "owner": "Amara Okafor",
            "team": "assistants",
            "tier": 3,
            "environment": "production",
            "business_impact": "overspent budget; agents answer by hand",
            "aliases": ["gpt-5-mini"],
            "links": {"dashboard": "https://grafana.demo.example/d/llm-cost?var-tenant={{labels.tenant}}"},
            "runbook_url": "https://runbooks.demo.example/llm/{{alertname}}",
            "tags": {"provider": "openai"},
        }),
        versions: vec![
            json!({"version": "prompt-12", "valid_from": ago(now, 6 * DAY), "note": "shorter context"}),
        ],
        deployments: Vec::new(),
    }
}

/// A training pipeline.
fn churn_training(now: Timestamp) -> Chapter {
    Chapter {
        slug: "churn-training",
        entry: json!({
            "slug": "churn-training",
            "kind": "pipeline",
            "display_name": "Churn training",
            "description": "Nightly retraining of the churn model.",
            "owner": "Mei Lin",
            "team": "growth-ml",
            "tier": 4,
            "environment": "production",
            "aliases": ["churn_training_daily"],
            "links": {"runs": "https://airflow.demo.example/dags/churn_training_daily"},
            "runbook_url": "https://runbooks.demo.example/{{entry}}",
        }),
        versions: vec![json!({"version": "2026.46", "valid_from": ago(now, 5 * DAY)})],
        deployments: Vec::new(),
    }
}

/// A feature store, recognised by matchers rather than by name.
fn user_features() -> Chapter {
    Chapter {
        slug: "user-features",
        entry: json!({
            "slug": "user-features",
            "kind": "feature_store",
            "display_name": "User features",
            "description": "Online features of users: fraud detector and ranker read them.",
            "owner": "Data platform on call",
            "team": "data-platform",
            "tier": 1,
            "environment": "production",
            "matchers": [{"matchers": ["feature_view=~\"user_.*\""], "priority": 10}],
            "links": {"dashboard": "https://grafana.demo.example/d/features"},
            "runbook_url": "https://runbooks.demo.example/{{entry}}",
        }),
        versions: Vec::new(),
        deployments: Vec::new(),
    }
}
