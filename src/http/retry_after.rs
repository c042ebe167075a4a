//! How long a provider asks us to wait: `Retry-After` as seconds (whole or with a
//! fraction) or as an HTTP date (RFC 9110 section 10.2.3, all three forms); `retry_after` in
//! a JSON body as Slack and Discord send it; and where neither is there, the headers that
//! say when an exhausted limit is filled again: `X-RateLimit-Reset-After` in seconds
//! (Discord) and `X-RateLimit-Reset` as a moment (GitHub, Discord) or in seconds (Datadog).
//!
//! Promises: never an earlier moment than was asked for, up to [`CAP`]; what cannot be
//! understood is no hint at all; nothing panics.

use std::time::{Duration, UNIX_EPOCH};

use crate::domain::clock::Timestamp;

/// The longest wait taken from a hint. A longer one would let a broken or hostile
/// provider silence a channel; after it we ask again, which is what hints are for.
pub const CAP: Duration = Duration::from_secs(3600);

/// What an answer said about waiting.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints<'a> {
    /// The `Retry-After` header.
    pub retry_after: Option<&'a str>,
    /// The `Date` header: what the sender of a date believed the time to be.
    pub date: Option<&'a str>,
    /// The body, when it is JSON.
    pub body: Option<&'a serde_json::Value>,
    /// The `X-RateLimit-…` headers.
    pub limit: RateLimit<'a>,
    /// The status alone says that a limit is exhausted. Otherwise `remaining` has to say so:
    /// many providers send these headers with every answer.
    pub is_throttled: bool,
}

/// The headers by which a provider describes its rate limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct RateLimit<'a> {
    /// `X-RateLimit-Remaining`: how many more requests are allowed now.
    pub remaining: Option<&'a str>,
    /// `X-RateLimit-Reset-After`: seconds until it is filled again.
    pub reset_after: Option<&'a str>,
    /// `X-RateLimit-Reset`: the moment when it is filled again in seconds since 1970, or the
    /// seconds until then.
    pub reset: Option<&'a str>,
}

/// Seconds from here on are a moment, not a wait.
const EARLIEST_MOMENT: f64 = 100_000_000.0;

/// The wait asked for at `now`; the longer one when header and body differ.
pub fn wait(hints: Hints<'_>, now: Timestamp) -> Option<Duration> {
    // What the sender of a moment believed the time to be.
    let sent_at = hints.date.and_then(parse_http_date).unwrap_or(now);
    let until = |moment: Timestamp| (moment > sent_at).then(|| moment.since(sent_at));
    let header =
        hints.retry_after.and_then(|text| parse_seconds(text).or_else(|| until(parse_http_date(text)?)));
    let body = hints.body.and_then(|body| body.get("retry_after")).and_then(|value| match value {
        serde_json::Value::Number(number) => number.as_f64().and_then(seconds),
        serde_json::Value::String(text) => parse_seconds(text),
        _ => None,
    });
    let asked = header.max(body).or_else(|| {
        let is_exhausted = hints.is_throttled || hints.limit.remaining.is_some_and(|n| n.trim() == "0");
        if is_exhausted { hints.limit.wait(until) } else { None }
    });
    asked.map(|wait| wait.min(CAP))
}

impl RateLimit<'_> {
    fn wait(self, until: impl Fn(Timestamp) -> Option<Duration>) -> Option<Duration> {
        self.reset_after.and_then(parse_seconds).or_else(|| {
            let value = parse_number(self.reset?)?;
            if value < EARLIEST_MOMENT {
                return seconds(value);
            }
            // A double holds milliseconds of any moment a clock can show.
            until(Timestamp::from_millis((value * 1000.0).ceil() as i64))
        })
    }
}

fn parse_seconds(text: &str) -> Option<Duration> {
    parse_number(text).and_then(seconds)
}

fn parse_number(text: &str) -> Option<f64> {
    let text = text.trim();
    // `f64` also reads "inf", "NaN" and "1e9"; a header may hold digits and a point only.
    let is_number = text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    if !is_number {
        return None;
    }
    text.parse().ok()
}

/// Whole milliseconds, rounded up.
fn seconds(value: f64) -> Option<Duration> {
    if value.is_nan() || value < 0.0 {
        return None;
    }
    let millis = (value.min(CAP.as_secs_f64()) * 1000.0).ceil();
    Some(Duration::from_millis(millis as u64))
}

