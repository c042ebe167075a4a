//! Intake: what arrives is read, judged alert by alert, and stored before it is answered.
//!
//! Promises: an answer of 200 means that the body is on disk; one bad alert never costs its
//! neighbours; what can never be accepted is kept with its reason.

pub mod alertmanager;
mod depth;
mod extras;
pub mod inbox;
mod repair;
mod senders;
mod pairs;
mod sniff;
mod text;
mod twin;
mod verdict;
mod wire;

pub use wire::Verdict;
