//! One page of a list of the log, by the index where it helps.
//!
//! Promises: newest first; what a page costs is bounded whatever is asked for: it ends early,
//! with a place to go on from, when its effort is spent. That happens only where a condition that
//! is in no index rules out tens of thousands of rows.

use sqlx::FromRow;

use super::super::dialect::Dialect;
use super::super::log::{AnyRow, Condition, PageKey, Slice, Statement, Value};
use super::super::{Pool, Store, StoreError};
use super::terms::{Term, expression};
use super::{Index, Order};

/// How many rows are compared at once.
const WINDOW: i64 = 5_000;
/// How many of PostgreSQL's newest rows are looked through before its index is asked: what is
/// common is found there, and the index would sort all of it.
const NEWEST: i64 = 20_000;
/// What a page may cost: a row compared in passing is 1. It comes to about 150 ms.
const EFFORT: i64 = 40_000;
/// What it costs to fetch and compare one row by its key.
const FETCH: i64 = 3;
/// How many keys are read from the index at once.
const KEYS: std::ops::RangeInclusive<usize> = 64..=1_024;
/// How many rows by id are looked through for a bound by number: rows are not written in the
/// very order of their ids.
const NEIGHBOURS: i64 = 1_000;

/// A row of a list.
pub(in crate::store) trait Listed: AnyRow {
    /// Whether every word stands in its texts.
    fn has_words(&self, words: &[String]) -> bool {
        words.is_empty()
    }
}

/// A row with its key.
#[derive(FromRow)]
struct Keyed<T> {
    #[sqlx(flatten)]
    row: T,
    list_key: String,
}

/// What is asked of a list.
#[derive(Default)]
pub(in crate::store) struct Search {
    /// What is attempted, for errors.
    pub doing: &'static str,
    /// The table; it has an `id`.
    pub table: &'static str,
    /// What to select.
    pub columns: &'static str,
    /// Every column that `filters` and `hints` mention.
    pub filter_columns: &'static str,
    /// The index of the list; without it, or with a driver, rows are compared one by one.
    pub index: Option<&'static Index>,
    /// A condition that an index of the database serves together with the order, and that leaves
    /// few rows.
    pub driver: Option<Condition>,
    /// The other conditions.
    pub filters: Vec<Condition>,
    /// Conditions that hold wherever the words stand: they spare comparing most rows.
    pub hints: Vec<Condition>,
    /// Terms of the index that hold for every row asked for.
    pub terms: Vec<Term>,
    /// Words that stand in the row's texts.
    pub words: Vec<String>,
    /// Only ids from here on.
    pub floor: Option<String>,
    /// Only ids below.
    pub ceiling: Option<String>,
}

impl Search {
    /// Reads one page.
    pub async fn read<T: Listed>(&self, store: &Store, page: &PageKey) -> Result<Slice<T>, StoreError> {
        let order = Order::of(store, self.index);
        let nothing = Slice { items: Vec::new(), next: None };
        let Some(range) = self.range(store, order, page).await? else { return Ok(nothing) };
        let wanted = page.limit.max(1) as usize;
        let mut reader = Reader { store, search: self, order, wanted, items: Vec::new(), effort: EFFORT };
        let by_terms = self.index.filter(|_| self.driver.is_none() && !self.terms.is_empty());
        let ended = match by_terms {
            None => reader.scan(range).await?,
            Some(index) => reader.look_up(index, range).await?,
        };
        let mut items: Vec<Keyed<T>> = reader.items;
        let next = match ended {
            Ended::Full => {
                items.truncate(wanted);
                items.last().map(|row| row.list_key.clone())
            }
            Ended::Spent(at) => Some(at),
            Ended::Whole => None,
        };
        Ok(Slice { items: items.into_iter().map(|keyed| keyed.row).collect(), next })
    }

    /// The keys asked for; `None` when there can be none.
    async fn range(&self, store: &Store, order: Order, page: &PageKey) -> Result<Option<Range>, StoreError> {
        let mut range = Range { from: self.floor.clone(), below: self.ceiling.clone() };
        if order == super::BY_NUMBER {
            if let Some(floor) = &self.floor {
                let from = self.neighbour(store, &["MIN(number)"], "id >= ?", " ORDER BY id", floor).await?;
                let Some(from) = from else { return Ok(None) };
                range.from = Some(from);
            }
            if let Some(ceiling) = &self.ceiling {
                let below = self
                    .neighbour(store, &["MAX(number) + 1"], "id < ?", " ORDER BY id DESC", ceiling)
                    .await?;
                let Some(below) = below else { return Ok(None) };
                range.below = Some(below);
            }
        }
        if let Some(before) = &page.before {
            range.below = Some(match range.below.take() {
                Some(below) if order.is_lower(&below, before) => below,
                _ => before.clone(),
            });
        }
        Ok(Some(range))
    }

