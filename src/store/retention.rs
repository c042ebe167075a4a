//! Deleting what is outdated, a few hundred rows per transaction, so that intake and
//! dispatch never wait long for it.
//!
//! Promises: nothing unfinished is deleted (see [`Kept`]); a row goes together with what
//! hangs on it; no transaction deletes more than [`MAX_ROWS`] rows. On PostgreSQL one
//! replica at a time deletes, and passes over rows that others hold.
//!
//! A sweep walks a table by its ids, which rise with time, so it needs no index of its own.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::dialect::PerDialect;
use super::error::Doing as _;
use super::{Store, StoreError, Tx};
use crate::domain::clock::Timestamp;

mod targets;

use targets::{Child, Target};

/// No transaction deletes more rows than this, whatever hangs on one.
pub const MAX_ROWS: u64 = 400;
/// Nor, but for the first row, more bytes of bodies: freeing their pages takes time.
const MAX_BYTES: i64 = 4 << 20;

/// What has an age after which it is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Bodies; not those that wait for triage, nor those by which an alert of an open
    /// incident was last heard.
    Events,
    /// Messages and their attempts; not unfinished ones, nor those of open incidents.
    Notifications,
    /// Incidents and all that belongs to them; not open ones, nor those with a decision to
    /// come or with messages still in the log.
    Incidents,
    /// Lines of the audit log.
    Audit,
}

/// A walk through what is older than a moment.
#[derive(Debug)]
pub struct Sweep {
    kept: Kept,
    before: Timestamp,
    /// Everything up to this id is dealt with.
    after: String,
    /// Ids that stay although they are old enough.
    needed: HashSet<String>,
}

/// What one transaction of a sweep did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Swept {
    /// Rows deleted by table; there may be more.
    Some(BTreeMap<&'static str, u64>),
    /// The same, and nothing is left.
    Last(BTreeMap<&'static str, u64>),
    /// Another replica is at it.
    Busy,
}

#[derive(sqlx::FromRow)]
struct Candidate {
    id: String,
    outdated: bool,
    bytes: i64,
}

/// Held until the transaction ends; the number is this use's alone.
const DELETE_ALONE: &str = "SELECT pg_try_advisory_xact_lock(7236832413)";
const NEEDED_EVENTS: &str = "SELECT DISTINCT m.event_id FROM incidents i JOIN members m ON m.incident_id = i.id \
     WHERE i.state = 'open' AND m.event_id < $1";

impl Store {
    /// Begins a walk through what was made, and ended, before `before`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn begin_sweep(&self, kept: Kept, before: Timestamp) -> Result<Sweep, StoreError> {
        let mut needed = HashSet::new();
        if kept == Kept::Events {
            // What an alert refers to later is an event triaged later: not outdated then.
            let end = super::log::lowest_id(before);
            let ids: Vec<(String,)> = with_reader!(self, |conn| sqlx::query_as(NEEDED_EVENTS)
                .bind(end)
                .fetch_all(&mut *conn)
                .await)
            .doing("look for events still referred to")?;
            needed.extend(ids.into_iter().map(|(id,)| id));
        }
        Ok(Sweep { kept, before, after: String::new(), needed })
    }

    /// Takes the next step of a walk, in one transaction.
    ///
    /// # Errors
    /// When the database does not answer; then this step did nothing.
    pub async fn sweep_some(&self, sweep: &mut Sweep) -> Result<Swept, StoreError> {
        let mut tx = self.begin_write().await?;
        if !tx.deletes_alone().await? {
            return Ok(Swept::Busy);
        }
        let target = Target::of(sweep.kept);
        let window = tx.candidates(target, sweep).await?;
        let is_last = i64::try_from(window.len()).unwrap_or(i64::MAX) < target.window;
        let step = tx.choose(target, sweep, &window).await?;
        let mut deleted = BTreeMap::new();
        if let Some(id) = &step.too_much {
            for child in target.children {
                let room = MAX_ROWS - deleted.values().sum::<u64>();
                let rows = tx.delete_some(child, id, room).await?;
                note(&mut deleted, child.table, rows);
            }
        }
        for child in target.children {
            let rows = tx.delete_by_keys(child.delete, &step.ids).await?;
            note(&mut deleted, child.table, rows);
        }
        let rows = tx.delete_by_keys(target.delete, &step.ids).await?;
        note(&mut deleted, target.table, rows);
        tx.commit().await?;
        let is_done = is_last && step.is_whole;
        if let Some(after) = step.after {
            sweep.after = after;
        }
        Ok(if is_done { Swept::Last(deleted) } else { Swept::Some(deleted) })
    }
}

