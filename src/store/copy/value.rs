//! A value of any column, and its column's kind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

/// What a column holds, whichever database it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Integer,
    Real,
    Boolean,
    Bytes,
}

impl Kind {
    /// The kind of a declared type; `None` for one that is not known here.
    pub fn of(declared: &str) -> Option<Self> {
        match declared.to_ascii_lowercase().as_str() {
            "text" | "character varying" => Some(Self::Text),
            "bigint" | "integer" | "smallint" => Some(Self::Integer),
            "double precision" | "real" => Some(Self::Real),
            "boolean" => Some(Self::Boolean),
            "blob" | "bytea" => Some(Self::Bytes),
            _ => None,
        }
    }
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(Option<String>),
    Integer(Option<i64>),
    Real(Option<f64>),
    Boolean(Option<bool>),
    Bytes(Option<Vec<u8>>),
}

impl Value {
    /// A text as both databases can hold it: PostgreSQL has no U+0000.
    pub fn text(text: Option<String>) -> Self {
        Self::Text(text.map(|text| if text.contains('\0') { text.replace('\0', "\u{FFFD}") } else { text }))
    }

    /// About how much memory it takes.
    pub fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.as_ref().map_or(0, String::len),
            Self::Bytes(bytes) => bytes.as_ref().map_or(0, Vec::len),
            Self::Integer(_) | Self::Real(_) | Self::Boolean(_) => 8,
        }
    }

    /// As part of a key that is kept in the target.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Text(text) => text.clone().into(),
            Self::Integer(number) => (*number).into(),
            Self::Boolean(flag) => (*flag).into(),
            Self::Bytes(bytes) => bytes.as_ref().map(|bytes| STANDARD.encode(bytes)).into(),
            // In no key: equality means little among them.
            Self::Real(_) => Json::Null,
        }
    }

    /// The part of a key that [`Self::to_json`] made.
    pub fn from_json(kind: Kind, json: &Json) -> Option<Self> {
        match kind {
            Kind::Text => json.as_str().map(|text| Self::Text(Some(text.to_owned()))),
            Kind::Integer => json.as_i64().map(|number| Self::Integer(Some(number))),
            Kind::Boolean => json.as_bool().map(|flag| Self::Boolean(Some(flag))),
            Kind::Bytes => STANDARD.decode(json.as_str()?).ok().map(|bytes| Self::Bytes(Some(bytes))),
            Kind::Real => None,
        }
    }
}

/// Binds a value to a statement of either driver.
macro_rules! bind_value {
    ($query:expr, $value:expr) => {
        match $value {
            Value::Text(text) => $query.bind(text.as_deref()),
            Value::Integer(number) => $query.bind(*number),
            Value::Real(number) => $query.bind(*number),
            Value::Boolean(flag) => $query.bind(*flag),
            Value::Bytes(bytes) => $query.bind(bytes.as_deref()),
        }
    };
}
pub(super) use bind_value;

/// A row of either driver as values.
macro_rules! row_values {
    ($row:expr, $table:expr) => {
        $table
            .columns
            .iter()
            .enumerate()
            .map(|(n, column)| {
                Ok(match column.kind {
                    Kind::Text => Value::text(sqlx::Row::try_get_unchecked(&$row, n)?),
                    Kind::Integer => Value::Integer(sqlx::Row::try_get_unchecked(&$row, n)?),
                    Kind::Real => Value::Real(sqlx::Row::try_get_unchecked(&$row, n)?),
                    Kind::Boolean => Value::Boolean(sqlx::Row::try_get_unchecked(&$row, n)?),
                    Kind::Bytes => Value::Bytes(sqlx::Row::try_get_unchecked(&$row, n)?),
                })
            })
            .collect::<Result<Vec<Value>, sqlx::Error>>()
    };
}
pub(super) use row_values;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_key_are_kept_as_json() {
        let parts = [
            (Kind::Text, Value::Text(Some("a\"b".to_owned()))),
            (Kind::Integer, Value::Integer(Some(i64::MAX))),
            (Kind::Boolean, Value::Boolean(Some(true))),
            (Kind::Bytes, Value::Bytes(Some(vec![0, 255, 10]))),
        ];
        for (kind, value) in parts {
            assert_eq!(Value::from_json(kind, &value.to_json()), Some(value));
        }
    }
}
