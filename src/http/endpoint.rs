//! Addresses that requests go to. They may be secrets: no error here contains one.

use std::fmt;

use crate::domain::secret::Secret;

/// An address to post to, checked. Its `Debug` shows only scheme and host.
#[derive(Clone)]
pub struct Endpoint(pub(super) reqwest::Url);

impl Endpoint {
    /// An absolute http or https address without a user or password in it.
    ///
    /// # Errors
    /// What is wrong with it, without repeating it.
    pub fn parse(url: &Secret) -> Result<Self, InvalidEndpoint> {
        let url: reqwest::Url = url.expose().trim().parse().map_err(|_| InvalidEndpoint::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(InvalidEndpoint::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidEndpoint::Credentials);
        }
        Ok(Self(url))
    }

    /// The address `path` (without a leading slash) below this one.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        url.set_path(&format!("{}/{path}", self.0.path().trim_end_matches('/')));
        Self(url)
    }

    /// The same address with one more parameter.
    #[must_use]
    pub fn with_query(&self, name: &str, value: &str) -> Self {
        let mut url = self.0.clone();
        url.query_pairs_mut().append_pair(name, value);
        Self(url)
    }

    /// The address itself; may be a secret.
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// Scheme, host and port: enough to find the fault, and no secret.
    pub fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/…", self.origin())
    }
}

/// Why a text cannot be posted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// Not an absolute address.
    #[error("is not a URL such as https://example.org/hook")]
    NotAUrl,
    /// Some other scheme.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// `https://user:password@…`
    #[error("must not contain a user or password; send them as an Authorization header")]
    Credentials,
}
