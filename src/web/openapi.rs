//! The API's description: OpenAPI 3.1, made from the handlers' own annotations and completed by
//! the same rules for all of them ([`complete`]).
//!
//! `docs/openapi.json` is a committed copy, so that a change of the API shows in review;
//! a test compares it, and another compares the description with the routes.

use std::sync::LazyLock;

use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, web};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::api::{
    catalog, catalog_history, catalog_import, channels, events, incident_commands, incidents, notifications,
    status,
};
use super::base_path::BasePath;
use super::problem::ProblemBody;
use super::state::AppState;
use super::{health, problem_pages, webhooks};

mod complete;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Modelpager",
        description = "The alert receiver for ML teams: Alertmanager webhooks in, enriched and routed messages out, with a delivery log that proves it.\n\nErrors are problem+json (RFC 9457) with a stable `type`. Lists answer `{\"items\": […], \"next_cursor\": …}`: give `next_cursor` as `cursor` to get the next page, until it is null. Times are RFC 3339 in UTC with milliseconds.",
    ),
    paths(
        health::healthy,
        health::ready,
        health::reload,
        health::metrics,
        problem_pages::page,
        webhooks::alertmanager,
        notifications::list,
        notifications::get,
        notifications::redeliver,
        incidents::list,
        incidents::get,
        incident_commands::resolve,
        events::list,
        events::get,
        events::replay,
        channels::list,
        channels::get,
        channels::test,
        channels::reset,
        catalog::list,
        catalog::create,
        catalog_import::import,
        catalog_import::export,
        catalog::get,
        catalog::put,
        catalog::patch,
        catalog::delete,
        catalog_history::list_versions,
        catalog_history::record_version,
        catalog_history::list_deployments,
        catalog_history::record_deployment,
        status::get_status,
        get_openapi,
        super::docs::index,
    ),
    tags(
        (name = "webhooks", description = "What alert senders post"),
        (name = "notifications", description = "The delivery log: what was sent to whom, why, and with what result"),
        (name = "incidents", description = "Open and resolved incidents, their timeline, and the notification decisions"),
        (name = "events", description = "Every body ever received"),
        (name = "channels", description = "Destinations and their health"),
        (name = "catalog", description = "What is known about models, prompts, pipelines and feature stores"),
        (name = "operation", description = "Health, metrics, status, reload"),
    ),
    components(schemas(ProblemBody)),
    modifiers(&SecuritySchemes),
    servers((url = "/", description = "The server this description comes from")),
    security(("bearer" = []), ("basic" = [])),
)]
struct Description;

struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let scheme = |kind, text: &str| {
            SecurityScheme::Http(HttpBuilder::new().scheme(kind).description(Some(text)).build())
        };
        components.add_security_scheme("bearer", scheme(HttpAuthScheme::Bearer, "A token of `auth.tokens`"));
        components.add_security_scheme(
            "basic",
            scheme(HttpAuthScheme::Basic, "The token's name as the user, the token as the password"),
        );
    }
}

/// The description as a server gives it that is reached below a path.
fn document_below(base_path: &BasePath) -> String {
    let path = if base_path.as_str().is_empty() { "/" } else { base_path.as_str() };
    document().replacen("\"url\": \"/\"", &format!("\"url\": {}", serde_json::json!(path)), 1)
}

/// The description as pretty JSON with a final line feed.
pub fn document() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
        let mut document = serde_json::to_value(Description::openapi()).unwrap_or_default();
        complete::complete(&mut document);
        let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
        text.push('\n');
        text
    });
    &DOCUMENT
}

/// The description of this API, OpenAPI 3.1. Needs no token.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "operation", operation_id = "get_openapi", security(()),
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = serde_json::Value))
)]
pub async fn get_openapi(state: web::Data<AppState>) -> HttpResponse {
    let live = state.live.load();
    HttpResponse::Ok().insert_header(ContentType::json()).body(document_below(&live.base_path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_names_the_path_below_which_the_server_is_reached() {
        let server = |url: &str| {
            let document: serde_json::Value =
                serde_json::from_str(&document_below(&BasePath::of(url))).unwrap();
            document["servers"][0]["url"].as_str().unwrap().to_owned()
        };

        assert_eq!(server("http://127.0.0.1:9095"), "/");
        assert_eq!(server("https://x.example/pager"), "/pager");
        assert_eq!(server("not a url"), "/");
    }
}
