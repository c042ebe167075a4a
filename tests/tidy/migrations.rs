//! Both databases have the same history and end with the same tables, columns and indexes.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::SourceFile;

/// Table → columns, and index → table, after all migrations.
#[derive(Debug, Default, PartialEq, Eq)]
struct Schema {
    tables: BTreeMap<String, BTreeSet<String>>,
    indexes: BTreeMap<String, String>,
    /// Tables that SQLite keeps in the order of their key alone.
    without_rowid: BTreeSet<String>,
}

/// Where each database has an index for searching of its own kind: these tables are alike in
/// name only, and SQLite's index knows rows by their number.
const SEARCHED: [&str; 2] = ["notification", "incident"];

/// What one database has and the other has not.
pub fn differences(sqlite: &[SourceFile], postgres: &[SourceFile]) -> Vec<String> {
    let mut complaints = missing("migration", &names(sqlite), &names(postgres));
    let (left, right) = (Schema::after(sqlite).into_comparable(), Schema::after(postgres).into_comparable());
    complaints.extend(missing("table", &keys(&left.tables), &keys(&right.tables)));
    // A table that is its own index by its parent needs no other.
    let is_needed = |table: &String| !left.without_rowid.contains(table);
    let needed =
        right.indexes.iter().filter(|(name, table)| left.indexes.contains_key(*name) || is_needed(table));
    let needed = needed.map(|(name, _)| name.clone()).collect();
    complaints.extend(missing("index", &keys(&left.indexes), &needed));
    for (table, columns) in &left.tables {
        if let Some(others) = right.tables.get(table) {
            complaints.extend(missing(&format!("column of {table}"), columns, others));
        }
    }
    if left.tables.is_empty() {
        complaints.push("no table found: the migrations are not understood".to_owned());
    }
    complaints
}

/// Columns of PostgreSQL whose texts are compared by the rules of a language: slowly where they are
/// long, otherwise than SQLite does, and differently after an update of the C library. All of
/// them, since any may come into an index, a filter or an order.
pub fn by_language(postgres: &[SourceFile]) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in postgres {
        for (number, line) in file.text.lines().enumerate() {
            let sql = line.split("--").next().unwrap_or_default();
            let words: Vec<&str> = sql.split(|c: char| c.is_whitespace() || ",;(".contains(c)).collect();
            let is_text = |n: usize| {
                let types = ["text", "varchar", "char", "character"];
                types.contains(&words[n].to_lowercase().as_str())
            };
            let is_plain = |n: usize| words.get(n + 1..n + 3) != Some(&["COLLATE", "\"C\""]);
            if (1..words.len()).any(|n| is_text(n) && is_plain(n)) {
                complaints.push(format!(
                    "{}:{}: a text without COLLATE \"C\": {}",
                    file.path,
                    number + 1,
                    sql.trim()
                ));
            }
        }
    }
    complaints
}

fn missing(what: &str, sqlite: &BTreeSet<String>, postgres: &BTreeSet<String>) -> Vec<String> {
    let only = |here: &BTreeSet<String>, there: &BTreeSet<String>, place: &str| -> Vec<String> {
        here.difference(there).map(|name| format!("{what} {name} is only in {place}")).collect()
    };
    [only(sqlite, postgres, "sqlite"), only(postgres, sqlite, "postgres")].concat()
}

fn keys<V>(map: &BTreeMap<String, V>) -> BTreeSet<String> {
    map.keys().cloned().collect()
}

fn names(files: &[SourceFile]) -> BTreeSet<String> {
    files.iter().filter_map(|file| file.path.rsplit('/').next()).map(str::to_owned).collect()
}

impl Schema {
    /// Without the parts that are each database's own.
    fn into_comparable(mut self) -> Self {
        for list in SEARCHED {
            self.tables.remove(&format!("{list}_terms"));
            self.tables.remove(&format!("{list}s_to_index"));
            self.indexes.remove(&format!("{list}_terms_by_term"));
            if let Some(columns) = self.tables.get_mut(&format!("{list}s")) {
                columns.remove("number");
            }
        }
        self
    }

    fn after(files: &[SourceFile]) -> Self {
        let mut schema = Self::default();
        for file in files {
            let sql: String = file
                .text
                .lines()
                .filter_map(|line| line.split("--").next())
                .fold(String::new(), |all, line| all + line + "\n");
            sql.split(';').for_each(|statement| schema.apply(statement));
        }
        schema
    }

