//! The tables of the index: blocks, and the terms of each.

use sqlx::FromRow;

use super::super::error::Doing as _;
use super::super::{Store, StoreError, Tx};
use super::postings::{BLOCK, Rows};
use super::{List, Term};
use crate::domain::clock::Timestamp;

/// What a look-up needs of a block.
#[derive(Clone, Debug, FromRow)]
pub(in crate::store) struct BlockRow {
    pub block: i64,
    pub first_id: String,
    pub last_id: String,
    docs: i64,
    pub made_from: i64,
    pub made_to: i64,
    pub stale: bool,
    pub changed_at: i64,
    pub unfinished: Vec<u8>,
}

impl BlockRow {
    /// How many rows it has.
    pub fn docs(&self) -> usize {
        usize::try_from(self.docs).unwrap_or(0)
    }

    /// Whether it was joined from others: then its ids are stored in parts, so that one of
    /// its rows is found without reading them all.
    pub fn is_large(&self) -> bool {
        self.docs() > BLOCK
    }
}

/// A block written whole.
#[derive(Clone, Debug, Default)]
pub(super) struct NewBlock {
    pub block: i64,
    pub docs: i64,
    pub made_from: i64,
    pub made_to: i64,
    pub settled: bool,
    pub unfinished: Vec<u8>,
    pub ids: Vec<u8>,
}

macro_rules! block_columns {
    () => {
        "block, first_id, last_id, docs, made_from, made_to, stale, changed_at, unfinished"
    };
}

const NEXT: &str = "UPDATE meta SET value = value + 1 WHERE key = 'log_block' RETURNING value";
const TAKE_TURN: &str = "UPDATE meta SET value = $1 WHERE key = 'log_index_turn' AND value < $2";
const BEGIN: &str = "INSERT INTO log_blocks (block, list, state, first_id, last_id, docs, made_from, made_to, settled, \
     stale, changed_at, unfinished, ids) VALUES ($1, $2, 'building', $3, $4, 0, 0, 0, FALSE, FALSE, $5, $6, $6)";
const FINISH: &str = "UPDATE log_blocks SET state = 'ready', docs = $2, made_from = $3, made_to = $4, settled = $5, \
     unfinished = $6, ids = $7, changed_at = $8 WHERE block = $1";
const DROP: &str = "UPDATE log_blocks SET state = 'dropped', changed_at = $2 WHERE block = $1";
const KEEP: &str = "UPDATE log_blocks SET settled = $2, changed_at = $3 WHERE block = $1";
const INSERT_TERMS: &str = "INSERT INTO log_terms (block, term, docs)";
/// Newest first; those that begin before an id.
const BEFORE: &str = concat!(
    "SELECT ",
    block_columns!(),
    " FROM log_blocks WHERE list = $1 AND state = 'ready' AND first_id < $2 ORDER BY first_id DESC LIMIT $3"
);
const OLDEST_FIRST: &str = concat!(
    "SELECT ",
    block_columns!(),
    " FROM log_blocks WHERE list = $1 AND state = 'ready' AND (stale OR NOT settled) ORDER BY first_id LIMIT $2"
);
const OLDEST: &str = concat!(
    "SELECT ",
    block_columns!(),
    " FROM log_blocks WHERE list = $1 AND state = 'ready' ORDER BY first_id LIMIT 1"
);
/// Settled blocks of at most so many rows, newest first.
const SETTLED: &str = concat!(
    "SELECT ",
    block_columns!(),
    " FROM log_blocks WHERE list = $1 AND state = 'ready' AND settled AND NOT stale AND docs <= $2 \
     ORDER BY first_id DESC LIMIT $3"
);
const AFTER: &str = concat!(
    "SELECT ",
    block_columns!(),
    " FROM log_blocks WHERE list = $1 AND state = 'ready' AND first_id > $2 ORDER BY first_id LIMIT 1"
);
const IDS: &str = "SELECT ids FROM log_blocks WHERE block = $1";
const PART_OF_IDS: &str = "SELECT docs FROM log_terms WHERE block = $1 AND term = $2";
const TERMS: &str = "SELECT term, docs FROM log_terms WHERE block = $1 AND term > $2 ORDER BY term LIMIT $3";
const LEFT_OVER: &str = "SELECT block FROM log_blocks WHERE state IN ('building', 'dropped') AND list = $1 \
     AND changed_at < $2 ORDER BY block LIMIT 1";
