//! Breaks text into lines that fit.

/// Lines of at most `room` columns. A word longer than that is cut with `…`; an empty text
/// is one empty line.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let indent: String = text.chars().take_while(|c| *c == ' ').collect();
    let mut lines = Vec::new();
    let mut line = indent.clone();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let is_fresh = line.trim().is_empty();
        let needed = columns(&line) + usize::from(!is_fresh) + columns(word);
        if needed > room && !is_fresh {
            lines.push(std::mem::replace(&mut line, indent.clone()));
        } else if !is_fresh {
            line.push(' ');
        }
        let left = room.saturating_sub(columns(&line));
        line.push_str(&cut(word, left));
    }
    lines.push(line);
    lines
}

/// How wide a text is on a terminal: emoji take two columns, colours none.
fn columns(text: &str) -> usize {
    let mut in_escape = false;
    let mut columns = 0;
    for c in text.chars() {
        match c {
            '\u{1b}' => in_escape = true,
            'm' if in_escape => in_escape = false,
            _ if in_escape => {}
            _ => columns += width(c),
        }
    }
    columns
}

fn width(c: char) -> usize {
    match c {
        '\u{fe0f}' | '\u{200d}' => 0,
        '\u{2705}' | '\u{26aa}' | '\u{1f000}'.. => 2,
        _ => 1,
    }
}

fn cut(word: &str, room: usize) -> String {
    if columns(word) <= room {
        return word.to_owned();
    }
    let mut kept = String::new();
    let mut used = 1;
    for c in word.chars() {
        used += width(c);
        if used > room {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_keep_their_indent() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("  one two three", 8), ["  one", "  two", "  three"]);
        assert_eq!(wrap("", 8), [""]);
        assert_eq!(wrap("exactly8", 8), ["exactly8"]);
    }

    #[test]
    fn what_cannot_break_is_cut() {
        assert_eq!(wrap("see https://example.org/x", 10), ["see", "https://e…"]);
    }

    #[test]
    fn emoji_take_two_columns() {
        assert_eq!(wrap("🔴🔴🔴 x", 8), ["🔴🔴🔴 x"]);
        assert_eq!(wrap("🔴🔴🔴🔴 x", 8), ["🔴🔴🔴🔴", "x"]);
    }

    #[test]
    fn colours_take_none() {
        assert_eq!(wrap("\u{1b}[1mbold\u{1b}[0m xyz", 8), ["\u{1b}[1mbold\u{1b}[0m xyz"]);
    }
}
