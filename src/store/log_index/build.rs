//! Writing the index: new rows into new blocks, small blocks into full ones, and again
//! those whose rows have changed since.
//!
//! Each step is a few short transactions, so that whoever accepts events waits for none of
//! them for long. A step that is cut off leaves a block that nobody reads and that a later
//! step deletes.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::FromRow;

use super::super::error::Doing as _;
use super::super::log::lowest_id;
use super::super::{Pool, Store, StoreError};
use super::blocks::{BlockRow, NewBlock, StoredTerm};
use super::ids::{BlockIds, ID_BYTES};
use super::postings::{self, BLOCK};
use super::words::each_word;
use super::{Field, LISTS, List};
use crate::domain::clock::Timestamp;

/// How many rows a block is made of: some places are left for rows that come late.
const FULL: usize = BLOCK - 192;
/// Fewer rows are not worth a block: they are compared one by one as fast.
const FEWEST: usize = 512;
/// How old a row must be: one with a lower id may be under way until then.
const LAG: Duration = Duration::from_secs(10);
/// How old, until its block is looked at again: for rows that came even later, from a
/// machine whose clock is behind.
const SETTLED: Duration = Duration::from_secs(600);
/// How long until an unfinished block is looked at again.
const AGAIN: Duration = Duration::from_secs(300);
/// How long after it was dropped somebody may still be reading a block.
const READ_UNTIL: Duration = Duration::from_secs(60);
/// How long a turn lasts when its holder does not end it.
const TURN: Duration = Duration::from_secs(120);
/// This many new rows within `RECENT` is fast growth.
const FAST: usize = 5_000;
const RECENT: Duration = Duration::from_secs(5);
/// How many rows are read at once.
const CHUNK: i64 = 256;
/// How many terms one transaction writes.
pub(super) const TERMS_AT_ONCE: usize = 2_048;

/// A row as the index sees it.
#[derive(FromRow)]
struct SourceRow {
    id: String,
    created_at: i64,
    is_unfinished: bool,
    state: String,
    channel: String,
    severity: String,
    entry: String,
    alertname: String,
    dedup_key: String,
    reason: String,
    preview: Option<String>,
}

/// The texts of a rendered message that are searched: not its wire form.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Preview {
    title: Option<String>,
    text: Option<String>,
}

/// The searched texts of a rendered message, as stored.
pub(in crate::store) fn texts_of(preview: Option<&str>) -> [String; 2] {
    let preview: Preview = preview.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    [preview.title.unwrap_or_default(), preview.text.unwrap_or_default()]
}

