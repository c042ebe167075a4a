//! News between replicas on PostgreSQL: what a transaction gave others to do is told to them
//! the moment it commits (`NOTIFY` in the transaction, one per transaction), so that an idle
//! replica need not wait for its next look. News may be lost; whoever listens looks from time
//! to time all the same.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgListener, PgPoolOptions};

use super::error::Doing as _;
use super::{Pool, Store, StoreError, Tx, TxKind, WAIT_LIMIT};
use crate::domain::random::{Random as _, SystemRandom};

/// What replicas call each other on.
const CHANNEL: &str = "modelpager";
/// PostgreSQL refuses a payload of 8000 bytes.
const MAX_PAYLOAD: usize = 7_000;
/// How long a quiet connection is trusted to be alive.
const QUIET: Duration = Duration::from_secs(30);

/// What there is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct News {
    /// Events wait for triage.
    pub events: bool,
    /// The catalog changed.
    pub catalog: bool,
    /// These channels are owed messages.
    pub owed: BTreeSet<String>,
    /// Any channel may be owed messages.
    pub owed_anywhere: bool,
}

impl News {
    /// What is to be assumed when news may have been missed.
    pub fn of_everything() -> Self {
        Self { events: true, catalog: true, owed: BTreeSet::new(), owed_anywhere: true }
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what `other` tells.
    pub fn add(&mut self, other: Self) {
        self.events |= other.events;
        self.catalog |= other.catalog;
        self.owed_anywhere |= other.owed_anywhere;
        self.owed.extend(other.owed);
    }
}

/// The news and who sends them: nobody needs to be told what it did itself.
#[derive(Serialize, Deserialize)]
struct Letter {
    from: String,
    #[serde(flatten)]
    news: News,
}

/// Who tells the others, and whether there are any.
pub(super) struct Announcer {
    from: String,
    is_alone: AtomicBool,
}

impl Announcer {
    /// An announcer that nobody else is taken for.
    pub fn new() -> Arc<Self> {
        let from = format!("{:016x}", SystemRandom.bits());
        Arc::new(Self { from, is_alone: AtomicBool::new(false) })
    }

    fn letter(&self, news: &News) -> Option<String> {
        if news.is_empty() || self.is_alone.load(Ordering::Relaxed) {
            return None;
        }
        let write =
            |news: &News| serde_json::to_string(&Letter { from: self.from.clone(), news: news.clone() }).ok();
        let whole = write(news).filter(|text| text.len() <= MAX_PAYLOAD);
        whole.or_else(|| {
            write(&News { owed: BTreeSet::new(), owed_anywhere: !news.owed.is_empty(), ..news.clone() })
        })
    }
}

/// Hears what other replicas did. Holds a connection of its own.
pub struct Listener {
    inner: PgListener,
    from: String,
}

impl Store {
    /// Says whether other replicas live: without any, nothing is announced.
    pub fn set_alone(&self, is_alone: bool) {
        self.announcer.is_alone.store(is_alone, Ordering::Relaxed);
    }

    /// Listens to other replicas; `None` on SQLite, where there are none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn listen(&self) -> Result<Option<Listener>, StoreError> {
        let Pool::Postgres(server) = &self.pool else { return Ok(None) };
        let doing = "listen to other replicas";
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(WAIT_LIMIT)
            .connect_with(server.options.clone())
            .await
            .doing(doing)?;
        let mut inner = PgListener::connect_with(&pool).await.doing(doing)?;
        inner.listen(CHANNEL).await.doing(doing)?;
        Ok(Some(Listener { inner, from: self.announcer.from.clone() }))
    }
}

impl Listener {
    /// Waits for the next news of another replica. After a lost connection it is
    /// [`News::of_everything`].
    ///
    /// # Errors
    /// When the connection broke and could not be had again; then this listener is of no more
    /// use.
    pub async fn next(&mut self) -> Result<News, StoreError> {
        loop {
            let Ok(heard) = tokio::time::timeout(QUIET, self.inner.try_recv()).await else {
                self.check().await?;
                continue;
            };
            let Some(heard) = heard.doing("hear of other replicas")? else {
                return Ok(News::of_everything());
            };
            // What is no letter comes from a version that writes others: something happened.
            let Ok(letter) = serde_json::from_str::<Letter>(heard.payload()) else {
                return Ok(News::of_everything());
            };
            if letter.from != self.from {
                return Ok(letter.news);
            }
        }
    }

    /// A connection whose other end is gone stays quiet for ever.
    async fn check(&mut self) -> Result<(), StoreError> {
        let sign = sqlx::Executor::execute(&mut self.inner, "SELECT 1");
        let sign = tokio::time::timeout(WAIT_LIMIT, sign).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        sign.map(|_| ()).doing("hear of other replicas")
    }
}

impl Tx {
    /// Notes what other replicas are told when this transaction commits.
    pub(super) fn announce(&mut self, news: News) {
        self.1.news.add(news);
    }

    /// Tells it, as part of the transaction.
    pub(super) async fn tell_others(&mut self) -> Result<(), StoreError> {
        let Some(letter) = self.1.announcer.letter(&self.1.news) else { return Ok(()) };
        let TxKind::Postgres(_) = &self.0 else { return Ok(()) };
        with_tx!(self, |conn| {
            let query = sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(letter);
            query.execute(&mut *conn).await.map(|_| ())
        })
        .doing("tell other replicas")
    }
}

/// What a transaction will announce, and by whom.
pub(super) struct Announcement {
    pub announcer: Arc<Announcer>,
    pub news: News,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owed(channels: impl IntoIterator<Item = String>) -> News {
        News { owed: channels.into_iter().collect(), ..News::default() }
    }

    #[test]
    fn too_many_channels_to_name_are_all_of_them() {
        let announcer = Announcer::new();

        let few = announcer.letter(&owed(["slack".to_owned()])).unwrap();
        let many = announcer.letter(&owed((0..2_000).map(|n| format!("channel-{n}")))).unwrap();

        let read = |text: &str| serde_json::from_str::<Letter>(text).unwrap().news;
        assert_eq!(read(&few), owed(["slack".to_owned()]));
        assert_eq!(read(&many), News { owed_anywhere: true, ..News::default() });
    }

    #[test]
    fn nothing_is_announced_without_news_or_without_others() {
        let announcer = Announcer::new();
        assert_eq!(announcer.letter(&News::default()), None);

        announcer.is_alone.store(true, Ordering::Relaxed);
        assert_eq!(announcer.letter(&News::of_everything()), None);
    }
}
