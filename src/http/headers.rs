//! Headers that are sent along.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::domain::secret::Secret;

/// Headers that a channel may not set: they are ours, or they frame the message.
const RESERVED_HEADERS: [&str; 17] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

/// Headers to send along, checked. Values are marked sensitive: no `Debug` shows them.
#[derive(Clone, Debug, Default)]
pub struct Headers(pub(super) HeaderMap);

impl Headers {
    /// Sets a header that this program chose itself.
    ///
    /// # Errors
    /// When name or value cannot stand in a header.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), InvalidHeader> {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| InvalidHeader::Name)?;
        let mut value = HeaderValue::from_str(value).map_err(|_| InvalidHeader::Value)?;
        value.set_sensitive(true);
        self.0.insert(name, value);
        Ok(())
    }

    /// Sets a header that somebody configured.
    ///
    /// # Errors
    /// As [`Headers::set`], and when the name is reserved.
    pub fn set_configured(&mut self, name: &str, value: &Secret) -> Result<(), InvalidHeader> {
        if RESERVED_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            return Err(InvalidHeader::Reserved);
        }
        self.set(name, value.expose())
    }
}

/// Why a header cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHeader {
    /// Not a token.
    #[error("is not a header name")]
    Name,
    /// Line breaks or other control characters.
    #[error("has a value with characters a header cannot hold")]
    Value,
    /// One of ours.
    #[error("is set by modelpager itself and cannot be configured")]
    Reserved,
}
