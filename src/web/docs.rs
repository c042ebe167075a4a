//! `/docs`: the API's description to read and to try, from files built into the program.

use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION};
use actix_web::{HttpResponse, web};
use utoipa_swagger_ui::Config;

use super::problem::Problem;

/// The page's own scripts and styles and this server, nothing else. It styles inline and
/// embeds its icons.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

/// The API's description as a page. Needs no token and no other network.
///
/// # Errors
/// None in a program built whole.
#[utoipa::path(
    get, path = "/docs", tag = "operation", security(()),
    responses((status = 200, description = "A page", content_type = "text/html", body = String))
)]
pub async fn index() -> Result<HttpResponse, Problem> {
    serve("index.html")
}

/// The files that belong to [`index`].
///
/// # Errors
/// 404 for a file that does not.
pub async fn file(path: web::Path<String>) -> Result<HttpResponse, Problem> {
    serve(&path)
}

/// A person at the bare address is shown what there is.
pub async fn from_root() -> HttpResponse {
    HttpResponse::Found().insert_header((LOCATION, "/docs")).finish()
}

/// The address of an incident as messages give it.
pub async fn from_incident(id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = super::api::query::checked_id("incident", &id)?;
    Ok(HttpResponse::Found().insert_header((LOCATION, format!("/api/v1/incidents/{id}"))).finish())
}

fn serve(path: &str) -> Result<HttpResponse, Problem> {
    let config = Arc::new(Config::new(["/api/v1/openapi.json"]).validator_url("none"));
    let file = utoipa_swagger_ui::serve(path, config)
        .map_err(|error| Problem::internal(error.to_string()))?
        .ok_or_else(|| Problem::not_found("file", path))?;
    let mut response = HttpResponse::Ok();
    response.content_type(file.content_type).insert_header((CONTENT_SECURITY_POLICY, POLICY));
    if path == "index.html" {
        // The page names its files relative to itself, but is served without a final slash.
        let page = String::from_utf8_lossy(&file.bytes).replacen("<head>", "<head><base href=\"/docs/\">", 1);
        return Ok(response.content_type("text/html; charset=utf-8").body(page));
    }
    Ok(response.insert_header((CACHE_CONTROL, "max-age=3600")).body(file.bytes.into_owned()))
}
