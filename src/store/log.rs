//! Reading the log: what the API shows of notifications, incidents and events.
//!
//! The rows here are the documents of the API: they carry words and moments as the reader
//! sees them, not the types that triage and dispatch work with.
//!
//! Promises: newest first, by id (ids rise with time), by keyset; the work of one page is
//! bounded however many rows there are and whatever is asked for. One condition, the most
//! selective that has an index, drives the search; the others look at windows of the rows
//! it yields, and after so many windows the page ends early with a place to go on from.

use serde::{Serialize, Serializer};
use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, FromRow};

use super::error::Doing as _;
use super::{Store, StoreError};
use crate::domain::clock::Timestamp;

/// How many rows one window has.
const WINDOW: i64 = 5_000;
/// How many windows one page may look at.
const MAX_WINDOWS: usize = 8;
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

/// JSON as it was stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::Type, utoipa::ToSchema)]
#[sqlx(transparent)]
#[schema(value_type = Object)]
pub struct StoredJson(String);

impl StoredJson {
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

    /// A search for a text within other texts; `sql` has the form `LOWER(c) LIKE LOWER(?) ESCAPE '!'`.
    pub fn contains(sql: &'static str, text: Option<&String>) -> Option<Self> {
        let escaped = text?.replace('!', "!!").replace('%', "!%").replace('_', "!_");
        Some(Self(sql, Value::Text(format!("%{escaped}%"))))
    }

    /// A moment's condition.
    pub fn moment(sql: &'static str, at: Option<Timestamp>) -> Option<Self> {
        at.map(|at| Self(sql, Value::Number(at.as_millis())))
    }

    /// Rows made at `since` or later: ids never name an earlier moment than that at which
    /// they were made, so the primary key can be used.
    pub fn made_since(since: Option<Timestamp>) -> Option<Self> {
        since.map(|at| Self("id >= ?", Value::Text(lowest_id(at))))
    }

    /// Leaves out what was surely made after `until`; the exact moment is for another
    /// condition to check.
    pub fn made_until(until: Option<Timestamp>) -> Option<Self> {
        until.map(|at| Self("id < ?", Value::Text(lowest_id(at.plus(CLOCK_SLACK)))))
    }
}

/// The lowest id of the millisecond `at`.
fn lowest_id(at: Timestamp) -> String {
    let millis = u64::try_from(at.as_millis()).unwrap_or(0).min((1 << 48) - 1);
    format!("{:08x}-{:04x}-0000-0000-000000000000", millis >> 16, millis & 0xFFFF)
}

/// A list to be read.
pub(super) struct Scan {
    /// What is attempted, for errors.
    pub doing: &'static str,
    /// The table; it has an `id`.
    pub table: &'static str,
    /// What to select.
    pub columns: &'static str,
    /// Every column that `filters` mention.
    pub filter_columns: &'static str,
    /// Conditions that an index serves together with the order by id: one equality and
    /// bounds of the id.
    pub drivers: Vec<Condition>,
    /// The other conditions.
    pub filters: Vec<Condition>,
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

impl Scan {
    /// Splits conditions into the first, which drives, and the rest. They come in the order
    /// of how few rows each may be expected to leave.
    pub fn split(candidates: Vec<Condition>) -> (Option<Condition>, Vec<Condition>) {
        let mut candidates = candidates.into_iter();
        (candidates.next(), candidates.collect())
    }

    /// Reads one page. `id_of` gives the id of a row.
    pub async fn read<T: AnyRow>(
        self,
        store: &Store,
        page: &PageKey,
        id_of: fn(&T) -> &str,
    ) -> Result<Slice<T>, StoreError> {
        let wanted = page.limit.max(1) as usize;
        let mut items: Vec<T> = Vec::new();
        let mut before = page.before.clone();
        for _ in 0..MAX_WINDOWS {
            // One more than wanted tells whether there are more.
            let missing = wanted + 1 - items.len();
            let window = self.window(before.as_deref());
            items.extend(window.rows::<T>(store, missing).await?);
            if items.len() > wanted {
                items.truncate(wanted);
                let next = items.last().map(|row| id_of(row).to_owned());
                return Ok(Slice { items, next });
            }
            let Some(end) = window.end(store).await? else {
                return Ok(Slice { items, next: None });
            };
            before = Some(end);
        }
        Ok(Slice { items, next: before })
    }

