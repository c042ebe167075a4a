//! What was measured, as a table, as Markdown and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use super::machine::Machine;

/// One measured figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// The name it is run by, and what it is.
    pub name: String,
    /// What is measured, in words.
    pub what: String,
    /// `requests/s`, `ms` …
    pub unit: &'static str,
    /// The product's value.
    pub value: f64,
    /// What it should be.
    pub target: Target,
    /// The bare limit, of the same run.
    pub bare: Option<f64>,
    /// Further numbers: percentiles, counts.
    pub more: Vec<(String, f64)>,
    /// What limited it.
    pub limit: String,
    /// What limited the bare limit, where that was watched.
    pub bare_limit: String,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// More is better.
    AtLeast(f64),
    /// Less is better.
    AtMost(f64),
    /// Only told.
    None,
}

impl Figure {
    /// A figure without further numbers.
    pub fn new(name: &str, what: &str, unit: &'static str, value: f64, target: Target) -> Self {
        Self {
            name: name.to_owned(),
            what: what.to_owned(),
            unit,
            value,
            target,
            bare: None,
            more: Vec::new(),
            limit: String::new(),
            bare_limit: String::new(),
        }
    }

    /// With its bare limit.
    #[must_use]
    pub fn with_bare(mut self, bare: f64) -> Self {
        self.bare = Some(bare);
        self
    }

    /// With one more number.
    #[must_use]
    pub fn and(mut self, name: &str, value: impl Into<Option<f64>>) -> Self {
        self.more.extend(value.into().map(|value| (name.to_owned(), value)));
        self
    }

    /// With what limited it.
    #[must_use]
    pub fn limited_by(mut self, limit: String) -> Self {
        self.limit = limit;
        self
    }

    /// With what limited the bare limit.
    #[must_use]
    pub fn bare_limited_by(mut self, limit: String) -> Self {
        self.bare_limit = limit;
        self
    }

    /// The value in terms of the bare limit.
    pub fn ratio(&self) -> Option<f64> {
        self.bare.filter(|bare| *bare > 0.0).map(|bare| self.value / bare)
    }

    /// One of the further numbers.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.more.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Whether it is what it should be; nothing where it is only told.
    pub fn is_met(&self) -> Option<bool> {
        match self.target {
            Target::AtLeast(least) => Some(self.value >= least),
            Target::AtMost(most) => Some(self.value <= most),
            Target::None => None,
        }
    }

    /// Of what is to be much a share, of what is to be little how often it.
    fn ratio_in_words(&self, ratio: f64) -> String {
        match self.target {
            Target::AtMost(_) => format!("{} ×", number(ratio)),
            Target::AtLeast(_) | Target::None => format!("{:.0} %", ratio * 100.0),
        }
    }

    fn cells(&self) -> [String; 8] {
        let target = match self.target {
            Target::AtLeast(least) => format!("≥ {}", number(least)),
            Target::AtMost(most) => format!("≤ {}", number(most)),
            Target::None => String::new(),
        };
        let met = self.is_met().map_or("", |met| if met { "yes" } else { "NO" });
        let more: Vec<String> =
            self.more.iter().map(|(name, value)| format!("{name} {}", number(*value))).collect();
        [
            self.name.clone(),
            format!("{} {}", number(self.value), self.unit),
            target,
            met.to_owned(),
            self.bare.map(number).unwrap_or_default(),
            self.ratio().map(|ratio| self.ratio_in_words(ratio)).unwrap_or_default(),
            more.join(", "),
            self.limit.clone(),
        ]
    }
}

const COLUMNS: [&str; 8] = ["figure", "value", "target", "met", "bare limit", "of it", "more", "limited by"];

/// The table for people at a terminal.
pub fn table(figures: &[Figure]) -> String {
    let rows: Vec<[String; 8]> = figures.iter().map(Figure::cells).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([COLUMNS[column].chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    let mut out = String::new();
    for row in std::iter::once(&COLUMNS.map(str::to_owned)).chain(&rows) {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        let _ = writeln!(out, "{}", cells.join("  ").trim_end());
    }
    out
}

/// The table for the documentation, with the machine above it.
pub fn markdown(machine: &Machine, figures: &[Figure]) -> String {
    let mut out = format!("{}\n\n", machine.sentence());
    let _ = writeln!(out, "| {} |", COLUMNS.join(" | "));
    let _ = writeln!(out, "|{}", "---|".repeat(COLUMNS.len()));
    for figure in figures {
        let mut cells = figure.cells();
        cells[0] = format!("`{}`: {}", figure.name, figure.what);
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out
}

/// Everything, for programs.
///
/// # Errors
/// When a number cannot be written.
pub fn json(machine: &Machine, figures: &[Figure]) -> serde_json::Result<String> {
    let figures: Vec<serde_json::Value> = figures
        .iter()
        .map(|figure| {
            let mut value = serde_json::to_value(figure)?;
            value["ratio"] = serde_json::to_value(figure.ratio())?;
            value["met"] = serde_json::to_value(figure.is_met())?;
            value["more"] = more(&figure.more);
            Ok(value)
        })
        .collect::<serde_json::Result<_>>()?;
    serde_json::to_string_pretty(&serde_json::json!({"machine": machine, "figures": figures}))
}

fn more(numbers: &[(String, f64)]) -> serde_json::Value {
    numbers.iter().map(|(name, value)| (name.clone(), serde_json::json!(value))).collect()
}

/// As few digits as say enough.
fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 1_000.0 => {
            let digits = format!("{value:.0}");
            let mut out = String::new();
            for (at, digit) in digits.chars().enumerate() {
                if at > 0
                    && digit.is_ascii_digit()
                    && (digits.len() - at).is_multiple_of(3)
                    && !out.ends_with('-')
                {
                    out.push(',');
                }
                out.push(digit);
            }
            out
        }
        some if some >= 100.0 => format!("{value:.0}"),
        some if some >= 10.0 => format!("{value:.1}"),
        0.0 => "0".to_owned(),
        _ if value.fract() == 0.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_say_enough() {
        let cases = [
            (0.0, "0"),
            (0.123, "0.12"),
            (3.0, "3"),
            (12.34, "12.3"),
            (123.4, "123"),
            (1_234.5, "1,234"),
            (25_000_000.0, "25,000,000"),
        ];
        for (value, expected) in cases {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn a_figure_knows_its_ratio_and_whether_it_is_met() {
        let figure = Figure::new("a", "b", "ms", 30.0, Target::AtMost(20.0)).with_bare(60.0);

        assert_eq!((figure.ratio(), figure.is_met()), (Some(0.5), Some(false)));
        assert_eq!(Figure::new("a", "b", "/s", 30.0, Target::AtLeast(30.0)).is_met(), Some(true));
    }

    #[test]
    fn every_figure_is_in_the_table_with_what_limits_it() {
        let figure = Figure::new("accept", "b", "requests/s", 30_000.0, Target::AtLeast(25_000.0))
            .with_bare(40_000.0)
            .and("p99 ms", 3.21)
            .limited_by("one thread".to_owned());

        let text = table(&[figure]);

        for word in
            ["accept", "30,000 requests/s", "≥ 25,000", "yes", "40,000", "75 %", "p99 ms 3.21", "one thread"]
        {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
}