impl Store {
    /// Takes the turn of writing the index: on PostgreSQL one replica does it for all.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_log_index_round(&self, now: Timestamp) -> Result<bool, StoreError> {
        match self.pool {
            Pool::Sqlite { .. } => Ok(true),
            Pool::Postgres(_) => self.take_log_index_turn(now, now.plus(TURN)).await,
        }
    }

    /// Ends the turn.
    ///
    /// # Errors
    /// When the database does not answer; then the turn ends by itself.
    pub async fn end_log_index_round(&self) -> Result<(), StoreError> {
        match self.pool {
            Pool::Sqlite { .. } => Ok(()),
            Pool::Postgres(_) => {
                let beginning = Timestamp::from_millis(0);
                self.take_log_index_turn(Timestamp::from_millis(i64::MAX), beginning).await.map(|_| ())
            }
        }
    }

    /// Whether so many messages are written now that writing the index should wait.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn log_grows_fast(&self, now: Timestamp) -> Result<bool, StoreError> {
        let recent = self.range(&super::NOTIFICATIONS, &lowest_id(now.minus(RECENT)), LAST_ID).await?;
        Ok(recent.is_some_and(|(count, ..)| count >= FAST))
    }

    /// Brings the log's index one step further. Whether there was anything to do.
    ///
    /// # Errors
    /// When the database does not answer or a row is unreadable.
    pub async fn index_log(&self, now: Timestamp) -> Result<bool, StoreError> {
        for list in LISTS {
            if self.purge_log_block(list, now.minus(READ_UNTIL)).await?
                || self.forget_old_block(list, now).await?
                || self.settle_blocks(list, now).await?
                || self.append_block(list, now).await?
                || self.join_blocks(list, now).await?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Drops the oldest block when none of its rows is left.
    async fn forget_old_block(&self, list: &'static List, now: Timestamp) -> Result<bool, StoreError> {
        let Some(block) = self.oldest_log_block(list).await? else { return Ok(false) };
        let (oldest,): (Option<String>,) =
            with_reader!(self, |conn| sqlx::query_as(list.oldest).fetch_one(&mut *conn).await)
                .doing("find the oldest row of the log")?;
        if oldest.is_some_and(|id| id <= block.last_id) {
            return Ok(false);
        }
        self.drop_log_block(block.block, now).await?;
        Ok(true)
    }

    /// Writes the oldest rows that are in no block into one.
    async fn append_block(&self, list: &'static List, now: Timestamp) -> Result<bool, StoreError> {
        let newest = self.log_blocks_before(list, LAST_ID, 1).await?.pop();
        let above = newest.map(|block| block.last_id).unwrap_or_default();
        let Some((count, first, last)) = self.range(list, &above, &lowest_id(now.minus(LAG))).await? else {
            return Ok(false);
        };
        if count < FEWEST {
            return Ok(false);
        }
        let new = self.write_block(list, &above, (&first, &last), now).await?;
        self.finish_log_blocks(&[new], &[], now).await?;
        Ok(true)
    }

    /// Writes blocks again: those with changed rows, and small ones together.
    async fn settle_blocks(&self, list: &'static List, now: Timestamp) -> Result<bool, StoreError> {
        let blocks = self.unsettled_log_blocks(list, 64).await?;
        if let Some(stale) = blocks.iter().find(|block| block.stale) {
            self.rewrite(list, std::slice::from_ref(stale), now).await?;
            return Ok(true);
        }
        let settled_before = lowest_id(now.minus(SETTLED));
        let is_due = |block: &BlockRow| {
            block.last_id < settled_before && block.changed_at <= now.minus(AGAIN).as_millis()
        };
        let Some(first) = blocks.iter().position(is_due) else { return Ok(false) };
        let mut group = vec![blocks[first].clone()];
        let mut docs = group[0].docs();
        let mut is_cut = false;
        for block in blocks[first + 1..].iter().take_while(|block| is_due(block)) {
            is_cut = docs + block.docs() > FULL || !self.follow_each_other(list, &group, block).await?;
            if is_cut {
                break;
            }
            docs += block.docs();
            group.push(block.clone());
        }
        if group.len() > 1 && (is_cut || docs >= FULL / 2) {
            self.rewrite(list, &group, now).await?;
            return Ok(true);
        }
        for block in &group {
            self.look_again(list, block, now).await?;
        }
        Ok(true)
    }

    pub(super) async fn follow_each_other(
        &self,
        list: &'static List,
        group: &[BlockRow],
        next: &BlockRow,
    ) -> Result<bool, StoreError> {
        let before = self.log_blocks_before(list, &next.first_id, 1).await?.pop();
        Ok(before.zip(group.last()).is_some_and(|(before, last)| before.block == last.block))
    }

    /// Writes a block again if rows came late into its range or have come to their end.
    async fn look_again(
        &self,
        list: &'static List,
        block: &BlockRow,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let above = self.end_of_block_before(list, block).await?;
        let range = self.range(list, &above, &just_after(&block.last_id)).await?;
        let count = range.map_or(0, |(count, ..)| count);
        let unfinished = self.unfinished_of(block).await?;
        let still = self.count_unfinished(list, &unfinished).await?;
        // Rows that are gone do no harm.
        if count > block.docs() || still < unfinished.len() {
            return self.rewrite(list, std::slice::from_ref(block), now).await;
        }
        let is_settled = unfinished.is_empty() && block.docs() >= FULL / 2;
        self.keep_log_block(block.block, is_settled, now).await
    }

    async fn unfinished_of(&self, block: &BlockRow) -> Result<Vec<String>, StoreError> {
        let mut rows = postings::Rows::none();
        rows.add_stored(&block.unfinished, block.docs());
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut ids = BlockIds::of(self, block);
        let mut unfinished = Vec::new();
        for row in rows.newest_first() {
            unfinished.extend(ids.at(row).await?);
        }
        Ok(unfinished)
    }

    async fn count_unfinished(&self, list: &'static List, ids: &[String]) -> Result<usize, StoreError> {
        let mut tx = self.begin_read().await?;
        let counts = read_by_keys!(tx, (i64,), ids, list.unfinished, "");
        let counts = counts.doing("count unfinished rows of the log")?;
        Ok(counts.into_iter().map(|(count,)| usize::try_from(count).unwrap_or(0)).sum())
    }

    async fn end_of_block_before(&self, list: &'static List, block: &BlockRow) -> Result<String, StoreError> {
        let before = self.log_blocks_before(list, &block.first_id, 1).await?.pop();
        Ok(before.map(|block| block.last_id).unwrap_or_default())
    }

    async fn rewrite(
        &self,
        list: &'static List,
        group: &[BlockRow],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(()) };
        let mut above = self.end_of_block_before(list, first).await?;
        let end = just_after(&last.last_id);
        let mut new = Vec::new();
        while let Some((_, from, to)) = self.range(list, &above, &end).await? {
            new.push(self.write_block(list, &above, (&from, &to), now).await?);
            above = to;
        }
        // At once: rows of a range that is in no block would not be found.
        let replaced: Vec<i64> = group.iter().map(|block| block.block).collect();
        self.finish_log_blocks(&new, &replaced, now).await
    }

    /// How many rows there are between two ids, up to a full block; the first and the last.
    async fn range(
        &self,
        list: &'static List,
        above: &str,
        below: &str,
    ) -> Result<Option<(usize, String, String)>, StoreError> {
        let limit = i64::try_from(FULL).unwrap_or(i64::MAX);
        let (count, first, last): (i64, Option<String>, Option<String>) =
            with_reader!(self, |conn| sqlx::query_as(list.ids_range)
                .bind(above)
                .bind(below)
                .bind(limit)
                .fetch_one(&mut *conn)
                .await)
            .doing("count rows of the log")?;
        Ok(first.zip(last).map(|(first, last)| (usize::try_from(count).unwrap_or(0), first, last)))
    }

    /// Writes the terms of a range of rows; whoever called it makes the block one to be read.
    async fn write_block(
        &self,
        list: &'static List,
        above: &str,
        range: (&str, &str),
        now: Timestamp,
    ) -> Result<NewBlock, StoreError> {
        // Begun before its rows are read: whoever changes one of them meanwhile marks it.
        let block = self.begin_log_block(list, range, now).await?;
        let mut draft = Draft::default();
        let mut read_to = above.to_owned();
        loop {
            let rows = self.source_rows(list, &read_to, range.1).await?;
            let Some(last) = rows.last() else { break };
            read_to.clone_from(&last.id);
            rows.iter().try_for_each(|row| draft.add(row, list))?;
            tokio::task::yield_now().await;
        }
        let is_old = range.1 < lowest_id(now.minus(SETTLED)).as_str();
        let (mut new, terms) = draft.finish(block);
        new.settled = is_old && new.unfinished.is_empty() && new.ids.len() / ID_BYTES >= FULL / 2;
        for part in terms.chunks(TERMS_AT_ONCE) {
            self.insert_log_terms(block, part).await?;
        }
        Ok(new)
    }

    async fn source_rows(
        &self,
        list: &'static List,
        above: &str,
        to: &str,
    ) -> Result<Vec<SourceRow>, StoreError> {
        // Safe: two static texts.
        let sql = sqlx::AssertSqlSafe([list.source, list.source_range].concat());
        with_reader!(self, |conn| sqlx::query_as(sql)
            .bind(above)
            .bind(to)
            .bind(CHUNK)
            .fetch_all(&mut *conn)
            .await)
        .doing("read rows for the log's index")
    }
}

