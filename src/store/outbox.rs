//! The outbox: claiming messages with leases, in order per channel and dedup key. How each
//! attempt ended is written by [`Store::record_attempts`].
//!
//! A message is claimed only when no older one of the same channel and dedup key is
//! unfinished. A lease that runs out means that its worker died during the send: whether
//! the provider has the message is then unknown, and the log says so.

use std::time::Duration;

use super::breakers::BreakerRow;
use super::dialect::PerDialect;
use super::error::Doing as _;
use super::replicas::REMEMBERED;
use super::stand_ins::StandIn;
use super::triage::TimelineRow;
use super::{Pool, Store, StoreError, Tx};
use crate::domain::clock::Timestamp;
use crate::domain::outcome::SendOutcome;

/// A message leased to a worker.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Claimed {
    /// The notification.
    pub id: String,
    /// The name of the problem.
    pub dedup_key: String,
    /// 1, and one more for every redelivery by hand.
    pub series: i64,
    /// Which attempt of the series this is; the first is 1.
    pub attempts: i64,
    /// When it was decided, milliseconds.
    pub created_at: i64,
    /// When the event behind it was received, milliseconds.
    pub received_at: Option<i64>,
    /// After this it fails for good, milliseconds.
    pub expires_at: i64,
    /// [`crate::domain::notification::Snapshot`] as JSON.
    pub snapshot: String,
    /// Whether an earlier attempt may have reached the provider.
    pub maybe_twice: bool,
    /// Its place in the queue.
    pub priority: i64,
    /// By which claim it was leased.
    pub lease_claim: String,
    /// What the conversation's last message left to refer to, as JSON.
    pub reference: Option<String>,
}

/// Who claims, and for how long.
#[derive(Clone, Debug)]
pub struct Lease<'a> {
    /// The claiming process.
    pub owner: &'a str,
    /// Names this claim among all others: what it leased can be given back although its answer
    /// was lost.
    pub claim: &'a str,
    /// The present moment.
    pub now: Timestamp,
    /// How long the claim holds.
    pub length: Duration,
    /// The lowest [`priority`](crate::domain::priority::priority) to be handed out: 0 for all.
    pub from_priority: u8,
}

/// What becomes of a message after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The provider has it.
    Delivered,
    /// Given up, with the reason.
    Failed(String),
    /// To be tried again at that moment.
    Retry(Timestamp),
}

/// How one attempt ended, to be recorded.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The attempt's own id.
    pub attempt_id: String,
    /// The notification.
    pub notification_id: String,
    /// The channel.
    pub channel: String,
    /// Whose lease it was: a lease lost meanwhile records the attempt but changes nothing.
    pub owner: String,
    /// The series.
    pub series: i64,
    /// The attempt's number in it.
    pub number: i64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How it ended.
    pub outcome: SendOutcome,
    /// The provider's status.
    pub status: Option<u16>,
    /// Why it did not end well.
    pub error: Option<String>,
    /// The head of the provider's answer.
    pub response: Option<String>,
    /// What becomes of the message.
    pub next: Next,
    /// Whether the provider may have it although it is tried again.
    pub maybe_twice: bool,
    /// What the reader sees, as JSON, when it was rendered.
    pub preview: Option<String>,
    /// What the provider left to refer to, as JSON.
    pub reference: Option<String>,
}

/// What one recording writes.
#[derive(Debug, Default)]
pub struct Recording {
    /// Attempts that ended.
    pub finished: Vec<Finished>,
    /// Lines for the timelines of their incidents.
    pub timeline: Vec<TimelineRow>,
    /// How the channels fare.
    pub health: Vec<(String, HealthChange)>,
    /// Where their breakers stand, if they moved.
    pub breakers: Vec<BreakerRow>,
    /// What fallback channels are owed because of it.
    pub stand_ins: Vec<StandIn>,
}

