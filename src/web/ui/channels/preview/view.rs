//! The form with the template, and what it makes of the event.

use maud::{Markup, html};

use super::work::{Done, Told};
use super::{Edited, Room};
use crate::store::log_events::EventSummary;
use crate::web::ui::parts::badge::Tone;
use crate::web::ui::parts::form::Field;
use crate::web::ui::parts::query::{Address, segment};
use crate::web::ui::parts::{code, link, message, moment, notice, table};
use crate::web::ui::viewer::Viewer;

/// What the page shows.
pub struct Shown<'a> {
    /// The channel and the template.
    pub room: &'a Room,
    /// What stands in the form.
    pub edited: &'a Edited,
    /// The newest events.
    pub events: &'a [EventSummary],
    /// What came of it.
    pub done: Option<&'a Done>,
    /// Why the event cannot be used.
    pub wrong_event: Option<&'a str>,
}

/// The page.
pub fn view(viewer: &Viewer, shown: &Shown<'_>) -> Markup {
    let room = shown.room;
    let name = &room.channel.name;
    html! {
        div.head { div {
            p.crumbs { a href="/channels" { "Channels" } " / " (link::channel(name)) }
            h1 { "Preview on " (name) }
            p.quiet { "What a template would make of an event that came in. Nothing is saved, nothing is sent." }
        } }
        div.grid {
            div.half.stack { (table::card("Template", form(viewer, shown))) }
            div.half.stack {
                @match shown.done {
                    Some(done) => (results(room, done)),
                    None => (table::card("Result", html! { p.quiet { "Try the template, and its text stands here." } })),
                }
            }
        }
    }
}

fn form(viewer: &Viewer, shown: &Shown<'_>) -> Markup {
    let (room, edited) = (shown.room, shown.edited);
    let here = format!("/channels/{}/preview", segment(&room.channel.name));
    let label = format!("The template {}", room.field.name);
    let choices: Vec<(&str, String)> = choices(viewer, shown);
    let choices: Vec<(&str, &str)> = choices.iter().map(|(id, name)| (*id, name.as_str())).collect();
    html! {
        p {
            "Templates of this channel: "
            @for (n, field) in room.channel.kind.templates.iter().enumerate() {
                @if n > 0 { ", " }
                @if field.name == room.field.name { strong { (field.name) } }
                @else {
                    @let there = Address::to(here.as_str()).with("field", field.name).with("event", edited.event());
                    a href=(there.href()) { (field.name) }
                }
            }
        }
        form method="post" action=(here) {
            input type="hidden" name="field" value=(room.field.name);
            (Field { name: "event", label: "Event", hint: "", value: &edited.event, wrong: None }.choice(&choices))
            (Field {
                name: "other",
                label: "Or the id of another event",
                hint: "As its page shows it.",
                value: &edited.other,
                wrong: shown.wrong_event,
            }.line())
            (Field {
                name: "text",
                label: &label,
                hint: "In Handlebars. To keep it, put it into the configuration under this channel's templates.",
                value: &edited.text,
                wrong: None,
            }.lines(18))
            button.primary type="submit" { "Try it" }
        }
    }
}

/// The newest events; one that was asked for and is older comes first.
fn choices<'a>(viewer: &Viewer, shown: &Shown<'a>) -> Vec<(&'a str, String)> {
    let asked = shown.edited.event.as_str();
    let is_older = !asked.is_empty() && shown.events.iter().all(|event| event.id != asked);
    let older = is_older.then(|| (asked, asked.to_owned()));
    let newest = shown.events.iter().map(|event| {
        let at = moment::written(viewer, event.received_at.into(), "%Y-%m-%d %H:%M:%S");
        let alerts =
            if event.alerts == 1 { "1 alert".to_owned() } else { format!("{} alerts", event.alerts) };
        (event.id.as_str(), format!("{at}, {}, {alerts}", event.receiver))
    });
    let choices: Vec<_> = older.into_iter().chain(newest).collect();
    if choices.is_empty() { vec![("", "none was processed yet".to_owned())] } else { choices }
}

fn results(room: &Room, done: &Done) -> Markup {
    html! {
        @if let Some(told) = &done.message { (result(room, told)) }
        section.card {
            header { h2 { "The event" } a href=(format!("/events/{}", done.event)) { "Its page" } }
            div.body {
                @if let Some(told) = &done.message { p { "It tells of " code { (told.dedup_key) } "." } }
                @for note in &done.notes { p { "Note: " (note) "." } }
            }
        }
        @if let Some(told) = &done.message {
            (table::card("The whole message, as it is rendered now", message::unsent("now", told.severity, &told.now)))
        }
    }
}

fn result(room: &Room, told: &Told) -> Markup {
    let heading = format!("What your {} becomes", room.field.name);
    let body = match &told.edited {
        Ok(text) => html! { div role="status" { (code::text(text)) } },
        Err(fault) => notice::notice(
            Tone::Critical,
            "alert",
            html! {
                p { @if let Some(line) = fault.line { strong { "Line " (line) ": " } } (fault.message) }
            },
        ),
    };
    table::card(&heading, body)
}
