//! How the database fares, as those who work with it find out: what readiness says, and the
//! log. It gets one line when the database stops serving, one a minute while it does not,
//! and one when it serves again, however often each part tries meanwhile.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::StoreError;
use crate::domain::clock::Timestamp;

/// How long triage may take for one step, or for failing ones, before something is wrong.
const STALLED: Duration = Duration::from_secs(60);
/// How long the log is spared the same complaint.
const QUIET: Duration = Duration::from_secs(60);

/// What the parts of the program found out about the database.
#[derive(Debug)]
pub struct Watch {
    /// Which database, for the operator: a file's name, or the kind of server.
    place: String,
    works: Mutex<BTreeMap<&'static str, Work>>,
    triage: Mutex<Headway>,
    /// Connections that were open then are not to be used any more.
    stale_at: Mutex<Option<Instant>>,
    /// The file was found to be no sound database.
    is_damaged: AtomicBool,
    /// Connections that have not been used since then may be broken.
    shaken_at: Mutex<Option<Instant>>,
}

/// How triage gets on.
#[derive(Debug, Default)]
struct Headway {
    /// When it last came through a step, or found nothing to do; `None` before it began.
    at: Option<Timestamp>,
    /// Why it failed since then.
    failure: Option<String>,
}

/// One sort of work on the database that has failed at least once.
#[derive(Debug, Default)]
struct Work {
    /// Since when it fails, and why; `None` while it succeeds.
    trouble: Option<Trouble>,
    /// What the log had as the reason of its failing, and when.
    said: BTreeMap<&'static str, Timestamp>,
    /// The log has not yet been told that it succeeds again.
    owes_relief: bool,
}

#[derive(Debug)]
struct Trouble {
    since: Timestamp,
    why: &'static str,
    is_unavailable: bool,
    is_vague: bool,
}

/// What is to be written to the log.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Trouble,
    Relief,
    Nothing,
}

