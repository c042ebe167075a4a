//! Cutting text to a provider's limits: on whole characters, after escaping, never inside
//! an entity (`&amp;`), a mrkdwn link (`<url|text>`) or a tag, and never silently.

use std::borrow::Cow;

/// What a provider counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Unicode scalar values.
    Chars,
    /// Bytes of UTF-8.
    Bytes,
    /// Code units of UTF-16, as JavaScript's `length` counts them.
    Utf16,
}

impl Unit {
    /// The length of `text` in this unit.
    pub fn length(self, text: &str) -> usize {
        match self {
            Self::Chars => text.chars().count(),
            Self::Bytes => text.len(),
            Self::Utf16 => text.chars().map(char::len_utf16).sum(),
        }
    }

    fn of(self, c: char) -> usize {
        match self {
            Self::Chars => 1,
            Self::Bytes => c.len_utf8(),
            Self::Utf16 => c.len_utf16(),
        }
    }
}

/// What stands at the end of a text that was cut.
pub const ELLIPSIS: &str = "…";

/// No longer than `max`: cut and ended with `ellipsis` when need be (without it when not
/// even that fits).
pub fn fit<'a>(text: &'a str, max: usize, unit: Unit, ellipsis: &str) -> Cow<'a, str> {
    // No unit counts more than bytes do.
    if text.len() <= max || unit.length(text) <= max {
        return Cow::Borrowed(text);
    }
    let ellipsis = if unit.length(ellipsis) <= max { ellipsis } else { "" };
    let budget = max - unit.length(ellipsis);
    let kept = text[..safe_cut(text, cut_at(text, budget, unit))].trim_end();
    Cow::Owned(format!("{kept}{ellipsis}"))
}

/// As many of `lines` as fit, joined by line feeds; when some are left out, the last line
/// is `more(how many)`. When not even the first line fits, it is cut.
pub fn fit_lines<S: AsRef<str>>(
    lines: &[S],
    max: usize,
    unit: Unit,
    more: impl Fn(usize) -> String,
) -> String {
    let lengths: Vec<usize> = lines.iter().map(|line| unit.length(line.as_ref())).collect();
    let whole = lengths.iter().sum::<usize>() + lines.len().saturating_sub(1);
    if whole <= max {
        return join(lines);
    }
    let mut best = 0;
    let mut used = 0;
    for (index, length) in lengths.iter().enumerate().take(lines.len() - 1) {
        used += length + 1;
        if used > max {
            break;
        }
        if used + unit.length(&more(lines.len() - index - 1)) <= max {
            best = index + 1;
        }
    }
    if best == 0 {
        return cut_first_line(lines[0].as_ref(), lines.len() - 1, max, unit, more);
    }
    format!("{}\n{}", join(&lines[..best]), more(lines.len() - best))
}

/// A text of several lines, no longer than `max`: very long lines are cut first, so that
/// none of them pushes out all the others; then whole lines are left out at the end and
/// counted.
pub fn fit_text(text: &str, max: usize, unit: Unit) -> Cow<'_, str> {
    if unit.length(text) <= max {
        return Cow::Borrowed(text);
    }
    let line_limit = (max / 3).max(1);
    let lines: Vec<Cow<'_, str>> =
        text.trim_end().lines().map(|line| fit(line, line_limit, unit, ELLIPSIS)).collect();
    Cow::Owned(fit_lines(&lines, max, unit, |left| match left {
        1 => "… 1 more line".to_owned(),
        left => format!("… {left} more lines"),
    }))
}

fn cut_first_line(
    line: &str,
    others: usize,
    max: usize,
    unit: Unit,
    more: impl Fn(usize) -> String,
) -> String {
    if others == 0 {
        return fit(line, max, unit, ELLIPSIS).into_owned();
    }
    let tail = format!("\n{}", more(others));
    // Not worth a tail that takes more than half of the room.
    match max.checked_sub(unit.length(&tail)).filter(|room| *room >= max / 2) {
        Some(room) => format!("{}{tail}", fit(line, room, unit, ELLIPSIS)),
        None => fit(line, max, unit, ELLIPSIS).into_owned(),
    }
}

fn join<S: AsRef<str>>(lines: &[S]) -> String {
    lines.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("\n")
}

/// The byte at which a prefix of at most `budget` units ends.
fn cut_at(text: &str, budget: usize, unit: Unit) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += unit.of(c);
        if used > budget {
            return at;
        }
    }
    text.len()
}

/// Moves a cut to the left until it splits nothing that belongs together.
fn safe_cut(text: &str, cut: usize) -> usize {
    let cut = before_open_angle(text, cut);
    let cut = before_open_entity(text, cut);
    before_split_cluster(text, cut)
}

/// `<https://…|text>` and `<b>`: a `<` that something other than white space follows, and
/// that is closed only after the cut.
fn before_open_angle(text: &str, cut: usize) -> usize {
    let Some(open) = text[..cut].rfind('<') else { return cut };
    let inside = &text[open + 1..];
    let begins_markup = inside.starts_with(|c: char| !c.is_whitespace());
    let closed_before = text[open..cut].contains('>');
    if begins_markup && !closed_before && inside.contains('>') { open } else { cut }
}

/// `&amp;`, `&#39;`: an ampersand whose entity ends only after the cut.
fn before_open_entity(text: &str, cut: usize) -> usize {
    const LONGEST: usize = 10;
    let Some(start) = text[..cut].rfind('&').filter(|start| cut - start <= LONGEST) else { return cut };
    let name = text[start + 1..].bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'#').count();
    let end = start + 1 + name;
    let is_entity = name > 0 && text[end..].starts_with(';');
    if is_entity && cut <= end { start } else { cut }
}

/// Combining marks, variation selectors, skin tones and joined emoji stay with what they
/// belong to, as far as that is not longer than any cluster in a living language.
fn before_split_cluster(text: &str, cut: usize) -> usize {
    const LONGEST: usize = 24;
    let mut at = cut;
    for _ in 0..LONGEST {
        let joined_to_next = text[at..].starts_with(extends_cluster);
        let joined_to_previous = text[..at].ends_with('\u{200d}');
        if !joined_to_next && !joined_to_previous {
            return at;
        }
        let Some(c) = text[..at].chars().next_back() else { return at };
        at -= c.len_utf8();
    }
    cut
}

fn extends_cluster(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{20d0}'..='\u{20ff}' | '\u{200d}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests;
