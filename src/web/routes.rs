//! The whole HTTP surface on one screen.
//!
//! Every path is one resource that knows its methods: `HEAD` goes with `GET`, any other
//! method is answered 405 with `Allow`. Every line here is described in the OpenAPI
//! document; a test compares the two.

use actix_web::web::{self, JsonConfig, PathConfig, QueryConfig, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use super::api::{
    catalog, catalog_history, catalog_import, channels, events, incident_commands, incidents, notifications,
    status,
};
use super::path::{Path, form_config, path};
use super::problem::{Kind, Problem};
use super::{docs, health, openapi, problem_pages, ui, webhooks};

/// The greatest single JSON document the API takes, in bytes: an entry with a long runbook.
/// Webhooks and imports go by `server.max_body_bytes`.
const JSON_LIMIT: usize = 2 * 1024 * 1024;

/// For who opens the webhook's address in a browser.
const WEBHOOK_HINT: &str =
    "Alertmanager posts here: use this address as the url in webhook_configs; GET is not supported";

/// Every path there is.
fn table() -> Vec<Path> {
    let described = vec![
        path("/-/healthy").get(health::healthy),
        path("/-/ready").get(health::ready),
        path("/-/reload").post(health::reload).hint("to reload, use POST"),
        path("/metrics").get(health::metrics),
        path("/problems/{name}").get(problem_pages::page),
        path("/webhooks/alertmanager")
            .post(webhooks::alertmanager)
            .put_as_post(webhooks::alertmanager)
            .hint(WEBHOOK_HINT)
            .any_address(),
        path("/webhooks/alertmanager/{tail:.*}")
            .post(webhooks::alertmanager)
            .put_as_post(webhooks::alertmanager)
            .hint(WEBHOOK_HINT)
            .any_address()
            .undescribed(),
        path("/api/v1/notifications").get(notifications::list).compressed(),
        path("/api/v1/notifications/{id}").get(notifications::get).compressed(),
        path("/api/v1/notifications/{id}/redeliver").post(notifications::redeliver),
        path("/api/v1/incidents").get(incidents::list).compressed(),
        path("/api/v1/incidents/{id}").get(incidents::get).compressed(),
        path("/api/v1/incidents/{id}/resolve").post(incident_commands::resolve),
        path("/api/v1/events").get(events::list).compressed(),
        path("/api/v1/events/{id}").get(events::get).compressed(),
        path("/api/v1/events/{id}/replay").post(events::replay),
        path("/api/v1/channels").get(channels::list).compressed(),
        path("/api/v1/channels/{name}").get(channels::get).compressed(),
        path("/api/v1/channels/{name}/test").post(channels::test),
        path("/api/v1/channels/{name}/reset").post(channels::reset),
        path("/api/v1/catalog").get(catalog::list).post(catalog::create).compressed(),
        // Before the entries: these words are no slugs.
        path("/api/v1/catalog/import").post(catalog_import::import).compressed(),
        path("/api/v1/catalog/export").get(catalog_import::export).compressed(),
        path("/api/v1/catalog/{slug}")
            .get(catalog::get)
            .put(catalog::put)
            .patch(catalog::patch)
            .delete(catalog::delete)
            .compressed(),
        path("/api/v1/catalog/{slug}/versions")
            .get(catalog_history::list_versions)
            .post(catalog_history::record_version)
            .compressed(),
        path("/api/v1/catalog/{slug}/deployments")
            .get(catalog_history::list_deployments)
            .post(catalog_history::record_deployment)
            .compressed(),
        path("/docs").get(docs::index),
        path("/docs/{file:.*}").get(docs::file).undescribed(),
        path("/api/v1/openapi.json").get(openapi::get_openapi).compressed(),
        path("/api/v1/status").get(status::get_status).compressed(),
    ];
    described.into_iter().chain(ui::paths()).collect()
}

/// Registers every path, and what stands for errors of the library itself.
pub fn configure(config: &mut ServiceConfig) {
    config
        .app_data(JsonConfig::default().limit(JSON_LIMIT).error_handler(|e, _| Problem::from(&e).into()))
        .app_data(QueryConfig::default().error_handler(|e, _| Problem::from(&e).into()))
        .app_data(form_config(JSON_LIMIT))
        .app_data(PathConfig::default().error_handler(|e, _| Problem::from(&e).into()))
        .default_service(web::to(not_found));
    for path in table() {
        path.register(config);
    }
}

async fn not_found(req: HttpRequest) -> Result<HttpResponse, Problem> {
    let path: String = req.path().chars().take(120).collect();
    Err(Problem::new(Kind::NotFound, format!("nothing exists at {path:?}")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_is_described_and_every_description_is_a_route() {
        let routes: BTreeSet<(String, String)> = table()
            .into_iter()
            .filter(|path| path.described)
            .flat_map(|path| {
                let Path { pattern, methods, .. } = path;
                methods.into_iter().map(move |m| (pattern.to_owned(), m.as_str().to_lowercase()))
            })
            .collect();

        let description: serde_json::Value = serde_json::from_str(openapi::document()).unwrap();
        let described: BTreeSet<(String, String)> = description["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|m| (path.clone(), m.clone())))
            .collect();

        assert_eq!(routes, described);
    }

    #[test]
    fn the_committed_description_is_the_present_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, openapi::document()).unwrap();
        }

        let committed = std::fs::read_to_string(path).unwrap_or_default();

        assert!(
            committed == openapi::document(),
            "docs/openapi.json is out of date: UPDATE_DOCS=1 cargo test the_committed_description"
        );
    }
}