impl Watch {
    /// Of the database at `place`, about which nothing bad is known.
    pub fn new(place: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            works: Mutex::default(),
            triage: Mutex::default(),
            stale_at: Mutex::default(),
            is_damaged: AtomicBool::default(),
            shaken_at: Mutex::default(),
        }
    }

    /// Whether a connection of this age is one of those that take no writes and never will.
    pub(super) fn is_stale(&self, age: Duration) -> bool {
        self.stale_at.lock().is_some_and(|at| age > at.elapsed())
    }

    /// Whether a connection broke since one was used that has been idle for so long: what ended
    /// the one may have ended the other.
    pub(super) fn is_shaken(&self, idle_for: Duration) -> bool {
        self.shaken_at.lock().is_some_and(|at| idle_for > at.elapsed())
    }

    /// Notes how a piece of `work` ended, for instance "store what was posted".
    pub fn note<T>(&self, work: &'static str, outcome: &Result<T, StoreError>, now: Timestamp) {
        match outcome {
            Ok(_) => self.worked(work, now),
            Err(error) => self.failed(work, error, now),
        }
    }

    /// Why the database does not serve, and since when; `None` while it does. A failure that is
    /// no matter of the database's state is not counted: who is not ready gets no alerts.
    pub fn trouble(&self) -> Option<String> {
        let works = self.works.lock();
        let troubles = works.values().filter_map(|work| work.trouble.as_ref());
        let troubles = troubles.filter(|trouble| trouble.is_unavailable);
        // Who waited in vain for another part of the program does not know what is wrong.
        let oldest = troubles.min_by_key(|trouble| (trouble.is_vague, trouble.since))?;
        Some(format!("since {}: {}", oldest.since, oldest.why))
    }

    /// Triage began, came through a step or found nothing to do.
    pub fn triage_went_on(&self, now: Timestamp) {
        *self.triage.lock() = Headway { at: Some(now), failure: None };
    }

    /// A step of triage came to nothing.
    pub fn triage_failed(&self, error: &dyn std::error::Error) {
        // Not its causes: they may quote rows, and readiness is shown to everybody.
        self.triage.lock().failure = Some(error.to_string());
    }

    /// Since when triage makes no progress, and why; `None` while it does. What is accepted
    /// meanwhile waits.
    pub fn stalled(&self, now: Timestamp) -> Option<String> {
        let triage = self.triage.lock();
        let at = triage.at.filter(|at| now.since(*at) > STALLED)?;
        let why = triage.failure.as_deref().unwrap_or("one step of it takes too long");
        Some(format!("triage has made no progress since {at}: {why}"))
    }

    /// The database was seen to take writes: whatever failed before may be tried again.
    pub fn works_again(&self, now: Timestamp) {
        let troubled: Vec<&'static str> =
            self.works.lock().iter().filter(|(_, w)| w.trouble.is_some()).map(|(name, _)| *name).collect();
        for work in troubled {
            self.worked(work, now);
        }
    }

    /// Whether the file is sound, as far as anybody found out. What is written to a damaged one is
    /// not safe, until a restart with another one.
    ///
    /// # Errors
    /// When it is damaged.
    pub(super) fn check_sound(&self) -> Result<(), StoreError> {
        if self.is_damaged.load(Ordering::Relaxed) {
            return Err(StoreError::FileDamaged { path: self.place.clone() });
        }
        Ok(())
    }

    fn failed(&self, work: &'static str, error: &StoreError, now: Timestamp) {
        if error.is_damaged_file() {
            self.is_damaged.store(true, Ordering::Relaxed);
        }
        if error.is_read_only_session() {
            *self.stale_at.lock() = Some(Instant::now());
        }
        if error.is_broken_connection() {
            *self.shaken_at.lock() = Some(Instant::now());
        }
        let line = self.works.lock().entry(work).or_default().fail(error, now);
        if line != Line::Trouble {
            return;
        }
        let (database, error_chain) = (self.place.as_str(), error as &dyn std::error::Error);
        if let Some(advice) = error.advice() {
            tracing::error!(
                database,
                error = error_chain,
                "could not {work}, trying again: {advice}. Nothing that was accepted is lost, \
                 senders will retry"
            );
        } else {
            tracing::error!(database, error = error_chain, "could not {work}, trying again");
        }
    }

    fn worked(&self, work: &'static str, now: Timestamp) {
        let (line, since) = {
            let mut works = self.works.lock();
            let Some(known) = works.get_mut(work) else { return };
            let since = known.trouble.take().map(|trouble| trouble.since);
            (known.relieve(since.is_some()), since)
        };
        if line == Line::Relief {
            let after_s = since.map_or(0, |since| now.since(since).as_secs());
            tracing::info!(database = self.place.as_str(), after_s, "could {work} again");
        }
    }
}

impl Work {
    fn fail(&mut self, error: &StoreError, now: Timestamp) -> Line {
        let since = self.trouble.as_ref().map_or(now, |trouble| trouble.since);
        let gave_way = error.gave_way();
        let is_news = self.trouble.is_none() || !(error.is_vague() || gave_way);
        let why = error.advice().unwrap_or("it does not say why");
        if is_news {
            // Of two transactions that collide one is undone by a database that works.
            let is_unavailable = error.is_unavailable() && !gave_way;
            let is_vague = error.is_vague();
            self.trouble = Some(Trouble { since, why, is_unavailable, is_vague });
        }
        // A clock that was set back must not silence the log.
        self.said.retain(|_, at| *at <= now && now.since(*at) < QUIET);
        if self.said.contains_key(why) || (!is_news && !self.said.is_empty()) {
            return Line::Nothing;
        }
        self.said.insert(why, now);
        self.owes_relief = true;
        Line::Trouble
    }

