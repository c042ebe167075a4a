//! URLs made of or found in untrusted text: only http and https, nothing in them that
//! could end the link they are put into, and the host that a reader and a browser see.

use std::fmt::Write as _;

use url::Url;

/// The longest URL that is shown.
const MAX_LENGTH: usize = 4096;

/// Every byte but unreserved characters as `%XX`: safe wherever it lands in a URL.
pub fn encode(text: &str) -> String {
    encode_where(text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// The page of an incident below this server's address; empty when either is unknown.
pub fn incident(external_url: &str, id: &str) -> String {
    let base = external_url.trim_end_matches('/');
    if base.is_empty() || id.is_empty() {
        return String::new();
    }
    presentable(&format!("{base}/incidents/{}", encode(id))).unwrap_or_default()
}

/// `text` as a link that can be shown: as a browser reads it, and characters that could end
/// what it is put into encoded. `None` when it is not an http or https URL, is too long, or
/// when programs could disagree about the host it leads to: user information, a backslash, an
/// encoded character or white space before the path.
pub fn presentable(text: &str) -> Option<String> {
    complete(text).filter(|url| url.len() <= MAX_LENGTH)
}

/// [`presentable`], and when it is too long as much of it as fits: without the tab of
/// Prometheus's page, else without its query.
///
/// # Errors
/// When it is a link, and too long all the same: how long it is.
pub fn fitting(text: &str) -> Result<Option<String>, usize> {
    match complete(text) {
        Some(url) => shortened(&url, MAX_LENGTH).map(Some).ok_or_else(|| url.chars().count()),
        None => Ok(None),
    }
}

/// A presentable URL in at most `max` characters: without the tab of Prometheus's page, else
/// without its query; `None` when not even that fits.
pub fn shortened(url: &str, max: usize) -> Option<String> {
    if url.len() <= max {
        return Some(url.to_owned());
    }
    let (address, rest) = url.split_once('?')?;
    let (query, fragment) = rest.split_once('#').map_or((rest, ""), |(query, fragment)| (query, fragment));
    let hash = if fragment.is_empty() { "" } else { "#" };
    let is_tab = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        name == "tab" || name.ends_with(".tab")
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_tab(pair)).collect();
    let without_tab = format!("{address}?{}{hash}{fragment}", kept.join("&"));
    let without_query = format!("{address}{hash}{fragment}");
    [without_tab, without_query, address.to_owned()].into_iter().find(|shorter| shorter.len() <= max)
}

/// The link, however long.
fn complete(text: &str) -> Option<String> {
    let text = text.trim();
    let scheme = ["http://", "https://"]
        .into_iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)))?;
    let authority = text[scheme.len()..].split(['/', '?', '#']).next().unwrap_or_default();
    let is_ambiguous = |c: char| c.is_whitespace() || c.is_control() || "\\@%<>\"'`{}|^".contains(c);
    if authority.is_empty() || authority.contains(is_ambiguous) {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let is_plain = url.host().is_some() && url.username().is_empty() && url.password().is_none();
    is_plain.then(|| {
        encode_where(url.as_str(), |byte| byte.is_ascii_graphic() && !b"<>\"'`{}|\\^".contains(&byte))
    })
}

