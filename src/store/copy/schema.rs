//! Which tables, columns and keys a database has, read from the database itself.

use std::collections::BTreeMap;

use super::value::Kind;
use super::{PerDialect, Store, StoreError, pick};
use crate::store::error::Doing as _;

/// There while a copy is unfinished. Not part of the schema: no migration knows it.
pub(super) const MARKER: &str = "storage_copy";
/// The driver's own table, ours about the copy, and what the target's triggers and its index of
/// terms make from the rows.
const NOT_COPIED: [&str; 6] = [
    "_sqlx_migrations",
    MARKER,
    "notifications_to_index",
    "notification_terms",
    "incidents_to_index",
    "incident_terms",
];

/// A table that is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    pub name: String,
    /// By name.
    pub columns: Vec<Column>,
    /// Which of the columns are its primary key, in the key's order.
    pub key: Vec<usize>,
}

/// A column that is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub name: String,
    pub kind: Kind,
}

/// Table, column, declared type, place in the primary key or 0. What the database computes by
/// itself (search tables, generated columns, SQLite's numbers of rows) is left out; numbered rows
/// are known by their id.
const COLUMNS: PerDialect = PerDialect {
    sqlite: "SELECT t.name, c.name, c.type, CAST(CASE WHEN c.name = 'id' THEN MAX(c.pk, n.name IS NOT NULL) \
             ELSE c.pk END AS BIGINT) FROM pragma_table_list t JOIN pragma_table_xinfo(t.name) c \
             LEFT JOIN pragma_table_xinfo(t.name) n ON n.name = 'number' AND n.type = 'INTEGER' AND n.pk = 1 \
             WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite!_%' ESCAPE '!' AND c.hidden = 0 \
             AND c.name <> COALESCE(n.name, '') ORDER BY 1, 2",
    postgres: "SELECT CAST(r.relname AS TEXT), CAST(a.attname AS TEXT), format_type(a.atttypid, NULL), \
               CAST(COALESCE(array_position(CAST(i.indkey AS INT2[]), a.attnum) + 1, 0) AS BIGINT) \
               FROM pg_class r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped \
               LEFT JOIN pg_index i ON i.indrelid = r.oid AND i.indisprimary \
               WHERE r.relnamespace = CAST(current_schema() AS REGNAMESPACE) AND r.relkind = 'r' \
               AND a.attgenerated = '' ORDER BY 1, 2",
};

/// The tables of a database, by name.
pub(super) async fn read(store: &Store) -> Result<Vec<Table>, StoreError> {
    let sql = pick(COLUMNS, store);
    let rows: Vec<(String, String, String, i64)> =
        with_reader!(store, |conn| sqlx::query_as(sql).fetch_all(&mut *conn).await)
            .doing("read the schema")?;
    let mut tables: BTreeMap<String, Vec<(Column, i64)>> = BTreeMap::new();
    for (table, name, declared, place) in rows {
        if NOT_COPIED.contains(&table.as_str()) {
            continue;
        }
        let kind = Kind::of(&declared).ok_or_else(|| {
            StoreError::Open(format!("{table}.{name} has the type {declared}, which cannot be copied"))
        })?;
        tables.entry(table).or_default().push((Column { name, kind }, place));
    }
    Ok(tables.into_iter().map(|(name, columns)| Table::new(name, columns)).collect())
}

impl Table {
    fn new(name: String, mut columns: Vec<(Column, i64)>) -> Self {
        // Databases sort names each in their own way.
        columns.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
        let mut key: Vec<(i64, usize)> = columns
            .iter()
            .enumerate()
            .filter(|(_, (_, place))| *place > 0)
            .map(|(n, (_, place))| (*place, n))
            .collect();
        key.sort_unstable();
        let key = key.into_iter().map(|(_, n)| n).collect();
        Self { name, columns: columns.into_iter().map(|(column, _)| column).collect(), key }
    }
}

/// The tables of the source, when the target has the same.
pub(super) fn matching(from: &[Table], to: &[Table]) -> Result<Vec<Table>, String> {
    for (here, there, side) in [(from, to, "the source"), (to, from, "the target")] {
        let only = here.iter().find(|table| there.iter().all(|other| other.name != table.name));
        if let Some(table) = only {
            return Err(format!("the table {} is only in {side}", table.name));
        }
    }
    for (left, right) in from.iter().zip(to) {
        if left.columns != right.columns {
            return Err(format!("the columns of {} are not the same", left.name));
        }
        if left.key.is_empty() || left.key != right.key {
            return Err(format!("{} has no primary key, or not the same", left.name));
        }
    }
    Ok(from.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str, columns: &[(&str, Kind, i64)]) -> Table {
        let column =
            |&(name, kind, place): &(&str, Kind, i64)| (Column { name: name.to_owned(), kind }, place);
        Table::new(name.to_owned(), columns.iter().map(column).collect())
    }

    #[test]
    fn keys_keep_their_order_whatever_that_of_the_columns() {
        let table = table("t", &[("b", Kind::Text, 1), ("a", Kind::Integer, 2), ("c", Kind::Text, 0)]);

        assert_eq!(table.columns[0].name, "a");
        assert_eq!(table.key, [1, 0]);
    }

    #[test]
    fn what_is_only_on_one_side_is_named() {
        let a = || table("a", &[("id", Kind::Text, 1)]);
        let b = || table("b", &[("id", Kind::Text, 1)]);
        let wider = table("a", &[("id", Kind::Text, 1), ("x", Kind::Text, 0)]);
        let keyless = || table("a", &[("id", Kind::Text, 0)]);

        assert_eq!(matching(&[a()], &[a()]).unwrap(), [a()]);
        assert!(matching(&[a()], &[a(), b()]).unwrap_err().contains("b is only in the target"));
        assert!(matching(&[a(), b()], &[a()]).unwrap_err().contains("b is only in the source"));
        assert!(matching(&[a()], &[wider]).unwrap_err().contains("columns of a"));
        assert!(matching(&[keyless()], &[keyless()]).unwrap_err().contains("no primary key"));
    }
}
