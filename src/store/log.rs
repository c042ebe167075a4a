//! Reading the log: what the API shows of notifications, incidents and events.
//!
//! The rows here are the documents of the API: they carry words and moments as the reader
//! sees them, not the types that triage and dispatch work with.
//!
//! Promises: newest first, by id (ids rise with time), by keyset; the work of one page is
//! bounded however many rows there are and whatever is asked for. How a page is found is in
//! [`super::search`].

use serde::{Serialize, Serializer};
use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, FromRow};

use super::error::Doing as _;
use super::{Store, StoreError};
use crate::domain::clock::Timestamp;

/// How far the clock may have been set back without hiding rows from a search by time.
const CLOCK_SLACK: std::time::Duration = std::time::Duration::from_secs(3_600);

/// A moment as the API writes it: RFC 3339, UTC, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::Type, utoipa::ToSchema)]
#[sqlx(transparent)]
#[schema(value_type = String, format = DateTime, example = "2026-08-20T10:00:03.125Z")]
pub struct Moment(i64);

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at.as_millis())
    }
}

impl From<Moment> for Timestamp {
    fn from(moment: Moment) -> Self {
        Self::from_millis(moment.0)
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Timestamp::from(*self).fmt(f)
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// JSON as it was stored. The description of the API says at each field what it holds.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(transparent)]
pub struct StoredJson(String);

impl StoredJson {
    /// The text.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The value; a text that is no JSON is shown as the text it is.
    pub fn value(&self) -> Json {
        serde_json::from_str(&self.0).unwrap_or_else(|_| Json::String(self.0.clone()))
    }
}

impl Serialize for StoredJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

/// Some rows of a list, and where to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice<T> {
    /// Newest first.
    pub items: Vec<T>,
    /// Go on with the rows older than this id; `None` when there are no more.
    pub next: Option<String>,
}

/// Which rows of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageKey {
    /// At most so many, at least one.
    pub limit: u32,
    /// Only rows older than this id.
    pub before: Option<String>,
}

/// Something bound to a statement.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Number(i64),
}

/// A static SQL condition whose every `?` stands for the one value.
#[derive(Clone, Debug)]
pub(super) struct Condition(pub &'static str, pub Value);

impl Condition {
    /// `column = value`, when a value is asked for.
    pub fn equal(sql: &'static str, value: Option<&String>) -> Option<Self> {
        value.map(|text| Self(sql, Value::Text(text.clone())))
    }

    /// A moment's condition.
    pub fn moment(sql: &'static str, at: Option<Timestamp>) -> Option<Self> {
        at.map(|at| Self(sql, Value::Number(at.as_millis())))
    }
}

/// The ids of rows made at `since` or later begin here: they never name an earlier moment
/// than that at which they were made.
pub(super) fn floor_of(since: Option<Timestamp>) -> Option<String> {
    since.map(lowest_id)
}

/// Ids from here on were surely made after `until`; the exact moment is for another
/// condition to check.
pub(super) fn ceiling_of(until: Option<Timestamp>) -> Option<String> {
    until.map(|at| lowest_id(at.plus(CLOCK_SLACK)))
}

/// The lowest id of the millisecond `at`.
pub(super) fn lowest_id(at: Timestamp) -> String {
    let millis = u64::try_from(at.as_millis()).unwrap_or(0).min((1 << 48) - 1);
    format!("{:08x}-{:04x}-0000-0000-000000000000", millis >> 16, millis & 0xFFFF)
}

/// A row that either database can give.
pub(super) trait AnyRow:
    for<'r> FromRow<'r, sqlx::sqlite::SqliteRow>
    + for<'r> FromRow<'r, sqlx::postgres::PgRow>
    + Send
    + Unpin
    + 'static
{
}

impl<T> AnyRow for T where
    T: for<'r> FromRow<'r, sqlx::sqlite::SqliteRow>
        + for<'r> FromRow<'r, sqlx::postgres::PgRow>
        + Send
        + Unpin
        + 'static
{
}

#[cfg(test)]
thread_local! {
    /// Every statement of a list, for the test of how they are run.
    pub(super) static ASKED: std::cell::RefCell<Vec<String>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// A statement put together from static texts; every value is bound.
#[derive(Default)]
pub(super) struct Statement {
    sql: String,
    values: Vec<Value>,
}

impl Statement {
    pub fn push(&mut self, parts: &[&'static str]) {
        self.sql.extend(parts.iter().copied());
    }

    pub fn push_where(&mut self, conditions: &[Condition]) {
        for (n, Condition(sql, value)) in conditions.iter().enumerate() {
            self.push(&[if n == 0 { " WHERE " } else { " AND " }]);
            self.push_bound(sql, value.clone());
        }
    }

    pub fn push_bound(&mut self, sql: &'static str, value: Value) {
        self.values.push(value);
        self.sql.push_str(&sql.replace('?', &format!("${}", self.values.len())));
    }

    pub async fn fetch<T: AnyRow>(self, store: &Store, doing: &'static str) -> Result<Vec<T>, StoreError> {
        let Self { sql, values } = self;
        #[cfg(test)]
        ASKED.with_borrow_mut(|asked| asked.push(sql.clone()));
        with_reader!(store, |conn| {
            // Safe: static texts and numbered placeholders, nothing else.
            let mut query = sqlx::query_as::<_, T>(AssertSqlSafe(sql));
            for value in values {
                query = match value {
                    Value::Text(text) => query.bind(text),
                    Value::Number(number) => query.bind(number),
                };
            }
            query.fetch_all(&mut *conn).await
        })
        .doing(doing)
    }
}

/// Every row of a statement with one text parameter.
pub(super) async fn rows_of<T: AnyRow>(
    store: &Store,
    doing: &'static str,
    sql: &'static str,
    key: &str,
) -> Result<Vec<T>, StoreError> {
    #[cfg(test)]
    ASKED.with_borrow_mut(|asked| asked.push(sql.to_owned()));
    with_reader!(store, |conn| sqlx::query_as::<_, T>(sql).bind(key).fetch_all(&mut *conn).await).doing(doing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_id_sorts_before_every_id_of_its_millisecond() {
        let at = Timestamp::from_millis(0x0199_0c1e_7c53);

        assert_eq!(lowest_id(at), "01990c1e-7c53-0000-0000-000000000000");
        assert!(lowest_id(at).as_str() < "01990c1e-7c53-7000-8000-000000000000");
        assert!(lowest_id(at).as_str() > "01990c1e-7c52-7fff-bfff-ffffffffffff");
        assert_eq!(lowest_id(Timestamp::from_millis(-5)), "00000000-0000-0000-0000-000000000000");
    }

    #[test]
    fn statements_hold_placeholders_not_values() {
        let mut statement = Statement::default();
        statement.push(&["SELECT id FROM events"]);
        statement.push_where(&[
            Condition("state = ?", Value::Text("'; DROP TABLE events; --".to_owned())),
            Condition("(a LIKE ? OR b LIKE ?)", Value::Text("%x%".to_owned())),
        ]);
        statement.push_bound(" ORDER BY id DESC LIMIT ?", Value::Number(10));

        assert_eq!(
            statement.sql,
            "SELECT id FROM events WHERE state = $1 AND (a LIKE $2 OR b LIKE $2) ORDER BY id DESC LIMIT $3"
        );
    }
}
