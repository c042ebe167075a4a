//! `ETag`, `If-Match` and `If-None-Match` (RFC 9110 section 13) over revisions.

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH};

use crate::catalog::service::Precondition;

/// The tag of a revision.
pub fn entity_tag(revision: i64) -> String {
    format!("\"{revision}\"")
}

/// What a change demands of what is stored.
pub fn precondition(req: &HttpRequest) -> Precondition {
    if let Some(tags) = header(req, IF_MATCH) {
        return if tags.trim() == "*" { Precondition::Exists } else { Precondition::OneOf(revisions(&tags)) };
    }
    match header(req, IF_NONE_MATCH) {
        Some(tags) if tags.trim() == "*" => Precondition::Absent,
        _ => Precondition::Anything,
    }
}

/// Whether the client says that it has this revision.
pub fn is_known(req: &HttpRequest, revision: i64) -> bool {
    header(req, IF_NONE_MATCH).is_some_and(|tags| tags.trim() == "*" || revisions(&tags).contains(&revision))
}

/// All lines of a header in one.
fn header(req: &HttpRequest, name: HeaderName) -> Option<String> {
    let lines: Vec<&str> = req.headers().get_all(name).filter_map(|value| value.to_str().ok()).collect();
    (!lines.is_empty()).then(|| lines.join(","))
}

/// The revisions in a list of tags; a tag that is none of ours matches nothing. Weak tags
/// count: proxies that compress weaken them, and a revision names one state exactly.
fn revisions(tags: &str) -> Vec<i64> {
    tags.split(',')
        .map(str::trim)
        .map(|tag| tag.strip_prefix("W/").unwrap_or(tag))
        .filter_map(|tag| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn with(headers: &[(&str, &str)]) -> HttpRequest {
        let request = TestRequest::default();
        headers.iter().fold(request, |request, header| request.append_header(*header)).to_http_request()
    }

    #[test]
    fn headers_become_preconditions() {
        let cases: [(&[(&str, &str)], Precondition); 8] = [
            (&[], Precondition::Anything),
            (&[("If-Match", "*")], Precondition::Exists),
            (&[("If-Match", "\"17\"")], Precondition::OneOf(vec![17])),
            (&[("If-Match", "\"x\", W/\"3\""), ("If-Match", "\"4\"")], Precondition::OneOf(vec![3, 4])),
            (&[("If-Match", "17")], Precondition::OneOf(vec![])),
            (&[("If-None-Match", "*")], Precondition::Absent),
            (&[("If-None-Match", "\"17\"")], Precondition::Anything),
            (&[("If-Match", "\"1\""), ("If-None-Match", "*")], Precondition::OneOf(vec![1])),
        ];
        for (headers, expected) in cases {
            assert_eq!(precondition(&with(headers)), expected, "{headers:?}");
        }
    }

    #[test]
    fn a_client_may_say_what_it_has() {
        assert!(is_known(&with(&[("If-None-Match", "\"3\", \"17\"")]), 17));
        assert!(!is_known(&with(&[("If-None-Match", "\"3\"")]), 17));
        assert!(!is_known(&with(&[]), 17));
    }
}