/// True of a message that no older unfinished one of its channel and dedup key blocks, nor one
/// that stands for many and tells of its incident, too. Asked as one look into an index for each
/// message: written as NOT EXISTS, PostgreSQL joins all that waits with all that waits, as long
/// as its statistics do not know how much that is.
///
/// Here and in the claim each table is asked by itself, by the columns of an index and without
/// LIMIT: where a table has no statistics, PostgreSQL takes half a percent of it for a match, and
/// reads all of it from its beginning to find the first.
macro_rules! unblocked {
    () => {
        "n.id = (SELECT MIN(o.id) FROM notifications o WHERE o.channel = n.channel AND o.dedup_key = n.dedup_key \
         AND o.state IN ('pending', 'sending')) \
         AND (SELECT COUNT(*) FROM notifications f WHERE f.channel = n.channel \
         AND f.dedup_key = 'modelpager:folded' AND f.state IN ('pending', 'sending') AND f.id < n.id \
         AND (SELECT COUNT(*) FROM notification_incidents ni WHERE ni.notification_id = n.id \
         AND (SELECT COUNT(*) FROM notification_incidents fi WHERE fi.notification_id = f.id \
         AND fi.incident_id = ni.incident_id) > 0) > 0) = 0"
    };
}
macro_rules! claim_sql {
    ($is_one:literal, $end:literal) => {
        concat!(
            "UPDATE notifications SET state = 'sending', lease_owner = $1, lease_until = $2, lease_claim = $7, \
             attempts = attempts + 1 WHERE id ",
            $is_one,
            " (SELECT n.id FROM notifications n WHERE n.channel = $3 AND n.state = 'pending' \
             AND n.priority >= $6 AND n.due_at <= $4 AND ",
            // Whichever replica was asked to wait.
            "(SELECT 1 FROM channel_health h WHERE h.channel = $3 AND h.paused_until > $4) IS NULL AND ",
            unblocked!(),
            " ORDER BY n.priority, n.due_at, n.id LIMIT $5",
            $end,
            " RETURNING id, dedup_key, series, attempts, created_at, received_at, expires_at, snapshot, maybe_twice, priority, \
             lease_claim, CASE WHEN kind = 'folded' THEN NULL ELSE (SELECT MIN((SELECT c.reference FROM conversations c \
             WHERE c.incident_id = ni.incident_id AND c.channel = notifications.channel)) \
             FROM notification_incidents ni WHERE ni.notification_id = notifications.id) END AS reference"
        )
    };
}
const CLAIM: PerDialect = PerDialect {
    sqlite: claim_sql!("IN", ")"),
    // An array: how many are found is not guessed, and never thought to be a part of the table.
    postgres: claim_sql!("= ANY (ARRAY", " FOR UPDATE OF n SKIP LOCKED))"),
};
macro_rules! give_back_sql {
    ($which:literal) => {
        concat!(
            "UPDATE notifications SET state = 'pending', attempts = attempts - 1, lease_owner = NULL, \
             lease_until = NULL, lease_claim = NULL ",
            $which
        )
    };
}
const GIVE_BACK: &str = give_back_sql!("FROM (");
const GIVE_BACK_WHERE: &str = ") AS v WHERE notifications.id = v.column1 AND notifications.lease_claim = v.column2 \
     AND notifications.state = 'sending'";
const GIVE_BACK_CLAIMS: &str = give_back_sql!("WHERE state = 'sending' AND lease_claim IN");
/// One look into the index for each priority, whatever waits.
const NEXT_DUE: &str = concat!(
    "SELECT MIN(due) FROM (SELECT (SELECT n.due_at FROM notifications n \
     WHERE n.channel = $1 AND n.state = 'pending' AND n.priority = p.column1 AND ",
    unblocked!(),
    " ORDER BY n.due_at LIMIT 1) AS due FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9), (10), \
     (11), (12), (13), (14), (15)) AS p) AS dues"
);
const PAUSED_UNTIL: &str = "SELECT paused_until FROM channel_health WHERE channel = $1";
const CANCEL_ORPHANS: PerDialect = PerDialect {
    sqlite: "UPDATE notifications SET state = 'cancelled', reason = $1, finished_at = $2 \
             WHERE state = 'pending' AND $3 IS NOT NULL AND channel NOT IN",
    // In one statement: a replica shows itself before it owes anything, so that whoever sees
    // its message sees the channel, too.
    postgres: "UPDATE notifications SET state = 'cancelled', reason = $1, finished_at = $2 \
               WHERE state = 'pending' AND channel NOT IN \
               (SELECT jsonb_array_elements_text(channels::jsonb) FROM replicas WHERE seen_at >= $3) \
               AND channel NOT IN",
};

/// How a channel fares, summed over the attempts of one recording.
#[derive(Clone, Debug, Default)]
pub struct HealthChange {
    /// Asked to wait by the provider until then.
    pub paused_until: Option<Timestamp>,
    /// Failed attempts since the last success.
    pub failures: u32,
    /// The last success.
    pub last_success_at: Option<Timestamp>,
    /// The last failure.
    pub last_failure_at: Option<Timestamp>,
    /// What it was.
    pub last_error: Option<String>,
    /// Messages delivered.
    pub delivered: u32,
    /// Messages given up.
    pub failed: u32,
    /// When the last of them was.
    pub given_up_at: Option<Timestamp>,
}

macro_rules! claim_query {
    ($sql:expr, $channel:expr, $lease:expr, $limit:expr) => {
        sqlx::query_as::<_, Claimed>($sql)
            .bind($lease.owner)
            .bind($lease.now.plus($lease.length).as_millis())
            .bind($channel)
            .bind($lease.now.as_millis())
            .bind(i64::try_from($limit).unwrap_or(i64::MAX))
            .bind(i64::from($lease.from_priority))
            .bind($lease.claim)
    };
}

/// RETURNING promises no order.
fn in_order(mut claimed: Vec<Claimed>) -> Vec<Claimed> {
    claimed.sort_by(|a, b| (a.priority, &a.id).cmp(&(b.priority, &b.id)));
    claimed
}

