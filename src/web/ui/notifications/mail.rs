//! The mail of a notification as a mail program shows it: its HTML, alone in a sandbox.

use actix_web::http::header::{CONTENT_SECURITY_POLICY, X_FRAME_OPTIONS};
use actix_web::{HttpResponse, web};
use mail_parser::MessageParser;

use crate::store::log::StoredJson;
use crate::web::api::query::checked_id;
use crate::web::problem::Problem;
use crate::web::state::AppState;
use crate::web::ui::parts::message::MAIL;
use crate::web::ui::viewer::Viewer;

/// Mail styles inline. It runs nothing, loads nothing, leads nowhere, and is framed by our own
/// pages alone.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'self'";

/// The HTML part; the text where there is none.
pub async fn show(
    _: Viewer,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let id = checked_id("notification", &id)?;
    let found = state.store.find_notification(id).await?;
    let html = found.and_then(|found| html_of(found.rendered.as_ref()?));
    let html = html.ok_or_else(|| Problem::not_found("mail of the notification", id))?;
    Ok(HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_FRAME_OPTIONS, "SAMEORIGIN"))
        .body(html))
}

fn html_of(rendered: &StoredJson) -> Option<String> {
    let rendered = rendered.value();
    let body = rendered["body"].as_str().filter(|_| rendered["content_type"] == MAIL)?;
    let mail = MessageParser::default().parse(body.as_bytes())?;
    mail.body_html(0).map(std::borrow::Cow::into_owned)
}
