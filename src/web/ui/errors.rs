//! Errors as pages, for who asked for a page.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{ACCEPT, HeaderValue, RETRY_AFTER};
use maud::html;

use super::shell::{self, Page};
use super::viewer::Taste;
use crate::web::problem::{Kind, Problem};

/// Whether this was asked for by a browser that shows pages, of what has pages.
pub fn wants_page(req: &HttpRequest) -> bool {
    const NOT_PAGES: [&str; 6] = ["/api/", "/webhooks/", "/-/", "/metrics", "/problems/", "/assets/"];
    let accepts = req.headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    accepts.is_some_and(|accepts| accepts.contains("text/html"))
        && !NOT_PAGES.iter().any(|prefix| req.path().starts_with(prefix))
}

/// The problem in words; who is not known is shown the way in.
pub fn page(req: &HttpRequest, problem: &Problem, request_id: &str) -> HttpResponse {
    if problem.kind() == Kind::Unauthorized {
        return shell::see_other(login_address(req));
    }
    let (_, status, title) = problem.kind().facts();
    let main = html! {
        div.head { div { p.crumbs.quiet { (status.as_u16()) } h1 { (title) } } }
        div.card { div.body {
            p { (problem) }
            @if !problem.fields().is_empty() {
                ul { @for error in problem.fields() { li { code { (error.field) } ": " (error.message) } } }
            }
            p.quiet { "Request " code { (request_id) } }
            p { a.button href="/" { "Go to overview" } }
        } }
    };
    let mut response = shell::public(status, &Taste::of(req), &Page { title, main });
    if problem.kind() == Kind::Unavailable {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// The way in, which leads back here; a form cannot be sent twice by itself, so from one it
/// leads to the page it stood on.
fn login_address(req: &HttpRequest) -> String {
    let next = match *req.method() {
        Method::GET | Method::HEAD => req.uri().path_and_query().map_or("/", |here| here.as_str()),
        _ => "/",
    };
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", next).finish();
    format!("/login?{query}")
}