    fn window(&self, before: Option<&str>) -> Window<'_> {
        let mut drivers = self.drivers.clone();
        drivers.extend(before.map(|id| Condition("id < ?", Value::Text(id.to_owned()))));
        Window { scan: self, drivers }
    }
}

/// So many rows of the driving conditions, of which the others choose.
struct Window<'a> {
    scan: &'a Scan,
    drivers: Vec<Condition>,
}

impl Window<'_> {
    async fn rows<T: AnyRow>(&self, store: &Store, limit: usize) -> Result<Vec<T>, StoreError> {
        let Scan { doing, table, columns, filter_columns, filters, .. } = self.scan;
        let mut statement = Statement::default();
        if filters.is_empty() {
            statement.push(&["SELECT ", columns, " FROM ", table]);
            statement.push_where(&self.drivers);
        } else {
            statement.push(&[
                "SELECT ",
                columns,
                " FROM ",
                table,
                " WHERE id IN (SELECT id FROM (SELECT id, ",
            ]);
            statement.push(&[filter_columns, " FROM ", table]);
            statement.push_where(&self.drivers);
            statement.push_newest(WINDOW);
            statement.push(&[") AS w"]);
            statement.push_where(filters);
            statement.push_newest(i64::try_from(limit).unwrap_or(i64::MAX));
            statement.push(&[")"]);
        }
        statement.push_newest(i64::try_from(limit).unwrap_or(i64::MAX));
        statement.fetch(store, doing).await
    }

    /// The id of the window's last row, when there are rows beyond it. Without filters every
    /// row was taken, and too few of them means the end.
    async fn end(&self, store: &Store) -> Result<Option<String>, StoreError> {
        if self.scan.filters.is_empty() {
            return Ok(None);
        }
        let mut statement = Statement::default();
        statement.push(&["SELECT COUNT(*), MIN(id) FROM (SELECT id FROM ", self.scan.table]);
        statement.push_where(&self.drivers);
        statement.push_newest(WINDOW);
        statement.push(&[") AS w"]);
        let rows: Vec<(i64, Option<String>)> = statement.fetch(store, self.scan.doing).await?;
        Ok(rows.into_iter().next().and_then(|(count, last)| last.filter(|_| count >= WINDOW)))
    }
}

/// A statement put together from static texts; every value is bound.
#[derive(Default)]
struct Statement {
    sql: String,
    values: Vec<Value>,
}

impl Statement {
    fn push(&mut self, parts: &[&'static str]) {
        self.sql.extend(parts.iter().copied());
    }

    fn push_where(&mut self, conditions: &[Condition]) {
        for (n, Condition(sql, value)) in conditions.iter().enumerate() {
            self.push(&[if n == 0 { " WHERE " } else { " AND " }]);
            self.push_bound(sql, value.clone());
        }
    }

    fn push_newest(&mut self, limit: i64) {
        self.push_bound(" ORDER BY id DESC LIMIT ?", Value::Number(limit));
    }

    fn push_bound(&mut self, sql: &'static str, value: Value) {
        self.values.push(value);
        self.sql.push_str(&sql.replace('?', &format!("${}", self.values.len())));
    }

    async fn fetch<T: AnyRow>(self, store: &Store, doing: &'static str) -> Result<Vec<T>, StoreError> {
        let Self { sql, values } = self;
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
    fn wildcards_in_a_search_are_plain_characters() {
        let Some(Condition(_, Value::Text(pattern))) =
            Condition::contains("LOWER(a) LIKE LOWER(?) ESCAPE '!'", Some(&"50%_off!".to_owned()))
        else {
            panic!("no text")
        };

        assert_eq!(pattern, "%50!%!_off!!%");
    }

    #[test]
    fn statements_hold_placeholders_not_values() {
        let mut statement = Statement::default();
        statement.push(&["SELECT id FROM events"]);
        statement.push_where(&[
            Condition("state = ?", Value::Text("'; DROP TABLE events; --".to_owned())),
            Condition("(a LIKE ? OR b LIKE ?)", Value::Text("%x%".to_owned())),
        ]);
        statement.push_newest(10);

        assert_eq!(
            statement.sql,
            "SELECT id FROM events WHERE state = $1 AND (a LIKE $2 OR b LIKE $2) ORDER BY id DESC LIMIT $3"
        );
    }
}
