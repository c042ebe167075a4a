//! The log's own index: which notifications and incidents have which value or word.
//!
//! An index of the database for each column would have to be paid for by every message on
//! its way, and none of them helps where two conditions leave few rows together. So what
//! is to be found is written down in the background, block by block: for up to
//! [`postings::BLOCK`] rows that follow each other by id, each value and word with the
//! rows that have it. On SQLite old blocks are joined into larger ones. A look-up puts the sets of its terms together, newest block first.
//!
//! Promises: the same answers on both databases. Answers are complete at any moment: rows
//! not yet in a block are compared one by one, and so are those that were unfinished when
//! their block was written; every row found is compared with what was asked before it is
//! shown. Nothing here is needed for anything but lists: both tables may be emptied, and
//! are written anew.

pub mod blocks;
pub mod build;
pub(super) mod find;
mod ids;
mod join;
#[cfg(test)]
mod plan_tests;
mod postings;
pub(super) mod words;

use super::log::Value;

/// A list of the log that has blocks.
#[derive(Debug)]
pub(super) struct List {
    /// Its name in the tables of the index, and its table.
    pub name: &'static str,
    /// The columns from which a row's terms are made: id, when it was made, whether it may
    /// still change, values (`''` where the list has none) and texts.
    pub source: &'static str,
    /// The end of `source`: rows of a range of ids.
    pub source_range: &'static str,
    /// The ids of the rows of a range.
    pub ids_range: &'static str,
    /// The oldest row.
    pub oldest: &'static str,
    /// How many of some rows may still change.
    pub unfinished: &'static str,
}

/// The delivery log.
pub(super) const NOTIFICATIONS: List = List {
    name: "notifications",
    source: "SELECT id, created_at, state IN ('pending', 'sending') AS is_unfinished, state, channel, severity, entry, \
         alertname, dedup_key, reason, preview FROM notifications",
    source_range: " WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3",
    ids_range: "SELECT COUNT(*), MIN(id), MAX(id) FROM \
         (SELECT id FROM notifications WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3) AS r",
    oldest: "SELECT MIN(id) FROM notifications",
    unfinished: "SELECT COUNT(*) FROM notifications WHERE state IN ('pending', 'sending') AND id IN",
};

/// Incidents: of them only what never changes is in the index.
pub(super) const INCIDENTS: List = List {
    name: "incidents",
    source: "SELECT id, opened_at AS created_at, FALSE AS is_unfinished, '' AS state, '' AS channel, '' AS severity, \
         entry, alertname, dedup_key, '' AS reason, NULL AS preview FROM incidents",
    source_range: " WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3",
    ids_range: "SELECT COUNT(*), MIN(id), MAX(id) FROM \
         (SELECT id FROM incidents WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3) AS r",
    oldest: "SELECT MIN(id) FROM incidents",
    unfinished: "SELECT COUNT(*) FROM incidents WHERE FALSE AND id IN",
};

/// Every list that has blocks.
pub(super) const LISTS: [&List; 2] = [&NOTIFICATIONS, &INCIDENTS];

/// What a row can be found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    bytes: Vec<u8>,
    is_prefix: bool,
    /// Whether it can change while the row is unfinished.
    is_loose: bool,
}

/// The columns that terms are made of, by the letter their terms begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    State,
    Channel,
    Severity,
    Entry,
    Alertname,
    DedupKey,
    Word,
}

/// Longer values are compared by so many bytes.
const LONGEST_VALUE: usize = 64;

impl Field {
    const fn letter(self) -> u8 {
        match self {
            Self::State => b't',
            Self::Channel => b'c',
            Self::Severity => b's',
            Self::Entry => b'e',
            Self::Alertname => b'a',
            Self::DedupKey => b'k',
            Self::Word => b'w',
        }
    }

    /// Writes the term of a value in place of what `bytes` holds.
    fn write_term(self, value: &str, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.push(self.letter());
        match self {
            // Nearly every one is a term of its own: a few bytes of it tell it apart.
            Self::DedupKey => bytes.extend(&hash(value).to_be_bytes()[..6]),
            _ => bytes.extend(&value.as_bytes()[..value.len().min(LONGEST_VALUE)]),
        }
    }
}

/// FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

impl Term {
    /// The rows whose column is this.
    pub fn value(field: Field, value: Option<&String>) -> Option<Self> {
        let mut bytes = Vec::new();
        field.write_term(value?, &mut bytes);
        Some(Self { bytes, is_prefix: false, is_loose: field == Field::State })
    }

    /// The rows that have a word which begins with this.
    pub fn word(word: &str) -> Self {
        let mut bytes = Vec::new();
        Field::Word.write_term(word, &mut bytes);
        Self { bytes, is_prefix: true, is_loose: true }
    }

    /// The terms by which to look for words: the short ones would be found nearly
    /// everywhere, and are only compared where a longer one is given as well.
    pub fn words(words: &[String]) -> Vec<Self> {
        const SHORT: usize = 3;
        let telling = words.iter().filter(|word| word.chars().count() >= SHORT);
        let terms: Vec<Self> = telling.map(|word| Self::word(word)).collect();
        if terms.is_empty() { words.iter().map(|word| Self::word(word)).collect() } else { terms }
    }

    /// The first bytes behind those that begin with this one.
    fn end(&self) -> Vec<u8> {
        let mut end = self.bytes.clone();
        while let Some(last) = end.pop() {
            if last < u8::MAX {
                end.push(last + 1);
                break;
            }
        }
        end
    }
}

/// A condition on the texts of rows not yet in the index, that holds wherever the word
/// stands: `sql` has the form `(LOWER(a) LIKE ? ESCAPE '!' OR …)`.
pub(super) fn may_have_word(sql: &'static str, word: &str) -> Option<super::log::Condition> {
    // Beyond ASCII the databases disagree about case.
    word.is_ascii().then(|| super::log::Condition(sql, Value::Text(format!("%{word}%"))))
}
