//! Emphasis on a terminal: Slack's marks read as Slack's readers see them, and colours
//! only where they are wanted.

/// Whether colours may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// The reader's terminal shows them.
    Coloured,
    /// A file, a pipe, or a reader who set `NO_COLOR`.
    Plain,
}

impl Ink {
    /// Text that stands out.
    pub fn bold(self, text: &str) -> String {
        self.coloured("1", text)
    }

    /// Text that stands back.
    pub fn faint(self, text: &str) -> String {
        self.coloured("2", text)
    }

    /// Text with a select-graphic-rendition code.
    pub fn coloured(self, code: &str, text: &str) -> String {
        match self {
            Self::Coloured => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Self::Plain => text.to_owned(),
        }
    }
}

/// Reads `*bold*` and `_leaning_` in a line of Slack's mrkdwn, and its one emoji by name.
pub fn read(line: &str, ink: Ink) -> String {
    let line = line.replace(":information_source:", "ℹ");
    let line = emphasise(&line, '*', "1", ink);
    emphasise(&line, '_', "3", ink)
}

/// A mark opens before a word and closes behind one; any other is a character.
fn emphasise(line: &str, mark: char, code: &str, ink: Ink) -> String {
    let mut read = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(open) = rest.find(mark) {
        let (before, inside) = (&rest[..open], &rest[open + 1..]);
        let opens = before.is_empty() || before.ends_with([' ', '(']);
        let close = inside.find(mark).filter(|close| {
            let after = inside[close + 1..].chars().next();
            opens && *close > 0 && after.is_none_or(|next| !next.is_alphanumeric())
        });
        read.push_str(before);
        match close {
            Some(close) => {
                read.push_str(&ink.coloured(code, &inside[..close]));
                rest = &inside[close + 1..];
            }
            None => {
                read.push(mark);
                rest = inside;
            }
        }
    }
    read + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_and_characters_stay() {
        let plain = |line: &str| read(line, Ink::Plain);

        assert_eq!(plain("*Owner:* Priya (team payments-ml)"), "Owner: Priya (team payments-ml)");
        assert_eq!(plain(":information_source: _no entry_"), "ℹ no entry");
        assert_eq!(plain("days_since_login is 2 * 3"), "days_since_login is 2 * 3");
        assert_eq!(plain("a_b and _c"), "a_b and _c");
    }

    #[test]
    fn colours_are_used_only_where_wanted() {
        assert_eq!(read("*x*", Ink::Coloured), "\u{1b}[1mx\u{1b}[0m");
        assert_eq!(Ink::Plain.coloured("35", "x"), "x");
    }
}