    /// Takes in one statement; what changes no table or index is passed over.
    fn apply(&mut self, statement: &str) {
        let lower = statement.to_lowercase().replace("if not exists", " ").replace("if exists", " ");
        let spaced = lower.replace('(', " ( ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        match words.as_slice() {
            ["create", "table", table, ..] => {
                self.tables.insert(name(table), columns(&lower));
                if lower.trim_end().ends_with("without rowid") {
                    self.without_rowid.insert(name(table));
                }
            }
            ["drop", "table", table, ..] => {
                self.tables.remove(&name(table));
            }
            ["alter", "table", table, "add", "column", column, ..] => {
                self.tables.entry(name(table)).or_default().insert(name(column));
            }
            ["alter", "table", table, "drop", "column", column, ..] => {
                self.tables.entry(name(table)).or_default().remove(&name(column));
            }
            ["create", "unique", "index", index, "on", table, ..]
            | ["create", "index", index, "on", table, ..] => {
                self.indexes.insert(name(index), name(table));
            }
            ["drop", "index", index, ..] => {
                self.indexes.remove(&name(index));
            }
            _ => {}
        }
    }
}

fn name(word: &str) -> String {
    word.trim_matches(|c| c == '"' || c == ',').to_owned()
}

/// The columns between the outer brackets of `CREATE TABLE`.
fn columns(statement: &str) -> BTreeSet<String> {
    const CONSTRAINTS: &[&str] = &["primary", "unique", "check", "foreign", "constraint"];
    let Some((open, close)) = statement.find('(').zip(statement.rfind(')')) else { return BTreeSet::new() };
    let mut depth = 0_i32;
    let parts = statement[open + 1..close].split(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    });
    parts
        .filter_map(|part| part.split(|c: char| c.is_whitespace() || c == '(').find(|word| !word.is_empty()))
        .filter(|word| !CONSTRAINTS.contains(word))
        .map(name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(name: &str, text: &str) -> Vec<SourceFile> {
        vec![SourceFile::sample(&format!("migrations/x/{name}"), text)]
    }

    const EVENTS: &str = "CREATE TABLE events (id TEXT PRIMARY KEY, -- the id, a UUID\n state TEXT CHECK (state IN ('a', 'b')),\n UNIQUE (id, state));\nCREATE UNIQUE INDEX events_state ON events(state);";

    #[test]
    fn the_same_tables_in_two_dialects_are_the_same() {
        let other = EVENTS.replace("TEXT PRIMARY KEY", "TEXT COLLATE \"C\" PRIMARY KEY").to_lowercase();

        assert_eq!(differences(&sql("0001_a.sql", EVENTS), &sql("0001_a.sql", &other)), Vec::<String>::new());
    }

    #[test]
    fn a_text_that_a_language_would_compare_is_seen() {
        let found = |text: &str| by_language(&sql("0001_a.sql", text)).len();

        assert_eq!(found("CREATE TABLE t (\n  a TEXT COLLATE \"C\" NOT NULL, -- TEXT\n  b BIGINT);"), 0);
        assert_eq!(found("CREATE TABLE t (\n  a TEXT NOT NULL,\n  b VARCHAR(3));"), 2);
        assert_eq!(
            found("ALTER TABLE t ADD COLUMN a TEXT;\nALTER TABLE t ADD COLUMN b TEXT COLLATE \"de\";"),
            2
        );
    }

    #[test]
    fn each_difference_is_seen() {
        let cases = [
            ("0002_a.sql", EVENTS.to_owned(), "migration 0001_a.sql is only in sqlite"),
            (
                "0001_a.sql",
                EVENTS.replace(" state TEXT", " status TEXT"),
                "column of events state is only in sqlite",
            ),
            (
                "0001_a.sql",
                EVENTS.replace("INDEX events_state", "INDEX other"),
                "index events_state is only in sqlite",
            ),
            (
                "0001_a.sql",
                format!("{EVENTS} CREATE TABLE more (id TEXT);"),
                "table more is only in postgres",
            ),
            (
                "0001_a.sql",
                format!("{EVENTS} ALTER TABLE events ADD COLUMN x TEXT;"),
                "column of events x is only in postgres",
            ),
        ];
        for (file, postgres, complaint) in cases {
            let complaints = differences(&sql("0001_a.sql", EVENTS), &sql(file, &postgres));
            assert!(complaints.iter().any(|said| said == complaint), "{complaint}: {complaints:?}");
        }
    }
}
