//! To be replaced by render::fit.

/// `text` in at most `limit` characters: whole lines where there are several, with a last
/// line that counts those left out; otherwise cut within the line and marked by `…`.
pub fn fit(text: &str, limit: usize) -> String {
    fit_by(text, limit, |line| line.char_indices().map(|(at, c)| at + c.len_utf8()).collect())
}

/// As [`fit`], for mrkdwn that is escaped already: never cut inside an entity (`&amp;`) or
/// a link (`<url|text>`).
pub fn fit_mrkdwn(text: &str, limit: usize) -> String {
    fit_by(text, limit, mrkdwn_boundaries)
}

/// Mrkdwn's three control characters escaped.
pub fn escape_mrkdwn(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// One line without control characters and without characters that change the direction
/// of writing.
pub fn clean_line(text: &str) -> String {
    let visible: String = text
        .chars()
        .filter_map(|c| match c {
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
            '\u{2028}' | '\u{2029}' => Some(' '),
            c if c.is_control() => Some(' '),
            c => Some(c),
        })
        .collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn fit_by(text: &str, limit: usize, boundaries: impl Fn(&str) -> Vec<usize>) -> String {
    if count(text) <= limit {
        return text.to_owned();
    }
    let lines: Vec<&str> = text.lines().collect();
    for kept in (1..lines.len()).rev() {
        let head = lines[..kept].join("\n");
        let fitted = format!("{}\n… {} more lines", head.trim_end(), lines.len() - kept);
        if count(&fitted) <= limit {
            return fitted;
        }
    }
    let line = lines.first().copied().unwrap_or_default();
    let fits = |end: &&usize| count(&line[..**end]) < limit;
    let end = boundaries(line).iter().rev().find(fits).copied().unwrap_or(0);
    if limit == 0 { String::new() } else { format!("{}…", line[..end].trim_end()) }
}

fn count(text: &str) -> usize {
    text.chars().count()
}

fn mrkdwn_boundaries(line: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    while let Some(c) = line[at..].chars().next() {
        let closed_by = match c {
            '&' => Some(';'),
            '<' => Some('>'),
            _ => None,
        };
        let close = closed_by.and_then(|close| line[at..].find(close).map(|length| length + 1));
        at += close.unwrap_or(c.len_utf8());
        ends.push(at);
    }
    ends
}
