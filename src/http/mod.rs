//! The one outgoing HTTP client, for whoever asks something of another server. It follows no
//! redirect, asks for no compression, reads a bounded part of the answer and ends within its
//! deadline. It says whether a failed request may have had an effect, and for how long the server
//! asked to be left alone.
//!
//! Addresses may be secrets: no error of this module contains one.

mod answer;
pub mod classify;
mod client;
mod deadline;
mod endpoint;
mod headers;
mod proxy;
pub mod redact;
pub mod retry_after;

pub use answer::{Answer, BodyEnd};
pub use client::{BODY_HEAD_BYTES, Failure, HttpClient};
pub use deadline::Deadline;
pub use endpoint::{Endpoint, InvalidEndpoint};
pub use headers::{Headers, InvalidHeader};
pub use proxy::{InvalidProxy, Proxies};
pub use redact::Redactor;

#[cfg(test)]
mod tests;