    /// The lowest or highest number near an id.
    async fn neighbour(
        &self,
        store: &Store,
        wanted: &[&'static str],
        bound: &'static str,
        order: &'static str,
        id: &str,
    ) -> Result<Option<String>, StoreError> {
        let mut statement = Statement::default();
        statement.push(&["SELECT CAST("]);
        statement.push(wanted);
        statement.push(&[" AS TEXT) FROM (SELECT number FROM ", self.table, " WHERE "]);
        statement.push_bound(bound, Value::Text(id.to_owned()));
        statement.push(&[order]);
        statement.push_bound(" LIMIT ?) AS n", Value::Number(NEIGHBOURS));
        let rows: Vec<(Option<String>,)> = statement.fetch(store, self.doing).await?;
        Ok(rows.into_iter().next().and_then(|(number,)| number))
    }
}

/// Keys from one on and below another.
#[derive(Clone, Debug, Default)]
struct Range {
    from: Option<String>,
    below: Option<String>,
}

impl Range {
    fn conditions(&self, order: Order) -> Vec<Condition> {
        let from = self.from.as_ref().map(|key| Condition(order.from, Value::Text(key.clone())));
        let below = self.below.as_ref().map(|key| Condition(order.below, Value::Text(key.clone())));
        from.into_iter().chain(below).collect()
    }
}

/// Why a page, or a part of it, ended.
enum Ended {
    /// There are as many rows as wanted, and one more.
    Full,
    /// Its effort is spent; everything from this key on was looked at.
    Spent(String),
    /// Everything was looked at.
    Whole,
}

struct Reader<'a, T> {
    store: &'a Store,
    search: &'a Search,
    order: Order,
    wanted: usize,
    items: Vec<Keyed<T>>,
    effort: i64,
}

