//! What triage reads in its transaction: the incidents that events touch, and what timers are
//! due. The events themselves: [`super::pending`].

use std::time::Duration;

use super::dialect::PerDialect;
use super::error::Doing as _;
use super::rows::{ConversationRow, IncidentRow, MemberRow};
use super::triage::{Consequences, DueAgain, Postponed};
use super::triage_tx::TriageTx;
use super::{Store, StoreError, Tx};
use crate::domain::clock::Timestamp;
use crate::domain::incident::{Conversation, GRAFANA_TEST, Incident, Member, TEST_LASTS};
use crate::domain::notification::SNAPSHOT_ALERTS;

const CURRENT: &str =
    concat!("SELECT ", incident_columns!(), " FROM incidents WHERE is_current AND dedup_key IN");
const BY_ID: &str = concat!("SELECT ", incident_columns!(), " FROM incidents WHERE id IN");
const TOP_MEMBERS: &str = concat!("SELECT ", member_columns!(), " FROM");
const TOP_MEMBERS_JOIN: PerDialect = PerDialect {
    sqlite: "AS v JOIN members m ON m.incident_id = v.column1 AND m.fingerprint IN \
             (SELECT x.fingerprint FROM members x WHERE x.incident_id = v.column1 \
             ORDER BY x.place, x.starts_at, x.fingerprint LIMIT 50)",
    postgres: "AS v CROSS JOIN LATERAL (SELECT * FROM members x WHERE x.incident_id = v.column1 \
               ORDER BY x.place, x.starts_at, x.fingerprint LIMIT 50) AS m",
};
const _: () = assert!(SNAPSHOT_ALERTS == 50, "the limit in TOP_MEMBERS_JOIN is SNAPSHOT_ALERTS");
const MEMBERS: &str = concat!("SELECT ", member_columns!(), " FROM (");
const MEMBERS_JOIN: &str = ") AS v JOIN members ON incident_id = v.column1 AND fingerprint = v.column2";
const CONVERSATIONS: &str =
    "SELECT incident_id, channel, told, next_due_at, last_answer FROM conversations WHERE incident_id IN";
const DUE: &str =
    "SELECT incident_id FROM conversations WHERE next_due_at <= $1 ORDER BY next_due_at LIMIT $2";
const STALE: &str =
    "SELECT id FROM incidents WHERE state = 'open' AND last_seen_at <= $1 ORDER BY last_seen_at LIMIT $2";

/// Open incidents of Grafana's test alert, which grow stale sooner.
const STALE_TESTS: &str = "SELECT id FROM incidents WHERE state = 'open' AND source = 'grafana-test' \
     AND last_seen_at <= $1 ORDER BY last_seen_at LIMIT $2";

const POSTPONE_DUE: &str =
    "UPDATE conversations SET next_due_at = $3 WHERE incident_id = $1 AND next_due_at <= $2";
/// There is no other timer of staleness than when an incident was last heard.
const POSTPONE_STALE: &str =
    "UPDATE incidents SET last_seen_at = $3 WHERE id = $1 AND state = 'open' AND last_seen_at <= $2";
const POSTPONE_TEST: &str = "UPDATE incidents SET last_seen_at = $3 WHERE id = $1 AND state = 'open' \
     AND source = 'grafana-test' AND last_seen_at <= $2";
const CLEAR_TIMERS: &str = "UPDATE conversations SET next_due_at = NULL WHERE incident_id = $1";

const NEXT_TIMER: &str = "SELECT MIN(at) FROM (SELECT MIN(next_due_at) AS at FROM conversations \
     WHERE next_due_at IS NOT NULL UNION ALL \
     SELECT MIN(last_seen_at) + $1 AS at FROM incidents WHERE state = 'open' UNION ALL \
     SELECT MIN(last_seen_at) + $2 AS at FROM incidents WHERE state = 'open' AND source = 'grafana-test') AS timers";
const _: () =
    assert!(matches!(GRAFANA_TEST.as_bytes(), b"grafana-test"), "the source in the statements here");

impl Store {
    /// When the next conversation is to be decided again or the next incident grows stale,
    /// whichever comes first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_timer(&self, stale_after: Duration) -> Result<Option<Timestamp>, StoreError> {
        let stale_ms = i64::try_from(stale_after.as_millis()).unwrap_or(i64::MAX / 2);
        let test_ms = i64::try_from(TEST_LASTS.as_millis()).unwrap_or(i64::MAX / 2);
        let (at,): (Option<i64>,) = with_reader!(self, |conn| {
            sqlx::query_as(NEXT_TIMER).bind(stale_ms).bind(test_ms).fetch_one(&mut *conn).await
        })
        .doing("look for the next timer")?;
        Ok(at.map(Timestamp::from_millis))
    }
}

/// What a change of the configuration may change the answer of: everything about open
/// incidents, so many at a time …
const NEXT_OPEN: &str = "SELECT MAX(id) FROM \
     (SELECT id FROM incidents WHERE state = 'open' AND id > $1 ORDER BY id LIMIT 500) AS few";
