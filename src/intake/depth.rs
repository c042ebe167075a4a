//! How deep JSON may nest. Checked over the whole text before anything reads it, so that
//! neither the parser nor a later reader of the stored body meets a deeper one.

/// The deepest nesting taken; an Alertmanager body has four levels.
pub(super) const MAX_DEPTH: usize = 64;

/// Where the first bracket beyond [`MAX_DEPTH`] stands. Says nothing about texts that are
/// not JSON otherwise: the parser refuses those.
pub(super) fn find_too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => at = string_end(bytes, at + 1),
            b'{' | b'[' if depth == MAX_DEPTH => return Some(at),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The position of the quote that ends a string begun before `at`.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_is_taken_and_one_more_is_not() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));

        assert_eq!(find_too_deep(&nested(MAX_DEPTH)), None);
        assert_eq!(find_too_deep(&nested(MAX_DEPTH + 1)), Some(MAX_DEPTH));
        assert_eq!(find_too_deep(&format!("[{}]", vec!["{}"; 1_000].join(","))), None);
    }

    #[test]
    fn brackets_inside_strings_do_not_count() {
        let brackets = "[{".repeat(MAX_DEPTH);

        assert_eq!(find_too_deep(&format!(r#"{{"a":"{brackets}"}}"#)), None);
        assert_eq!(find_too_deep(&format!(r#"{{"a\\\"":"{brackets}\\\"{brackets}"}}"#)), None);
        assert_eq!(find_too_deep(&format!(r#"["\\",{brackets}"#)), Some(6 + MAX_DEPTH - 1));
        assert_eq!(find_too_deep(r#"["never closed \"#), None);
    }
}
