//! Searching the lists of the log: which notifications and incidents have which values and words.
//!
//! The databases do it: a full-text table of SQLite (FTS5), a `tsvector` with a GIN index on
//! PostgreSQL. A column's own index would have to be paid for by every message on its way, and
//! none of them helps where two conditions leave few rows together. So the terms of a row are
//! written in the background, once the row is finished.
//!
//! Promises: the same answers on both databases. Answers are complete at any moment: the rows
//! that have no terms yet are listed by the database itself (triggers) and compared one by one;
//! every row found is compared with what was asked before it is shown. Nothing here is needed for
//! anything but lists.

pub mod fill;
pub(super) mod page;
#[cfg(test)]
mod plan_tests;
pub(super) mod terms;
pub(super) mod words;

use super::log::Value;
use super::{Pool, Store};

/// A list of the log that can be searched: its table and the tables of its terms.
#[derive(Debug)]
pub(super) struct Index {
    /// The rows' terms.
    pub terms: &'static str,
    /// The rows without terms.
    pub to_index: &'static str,
    /// The statements that write the terms.
    pub fill: &'static fill::Filling,
}

/// The delivery log.
pub(super) const NOTIFICATIONS: Index =
    Index { terms: "notification_terms", to_index: "notifications_to_index", fill: &fill::NOTIFICATIONS };

/// Incidents: of them only what never changes is in the index.
pub(super) const INCIDENTS: Index =
    Index { terms: "incident_terms", to_index: "incidents_to_index", fill: &fill::INCIDENTS };

/// What a list is ordered by, newest first. A key is text wherever it is not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// The column.
    column: &'static str,
    /// The same as text.
    text: &'static str,
    /// `column < ?` and `column >= ?`.
    below: &'static str,
    from: &'static str,
    /// A bound key.
    key: &'static str,
    /// How the table of terms calls it.
    in_terms: &'static str,
}

/// By id: ids rise with time.
pub(super) const BY_ID: Order =
    Order { column: "id", text: "id", below: "id < ?", from: "id >= ?", key: "(?)", in_terms: "id" };

/// By the number that SQLite gives each row when it is written, which its index knows rows by.
pub(super) const BY_NUMBER: Order = Order {
    column: "number",
    text: "CAST(number AS TEXT)",
    below: "number < CAST(? AS INTEGER)",
    from: "number >= CAST(? AS INTEGER)",
    key: "(CAST(? AS INTEGER))",
    in_terms: "rowid",
};

impl Order {
    /// The order of a list: those without an index have no numbers.
    fn of(store: &Store, index: Option<&Index>) -> Self {
        match (&store.pool, index) {
            (Pool::Sqlite { .. }, Some(_)) => BY_NUMBER,
            _ => BY_ID,
        }
    }

    /// Whether one key stands before another.
    fn is_lower(self, one: &str, other: &str) -> bool {
        if self == BY_NUMBER {
            let number = |key: &str| key.parse::<i64>().unwrap_or_default();
            return number(one) < number(other);
        }
        one < other
    }
}

/// A condition on the texts of rows not yet in the index, that holds wherever the word
/// stands: `sql` has the form `(LOWER(a) LIKE ? ESCAPE '!' OR …)`.
pub(super) fn may_have_word(sql: &'static str, word: &str) -> Option<super::log::Condition> {
    // Beyond ASCII the databases disagree about case.
    word.is_ascii().then(|| super::log::Condition(sql, Value::Text(format!("%{word}%"))))
}
