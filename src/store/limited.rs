//! Claiming within a channel's rate limit, and folding what exceeds it into one message.
//!
//! The budget is a row that the claiming transaction locks and updates, so that replicas
//! share it; a message that is claimed has been paid for, whatever becomes of it.

use super::dialect::PerDialect;
use super::error::Doing as _;
use super::outbox::{Claimed, Lease};
use super::overtake::never_sent;
use super::triage::{NewNotification, TimelineRow};
use super::{Store, StoreError, Superseded, Tx};
use crate::domain::clock::Timestamp;
use crate::domain::rate::{Bucket, Rate};

/// How many messages one message may stand for.
const MOST_FOLDED: i64 = 5_000;

/// Makes one message of many.
pub type Fold<'a> = &'a (dyn Fn(&[Waiting]) -> Folded + Send + Sync);

/// One message for many.
#[derive(Clone, Debug)]
pub struct Folded {
    /// The message.
    pub one: NewNotification,
    /// What the timelines of the incidents say about it.
    pub timeline: Vec<TimelineRow>,
}

/// The limit within which messages are claimed.
#[derive(Clone, Copy)]
pub struct Limit<'a> {
    /// How many in a time.
    pub rate: Rate,
    /// Fold when more wait than that beside those that may be sent at once.
    pub patience: usize,
    /// Makes one message of those; `None`: they wait.
    pub fold: Option<Fold<'a>>,
}

/// A message that waits and of which nothing was sent.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Waiting {
    /// The notification.
    pub id: String,
    /// Why it was to be sent.
    pub kind: String,
    /// How severe its incident was.
    pub severity: String,
    /// The catalog entry's slug; may be empty.
    pub entry: String,
    /// The rule's name; may be empty.
    pub alertname: String,
    /// When it was decided, milliseconds.
    pub created_at: i64,
    /// After this it fails for good, milliseconds.
    pub expires_at: i64,
    /// Its incident.
    pub incident_id: Option<String>,
    /// When that began, milliseconds.
    pub started_at: Option<i64>,
    /// When that ended, milliseconds; `None` while it goes on.
    pub resolved_at: Option<i64>,
}

/// What was claimed within the limit.
#[derive(Debug, Default)]
pub struct WithinLimit {
    /// Leased to the worker.
    pub claimed: Vec<Claimed>,
    /// No more may be claimed before.
    pub not_before: Option<Timestamp>,
    /// Ended, because one message stands for them.
    pub folded: Vec<Superseded>,
}

macro_rules! budget_sql {
    () => {
        "SELECT b.used_until, (SELECT h.paused_until FROM channel_health h WHERE h.channel = b.channel) \
         FROM channel_budgets b WHERE b.channel = $1"
    };
}
const BUDGET: PerDialect =
    PerDialect { sqlite: concat!(budget_sql!(), ""), postgres: concat!(budget_sql!(), " FOR UPDATE OF b") };
const OPEN_BUDGET: &str =
    "INSERT INTO channel_budgets (channel, used_until) VALUES ($1, 0) ON CONFLICT (channel) DO NOTHING";
const SPEND: &str = "UPDATE channel_budgets SET used_until = $2 WHERE channel = $1";
const WAITING: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM notifications \
     WHERE channel = $1 AND state = 'pending' LIMIT $2) AS few";
const FOLD_UNDER_WAY: &str = "SELECT COUNT(*) FROM notifications WHERE channel = $1 \
     AND dedup_key = 'modelpager:folded' AND state IN ('pending', 'sending')";
// The oldest first, so that no older message of a problem is left behind; ordered by what no
// index has, so that the index over what waits is used and not that over all of the log.
macro_rules! foldable_sql {
    ($lock:literal) => {
        concat!(
            "SELECT n.id, n.kind, n.severity, n.entry, n.alertname, n.created_at, n.expires_at, \
             (SELECT MIN(ni.incident_id) FROM notification_incidents ni WHERE ni.notification_id = n.id) AS incident_id, \
             (SELECT MIN(i.started_at) FROM notification_incidents ni JOIN incidents i ON i.id = ni.incident_id \
             WHERE ni.notification_id = n.id) AS started_at, \
             (SELECT MAX(i.resolved_at) FROM notification_incidents ni JOIN incidents i ON i.id = ni.incident_id \
             WHERE ni.notification_id = n.id) AS resolved_at \
             FROM notifications n WHERE n.channel = $1 AND n.dedup_key <> 'modelpager:folded' AND ",
            never_sent!(),
            // What cannot be folded keeps what came after it.
            " AND (SELECT COUNT(*) FROM notifications o WHERE o.channel = n.channel AND o.dedup_key = n.dedup_key \
             AND o.state IN ('pending', 'sending') AND o.id < n.id AND (o.state = 'sending' \
             OR (SELECT COUNT(*) FROM attempts b WHERE b.notification_id = o.id \
             AND b.outcome IN ('accepted', 'ambiguous')) > 0)) = 0 \
             ORDER BY n.id || '' LIMIT $2",
            $lock
        )
    };
}
const FOLDABLE: PerDialect =
    PerDialect { sqlite: foldable_sql!(""), postgres: foldable_sql!(" FOR UPDATE OF n SKIP LOCKED") };
const TIE: &str = "INSERT INTO notification_incidents (notification_id, incident_id)";

