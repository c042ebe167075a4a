//! How the story is told: quiet lines of at most 100 columns, a colour for each channel
//! where the reader's terminal has colours.

use std::borrow::Cow;
use std::io::{self, Write};

use textwrap::{Options, WordSplitter};

use super::marks::{self, Ink};
use super::readers::Sight;
use super::story::{MAIL, PAGERDUTY, SLACK, Step, WEBHOOK};

/// What stands before a message's text.
const MARGIN: &str = "     ";
/// How much room that and the bar leave, in columns.
const ROOM: usize = 92;

/// Tells the story to `out`.
pub struct Narrator<'o> {
    out: &'o mut dyn Write,
    ink: Ink,
}

impl<'o> Narrator<'o> {
    /// A narrator that uses this ink.
    pub fn new(out: &'o mut dyn Write, ink: Ink) -> Self {
        Self { out, ink }
    }

    /// The words before the first step.
    ///
    /// # Errors
    /// When the reader is gone.
    pub fn open(&mut self, base: &str, entries: usize) -> io::Result<()> {
        let title = self.ink.bold("Modelpager demo");
        writeln!(self.out, "\n {title}")?;
        writeln!(self.out, " The real service at {base}, with an empty database in a temporary folder,")?;
        writeln!(
            self.out,
            " {entries} catalog entries created over its REST API, and loopback stand-ins for"
        )?;
        let channels = [(SLACK, "Slack"), (PAGERDUTY, "PagerDuty"), (MAIL, "e-mail"), (WEBHOOK, "a webhook")];
        let names: Vec<String> =
            channels.iter().map(|(name, provider)| self.ink.coloured(colour(name), provider)).collect();
        writeln!(self.out, " {} and {}. Nothing leaves this machine.", names[..3].join(", "), names[3])?;
        writeln!(self.out, "\n {} {base}", self.ink.bold("Watch it live at"))?;
        self.out.flush()
    }

    /// A step's head.
    ///
    /// # Errors
    /// When the reader is gone.
    pub fn begin(&mut self, number: usize, step: &Step) -> io::Result<()> {
        let title = self.ink.bold(step.title);
        writeln!(self.out, "\n {number:>2}  {title}")?;
        for line in wrap(step.tells, ROOM) {
            writeln!(self.out, "{MARGIN}{line}")?;
        }
        writeln!(self.out)?;
        self.out.flush()
    }

    /// What a reader sees.
    ///
    /// # Errors
    /// When the reader is gone.
    pub fn show(&mut self, sight: &Sight) -> io::Result<()> {
        let colour = colour(sight.channel);
        let tag = self.ink.coloured(colour, &format!("{} {}", sight.provider, sight.channel));
        writeln!(self.out, "{MARGIN}{tag} · {}", sight.what)?;
        let bar = self.ink.coloured(colour, "│");
        for line in sight.text.iter().flat_map(|line| wrap(&marks::read(line, self.ink), ROOM)) {
            writeln!(self.out, "{}", format!("{MARGIN}{bar} {line}").trim_end())?;
        }
        self.out.flush()
    }

    /// Room between messages of several lines.
    ///
    /// # Errors
    /// When the reader is gone.
    pub fn breathe(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    /// A remark between messages.
    ///
    /// # Errors
    /// When the reader is gone.
    pub fn remark(&mut self, text: &str) -> io::Result<()> {
        for line in wrap(text, ROOM) {
            writeln!(self.out, "{MARGIN}{}", self.ink.faint(&line))?;
        }
        self.out.flush()
    }

    /// The verdict on the whole.
    ///
    /// # Errors
    /// When the reader is gone.
    pub fn judge(&mut self, delivered: usize, expected: usize, missing: &[String]) -> io::Result<()> {
        let count = format!("{delivered} of {expected} expected messages delivered");
        if missing.is_empty() {
            let tick = self.ink.coloured("32", "✓");
            writeln!(self.out, "\n {tick}  {count}; the receivers agree with the delivery log.")?;
        } else {
            let cross = self.ink.coloured("31", "✗");
            writeln!(self.out, "\n {cross}  {count}. What is amiss:")?;
            for line in missing.iter().flat_map(|line| wrap(line, ROOM - 2)) {
                writeln!(self.out, "{MARGIN}- {line}")?;
            }
        }
        self.out.flush()
    }

    /// Where to look next.
    ///
    /// # Errors
    /// When the reader is gone.
    pub fn point_on(&mut self, base: &str) -> io::Result<()> {
        writeln!(self.out, "\n {} {base} until you press Ctrl-C.\n", self.ink.bold("It goes on at"))?;
        let places = [
            ("overview", "/"),
            ("incidents", "/incidents"),
            ("delivery log", "/notifications"),
            ("catalog", "/catalog"),
            ("the API to browse", "/docs"),
            ("metrics", "/metrics"),
        ];
        for (name, path) in places {
            writeln!(self.out, "{MARGIN}{name:<18} {base}{path}")?;
        }
        writeln!(self.out, "\n {}\n", self.ink.bold("Try"))?;
        let lines = [
            format!("curl -s '{base}/api/v1/notifications?channel={SLACK}&limit=3'"),
            format!("curl -s '{base}/api/v1/notifications?format=csv'"),
            format!("curl -s {base}/api/v1/catalog/fraud-detector"),
            format!("curl -s -X POST {base}/api/v1/channels/{MAIL}/test"),
        ];
        for line in lines {
            writeln!(self.out, "{MARGIN}{}", self.ink.faint(&line))?;
        }
        writeln!(self.out, "\n {}\n", self.ink.bold("Then point an Alertmanager at it"))?;
        let line = format!("webhook_configs: [{{url: \"{base}/webhooks/alertmanager\"}}]");
        writeln!(self.out, "{MARGIN}{}", self.ink.faint(&line))?;
        self.out.flush()
    }
}

/// Lines of at most `room` columns with the indent of the first.
fn wrap(text: &str, room: usize) -> Vec<String> {
    let indent = &text[..text.len() - text.trim_start_matches(' ').len()];
    let options = Options::new(room).subsequent_indent(indent).word_splitter(WordSplitter::NoHyphenation);
    textwrap::wrap(text, options).into_iter().map(Cow::into_owned).collect()
}

/// The terminal's colour of a channel.
fn colour(channel: &str) -> &'static str {
    match channel {
        SLACK => "35",
        PAGERDUTY => "32",
        MAIL => "33",
        WEBHOOK => "36",
        _ => "0",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_keep_their_indent() {
        assert_eq!(wrap("  one two three", 8), ["  one", "  two", "  three"]);
        assert_eq!(wrap("", 8), [""]);
        assert_eq!(wrap("see https://example.org/x", 10), ["see", "https://ex", "ample.org/", "x"]);
        assert_eq!(wrap("🔴🔴🔴🔴 \u{1b}[1mx\u{1b}[0m", 8), ["🔴🔴🔴🔴", "\u{1b}[1mx\u{1b}[0m"]);
    }
}
