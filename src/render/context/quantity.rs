//! Numbers with units, as annotations write them, in a form that can be compared.

/// Units of time, in seconds.
const DURATIONS: [(&str, f64); 12] = [
    ("ns", 1e-9),
    ("us", 1e-6),
    ("µs", 1e-6),
    ("μs", 1e-6),
    ("ms", 1e-3),
    ("s", 1.0),
    ("sec", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("h", 3_600.0),
    ("d", 86_400.0),
    ("w", 604_800.0),
];
/// What stands before a unit and multiplies it: Prometheus' `humanize` and `humanize1024`.
const MULTIPLES: [(&str, f64); 12] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("ki", 1024.0),
    ("k", 1e3),
    ("K", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// The number, and the unit it counts: `2.1s` and `2100 ms` are 2.1 seconds, `1.2k` is 1200 of
/// nothing, `1m 30s` is 90 seconds. `None` when the text does not begin with a number.
pub(super) fn read(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let (number, unit, rest) = first(text)?;
    if let Some(seconds) = duration(unit) {
        let mut total = number * seconds;
        let mut rest = rest;
        while !rest.is_empty() {
            let (number, unit, behind) = first(rest)?;
            total += number * duration(unit)?;
            rest = behind;
        }
        return Some((total, "s"));
    }
    let multiple = MULTIPLES.iter().find_map(|(name, factor)| Some((unit.strip_prefix(name)?, factor)));
    match multiple {
        Some((base, factor)) if rest.is_empty() && base.len() <= 1 => Some((number * factor, base)),
        _ => Some((number, text.trim_start_matches(is_of_number).trim_start())),
    }
}

/// The first number of a text, its unit, and what stands behind them.
fn first(text: &str) -> Option<(f64, &str, &str)> {
    let end = text.find(|c: char| !is_of_number(c)).unwrap_or(text.len());
    let (number, behind) = text.split_at(end);
    let behind = behind.trim_start();
    let end = behind.find(|c: char| c.is_ascii_digit() || c.is_whitespace()).unwrap_or(behind.len());
    let (unit, rest) = behind.split_at(end);
    Some((number.parse().ok()?, unit, rest.trim_start()))
}

fn is_of_number(c: char) -> bool {
    c.is_ascii_digit() || ".+-".contains(c)
}

fn duration(unit: &str) -> Option<f64> {
    DURATIONS.iter().find(|(name, _)| *name == unit).map(|(_, seconds)| *seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_one_kind_are_one_unit() {
        for (text, number, unit) in [
            ("412 ms", 0.412, "s"),
            ("2.1s", 2.1, "s"),
            ("1m 30s", 90.0, "s"),
            ("1d 2h 3m 4s", 93_784.0, "s"),
            ("-80", -80.0, ""),
            ("97%", 97.0, "%"),
            ("1.2k", 1_200.0, ""),
            ("3.4M", 3_400_000.0, ""),
            ("2GiB", 2_147_483_648.0, "B"),
            ("5 MB", 5e6, "B"),
            ("3 requests", 3.0, "requests"),
            ("3 Megatons", 3.0, "Megatons"),
            ("7 of 9", 7.0, "of 9"),
        ] {
            let (found, of) = read(text).unwrap();
            assert!((found - number).abs() < 1e-9 && of == unit, "{text}: {found} {of}");
        }
        for text in ["", "a lot", "NaN", "--"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
