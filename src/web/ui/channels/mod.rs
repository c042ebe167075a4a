//! `/channels`: where messages go, how that fares, and trying it.

use maud::{Markup, html};

use super::parts::{badge, link, moment};
use super::viewer::Viewer;
use crate::web::api::channels::ChannelView;

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
