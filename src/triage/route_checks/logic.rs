//! When conditions hold: always, never together, or whenever others do. Every answer that is
//! not sure is the one that warns of nothing.

use super::values::{is_positive, named_values};
use super::words::{always_has_a_value, possible_values};
use crate::domain::matcher::{MatchOp, Matcher};
use crate::domain::severity::{Severity, SeverityTable};
use crate::triage::subject::SEVERITY;

/// Whether it holds for every alert.
pub(super) fn always_holds(matcher: &Matcher) -> bool {
    if matcher.name() == SEVERITY {
        // One of the five words is always among its values.
        return is_positive(matcher) && Severity::ALL.iter().all(|s| matcher.matches_value(s.as_str()));
    }
    if let Some(values) = possible_values(matcher.name()) {
        return values.iter().all(|value| matcher.matches_value(value));
    }
    let takes_anything = matcher.op() == MatchOp::Matches
        && matches!(matcher.value(), ".*" | "^.*$" | "(.*)" | "^.*" | ".*$" | "(?s).*" | "(?s:.*)");
    let takes_something = match matcher.op() {
        MatchOp::NotEqual => matcher.value().is_empty(),
        MatchOp::Matches => matcher.value() == ".+",
        _ => false,
    };
    takes_anything || (takes_something && always_has_a_value(matcher.name()))
}

/// Whether every alert for which `later` holds is taken by `earlier`.
pub(super) fn covers(earlier: &[Matcher], later: &[Matcher], severity: &SeverityTable) -> bool {
    let is_sure = |needed: &Matcher| always_holds(needed) || later.iter().any(|given| implies(given, needed));
    let later: Vec<&Matcher> = later.iter().collect();
    earlier.iter().all(is_sure) && can_hold(&later, severity)
}

fn implies(given: &Matcher, needed: &Matcher) -> bool {
    if given.name() != needed.name() {
        return false;
    }
    if given == needed {
        return true;
    }
    // A severity has two values: that one of them is right says nothing of the other.
    if given.name() == SEVERITY && !is_positive(needed) {
        return false;
    }
    let values = named_values(given).filter(|_| is_positive(given));
    values.is_some_and(|values| values.iter().all(|value| needed.matches_value(value)))
}

/// Whether conditions on one name can hold at the same time.
pub(super) fn can_hold(matchers: &[&Matcher], severity: &SeverityTable) -> bool {
    let Some(first) = matchers.first() else { return true };
    if matchers.iter().any(|other| other.name() != first.name()) {
        let same =
            |one: &Matcher| matchers.iter().filter(|m| m.name() == one.name()).copied().collect::<Vec<_>>();
        return matchers.iter().all(|one| can_hold(&same(one), severity));
    }
    if first.name() == SEVERITY {
        return Severity::ALL.into_iter().any(|word| can_be_severity(matchers, word, severity));
    }
    let holds = |value: &str| matchers.iter().all(|matcher| matcher.matches_value(value));
    if let Some(values) = possible_values(first.name()) {
        return values.iter().any(|value| holds(value));
    }
    let choice = matchers.iter().filter(|matcher| is_positive(matcher)).find_map(|one| named_values(one));
    match choice {
        Some(values) => values.iter().any(|value| {
            let is_possible = !value.is_empty() || !always_has_a_value(first.name());
            is_possible && holds(value)
        }),
        None => !matchers.iter().any(|one| matchers.iter().any(|other| is_opposite(one, other))),
    }
}

fn is_opposite(one: &Matcher, other: &Matcher) -> bool {
    one.op() == MatchOp::Matches && other.op() == MatchOp::NotMatches && one.value() == other.value()
}

/// Whether an incident of that severity can satisfy all: none of its words may be refused, and
/// each condition that asks for a word must find one.
fn can_be_severity(matchers: &[&Matcher], word: Severity, table: &SeverityTable) -> bool {
    let refused = |value: &str| matchers.iter().any(|m| !is_positive(m) && !m.matches_value(value));
    if refused(word.as_str()) {
        return false;
    }
    let known: Vec<&str> =
        table.words().filter(|(_, stands_for)| *stands_for == word).map(|(w, _)| w).collect();
    matchers.iter().filter(|matcher| is_positive(matcher)).all(|matcher| {
        if matcher.matches_value(word.as_str())
            || known.iter().any(|w| matcher.matches_value(w) && !refused(w))
        {
            return true;
        }
        match named_values(matcher) {
            Some(values) => values.iter().any(|v| table.normalise(Some(v)) == word && !refused(v)),
            // Some word that no table knows may fit.
            None => true,
        }
    })
}
