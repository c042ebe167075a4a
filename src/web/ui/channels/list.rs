//! Every channel in a table.

use maud::{Markup, html};

use super::health;
use crate::web::api::channels::ChannelView;
use crate::web::ui::parts::query::Address;
use crate::web::ui::parts::{badge, link, moment, table};
use crate::web::ui::viewer::Viewer;

const COLUMNS: [&str; 8] =
    ["Channel", "State", "Health", "Waiting", "Delivered", "Failed", "Last success", "Last failure"];

/// The page.
pub fn list(viewer: &Viewer, channels: &[ChannelView]) -> Markup {
    let rows: Vec<Markup> = channels.iter().map(|channel| row(viewer, channel)).collect();
    html! {
        div.head { h1 { "Channels" } }
        div.card { (table::table("channels", "Channels, as configured", true, &COLUMNS, &rows)) }
    }
}

fn row(viewer: &Viewer, channel: &ChannelView) -> Markup {
    let log = |state: &str| Address::to("/notifications").with("channel", &channel.name).with("state", state);
    html! {
        tr #(format!("ch-{}", channel.name)) {
            td.main { (link::channel(&channel.name)) br; small { (channel.kind) } }
            td.tight data-label="State" { (badge::state(channel.state.as_str())) }
            td data-label="Health" { (health::words(viewer, channel)) }
            td.tight.number data-label="Waiting" { a href=(log("pending").href()) { (channel.waiting) } }
            td.tight.number data-label="Delivered" { a href=(log("delivered").href()) { (channel.delivered) } }
            td.tight.number data-label="Failed" { a href=(log("failed").href()) { (channel.failed) } }
            td.tight data-label="Last success" { (moment::ago_or_dash(viewer, channel.last_success_at)) }
            td data-label="Last failure" { (last_failure(viewer, channel)) }
        }
    }
}

/// When something last went wrong, and what.
pub fn last_failure(viewer: &Viewer, channel: &ChannelView) -> Markup {
    html! {
        (moment::ago_or_dash(viewer, channel.last_failure_at))
        @if let Some(error) = channel.last_error.as_ref().filter(|error| !error.is_empty()) { br; small { (error) } }
    }
}
