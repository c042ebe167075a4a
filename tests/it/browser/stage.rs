//! A service with something to show: models, alerts of every sort, messages on every channel;
//! and texts of strangers who would like to run scripts.

use serde_json::{Value, json};

use crate::e2e::{Providers, delivery, describe_the_model};
use crate::support::service::{Service, eventually};

/// What strangers write in labels, annotations and catalog fields. What any of it could run sets
/// `window.hurt`.
pub const HOSTILE: [&str; 9] = [
    "<script>window.hurt=1</script>",
    "\"><img src=x onerror=window.hurt=1>",
    "'><svg/onload=window.hurt=1>",
    "javascript:window.hurt=1",
    "</textarea><script>window.hurt=1</script>",
    "</title></style><iframe srcdoc='<script>parent.hurt=1</script>'>",
    "{{constructor.constructor('window.hurt=1')()}}",
    "<a href=\"javascript:window.hurt=1\" autofocus onfocus=window.hurt=1>x</a>",
    "\u{202e}<!--<details open ontoggle=window.hurt=1>-->",
];

/// The service, and the providers it talks to.
pub struct Stage {
    pub service: Service,
    _providers: Providers,
}

impl Stage {
    /// With everything told that there is to tell.
    pub async fn set() -> Self {
        let providers = Providers::start().await;
        let service = Service::start(&providers.config()).await;
        describe_the_model(&service).await;
        for (slug, kind) in
            [("churn-scorer", "model"), ("support-assistant", "llm"), ("user-features", "feature_store")]
        {
            let entry = json!({"slug": slug, "kind": kind, "owner": "Priya Natarajan", "team": "ml-platform", "tier": 2});
            service.create("/api/v1/catalog", &entry).await;
        }
        service.create("/api/v1/catalog", &hostile_entry()).await;
        service.create("/api/v1/catalog", &entry_without_breaks()).await;
        service.deliver(&alert_without_breaks()).await;
        for (n, text) in HOSTILE.iter().enumerate() {
            service.deliver(&alert(&format!("Hostile{n}{text}"), "hostile", "warning", text)).await;
        }
        for (name, model, severity) in [
            ("ModelLatencyHigh", "churn-scorer", "critical"),
            ("TokenCostHigh", "support-assistant", "warning"),
            ("FeatureFreshnessLost", "user-features", "info"),
            ("GpuMemoryLow", "nobody-knows", "page"),
        ] {
            service
                .deliver(&alert(name, model, severity, "what was measured is 412 ms, which is too much"))
                .await;
        }
        let mut ended = alert("TokenCostHigh", "support-assistant", "warning", "it was measured");
        ended["alerts"][0]["status"] = json!("resolved");
        ended["alerts"][0]["endsAt"] = json!("2026-08-20T11:30:00Z");
        service.deliver(&ended).await;
        let _ = service.call("POST", "/webhooks/alertmanager", "{\"this is\": \"no alert\"}").await;
        let stage = Self { service, _providers: providers };
        stage.settled().await;
        stage
    }

    /// An address of the service.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.service.url())
    }

    /// Waits until everything is triaged and told.
    pub async fn settled(&self) {
        eventually("everything is told", || async {
            let queues = self.service.get("/api/v1/status").await["queues"].clone();
            let is_empty = |name: &str| queues[name]["depth"] == 0;
            (is_empty("events") && is_empty("notifications")).then_some(())
        })
        .await;
    }

    /// The id of the newest item of a list of the API.
    pub async fn newest(&self, list: &str) -> String {
        let sign = if list.contains('?') { '&' } else { '?' };
        self.service.get(&format!("/api/v1/{list}{sign}limit=1")).await["items"][0]["id"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

/// A body with one alert.
pub fn alert(name: &str, model: &str, severity: &str, summary: &str) -> Value {
    let mut body = delivery(name);
    let alert = &mut body["alerts"][0];
    alert["labels"] = json!({"alertname": name, "model": model, "severity": severity, "note": summary, "instance": "a:8080"});
    alert["annotations"] = json!({"summary": summary, "description": summary, "runbook_url": summary});
    alert["generatorURL"] = json!(summary);
    alert["fingerprint"] = json!(format!(
        "{:016x}",
        name.bytes()
            .chain(model.bytes())
            .fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
    ));
    body
}

/// The alertname of [`alert_without_breaks`].
pub const WITHOUT_BREAKS: &str =
    "ModelServingLatencyNinetyNinthPercentileAboveTheAgreedLimitForTheLastFifteenMinutesInProduction";

/// Long words, as generated names and paths are: none of them may make a page wider than a phone.
fn alert_without_breaks() -> Value {
    let path = "namespaces/ml-production/inferenceservices/recommendation-ranking-transformer/".repeat(3);
    let mut body = alert(WITHOUT_BREAKS, "long-words", "low", "it is slow");
    let alert = &mut body["alerts"][0];
    alert["labels"]["pod"] = json!(path);
    alert["labels"]["k8s_deployment_annotation_with_a_name_of_its_own"] = json!("x".repeat(200));
    alert["annotations"]["description"] = json!(path.replace('/', ""));
    alert["annotations"]["runbook_url"] = json!(format!("https://wiki.example.org/{path}"));
    alert["generatorURL"] =
        json!(format!("https://prom.example.org/graph?g0.expr={}", path.replace('/', "_")));
    body
}

fn entry_without_breaks() -> Value {
    let word = "recommendation-ranking-transformer-".repeat(3);
    json!({
        "slug": "long-words", "kind": "model", "owner": word, "team": word, "current_version": "b".repeat(64),
        "runbook": format!("| step | command |\n|---|---|\n| roll back | `{word}{word}` |\n\n    {word}{word}\n"),
    })
}

fn hostile_entry() -> Value {
    let [script, image, svg, link, area, title, braces, anchor, comment] = HOSTILE;
    json!({
        "slug": "hostile", "kind": "llm", "display_name": script, "description": area, "owner": image, "team": svg,
        "environment": title, "business_impact": anchor, "current_version": comment, "aliases": [svg],
        "runbook": format!("# {script}\n\n{image}\n\n[x]({link}) ![y](https://evil.example/p.png)\n\n{anchor}\n\n{title}"),
        "contacts": [{"name": script, "kind": image, "value": link}],
        "tags": {"a": braces.replace('{', "("), "b": comment}
    })
}
