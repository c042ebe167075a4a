//! One channel: its health, what failed, its last messages, and a test.

use maud::{Markup, html};

use super::{health, list, trial};
use crate::dispatch::Trial;
use crate::store::log_notifications::NotificationSummary;
use crate::web::api::channels::ChannelView;
use crate::web::ui::notifications;
use crate::web::ui::parts::query::{Address, segment};
use crate::web::ui::parts::{badge, head, link, moment, notice, table};
use crate::web::ui::viewer::Viewer;

/// What the page shows.
pub struct Shown {
    /// The channel.
    pub channel: ChannelView,
    /// Its newest failed messages.
    pub failures: Vec<NotificationSummary>,
    /// Its newest messages.
    pub messages: Vec<NotificationSummary>,
    /// How the test ended that was just sent.
    pub trial: Option<Trial>,
}

/// The page.
pub fn detail(viewer: &Viewer, shown: &Shown) -> Markup {
    let channel = &shown.channel;
    let log = Address::to("/notifications").with("channel", &channel.name);
    let failed = log.clone().with("state", "failed");
    html! {
        @if let Some(done) = super::done(&Address::of(&viewer.here)) { (notice::done(done)) }
        div #channel-head data-live { (head(viewer, channel)) }
        div.grid {
            div.wide.stack {
                @if let Some(trial) = &shown.trial { (trial::card(trial)) }
                (messages(viewer, "channel-failures", "Last failures", &failed, &shown.failures))
                (messages(viewer, "channel-messages", "Last messages", &log, &shown.messages))
            }
            div.third.stack {
                div #channel-health data-live { (table::card("Health", facts(viewer, channel))) }
                (table::card("Test", tries(viewer, channel)))
            }
        }
    }
}

fn head(viewer: &Viewer, channel: &ChannelView) -> Markup {
    head::head(
        ("/channels", "Channels"),
        &channel.name,
        html! {
            (badge::state(channel.state.as_str()))
            (badge::plain(&channel.kind))
            @if channel.waiting > 0 { span { (channel.waiting) " waiting" } }
        },
        html! {
            @if viewer.may_operate() && health::is_held_back(channel) {
                form.actions method="post" action=(of(channel, "reset")) {
                    button type="submit" { "Retry now" }
                }
            }
        },
    )
}

fn of(channel: &ChannelView, what: &str) -> String {
    format!("/channels/{}/{what}", segment(&channel.name))
}

fn messages(
    viewer: &Viewer,
    id: &str,
    heading: &str,
    log: &Address,
    items: &[NotificationSummary],
) -> Markup {
    let rows: Vec<Markup> = items.iter().map(|item| notifications::row(viewer, item, None)).collect();
    html! {
        section.card {
            header { h2 { (heading) } a href=(log.href()) { "View in delivery log" } }
            @if rows.is_empty() { div #(id) data-live { (table::nothing("None.")) } }
            @else { (table::table(id, heading, true, &notifications::COLUMNS, &rows)) }
        }
    }
}

fn facts(viewer: &Viewer, channel: &ChannelView) -> Markup {
    let fallback = match &channel.fallback {
        Some(name) => link::channel(name),
        None => html! { span.quiet { "none" } },
    };
    let mut rows = vec![
        ("Status", health::words(viewer, channel)),
        ("Waiting", html! { (channel.waiting) }),
        ("Delivered", html! { (channel.delivered) }),
        ("Failed", html! { (channel.failed) }),
        ("Last success", moment::ago_or_dash(viewer, channel.last_success_at)),
        ("Last failure", list::last_failure(viewer, channel)),
        ("Fallback", fallback),
        ("Sends resolved", html! { @if channel.send_resolved { "yes" } @else { "no" } }),
    ];
    if let Some(oldest) = channel.oldest_waiting_at {
        rows.insert(2, ("Oldest waiting", moment::ago(viewer, oldest)));
    }
    table::facts(&rows)
}

fn tries(viewer: &Viewer, channel: &ChannelView) -> Markup {
    html! {
        @if !channel.enabled {
            p.quiet { "Disabled in the configuration: nothing can be sent." }
        } @else if viewer.may_operate() {
            form method="post" action=(of(channel, "test")) {
                p { "Sends one message now, without retries. It is marked as a test and appears in the delivery log." }
                button.primary type="submit" { "Send a test message" }
            }
        } @else {
            p.quiet { "A test message needs a token with the scope admin." }
        }
        @if channel.enabled {
            p { a href=(of(channel, "preview")) { "Preview a template" } " with a received event. Nothing is sent." }
        }
    }
}
