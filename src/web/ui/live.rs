//! `/live`: tells open pages, as server-sent events, that something was stored; what it was they
//! read themselves, from the address they show.
//!
//! Promises: a view costs a connection and nothing else while nothing happens; views end when
//! the service stops.

use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures_util::stream::{self, Stream};
use tokio::sync::watch;

use super::viewer::Viewer;
use crate::domain::clock::{SharedClock, Timestamp};
use crate::web::live_views::{LiveViews, MOST_VIEWS, Pulse};
use crate::web::path::{Path, path};
use crate::web::problem::{Kind, Problem};
use crate::web::state::AppState;

/// A silent connection is given up by what stands between; this keeps it from being silent.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// After this a view must come again, and show that it still may.
const LIFE: Duration = Duration::from_secs(15 * 60);

/// The address.
pub fn paths() -> Vec<Path> {
    vec![path("/live").get(live).undescribed()]
}

async fn live(_: Viewer, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let Some(view) = state.live_views.open() else {
        let detail = format!("the service is stopping, or {MOST_VIEWS} live views are already open");
        return Err(Problem::new(Kind::Unavailable, detail));
    };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, "no-store"))
        // Proxies of the nginx sort hold back what they could hand on.
        .insert_header((HeaderName::from_static("x-accel-buffering"), "no"))
        .streaming(events(view, state.live_views.clone(), state.clock.clone())))
}

fn events(
    view: watch::Receiver<Pulse>,
    all: LiveViews,
    clock: SharedClock,
) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
    let ends_at = clock.now().plus(LIFE);
    // Something may have changed since the page was written.
    let hello = stream::once(async { Ok(Bytes::from_static(b"retry: 3000\n\nevent: change\ndata: \n\n")) });
    let news = stream::unfold(view, move |mut view| {
        let (clock, all) = (clock.clone(), all.clone());
        async move { Some((Ok(next_event(&mut view, &all, &clock, ends_at).await?), view)) }
    });
    futures_util::StreamExt::chain(hello, news)
}

/// What the view is told next; `None` at its end.
async fn next_event(
    view: &mut watch::Receiver<Pulse>,
    all: &LiveViews,
    clock: &SharedClock,
    ends_at: Timestamp,
) -> Option<Bytes> {
    if clock.now() >= ends_at {
        return None;
    }
    tokio::select! {
        changed = view.changed() => {
            changed.ok()?;
            match *view.borrow_and_update() {
                Pulse::Beat(beat) => Some(Bytes::from(format!("event: change\ndata: {}\n\n", all.mark(beat)))),
                Pulse::End => None,
            }
        }
        () = clock.sleep_until(clock.now().plus(HEARTBEAT)) => Some(Bytes::from_static(b": still here\n\n")),
    }
}
