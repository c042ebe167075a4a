//! Sets of rows of one block: how they are stored, in the shortest of four forms, and put
//! together.

/// How many rows a block has at most that is written from its rows.
pub const BLOCK: usize = 8_192;
/// How many rows a block has at most that is joined from others: a place fits in 16 bits.
pub const LARGE: usize = 1 << 16;

const ALL: u8 = 0;
const STEPS: u8 = 1;
const BITS: u8 = 2;
/// Steps too long for two bytes: seven bits a byte, the lowest first.
const LONG_STEPS: u8 = 3;

/// A set of rows of a block, by their place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows(Vec<u64>);

impl Rows {
    /// No row.
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// The first `count` rows.
    pub fn first(count: usize) -> Self {
        let count = count.min(LARGE);
        let mut words = vec![u64::MAX; count / 64];
        if !count.is_multiple_of(64) {
            words.push((1 << (count % 64)) - 1);
        }
        Self(words)
    }

    fn add_word(&mut self, at: usize, bits: u64) {
        if at >= LARGE / 64 {
            return;
        }
        if at >= self.0.len() {
            self.0.resize(at + 1, 0);
        }
        self.0[at] |= bits;
    }

    fn add_each(&mut self, stored: &[u8], docs: usize) {
        let words = docs.min(LARGE).div_ceil(64);
        if self.0.len() < words {
            self.0.resize(words, 0);
        }
        let words = &mut self.0[..];
        each_stored(stored, docs, |row| {
            if let Some(word) = words.get_mut(row / 64) {
                *word |= 1 << (row % 64);
            }
        });
    }

    /// Adds the rows of another set.
    pub fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    /// Keeps only rows of the other set too.
    pub fn keep(&mut self, other: &Self) {
        self.0.truncate(other.0.len());
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
            Some((&BITS, bits)) => {
                for (n, bytes) in bits.chunks(8).enumerate() {
                    let mut word = [0; 8];
                    word[..bytes.len()].copy_from_slice(bytes);
                    self.add_word(n, u64::from_le_bytes(word));
                }
            }
            Some((&(STEPS | LONG_STEPS), _)) => self.add_each(stored, docs),
            None => {}
            Some(_) => self.add(&Self::first(docs)),
        }
    }
}

/// Calls `found` for each of the stored rows of a block of `docs` rows, in rising order.
pub fn each_stored(stored: &[u8], docs: usize, mut found: impl FnMut(usize)) {
    match stored.split_first() {
        Some((&STEPS, steps)) => each_step(steps, found),
        Some((&LONG_STEPS, steps)) => each_long_step(steps, found),
        Some((&BITS, bits)) => {
            for (n, byte) in bits.iter().enumerate() {
                (0..8).filter(|bit| byte >> bit & 1 == 1).for_each(|bit| found(n * 8 + bit));
            }
        }
        None => {}
        Some(_) => (0..docs).for_each(found),
    }
}

fn each_step(steps: &[u8], mut found: impl FnMut(usize)) {
    let mut row = 0;
    let mut bytes = steps.iter();
    while let Some(byte) = bytes.next() {
        let high = usize::from(byte & 0x7F);
        // One byte for steps below 128, two for longer ones.
        row += if byte & 0x80 == 0 { high } else { high << 8 | usize::from(*bytes.next().unwrap_or(&0)) };
        found(row);
    }
}

fn each_long_step(steps: &[u8], mut found: impl FnMut(usize)) {
    let mut row = 0;
    for step in steps.split_inclusive(|byte| byte & 0x80 == 0) {
        let step = step.iter().rev().fold(0, |step, byte| step << 7 | usize::from(byte & 0x7F));
        row = usize::saturating_add(row, step);
        found(row);
    }
}

/// The shortest form of rising rows of a block of `docs` rows.
pub fn store(rows: &[u16], docs: usize) -> Vec<u8> {
    if rows.len() == docs && docs > 0 {
        return vec![ALL];
    }
    let bytes = store_steps(rows).unwrap_or_else(|| store_long_steps(rows));
    let bits = docs.div_ceil(8) + 1;
    if bytes.len() <= bits { bytes } else { store_bits(rows, bits) }
}

fn steps(rows: &[u16]) -> impl Iterator<Item = u16> {
    let mut previous = 0;
    rows.iter().map(move |row| row - std::mem::replace(&mut previous, *row))
}

fn store_steps(rows: &[u16]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(rows.len() + 2);
    bytes.push(STEPS);
    for step in steps(rows) {
        match step.to_be_bytes() {
            [0, low @ ..0x80] => bytes.push(low),
            [high @ ..0x80, low] => bytes.extend([high | 0x80, low]),
            _ => return None,
        }
    }
    Some(bytes)
}

fn store_long_steps(rows: &[u16]) -> Vec<u8> {
    let mut bytes = vec![LONG_STEPS];
    for step in steps(rows) {
        let mut left = step;
        while left >= 0x80 {
            bytes.push((left & 0x7F) as u8 | 0x80);
            left >>= 7;
        }
        bytes.push(left as u8);
    }
    bytes
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
        let stored = store(rows, docs);
        let mut set = Rows::none();
        set.add_stored(&stored, docs);
        let mut all: Vec<u16> = set.newest_first().map(|row| u16::try_from(row).unwrap()).collect();
        all.reverse();
        let mut each = Vec::new();
        each_stored(&stored, docs, |row| each.push(u16::try_from(row).unwrap()));
        assert_eq!(each, all, "one by one they are others");
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

        #[test]
        fn rows_of_a_large_block_are_restored_as_they_were_stored(
            rows in proptest::collection::btree_set(0_u16..=u16::MAX, 0..50),
        ) {
            let rows: Vec<u16> = rows.into_iter().collect();
            prop_assert_eq!(restored(&rows, LARGE), rows);
        }

        #[test]
        fn what_was_not_stored_by_us_is_read_without_harm(
            stored in proptest::collection::vec(any::<u8>(), 0..100), docs in 0..LARGE,
        ) {
            let mut set = Rows::none();
            set.add_stored(&stored, docs);
            prop_assert!(set.newest_first().all(|row| row < LARGE));
        }

        #[test]
        fn sets_are_put_together_row_by_row(
            a in proptest::collection::btree_set(0_u16..500, 0..200),
            b in proptest::collection::btree_set(0_u16..700, 0..200),
        ) {
            let rows = |rows: &std::collections::BTreeSet<u16>| {
                let mut set = Rows::none();
                rows.iter().for_each(|row| set.add_word(usize::from(*row) / 64, 1 << (row % 64)));
                set
            };
            let (mut both, mut either) = (rows(&a), rows(&a));
            both.keep(&rows(&b));
            either.add(&rows(&b));
            let all = |set: &Rows| set.newest_first().collect::<Vec<usize>>();
            prop_assert_eq!(all(&both), all(&rows(&(&a & &b))));
            prop_assert_eq!(all(&either), all(&rows(&(&a | &b))));
            prop_assert_eq!(both.is_empty(), (&a & &b).is_empty());
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
        let far = [40_000, 40_001, 65_535];
        assert_eq!(restored(&far, LARGE), far);
        assert_eq!(store(&far, LARGE).len(), 1 + 3 + 1 + 3);
    }

    #[test]
    fn the_first_rows_are_so_many() {
        for count in [0, 1, 63, 64, 65, 8_000, LARGE, LARGE + 1] {
            assert_eq!(Rows::first(count).newest_first().count(), count.min(LARGE), "{count}");
        }
    }
}
