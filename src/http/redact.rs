//! Keeps secrets out of what a channel reports: whatever a provider or a library says is
//! shown only after every secret of the channel has been struck from it, also where it comes
//! back encoded: a mail server may repeat the line with which we logged in.

use std::ops::Range;

use crate::domain::secret::{REDACTED, Secret};
use encodings::{Needle, Unescaped};

mod encodings;

/// How much of a provider's answer is kept, in bytes.
pub const EXCERPT_BYTES: usize = 2 * 1024;

/// Shorter texts are not struck out: they would hit ordinary words.
const MIN_SECRET: usize = 6;

/// A part of a secret address counts as a secret of its own from this length on.
const MIN_URL_PART: usize = 16;

/// How many characters one byte of a secret may become: `\u0041`.
const LONGEST_ESCAPE: usize = 6;

/// The secrets of one channel. Its `Debug` shows none of them.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a whole address goes before its parts.
    needles: Vec<Secret>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.needles.len())
    }
}

impl Redactor {
    /// Strikes out these texts.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut redactor = Self::default();
        for secret in secrets {
            redactor.add(secret.expose());
        }
        redactor
    }

    /// Strikes out `text` too.
    pub fn add(&mut self, text: &str) {
        if text.len() < MIN_SECRET {
            return;
        }
        self.needles.push(Secret::new(text));
        self.needles.sort_by_key(|needle| std::cmp::Reverse(needle.expose().len()));
    }

    /// Strikes out a secret address: as a whole, its path with the query, and each long
    /// part of these, since servers like to repeat the path in their error pages.
    pub fn add_url(&mut self, url: &str) {
        self.add(url);
        let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
        if let Some((login, _)) = after_scheme.split_once('@')
            && let Some((user, password)) = login.split_once(':')
        {
            self.add_login(user, password);
        }
        let path_start = after_scheme.find(['/', '?', '#']).unwrap_or(after_scheme.len());
        let path = &after_scheme[path_start..];
        self.add(path);
        for part in path.split(['/', '?', '&', '=', '#']).filter(|part| part.len() >= MIN_URL_PART) {
            self.add(part);
        }
    }

    /// Strikes out a password, and what is sent to log in with it: by HTTP's `Basic` and by
    /// SMTP's `AUTH PLAIN`. There even a short password stands in a word long enough.
    pub fn add_login(&mut self, user: &str, password: &str) {
        self.add(password);
        self.add(&format!("{user}:{password}"));
        self.add(&format!("\0{user}\0{password}"));
    }

    /// `text` without any secret, in whatever form it stands there.
    pub fn redact(&self, text: &str) -> String {
        let needles: Vec<Needle> =
            self.needles.iter().flat_map(|secret| encodings::needles(secret.expose())).collect();
        let found = Unescaped::all(text)
            .flat_map(|reading| needles.iter().flat_map(|needle| find(&reading, needle)).collect::<Vec<_>>());
        strike_out(text, found.collect())
    }

    /// The head of an answer for the log: readable text of at most [`EXCERPT_BYTES`],
    /// without secrets and control characters. `None` when there is nothing to show.
    ///
    /// `complete` is false when `body` itself was cut: its end may then hold a part of a
    /// secret that nobody could recognise, and is left out.
    pub fn excerpt(&self, body: &[u8], complete: bool) -> Option<String> {
        let longest = self.needles.first().map_or(0, |needle| needle.expose().len() * LONGEST_ESCAPE);
        let mut text = self.redact(&String::from_utf8_lossy(body));
        if !complete {
            text.truncate(text.floor_char_boundary(text.len().saturating_sub(longest)));
        }
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let text = text.trim();
        let end = (0..=EXCERPT_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at))?;
        (end > 0).then(|| text[..end].to_owned())
    }
}

/// Every place where the needle stands.
fn find(text: &Unescaped, needle: &Needle) -> Vec<Range<usize>> {
    let wanted = needle.text.as_bytes();
    let mut places = Vec::new();
    let mut from = 0;
    while let Some(at) = text.bytes[from..].windows(wanted.len()).position(|window| window == wanted) {
        let found = from + at..from + at + wanted.len();
        from = found.end;
        let whole = if needle.is_base64 { encodings::word_around(&text.bytes, &found) } else { found };
        places.push(text.place(&whole));
    }
    places
}

