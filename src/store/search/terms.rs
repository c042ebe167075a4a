//! The terms of a row: one for each value (`=cslack` for the channel slack) and each word. Both
//! databases index the same texts.

use super::super::dialect::Dialect;
use super::words::each_word;

/// The columns that terms are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Field {
    State,
    Channel,
    Severity,
    Entry,
    Alertname,
    DedupKey,
}

/// Longer values are compared by so many bytes.
const LONGEST_VALUE: usize = 64;

impl Field {
    const fn letter(self) -> char {
        match self {
            Self::State => 't',
            Self::Channel => 'c',
            Self::Severity => 's',
            Self::Entry => 'e',
            Self::Alertname => 'a',
            Self::DedupKey => 'k',
        }
    }

    /// Writes the term of a value. No word begins with `=`, and what would end a term for
    /// SQLite's tokenizer is written as its number.
    fn write(self, value: &str, all: &mut String) {
        all.push('=');
        all.push(self.letter());
        // Nearly every one is a term of its own: a few digits of it tell it apart.
        if self == Self::DedupKey {
            all.push_str(&format!("{:012x}", hash(value) >> 16));
            return;
        }
        for c in value[..value.floor_char_boundary(LONGEST_VALUE)].chars() {
            if c.is_ascii_alphanumeric() || !c.is_ascii() {
                all.push(c.to_ascii_lowercase());
            } else {
                all.push_str(&format!("={:02x}", u32::from(c)));
            }
        }
    }
}

/// FNV-1a: the same in every version of this program.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// What a row can be found by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) enum Term {
    /// A column has this value.
    Value(String),
    /// A word begins with this.
    Word(String),
}

impl Term {
    /// The rows whose column is this.
    pub fn value(field: Field, value: Option<&String>) -> Option<Self> {
        let mut term = String::new();
        field.write(value?, &mut term);
        Some(Self::Value(term))
    }

    /// The terms by which to look for words: the short ones would be found nearly everywhere,
    /// and are only compared where a longer one is given as well. Single letters never help.
    pub fn words(words: &[String]) -> Vec<Self> {
        let at_least = |least: usize| -> Vec<Self> {
            let long = words.iter().filter(|word| word.chars().count() >= least);
            long.map(|word| Self::Word(word.clone())).collect()
        };
        let telling = at_least(3);
        if telling.is_empty() { at_least(2) } else { telling }
    }
}

/// The expression that finds the rows which have all terms.
pub(super) fn expression(dialect: Dialect, terms: &[Term]) -> String {
    let quoted = |term: &Term| match (dialect, term) {
        (Dialect::Sqlite, Term::Value(value)) => format!("\"{value}\""),
        (Dialect::Sqlite, Term::Word(word)) => format!("\"{word}\" *"),
        (Dialect::Postgres, Term::Value(value)) => format!("'{value}'"),
        (Dialect::Postgres, Term::Word(word)) => format!("'{word}':*"),
    };
    let all: Vec<String> = terms.iter().map(quoted).collect();
    all.join(if dialect == Dialect::Sqlite { " AND " } else { " & " })
}

/// The terms of one row, with a space between two.
pub(super) fn terms_of(values: &[(Field, &str)], texts: &[&str]) -> String {
    let mut all = String::new();
    for (field, value) in values {
        field.write(value, &mut all);
        all.push(' ');
    }
    let mut seen = std::collections::HashSet::new();
    for text in texts {
        each_word(text, |word| {
            if seen.insert(word.to_owned()) {
                all.push_str(word);
                all.push(' ');
            }
        });
    }
    all.truncate(all.trim_end().len());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_term_for_each_value_and_each_word() {
        let values = [(Field::Channel, "ML-alerts"), (Field::Entry, ""), (Field::DedupKey, "a:b")];

        let terms = terms_of(&values, &["p99 is 2.4 s", "is Ärger"]);

        let key = format!("{:012x}", hash("a:b") >> 16);
        assert_eq!(terms, format!("=cml=2dalerts =e =k{key} p99 is 2.4 s ärger"));
    }

    #[test]
    fn an_expression_asks_for_all_terms() {
        let channel = Term::value(Field::Channel, Some(&"it's \"x\"".to_owned())).unwrap();
        let terms = [channel, Term::Word("laten".to_owned())];

        assert_eq!(expression(Dialect::Sqlite, &terms), "\"=cit=27s=20=22x=22\" AND \"laten\" *");
        assert_eq!(expression(Dialect::Postgres, &terms), "'=cit=27s=20=22x=22' & 'laten':*");
    }

    #[test]
    fn short_words_are_looked_up_only_where_there_is_no_longer_one() {
        let words =
            |all: &[&str]| Term::words(&all.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());

        assert_eq!(words(&["latency", "is"]), [Term::Word("latency".to_owned())]);
        assert_eq!(words(&["is", "s"]), [Term::Word("is".to_owned())]);
        assert_eq!(words(&["s"]), []);
    }
}
