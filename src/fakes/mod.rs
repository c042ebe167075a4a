//! Strict local stand-ins for the providers, shared by the tests and by `demo`.
//!
//! A fake refuses what the real provider would refuse, with the provider's own words, and
//! notes every broken rule as a [`Violation`], so that a test ends on
//! [`Violations::assert_clean`]. It keeps what a person would see (messages, incidents,
//! mails), because that, not the list of requests, is what a test should look at. Faults
//! below HTTP are scripted by [`engine::Step`], those of mail by [`smtp::Fault`].
//!
//! Where each rule comes from stands in `CONTRACTS.md` beside this file, or in the fake's folder. The fakes import
//! nothing of the product but `domain`, so that a fake and the channel it checks cannot
//! share one misunderstanding.

#[cfg(test)]
mod client;
pub mod discord;
pub mod engine;
mod listener;
pub mod pagerduty;
pub mod proxy;
pub mod slack;
pub mod smtp;
mod violation;
pub mod webhook;

pub use violation::{Violation, Violations};
