//! Numbers for people.

use handlebars::JsonValue;

use super::Args;
use super::args::Number;

/// `{{fixed number 2}}`: with exactly so many decimals.
pub(super) fn fixed(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let decimals = if args.count() > 1 { args.count_of(1)?.min(17) } else { 2 };
    Ok(args.number(0)?.text("", |number| format!("{number:.decimals$}")))
}

/// `{{humanize_number number}}`: four significant digits and a metric prefix: `1.234M`.
pub(super) fn humanize_number(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    Ok(args.number(0)?.text("", with_prefix))
}

/// `{{humanize_percentage ratio}}`: 0.1234 becomes `12.34%`.
pub(super) fn humanize_percentage(args: &Args<'_, '_>) -> Result<JsonValue, String> {
    let percents = match args.number(0)? {
        // It may grow beyond what is finite.
        Number::Finite(ratio) => Number::of(ratio * 100.0),
        other => other,
    };
    Ok(percents.text("%", significant))
}

fn with_prefix(mut number: f64) -> String {
    const LARGE: [&str; 9] = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"];
    const SMALL: [&str; 9] = ["", "m", "µ", "n", "p", "f", "a", "z", "y"];
    let prefixes = if number.abs() >= 1.0 { LARGE } else { SMALL };
    let factor = if number.abs() >= 1.0 { 1e-3 } else { 1e3 };
    let mut prefix = 0;
    let is_between = |n: f64| n == 0.0 || (1.0..1000.0).contains(&n.abs());
    while !is_between(number) && prefix + 1 < prefixes.len() {
        number *= factor;
        prefix += 1;
    }
    format!("{}{}", significant(number), prefixes[prefix])
}

/// Four significant digits, without zeros at the end.
pub(super) fn significant(number: f64) -> String {
    let magnitude = if number == 0.0 { 0 } else { number.abs().log10().floor() as i32 };
    let decimals = usize::try_from((3 - magnitude).clamp(0, 12)).unwrap_or(0);
    let text = format!("{number:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
