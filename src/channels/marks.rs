//! Reading text with marks, as chat programs show it: `*bold*`, `_italics_`, links. What is not
//! known of a markup is shown as it is written.

use super::block::Span;

/// What a pair of signs makes of the text between them.
#[derive(Clone, Copy, Debug)]
pub enum Mark {
    /// Bold.
    Strong,
    /// Italics.
    Emphasis,
    /// Code, in which no other sign means anything.
    Code,
}

/// How a provider writes marks.
pub struct Syntax {
    /// The signs; of two that begin alike the longer one first.
    pub marks: &'static [(&'static str, Mark)],
    /// A link at the beginning of a text: its label, its address, and how long it is.
    pub link: fn(&str) -> Option<(&str, &str, usize)>,
    /// After this sign the next one means itself.
    pub escape: Option<char>,
    /// Text as its reader sees it.
    pub unescape: fn(&str) -> String,
}

impl Syntax {
    /// The spans of a text. Marks and links do not go beyond a line.
    pub fn read(&self, text: &str) -> Vec<Span> {
        let mut spans = Vec::new();
        for (n, line) in text.lines().enumerate() {
            if n > 0 {
                push_text(&mut spans, "\n");
            }
            self.read_line(line, &mut spans);
        }
        spans
    }

    fn read_line(&self, line: &str, spans: &mut Vec<Span>) {
        let mut rest = line;
        while let Some((before, span, after)) = self.next(rest) {
            push_text(spans, &(self.unescape)(before));
            spans.push(span);
            rest = after;
        }
        push_text(spans, &(self.unescape)(rest));
    }

    /// The first link or mark, with what stands before and after it.
    fn next<'t>(&self, line: &'t str) -> Option<(&'t str, Span, &'t str)> {
        let mut previous: Option<char> = None;
        let mut signs = line.char_indices();
        while let Some((at, sign)) = signs.next() {
            if Some(sign) == self.escape {
                previous = signs.next().map(|(_, escaped)| escaped);
                continue;
            }
            let rest = &line[at..];
            let begins_word = previous.is_none_or(|before| !before.is_alphanumeric());
            let found = self.link_at(rest).or_else(|| begins_word.then(|| self.marked_at(rest)).flatten());
            if let Some((span, length)) = found {
                return Some((&line[..at], span, &rest[length..]));
            }
            previous = Some(sign);
        }
        None
    }

    fn link_at(&self, text: &str) -> Option<(Span, usize)> {
        let (label, url, length) = (self.link)(text)?;
        Some((Span::Link((self.unescape)(label), (self.unescape)(url)), length))
    }

    fn marked_at(&self, text: &str) -> Option<(Span, usize)> {
        let (sign, mark) = self.marks.iter().find(|(sign, _)| text.starts_with(sign))?;
        let inside = &text[sign.len()..];
        if inside.starts_with(char::is_whitespace) {
            return None;
        }
        let length =
            inside.match_indices(sign).map(|(at, _)| at).find(|at| self.closes(inside, *at, sign))?;
        let words = &inside[..length];
        let mut spans = Vec::new();
        let span = match mark {
            Mark::Code => Span::Code((self.unescape)(words)),
            Mark::Strong | Mark::Emphasis => {
                self.read_line(words, &mut spans);
                if matches!(mark, Mark::Strong) { Span::Strong(spans) } else { Span::Emphasis(spans) }
            }
        };
        Some((span, length + 2 * sign.len()))
    }

    /// Whether the sign at that place stands behind a word and before none.
    fn closes(&self, text: &str, at: usize, sign: &str) -> bool {
        let before = text[..at].chars().next_back();
        let after = text[at + sign.len()..].chars().next();
        before.is_some_and(|c| !c.is_whitespace() && Some(c) != self.escape)
            && after.is_none_or(|c| !c.is_alphanumeric())
    }
}

fn push_text(spans: &mut Vec<Span>, text: &str) {
    match spans.last_mut() {
        _ if text.is_empty() => {}
        Some(Span::Text(last)) => last.push_str(text),
        _ => spans.push(Span::Text(text.to_owned())),
    }
}