const DECIDE_AGAIN: &str = "UPDATE conversations SET next_due_at = $3 \
     WHERE incident_id IN (SELECT id FROM incidents WHERE state = 'open' AND id > $1 AND id <= $2)";
/// … and ends that are not told yet, so many at a time: a channel that tells no ends has one
/// for every incident there ever was.
macro_rules! untold_ends_sql {
    ($by:literal) => {
        concat!(
            "SELECT c.incident_id, c.channel, i.is_current AND i.state = 'resolved' FROM conversations c",
            $by,
            " JOIN incidents i ON i.id = c.incident_id \
             WHERE c.told LIKE '%\"status\":\"firing\"%' AND (c.incident_id, c.channel) > ($1, $2) \
             ORDER BY c.incident_id, c.channel LIMIT 500"
        )
    };
}
const UNTOLD_ENDS: PerDialect = PerDialect {
    // Without the hint SQLite walks the primary key, every conversation there is.
    sqlite: untold_ends_sql!(" INDEXED BY conversations_told_firing"),
    postgres: untold_ends_sql!(""),
};
const DECIDE_END_AGAIN: &str = "UPDATE conversations SET next_due_at = CAST(v.column3 AS BIGINT) FROM (";
const DECIDE_END_AGAIN_WHERE: &str =
    ") AS v WHERE conversations.incident_id = v.column1 AND conversations.channel = v.column2";

impl Store {
    /// Lets every conversation of an open incident come due, in small transactions between
    /// which others write: its answer may have changed with the configuration.
    ///
    /// # Errors
    /// When the database does not answer; then some of them did not come due.
    pub async fn decide_again(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut from = String::new();
        while let Some(to) = self.decide_few_again(&from, now).await? {
            from = to;
        }
        Ok(())
    }

    /// The same for the first incidents after `from`; answers the last of them.
    async fn decide_few_again(&self, from: &str, now: Timestamp) -> Result<Option<String>, StoreError> {
        let (to,): (Option<String>,) =
            with_reader!(self, |conn| sqlx::query_as(NEXT_OPEN).bind(from).fetch_one(&mut *conn).await)
                .doing("look for open incidents")?;
        let Some(to) = to else { return Ok(None) };
        let due = DueAgain::Open { after: from.to_owned(), up_to: to.clone(), at: now };
        self.come_due(due).await?;
        Ok(Some(to))
    }

    /// Lets every end that was not told yet come due, in small transactions: it may be told
    /// now, with another configuration. Answers how many.
    ///
    /// # Errors
    /// When the database does not answer; then some of them did not come due.
    pub async fn decide_ends_again(&self, now: Timestamp) -> Result<usize, StoreError> {
        let (mut incident_id, mut channel) = (String::new(), String::new());
        let mut due = 0;
        loop {
            let sql = UNTOLD_ENDS.pick_for(self);
            let found: Vec<(String, String, bool)> = with_reader!(self, |conn| {
                sqlx::query_as(sql).bind(&incident_id).bind(&channel).fetch_all(&mut *conn).await
            })
            .doing("look for untold ends")?;
            let Some((last_incident, last_channel, _)) = found.last() else { return Ok(due) };
            (incident_id, channel) = (last_incident.clone(), last_channel.clone());
            let ended: Vec<&(String, String, bool)> = found.iter().filter(|(_, _, ended)| *ended).collect();
            if ended.is_empty() {
                continue;
            }
            due += ended.len();
            let ended = ended.into_iter().map(|(incident, channel, _)| (incident.clone(), channel.clone()));
            self.come_due(DueAgain::Ends { conversations: ended.collect(), at: now }).await?;
        }
    }
}

impl Store {
    async fn come_due(&self, due_again: DueAgain) -> Result<(), StoreError> {
        let due_again = vec![due_again];
        let tx = self.begin_triage().await?;
        tx.commit(&Consequences { due_again, ..Consequences::default() }).await.map(|_| ())
    }
}

impl Tx {
    /// Lets conversations come due.
    pub(super) async fn decide_again(&mut self, rows: &[DueAgain]) -> Result<(), StoreError> {
        for due_again in rows {
            match due_again {
                DueAgain::Open { after, up_to, at } => {
                    with_tx!(self, |conn| {
                        let query = sqlx::query(DECIDE_AGAIN).bind(after).bind(up_to).bind(at.as_millis());
                        query.execute(&mut *conn).await.map(|_| ())
                    })
                    .doing("let conversations come due")?;
                }
                DueAgain::Ends { conversations, at } => {
                    write_rows!(
                        *self,
                        conversations,
                        3,
                        DECIDE_END_AGAIN,
                        DECIDE_END_AGAIN_WHERE,
                        |query, row| query.bind(&row.0).bind(&row.1).bind(at.as_millis())
                    )
                    .doing("let untold ends come due")?;
                }
            }
        }
        Ok(())
    }
}

