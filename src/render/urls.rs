//! URLs made of or found in untrusted text: only http and https, nothing in them that
//! could end the link they are put into, no name and password before the host.

use std::fmt::Write as _;

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

/// `text` as a link that can be shown: trimmed, and characters that may not stand in a
/// URL encoded. `None` when it is not an http or https URL with a host, has user
/// information, or is too long.
pub fn presentable(text: &str) -> Option<String> {
    let text = text.trim();
    let scheme = ["http://", "https://"]
        .into_iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme)))?;
    let rest = &text[scheme.len()..];
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or("");
    let is_host = !authority.is_empty()
        && !authority.starts_with(':')
        && !authority
            .contains(|c: char| c == '@' || c.is_whitespace() || c.is_control() || "<>\"'`{}|^".contains(c));
    if !is_host {
        return None;
    }
    let url = encode_where(text, |byte| byte.is_ascii_graphic() && !b"<>\"'`{}|\\^".contains(&byte));
    (url.len() <= MAX_LENGTH).then_some(url)
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
        assert_eq!(presentable(" https://x.example/a?b=1#c "), Some("https://x.example/a?b=1#c".to_owned()));
        assert_eq!(presentable("HTTP://[::1]:9090/"), Some("HTTP://[::1]:9090/".to_owned()));
        assert_eq!(
            presentable("https://x.example/q?e={a=\"b\"}|<c> d"),
            Some("https://x.example/q?e=%7Ba=%22b%22%7D%7C%3Cc%3E%20d".to_owned())
        );
        for hostile in [
            "javascript:alert(1)",
            "//x.example",
            "http://",
            "https:///path",
            "https://bank.example@evil.example/",
            "https://a b.example/",
            "data:text/html,x",
            "",
            "ftp://x.example",
            "http://:80/",
        ] {
            assert_eq!(presentable(hostile), None, "{hostile}");
        }
        assert_eq!(presentable(&format!("https://x.example/{}", "a".repeat(5_000))), None);
    }

    #[test]
    fn encoding_leaves_nothing_special() {
        assert_eq!(encode("a/b?c=d&é "), "a%2Fb%3Fc%3Dd%26%C3%A9%20");
    }
}
