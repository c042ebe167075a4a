//! `/problems/NAME`: what stands behind the `type` of an error, in words.

use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, web};

use super::problem::{Kind, Problem};

/// What a kind of problem means and what helps.
const fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::BadRequest => "The request, its body or its cursor could not be read. The detail says where.",
        Kind::Unauthorized => {
            "Send a token of `auth.tokens` as `Authorization: Bearer TOKEN`, or as the password of basic authentication with the token's name as the user."
        }
        Kind::Forbidden => {
            "The token is known but lacks the scope named in the detail. `admin` includes every scope, `write` includes `read`."
        }
        Kind::NotFound => "No path or no row of this name. Ids are never used again.",
        Kind::MethodNotAllowed => "The path exists; the header `Allow` lists what can be done with it.",
        Kind::NotAcceptable => "Ask for application/json, application/x-ndjson or text/csv.",
        Kind::RequestTimeout => "The body did not arrive within `server.client_timeout`.",
        Kind::Conflict => "The change contradicts what is stored, for instance a name that is taken.",
        Kind::PreconditionFailed => {
            "`If-Match` names a revision that is no longer the newest. Read it again, apply the change to that, and send its ETag."
        }
        Kind::PayloadTooLarge => {
            "The body is larger than the limit named in the detail. For webhooks and imports it is `server.max_body_bytes`."
        }
        Kind::UnsupportedMediaType => "Send the body uncompressed and in the type the API description names.",
        Kind::Validation => "The field `errors` names every wrong field at once.",
        Kind::PreconditionRequired => "Send `If-Match` with the ETag of the revision you mean to change.",
        Kind::Internal => "A defect. The server's log has the details under the request id.",
        Kind::BadGateway => "The other system refused or could not be understood. The detail says which.",
        Kind::Unavailable => {
            "Nothing was stored. Send the same again after the time in `Retry-After`; Alertmanager does so by itself."
        }
    }
}

/// Explains a problem type.
///
/// # Errors
/// 404 for a name that no problem has.
#[utoipa::path(
    get, path = "/problems/{name}", tag = "operation", operation_id = "get_problem_type", security(()),
    params(("name" = String, Path, description = "The last segment of a problem's `type`", example = "validation")),
    responses((status = 200, description = "What it means and what helps", content_type = "text/plain", body = String))
)]
pub async fn page(name: web::Path<String>) -> Result<HttpResponse, Problem> {
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.facts().0 == name.as_str())
        .ok_or_else(|| Problem::not_found("problem type", &name))?;
    let (slug, status, title) = kind.facts();
    let text = format!("{slug} ({status})\n\n{title}.\n\n{}\n", advice(kind));
    Ok(HttpResponse::Ok().insert_header(ContentType::plaintext()).body(text))
}