impl TriageTx {
    /// The present incidents of these dedup keys, locked against other replicas.
    ///
    /// # Errors
    /// When the database does not answer or a row is unreadable.
    pub async fn current_incidents(&mut self, dedup_keys: &[&str]) -> Result<Vec<Incident>, StoreError> {
        self.read_incidents(dedup_keys, CURRENT).await
    }

    /// The incidents of these ids, locked against other replicas.
    ///
    /// # Errors
    /// When the database does not answer or a row is unreadable.
    pub async fn incidents_by_id(&mut self, ids: &[&str]) -> Result<Vec<Incident>, StoreError> {
        self.read_incidents(ids, BY_ID).await
    }

    async fn read_incidents(
        &mut self,
        keys: &[&str],
        sql: &'static str,
    ) -> Result<Vec<Incident>, StoreError> {
        // Locked in one order everywhere, so that replicas wait for instead of block each other.
        let lock = PerDialect { sqlite: "", postgres: "ORDER BY id FOR UPDATE" }.pick(&self.tx);
        let rows = read_by_keys!(self.tx, IncidentRow, keys, sql, lock).doing("read incidents")?;
        rows.into_iter().map(IncidentRow::into_incident).collect()
    }

    /// Of each incident the members that matter most: firing first, higher severity first,
    /// then oldest first; at most [`SNAPSHOT_ALERTS`].
    ///
    /// # Errors
    /// When the database does not answer or a row is unreadable.
    pub async fn top_members(&mut self, incident_ids: &[&str]) -> Result<Vec<(String, Member)>, StoreError> {
        let join = TOP_MEMBERS_JOIN.pick(&self.tx);
        let rows = read_by_keys!(self.tx, MemberRow, incident_ids, TOP_MEMBERS, join)
            .doing("read members of incidents")?;
        rows.into_iter().map(MemberRow::into_member).collect()
    }

    /// These members, each named by its incident and fingerprint.
    ///
    /// # Errors
    /// When the database does not answer or a row is unreadable.
    pub async fn members(&mut self, pairs: &[(&str, &str)]) -> Result<Vec<(String, Member)>, StoreError> {
        let rows = read_rows!(self.tx, MemberRow, pairs, 2, MEMBERS, MEMBERS_JOIN, |query, pair| query
            .bind(pair.0)
            .bind(pair.1))
        .doing("read members")?;
        rows.into_iter().map(MemberRow::into_member).collect()
    }

    /// What these incidents have said.
    ///
    /// # Errors
    /// When the database does not answer or a row is unreadable.
    pub async fn conversations(
        &mut self,
        incident_ids: &[&str],
    ) -> Result<Vec<(String, Conversation)>, StoreError> {
        let rows = read_by_keys!(self.tx, ConversationRow, incident_ids, CONVERSATIONS, "")
            .doing("read conversations")?;
        rows.into_iter().map(ConversationRow::into_conversation).collect()
    }

    /// Incidents with a conversation whose time has come.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn due_incident_ids(&mut self, now: Timestamp, limit: u32) -> Result<Vec<String>, StoreError> {
        self.ids_before(DUE, now, limit).await
    }

    /// Open incidents not heard of since `before`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stale_incident_ids(
        &mut self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        self.ids_before(STALE, before, limit).await
    }

    /// Open incidents of Grafana's test alert not heard of since `before`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn stale_test_ids(&mut self, before: Timestamp, limit: u32) -> Result<Vec<String>, StoreError> {
        self.ids_before(STALE_TESTS, before, limit).await
    }

    async fn ids_before(
        &mut self,
        sql: &'static str,
        at: Timestamp,
        limit: u32,
    ) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(String,)> = with_tx!(self.tx, |conn| {
            sqlx::query_as(sql).bind(at.as_millis()).bind(i64::from(limit)).fetch_all(&mut *conn).await
        })
        .doing("read what is due")?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }
}

impl Tx {
    /// Lets the timers of incidents that cannot be worked on rest.
    pub(super) async fn postpone_timers(&mut self, rows: &[Postponed]) -> Result<(), StoreError> {
        for Postponed { incident_id, now, stale_before, rest } in rows {
            let tests_before = now.minus(TEST_LASTS);
            for (sql, before) in
                [(POSTPONE_DUE, *now), (POSTPONE_STALE, *stale_before), (POSTPONE_TEST, tests_before)]
            {
                with_tx!(self, |conn| {
                    sqlx::query(sql)
                        .bind(incident_id)
                        .bind(before.as_millis())
                        .bind(before.plus(*rest).as_millis())
                        .execute(&mut *conn)
                        .await
                        .map(|_| ())
                })
                .doing("postpone the timers of an incident")?;
            }
        }
        Ok(())
    }

    /// Lets nothing of these incidents come due any more.
    pub(super) async fn clear_timers(&mut self, incident_ids: &[String]) -> Result<(), StoreError> {
        for id in incident_ids {
            with_tx!(self, |conn| sqlx::query(CLEAR_TIMERS).bind(id).execute(&mut *conn).await.map(|_| ()))
                .doing("clear the timers of an incident")?;
        }
        Ok(())
    }
}
