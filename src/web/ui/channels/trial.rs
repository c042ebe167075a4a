//! How trying a channel ended.

use std::time::Duration;

use maud::{Markup, html};

use crate::dispatch::Trial;
use crate::web::ui::parts::{badge, code, moment, table};

/// The end of a test message, with the way to it in the delivery log.
pub fn card(trial: &Trial) -> Markup {
    let mut facts = vec![("Outcome", badge::state(trial.outcome.as_str()))];
    if let Some(status) = trial.status {
        facts.push(("Status", html! { (status) }));
    }
    if let Some(error) = &trial.error {
        facts.push(("Error", html! { (error) }));
    }
    if let Some(response) = trial.response.as_ref().filter(|response| !response.is_empty()) {
        facts.push(("Response", code::text(response)));
    }
    facts.push(("Duration", html! { (moment::span(Duration::from_millis(trial.duration_ms))) }));
    let log = format!("/notifications/{}", trial.notification_id);
    facts.push(("Message", html! { a href=(log) { "View in delivery log" } }));
    html! { div role="status" { (table::card("Test message", table::facts(&facts))) } }
}
