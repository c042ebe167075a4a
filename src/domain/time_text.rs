//! Times as senders write them: RFC 3339, what Go, Python and shells print, and epoch numbers.
//! Pure; never panics. What names no zone is UTC.

use jiff::civil::DateTime;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::{Offset, TimeZone};

use super::clock::Timestamp;

/// The longest text that is looked at, in bytes: no time is longer.
const MAX_BYTES: usize = 128;
/// How many digits of a fraction are read: nanoseconds.
const FRACTION_DIGITS: usize = 9;
/// Smaller numbers are no epoch time (it would be before 1973), but perhaps a date.
const SMALLEST_EPOCH: f64 = 1e8;

/// What programs print that is neither RFC 3339 nor RFC 2822; `%z` is an offset.
const FORMATS: [&str; 5] = [
    "%a %b %e %H:%M:%S %Y",
    "%a %b %e %H:%M:%S UTC %Y",
    "%a %b %e %H:%M:%S GMT %Y",
    "%a %b %e %H:%M:%S %z %Y",
    "%A, %d-%b-%y %H:%M:%S GMT",
];

/// A date and a time without anything between them; with fewer digits it is an epoch number.
const COMPACT: &str = "%Y%m%d%H%M%S";
const COMPACT_BYTES: usize = 14;

/// Abbreviations that are no names of the time zone database, with their hours from UTC.
const ABBREVIATIONS: [(&str, i8); 18] = [
    ("UTC", 0),
    ("GMT", 0),
    ("UT", 0),
    ("Z", 0),
    ("WEST", 1),
    ("BST", 1),
    ("CET", 1),
    ("CEST", 2),
    ("EET", 2),
    ("EEST", 3),
    ("EST", -5),
    ("EDT", -4),
    ("CST", -6),
    ("CDT", -5),
    ("MST", -7),
    ("MDT", -6),
    ("PST", -8),
    ("PDT", -7),
];

/// The time that a text or a number names; `None` when it names none.
pub fn read_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_BYTES {
        return None;
    }
    read_formats(text).or_else(|| read_epoch(text)).or_else(|| read_date_and_time(text))
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by their size.
fn read_epoch(text: &str) -> Option<Timestamp> {
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    let per_milli = match number {
        _ if number == 0.0 => return Some(Timestamp::default()),
        _ if number < SMALLEST_EPOCH => return None,
        _ if number < 1e11 => return millis(number * 1e3),
        _ if number < 1e14 => 1,
        _ if number < 1e17 => 1_000,
        _ => 1_000_000,
    };
    // Exact where the number is whole: a float has too few digits for nanoseconds.
    match text.trim_start_matches('+').parse::<i64>() {
        Ok(whole) => Some(Timestamp::from_millis(whole / per_milli)),
        Err(_) => {
            #[expect(clippy::cast_precision_loss, reason = "one of three powers of ten")]
            let per_milli = per_milli as f64;
            millis(number / per_milli)
        }
    }
}

/// A number of milliseconds that may be too large for a time.
fn millis(number: f64) -> Option<Timestamp> {
    // So many milliseconds are beyond the year 9999.
    const TOO_MANY: f64 = 2.6e14;
    #[expect(clippy::cast_possible_truncation, reason = "checked just before")]
    (number.is_finite() && number.abs() < TOO_MANY).then(|| Timestamp::from_millis(number.round() as i64))
}

fn read_date_and_time(text: &str) -> Option<Timestamp> {
    let text = without_monotonic(text);
    let text = with_dashes(&with_short_fraction(text));
    read_iso(&text).or_else(|| read_with_zone_name(&text)).or_else(|| read_rfc2822(&text))
}

/// Date and time with an offset, a zone in brackets, or neither.
fn read_iso(text: &str) -> Option<Timestamp> {
    let with_offset = || text.parse::<jiff::Timestamp>().ok();
    let with_zone = || text.parse::<jiff::Zoned>().ok().map(|zoned| zoned.timestamp());
    let without = || at_offset(text.parse().ok()?, Offset::UTC);
    with_offset().or_else(with_zone).or_else(without).map(from_jiff)
}

/// As Go and `date` write it: the offset, the zone's name or both stand after a space.
fn read_with_zone_name(text: &str) -> Option<Timestamp> {
    let (before, zone) = text.rsplit_once(' ')?;
    let before = before.trim_end();
    if is_offset(zone) {
        // Go names a zone without a name by its offset: "+0300 +03".
        return read_iso(&format!("{before}{zone}")).or_else(|| read_with_offset(before));
    }
    read_with_offset(before).or_else(|| read_in_zone(before, zone))
}

fn read_with_offset(text: &str) -> Option<Timestamp> {
    let (before, offset) = text.rsplit_once(' ')?;
    is_offset(offset).then(|| read_iso(&format!("{}{offset}", before.trim_end())))?
}

