//! One writing of a page for all who show the same: a page that reads itself again says which
//! change it was told of, and gets what was written after that change.

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_ENCODING, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, web};

use super::viewer::Viewer;
use crate::web::live_views::{Answer, Page};
use crate::web::problem::Problem;
use crate::web::state::AppState;

/// The number of the change that the page was told of.
const BEAT: HeaderName = HeaderName::from_static("x-live-beat");

/// Lets a request share a page where it may; outermost, so that what is shared is packed already.
///
/// # Errors
/// Those of the page.
pub async fn shared(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(page) = page_of(&req) else {
        return Ok(next.call(req).await?.map_into_boxed_body());
    };
    let known = req.headers().get(IF_NONE_MATCH).cloned();
    // Held while the page is written, so that it is written once: the others need just that.
    let mut page = page.lock().await;
    if let Some(answer) = page.as_ref() {
        let response = respond(answer, known.as_ref());
        return Ok(req.into_response(response));
    }
    let mut fresh = req;
    // For all, so not for who already has it.
    fresh.headers_mut().remove(IF_NONE_MATCH);
    let (req, response) = next.call(fresh).await?.into_parts();
    let (head, body) = response.into_parts();
    let body = to_bytes(body).await.map_err(|_| Problem::internal("a page has no end"))?;
    let answer = Answer { status: head.status(), headers: head.headers().clone(), body };
    let response = respond(&answer, known.as_ref());
    *page = Some(answer).filter(|answer| answer.status == StatusCode::OK);
    Ok(ServiceResponse::new(req, response))
}

/// The page to share; `None` for a request that was told of no change, or that may not see it.
fn page_of(req: &ServiceRequest) -> Option<Page> {
    let state = req.app_data::<web::Data<AppState>>()?;
    let beat = state.live_views.beat_of(req.headers().get(BEAT)?.to_str().ok()?)?;
    let viewer = Viewer::reading(req.request()).ok()?;
    let packing =
        req.headers().get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let taste = &viewer.taste;
    let key = format!(
        "{}\n{packing}\n{}\n{}\n{}\n{}\n{}\n{:?}",
        viewer.here,
        taste.zone_name,
        taste.zone_chosen,
        taste.theme,
        viewer.actor.name,
        viewer.has_session,
        viewer.host,
    );
    state.live_views.page(beat, key)
}

fn respond(answer: &Answer, known: Option<&HeaderValue>) -> HttpResponse {
    let tag = answer.headers.get(ETAG);
    let opaque = |tag: &HeaderValue| tag.to_str().map(|tag| tag.trim_start_matches("W/").to_owned()).ok();
    let is_known = tag.is_some() && known.and_then(opaque) == tag.and_then(opaque);
    let mut response = if is_known {
        HttpResponse::NotModified().finish()
    } else {
        HttpResponse::build(answer.status).body(answer.body.clone())
    };
    for (name, value) in &answer.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}
