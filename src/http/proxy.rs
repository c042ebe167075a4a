//! Forward proxies: those of the environment, or a channel's own. A plain request is handed to the
//! proxy whole; one over TLS goes through a tunnel that the proxy opens (`CONNECT`), so that the
//! proxy sees the name of the host and nothing else. It is the proxy that looks this name up.
//!
//! The address of a proxy may hold a password: messages name its scheme, host and port.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

use super::redact::Redactor;
use crate::domain::secret::Secret;

/// What a channel's `proxy_url` says to use none.
const NONE: &str = "none";

/// Which requests go through which proxy; by default none.
#[derive(Clone, Default)]
pub struct Proxies(Option<Arc<Rules>>);

struct Rules {
    http: Option<Url>,
    https: Option<Url>,
    matcher: Matcher,
}

impl Proxies {
    /// Those of `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, in lower or upper case. As for curl,
    /// lower case goes first, and an address without a scheme is one of `http://`.
    ///
    /// # Errors
    /// The variable that cannot be used, without its value.
    pub fn from_env(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, String> {
        let first = |lower: &'static str| {
            let upper = lower.to_ascii_uppercase();
            let named = |name: String| Some((env(&name).filter(|value| !value.trim().is_empty())?, name));
            named(lower.to_owned()).or_else(|| named(upper))
        };
        let proxy = |lower| match first(lower) {
            None => Ok(None),
            Some((value, name)) => {
                let value = if value.contains("://") { value } else { format!("http://{}", value.trim()) };
                parse(&value).map(Some).map_err(|error| format!("the environment's {name} {error}"))
            }
        };
        let (http, https) = (proxy("http_proxy")?, proxy("https_proxy")?);
        let (no_proxy, _) = first("no_proxy").unwrap_or_default();
        Ok(Self::new(http, https, no_proxy))
    }

    /// A channel's own proxy for all its requests where it has one; `none` stands for no proxy at
    /// all. Otherwise these.
    ///
    /// # Errors
    /// What is wrong with the address, without repeating it.
    pub fn or_own(&self, proxy_url: Option<&Secret>) -> Result<Self, InvalidProxy> {
        match proxy_url.map(|url| url.expose().trim()) {
            None => Ok(self.clone()),
            Some(NONE) => Ok(Self::default()),
            Some(url) => {
                let url = parse(url)?;
                Ok(Self::new(Some(url.clone()), Some(url), String::new()))
            }
        }
    }

    fn new(http: Option<Url>, https: Option<Url>, no_proxy: String) -> Self {
        // The library's `*` matches names and no addresses.
        if http.is_none() && https.is_none() || no_proxy.trim() == "*" {
            return Self::default();
        }
        let text = |url: &Option<Url>| url.as_ref().map_or_else(String::new, |url| url.as_str().to_owned());
        let matcher = Matcher::builder().http(text(&http)).https(text(&https)).no(no_proxy).build();
        Self(Some(Arc::new(Rules { http, https, matcher })))
    }

    /// Adds the passwords, and the header that they become, to what is struck out.
    pub(super) fn hide_in(&self, redactor: &mut Redactor) {
        let Some(rules) = &self.0 else { return };
        for (user, password) in [&rules.http, &rules.https].into_iter().flatten().filter_map(login) {
            redactor.add_login(&user, &password);
        }
    }

    /// Scheme, host and port of the proxy through which requests to `url` go.
    pub(super) fn origin_for(&self, url: &Url) -> Option<String> {
        Some(self.0.as_ref()?.proxy_for(url)?.origin().ascii_serialization())
    }

    /// The same rules for the client.
    pub(super) fn for_client(&self) -> Option<reqwest::Proxy> {
        let rules = Arc::clone(self.0.as_ref()?);
        Some(reqwest::Proxy::custom(move |url| rules.proxy_for(url).cloned()))
    }
}

impl Rules {
    fn proxy_for(&self, url: &Url) -> Option<&Url> {
        let origin = url.origin().ascii_serialization();
        self.matcher.intercept(&origin.parse().ok()?)?;
        if url.scheme() == "https" { self.https.as_ref() } else { self.http.as_ref() }
    }
}

/// User and password, decoded, as the proxy is sent them.
fn login(proxy: &Url) -> Option<(String, String)> {
    let intercept = Matcher::builder().all(proxy.as_str()).build().intercept(&"http://any".parse().ok()?)?;
    let encoded = intercept.basic_auth()?.to_str().ok()?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

fn parse(text: &str) -> Result<Url, InvalidProxy> {
    let url: Url = text.trim().parse().map_err(|_| InvalidProxy::NotAUrl)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(InvalidProxy::Scheme);
    }
    if !url.has_host() || !matches!(url.path(), "" | "/") || url.query().is_some() {
        return Err(InvalidProxy::NotAUrl);
    }
    Ok(url)
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = |url: &Url| url.origin().ascii_serialization();
        match &self.0 {
            None => f.write_str("Proxies(none)"),
            Some(rules) => {
                let (http, https) = (rules.http.as_ref().map(origin), rules.https.as_ref().map(origin));
                write!(f, "Proxies(http: {http:?}, https: {https:?})")
            }
        }
    }
}

/// Why an address cannot be that of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProxy {
    /// Not an absolute address, or more than one.
    #[error("is not the address of a proxy such as http://proxy.example:3128")]
    NotAUrl,
    /// Some other kind of proxy.
    #[error("must begin with http:// or https://: other kinds of proxies are not supported")]
    Scheme,
}