const PURGE_TERMS: &str = "DELETE FROM log_terms WHERE block = $1 AND term IN \
     (SELECT term FROM log_terms WHERE block = $1 ORDER BY term LIMIT 2048)";
const PURGE_BLOCK: &str = "DELETE FROM log_blocks WHERE block = $1";
const IN_BLOCKS: &str = "SELECT b.block, t.docs FROM log_blocks b JOIN log_terms t ON t.block = b.block AND t.term = $4 \
     WHERE b.list = $1 AND b.state = 'ready' AND b.first_id >= $2 AND b.first_id <= $3";
const PREFIX_IN_BLOCKS: &str = "SELECT b.block, t.docs FROM log_blocks b \
     JOIN log_terms t ON t.block = b.block AND t.term >= $4 AND t.term < $5 \
     WHERE b.list = $1 AND b.state = 'ready' AND b.first_id >= $2 AND b.first_id <= $3";
const MARK_STALE: &str = "UPDATE log_blocks SET stale = TRUE WHERE list = 'notifications' \
     AND state IN ('building', 'ready') AND first_id <= $1 AND last_id >= $1";

/// What is read, for the test of how it is run.
#[cfg(test)]
pub(super) const READING: [&str; 10] =
    [BEFORE, OLDEST_FIRST, OLDEST, SETTLED, AFTER, IDS, PART_OF_IDS, TERMS, IN_BLOCKS, PREFIX_IN_BLOCKS];

/// A term, and the rows of one block that have it, both as stored.
pub(super) type StoredTerm = (Vec<u8>, Vec<u8>);

/// The term under which a part of a large block's ids is stored. No field has this letter.
pub(super) fn term_of_part(part: usize) -> Vec<u8> {
    let [.., high, low] = part.to_be_bytes();
    vec![b'#', high, low]
}

/// The rows of some blocks that a term leads to, and how much was read for it.
pub(super) type Found = std::collections::HashMap<i64, Rows>;

impl Store {
    /// Ready blocks that begin before an id, newest first.
    pub(super) async fn log_blocks_before(
        &self,
        list: &List,
        id: &str,
        limit: i64,
    ) -> Result<Vec<BlockRow>, StoreError> {
        with_reader!(self, |conn| sqlx::query_as(BEFORE)
            .bind(list.name)
            .bind(id)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await)
        .doing("read blocks of the log's index")
    }

    /// Blocks that will have to be written again, oldest first.
    pub(super) async fn unsettled_log_blocks(
        &self,
        list: &List,
        limit: i64,
    ) -> Result<Vec<BlockRow>, StoreError> {
        with_reader!(self, |conn| sqlx::query_as(OLDEST_FIRST)
            .bind(list.name)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await)
        .doing("read unsettled blocks of the log's index")
    }

    /// The oldest block.
    pub(super) async fn oldest_log_block(&self, list: &List) -> Result<Option<BlockRow>, StoreError> {
        with_reader!(self, |conn| sqlx::query_as(OLDEST).bind(list.name).fetch_optional(&mut *conn).await)
            .doing("read the oldest block of the log's index")
    }

    /// Settled blocks that were not joined from others, newest first.
    pub(super) async fn settled_log_blocks(
        &self,
        list: &List,
        limit: i64,
    ) -> Result<Vec<BlockRow>, StoreError> {
        with_reader!(self, |conn| sqlx::query_as(SETTLED)
            .bind(list.name)
            .bind(BLOCK as i64)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await)
        .doing("read settled blocks of the log's index")
    }

