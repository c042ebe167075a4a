//! Paging by keyset: a page is what comes after the last item seen, so that it stays
//! right while rows are added, and the thousandth page costs what the first does.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::problem::Problem;
use crate::catalog::faults::FieldError;
use crate::store::log::{PageKey, Slice};

/// How many items a page has when the client does not say.
pub const DEFAULT_LIMIT: u32 = 50;
/// How many items a page may have.
pub const MAX_LIMIT: u32 = 500;
/// Raised when the meaning of a cursor changes: older ones are then refused, not misread.
const CURSOR_VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 6;

/// One page of a list.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// Give it as `cursor` to get the next page; null on the last. A page may hold fewer
    /// items than asked for although more follow: only null is the end.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The page of `list` that a slice of the log is.
    pub fn from_slice(list: &str, slice: Slice<T>) -> Self {
        Self { items: slice.items, next_cursor: slice.next.map(|key| encode(list, &key)) }
    }
}

/// Which page is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// How many items, 1 to [`MAX_LIMIT`].
    pub limit: u32,
    /// The sort key of the last item seen.
    pub after: Option<String>,
}

impl PageRequest {
    /// Reads the parameters `limit` and `cursor` of the list named `list` (a cursor of
    /// another list is refused).
    ///
    /// # Errors
    /// 422 for a limit out of range, 400 for a cursor that this server did not make.
    pub fn parse(list: &str, limit: Option<&str>, cursor: Option<&str>) -> Result<Self, Problem> {
        let given = |text: &&str| !text.is_empty();
        let limit = match limit.filter(given) {
            None => DEFAULT_LIMIT,
            Some(text) => parse_limit(text)?,
        };
        let after = cursor.filter(given).map(|cursor| decode(list, cursor)).transpose()?;
        Ok(Self { limit, after })
    }
}

impl From<PageRequest> for PageKey {
    fn from(page: PageRequest) -> Self {
        Self { limit: page.limit, before: page.after }
    }
}

fn parse_limit(text: &str) -> Result<u32, Problem> {
    text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(|| {
        let message = format!("must be a whole number from 1 to {MAX_LIMIT}");
        Problem::validation(vec![FieldError::new("limit", message)])
    })
}

/// The cursor that leads to what comes after `key` in `list`.
pub fn encode(list: &str, key: &str) -> String {
    let mut bytes = vec![CURSOR_VERSION];
    bytes.extend_from_slice(&checksum(list, key));
    bytes.extend_from_slice(key.as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The sort key in a cursor of `list`.
///
/// # Errors
/// 400 when the cursor was not made for this list by this version.
pub fn decode(list: &str, cursor: &str) -> Result<String, Problem> {
    try_decode(list, cursor).ok_or_else(|| {
        Problem::bad_request(
            "the cursor does not belong to this list: use next_cursor of its last response unchanged",
        )
    })
}

fn try_decode(list: &str, cursor: &str) -> Option<String> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (version, rest) = bytes.split_first()?;
    let (sum, key) = rest.split_at_checked(CHECKSUM_BYTES)?;
    let key = std::str::from_utf8(key).ok()?;
    (*version == CURSOR_VERSION && sum == checksum(list, key)).then(|| key.to_owned())
}

/// Guards against cursors cut, mixed up or edited by mistake. It is no secret: a cursor
/// gives nothing away that the list itself does not.
fn checksum(list: &str, key: &str) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::new().chain_update(list).chain_update([0]).chain_update(key).finalize();
    std::array::from_fn(|n| digest[n])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::problem::Kind;

    #[test]
    fn a_cursor_leads_back_to_its_key() {
        for key in ["01990c1e-7c53-7d1c-8000-000000000000", "", "ключ'; --"] {
            assert_eq!(decode("events", &encode("events", key)).unwrap(), key);
        }
    }

    #[test]
    fn an_edited_cut_or_foreign_cursor_is_refused() {
        let cursor = encode("events", "01990c1e-7c53-7d1c-8000-000000000000");

        for position in 0..cursor.len() {
            let mut edited = cursor.clone().into_bytes();
            edited[position] = if edited[position] == b'A' { b'B' } else { b'A' };
            let edited = String::from_utf8(edited).unwrap();
            assert!(decode("events", &edited).is_err(), "{edited}");
            assert!(decode("events", &cursor[..position]).is_err());
        }
        assert_eq!(decode("incidents", &cursor).unwrap_err().kind(), Kind::BadRequest);
        assert!(decode("events", "' OR 1=1 --").is_err());
        assert!(decode("events", &"A".repeat(100_000)).is_err());
    }

    #[test]
    fn limits_outside_the_range_are_refused() {
        assert_eq!(PageRequest::parse("events", None, None).unwrap().limit, DEFAULT_LIMIT);
        assert_eq!(PageRequest::parse("events", Some(""), Some("")).unwrap().limit, DEFAULT_LIMIT);
        assert_eq!(PageRequest::parse("events", Some("500"), None).unwrap().limit, MAX_LIMIT);
        for limit in ["0", "501", "-1", "1e2", "99999999999999999999"] {
            let problem = PageRequest::parse("events", Some(limit), None).unwrap_err();
            assert_eq!(problem.kind(), Kind::Validation, "{limit}");
        }
    }
}