fn read_in_zone(text: &str, zone: &str) -> Option<Timestamp> {
    let local: DateTime = text.parse().ok()?;
    let known = ABBREVIATIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(zone));
    let at = match known {
        Some((_, hours)) => at_offset(local, Offset::from_hours(*hours).ok()?)?,
        None => TimeZone::get(zone).ok()?.to_ambiguous_zoned(local).compatible().ok()?.timestamp(),
    };
    Some(from_jiff(at))
}

fn is_offset(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or("");
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b':')
}

fn read_rfc2822(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok().map(from_jiff)
}

fn read_formats(text: &str) -> Option<Timestamp> {
    let compact = Some(COMPACT).filter(|_| text.len() == COMPACT_BYTES);
    compact.into_iter().chain(FORMATS).find_map(|format| {
        let parsed = strtime::parse(format, text).ok()?;
        let offset = parsed.offset().unwrap_or(Offset::UTC);
        at_offset(parsed.to_datetime().ok()?, offset).map(from_jiff)
    })
}

fn at_offset(local: DateTime, offset: Offset) -> Option<jiff::Timestamp> {
    offset.to_timestamp(local).ok()
}

fn from_jiff(at: jiff::Timestamp) -> Timestamp {
    Timestamp::from_millis(at.as_millisecond())
}

/// Without the reading of the monotonic clock that Go's `time.String` appends.
fn without_monotonic(text: &str) -> &str {
    text.find(" m=").map_or(text, |at| text[..at].trim_end())
}

/// `2026/05/27` as `2026-05-27`.
fn with_dashes(text: &str) -> String {
    let is_date = text.len() >= 10 && text.is_char_boundary(10) && text[..10].matches('/').count() == 2;
    if is_date { format!("{}{}", text[..10].replace('/', "-"), &text[10..]) } else { text.to_owned() }
}

