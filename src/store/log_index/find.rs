//! One page of a list of the log, by the index where there is one.
//!
//! Promises: newest first, by id; what a page costs is bounded whatever is asked for: it
//! ends early, with a place to go on from, when its effort is spent. That happens only
//! where a condition that is in no index rules out tens of thousands of rows.

use super::super::log::{AnyRow, Condition, PageKey, Slice, Statement, Value};
use super::super::{Store, StoreError};
use super::blocks::BlockRow;
use super::ids::BlockIds;
use super::postings::Rows;
use super::{List, Term};

/// How many rows are compared at once.
const WINDOW: i64 = 5_000;
/// What a page may cost: a row compared in passing is 1. It comes to about 150 ms.
const EFFORT: i64 = 40_000;
/// What it costs to fetch and compare one row by its id.
const FETCH: i64 = 3;
/// What it costs to read ids of a block.
const READ_IDS: i64 = 20;
/// How many blocks are looked into at once.
const BLOCKS: std::ops::RangeInclusive<i64> = 1..=256;
/// How many terms are looked up beside each other, each on a connection of its own.
const AT_ONCE: usize = 2;
/// How many sets may be read at once before fewer blocks are taken.
const SETS: usize = 1_000;
/// Sorts behind every id.
const LAST_ID: &str = "~";

/// A row of a list.
pub(in crate::store) trait Listed: AnyRow {
    /// Its id.
    fn id(&self) -> &str;

    /// Whether every word stands in its texts.
    fn has_words(&self, words: &[String]) -> bool {
        words.is_empty()
    }
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
    pub list: Option<&'static List>,
    /// A condition that an index of the database serves together with the order by id, and
    /// that leaves few rows.
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
    /// Only rows made in this time, in milliseconds.
    pub made: Option<(i64, i64)>,
}

impl Search {
    /// Reads one page.
    pub async fn read<T: Listed>(&self, store: &Store, page: &PageKey) -> Result<Slice<T>, StoreError> {
        let wanted = page.limit.max(1) as usize;
        let mut reader = Reader { store, search: self, wanted, items: Vec::new(), effort: EFFORT };
        let ceiling = self.ceiling.as_deref().unwrap_or(LAST_ID);
        let below = page.before.as_deref().unwrap_or(LAST_ID).min(ceiling).to_owned();
        let ended = match self.list.filter(|_| self.driver.is_none() && !self.is_plain()) {
            None => reader.scan(self.floor(), below).await?,
            Some(list) => reader.look_up(list, below).await?,
        };
        let mut items = reader.items;
        let next = match ended {
            Ended::Full => {
                items.truncate(wanted);
                items.last().map(|row: &T| row.id().to_owned())
            }
            Ended::Spent(at) => Some(at),
            Ended::Whole => None,
        };
        Ok(Slice { items, next })
    }

    /// Whether every row will do: then the order by id is all it takes.
    fn is_plain(&self) -> bool {
        self.filters.is_empty() && self.words.is_empty()
    }

    fn floor(&self) -> &str {
        self.floor.as_deref().unwrap_or_default()
    }
}

/// Why a page, or a part of it, ended.
enum Ended {
    /// There are as many rows as wanted, and one more.
    Full,
    /// Its effort is spent; everything from this id on was looked at.
    Spent(String),
    /// Everything was looked at.
    Whole,
}

struct Reader<'a, T> {
    store: &'a Store,
    search: &'a Search,
    wanted: usize,
    items: Vec<T>,
    effort: i64,
}

