//! One number for all rows of a table, whatever their order and whichever the database.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::value::Value;

/// The sum of the SHA-256 of every row, and how many there were. A sum needs no order and no
/// memory, and against accidents it is as good as a digest of the whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest {
    sum: [u64; 4],
    rows: u64,
}

impl Digest {
    /// Takes in a row, its values in the order of their columns' names.
    pub fn add<'a>(&mut self, values: impl Iterator<Item = &'a Value>) {
        let mut hash = Sha256::new();
        for value in values {
            let (tag, bytes) = canonical(value);
            hash.update([tag]);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        }
        let row = hash.finalize();
        for (sum, part) in self.sum.iter_mut().zip(row.chunks_exact(8)) {
            let part = part.try_into().map(u64::from_be_bytes).unwrap_or_default();
            *sum = sum.wrapping_add(part);
        }
        self.rows += 1;
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sum.iter().try_for_each(|part| write!(f, "{part:016x}"))
    }
}

/// The same for the same value in either database; nothing is not the empty text.
fn canonical(value: &Value) -> (u8, Vec<u8>) {
    let (tag, bytes) = match value {
        Value::Text(text) => (1, text.as_ref().map(|text| text.as_bytes().to_vec())),
        Value::Integer(number) => (2, number.map(|number| number.to_be_bytes().to_vec())),
        Value::Real(number) => (3, number.map(|number| number.to_bits().to_be_bytes().to_vec())),
        Value::Boolean(flag) => (4, flag.map(|flag| vec![u8::from(flag)])),
        Value::Bytes(bytes) => (5, bytes.clone()),
    };
    bytes.map_or((0, Vec::new()), |bytes| (tag, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(rows: &[&[Value]]) -> Digest {
        let mut digest = Digest::default();
        rows.iter().for_each(|row| digest.add(row.iter()));
        digest
    }

    fn text(text: &str) -> Value {
        Value::Text(Some(text.to_owned()))
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_every_value_does() {
        let (a, b) = ([text("a"), text("b")], [text("c"), Value::Integer(Some(1))]);

        assert_eq!(digest(&[&a, &b]), digest(&[&b, &a]));
        assert_ne!(digest(&[&a]), digest(&[&[text("ab"), text("")]]));
        assert_ne!(digest(&[&[text("")]]), digest(&[&[Value::Text(None)]]));
        assert_ne!(digest(&[&a]), digest(&[&a, &a]));
        assert_eq!(digest(&[&a]).to_string().len(), 64);
    }
}
