//! Sets of rows of one block: how they are stored, in the shortest of three forms, and put
//! together.

/// How many rows a block has at most.
pub const BLOCK: usize = 8_192;
const WORDS: usize = BLOCK / 64;

const ALL: u8 = 0;
const STEPS: u8 = 1;
const BITS: u8 = 2;

/// A set of rows of a block, by their place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows([u64; WORDS]);

impl Rows {
    /// No row.
    pub fn none() -> Self {
        Self([0; WORDS])
    }

    /// The first `count` rows.
    pub fn first(count: usize) -> Self {
        let mut rows = Self::none();
        (0..count.min(BLOCK)).for_each(|row| rows.insert(row));
        rows
    }

    fn insert(&mut self, row: usize) {
        if let Some(word) = self.0.get_mut(row / 64) {
            *word |= 1 << (row % 64);
        }
    }

    /// Adds the rows of another set.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    /// Keeps only rows of the other set too.
    pub fn keep(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a &= b);
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The rows, the last first.
    pub fn newest_first(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().rev().flat_map(|(n, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.checked_ilog2()? as usize;
                left &= !(1 << bit);
                Some(n * 64 + bit)
            })
        })
    }

    /// Adds stored rows of a block of `docs` rows. A text of another form adds every row:
    /// what is read is compared with the rows themselves.
    pub fn add_stored(&mut self, stored: &[u8], docs: usize) {
        match stored.split_first() {
            Some((&STEPS, steps)) => self.add_steps(steps),
            Some((&BITS, bits)) => {
                for (n, byte) in bits.iter().enumerate() {
                    if let Some(word) = self.0.get_mut(n / 8) {
                        *word |= u64::from(*byte) << (n % 8 * 8);
                    }
                }
            }
            None => {}
            Some(_) => self.add(&Self::first(docs)),
        }
    }

    fn add_steps(&mut self, steps: &[u8]) {
        let mut row = 0;
        let mut bytes = steps.iter();
        while let Some(byte) = bytes.next() {
            let high = usize::from(byte & 0x7F);
            // One byte for steps below 128, two for longer ones.
            row += if byte & 0x80 == 0 { high } else { high << 8 | usize::from(*bytes.next().unwrap_or(&0)) };
            self.insert(row);
        }
    }
}

/// The shortest form of rising rows of a block of `docs` rows.
pub fn store(rows: &[u16], docs: usize) -> Vec<u8> {
    if rows.len() == docs && docs > 0 {
        return vec![ALL];
    }
    let mut bytes = Vec::with_capacity(rows.len() + 2);
    bytes.push(STEPS);
    let mut previous = 0;
    for row in rows {
        let [high, low] = (row - previous).to_be_bytes();
        previous = *row;
        if high == 0 && low < 0x80 {
            bytes.push(low);
        } else {
            bytes.extend([high | 0x80, low]);
        }
    }
    let bits = docs.div_ceil(8) + 1;
    if bytes.len() <= bits { bytes } else { store_bits(rows, bits) }
}

fn store_bits(rows: &[u16], length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    bytes[0] = BITS;
    for row in rows {
        if let Some(byte) = bytes.get_mut(1 + usize::from(*row) / 8) {
            *byte |= 1 << (row % 8);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn restored(rows: &[u16], docs: usize) -> Vec<u16> {
        let mut set = Rows::none();
        set.add_stored(&store(rows, docs), docs);
        let mut all: Vec<u16> = set.newest_first().map(|row| u16::try_from(row).unwrap()).collect();
        all.reverse();
        all
    }

    proptest! {
        #[test]
        fn rows_are_restored_as_they_were_stored(
            rows in proptest::collection::btree_set(0_u16..8_192, 0..2_000),
        ) {
            let rows: Vec<u16> = rows.into_iter().collect();
            prop_assert_eq!(restored(&rows, BLOCK), rows);
        }
    }

    #[test]
    fn all_few_and_many_rows_each_have_their_short_form() {
        let all: Vec<u16> = (0..8_192).collect();
        let every_third: Vec<u16> = (0..8_192).step_by(3).collect();
        let few = [0, 127, 255, 256, 8_191];

        for rows in [&all[..], &every_third, &few, &[]] {
            assert_eq!(restored(rows, BLOCK), rows);
        }
        assert_eq!(store(&all, BLOCK).len(), 1);
        assert_eq!(store(&every_third, BLOCK).len(), 1_025);
        assert_eq!(store(&few, BLOCK).len(), 1 + 1 + 1 + 2 + 1 + 2);
    }
}