fn note(deleted: &mut BTreeMap<&'static str, u64>, table: &'static str, rows: u64) {
    if rows > 0 {
        *deleted.entry(table).or_default() += rows;
    }
}

/// What one transaction is going to delete.
#[derive(Debug, Default)]
struct Step<'a> {
    /// These rows with all that hangs on them.
    ids: Vec<&'a str>,
    /// Part of what hangs on this row: all of it would be too much.
    too_much: Option<&'a str>,
    /// Everything up to here is dealt with after this step.
    after: Option<String>,
    /// Whether that is the whole window.
    is_whole: bool,
}

impl Tx {
    /// Whether no other replica deletes, until this transaction ends.
    async fn deletes_alone(&mut self) -> Result<bool, StoreError> {
        let super::TxKind::Postgres(tx) = &mut self.0 else { return Ok(true) };
        let (alone,): (bool,) =
            sqlx::query_as(DELETE_ALONE).fetch_one(&mut **tx).await.doing("take the turn to delete")?;
        Ok(alone)
    }

    async fn candidates(
        &mut self,
        target: &'static Target,
        sweep: &Sweep,
    ) -> Result<Vec<Candidate>, StoreError> {
        let sql = target.candidates.pick(self);
        let end = super::log::lowest_id(sweep.before);
        with_tx!(self, |conn| {
            sqlx::query_as(sql)
                .bind(&sweep.after)
                .bind(end)
                .bind(sweep.before.as_millis())
                .bind(target.window)
                .fetch_all(&mut *conn)
                .await
        })
        .doing("look for outdated rows")
    }

    /// As many of the outdated rows, in order, as one transaction may delete.
    async fn choose<'a>(
        &mut self,
        target: &Target,
        sweep: &Sweep,
        window: &'a [Candidate],
    ) -> Result<Step<'a>, StoreError> {
        let outdated: Vec<&str> =
            window.iter().filter(|row| row.outdated).map(|row| row.id.as_str()).collect();
        let mut needed: HashSet<String> = HashSet::new();
        for sql in target.needed {
            let found: Vec<(String,)> = read_by_keys!(*self, (String,), &outdated, sql, "")
                .doing("look for what is still referred to")?;
            needed.extend(found.into_iter().map(|(id,)| id));
        }
        let mut rows: HashMap<String, u64> = HashMap::new();
        for child in target.children {
            let counts: Vec<(String, i64)> =
                read_by_keys!(*self, (String, i64), &outdated, child.count, child.count_end)
                    .doing("count what hangs on outdated rows")?;
            for (id, count) in counts {
                *rows.entry(id).or_default() += super::rows::unsigned(count);
            }
        }
        let stays =
            |row: &Candidate| !row.outdated || needed.contains(&row.id) || sweep.needed.contains(&row.id);
        Ok(fill(window, stays, |id| 1 + rows.get(id).copied().unwrap_or(0)))
    }

    async fn delete_by_keys(&mut self, sql: &'static str, ids: &[&str]) -> Result<u64, StoreError> {
        write_by_keys!(*self, ids, sql).doing("delete outdated rows")
    }

    async fn delete_some(&mut self, child: &Child, id: &str, most: u64) -> Result<u64, StoreError> {
        let most = super::rows::signed(most);
        with_tx!(self, |conn| {
            sqlx::query(child.delete_some)
                .bind(id)
                .bind(most)
                .execute(&mut *conn)
                .await
                .map(|done| done.rows_affected())
        })
        .doing("delete outdated rows")
    }
}

