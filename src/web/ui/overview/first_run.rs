//! What an empty installation shows: the next three steps, filled in with this server's address.

use maud::{Markup, html};
use serde_json::json;

use crate::config::{Config, ServerConfig};
use crate::web::ui::parts::code;
use crate::web::ui::viewer::Viewer;

/// The steps.
pub fn steps(viewer: &Viewer, config: &Config, has_entries: bool) -> Markup {
    let url = &address(viewer, &config.server);
    let token = if config.auth.tokens.is_empty() { "" } else { " -H 'Authorization: Bearer TOKEN'" };
    html! {
        div.head { div {
            h1 { "Welcome to Modelpager" }
            p.quiet { "No alerts received yet. Set up in three steps:" }
        } }
        div #welcome data-live {
            ol.steps {
                li.card { h2.body { "Connect Alertmanager" } div.body {
                    p { "In " code { "alertmanager.yml" } ":" }
                    (code::snippet(&receiver(url, config)))
                    p.quiet { "This page updates when the first alert arrives. To send a test alert now:" }
                    (code::snippet(&sample_alert(url, token)))
                } }
                li.card { h2.body { "Add a model" } div.body {
                    @if has_entries { p { "Done: the " a href="/catalog" { "catalog" } " has entries." } }
                    @else {
                        p { "Messages then show its owner, runbook and dashboards. " }
                        @if viewer.may_write() { p { a.button.primary href="/catalog/-/new" { "Create an entry" } } }
                        p { "Or use the API, for example from a pipeline:" }
                        (code::snippet(&sample_entry(url, token)))
                    }
                } }
                li.card { h2.body { "Configure channels" } div.body {
                    @let sends = config.channels.iter().any(|channel| !channel.policy.own_log);
                    @if sends { p { "Done: see the " a href="/channels" { "channels" } ", and send a test message." } }
                    @else {
                        p { "Without channels, messages go to the log of this process and to the " a href="/notifications" { "delivery log" } ". In " code { "modelpager.yml" } ":" }
                        (code::snippet(CHANNELS))
                    }
                } }
            }
        }
    }
}

/// The configured address; without one, that by which the viewer came.
fn address(viewer: &Viewer, server: &ServerConfig) -> String {
    let is_configured = server.external_url != ServerConfig::default().external_url;
    match &viewer.host {
        Some(host) if !is_configured => format!("http://{host}"),
        _ => server.external_url.trim_end_matches('/').to_owned(),
    }
}

fn receiver(url: &str, config: &Config) -> String {
    let authorization = if config.auth.tokens.is_empty() {
        ""
    } else {
        "\n        http_config:\n          authorization: {credentials: TOKEN_WITH_SCOPE_INGEST}"
    };
    format!(
        "route:\n  receiver: modelpager\n  group_by: [alertname, model]\nreceivers:\n  - name: modelpager\n    \
         webhook_configs:\n      - url: {url}/webhooks/alertmanager\n        send_resolved: true{authorization}\n"
    )
}

fn sample_alert(url: &str, token: &str) -> String {
    let body = json!({
        "version": "4", "status": "firing", "receiver": "modelpager",
        "groupKey": "{}:{alertname=\"ModelLatencyHigh\"}", "groupLabels": {}, "commonLabels": {},
        "commonAnnotations": {}, "externalURL": "", "truncatedAlerts": 0,
        "alerts": [{
            "status": "firing",
            "labels": {"alertname": "ModelLatencyHigh", "model": "fraud-detector", "severity": "warning"},
            "annotations": {"summary": "p99 latency is 412 ms"},
            "startsAt": "2026-01-01T00:00:00Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "", "fingerprint": "a1b2c3d4e5f60718"
        }]
    });
    format!(
        "curl -X POST {url}/webhooks/alertmanager{token} \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'\n"
    )
}

fn sample_entry(url: &str, token: &str) -> String {
    let body = json!({
        "slug": "fraud-detector", "kind": "model", "owner": "ml-platform", "tier": 1,
        "current_version": "7", "runbook_url": "https://wiki.example.org/runbooks/{{alertname}}"
    });
    format!(
        "curl -X POST {url}/api/v1/catalog{token} \\\n  -H 'Content-Type: application/json' \\\n  -d '{body}'\n"
    )
}

const CHANNELS: &str = r#"channels:
  - {name: console, kind: log}
  - {name: ml-alerts, kind: slack, webhook_url: "${SLACK_URL}"}
route:
  channels: [console]
  routes:
    - {matchers: ['severity=~"critical|high|medium"'], channels: [ml-alerts]}
"#;