impl<T: Listed> Reader<'_, T> {
    /// Rows by their terms, and beside them those that have none yet.
    async fn look_up(&mut self, index: &'static Index, mut range: Range) -> Result<Ended, StoreError> {
        let mut count = self.missing().next_power_of_two().clamp(*KEYS.start(), *KEYS.end());
        loop {
            let keys = self.keys(index, &range, count).await?;
            let mut part = range.clone();
            let mut is_whole = keys.len() < count;
            if !is_whole {
                part.from = keys.last().cloned();
            }
            if let Some(low) = self.end_of_waiting(index, &part).await? {
                part.from = Some(low);
                is_whole = false;
            }
            let limit = self.missing();
            let rows = self.fetch(index, &keys, &part, limit).await?;
            let is_cut = rows.len() == limit;
            let last = rows.last().map(|row| row.list_key.clone());
            self.effort -= FETCH * i64::try_from(keys.len() + rows.len()).unwrap_or(EFFORT);
            if self.take(rows) {
                return Ok(Ended::Full);
            }
            // What was not fetched for want of room comes next.
            let end = if is_cut { last } else { part.from.filter(|_| !is_whole) };
            let Some(end) = end else { return Ok(Ended::Whole) };
            if self.effort <= 0 {
                return Ok(Ended::Spent(end));
            }
            range.below = Some(end);
            count = (count * 2).min(*KEYS.end());
        }
    }

    /// The newest keys of rows that have all terms.
    async fn keys(&mut self, index: &Index, range: &Range, count: usize) -> Result<Vec<String>, StoreError> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let keys: Vec<(String,)> = match self.store.pool {
            Pool::Sqlite { .. } => {
                self.matches(index, range, count).fetch(self.store, self.search.doing).await?
            }
            Pool::Postgres(_) => {
                let newest = self.among_newest(index, range, count);
                let found: Vec<(String,)> = newest.fetch(self.store, self.search.doing).await?;
                self.effort -= WINDOW;
                if found.len() as i64 == count {
                    found
                } else {
                    self.matches(index, range, count).fetch(self.store, self.search.doing).await?
                }
            }
        };
        Ok(keys.into_iter().map(|(key,)| key).collect())
    }

    /// SQLite's index gives rows in their order; PostgreSQL's gives all of them, and must not be
    /// passed over for the order's sake.
    fn matches(&self, index: &Index, range: &Range, count: i64) -> Statement {
        let Order { in_terms, .. } = self.order;
        let mut statement = Statement::default();
        match self.store.pool {
            Pool::Sqlite { .. } => {
                statement.push(&["SELECT CAST(rowid AS TEXT) FROM ", index.terms, " WHERE ", index.terms]);
                statement.push_bound(" MATCH ?", self.expression(Dialect::Sqlite));
            }
            Pool::Postgres(_) => {
                statement.push(&["WITH m AS MATERIALIZED (SELECT id FROM ", index.terms, " WHERE "]);
                statement.push_bound("terms @@ CAST(? AS tsquery)", self.expression(Dialect::Postgres));
                statement.push(&[") SELECT id FROM m WHERE TRUE"]);
            }
        }
        self.push_range(&mut statement, range, in_terms);
        statement.push(&[" ORDER BY ", in_terms, " DESC"]);
        statement.push_bound(" LIMIT ?", Value::Number(count));
        statement
    }

    fn among_newest(&self, index: &Index, range: &Range, count: i64) -> Statement {
        let mut statement = Statement::default();
        statement.push(&["SELECT id FROM (SELECT id, terms FROM ", index.terms, " WHERE TRUE"]);
        self.push_range(&mut statement, range, "id");
        statement.push_bound(" ORDER BY id DESC LIMIT ?) AS newest", Value::Number(NEWEST));
        statement.push_bound(" WHERE terms @@ CAST(? AS tsquery)", self.expression(Dialect::Postgres));
        statement.push_bound(" ORDER BY id DESC LIMIT ?", Value::Number(count));
        statement
    }

    fn expression(&self, dialect: Dialect) -> Value {
        Value::Text(expression(dialect, &self.search.terms))
    }

    fn push_range(&self, statement: &mut Statement, range: &Range, column: &'static str) {
        for (key, sign) in [(&range.from, " >= "), (&range.below, " < ")] {
            if let Some(key) = key {
                statement.push(&[" AND ", column, sign]);
                statement.push_bound(self.order.key, Value::Text(key.clone()));
            }
        }
    }

    /// Where the rows without terms must be cut off, when there are too many for one look.
    async fn end_of_waiting(&mut self, index: &Index, range: &Range) -> Result<Option<String>, StoreError> {
        let Order { column, .. } = self.order;
        let mut statement = Statement::default();
        statement.push(&["SELECT COUNT(*), CAST(MIN(", column, ") AS TEXT) FROM (SELECT ", column, " FROM "]);
        statement.push(&[index.to_index, " WHERE TRUE"]);
        self.push_range(&mut statement, range, column);
        statement.push(&[" ORDER BY ", column, " DESC"]);
        statement.push_bound(" LIMIT ?) AS w", Value::Number(WINDOW));
        let rows: Vec<(i64, Option<String>)> = statement.fetch(self.store, self.search.doing).await?;
        let Some((count, low)) = rows.into_iter().next() else { return Ok(None) };
        self.effort -= count;
        Ok(low.filter(|_| count >= WINDOW))
    }

    /// Of the rows of these keys, and those without terms, the newest that are meant.
    async fn fetch(
        &self,
        index: &Index,
        keys: &[String],
        range: &Range,
        limit: usize,
    ) -> Result<Vec<Keyed<T>>, StoreError> {
        let Search { doing, table, columns, filters, hints, .. } = self.search;
        let Order { column, text, key, .. } = self.order;
        let mut statement = Statement::default();
        statement.push(&["SELECT ", columns, ", ", text, " AS list_key FROM ", table]);
        let conditions: Vec<Condition> = filters.iter().chain(hints).cloned().collect();
        statement.push_where(&conditions);
        statement.push(&[if conditions.is_empty() { " WHERE " } else { " AND " }, column, " IN ("]);
        // In powers of two, so that few different statements are made.
        let places = if keys.is_empty() { 0 } else { keys.len().next_power_of_two() };
        for n in 0..places {
            statement.push(&[if n == 0 { "SELECT * FROM (VALUES " } else { ", " }]);
            statement.push_bound(key, Value::Text(keys[n.min(keys.len() - 1)].clone()));
        }
        statement.push(&[if places == 0 { "SELECT " } else { ") AS keys UNION ALL SELECT " }]);
        statement.push(&[column, " FROM ", index.to_index, " WHERE TRUE"]);
        self.push_range(&mut statement, range, column);
        statement.push(&[")"]);
        self.push_range(&mut statement, range, column);
        statement.push(&[" ORDER BY ", column, " DESC"]);
        statement.push_bound(" LIMIT ?", Value::Number(i64::try_from(limit).unwrap_or(i64::MAX)));
        statement.fetch(self.store, doing).await
    }

    /// Takes those that have the words; whether there are as many as wanted, and one more.
    fn take(&mut self, rows: Vec<Keyed<T>>) -> bool {
        let words = &self.search.words;
        self.items.extend(rows.into_iter().filter(|keyed| words.is_empty() || keyed.row.has_words(words)));
        self.items.len() > self.wanted
    }

    /// One more than wanted tells whether there are more.
    fn missing(&self) -> usize {
        self.wanted + 1 - self.items.len()
    }

    /// Compares the rows of a range one by one, window by window.
    async fn scan(&mut self, mut range: Range) -> Result<Ended, StoreError> {
        loop {
            let missing = self.missing();
            let window = Window::new(self.search, self.order, &range);
            let rows = window.rows::<T>(self.store, missing).await?;
            let is_whole = rows.len() < missing;
            let last = rows.last().map(|row| row.list_key.clone());
            if self.take(rows) {
                return Ok(Ended::Full);
            }
            let end = if is_whole { window.end(self.store).await? } else { last };
            let Some(end) = end else { return Ok(Ended::Whole) };
            self.effort -= if is_whole { WINDOW } else { FETCH * i64::try_from(missing).unwrap_or(0) };
            if self.effort <= 0 {
                return Ok(Ended::Spent(end));
            }
            range.below = Some(end);
        }
    }
}

