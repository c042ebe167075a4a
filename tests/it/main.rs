//! The integration tests, in one binary: linking it once is what takes the time.

mod api_envelope;
mod compose;
mod routes_amtool;
mod web_support;