    /// The block that follows one.
    pub(super) async fn log_block_after(
        &self,
        list: &List,
        block: &BlockRow,
    ) -> Result<Option<BlockRow>, StoreError> {
        with_reader!(self, |conn| sqlx::query_as(AFTER)
            .bind(list.name)
            .bind(&block.first_id)
            .fetch_optional(&mut *conn)
            .await)
        .doing("read the next block of the log's index")
    }

    /// A part of the ids of a large block.
    pub(super) async fn log_block_part(&self, block: i64, part: usize) -> Result<Vec<u8>, StoreError> {
        let found: Option<(Vec<u8>,)> = with_reader!(self, |conn| sqlx::query_as(PART_OF_IDS)
            .bind(block)
            .bind(term_of_part(part))
            .fetch_optional(&mut *conn)
            .await)
        .doing("read a part of a block's ids")?;
        Ok(found.map(|(ids,)| ids).unwrap_or_default())
    }

    /// Some terms of a block and their rows as stored, behind a term.
    pub(super) async fn log_terms_of(
        &self,
        block: i64,
        behind: &[u8],
        limit: i64,
    ) -> Result<Vec<StoredTerm>, StoreError> {
        with_reader!(self, |conn| sqlx::query_as(TERMS)
            .bind(block)
            .bind(behind)
            .bind(limit)
            .fetch_all(&mut *conn)
            .await)
        .doing("read terms of a block")
    }

    /// The ids of a block's rows, in their order.
    pub(super) async fn log_block_ids(&self, block: i64) -> Result<Vec<u8>, StoreError> {
        let found: Option<(Vec<u8>,)> =
            with_reader!(self, |conn| sqlx::query_as(IDS).bind(block).fetch_optional(&mut *conn).await)
                .doing("read a block's ids")?;
        Ok(found.map(|(ids,)| ids).unwrap_or_default())
    }

    /// Where a term leads in blocks that follow each other, newest first. Also how many
    /// sets were read.
    pub(super) async fn find_log_term(
        &self,
        list: &List,
        blocks: &[BlockRow],
        term: &Term,
    ) -> Result<(Found, usize), StoreError> {
        let (Some(newest), Some(oldest)) = (blocks.first(), blocks.last()) else {
            return Ok(Default::default());
        };
        let rows: Vec<(i64, Vec<u8>)> = with_reader!(self, |conn| {
            let sql = if term.is_prefix { PREFIX_IN_BLOCKS } else { IN_BLOCKS };
            let query = sqlx::query_as(sql).bind(list.name).bind(&oldest.first_id).bind(&newest.first_id);
            let query = query.bind(&term.bytes[..]);
            let query = if term.is_prefix { query.bind(term.end()) } else { query };
            query.fetch_all(&mut *conn).await
        })
        .doing("look up a term of the log's index")?;
        let sizes: std::collections::HashMap<i64, usize> =
            blocks.iter().map(|block| (block.block, block.docs())).collect();
        let mut found = Found::new();
        for (block, stored) in &rows {
            let docs = sizes.get(block).copied().unwrap_or(0);
            found.entry(*block).or_insert_with(Rows::none).add_stored(stored, docs);
        }
        Ok((found, rows.len()))
    }

    /// Whether this process is to write the index until `until`: on PostgreSQL one replica
    /// does it for all.
    pub(super) async fn take_log_index_turn(
        &self,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin_write().await?;
        let taken = with_tx!(tx, |conn| sqlx::query(TAKE_TURN)
            .bind(until.as_millis())
            .bind(now.as_millis())
            .execute(&mut *conn)
            .await
            .map(|done| done.rows_affected()))
        .doing("take the turn of the log's index")?;
        tx.commit().await?;
        Ok(taken > 0)
    }