/// Takes rows of the window in order until one transaction has enough.
fn fill<'a>(
    window: &'a [Candidate],
    stays: impl Fn(&Candidate) -> bool,
    weight: impl Fn(&str) -> u64,
) -> Step<'a> {
    let mut step = Step::default();
    let (mut rows, mut bytes) = (0, 0);
    for row in window {
        if !stays(row) {
            rows += weight(&row.id);
            bytes += row.bytes;
            if rows > MAX_ROWS && step.ids.is_empty() {
                step.too_much = Some(&row.id);
                return step;
            }
            if !step.ids.is_empty() && (rows > MAX_ROWS || bytes > MAX_BYTES) {
                return step;
            }
            step.ids.push(&row.id);
        }
        step.after = Some(row.id.clone());
    }
    step.is_whole = true;
    step
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::dialect::Dialect;

    fn rows(sizes: &[i64]) -> Vec<Candidate> {
        let row = |(n, bytes): (usize, &i64)| Candidate { id: n.to_string(), outdated: true, bytes: *bytes };
        sizes.iter().enumerate().map(row).collect()
    }

    #[test]
    fn a_step_ends_before_the_row_that_would_be_too_much() {
        let window = rows(&[1, 1, 1]);

        let step = fill(&window, |_| false, |_| MAX_ROWS / 2);

        assert_eq!(step.ids, ["0", "1"]);
        assert_eq!((step.after.as_deref(), step.is_whole), (Some("1"), false));
    }

    #[test]
    fn a_row_on_which_too_much_hangs_is_taken_apart() {
        let window = rows(&[1, 1]);

        let step = fill(&window, |_| false, |_| MAX_ROWS + 1);

        assert_eq!((step.too_much, step.ids.len(), step.after), (Some("0"), 0, None));
    }

    #[test]
    fn large_bodies_make_small_steps_but_never_none() {
        let window = rows(&[MAX_BYTES * 2, 1]);

        let step = fill(&window, |_| false, |_| 1);

        assert_eq!((step.ids, step.is_whole), (vec!["0"], false));
    }

    #[test]
    fn what_stays_is_passed_over() {
        let window = rows(&[1, 1, 1]);

        let step = fill(&window, |row| row.id == "1", |_| 1);

        assert_eq!((step.ids, step.after.as_deref(), step.is_whole), (vec!["0", "2"], Some("2"), true));
    }

    /// Every statement of a sweep, as SQLite gets it.
    fn statements() -> Vec<String> {
        let kinds = [Kept::Events, Kept::Notifications, Kept::Incidents, Kept::Audit];
        let mut all = vec![NEEDED_EVENTS.to_owned()];
        for target in kinds.map(Target::of) {
            all.push(target.candidates.sqlite.to_owned());
            let by_keys = target.needed.iter().copied().chain([target.delete]);
            all.extend(by_keys.map(|sql| Dialect::Sqlite.keys_sql(sql, 4, "").to_owned()));
            for child in target.children {
                all.push(Dialect::Sqlite.keys_sql(child.count, 4, child.count_end).to_owned());
                all.push(Dialect::Sqlite.keys_sql(child.delete, 4, "").to_owned());
                all.push(child.delete_some.to_owned());
            }
        }
        all
    }

    #[tokio::test]
    async fn no_statement_of_a_sweep_reads_a_table_whole() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/t.db", folder.path().display()), 1).await.unwrap();
        let super::super::Pool::Sqlite { write, .. } = &store.pool else { panic!() };
        for statement in statements() {
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
            let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain).fetch_all(write).await.unwrap();
            for (_, _, _, step) in steps {
                let is_constant = step.contains("CONSTANT") || step.contains("VALUES CLAUSE");
                // What is open is never much.
                let is_short = step.contains("INDEX incidents_open");
                assert!(!step.starts_with("SCAN ") || is_constant || is_short, "{step}: {statement}");
            }
        }
    }
}
