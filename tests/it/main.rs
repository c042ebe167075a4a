//! The integration tests, in one binary: linking it once is what takes the time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test's helper fails its test like the test itself"
)]

mod api_envelope;
mod cli;
mod compose;
mod config_files;
mod routes_amtool;
mod web_support;
