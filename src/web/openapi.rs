//! The API's description: OpenAPI 3.1, made from the handlers' own annotations.
//!
//! `docs/openapi.json` is a committed copy, so that a change of the API shows in review;
//! a test compares it, and another compares the description with the routes.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::ContentType;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use super::api::{
    catalog, catalog_history, catalog_import, channels, events, incidents, notifications, status,
};
use super::problem::{PROBLEM_JSON, ProblemBody};
use super::{health, problem_pages, webhooks};

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
        (name = "notifications", description = "The delivery log: what was told to whom, why, and with what result"),
        (name = "incidents", description = "What is wrong, what happened to it, and why each channel was told or not"),
        (name = "events", description = "Every body ever received"),
        (name = "channels", description = "Destinations and their health"),
        (name = "catalog", description = "What is known about models, prompts, pipelines and feature stores"),
        (name = "operation", description = "Health, metrics, status, reload"),
    ),
    components(schemas(ProblemBody)),
    modifiers(&SecuritySchemes, &Errors),
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

/// Gives every operation the answer it may always give, and cuts what its doc comment
/// tells programmers alone.
struct Errors;

impl Modify for Errors {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemBody"))).build();
        let answer = ResponseBuilder::new()
            .description("What went wrong: the types are listed under `/problems/{name}`")
            .content(PROBLEM_JSON, problem)
            .build();
        let operations = openapi.paths.paths.values_mut().flat_map(operations_of);
        for operation in operations {
            operation.responses.responses.insert("default".to_owned(), answer.clone().into());
            let told = operation.description.as_deref().and_then(|text| text.split("# Errors").next());
            operation.description = told.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        }
    }
}

fn operations_of(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

/// The description as pretty JSON with a final line feed.
pub fn document() -> &'static str {
    static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
        let mut text = Description::openapi().to_pretty_json().unwrap_or_default();
        text.push('\n');
        text
    });
    &DOCUMENT
}

/// The description of this API, OpenAPI 3.1. Needs no token.
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "operation", security(()),
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = serde_json::Value))
)]
pub async fn get_openapi() -> HttpResponse {
    HttpResponse::Ok().insert_header(ContentType::json()).body(document())
}
