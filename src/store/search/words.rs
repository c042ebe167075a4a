//! The words of a text: what a search compares, the same on every database.
//!
//! Promises: a search word is found where a word of the text begins with it, whatever its
//! case. Words are runs of letters and digits, with points inside numbers (`2.4`); a word
//! written together (`ModelLatencyHigh`) may be found from each of its parts on.

/// Longer words are compared by so many characters.
const LONGEST: usize = 40;
/// More words than these of a search are left out.
const MOST: usize = 16;

/// Calls `found` for each word of `text` and for each part of a word written together, in
/// lower case.
pub fn each_word(text: &str, mut found: impl FnMut(&str)) {
    let mut lower = String::new();
    for word in words(text) {
        for start in parts(word) {
            fold_into(&word[start..], &mut lower);
            found(&lower);
        }
    }
}

/// The words of a search; none that another one implies.
pub fn search_words(text: &str) -> Vec<String> {
    let mut all: Vec<String> = words(text)
        .take(MOST)
        .map(|word| {
            let mut lower = String::new();
            fold_into(word, &mut lower);
            lower
        })
        .collect();
    // The longest first: it is the one that leaves the fewest rows.
    all.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    let mut kept: Vec<String> = Vec::new();
    for word in all {
        if !kept.iter().any(|longer| longer.starts_with(&word)) {
            kept.push(word);
        }
    }
    kept
}

/// Whether every word of a search stands in one of the texts.
pub fn has_words<'a>(words: &[String], texts: impl Iterator<Item = &'a str>) -> bool {
    let mut missing: Vec<&str> = words.iter().map(String::as_str).collect();
    for text in texts {
        if missing.is_empty() {
            break;
        }
        each_word(text, |word| missing.retain(|wanted| !word.starts_with(wanted)));
    }
    missing.is_empty()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let start = rest.find(char::is_alphanumeric)?;
        let tail = &rest[start..];
        let length = length_of_word(tail);
        rest = &tail[length..];
        Some(&tail[..length])
    })
}

fn length_of_word(text: &str) -> usize {
    let mut previous = ' ';
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let inside_number = c == '.'
            && previous.is_ascii_digit()
            && chars.peek().is_some_and(|(_, next)| next.is_ascii_digit());
        if !c.is_alphanumeric() && !inside_number {
            return at;
        }
        previous = c;
    }
    text.len()
}

/// Where the parts of a word written together begin; the whole is the first.
fn parts(word: &str) -> impl Iterator<Item = usize> {
    let is_next_small = |at: usize| word[at..].chars().nth(1).is_some_and(char::is_lowercase);
    let mut previous: Option<char> = None;
    word.char_indices().filter_map(move |(at, c)| {
        let begins = match previous.replace(c) {
            None => true,
            // The last capital of several begins the next part: `GPU` and `Memory`.
            Some(before) if before.is_uppercase() => c.is_uppercase() && is_next_small(at),
            Some(_) => c.is_uppercase(),
        };
        begins.then_some(at)
    })
}

fn fold_into(word: &str, lower: &mut String) {
    lower.clear();
    if word.is_ascii() {
        lower.push_str(&word[..word.len().min(LONGEST)]);
        lower.make_ascii_lowercase();
    } else {
        lower.extend(word.chars().take(LONGEST).flat_map(char::to_lowercase));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words_of(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        each_word(text, |word| all.push(word.to_owned()));
        all
    }

    #[test]
    fn a_text_falls_into_words_numbers_and_parts() {
        let cases: [(&str, &[&str]); 9] = [
            ("p99 is 2.4 s", &["p99", "is", "2.4", "s"]),
            ("ModelLatencyHigh", &["modellatencyhigh", "latencyhigh", "high"]),
            ("GPUMemoryLow", &["gpumemorylow", "memorylow", "low"]),
            ("llm-gateway:v2.4.1", &["llm", "gateway", "v2.4.1"]),
            ("It ended. 5.", &["it", "ended", "5"]),
            ("Ärger über ÖL", &["ärger", "über", "öl"]),
            ("fraud_detector", &["fraud", "detector"]),
            ("10.0.0.1:9093", &["10.0.0.1", "9093"]),
            ("%_!$ 😀", &[]),
        ];
        for (text, expected) in cases {
            assert_eq!(words_of(text), expected, "{text}");
        }
    }

    #[test]
    fn a_search_keeps_the_words_that_say_more() {
        assert_eq!(search_words("high latency lat High"), ["latency", "high"]);
        assert_eq!(search_words("_ % 😀"), Vec::<String>::new());
        assert_eq!(search_words(&"x".repeat(500)), ["x".repeat(LONGEST)]);
    }

    #[test]
    fn every_word_must_begin_a_word_of_some_text() {
        let found = |search: &str| {
            has_words(&search_words(search), ["ModelLatencyHigh", "p99 is 2.41 s"].into_iter())
        };

        for search in ["lat", "LATENCY high", "2.4 model", "", "modellatency s"] {
            assert!(found(search), "{search}");
        }
        for search in ["tency", "latency low", "2.5", "41"] {
            assert!(!found(search), "{search}");
        }
    }
}
