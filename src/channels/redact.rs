//! Keeps secrets out of what a channel reports: whatever a provider or a library says is
//! shown only after every secret of the channel has been struck from it.

use crate::domain::secret::{REDACTED, Secret};

/// How much of a provider's answer is kept, in bytes.
pub const EXCERPT_BYTES: usize = 2 * 1024;

/// Shorter texts are not struck out: they would hit ordinary words.
const MIN_SECRET: usize = 6;

/// A part of a secret address counts as a secret of its own from this length on.
const MIN_URL_PART: usize = 16;

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
        let path_start = after_scheme.find(['/', '?', '#']).unwrap_or(after_scheme.len());
        let path = &after_scheme[path_start..];
        self.add(path);
        for part in path.split(['/', '?', '&', '=', '#']).filter(|part| part.len() >= MIN_URL_PART) {
            self.add(part);
        }
    }

    /// `text` without any secret.
    pub fn redact(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for needle in &self.needles {
            if clean.contains(needle.expose()) {
                clean = clean.replace(needle.expose(), REDACTED);
            }
        }
        clean
    }

    /// The head of an answer for the log: readable text of at most [`EXCERPT_BYTES`],
    /// without secrets and control characters. `None` when there is nothing to show.
    ///
    /// `complete` is false when `body` itself was cut: its end may then hold a part of a
    /// secret that nobody could recognise, and is left out.
    pub fn excerpt(&self, body: &[u8], complete: bool) -> Option<String> {
        let longest = self.needles.first().map_or(0, |needle| needle.expose().len());
        let usable = if complete { body.len() } else { body.len().saturating_sub(longest) };
        let text = self.redact(&String::from_utf8_lossy(&body[..usable]));
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let text = text.trim();
        let end = (0..=EXCERPT_BYTES.min(text.len())).rev().find(|at| text.is_char_boundary(*at))?;
        (end > 0).then(|| text[..end].to_owned())
    }
}

#[cfg(test)]
mod tests {
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
}
