//! Ids that go on where the database stands. They are made from clocks, and clocks differ
//! between machines and are set back; but a newer message of a problem must sort after an
//! older one, and a later event after an earlier one. So whoever makes ids first looks at the
//! newest there is: at the start of the program and, where others write too, before an event
//! gets its id and when the turn to triage was had.

use super::dialect::{self, PerDialect};
use super::error::Doing as _;
use super::{Pool, Store, StoreError, Tx, TxKind};
use crate::domain::ids::IdMaker;

const NEWEST: PerDialect = PerDialect {
    // What is kept in the order of its parent (timeline, decisions, attempts) has no newest that
    // could be found without reading all of it; what it comes from is new enough.
    sqlite: "SELECT MAX(id) FROM (SELECT MAX(id) AS id FROM events \
             UNION ALL SELECT MAX(id) FROM notifications UNION ALL SELECT MAX(id) FROM incidents \
             UNION ALL SELECT MAX(id) FROM audit_log) AS newest",
    postgres: "SELECT MAX(id) FROM (SELECT MAX(id) AS id FROM events \
               UNION ALL SELECT MAX(id) FROM notifications UNION ALL SELECT MAX(id) FROM incidents \
               UNION ALL SELECT MAX(id) FROM timeline UNION ALL SELECT MAX(id) FROM decisions \
               UNION ALL SELECT MAX(id) FROM attempts UNION ALL SELECT MAX(id) FROM audit_log) AS newest",
};
const NEWEST_EVENT: &str = "SELECT MAX(id) FROM events";
const PRESENT_STATE: &str = "SELECT MAX(id), (SELECT value FROM meta WHERE key = 'catalog_revision') \
     FROM (SELECT MAX(id) AS id FROM notifications \
     UNION ALL SELECT MAX(id) FROM incidents UNION ALL SELECT MAX(id) FROM timeline \
     UNION ALL SELECT MAX(id) FROM decisions) AS newest";

impl Store {
    /// Lets `ids` go on above everything there is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn go_on_with_ids(&self, ids: &IdMaker) -> Result<(), StoreError> {
        let sql = NEWEST.pick_for(self);
        rise(ids, with_reader!(self, |conn| sqlx::query_as(sql).fetch_one(&mut *conn).await))
    }

    /// Lets `ids` go on above the events that others stored. A SQLite file has no others.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn go_on_with_event_ids(&self, ids: &IdMaker) -> Result<(), StoreError> {
        let Pool::Postgres(server) = &self.pool else { return Ok(()) };
        let newest = dialect::in_time(sqlx::query_as(NEWEST_EVENT).fetch_one(&server.intake)).await;
        rise(ids, newest)
    }
}

fn rise(ids: &IdMaker, newest: Result<(Option<String>,), sqlx::Error>) -> Result<(), StoreError> {
    let (newest,) = newest.doing("look for the newest id")?;
    newest.iter().for_each(|id| ids.rise_above(id));
    Ok(())
}

impl Tx {
    /// Lets `ids` go on above what the replica that triaged before wrote, and answers the
    /// catalog's revision: to be called once the turn is had and the events are read, so that
    /// what their senders may count on is known. `None` on SQLite, where there are no others.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn catch_up(&mut self, ids: &IdMaker) -> Result<Option<i64>, StoreError> {
        let TxKind::Postgres(_) = &self.0 else { return Ok(None) };
        let (newest, catalog_revision): (Option<String>, i64) =
            with_tx!(self, |conn| sqlx::query_as(PRESENT_STATE).fetch_one(&mut *conn).await)
                .doing("look at what other replicas wrote")?;
        newest.iter().for_each(|id| ids.rise_above(id));
        Ok(Some(catalog_revision))
    }
}