/// Sorts behind every id.
const LAST_ID: &str = "~";

/// The lowest text above an id.
fn just_after(id: &str) -> String {
    format!("{id}!")
}

/// A block in the making.
#[derive(Default)]
struct Draft {
    terms: HashMap<Vec<u8>, Vec<u16>>,
    ids: Vec<u8>,
    unfinished: Vec<u16>,
    made: Option<(i64, i64)>,
    rows: u16,
    term: Vec<u8>,
}

impl Draft {
    fn add(&mut self, row: &SourceRow, list: &List) -> Result<(), StoreError> {
        let id = uuid::Uuid::parse_str(&row.id).map_err(|error| StoreError::Corrupt {
            table: list.name,
            column: "id",
            id: row.id.clone(),
            detail: error.to_string(),
        })?;
        self.ids.extend(id.as_bytes());
        if row.is_unfinished {
            self.unfinished.push(self.rows);
        }
        let made = row.created_at;
        self.made = Some(self.made.map_or((made, made), |(from, to)| (from.min(made), to.max(made))));
        self.add_values(row);
        self.add_words(row);
        self.rows += 1;
        Ok(())
    }

    fn add_values(&mut self, row: &SourceRow) {
        for (field, value) in [
            (Field::State, &row.state),
            (Field::Channel, &row.channel),
            (Field::Severity, &row.severity),
            (Field::Entry, &row.entry),
            (Field::Alertname, &row.alertname),
            (Field::DedupKey, &row.dedup_key),
        ] {
            let mut term = std::mem::take(&mut self.term);
            field.write_term(value, &mut term);
            self.put(&term);
            self.term = term;
        }
    }

    fn add_words(&mut self, row: &SourceRow) {
        let [title, text] = texts_of(row.preview.as_deref());
        let mut term = std::mem::take(&mut self.term);
        for text in [&row.dedup_key, &row.alertname, &row.entry, &row.channel, &row.reason, &title, &text] {
            each_word(text, |word| {
                Field::Word.write_term(word, &mut term);
                self.put(&term);
            });
        }
        self.term = term;
    }

    fn put(&mut self, term: &[u8]) {
        match self.terms.get_mut(term) {
            Some(rows) if rows.last() == Some(&self.rows) => {}
            Some(rows) => rows.push(self.rows),
            None => {
                self.terms.insert(term.to_vec(), vec![self.rows]);
            }
        }
    }

    /// The block, and its terms in order: they are written one behind the other.
    fn finish(self, block: i64) -> (NewBlock, Vec<StoredTerm>) {
        let docs = usize::from(self.rows);
        let mut terms: Vec<StoredTerm> =
            self.terms.into_iter().map(|(term, rows)| (term, postings::store(&rows, docs))).collect();
        terms.sort_unstable();
        let (made_from, made_to) = self.made.unwrap_or_default();
        let unfinished =
            if self.unfinished.is_empty() { Vec::new() } else { postings::store(&self.unfinished, docs) };
        let block = NewBlock {
            block,
            docs: i64::from(self.rows),
            made_from,
            made_to,
            settled: false,
            unfinished,
            ids: self.ids,
        };
        (block, terms)
    }
}
