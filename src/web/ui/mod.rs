//! The pages people look at: server-rendered, complete without JavaScript, alive with it.
//!
//! A page is a folder with a line in [`PAGES`]; what pages share is in [`parts`]. Whoever looks
//! is a [`viewer::Viewer`]; every page is put into the same [`shell`]. When something was stored
//! anywhere, open pages hear of it by [`live`] and read themselves again.
//!
//! Promises: everything untrusted is escaped (Markdown and mail pass an allow-list or a sandbox);
//! nothing inline and nothing from outside, which the content security policy enforces; a form
//! works only from our own pages and only for who holds the scope; a page costs a bounded number
//! of bounded reads.

#![expect(clippy::needless_pass_by_value, reason = "a piece of a page is written in the call that takes it")]

use crate::web::path::Path;

mod assets;
mod catalog;
mod channels;
mod configuration;
pub mod errors;
mod events;
mod incidents;
pub mod live;
mod login;
mod notifications;
mod overview;
mod parts;
mod preferences;
mod session;
pub mod shared;
mod shell;
pub mod viewer;

/// A page with all that belongs to it.
struct Room {
    /// Where it begins.
    at: &'static str,
    /// What the bar calls it.
    name: &'static str,
    /// Its addresses.
    paths: fn() -> Vec<Path>,
}

/// Every page, in the order of the bar.
const PAGES: [Room; 7] = [
    Room { at: "/", name: "Overview", paths: overview::paths },
    Room { at: "/incidents", name: "Incidents", paths: incidents::paths },
    Room { at: "/notifications", name: "Delivery log", paths: notifications::paths },
    Room { at: "/catalog", name: "Catalog", paths: catalog::paths },
    Room { at: "/channels", name: "Channels", paths: channels::paths },
    Room { at: "/events", name: "Events", paths: events::paths },
    Room { at: "/configuration", name: "Configuration", paths: configuration::paths },
];

/// Every address of the pages and of what belongs to them.
pub fn paths() -> Vec<Path> {
    let of_pages = PAGES.iter().flat_map(|room| (room.paths)());
    let of_all = [assets::paths(), live::paths(), login::paths(), preferences::paths()];
    of_pages.chain(of_all.into_iter().flatten()).collect()
}

/// The ways to all pages: address and name.
fn navigation() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGES.iter().map(|room| (room.at, room.name))
}
