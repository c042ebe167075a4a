//! Sessions that were ended before their time: who logs out is logged out on every replica.

use super::error::Doing as _;
use super::{Store, StoreError};
use crate::domain::clock::Timestamp;

const END: &str = "INSERT INTO ended_sessions (id, expires_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
const IS_ENDED: &str = "SELECT COUNT(*) FROM ended_sessions WHERE id = $1";
const FORGET: &str = "DELETE FROM ended_sessions WHERE expires_at <= $1";

impl Store {
    /// Ends a session that would hold until `expires_at`.
    ///
    /// # Errors
    /// When the database does not take it; then the session still holds.
    pub async fn end_session(&self, id: &str, expires_at: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        with_tx!(tx, |conn| sqlx::query(END)
            .bind(id)
            .bind(expires_at.as_millis())
            .execute(&mut *conn)
            .await
            .map(|_| ()))
        .doing("end a session")?;
        tx.commit().await
    }

    /// Whether a session was ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn is_session_ended(&self, id: &str) -> Result<bool, StoreError> {
        let found: (i64,) =
            with_reader!(self, |conn| sqlx::query_as(IS_ENDED).bind(id).fetch_one(&mut *conn).await)
                .doing("look for an ended session")?;
        Ok(found.0 > 0)
    }

    /// Forgets sessions whose time would be over by now anyway.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn forget_ended_sessions(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        with_tx!(tx, |conn| sqlx::query(FORGET).bind(now.as_millis()).execute(&mut *conn).await.map(|_| ()))
            .doing("forget ended sessions")?;
        tx.commit().await
    }
}
