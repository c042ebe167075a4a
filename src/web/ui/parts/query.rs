//! Addresses of pages: the one that is shown, with something changed.

use actix_web::web;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::de::DeserializeOwned;

pub use crate::web::api::query::NONE;
use crate::web::problem::Problem;

/// A path with its query.
#[derive(Clone, Debug)]
pub struct Address {
    path: String,
    pairs: Vec<(String, String)>,
}

impl Address {
    /// Of a path and query as requests have them.
    pub fn of(here: &str) -> Self {
        let (path, query) = here.split_once('?').unwrap_or((here, ""));
        let pairs = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { path: path.to_owned(), pairs }
    }

    /// Without a query.
    pub fn to(path: impl Into<String>) -> Self {
        Self { path: path.into(), pairs: Vec::new() }
    }

    /// With `key` set to `value`.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self = self.without(key);
        self.pairs.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Without `key`.
    pub fn without(mut self, key: &str) -> Self {
        self.pairs.retain(|(other, _)| other != key);
        self
    }

    /// The same query elsewhere.
    pub fn at(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// What `key` is set to; nothing where it is empty.
    pub fn get(&self, key: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(other, _)| other == key)?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    }

    /// As a link has it.
    pub fn href(&self) -> String {
        let given: Vec<_> = self.pairs.iter().filter(|(_, value)| !value.is_empty()).collect();
        if given.is_empty() {
            return self.path.clone();
        }
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
        format!("{}?{query}", self.path)
    }
}

/// Parameters of pages that no list knows.
const OF_PAGES: [&str; 1] = ["done"];

/// Parameters that are moments.
const MOMENTS: [&str; 2] = ["since", "until"];

/// Whether it is a moment of some clock on a wall, without a zone, as browsers send it.
pub fn is_local(text: &str) -> bool {
    text.parse::<DateTime>().is_ok() && text.parse::<jiff::Timestamp>().is_err()
}

/// The parameters of a list, as its API reads them; moments without a zone are in `zone`.
///
/// # Errors
/// 422 for what the list does not know.
pub fn asked<T: DeserializeOwned>(here: &Address, zone: &TimeZone) -> Result<T, Problem> {
    let given =
        here.pairs.iter().filter(|(key, value)| !value.is_empty() && !OF_PAGES.contains(&key.as_str()));
    let meant = given.map(|(key, value)| match value.as_str() {
        moment if MOMENTS.contains(&key.as_str()) => (key, with_zone(moment, zone)),
        text => (key, text.to_owned()),
    });
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(meant).finish();
    web::Query::from_query(&query).map(web::Query::into_inner).map_err(|error| Problem::from(&error))
}

fn with_zone(moment: &str, zone: &TimeZone) -> String {
    let local = moment.parse::<DateTime>().ok().filter(|_| is_local(moment));
    let at = local.and_then(|local| local.to_zoned(zone.clone()).ok());
    at.map_or_else(|| moment.to_owned(), |at| at.timestamp().to_string())
}

/// A text as one segment of a path.
pub fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_without_a_zone_is_the_viewers() {
        let zone = TimeZone::get("Asia/Tokyo").unwrap();

        assert_eq!(with_zone("2026-08-20T10:00", &zone), "2026-08-20T01:00:00Z");
        assert_eq!(with_zone("2026-08-20T10:00:00Z", &zone), "2026-08-20T10:00:00Z");
        assert_eq!(with_zone("2026-08-20T10:00:00+02:00", &zone), "2026-08-20T10:00:00+02:00");
        assert_eq!(with_zone("yesterday", &zone), "yesterday");
    }

    #[test]
    fn an_address_keeps_what_is_not_changed() {
        let here = Address::of("/incidents?state=open&q=a%20%26b&cursor=x&entry=");

        assert_eq!(
            here.clone().without("cursor").with("state", "resolved").href(),
            "/incidents?q=a+%26b&state=resolved"
        );
        assert_eq!(here.get("q"), Some("a &b"));
        assert_eq!(here.get("entry"), None);
        assert_eq!(Address::of("/incidents?cursor=x").without("cursor").href(), "/incidents");
        assert_eq!(segment("a/b c?d"), "a%2Fb%20c%3Fd");
    }
}
