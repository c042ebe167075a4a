//! Finding out whether the database takes writes again, when nobody has anything to write.

use super::error::Doing as _;
use super::{Store, StoreError};
use crate::domain::clock::Timestamp;

/// How much is written: a disk that has room for this has room for a while.
const BYTES: usize = 64 * 1_024;
const WRITE: &str = "INSERT INTO event_keys (key, event_id, seen_at, expires_at) VALUES ($1, $2, $3, $3) \
     ON CONFLICT (key) DO UPDATE SET event_id = excluded.event_id";
const REMOVE: &str = "DELETE FROM event_keys WHERE key = $1";

impl Store {
    /// Writes something and removes it again. What a crash in between leaves behind has
    /// expired and goes the way of all expired keys.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn probe_writing(&self, now: Timestamp) -> Result<(), StoreError> {
        self.check_file()?;
        let key = format!("probe:{}:{}", std::process::id(), now.as_millis());
        let ballast = ballast();
        let mut tx = self.begin_write().await?;
        with_tx!(tx, |conn| sqlx::query(WRITE)
            .bind(&key)
            .bind(&ballast)
            .bind(now.as_millis())
            .execute(&mut *conn)
            .await
            .map(|_| ()))
        .doing("write a probe")?;
        tx.commit().await?;
        let mut tx = self.begin_write().await?;
        with_tx!(tx, |conn| sqlx::query(REMOVE).bind(&key).execute(&mut *conn).await.map(|_| ()))
            .doing("remove a probe")?;
        tx.commit().await
    }
}

/// Text that no database can make much smaller.
fn ballast() -> String {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut text = String::with_capacity(BYTES);
    while text.len() < BYTES {
        // Xorshift: variety is all that is wanted.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push(char::from(b' ' + (state % 95) as u8));
    }
    text
}
