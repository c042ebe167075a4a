//! Values bound row by row, in the way that is cheapest for each database: [`Places`] gives
//! SQLite one parameter per value; [`Columns`] gives PostgreSQL one array per column, so that a
//! statement's text, and with it what the server keeps prepared, does not depend on the number
//! of rows.

use std::borrow::Cow;

use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments as _, Encode, Error, Sqlite, Type};

/// Values in the order in which they are bound.
#[derive(Default)]
pub(super) struct Places(SqliteArguments, Option<Error>);

impl Places {
    /// Adds the next value.
    pub fn bind<'r>(mut self, value: impl Encode<'r, Sqlite> + Type<Sqlite>) -> Self {
        if let Err(error) = self.0.add(value) {
            self.1.get_or_insert(Error::Encode(error));
        }
        self
    }

    /// Adds nulls for so many places.
    pub fn leave(mut self, places: usize) -> Self {
        for _ in 0..places {
            self = self.bind(None::<i64>);
        }
        self
    }

    /// All of them.
    pub fn arguments(self) -> Result<SqliteArguments, Error> {
        self.1.map_or(Ok(self.0), Err)
    }
}

/// The values of all rows, by column.
pub(super) struct Columns<'r> {
    columns: Vec<Column<'r>>,
    /// How many columns a row has.
    width: usize,
    /// Into which of them the next value goes.
    next: usize,
}

/// One column's values.
pub(super) enum Column<'r> {
    Text(Vec<Option<Cow<'r, str>>>),
    Int(Vec<Option<i64>>),
    Bool(Vec<Option<bool>>),
    Bytes(Vec<Option<&'r [u8]>>),
}

impl<'r> Columns<'r> {
    /// Nothing yet, for rows of `width` columns.
    pub fn of(width: usize) -> Self {
        Self { columns: Vec::with_capacity(width), width, next: 0 }
    }

    /// Adds the row's next value.
    pub fn bind(mut self, value: impl Cell<'r>) -> Self {
        match self.columns.get_mut(self.next) {
            Some(column) => value.add_to(column),
            None => self.columns.push(value.into_column()),
        }
        self.next = (self.next + 1) % self.width;
        self
    }

    /// One array per column.
    pub fn arguments(self) -> Result<PgArguments, Error> {
        let mut arguments = PgArguments::default();
        for column in self.columns {
            let added = match column {
                Column::Text(values) => arguments.add(values),
                Column::Int(values) => arguments.add(values),
                Column::Bool(values) => arguments.add(values),
                Column::Bytes(values) => arguments.add(values),
            };
            added.map_err(Error::Encode)?;
        }
        Ok(arguments)
    }
}

/// A value of a row. What is null still says by its type which column it belongs to.
pub(super) trait Cell<'r> {
    /// The first of its column.
    fn into_column(self) -> Column<'r>;
    /// One more of a column that [`Cell::into_column`] of the same type began.
    fn add_to(self, column: &mut Column<'r>);
}

/// Values of these types go into columns of that kind.
macro_rules! cells {
    ($kind:ident: $($cell:ty => |$value:ident| $option:expr),+ $(,)?) => {
        $(impl<'r> Cell<'r> for $cell {
            fn into_column(self) -> Column<'r> {
                let $value = self;
                Column::$kind(vec![$option])
            }

            fn add_to(self, column: &mut Column<'r>) {
                let $value = self;
                if let Column::$kind(values) = column {
                    values.push($option);
                }
            }
        })+
    };
}

cells!(Text:
    &'r str => |text| Some(Cow::Borrowed(text)),
    &&'r str => |text| Some(Cow::Borrowed(*text)),
    &'r String => |text| Some(Cow::Borrowed(text.as_str())),
    &&'r String => |text| Some(Cow::Borrowed(text.as_str())),
    String => |text| Some(Cow::Owned(text)),
    &'r Option<String> => |text| text.as_deref().map(Cow::Borrowed),
    Option<&'r str> => |text| text.map(Cow::Borrowed),
    Option<String> => |text| text.map(Cow::Owned),
);
cells!(Int: i64 => |number| Some(number), Option<i64> => |number| number);
cells!(Bool: bool => |truth| Some(truth));
cells!(Bytes: &'r [u8] => |bytes| Some(bytes));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_many_rows_are_one_array_per_column() {
        let mut columns = Columns::of(3);
        for (id, at, note) in [("a", 1, None), ("b", 2, Some("seen")), ("c", 3, None)] {
            columns = columns.bind(id).bind(at).bind(note);
        }

        let [Column::Text(ids), Column::Int(at), Column::Text(notes)] = &columns.columns[..] else {
            panic!("a column each, by type");
        };
        assert_eq!(ids.iter().flatten().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(at, &[Some(1), Some(2), Some(3)]);
        assert_eq!(notes, &[None, Some("seen".into()), None]);
        assert_eq!(columns.arguments().unwrap().len(), 3);
    }
}
