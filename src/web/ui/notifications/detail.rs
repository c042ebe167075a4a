//! One message: as received, why it was sent, and every attempt.

use maud::{Markup, html};

use crate::domain::clock::Timestamp;
use crate::store::log_notifications::{AttemptRecord, DecisionRecord, NotificationDetail};
use crate::web::ui::parts::query::Address;
use crate::web::ui::parts::{badge, code, head, link, message, moment, notice, table};
use crate::web::ui::viewer::Viewer;

/// What the tab says.
pub fn title(shown: &NotificationDetail) -> String {
    shown.summary.headline().unwrap_or_else(|| format!("{} on {}", shown.summary.kind, shown.summary.channel))
}

/// The page.
pub fn detail(viewer: &Viewer, shown: &NotificationDetail) -> Markup {
    let here = Address::of(&viewer.here);
    html! {
        @if let Some(done) = super::done(&here) { (notice::done(done)) }
        div #notification-head data-live { (head(viewer, shown)) }
        div.grid {
            div.wide.stack {
                div #notification-message data-live { (table::card("As received", as_read(shown))) }
                div #notification-attempts data-live { (attempts(viewer, shown)) }
            }
            div.third.stack {
                (incidents(shown))
                (table::card("Why it was sent", decisions(viewer, &shown.decisions)))
                div #notification-facts data-live { (table::card("Details", facts(viewer, shown))) }
            }
        }
    }
}

fn head(viewer: &Viewer, shown: &NotificationDetail) -> Markup {
    let summary = &shown.summary;
    let is_finished = summary.finished_at.is_some();
    head::head(
        ("/notifications", "Delivery log"),
        &title(shown),
        html! {
            (badge::state(&summary.state))
            (badge::severity(&summary.severity))
            (badge::plain(&summary.kind.replace('_', " ")))
            @if summary.maybe_sent_twice { (badge::of("possible duplicate", badge::Tone::Medium)) }
            span { "to " (link::channel(&summary.channel)) ", created " (moment::ago(viewer, summary.created_at)) }
        },
        html! {
            @if viewer.may_write() && is_finished {
                form.actions method="post" action="/notifications/redeliver" {
                    input type="hidden" name="id" value=(summary.id);
                    input type="hidden" name="next" value=(format!("/notifications/{}", summary.id));
                    button type="submit" data-confirm="Resend this message?" { "Resend" }
                }
            }
        },
    )
}

fn as_read(shown: &NotificationDetail) -> Markup {
    match &shown.rendered {
        Some(rendered) => message::message(&shown.summary.id, &shown.summary.severity, &rendered.value()),
        None => html! { p.quiet { "Not rendered: nothing was sent. " (shown.summary.reason) } },
    }
}

fn attempts(viewer: &Viewer, shown: &NotificationDetail) -> Markup {
    let rows: Vec<Markup> = shown.attempts.iter().map(|attempt| attempt_row(viewer, attempt)).collect();
    html! {
        section.card {
            header { h2 { "Attempts" } span.quiet { (shown.attempts.len()) } }
            @if rows.is_empty() { (table::nothing("None yet.")) }
            @else { (table::table("attempts", "Attempts, oldest first", false, &["Attempt", "Outcome", "Status", "Duration", "Started"], &rows)) }
        }
    }
}

fn attempt_row(viewer: &Viewer, attempt: &AttemptRecord) -> Markup {
    let took = std::time::Duration::from_millis(u64::try_from(attempt.duration_ms).unwrap_or_default());
    html! {
        tr #(format!("a-{}", attempt.id)) {
            td.main {
                "Attempt " (attempt.number)
                @if attempt.series > 1 { " of series " (attempt.series) }
                @if let Some(error) = &attempt.error { div { (error) } }
                @if let Some(response) = attempt.response.as_ref().filter(|text| !text.is_empty()) {
                    details #(format!("answer-{}", attempt.id)) { summary { "Provider response" } (code::text(response)) }
                }
            }
            td.tight data-label="Outcome" { (badge::state(&attempt.outcome)) }
            td.tight data-label="Status" { (attempt.status.map(|status| status.to_string()).unwrap_or_default()) }
            td.tight data-label="Duration" { (moment::span(took)) }
            td.tight data-label="Started" { (moment::clock(viewer, attempt.started_at)) }
        }
    }
}

fn incidents(shown: &NotificationDetail) -> Markup {
    table::card(
        "Incidents",
        html! {
            @if shown.incidents.is_empty() { p.quiet { "None: a test message, or the incident was deleted." } }
            @for incident in &shown.incidents {
                p {
                    a href=(format!("/incidents/{}", incident.id)) { (incident.dedup_key) } " "
                    (badge::state(&incident.state)) " " (badge::severity(&incident.severity))
                }
            }
        },
    )
}

fn decisions(viewer: &Viewer, decisions: &[DecisionRecord]) -> Markup {
    html! {
        @if decisions.is_empty() { p.quiet { "No decision recorded." } }
        @for decision in decisions {
            p {
                (decision.reason) "."
                br; small { (moment::clock(viewer, decision.at)) }
            }
        }
    }
}

fn facts(viewer: &Viewer, shown: &NotificationDetail) -> Markup {
    let summary = &shown.summary;
    let mut rows = vec![
        ("State", html! { (badge::state(&summary.state)) " " (summary.reason) }),
        ("Entry", link::entry(&summary.entry)),
        ("Rule", html! { (summary.alertname) }),
        (
            "Dedup key",
            html! { a href=(Address::to("/notifications").with("dedup_key", &summary.dedup_key).href()) { code { (summary.dedup_key) } } },
        ),
    ];
    if let Some(at) = summary.received_at {
        rows.push(("Received", moment::clock(viewer, at)));
    }
    rows.push(("Created", moment::clock(viewer, summary.created_at)));
    if let Some(at) = summary.finished_at {
        rows.push(("Finished", moment::clock(viewer, at)));
        if let Some(received) = summary.received_at {
            rows.push(("Duration", html! { (moment::span(Timestamp::from(at).since(received.into()))) }));
        }
    } else {
        rows.push(("Next attempt", moment::ago(viewer, summary.due_at)));
        rows.push(("Expires", moment::ago(viewer, summary.expires_at)));
    }
    if let Some(fallback) = &shown.fallback {
        rows.push(("Fallback", html! {
            a href=(format!("/notifications/{}", fallback.id)) { "through " (fallback.channel) } " " (badge::state(&fallback.state))
        }));
    }
    if let Some(of) = &summary.fallback_of {
        rows.push(("Fallback for", html! { a href=(format!("/notifications/{of}")) { "this message" } }));
    }
    rows.push(("ID", html! { code { (summary.id) } }));
    table::facts(&rows)
}
