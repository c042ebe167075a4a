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
            p.quiet { "Renders a template with a received event. Nothing is saved or sent." }
        } }
        div.grid {
            div.half.stack { (table::card("Template", form(viewer, shown))) }
            div.half.stack {
                @match shown.done {
                    Some(done) => (results(room, done)),
                    None => (table::card("Result", html! { p.quiet { "The rendered text appears here." } })),
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
                label: "Or another event ID",
                hint: "As shown on its page.",
                value: &edited.other,
                wrong: shown.wrong_event,
            }.line())
            (Field {
                name: "text",
                label: &label,
                hint: "Handlebars. To keep it, add it to this channel's templates in the configuration.",
                value: &edited.text,
                wrong: None,
            }.lines(18))
            button.primary type="submit" { "Render" }
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
    if choices.is_empty() { vec![("", "no processed events yet".to_owned())] } else { choices }
}

fn results(room: &Room, done: &Done) -> Markup {
    html! {
        @if let Some(told) = &done.message { (result(room, told)) }
        section.card {
            header { h2 { "Event" } a href=(format!("/events/{}", done.event)) { "View event" } }
            div.body {
                @if let Some(told) = &done.message { p { "Incident: " code { (told.dedup_key) } } }
                @for note in &done.notes { p { "Note: " (note) "." } }
            }
        }
        @if let Some(told) = &done.message {
            (table::card("Full message with the current templates", message::unsent("now", told.severity, &told.now)))
        }
    }
}

fn result(room: &Room, told: &Told) -> Markup {
    let heading = format!("Your {}, rendered", room.field.name);
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