/// The text with these places, which may overlap, each replaced by one word.
fn strike_out(text: &str, mut places: Vec<Range<usize>>) -> String {
    places.sort_by_key(|place| place.start);
    let mut clean = String::with_capacity(text.len());
    let mut at = 0;
    for place in places {
        if place.start >= at {
            clean.push_str(&text[at..place.start]);
            clean.push_str(REDACTED);
        }
        at = at.max(place.end);
    }
    clean.push_str(&text[at..]);
    clean
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::*;
    use proptest::prelude::*;

    use super::*;

    const URL: &str = "https://hooks.example.test/services/T00000000/B00000000/abcdefghijklmnopqrstuvwx";

    fn redactor() -> Redactor {
        let mut redactor = Redactor::new([&Secret::new("canary-token")]);
        redactor.add_url(URL);
        redactor
    }

    #[test]
    fn whole_addresses_paths_and_their_long_parts_are_struck_out() {
        let text = format!(
            "POST {URL} failed; no route /services/T00000000/B00000000/abcdefghijklmnopqrstuvwx; key abcdefghijklmnopqrstuvwx; canary-token"
        );

        let clean = redactor().redact(&text);

        assert_eq!(clean, "POST <secret> failed; no route <secret>; key <secret>; <secret>");
    }

    #[test]
    fn an_excerpt_is_bounded_readable_and_never_ends_in_half_a_secret() {
        let mut body = "canary-token".repeat(2_000).into_bytes();
        body.truncate(16 * 1024 - 3);

        let excerpt = redactor().excerpt(&body, false).unwrap();

        assert!(excerpt.len() <= EXCERPT_BYTES);
        assert!(!excerpt.replace(REDACTED, "").contains("canary"));
        assert_eq!(redactor().excerpt(b"a\r\nb\x1b[31m", true).unwrap(), "a  b [31m");
        assert_eq!(redactor().excerpt(b" \r\n", true), None);
    }

    #[test]
    fn a_cut_falls_between_characters() {
        let body = format!("x{}", "ü".repeat(EXCERPT_BYTES));

        let excerpt = redactor().excerpt(body.as_bytes(), true).unwrap();

        assert_eq!(excerpt.len(), EXCERPT_BYTES - 1);
    }

    #[test]
    fn debug_shows_no_secret() {
        assert!(!format!("{:?}", redactor()).contains("canary"));
    }

    #[test]
    fn what_is_sent_to_log_in_is_struck_out() {
        let mut redactor = Redactor::default();
        redactor.add_login("bot", "hunter2-secret");
        let plain = BASE64_STANDARD.encode("\0bot\0hunter2-secret");
        let login = BASE64_STANDARD.encode("hunter2-secret");
        let basic = BASE64_STANDARD.encode("bot:hunter2-secret");

        let clean = redactor.redact(&format!("501 AUTH PLAIN {plain}; 334 {login}; Basic {basic}."));

        assert_eq!(clean, "501 AUTH PLAIN <secret>; 334 <secret>; Basic <secret>.");
        let mut short = Redactor::default();
        short.add_login("robot", "abc");
        let plain = BASE64_STANDARD.encode("\0robot\0abc");
        assert_eq!(short.redact(&format!("AUTH PLAIN {plain} abc")), "AUTH PLAIN <secret> abc");
    }

    #[test]
    fn a_login_in_an_address_is_struck_out_of_the_header_it_becomes() {
        let mut redactor = Redactor::default();
        redactor.add_url("https://bot:hunter2-secret@example.test/hook");

        let echoed = format!("Authorization: Basic {}", BASE64_STANDARD.encode("bot:hunter2-secret"));

        assert_eq!(redactor.redact(&echoed), "Authorization: Basic <secret>");
    }

    #[test]
    fn escaped_forms_are_struck_out_whole() {
        let redactor = Redactor::new([&Secret::new("p\"ä/ <&'\\🔥 z")]);
        let forms = [
            r#"p\"ä/ <&'\\🔥 z"#,
            r#"p\u0022\u00e4\/ \u003c\u0026\u0027\\\ud83d\udd25\u0020z"#,
            "p&quot;ä/ &lt;&amp;&#39;\\🔥 z",
            "p&#x22;&#228;/ &lt;&amp;&apos;&#92;&#x1F525;&#32;z",
            "p%22%C3%A4%2F%20%3C%26'%5C%F0%9F%94%A5%20z",
            "p%22%c3%a4/+%3c%26%27%5c%f0%9f%94%a5+z",
        ];
        for form in forms {
            assert_eq!(redactor.redact(&format!("a {form} b")), "a <secret> b", "{form}");
        }
    }

    /// One byte of a text in one of its forms.
    fn escaped(byte: u8, form: u8) -> String {
        match form {
            0 => format!("%{byte:02X}"),
            1 => format!("%{byte:02x}"),
            2 => format!("\\u{byte:04x}"),
            3 => format!("&#{byte};"),
            4 => format!("&#x{byte:X};"),
            _ => char::from(byte).to_string(),
        }
    }

    proptest! {
        #[test]
        fn no_encoded_form_of_a_secret_is_left(
            secret in "[!-~]{6,40}",
            before in "[ -~]{0,5}",
            after in "[ -~]{0,5}",
            form in 0_u8..5,
            is_escaped in prop::collection::vec(any::<bool>(), 40),
        ) {
            let redactor = Redactor::new([&Secret::new(secret.as_str())]);
            let around = format!("{before}{secret}{after}");
            let encoded = [
                BASE64_STANDARD.encode(&around), BASE64_STANDARD_NO_PAD.encode(&around),
                BASE64_URL_SAFE.encode(&around), BASE64_URL_SAFE_NO_PAD.encode(&around),
            ];
            for word in encoded {
                prop_assert_eq!(redactor.redact(&format!("AUTH {word}.")), "AUTH <secret>.");
            }
            let lower: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            for word in [lower.to_uppercase(), lower] {
                prop_assert_eq!(redactor.redact(&format!("key {word}.")), "key <secret>.");
            }
            // A sign of the escape itself is never left bare.
            let mixed: String = secret.bytes().zip(&is_escaped).map(|(byte, is_escaped)| {
                let must = b"%+\\&;".contains(&byte);
                escaped(byte, if *is_escaped || must { form } else { 9 })
            }).collect();
            prop_assert_eq!(redactor.redact(&format!("x {mixed} y")), "x <secret> y");
        }

        #[test]
        fn any_text_is_redacted_without_a_panic(text in "\\PC{0,40}", secret in "\\PC{0,12}") {
            let redactor = Redactor::new([&Secret::new(secret.as_str())]);
            let clean = redactor.redact(&format!("{text}{secret}"));
            prop_assert!(secret.len() < MIN_SECRET || REDACTED.contains(&secret) || !clean.contains(&secret));
        }
    }
}
