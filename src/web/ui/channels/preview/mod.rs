//! `/channels/{name}/preview`: what an edited template would make of a stored event. Nothing is
//! saved and nothing is sent.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::dispatch::plan::{ChannelPlan, Plan};
use crate::render::TemplateField;
use crate::store::log::PageKey;
use crate::store::log_events::{EventDetail, EventFilter, EventSummary};
use crate::web::api::events::read_one;
use crate::web::path::{Path, path};
use crate::web::problem::{Kind, Problem};
use crate::web::state::AppState;
use crate::web::stored_bodies::Held;
use crate::web::text::Form;
use crate::web::ui::parts::query::Address;
use crate::web::ui::shell::{self, Page};
use crate::web::ui::viewer::{Asker, Viewer};

mod view;
mod work;

/// How many previews are made at the same time: each holds an event and what templates make
/// of it in memory.
static PREVIEWS: Semaphore = Semaphore::const_new(2);

/// How long a preview waits for others.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many of the newest events are offered.
const NEWEST: u32 = 20;

/// The address.
pub fn paths() -> Vec<Path> {
    vec![path("/channels/{name}/preview").get(show).post(preview).compressed().undescribed()]
}

/// The form as it is sent; what is not given is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Edited {
    field: String,
    event: String,
    /// An event that is not among those offered.
    other: String,
    text: String,
}

impl Edited {
    /// The event meant; empty for the newest.
    fn event(&self) -> &str {
        if self.other.trim().is_empty() { &self.event } else { self.other.trim() }
    }
}

async fn show(
    viewer: Viewer,
    name: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let here = Address::of(&viewer.here);
    let wanted = |key: &str| here.get(key).unwrap_or_default().to_owned();
    let room = Room::of(&state, &name, &wanted("field"))?;
    let text = room.plan.template(&room.channel, room.field).to_owned();
    let edited =
        Edited { field: room.field.name.to_owned(), event: wanted("event"), text, ..Edited::default() };
    answer(&viewer, &state, &room, &edited, None, None).await
}

async fn preview(
    who: Asker,
    name: web::Path<String>,
    Form(mut edited): Form<Edited>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    // Browsers send lines as the mail of old did.
    edited.text = edited.text.replace("\r\n", "\n");
    let room = Room::of(&state, &name, &edited.field)?;
    let turn = turn().await?;
    let (event, held) = match chosen(&state, edited.event()).await {
        Ok(found) => found,
        Err(problem) if matches!(problem.kind(), Kind::NotFound | Kind::BadRequest | Kind::Validation) => {
            return answer(&who.0, &state, &room, &edited, None, Some(&problem.to_string())).await;
        }
        Err(problem) => return Err(problem),
    };
    let task = work::Task {
        plan: room.plan.clone(),
        channel: room.channel.clone(),
        field: room.field,
        text: edited.text.clone(),
        event,
        live: state.live.load_full(),
        catalog: state.catalog.catalog().clone(),
    };
    // The turn lasts as long as the work, also when nobody waits for it any more.
    let work = move || {
        let _turn = (turn, held);
        task.run()
    };
    let done = web::block(work).await.map_err(Problem::internal)?;
    answer(&who.0, &state, &room, &edited, Some(&done), None).await
}

/// Leave to make one more preview.
async fn turn() -> Result<SemaphorePermit<'static>, Problem> {
    match tokio::time::timeout(PATIENCE, PREVIEWS.acquire()).await {
        Ok(turn) => turn.map_err(Problem::internal),
        Err(_) => Err(Problem::new(Kind::Unavailable, "too many previews at once: try again in a moment")),
    }
}

/// The channel and the template asked about.
struct Room {
    plan: Arc<Plan>,
    channel: Arc<ChannelPlan>,
    field: &'static TemplateField,
}

impl Room {
    /// Of an enabled channel; without a field's name its first.
    fn of(state: &AppState, name: &str, field: &str) -> Result<Self, Problem> {
        let plan = state.dispatcher.plan();
        let channel = plan.channel(name).ok_or_else(|| Problem::not_found("enabled channel", name))?;
        let mut fields = channel.kind.templates.iter();
        let found = fields.find(|known| field.is_empty() || known.name == field);
        let field = found.ok_or_else(|| Problem::not_found("template", field))?;
        Ok(Self { plan, channel, field })
    }
}

/// The event of that id, or the newest.
async fn chosen(state: &AppState, id: &str) -> Result<(EventDetail, Held), Problem> {
    if !id.is_empty() {
        return read_one(state, id).await;
    }
    match newest(state).await?.first() {
        Some(newest) => read_one(state, &newest.id).await,
        None => Err(Problem::new(Kind::NotFound, "no event was processed yet")),
    }
}

async fn newest(state: &AppState) -> Result<Vec<EventSummary>, Problem> {
    let processed = EventFilter { state: Some("processed".to_owned()), ..EventFilter::default() };
    Ok(state.store.list_events(&processed, &PageKey { limit: NEWEST, before: None }).await?.items)
}

async fn answer(
    viewer: &Viewer,
    state: &AppState,
    room: &Room,
    edited: &Edited,
    done: Option<&work::Done>,
    wrong_event: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let events = newest(state).await?;
    let shown = view::Shown { room, edited, events: &events, done, wrong_event };
    let main = view::view(viewer, &shown);
    Ok(shell::answer(viewer, Page { title: &format!("Preview on {}", room.channel.name), main }))
}