fn parse_http_date(text: &str) -> Option<Timestamp> {
    let since_1970 = httpdate::parse_http_date(text.trim()).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(i64::try_from(since_1970.as_millis()).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        Timestamp::parse_rfc3339("1994-11-06T08:49:07Z").unwrap()
    }

    fn header(text: &str) -> Option<Duration> {
        wait(Hints { retry_after: Some(text), ..Hints::default() }, now())
    }

    #[test]
    fn seconds_are_read_and_rounded_up() {
        assert_eq!(header("30"), Some(Duration::from_secs(30)));
        assert_eq!(header(" 0 "), Some(Duration::ZERO));
        assert_eq!(header("0.3001"), Some(Duration::from_millis(301)));
    }

    #[test]
    fn all_three_forms_of_an_http_date_are_read() {
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(header(text), Some(Duration::from_secs(30)), "{text}");
        }
    }

    #[test]
    fn a_date_counts_from_the_senders_own_clock() {
        let hints = Hints {
            retry_after: Some("Sun, 06 Nov 1994 08:49:37 GMT"),
            date: Some("Sun, 06 Nov 1994 08:47:37 GMT"),
            ..Hints::default()
        };

        assert_eq!(wait(hints, now()), Some(Duration::from_secs(120)));
    }

    fn limited(remaining: &str, reset_after: Option<&str>, reset: Option<&str>) -> Option<Duration> {
        let limit = RateLimit { remaining: Some(remaining), reset_after, reset };
        wait(Hints { limit, ..Hints::default() }, now())
    }

    #[test]
    fn an_exhausted_limit_says_when_it_is_filled_again() {
        // 784_111_747 is the moment of `now`.
        assert_eq!(limited("0", Some("0.6501"), None), Some(Duration::from_millis(651)));
        assert_eq!(limited("0", None, Some("784111807")), Some(Duration::from_secs(60)));
        assert_eq!(limited("0", None, Some("784111747.25")), Some(Duration::from_millis(250)));
        assert_eq!(limited("0", None, Some("12")), Some(Duration::from_secs(12)));
        assert_eq!(limited("0", Some("2"), Some("784111807")), Some(Duration::from_secs(2)));
        assert_eq!(limited("0", None, Some("784111746")), None, "it is filled already");
        assert_eq!(limited("0", None, Some("99999999999999999999")), Some(CAP));
    }

    #[test]
    fn a_limit_that_is_not_exhausted_is_no_hint_unless_the_status_says_so() {
        assert_eq!(limited("4", Some("2"), Some("784111807")), None);

        let limit = RateLimit { remaining: Some("4"), reset_after: Some("2"), reset: None };
        let throttled = Hints { limit, is_throttled: true, ..Hints::default() };
        assert_eq!(wait(throttled, now()), Some(Duration::from_secs(2)));
    }

    #[test]
    fn what_is_asked_for_in_words_goes_before_the_limit() {
        let limit = RateLimit { remaining: Some("0"), reset_after: None, reset: Some("784112747") };
        let hints = Hints { retry_after: Some("60"), limit, is_throttled: true, ..Hints::default() };
        assert_eq!(wait(hints, now()), Some(Duration::from_secs(60)));
    }

    #[test]
    fn discord_says_it_with_a_fraction_in_the_body() {
        let body = json!({"message": "You are being rate limited.", "retry_after": 64.57, "global": false});
        let hints = Hints { retry_after: Some("64"), body: Some(&body), ..Hints::default() };
        assert_eq!(wait(hints, now()), Some(Duration::from_millis(64_570)));
    }

    #[test]
    fn nonsense_is_no_hint() {
        for text in
            ["", "soon", "-1", "-0", "NaN", "inf", "1e9", "1.2.3", "0x10", "Sun, 06 Nov 1994 08:00:00 GMT"]
        {
            assert_eq!(header(text), None, "{text:?}");
        }
    }

    #[test]
    fn huge_hints_are_capped() {
        for text in ["3601", "99999999999999999999999999", "Sat, 06 Nov 2094 08:49:37 GMT"] {
            assert_eq!(header(text), Some(CAP), "{text:?}");
        }
    }

    #[test]
    fn the_body_may_ask_too_and_the_longer_wait_counts() {
        let ask = |body: serde_json::Value, header| {
            wait(Hints { retry_after: header, body: Some(&body), ..Hints::default() }, now())
        };

        assert_eq!(ask(json!({"retry_after": 1.5}), None), Some(Duration::from_millis(1500)));
        assert_eq!(ask(json!({"retry_after": "2"}), Some("1")), Some(Duration::from_secs(2)));
        assert_eq!(ask(json!({"retry_after": -3}), Some("1")), Some(Duration::from_secs(1)));
        assert_eq!(ask(json!({"retry_after": null}), None), None);
        assert_eq!(ask(json!([1]), None), None);
    }

    proptest! {
        #[test]
        fn no_text_panics_or_exceeds_the_cap(text in ".{0,40}", number in any::<f64>()) {
            let body = json!({"retry_after": number});
            let limit = RateLimit { remaining: Some("0"), reset_after: Some(&text), reset: Some(&text) };
            let hints = Hints {
                retry_after: Some(&text), date: Some(&text), body: Some(&body), limit, is_throttled: true,
            };
            prop_assert!(wait(hints, now()).is_none_or(|wait| wait <= CAP));
        }

        #[test]
        fn no_wait_is_shorter_than_asked(number in 0.0..3600.0_f64) {
            let text = format!("{number:.9}");
            prop_assert!(header(&text).unwrap().as_secs_f64() >= number - 1e-9);
        }
    }
}