fn encode_where(text: &str, is_kept: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if is_kept(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_are_presentable() {
        let shown = |text: &str| presentable(text).unwrap_or_default();
        assert_eq!(shown(" https://x.example/a?b=1#c "), "https://x.example/a?b=1#c");
        assert_eq!(shown("HTTP://[::1]:9090/"), "http://[::1]:9090/");
        assert_eq!(
            shown("https://x.example/q?e={a=\"b\"}|<c> d"),
            "https://x.example/q?e=%7Ba=%22b%22%7D%7C%3Cc%3E%20d"
        );
        for none in ["javascript:alert(1)", "", "ftp://x.example", "data:text/html,x", "/x", "x.example"] {
            assert_eq!(presentable(none), None, "{none}");
        }
        assert_eq!(presentable(&format!("https://x.example/{}", "a".repeat(5_000))), None);
    }

    #[test]
    fn what_could_lead_to_another_host_is_no_link() {
        for hostile in [
            "//x.example",
            "http://",
            "https:///evil.example",
            "https:/\\evil.example",
            "https:\\\\evil.example",
            "https://\\evil.example",
            "https:evil.example",
            "https:/evil.example",
            "https://ok.example\\@evil.example/",
            "https://ok.example\\.evil.example/",
            "https://ok.example@evil.example/",
            "https://ok.example:pw@evil.example/",
            "https://@evil.example/",
            "https://ok.example%40evil.example/",
            "https://evil%2eexample/",
            "https://ok.example\t.evil.example/",
            "https://ok.example\n@evil.example/",
            "ht\ntps://evil.example/",
            "https:\t//evil.example/",
            "java\tscript:alert(1)",
            "\u{1}javascript:alert(1)",
            "https://a b.example/",
            "https://ok.example\u{ff0f}@evil.example/",
            "https://ok.example\u{ff20}evil.example/",
            "https://ok.example\u{2100}evil.example/",
            "https://ok\u{ff1a}80\u{ff0f}.evil.example/",
            "http://:80/",
            "http://x.example:99999/",
            "http://[::1",
            "http://1.2.3.4.5/",
            "http://999.1.1.1/",
        ] {
            assert_eq!(presentable(hostile), None, "{hostile:?}");
        }
    }

    #[test]
    fn a_link_says_the_host_it_leads_to() {
        let shown = |text: &str| presentable(text).unwrap_or_default();
        assert_eq!(shown("hTTps://OK.Example/a\\b"), "https://ok.example/a/b");
        assert_eq!(shown("https://ok.example\u{3002}evil.example/"), "https://ok.example.evil.example/");
        // A Cyrillic a.
        assert_eq!(shown("https://b\u{430}nk.example/"), "https://xn--bnk-6cd.example/");
        assert_eq!(shown("http://0x7f.1/"), "http://127.0.0.1/");
        assert_eq!(shown("https://ok.example/a\nb\t@evil.example"), "https://ok.example/ab@evil.example");
        assert_eq!(shown("https://ok.example?@evil.example/"), "https://ok.example/?@evil.example/");
    }

    #[test]
    fn what_is_too_long_loses_the_tab_then_the_query() {
        let with = |length: usize, end: &str| {
            format!("http://prom.example/graph?g0.expr={}{end}", "u".repeat(length))
        };
        let whole = with(4_000, "&g0.tab=1");
        assert_eq!(fitting(&whole), Ok(Some(whole.clone())));
        assert_eq!(fitting(&with(4_060, "&g0.tab=1")), Ok(Some(with(4_060, ""))));
        assert_eq!(fitting(&with(5_000, "&g0.tab=1")), Ok(Some("http://prom.example/graph".to_owned())));
        assert_eq!(fitting(&with(5_000, "#x")), Ok(Some("http://prom.example/graph#x".to_owned())));
        assert_eq!(fitting(&format!("http://prom.example/{}", "u".repeat(5_000))), Err(5_020));
        assert_eq!(fitting("no link"), Ok(None));
        assert_eq!(shortened(&whole, 30), Some("http://prom.example/graph".to_owned()));
        assert_eq!(shortened(&whole, 10), None);
    }

    proptest::proptest! {
        #[test]
        fn a_link_is_its_own_link(text in "https?://[a-z\\\\@%:./?# \t\u{ff0f}\u{3002}]{1,20}") {
            if let Some(url) = presentable(&text) {
                proptest::prop_assert_eq!(presentable(&url), Some(url));
            }
        }
    }

    #[test]
    fn encoding_leaves_nothing_special() {
        assert_eq!(encode("a/b?c=d&é "), "a%2Fb%3Fc%3Dd%26%C3%A9%20");
    }
}
