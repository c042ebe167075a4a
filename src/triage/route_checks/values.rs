//! The values that a condition names.

use crate::domain::matcher::{Anchor, MatchOp, Matcher};

/// The values that a condition names, where it is an equality or a choice of words.
pub(super) fn named_values(matcher: &Matcher) -> Option<Vec<String>> {
    match matcher.op() {
        MatchOp::Equal | MatchOp::NotEqual => Some(vec![matcher.value().to_owned()]),
        MatchOp::Matches | MatchOp::NotMatches if is_empty_pattern(matcher) => Some(vec![String::new()]),
        MatchOp::Matches | MatchOp::NotMatches => {
            // A choice with an empty word anchors nothing: the words are looked at one by one.
            let positive = |value: &str| Matcher::new(matcher.name(), MatchOp::Matches, value).ok();
            let mut words = Vec::new();
            for part in matcher.value().split('|') {
                match positive(part).filter(|_| !part.is_empty()).map(|one| one.anchor()) {
                    None if part.is_empty() => words.push(String::new()),
                    Some(Some(Anchor::OneOf(values))) => words.extend(values),
                    _ => return None,
                }
            }
            Some(words)
        }
    }
}

fn is_empty_pattern(matcher: &Matcher) -> bool {
    matches!(matcher.value(), "" | "^" | "$" | "^$" | "()")
}

pub(super) fn is_positive(matcher: &Matcher) -> bool {
    matches!(matcher.op(), MatchOp::Equal | MatchOp::Matches)
}