impl Store {
    /// Leases up to `limit` due messages of a channel to a worker: by priority, then by age.
    /// None while the provider asked to be left alone.
    ///
    /// # Errors
    /// When the database does not answer; then nothing is leased.
    pub async fn claim_notifications(
        &self,
        channel: &str,
        lease: &Lease<'_>,
        limit: usize,
    ) -> Result<Vec<Claimed>, StoreError> {
        let Pool::Sqlite { write, .. } = &self.pool else {
            let mut tx = self.begin_write().await?;
            let claimed = tx.claim(channel, lease, limit).await?;
            tx.commit().await?;
            return Ok(claimed);
        };
        self.precedence.wait().await;
        let mut conn = write.acquire().await.doing("begin a transaction")?;
        // A statement by itself is a transaction.
        let claimed = claim_query!(CLAIM.sqlite, channel, lease, limit).fetch_all(&mut *conn).await;
        Ok(in_order(claimed.doing("claim messages")?))
    }

    /// Gives back messages that were leased and not sent, each as its id and its claim: as if
    /// they had not been leased. Doing so twice changes nothing.
    ///
    /// # Errors
    /// When the database does not answer; it may have done so all the same.
    pub async fn give_back(&self, messages: &[(String, String)]) -> Result<(), StoreError> {
        let mut tx = self.begin_write().await?;
        write_rows!(tx, messages, 2, GIVE_BACK, GIVE_BACK_WHERE, |query, message| query
            .bind(&message.0)
            .bind(&message.1))
        .doing("give messages back")?;
        tx.commit().await
    }

    /// Gives back everything that these claims leased, and answers how much that was. For claims
    /// of which nothing was sent, since nobody knows what they leased.
    ///
    /// # Errors
    /// When the database does not answer; it may have done so all the same.
    pub async fn give_back_claims(&self, claims: &[&str]) -> Result<u64, StoreError> {
        let mut tx = self.begin_write().await?;
        let given_back =
            write_by_keys!(tx, claims, GIVE_BACK_CLAIMS).doing("give back what claims leased")?;
        tx.commit().await?;
        Ok(given_back)
    }

    /// When the next message of a channel that nothing older blocks is due.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_due(&self, channel: &str) -> Result<Option<Timestamp>, StoreError> {
        let (due,): (Option<i64>,) =
            with_worker!(self, |conn| sqlx::query_as(NEXT_DUE).bind(channel).fetch_one(&mut *conn).await)
                .doing("look for the next message")?;
        Ok(due.map(Timestamp::from_millis))
    }

    /// Until when a provider asked a channel to wait.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn paused_until(&self, channel: &str) -> Result<Option<Timestamp>, StoreError> {
        let row: Option<(Option<i64>,)> = with_reader!(self, |conn| sqlx::query_as(PAUSED_UNTIL)
            .bind(channel)
            .fetch_optional(&mut *conn)
            .await)
        .doing("look whether a channel is paused")?;
        Ok(row.and_then(|(until,)| until).map(Timestamp::from_millis))
    }

    /// Withdraws what is owed to channels that nobody serves; answers how many. `channels` are
    /// those of the caller. On PostgreSQL another replica may serve others, or may have done so
    /// until a few minutes ago and be about to come back.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn cancel_orphans(&self, channels: &[&str], now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.begin_write().await?;
        let sql = super::dialect::list_sql(CANCEL_ORPHANS.pick(&tx), 4, channels.len());
        let cancelled = with_tx!(tx, |conn| {
            let mut query = sqlx::query(sql)
                .bind("its channel is no longer configured or is disabled")
                .bind(now.as_millis())
                .bind(now.minus(REMEMBERED).as_millis());
            for channel in channels {
                query = query.bind(channel);
            }
            query.execute(&mut *conn).await.map(|done| done.rows_affected())
        })
        .doing("withdraw messages of removed channels")?;
        tx.commit().await?;
        Ok(cancelled)
    }
}

impl Tx {
    /// Leases up to `limit` due messages of a channel: by priority, then by age.
    pub(super) async fn claim(
        &mut self,
        channel: &str,
        lease: &Lease<'_>,
        limit: usize,
    ) -> Result<Vec<Claimed>, StoreError> {
        let sql = CLAIM.pick(self);
        let claimed =
            with_tx!(self, |conn| claim_query!(sql, channel, lease, limit).fetch_all(&mut *conn).await);
        Ok(in_order(claimed.doing("claim messages")?))
    }
}

impl Next {
    pub(super) const fn state(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed(_) => "failed",
            Self::Retry(_) => "pending",
        }
    }

    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Delivered => "the provider accepted it",
            Self::Failed(reason) => reason,
            Self::Retry(_) => "",
        }
    }

    pub(super) const fn due_at(&self, ended_at: Timestamp) -> Timestamp {
        match self {
            Self::Retry(at) => *at,
            Self::Delivered | Self::Failed(_) => ended_at,
        }
    }

    pub(super) const fn is_final(&self) -> bool {
        !matches!(self, Self::Retry(_))
    }
}