    fn relieve(&mut self, was_troubled: bool) -> Line {
        if was_troubled && std::mem::take(&mut self.owes_relief) { Line::Relief } else { Line::Nothing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: Timestamp = Timestamp::from_millis(1_787_220_000_000);

    fn failure() -> StoreError {
        StoreError::Unavailable { doing: "store events", source: sqlx::Error::PoolTimedOut }
    }

    /// What PostgreSQL answers, by its SQLSTATE.
    #[derive(Debug)]
    struct Answered(&'static str);

    impl std::fmt::Display for Answered {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "SQLSTATE {}", self.0)
        }
    }

    impl std::error::Error for Answered {}

    impl sqlx::error::DatabaseError for Answered {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }

    fn answered(code: &'static str) -> Result<(), StoreError> {
        Err(StoreError::new("store events", sqlx::Error::Database(Box::new(Answered(code)))))
    }

    fn after(seconds: u64) -> Timestamp {
        BEGIN.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn the_log_has_one_line_a_minute_and_one_at_the_end() {
        let mut work = Work::default();
        let lines: Vec<u64> =
            (0..200).filter(|second| work.fail(&failure(), after(*second)) == Line::Trouble).collect();
        assert_eq!(lines, [0, 60, 120, 180]);

        work.trouble = None;
        assert_eq!(work.relieve(true), Line::Relief);
        assert_eq!(work.relieve(true), Line::Nothing);
    }

    #[test]
    fn another_reason_is_said_at_once_but_each_only_once_a_minute() {
        let mut work = Work::default();
        let crashed =
            || StoreError::Unavailable { doing: "store events", source: sqlx::Error::WorkerCrashed };
        let lines: Vec<Line> =
            [failure(), crashed(), failure(), crashed()].map(|error| work.fail(&error, after(0))).into();
        assert_eq!(lines, [Line::Trouble, Line::Trouble, Line::Nothing, Line::Nothing]);
    }

    #[test]
    fn what_comes_and_goes_does_not_fill_the_log() {
        let mut work = Work::default();
        let mut lines = Vec::new();
        for second in 0..120 {
            lines.push(work.fail(&failure(), after(second)));
            work.trouble = None;
            lines.push(work.relieve(true));
        }
        lines.retain(|line| *line != Line::Nothing);
        assert_eq!(lines, [Line::Trouble, Line::Relief, Line::Trouble, Line::Relief]);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_silence_the_log() {
        let mut work = Work::default();
        assert_eq!(work.fail(&failure(), after(7_200)), Line::Trouble);
        assert_eq!(work.fail(&failure(), after(0)), Line::Trouble);
    }

    #[test]
    fn a_transaction_that_gave_way_to_another_says_nothing_against_the_database() {
        for gave_way in ["40001", "40P01"] {
            let watch = Watch::new("postgres");
            watch.note("store what was posted", &answered(gave_way), after(0));
            assert_eq!(watch.trouble(), None, "{gave_way}");

            // Nor does it say that what is wrong is over.
            watch.note("store what was posted", &answered("53100"), after(1));
            watch.note("store what was posted", &answered(gave_way), after(2));
            assert!(watch.trouble().unwrap().contains("disk is full"), "{gave_way}");
        }
    }

    #[test]
    fn triage_that_makes_no_progress_is_noticed_whether_it_fails_or_hangs() {
        let watch = Watch::new("test.db");
        assert_eq!(watch.stalled(after(1_000)), None, "it has not begun");
        watch.triage_went_on(after(0));
        assert_eq!(watch.stalled(after(60)), None);
        assert!(watch.stalled(after(61)).unwrap().contains("one step of it takes too long"));

        watch.triage_failed(&answered("57014").unwrap_err());
        let said = watch.stalled(after(61)).unwrap();
        assert!(said.contains(&after(0).to_string()) && said.contains("a statement took too long"), "{said}");

        watch.triage_went_on(after(62));
        assert_eq!(watch.stalled(after(63)), None);
    }

    #[test]
    fn readiness_hears_of_what_fails_longest_until_writes_are_seen_to_work() {
        let watch = Watch::new("test.db");
        let failed: Result<(), StoreError> = Err(failure());
        assert_eq!(watch.trouble(), None);
        watch.note("record attempts", &Ok(()), after(0));
        watch.note("store what was posted", &failed, after(1));
        watch.note("take events through triage", &failed, after(2));
        watch.note("store what was posted", &failed, after(3));
        assert!(watch.trouble().unwrap().starts_with(&format!("since {}: ", after(1))));

        watch.note("store what was posted", &Ok(()), after(4));
        assert!(watch.trouble().unwrap().starts_with(&format!("since {}: ", after(2))));
        watch.works_again(after(5));
        assert_eq!(watch.trouble(), None);
    }
}
