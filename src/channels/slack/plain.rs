//! Mrkdwn as a reader sees it, in plain text: for previews and the log, never for Slack.

/// The text without its marks: links show their address, bold, italics and code are bare,
/// entities are characters again.
pub fn from_mrkdwn(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(plain_line).collect();
    unescape(&lines.join("\n"))
}

/// Mrkdwn's three entities undone.
pub fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn plain_line(line: &str) -> String {
    ['*', '_', '`'].into_iter().fold(plain_links(line), |line, mark| without_pairs(&line, mark))
}

/// `<url|label>` as `label (url)`. What was escaped has no angle brackets.
fn plain_links(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, link, after)) = next_link(rest) {
        plain.push_str(before);
        match link.split_once('|') {
            Some((url, label)) => plain.push_str(&format!("{label} ({url})")),
            None => plain.push_str(link),
        }
        rest = after;
    }
    plain + rest
}

fn next_link(text: &str) -> Option<(&str, &str, &str)> {
    let (before, inside) = text.split_once('<')?;
    let (link, after) = inside.split_once('>')?;
    Some((before, link, after))
}

/// Drops marks that stand in pairs around words, as in `*Owner:* Dana`; those inside words,
/// as in `max_alerts`, stay.
fn without_pairs(line: &str, mark: char) -> String {
    let chars: Vec<char> = line.chars().collect();
    let at = |index: Option<usize>| index.and_then(|index| chars.get(index)).copied();
    let is_mark = |index: usize| chars[index] == mark;
    let opens = |index: usize| {
        let before = at(index.checked_sub(1));
        let after = at(Some(index + 1));
        is_mark(index)
            && before.is_none_or(|c| !c.is_alphanumeric())
            && after.is_some_and(|c| !c.is_whitespace())
    };
    let closes = |index: usize| {
        let before = at(index.checked_sub(1));
        let after = at(Some(index + 1));
        is_mark(index)
            && before.is_some_and(|c| !c.is_whitespace())
            && after.is_none_or(|c| !c.is_alphanumeric())
    };
    let mut dropped = vec![false; chars.len()];
    let mut index = 0;
    while index < chars.len() {
        let end = opens(index).then(|| (index + 2..chars.len()).find(|end| closes(*end))).flatten();
        if let Some(end) = end {
            dropped[index] = true;
            dropped[end] = true;
            index = end;
        }
        index += 1;
    }
    chars.iter().zip(dropped).filter(|(_, dropped)| !dropped).map(|(c, _)| *c).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_links_and_entities_become_plain() {
        let text = "*Owner:* Dana &amp; team\n_… 4 more_\n*Roll back:* `kubectl undo`\n*Last:* <https://ci.example/1|v8 by ci>";

        assert_eq!(
            from_mrkdwn(text),
            "Owner: Dana & team\n… 4 more\nRoll back: kubectl undo\nLast: v8 by ci (https://ci.example/1)"
        );
    }

    #[test]
    fn what_is_no_mark_stays() {
        for text in ["max_alerts of_this", "2 * 3 * 4", "a*b*c", "_", "**", "1 &lt; 2"] {
            assert_eq!(from_mrkdwn(text), unescape(text));
        }
    }
}
