//! The ids of a block's rows: read where a row is found, and no more of them than it takes.

use super::super::{Store, StoreError};
use super::blocks::BlockRow;

/// How many bytes an id takes.
pub(super) const ID_BYTES: usize = 16;
/// How many ids of a large block are stored together.
const PART: usize = 1_024;
pub(super) const PART_BYTES: usize = PART * ID_BYTES;

/// The ids of one block, of which a part was read.
pub(super) struct BlockIds<'a> {
    store: &'a Store,
    block: &'a BlockRow,
    part: Option<usize>,
    ids: Vec<u8>,
    reads: i64,
}

impl<'a> BlockIds<'a> {
    /// Nothing is read yet.
    pub const fn of(store: &'a Store, block: &'a BlockRow) -> Self {
        Self { store, block, part: None, ids: Vec::new(), reads: 0 }
    }

    /// The id of a row.
    pub async fn at(&mut self, row: usize) -> Result<Option<String>, StoreError> {
        let (part, place) = if self.block.is_large() { (row / PART, row % PART) } else { (0, row) };
        if self.part != Some(part) {
            self.ids = self.read(part).await?;
            self.part = Some(part);
            self.reads += 1;
        }
        Ok(id_at(&self.ids, place))
    }

    /// How often something was read since this was last asked.
    pub const fn take_reads(&mut self) -> i64 {
        std::mem::replace(&mut self.reads, 0)
    }

    async fn read(&self, part: usize) -> Result<Vec<u8>, StoreError> {
        let block = self.block.block;
        if self.block.is_large() {
            self.store.log_block_part(block, part).await
        } else {
            self.store.log_block_ids(block).await
        }
    }
}

fn id_at(ids: &[u8], place: usize) -> Option<String> {
    let bytes = ids.get(place * ID_BYTES..(place + 1) * ID_BYTES)?;
    uuid::Uuid::from_slice(bytes).ok().map(|id| id.to_string())
}