impl<T: Listed> Reader<'_, T> {
    /// Rows that are in no block yet, then block after block.
    async fn look_up(&mut self, list: &'static List, below: String) -> Result<Ended, StoreError> {
        let newest = self.store.log_blocks_before(list, LAST_ID, 1).await?.pop();
        let Some(newest) = newest else { return self.scan(self.search.floor(), below).await };
        let end = format!("{}!", newest.last_id);
        let mut below = below;
        if below > end {
            let low = end.as_str().max(self.search.floor());
            match self.scan(low, below).await? {
                Ended::Whole => below = end.clone(),
                ended => return Ok(ended),
            }
        }
        let mut count = 2;
        loop {
            let blocks = self.store.log_blocks_before(list, &below, count).await?;
            let Some(first) = blocks.first().filter(|block| block.last_id.as_str() >= self.search.floor())
            else {
                return Ok(Ended::Whole);
            };
            if first.stale {
                let low = first.first_id.as_str().max(self.search.floor());
                match self.scan(low, below).await? {
                    Ended::Whole => below = first.first_id.clone(),
                    ended => return Ok(ended),
                }
                continue;
            }
            let run = blocks.iter().take_while(|block| !block.stale).count();
            let (ended, sets) = self.look_into(list, &blocks[..run], &below).await?;
            match ended {
                Ended::Spent(at) if self.effort > 0 => below = at,
                ended => return Ok(ended),
            }
            count = if sets < SETS { count * 4 } else { count / 2 };
            count = count.clamp(*BLOCKS.start(), *BLOCKS.end());
        }
    }

    /// Looks into blocks, newest first. Ends as spent at the first id of the oldest, also
    /// when there is effort left for others. Also how many sets were read.
    async fn look_into(
        &mut self,
        list: &'static List,
        blocks: &[BlockRow],
        below: &str,
    ) -> Result<(Ended, usize), StoreError> {
        let (rows, sets) = self.rows_of(list, blocks).await?;
        let mut candidates = Vec::new();
        for (block, rows) in blocks.iter().zip(rows) {
            if rows.is_empty() || !self.may_hold(block) {
                continue;
            }
            let mut ids = BlockIds::of(self.store, block);
            for row in rows.newest_first() {
                let id = ids.at(row).await?;
                self.effort -= READ_IDS * ids.take_reads();
                let is_asked_for = |id: &String| id.as_str() < below && id.as_str() >= self.search.floor();
                let Some(id) = id.filter(is_asked_for) else { continue };
                candidates.push(id);
                if candidates.len() >= self.at_once()
                    && let Some(ended) = self.fetch(&mut candidates).await?
                {
                    return Ok((ended, sets));
                }
            }
        }
        if let Some(ended) = self.fetch(&mut candidates).await? {
            return Ok((ended, sets));
        }
        let at = blocks.last().map(|block| block.first_id.clone()).unwrap_or_default();
        Ok((Ended::Spent(at), sets))
    }

    /// The rows of each block that may be meant.
    async fn rows_of(
        &mut self,
        list: &'static List,
        blocks: &[BlockRow],
    ) -> Result<(Vec<Rows>, usize), StoreError> {
        let all = || blocks.iter().map(|block| Rows::first(block.docs()));
        // What may have changed since the block was written counts for rows that were
        // finished then; the unfinished are all candidates.
        let mut firm: Vec<Rows> = all().collect();
        let mut loose: Vec<Rows> = all().collect();
        let mut unfinished = vec![Rows::none(); blocks.len()];
        for (rows, block) in unfinished.iter_mut().zip(blocks) {
            rows.add_stored(&block.unfinished, block.docs());
        }
        let mut sets = 0;
        for terms in self.search.terms.chunks(AT_ONCE) {
            let found = terms.iter().map(|term| self.store.find_log_term(list, blocks, term));
            let found = futures_util::future::try_join_all(found).await?;
            for (term, (mut found, read)) in terms.iter().zip(found) {
                sets += read;
                self.effort -= i64::try_from(read + blocks.len()).unwrap_or(0);
                let changed = if term.is_loose { &mut loose } else { &mut firm };
                for (rows, block) in changed.iter_mut().zip(blocks) {
                    rows.keep(&found.remove(&block.block).unwrap_or_else(Rows::none));
                }
            }
            if firm.iter().all(Rows::is_empty) {
                break;
            }
        }
        for ((rows, loose), unfinished) in firm.iter_mut().zip(&mut loose).zip(&unfinished) {
            loose.add(unfinished);
            rows.keep(loose);
        }
        Ok((firm, sets))
    }

    fn may_hold(&self, block: &BlockRow) -> bool {
        self.search.made.is_none_or(|(from, to)| block.made_to >= from && block.made_from <= to)
    }

    /// How many rows to fetch at once: about as many as are missing, in powers of two, so
    /// that few different statements are made.
    fn at_once(&self) -> usize {
        (self.wanted + 1 - self.items.len()).next_power_of_two().clamp(16, 256)
    }

    /// Fetches candidates and keeps those that are meant.
    async fn fetch(&mut self, candidates: &mut Vec<String>) -> Result<Option<Ended>, StoreError> {
        let Some(last) = candidates.last().cloned() else { return Ok(None) };
        self.effort -= FETCH * i64::try_from(candidates.len()).unwrap_or(0);
        let Search { doing, table, columns, filters, words, .. } = self.search;
        let mut statement = Statement::default();
        statement.push(&["SELECT ", columns, " FROM ", table]);
        statement.push_where(filters);
        statement.push(&[if filters.is_empty() { " WHERE " } else { " AND " }, "id IN (VALUES "]);
        let places = candidates.len().next_power_of_two();
        candidates.resize(places, last.clone());
        for (n, id) in candidates.drain(..).enumerate() {
            statement.push_bound(if n == 0 { "(?)" } else { ", (?)" }, Value::Text(id));
        }
        statement.push(&[") ORDER BY id DESC"]);
        let rows: Vec<T> = statement.fetch(self.store, doing).await?;
        self.items.extend(rows.into_iter().filter(|row| words.is_empty() || row.has_words(words)));
        Ok(match (self.items.len() > self.wanted, self.effort <= 0) {
            (true, _) => Some(Ended::Full),
            (false, true) => Some(Ended::Spent(last)),
            (false, false) => None,
        })
    }

    /// Compares the rows of a range of ids one by one, window by window.
    async fn scan(&mut self, low: &str, below: String) -> Result<Ended, StoreError> {
        let mut below = below;
        loop {
            // One more than wanted tells whether there are more.
            let missing = self.wanted + 1 - self.items.len();
            let window = Window::new(self.search, low, &below);
            let rows = window.rows::<T>(self.store, missing).await?;
            let is_whole = rows.len() < missing;
            let last = rows.last().map(|row| row.id().to_owned());
            let words = &self.search.words;
            self.items.extend(rows.into_iter().filter(|row| words.is_empty() || row.has_words(words)));
            if self.items.len() > self.wanted {
                return Ok(Ended::Full);
            }
            let end = if is_whole { window.end(self.store).await? } else { last };
            let Some(end) = end else { return Ok(Ended::Whole) };
            self.effort -= if is_whole { WINDOW } else { FETCH * i64::try_from(missing).unwrap_or(0) };
            if self.effort <= 0 {
                return Ok(Ended::Spent(end));
            }
            below = end;
        }
    }
}