    /// Begins a block over a range of ids.
    pub(super) async fn begin_log_block(
        &self,
        list: &List,
        range: (&str, &str),
        now: Timestamp,
    ) -> Result<i64, StoreError> {
        let doing = "begin a block of the log's index";
        let mut tx = self.begin_write().await?;
        let (block,): (i64,) =
            with_tx!(tx, |conn| sqlx::query_as(NEXT).fetch_one(&mut *conn).await).doing(doing)?;
        with_tx!(tx, |conn| sqlx::query(BEGIN)
            .bind(block)
            .bind(list.name)
            .bind(range.0)
            .bind(range.1)
            .bind(now.as_millis())
            .bind(Vec::<u8>::new())
            .execute(&mut *conn)
            .await
            .map(|_| ()))
        .doing(doing)?;
        tx.commit().await?;
        Ok(block)
    }

    /// Writes some terms of a block.
    pub(super) async fn insert_log_terms(&self, block: i64, terms: &[StoredTerm]) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        write_rows!(tx, terms, 3, INSERT_TERMS, "", |query, term| query
            .bind(block)
            .bind(&term.0[..])
            .bind(&term.1[..]))
        .doing("write terms of the log's index")?;
        tx.commit().await
    }

    /// Makes blocks those to be read, in place of others, all at once.
    pub(super) async fn finish_log_blocks(
        &self,
        new: &[NewBlock],
        replaced: &[i64],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        for new in new {
            with_tx!(tx, |conn| sqlx::query(FINISH)
                .bind(new.block)
                .bind(new.docs)
                .bind(new.made_from)
                .bind(new.made_to)
                .bind(new.settled)
                .bind(&new.unfinished[..])
                .bind(&new.ids[..])
                .bind(now.as_millis())
                .execute(&mut *conn)
                .await
                .map(|_| ()))
            .doing("finish a block of the log's index")?;
        }
        for block in replaced {
            tx.drop_log_block(*block, now).await?;
        }
        tx.commit().await
    }

    /// Says that nothing has to be done about a block, for ever or for now.
    pub(super) async fn keep_log_block(
        &self,
        block: i64,
        settled: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        with_tx!(tx, |conn| sqlx::query(KEEP)
            .bind(block)
            .bind(settled)
            .bind(now.as_millis())
            .execute(&mut *conn)
            .await
            .map(|_| ()))
        .doing("keep a block of the log's index")?;
        tx.commit().await
    }

    /// Takes a block out of use; its terms are deleted later, so that whoever reads it now
    /// comes to the end.
    pub(super) async fn drop_log_block(&self, block: i64, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        tx.drop_log_block(block, now).await?;
        tx.commit().await
    }

    /// Deletes some terms of a block that has been out of use since before a moment.
    /// Whether there was anything to delete.
    pub(super) async fn purge_log_block(&self, list: &List, before: Timestamp) -> Result<bool, StoreError> {
        let doing = "delete a block of the log's index";
        let found: Option<(i64,)> = with_reader!(self, |conn| sqlx::query_as(LEFT_OVER)
            .bind(list.name)
            .bind(before.as_millis())
            .fetch_optional(&mut *conn)
            .await)
        .doing(doing)?;
        let Some((block,)) = found else { return Ok(false) };
        let mut tx = self.begin_write().await?;
        for sql in [PURGE_TERMS, PURGE_BLOCK] {
            let deleted = with_tx!(tx, |conn| sqlx::query(sql)
                .bind(block)
                .execute(&mut *conn)
                .await
                .map(|done| done.rows_affected()))
            .doing(doing)?;
            if deleted > 0 {
                break;
            }
        }
        tx.commit().await?;
        Ok(true)
    }
}

impl Tx {
    async fn drop_log_block(&mut self, block: i64, now: Timestamp) -> Result<(), StoreError> {
        with_tx!(*self, |conn| sqlx::query(DROP)
            .bind(block)
            .bind(now.as_millis())
            .execute(&mut *conn)
            .await
            .map(|_| ()))
        .doing("drop a block of the log's index")
    }

    /// To be called where a finished notification changes again: what its block says of it
    /// no longer holds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn notification_left_its_end(&mut self, id: &str) -> Result<(), StoreError> {
        with_tx!(*self, |conn| sqlx::query(MARK_STALE).bind(id).execute(&mut *conn).await.map(|_| ()))
            .doing("mark a block of the log's index as stale")
    }
}