/// So many rows of a range, of which the conditions choose.
struct Window<'a> {
    search: &'a Search,
    order: Order,
    drivers: Vec<Condition>,
    filters: Vec<Condition>,
}

impl<'a> Window<'a> {
    fn new(search: &'a Search, order: Order, range: &Range) -> Self {
        let drivers = search.driver.iter().cloned().chain(range.conditions(order)).collect();
        let filters = search.filters.iter().chain(&search.hints).cloned().collect();
        Self { search, order, drivers, filters }
    }

    async fn rows<T: AnyRow>(&self, store: &Store, limit: usize) -> Result<Vec<Keyed<T>>, StoreError> {
        let Search { doing, table, columns, filter_columns, .. } = self.search;
        let Order { column, text, .. } = self.order;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = Statement::default();
        statement.push(&["SELECT ", columns, ", ", text, " AS list_key FROM ", table]);
        if self.filters.is_empty() {
            statement.push_where(&self.drivers);
        } else {
            statement.push(&[" WHERE ", column, " IN (SELECT ", column, " FROM (SELECT ", column, ", "]);
            statement.push(&[filter_columns, " FROM ", table]);
            statement.push_where(&self.drivers);
            self.push_newest(&mut statement, WINDOW);
            statement.push(&[") AS w"]);
            statement.push_where(&self.filters);
            self.push_newest(&mut statement, limit);
            statement.push(&[")"]);
        }
        self.push_newest(&mut statement, limit);
        statement.fetch(store, doing).await
    }

    /// The key of the window's last row, when there are rows beyond it. Without filters every
    /// row was taken, and too few of them means the end.
    async fn end(&self, store: &Store) -> Result<Option<String>, StoreError> {
        if self.filters.is_empty() {
            return Ok(None);
        }
        let Order { column, .. } = self.order;
        let mut statement = Statement::default();
        statement.push(&["SELECT COUNT(*), CAST(MIN(", column, ") AS TEXT) FROM (SELECT ", column, " FROM "]);
        statement.push(&[self.search.table]);
        statement.push_where(&self.drivers);
        self.push_newest(&mut statement, WINDOW);
        statement.push(&[") AS w"]);
        let rows: Vec<(i64, Option<String>)> = statement.fetch(store, self.search.doing).await?;
        Ok(rows.into_iter().next().and_then(|(count, last)| last.filter(|_| count >= WINDOW)))
    }

    fn push_newest(&self, statement: &mut Statement, limit: i64) {
        statement.push(&[" ORDER BY ", self.order.column, " DESC"]);
        statement.push_bound(" LIMIT ?", Value::Number(limit));
    }
}
