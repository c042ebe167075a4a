//! `/docs`: the API's description to read and to try, from files built into the program.

use std::io::Read as _;

use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, VARY,
};
use actix_web::{HttpRequest, HttpResponse, web};
use flate2::read::GzDecoder;

use super::problem::Problem;
use super::state::AppState;

/// The page's own scripts and styles and this server, nothing else. It styles inline and
/// embeds its icons.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

/// A file of the page.
struct File {
    name: &'static str,
    content_type: &'static str,
    content: Content,
}

enum Content {
    Plain(&'static str),
    /// With gzip, by the build script.
    Packed(&'static [u8]),
}

const PAGE: &str = include_str!("docs/index.html");
const FILES: [File; 3] = [
    File {
        name: "start.js",
        content_type: "text/javascript; charset=utf-8",
        content: Content::Plain(include_str!("docs/start.js")),
    },
    File {
        name: "swagger-ui-bundle.js",
        content_type: "text/javascript; charset=utf-8",
        content: Content::Packed(include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz"))),
    },
    File {
        name: "swagger-ui.css",
        content_type: "text/css; charset=utf-8",
        content: Content::Packed(include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css.gz"))),
    },
];

/// The API's description as a page. Needs no token and no other network.
#[utoipa::path(
    get, path = "/docs", tag = "operation", operation_id = "get_docs", security(()),
    responses((status = 200, description = "A page", content_type = "text/html", body = String))
)]
pub async fn index(state: web::Data<AppState>) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .content_type("text/html; charset=utf-8")
        .body(state.live.load().base_path.in_html(PAGE.to_owned()))
}

/// The files that belong to [`index`].
///
/// # Errors
/// 404 for a file that does not.
pub async fn file(path: web::Path<String>, req: HttpRequest) -> Result<HttpResponse, Problem> {
    let file =
        FILES.iter().find(|file| file.name == *path).ok_or_else(|| Problem::not_found("file", &path))?;
    let mut response = HttpResponse::Ok();
    response
        .content_type(file.content_type)
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((CACHE_CONTROL, "max-age=3600"))
        .insert_header((VARY, "accept-encoding"));
    Ok(match file.content {
        Content::Plain(text) => response.body(text),
        Content::Packed(packed) if takes_gzip(&req) => {
            response.insert_header((CONTENT_ENCODING, "gzip")).body(packed)
        }
        Content::Packed(packed) => response.body(unpack(packed)?),
    })
}

fn takes_gzip(req: &HttpRequest) -> bool {
    let accepted = req.headers().get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let is_gzip = |coding: &str| coding.split(';').next().is_some_and(|name| name.trim() == "gzip");
    accepted
        .is_some_and(|codings| codings.split(',').any(|coding| is_gzip(coding) && !coding.contains("q=0")))
}

fn unpack(packed: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut content = Vec::new();
    GzDecoder::new(packed)
        .read_to_end(&mut content)
        .map_err(|error| Problem::internal(format!("a file of the page cannot be unpacked: {error}")))?;
    Ok(content)
}
