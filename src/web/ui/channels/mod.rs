//! `/channels`: where messages go, how that fares, and trying it.

use actix_web::{HttpResponse, web};
use maud::{Markup, html};

use super::parts::query::{Address, segment};
use super::parts::{badge, link, moment};
use super::shell::{self, Page};
use super::viewer::{Operator, Viewer};
use crate::dispatch::Trial;
use crate::store::log::PageKey;
use crate::store::log_notifications::NotificationFilter;
use crate::web::api::channels::{self, ChannelView, give_new_chance, try_out};
use crate::web::path::{Path, path};
use crate::web::problem::Problem;
use crate::web::state::AppState;

mod detail;
mod health;
mod list;
mod preview;
mod trial;

/// How many messages of each sort a channel's page shows.
const MESSAGES: u32 = 10;

/// The addresses.
pub fn paths() -> Vec<Path> {
    let of_channels = vec![
        path("/channels").get(show_list).page(),
        path("/channels/{name}").get(show_one).page(),
        // What was answered to a form is read again from its own address.
        path("/channels/{name}/test").get(show_one).post(test).page(),
        path("/channels/{name}/reset").get(show_one).post(reset).undescribed(),
    ];
    of_channels.into_iter().chain(preview::paths()).collect()
}

async fn show_list(viewer: Viewer, state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let main = list::list(&viewer, &channels::all(&state).await?);
    Ok(shell::answer(&viewer, Page { title: "Channels", main }))
}

async fn show_one(
    viewer: Viewer,
    name: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    answer(&viewer, &state, &name, None).await
}

/// Sends a test message and shows the channel with how that ended.
async fn test(
    who: Operator,
    name: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let trial = try_out(&state, &who.0.actor.name, &name).await?;
    answer(&who.0, &state, &name, Some(trial)).await
}

async fn reset(
    who: Operator,
    name: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    give_new_chance(&state, &who.0.actor.name, &name).await?;
    let next = Address::to(format!("/channels/{}", segment(&name)));
    Ok(shell::see_other(next.with("done", "reset").href()))
}

async fn answer(
    viewer: &Viewer,
    state: &AppState,
    name: &str,
    trial: Option<Trial>,
) -> Result<HttpResponse, Problem> {
    let of_channel = NotificationFilter { channel: Some(name.to_owned()), ..NotificationFilter::default() };
    let failed = NotificationFilter { state: Some("failed".to_owned()), ..of_channel.clone() };
    let newest = PageKey { limit: MESSAGES, before: None };
    let shown = detail::Shown {
        channel: channels::read_one(name, state).await?,
        failures: state.store.list_notifications(&failed, &newest).await?.items,
        messages: state.store.list_notifications(&of_channel, &newest).await?.items,
        trial,
    };
    let main = detail::detail(viewer, &shown);
    Ok(shell::answer(viewer, Page { title: name, main }))
}

/// What a form did, in a sentence.
fn done(here: &Address) -> Option<&'static str> {
    match here.get("done")? {
        "reset" => Some("Retrying now: waiting messages are sent at once."),
        _ => None,
    }
}

/// A channel in a line.
pub fn line(viewer: &Viewer, channel: &ChannelView) -> Markup {
    html! {
        p {
            (link::channel(&channel.name)) " " (badge::state(channel.state.as_str()))
            @if channel.waiting > 0 { " " (channel.waiting) " waiting" }
            br; small {
                (channel.kind)
                @if let Some(at) = channel.last_success_at { ", last delivered " (moment::ago(viewer, at)) }
            }
        }
    }
}