/// With no more digits of the seconds' fraction than can be read.
fn with_short_fraction(text: &str) -> String {
    let Some(point) = text.find(['.', ',']) else { return text.to_owned() };
    let after = &text[point + 1..];
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    if digits <= FRACTION_DIGITS {
        return text.to_owned();
    }
    format!("{}{}{}", &text[..=point], &after[..FRACTION_DIGITS], &after[digits..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> String {
        read_time(text).map_or_else(|| "none".to_owned(), Timestamp::to_rfc3339)
    }

    #[test]
    fn every_form_in_use_is_read() {
        let cases = [
            ("2026-05-27T15:36:00Z", "2026-05-27T15:36:00.000Z"),
            ("2026-05-27t15:36:00z", "2026-05-27T15:36:00.000Z"),
            ("2026-05-27T15:36:00.5+02:00", "2026-05-27T13:36:00.500Z"),
            ("2026-05-27T15:36:00+0200", "2026-05-27T13:36:00.000Z"),
            ("2026-05-27T15:36:00-07", "2026-05-27T22:36:00.000Z"),
            ("2026-05-27 15:36:00Z", "2026-05-27T15:36:00.000Z"),
            ("2026-05-27 15:36:00+02:00", "2026-05-27T13:36:00.000Z"),
            ("2026-05-27T15:36:00", "2026-05-27T15:36:00.000Z"),
            ("2026-05-27 15:36:00", "2026-05-27T15:36:00.000Z"),
            ("2026-05-27 15:36:00.125", "2026-05-27T15:36:00.125Z"),
            ("2026-05-27 15:36:00,125", "2026-05-27T15:36:00.125Z"),
            ("2026-05-27T15:36:00.123456789123Z", "2026-05-27T15:36:00.123Z"),
            ("2026-05-27T15:36", "2026-05-27T15:36:00.000Z"),
            ("2026-05-27T15:36Z", "2026-05-27T15:36:00.000Z"),
            ("2026-05-27", "2026-05-27T00:00:00.000Z"),
            ("2026/05/27 15:36:00", "2026-05-27T15:36:00.000Z"),
            ("20260527T153600Z", "2026-05-27T15:36:00.000Z"),
            ("20260527153600", "2026-05-27T15:36:00.000Z"),
            ("20260527", "2026-05-27T00:00:00.000Z"),
            ("  2026-05-27T15:36:00Z\n", "2026-05-27T15:36:00.000Z"),
            ("2026-05-27 15:36:00.11 +0000 UTC m=+8560", "2026-05-27T15:36:00.110Z"),
            ("2026-05-27 15:36:00.11 +0000 UTC m=+8560.123456789", "2026-05-27T15:36:00.110Z"),
            ("2026-05-27 15:36:00.110000001 +0200 CEST", "2026-05-27T13:36:00.110Z"),
            ("2026-05-27 15:36:00 +0530 +0530", "2026-05-27T10:06:00.000Z"),
            ("2026-05-27 15:36:00 +0300 +03 m=-0.5", "2026-05-27T12:36:00.000Z"),
            ("2026-05-27 15:36:00 +0000", "2026-05-27T15:36:00.000Z"),
            ("2026-05-27 15:36:00 UTC", "2026-05-27T15:36:00.000Z"),
            ("2026-05-27T15:36:00 GMT", "2026-05-27T15:36:00.000Z"),
            ("2026-05-27 15:36:00 CEST", "2026-05-27T13:36:00.000Z"),
            ("2026-05-27 15:36:00 PDT", "2026-05-27T22:36:00.000Z"),
            ("2026-05-27 15:36:00 Europe/Berlin", "2026-05-27T13:36:00.000Z"),
            ("2026-05-27T15:36:00[Europe/Berlin]", "2026-05-27T13:36:00.000Z"),
            ("2026-05-27T15:36:00+02:00[Europe/Berlin]", "2026-05-27T13:36:00.000Z"),
            ("Wed, 27 May 2026 15:36:00 GMT", "2026-05-27T15:36:00.000Z"),
            ("Wed, 27 May 2026 15:36:00 +0200", "2026-05-27T13:36:00.000Z"),
            ("27 May 2026 15:36:00 +0000", "2026-05-27T15:36:00.000Z"),
            ("Wed May 27 15:36:00 2026", "2026-05-27T15:36:00.000Z"),
            ("Wed May 27 15:36:00 UTC 2026", "2026-05-27T15:36:00.000Z"),
            ("Wed May 27 15:36:00 +0200 2026", "2026-05-27T13:36:00.000Z"),
            ("Wednesday, 27-May-26 15:36:00 GMT", "2026-05-27T15:36:00.000Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
            ("0001-01-01 00:00:00 +0000 UTC", "0001-01-01T00:00:00.000Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn the_size_of_a_number_tells_its_unit() {
        let cases = [
            ("1779896160", "2026-05-27T15:36:00.000Z"),
            ("1779896160.125", "2026-05-27T15:36:00.125Z"),
            ("1.77989616e9", "2026-05-27T15:36:00.000Z"),
            ("1779896160125", "2026-05-27T15:36:00.125Z"),
            ("1779896160125.7", "2026-05-27T15:36:00.126Z"),
            ("1779896160125999", "2026-05-27T15:36:00.125Z"),
            ("1779896160125999999", "2026-05-27T15:36:00.125Z"),
            ("1.779896160125e12", "2026-05-27T15:36:00.125Z"),
            ("0", "1970-01-01T00:00:00.000Z"),
            ("0.0", "1970-01-01T00:00:00.000Z"),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_names_no_time_is_none() {
        for text in [
            "",
            " ",
            "soon",
            "true",
            "-1",
            "12",
            "1e400",
            "1e-400x",
            "nan",
            "inf",
            "1e30",
            "null",
            "9999-12-31T23:59:59Z",
            "10000-01-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-05-27T25:00:00Z",
            "2026-05-27 15:36:00 XYZ",
            "{\"seconds\":1}",
            "05/27/2026",
            "- -",
            "+",
            ".",
            ",",
            " m=",
            "é/é/é/é/é/",
        ] {
            assert_eq!(read(text), "none", "{text:?}");
        }
        assert_eq!(read(&"1".repeat(MAX_BYTES + 1)), "none");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not_without_a_panic(text in "\\PC{0,40}", pieces in prop::collection::vec(
            prop::sample::select(vec![
                "2026", "-", "05", "27", "T", " ", "15", ":", "36", ".", "9", "+", "Z", "UTC", "m=", "Wed", ",", "May", "[", "]",
                "1779896160", "e", "/", "Europe", "é", "\u{2028}", "00",
            ]), 0..14,
        )) {
            let _ = read_time(&text);
            let _ = read_time(&pieces.concat());
        }

        #[test]
        fn any_time_is_read_back_from_what_programs_print(millis in 1_000_000_000_000_i64..4_000_000_000_000) {
            let at = Timestamp::from_millis(millis);
            let text = at.to_rfc3339();
            let (date, time) = text.trim_end_matches('Z').split_once('T').unwrap();
            prop_assert_eq!(read_time(&text), Some(at));
            prop_assert_eq!(read_time(&millis.to_string()), Some(at));
            prop_assert_eq!(read_time(&format!("{millis}000000")), Some(at));
            prop_assert_eq!(read_time(&format!("{date} {time} +0000 UTC m=+1.5")), Some(at));
            prop_assert_eq!(read_time(&format!("{date}T{time}")), Some(at));
        }
    }
}
