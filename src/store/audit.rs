//! The audit log: who changed what, written in the transaction of the change itself.

use std::borrow::Cow;

use super::error::Doing as _;
use super::{Store, StoreError, Tx};
use crate::domain::clock::Timestamp;

/// One change by one actor.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// Rises with time.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// The token's name.
    pub actor: String,
    /// `create`, `change`, `delete`, …
    pub action: Cow<'static, str>,
    /// What sort of thing was changed: `catalog_entry`.
    pub subject_kind: &'static str,
    /// Which one.
    pub subject: String,
    /// What it was, JSON.
    pub before: Option<String>,
    /// What it became, JSON.
    pub after: Option<String>,
}

const INSERT_AUDIT: &str =
    "INSERT INTO audit_log (id, at, actor, action, subject_kind, subject, before, after)";

const LIST_AUDIT: &str = "SELECT id, at, actor, action, before, after FROM audit_log \
     WHERE subject_kind = $1 AND subject = $2 ORDER BY id DESC LIMIT $3";

#[derive(sqlx::FromRow)]
struct AuditRow {
    id: String,
    at: i64,
    actor: String,
    action: String,
    before: Option<String>,
    after: Option<String>,
}

impl Store {
    /// What was done to one subject, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list_audit(
        &self,
        subject_kind: &'static str,
        subject: &str,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let rows: Vec<AuditRow> = with_reader!(self, |conn| sqlx::query_as(LIST_AUDIT)
            .bind(subject_kind)
            .bind(subject)
            .bind(i64::from(limit))
            .fetch_all(&mut *conn)
            .await)
        .doing("read the audit log")?;
        let record = |row: AuditRow| AuditRecord {
            id: row.id,
            at: Timestamp::from_millis(row.at),
            actor: row.actor,
            action: row.action.into(),
            subject_kind,
            subject: subject.to_owned(),
            before: row.before,
            after: row.after,
        };
        Ok(rows.into_iter().map(record).collect())
    }
}

impl Tx {
    /// Records changes.
    ///
    /// # Errors
    /// When the database refuses; the change must then not be committed.
    pub async fn insert_audit(&mut self, records: &[AuditRecord]) -> Result<(), StoreError> {
        write_rows!(*self, records, 8, INSERT_AUDIT, "", |query, record| query
            .bind(&record.id)
            .bind(record.at.as_millis())
            .bind(&record.actor)
            .bind(&*record.action)
            .bind(record.subject_kind)
            .bind(&record.subject)
            .bind(&record.before)
            .bind(&record.after))
        .map(|_| ())
        .doing("write the audit log")
    }
}
