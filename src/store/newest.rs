//! The greatest id there is.

use super::error::Doing as _;
use super::{Store, StoreError};

const NEWEST: &str = "SELECT MAX(id) FROM (SELECT MAX(id) AS id FROM events \
     UNION ALL SELECT MAX(id) FROM notifications UNION ALL SELECT MAX(id) FROM attempts) AS newest";

impl Store {
    /// The greatest id of anything whose order matters; `None` in an empty database. New ids
    /// have to rise above it, also when the clock was set back since.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn newest_id(&self) -> Result<Option<String>, StoreError> {
        let (newest,): (Option<String>,) =
            with_reader!(self, |conn| sqlx::query_as(NEWEST).fetch_one(&mut *conn).await)
                .doing("look for the newest id")?;
        Ok(newest)
    }
}