/// So many rows of a range, of which the conditions choose.
struct Window<'a> {
    search: &'a Search,
    drivers: Vec<Condition>,
    filters: Vec<Condition>,
}

impl<'a> Window<'a> {
    fn new(search: &'a Search, low: &str, below: &str) -> Self {
        let mut drivers: Vec<Condition> = search.driver.iter().cloned().collect();
        if !low.is_empty() {
            drivers.push(Condition("id >= ?", Value::Text(low.to_owned())));
        }
        if below != LAST_ID {
            drivers.push(Condition("id < ?", Value::Text(below.to_owned())));
        }
        let filters = search.filters.iter().chain(&search.hints).cloned().collect();
        Self { search, drivers, filters }
    }

    async fn rows<T: AnyRow>(&self, store: &Store, limit: usize) -> Result<Vec<T>, StoreError> {
        let Search { doing, table, columns, filter_columns, .. } = self.search;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = Statement::default();
        statement.push(&["SELECT ", columns, " FROM ", table]);
        if self.filters.is_empty() {
            statement.push_where(&self.drivers);
        } else {
            statement.push(&[" WHERE id IN (SELECT id FROM (SELECT id, ", filter_columns, " FROM ", table]);
            statement.push_where(&self.drivers);
            statement.push_newest(WINDOW);
            statement.push(&[") AS w"]);
            statement.push_where(&self.filters);
            statement.push_newest(limit);
            statement.push(&[")"]);
        }
        statement.push_newest(limit);
        statement.fetch(store, doing).await
    }

    /// The id of the window's last row, when there are rows beyond it. Without filters every
    /// row was taken, and too few of them means the end.
    async fn end(&self, store: &Store) -> Result<Option<String>, StoreError> {
        if self.filters.is_empty() {
            return Ok(None);
        }
        let mut statement = Statement::default();
        statement.push(&["SELECT COUNT(*), MIN(id) FROM (SELECT id FROM ", self.search.table]);
        statement.push_where(&self.drivers);
        statement.push_newest(WINDOW);
        statement.push(&[") AS w"]);
        let rows: Vec<(i64, Option<String>)> = statement.fetch(store, self.search.doing).await?;
        Ok(rows.into_iter().next().and_then(|(count, last)| last.filter(|_| count >= WINDOW)))
    }
}
