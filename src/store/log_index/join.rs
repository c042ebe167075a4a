//! Joining blocks: what is looked for over years is looked up once for some sixty thousand
//! rows instead of once for eight thousand.
//!
//! A joined block is written from the terms of its parts, not from rows, term by term, so
//! it costs little time and memory. Only what is settled is joined. Not on PostgreSQL,
//! where a replica of an older version reads the same index and knows small blocks only.

use std::collections::VecDeque;

use super::super::{Pool, Store, StoreError};
use super::List;
use super::blocks::{BlockRow, NewBlock, StoredTerm, term_of_part};
use super::build::TERMS_AT_ONCE;
use super::ids::{ID_BYTES, PART_BYTES};
use super::postings::{self, BLOCK, LARGE};
use crate::domain::clock::Timestamp;

/// Among how many blocks those to be joined are sought.
const SOUGHT: i64 = 64;
/// How many terms of each part are read at once.
const READ_AT_ONCE: i64 = 512;

impl Store {
    /// Joins blocks of a list if some are due. Whether there was anything to do.
    pub(super) async fn join_blocks(&self, list: &'static List, now: Timestamp) -> Result<bool, StoreError> {
        if matches!(self.pool, Pool::Postgres(_)) {
            return Ok(false);
        }
        let parts = self.blocks_to_join(list).await?;
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return Ok(false) };
        let block = self.begin_log_block(list, (&first.first_id, &last.last_id), now).await?;
        // From here on whoever changes a row marks the new block; one that was marked
        // before is no longer due.
        let still = self.blocks_to_join(list).await?;
        if numbers(&still) == numbers(&parts) {
            let new = self.write_joined(block, &parts).await?;
            self.finish_log_blocks(&[new], &numbers(&parts), now).await?;
        }
        Ok(true)
    }

    /// The oldest of the newest blocks that follow each other and together make a large
    /// one; none while more of them may come.
    async fn blocks_to_join(&self, list: &'static List) -> Result<Vec<BlockRow>, StoreError> {
        let mut run: Vec<BlockRow> = Vec::new();
        for block in self.settled_log_blocks(list, SOUGHT).await?.into_iter().rev() {
            let is_next = run.is_empty() || self.follow_each_other(list, &run, &block).await?;
            let is_full = docs(&run) + block.docs() > LARGE;
            if (is_full || !is_next) && is_worth_joining(&run) {
                return Ok(run);
            }
            if !is_next {
                run.clear();
            }
            run.push(block);
        }
        let Some(last) = run.last().filter(|_| is_worth_joining(&run)) else { return Ok(Vec::new()) };
        let next = self.log_block_after(list, last).await?;
        Ok(if next.is_some_and(|next| next.is_large()) { run } else { Vec::new() })
    }

    async fn write_joined(&self, block: i64, parts: &[BlockRow]) -> Result<NewBlock, StoreError> {
        let total = docs(parts);
        let mut ids = Vec::with_capacity(total * ID_BYTES);
        for part in parts {
            let own = self.log_block_ids(part.block).await?;
            if own.len() != part.docs() * ID_BYTES {
                return Err(without_its_ids(part, own.len()));
            }
            ids.extend(own);
        }
        let ids = ids.chunks(PART_BYTES).enumerate();
        let mut terms: Vec<StoredTerm> = ids.map(|(n, ids)| (term_of_part(n), ids.to_vec())).collect();
        let mut sources = Sources::of(parts);
        while let Some((term, rows)) = sources.next(self).await? {
            terms.push((term, postings::store(&rows, total)));
            if terms.len() >= TERMS_AT_ONCE {
                self.insert_log_terms(block, &terms).await?;
                terms.clear();
            }
        }
        self.insert_log_terms(block, &terms).await?;
        Ok(NewBlock {
            block,
            docs: i64::try_from(total).unwrap_or(i64::MAX),
            made_from: parts.iter().map(|part| part.made_from).min().unwrap_or_default(),
            made_to: parts.iter().map(|part| part.made_to).max().unwrap_or_default(),
            settled: true,
            unfinished: Vec::new(),
            ids: Vec::new(),
        })
    }
}

fn without_its_ids(part: &BlockRow, bytes: usize) -> StoreError {
    StoreError::Corrupt {
        table: "log_blocks",
        column: "ids",
        id: part.block.to_string(),
        detail: format!("{bytes} bytes for {} rows", part.docs()),
    }
}

fn docs(blocks: &[BlockRow]) -> usize {
    blocks.iter().map(BlockRow::docs).sum()
}

fn is_worth_joining(run: &[BlockRow]) -> bool {
    docs(run) > BLOCK
}

fn numbers(blocks: &[BlockRow]) -> Vec<i64> {
    blocks.iter().map(|block| block.block).collect()
}

/// The terms of some blocks, in their order, each with its rows in all of them.
struct Sources(Vec<Source>);

/// The terms of one block.
struct Source {
    block: i64,
    docs: usize,
    /// The place of its first row in the joined block.
    first: usize,
    read: VecDeque<StoredTerm>,
    /// The last term read; `None` when there are no more.
    behind: Option<Vec<u8>>,
}

impl Sources {
    fn of(parts: &[BlockRow]) -> Self {
        let mut first = 0;
        let source = |part: &BlockRow| {
            let place = first;
            first += part.docs();
            let read = VecDeque::new();
            Source { block: part.block, docs: part.docs(), first: place, read, behind: Some(Vec::new()) }
        };
        Self(parts.iter().map(source).collect())
    }

    async fn next(&mut self, store: &Store) -> Result<Option<(Vec<u8>, Vec<u16>)>, StoreError> {
        for source in &mut self.0 {
            source.fill(store).await?;
        }
        let Some(term) = self.0.iter().filter_map(Source::term).min().map(<[u8]>::to_vec) else {
            return Ok(None);
        };
        let mut rows = Vec::new();
        for source in &mut self.0 {
            source.take(&term, &mut rows);
        }
        Ok(Some((term, rows)))
    }
}

impl Source {
    fn term(&self) -> Option<&[u8]> {
        self.read.front().map(|(term, _)| &term[..])
    }

    async fn fill(&mut self, store: &Store) -> Result<(), StoreError> {
        let Some(behind) = self.behind.as_ref().filter(|_| self.read.is_empty()) else { return Ok(()) };
        self.read = store.log_terms_of(self.block, behind, READ_AT_ONCE).await?.into();
        self.behind = self.read.back().map(|(term, _)| term.clone());
        Ok(())
    }

    /// Adds its rows that have the term, and goes on to the next.
    fn take(&mut self, term: &[u8], rows: &mut Vec<u16>) {
        if self.term() != Some(term) {
            return;
        }
        let Some((_, stored)) = self.read.pop_front() else { return };
        postings::each_stored(&stored, self.docs, |row| {
            rows.extend(u16::try_from(self.first + row));
        });
    }
}
