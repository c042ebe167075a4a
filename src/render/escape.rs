//! Making untrusted text harmless for the medium it goes to.

use std::borrow::Cow;

/// Slack's mrkdwn: after this no text can hold a link, a mention or a `<!channel>`.
pub fn escape_mrkdwn(text: &str) -> Cow<'_, str> {
    replace(text, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        _ => None,
    })
}

/// HTML text and quoted attributes.
pub fn escape_html(text: &str) -> Cow<'_, str> {
    replace(text, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\'' => Some("&#39;"),
        _ => None,
    })
}

/// CommonMark and its relatives in chat programs: a backslash before every character that could
/// begin markup where it stands. Addresses in the text stay what they are, as far as that goes:
/// chat programs make links of them.
pub fn escape_markdown(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| ANYWHERE.contains(c) || c == '_' || AT_LINE_START.contains(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    // The text may come to stand at the beginning of a line.
    let (mut previous, mut is_line_start) = (None, true);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_within_word = previous.is_some_and(char::is_alphanumeric)
            && rest.peek().is_some_and(|next| next.is_alphanumeric());
        let is_special =
            ANYWHERE.contains(c) || c == '_' && !is_within_word || is_line_start && AT_LINE_START.contains(c);
        if is_special {
            out.push('\\');
        }
        out.push(c);
        // `1.` and `1)` begin a list.
        is_line_start = c == '\n' || is_line_start && (c.is_whitespace() || c.is_ascii_digit());
        previous = Some(c);
    }
    Cow::Owned(out)
}

/// What begins markup wherever it stands.
const ANYWHERE: &str = "\\`*[]<>|~";
/// What does so at the beginning of a line.
const AT_LINE_START: &str = "#+-=.)";

/// One line without what could disguise or disturb it: white space and control characters
/// become single spaces, bidirectional and invisible characters go. For titles, subjects,
/// file names.
pub fn clean_line(text: &str) -> Cow<'_, str> {
    let is_clean = !text.contains(|c: char| is_space(c) && c != ' ' || c.is_control() || is_hidden(c))
        && !text.contains("  ")
        && text.trim().len() == text.len();
    if is_clean {
        return Cow::Borrowed(text);
    }
    let visible: String = text
        .chars()
        .filter(|c| !is_hidden(*c))
        .map(|c| if c.is_control() || is_space(c) { ' ' } else { c })
        .collect();
    Cow::Owned(visible.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
}

/// Text of several lines without what could disguise or disturb it: whatever breaks a line
/// somewhere becomes a line feed, other control characters than the tab and all bidirectional
/// and invisible characters go.
pub fn clean_text(text: &str) -> Cow<'_, str> {
    let is_dropped = |c: char| c.is_control() && c != '\n' && c != '\t' || is_hidden(c);
    if !text.contains(|c| is_dropped(c) || is_break(c)) {
        return Cow::Borrowed(text);
    }
    let text = text.replace("\r\n", "\n");
    let line_feeds = text.chars().map(|c| if is_break(c) { '\n' } else { c });
    Cow::Owned(line_feeds.filter(|c| !is_dropped(*c)).collect())
}

/// Whether some program takes it for the end of a line.
fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// Bidirectional controls and characters without width; the joiners that emoji and some
/// scripts need are not among them.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
        | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' | '\u{e0001}'
    )
}

fn replace(text: &str, entity: impl Fn(char) -> Option<&'static str>) -> Cow<'_, str> {
    if !text.contains(|c| entity(c).is_some()) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match entity(c) {
            Some(entity) => out.push_str(entity),
            None => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_and_links_lose_their_power() {
        assert_eq!(escape_mrkdwn("<!here> & <@U1>"), "&lt;!here&gt; &amp; &lt;@U1&gt;");
        assert_eq!(escape_html("<a href=\"x\">'"), "&lt;a href=&quot;x&quot;&gt;&#39;");
        assert_eq!(escape_markdown("[a](b) *c*"), "\\[a\\](b) \\*c\\*");
        assert_eq!(escape_markdown("1. # a\n- b -c\n  > <@1>"), "1\\. # a\n\\- b -c\n  \\> \\<@1\\>");
        let address = "max_alerts at https://x.example/a_b-c#d.e";
        assert!(matches!(escape_markdown(address), Cow::Owned(text) if text == address));
        assert_eq!(escape_markdown("_a_ __b__"), "\\_a\\_ \\_\\_b\\_\\_");
        assert!(matches!(escape_mrkdwn("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_line_is_one_line_and_shows_what_it_holds() {
        assert_eq!(clean_line("a\r\nBcc: x\t\u{202e}b\u{0} "), "a Bcc: x b");
        assert_eq!(clean_line("👩\u{200d}🚀 ok"), "👩\u{200d}🚀 ok");
        assert_eq!(clean_text("a\r\nb\u{202e}\u{7}\tc"), "a\nb\tc");
        for end in ["\n", "\r", "\r\n", "\u{b}", "\u{c}", "\u{1e}", "\u{85}", "\u{2028}", "\u{2029}"] {
            assert_eq!(clean_line(&format!("a{end}b")), "a b", "{end:?}");
            assert_eq!(clean_text(&format!("a{end}b")), "a\nb", "{end:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_escaped_can_mention_or_link(text in ".*[<&>].*") {
            let escaped = escape_mrkdwn(&text);
            proptest::prop_assert!(!escaped.contains('<') && !escaped.contains('>'));
        }

        #[test]
        fn a_clean_line_is_clean_again(text in ".*") {
            let line = clean_line(&text).into_owned();
            proptest::prop_assert!(!line.contains(char::is_control));
            proptest::prop_assert_eq!(clean_line(&line), line.as_str());
        }
    }
}
