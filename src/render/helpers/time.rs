//! Moments, lengths of time, and links that show the right hour.

use handlebars::JsonValue;
use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::Args;
use super::numbers::significant;

/// `{{date moment "%d %b %H:%M" "Europe/Berlin"}}`: a moment (milliseconds since 1970 or
/// RFC 3339) in the notation of `strftime`, in an IANA time zone; UTC and
/// `2026-08-20 10:34 UTC` when not told otherwise.
pub(super) fn date(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let format = args.text_or(1, "%Y-%m-%d %H:%M %Z")?;
    let zone_name = args.text_or(2, "UTC")?;
    let zone = TimeZone::get(&zone_name).map_err(|_| {
        format!("argument 3: there is no time zone {zone_name:?}; write one such as Europe/Berlin")
    })?;
    let Some(moment) = moment(args)? else { return Ok("".into()) };
    strtime::format(&format, &moment.to_zoned(zone))
        .map(JsonValue::from)
        .map_err(|error| format!("argument 2: {format:?} is not a format of strftime: {error}"))
}

/// `{{humanize_duration seconds}}`: `2h 3m 4s`, `412ms`.
pub(super) fn humanize_duration(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    Ok(args.number(0)?.text("", lasting))
}

fn lasting(seconds: f64) -> String {
    let sign = if seconds < 0.0 { "-" } else { "" };
    let seconds = seconds.abs();
    let text = if seconds == 0.0 {
        "0s".to_owned()
    } else if seconds < 1e-3 {
        format!("{}µs", significant(seconds * 1e6))
    } else if seconds < 1.0 {
        format!("{}ms", significant(seconds * 1e3))
    } else if seconds < 60.0 {
        format!("{}s", significant(seconds))
    } else {
        long_duration(seconds as u64)
    };
    format!("{sign}{text}")
}

/// `{{window_link url}}`: the URL with `from` and `to` (milliseconds, as Grafana wants
/// them) of the message's window.
pub(super) fn window_link(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let url = args.text(0)?;
    let edge = |pointer| args.of_message(pointer).and_then(JsonValue::as_i64);
    let (Some(from), Some(to)) = (edge("/window/from_ms"), edge("/window/to_ms")) else {
        return Err("there is no window here".to_owned());
    };
    let (base, fragment) =
        url.split_once('#').map_or((url.as_str(), None), |(base, rest)| (base, Some(rest)));
    let separator = match base.chars().last() {
        _ if !base.contains('?') => "?",
        Some('?' | '&') => "",
        _ => "&",
    };
    let fragment = fragment.map(|rest| format!("#{rest}")).unwrap_or_default();
    Ok(format!("{base}{separator}from={from}&to={to}{fragment}").into())
}

/// `None` for an empty text: a moment that has not come.
fn moment(args: &Args<'_, '_>) -> Result<Option<Timestamp>, String> {
    let wrong = || "argument 1 must be milliseconds since 1970 or an RFC 3339 time".to_owned();
    match args.value(0)? {
        JsonValue::Number(millis) => {
            let millis = millis.as_i64().ok_or_else(wrong)?;
            Timestamp::from_millisecond(millis).map(Some).map_err(|_| wrong())
        }
        JsonValue::String(text) if text.is_empty() => Ok(None),
        JsonValue::String(text) => match text.parse::<i64>() {
            Ok(millis) => Timestamp::from_millisecond(millis).map(Some).map_err(|_| wrong()),
            Err(_) => text.parse::<Timestamp>().map(Some).map_err(|_| wrong()),
        },
        _ => Err(wrong()),
    }
}

fn long_duration(seconds: u64) -> String {
    let parts =
        [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let first = parts.iter().position(|(count, _)| *count > 0).unwrap_or(parts.len() - 1);
    let shown = parts[first..].iter().map(|(count, unit)| format!("{count}{unit}"));
    shown.collect::<Vec<_>>().join(" ")
}
