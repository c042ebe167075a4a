//! Writing the terms of finished rows, batch by batch, behind everything else.

use sqlx::FromRow;

use super::super::dialect::PerDialect;
use super::super::error::Doing as _;
use super::super::{Store, StoreError};
use super::terms::{Field, terms_of};
use super::{INCIDENTS as INCIDENT_INDEX, Index, NOTIFICATIONS as NOTIFICATION_INDEX};

/// The statements that fill an index.
#[derive(Debug)]
pub(in crate::store) struct Filling {
    /// The oldest rows without terms that may have them.
    waiting: PerDialect,
    /// `PREFIX (KEYS) SUFFIX`: of these rows, those that may have terms now.
    rows: PerDialect,
    rows_end: PerDialect,
    /// `PREFIX (KEY, TERMS …) SUFFIX`.
    insert: PerDialect,
    insert_end: PerDialect,
    /// `PREFIX (KEYS)`: they have terms.
    done: PerDialect,
}

macro_rules! filling {
    ($table:literal, $terms:literal, $to_index:literal, $columns:literal, $may:literal) => {
        Filling {
            waiting: PerDialect {
                sqlite: concat!(
                    "SELECT CAST(q.number AS TEXT) FROM ",
                    $to_index,
                    " q JOIN ",
                    $table,
                    " r ON r.number = q.number \
                     WHERE ",
                    $may,
                    " ORDER BY q.number LIMIT 256"
                ),
                postgres: concat!(
                    "SELECT q.id FROM ",
                    $to_index,
                    " q JOIN ",
                    $table,
                    " r ON r.id = q.id \
                     WHERE ",
                    $may,
                    " ORDER BY q.id LIMIT 256"
                ),
            },
            rows: PerDialect {
                sqlite: concat!(
                    "SELECT CAST(r.number AS TEXT) AS list_key, ",
                    $columns,
                    " FROM ",
                    $table,
                    " r \
                     WHERE r.number IN"
                ),
                postgres: concat!(
                    "SELECT r.id AS list_key, ",
                    $columns,
                    " FROM ",
                    $to_index,
                    " q JOIN ",
                    $table,
                    " r ON r.id = q.id \
                     WHERE q.id IN"
                ),
            },
            rows_end: PerDialect {
                sqlite: concat!(" AND ", $may),
                // Nobody else writes their terms, and nobody sends them again meanwhile.
                postgres: concat!(
                    " AND ",
                    $may,
                    " ORDER BY q.id FOR UPDATE OF q SKIP LOCKED FOR SHARE OF r SKIP LOCKED"
                ),
            },
            insert: PerDialect {
                sqlite: concat!(
                    "INSERT INTO ",
                    $terms,
                    " (rowid, terms) SELECT CAST(column1 AS INTEGER), column2 FROM ("
                ),
                postgres: concat!(
                    "INSERT INTO ",
                    $terms,
                    " (id, terms) \
                     SELECT column1, array_to_tsvector(string_to_array(column2, ' ')) FROM ("
                ),
            },
            insert_end: PerDialect {
                sqlite: ")",
                postgres: ") AS r ON CONFLICT (id) DO UPDATE SET terms = excluded.terms",
            },
            done: PerDialect {
                sqlite: concat!("DELETE FROM ", $to_index, " WHERE number IN"),
                postgres: concat!("DELETE FROM ", $to_index, " WHERE id IN"),
            },
        }
    };
}

/// Of the delivery log: a message that is not finished will change.
pub(super) const NOTIFICATIONS: Filling = filling!(
    "notifications",
    "notification_terms",
    "notifications_to_index",
    "r.state, r.channel, r.severity, r.entry, r.alertname, r.dedup_key, r.reason, r.preview",
    "r.state NOT IN ('pending', 'sending')"
);

/// Of incidents.
pub(super) const INCIDENTS: Filling = filling!(
    "incidents",
    "incident_terms",
    "incidents_to_index",
    "'' AS state, '' AS channel, '' AS severity, r.entry, r.alertname, r.dedup_key, '' AS reason, NULL AS preview",
    "TRUE"
);

/// A row as the index sees it.
#[derive(FromRow)]
struct SourceRow {
    list_key: String,
    state: String,
    channel: String,
    severity: String,
    entry: String,
    alertname: String,
    dedup_key: String,
    reason: String,
    preview: Option<String>,
}

impl SourceRow {
    fn terms(&self) -> String {
        let [title, text] = texts_of(self.preview.as_deref());
        let values = [
            (Field::State, self.state.as_str()),
            (Field::Channel, &self.channel),
            (Field::Severity, &self.severity),
            (Field::Entry, &self.entry),
            (Field::Alertname, &self.alertname),
            (Field::DedupKey, &self.dedup_key),
        ];
        let texts = [
            self.dedup_key.as_str(),
            &self.alertname,
            &self.entry,
            &self.channel,
            &self.reason,
            &title,
            &text,
        ];
        terms_of(&values, &texts)
    }
}

/// The texts of a rendered message that are searched: not its wire form.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Preview {
    title: Option<String>,
    text: Option<String>,
}

/// The searched texts of a rendered message, as stored.
pub(in crate::store) fn texts_of(preview: Option<&str>) -> [String; 2] {
    let preview: Preview = preview.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    [preview.title.unwrap_or_default(), preview.text.unwrap_or_default()]
}

impl Store {
    /// Writes the terms of some rows. Whether there was anything to do.
    ///
    /// # Errors
    /// When the database does not answer; the rows are found all the same.
    pub async fn index_log(&self) -> Result<bool, StoreError> {
        let notifications = self.fill(&NOTIFICATION_INDEX).await?;
        let incidents = self.fill(&INCIDENT_INDEX).await?;
        Ok(notifications + incidents > 0)
    }

    /// The rows are looked for before the transaction: on SQLite nobody else writes meanwhile.
    async fn fill(&self, index: &Index) -> Result<usize, StoreError> {
        const DOING: &str = "write terms for the log's index";
        let Filling { waiting, rows, rows_end, insert, insert_end, done } = index.fill;
        let sql = waiting.pick_for(self);
        let keys: Vec<(String,)> =
            with_reader!(self, |conn| sqlx::query_as(sql).fetch_all(&mut *conn).await).doing(DOING)?;
        if keys.is_empty() {
            return Ok(0);
        }
        let keys: Vec<String> = keys.into_iter().map(|(key,)| key).collect();
        let mut tx = self.begin_write().await?;
        let (prefix, suffix) = (rows.pick(&tx), rows_end.pick(&tx));
        let found = read_by_keys!(tx, SourceRow, &keys, prefix, suffix).doing(DOING)?;
        let terms: Vec<(String, String)> =
            found.iter().map(|row| (row.list_key.clone(), row.terms())).collect();
        let (prefix, suffix) = (insert.pick(&tx), insert_end.pick(&tx));
        write_rows!(tx, &terms, 2, prefix, suffix, |query, row| query.bind(&row.0).bind(&row.1))
            .doing(DOING)?;
        let keys: Vec<String> = terms.into_iter().map(|(key, _)| key).collect();
        let forget = done.pick(&tx);
        write_by_keys!(tx, &keys, forget).doing(DOING)?;
        tx.commit().await?;
        Ok(keys.len())
    }
}
