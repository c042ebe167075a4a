//! The words of the product as types. Pure: no I/O, no database, no HTTP, and
//! only [`clock`] and [`random`] touch the outside world, behind traits.
//!
//! Glossary, in the order an alert meets them: an *event* is one inbound body; an
//! [`alert::Alert`] is one alert of it; an [`entry::Entry`] is what the catalog knows;
//! an [`incident::Incident`] is the life of one dedup key; a
//! [`notification::Snapshot`] is what one message will say; an
//! [`outcome::SendOutcome`] is how one attempt to send it ended.

pub mod alert;
pub mod backoff;
pub mod clock;
pub mod connection;
pub mod duration;
pub mod entry;
pub mod ids;
pub mod incident;
pub mod index_key;
pub mod labels;
pub mod matcher;
pub mod notification;
pub mod outcome;
pub mod overtake;
pub mod priority;
pub mod random;
pub mod rate;
pub mod secret;
pub mod severity;
pub mod time_text;
mod words;
