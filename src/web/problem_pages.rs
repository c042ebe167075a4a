//! `/problems/NAME`: what stands behind the `type` of an error, in words.

use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, web};

use super::problem::{Kind, Problem};

/// What a kind of problem means and what helps.
const fn advice(kind: Kind) -> &'static str {
    match kind {
        Kind::BadRequest => "The request, its body or its cursor could not be parsed. The detail says where.",
        Kind::Unauthorized => {
            "Send a token of `auth.tokens` as `Authorization: Bearer TOKEN`, or as the password of basic authentication with the token's name as the user."
        }
        Kind::Forbidden => {
            "The token is known but lacks the scope named in the detail. `admin` includes every scope, `write` includes `read`."
        }
        Kind::NotFound => "No path or object has this name. Ids are never reused.",
        Kind::MethodNotAllowed => "The path exists; the header `Allow` lists the allowed methods.",
        Kind::NotAcceptable => "Ask for application/json, application/x-ndjson or text/csv.",
        Kind::RequestTimeout => "The body did not arrive within `server.client_timeout`.",
        Kind::Conflict => "The change conflicts with what is stored, for example a name that is in use.",
        Kind::PreconditionFailed => {
            "`If-Match` names a revision that is not the newest. Read it again, apply the change, and send the new ETag."
        }
        Kind::PayloadTooLarge => {
            "The body is larger than the limit named in the detail. For webhooks and imports it is `server.max_body_bytes`."
        }
        Kind::UnsupportedMediaType => {
            "Send the body uncompressed and with a content type that the API description lists."
        }
        Kind::Validation => "The field `errors` lists every invalid field.",
        Kind::PreconditionRequired => "Send `If-Match` with the ETag of the revision to change.",
        Kind::Internal => "A defect. Find the details in the server log by the request id.",
        Kind::BadGateway => {
            "Another system refused the request or answered with an error. The detail says which."
        }
        Kind::Unavailable => {
            "Nothing was stored. Retry after the time in `Retry-After`. Alertmanager retries by itself."
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
