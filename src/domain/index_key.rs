//! Texts from outside in a form that fits into an index.
//!
//! PostgreSQL refuses a row whose part of an index is longer than about 2,700 bytes, and with
//! it everything else of its transaction. What is looked up by a text from outside is looked up
//! by this form of it; the row holds the whole text beside it.

use std::borrow::Cow;

use sha2::{Digest as _, Sha256};

/// The longest key, in bytes: with a channel's name and an id it fits into an index.
pub const MAX_INDEX_KEY: usize = 512;
/// Stands between the beginning of a long text and the digest of all of it.
const CUT: &str = "…";
/// How many hexadecimal digits of the digest there are.
const DIGITS: usize = 16;

/// A text of at most [`MAX_INDEX_KEY`] bytes as it is; a longer one as its beginning, `…` and the
/// first 16 hexadecimal digits of its SHA-256.
pub fn index_key(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_INDEX_KEY {
        return Cow::Borrowed(text);
    }
    let head = &text[..text.floor_char_boundary(MAX_INDEX_KEY - CUT.len() - DIGITS)];
    let digest: String =
        Sha256::digest(text).iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
    Cow::Owned(format!("{head}{CUT}{digest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_stays_as_it_is() {
        for text in ["", "AccuracyDrop:fraud", &"x".repeat(MAX_INDEX_KEY)] {
            assert_eq!(index_key(text), text);
        }
    }

    #[test]
    fn a_long_text_is_cut_readably_and_told_apart_by_its_digest() {
        let long = "x".repeat(3_000);
        let (one, other) = (index_key(&long).into_owned(), index_key(&format!("{long}!")).into_owned());

        assert_eq!(one.len(), MAX_INDEX_KEY);
        assert!(one.starts_with("xxxx"));
        assert_eq!(one.rsplit_once('…').unwrap().1.len(), 16);
        assert_ne!(one, other);
        assert_eq!(index_key(&long), one);
    }

    #[test]
    fn no_character_is_cut_in_two() {
        for shift in 0..4 {
            let key = index_key(&format!("{}{}", "x".repeat(shift), "🔥".repeat(800))).into_owned();
            assert!(key.len() <= MAX_INDEX_KEY && key.len() > MAX_INDEX_KEY - 4, "{}", key.len());
        }
    }
}