impl Store {
    /// Leases up to `most` due messages of a channel to a worker, as far as its limit allows;
    /// when too many wait, the most urgent and one message that stands for the others. None
    /// while the provider asked to be left alone.
    ///
    /// # Errors
    /// When the database does not answer; then nothing is leased.
    pub async fn claim_within(
        &self,
        channel: &str,
        lease: &Lease<'_>,
        most: usize,
        limit: &Limit<'_>,
    ) -> Result<WithinLimit, StoreError> {
        let mut tx = self.begin_write().await?;
        let (bucket, paused_until) = tx.budget(channel).await?;
        if paused_until.is_some_and(|until| until > lease.now) {
            return Ok(WithinLimit::default());
        }
        let allowed = limit.rate.allowance(bucket, lease.now).min(most);
        let crowded = tx.is_crowded(channel, limit, allowed).await?;
        // One for the most urgent, one for the others.
        let needed = if crowded { 2_usize.min(limit.rate.burst as usize).min(most) } else { 1 };
        if allowed < needed {
            let not_before = Some(limit.rate.next(bucket, needed, lease.now));
            return Ok(WithinLimit { not_before, ..WithinLimit::default() });
        }
        let mut within = WithinLimit::default();
        match limit.fold.filter(|_| crowded) {
            None => within.claimed = tx.claim(channel, lease, allowed).await?,
            Some(fold) => {
                within.claimed = tx.claim(channel, lease, allowed - 1).await?;
                within.folded = tx.fold(channel, fold).await?;
                let left = allowed - within.claimed.len();
                within.claimed.extend(tx.claim(channel, lease, left).await?);
            }
        }
        if !within.claimed.is_empty() {
            tx.spend(channel, limit.rate.take(bucket, within.claimed.len(), lease.now)).await?;
        }
        tx.commit().await?;
        Ok(within)
    }
}

impl Tx {
    /// What is used of a channel's limit, and until when its provider asked to be left alone.
    async fn budget(&mut self, channel: &str) -> Result<(Bucket, Option<Timestamp>), StoreError> {
        let sql = BUDGET.pick(self);
        loop {
            let found: Option<(i64, Option<i64>)> =
                with_tx!(self, |conn| sqlx::query_as(sql).bind(channel).fetch_optional(&mut *conn).await)
                    .doing("read a channel's budget")?;
            if let Some((used_until, paused_until)) = found {
                return Ok((Bucket(used_until), paused_until.map(Timestamp::from_millis)));
            }
            with_tx!(self, |conn| {
                sqlx::query(OPEN_BUDGET).bind(channel).execute(&mut *conn).await.map(|_| ())
            })
            .doing("open a channel's budget")?;
        }
    }

    async fn spend(&mut self, channel: &str, bucket: Bucket) -> Result<(), StoreError> {
        with_tx!(self, |conn| {
            sqlx::query(SPEND).bind(channel).bind(bucket.0).execute(&mut *conn).await.map(|_| ())
        })
        .doing("spend a channel's budget")
    }

    /// Whether more wait than may be sent soon, and one message could stand for them. There is
    /// one such message at a time: what it tells must be told before what came later.
    async fn is_crowded(
        &mut self,
        channel: &str,
        limit: &Limit<'_>,
        allowed: usize,
    ) -> Result<bool, StoreError> {
        if limit.fold.is_none() {
            return Ok(false);
        }
        let bearable = i64::try_from(allowed.saturating_add(limit.patience)).unwrap_or(i64::MAX - 1);
        let (waiting,): (i64,) = with_tx!(self, |conn| {
            sqlx::query_as(WAITING).bind(channel).bind(bearable + 1).fetch_one(&mut *conn).await
        })
        .doing("count what waits for a channel")?;
        if waiting <= bearable {
            return Ok(false);
        }
        let (under_way,): (i64,) =
            with_tx!(self, |conn| sqlx::query_as(FOLD_UNDER_WAY).bind(channel).fetch_one(&mut *conn).await)
                .doing("look for a message that stands for many")?;
        Ok(under_way == 0)
    }

    /// Puts one message in the place of all of which nothing was sent.
    async fn fold(&mut self, channel: &str, fold: Fold<'_>) -> Result<Vec<Superseded>, StoreError> {
        let sql = FOLDABLE.pick(self);
        let waiting: Vec<Waiting> = with_tx!(self, |conn| {
            sqlx::query_as(sql).bind(channel).bind(MOST_FOLDED).fetch_all(&mut *conn).await
        })
        .doing("read what waits for a channel")?;
        if waiting.len() < 2 {
            return Ok(Vec::new());
        }
        let Folded { one, timeline } = fold(&waiting);
        self.insert_notifications(std::slice::from_ref(&one)).await?;
        let mut incidents: Vec<&str> = waiting.iter().filter_map(|w| w.incident_id.as_deref()).collect();
        incidents.sort_unstable();
        incidents.dedup();
        write_rows!(*self, &incidents, 2, TIE, "", |query, incident| query.bind(&one.id).bind(incident))
            .doing("tie a message to incidents")?;
        let ended: Vec<Superseded> = waiting
            .into_iter()
            .map(|waiting| Superseded {
                id: waiting.id,
                channel: channel.to_owned(),
                reason: format!("folded into notification {}: more waited than the channel may send", one.id),
                at: one.snapshot.at,
            })
            .collect();
        self.supersede(&ended).await?;
        self.save_timeline(&timeline).await?;
        Ok(ended)
    }
}
