//! The end of triage's transaction. On SQLite a small one is written in one call: each call
//! costs two changes of threads, and while they last nobody else writes.

use std::sync::LazyLock;

use super::bound::Places;
use super::error::Doing as _;
use super::script::{Writing, bind_rows, room};
use super::triage::{Consequences, NewNotification, subjects};
use super::triage_rows::{
    CONVERSATIONS, DECISIONS, EVENTS, INCIDENTS, MEMBERS, NOTIFICATIONS, SOURCES, SUBJECTS, TIMELINE,
    bind_conversation, bind_decision, bind_incident, bind_member, bind_notification, bind_source,
    bind_subject, bind_timeline, bind_triaged_event,
};
use super::{Store, StoreError, Superseded, Tx};

static WRITING: LazyLock<Writing> = LazyLock::new(|| {
    Writing::of(&[
        &EVENTS,
        &INCIDENTS,
        &MEMBERS,
        &TIMELINE,
        &CONVERSATIONS,
        &DECISIONS,
        &NOTIFICATIONS,
        &SUBJECTS,
        &SOURCES,
    ])
});

impl Store {
    /// Writes what a transaction of triage concluded, which has only read until now, and ends
    /// it. Answers which messages ended because newer ones stand for them.
    ///
    /// # Errors
    /// Then nothing of it was written.
    pub async fn conclude(&self, reading: Tx, all: &Consequences) -> Result<Vec<Superseded>, StoreError> {
        if let (Some(pool), Some(room)) = (self.takes_scripts(), room_for(all)) {
            let places = places(all, room);
            let _turn = reading.end_reading().await?;
            self.write_at_once(pool, &WRITING, room, places).await.doing("store what triage concluded")?;
            return Ok(Vec::new());
        }
        let mut tx = reading.into_writing(self).await?;
        match tx.save_consequences(all).await {
            Ok(superseded) => tx.commit().await.map(|()| superseded),
            Err(error) => {
                // A broken connection undoes it by itself.
                let _ = tx.rollback().await;
                Err(error)
            }
        }
    }
}

/// For how many rows of each kind there must be room; `None` when they are too many, or when
/// something has to be read in between.
fn room_for(all: &Consequences) -> Option<usize> {
    let overtakes = |row: &NewNotification| row.follows.is_some();
    let is_outlived = all.incidents.iter().any(|change| !change.is_current);
    if is_outlived
        || !all.progress.is_empty()
        || !all.silenced.is_empty()
        || all.notifications.iter().any(overtakes)
    {
        return None;
    }
    room([
        all.events.len(),
        all.incidents.len(),
        all.members.len(),
        all.timeline.len(),
        all.conversations.len(),
        all.decisions.len(),
        all.notifications.len(),
        all.sources.len(),
    ])
}

fn places(all: &Consequences, room: usize) -> Places {
    let places = Places::default();
    let places = bind_rows!(places, room, &all.events, EVENTS, bind_triaged_event);
    let places = bind_rows!(places, room, &all.incidents, INCIDENTS, bind_incident);
    let places = bind_rows!(places, room, &all.members, MEMBERS, bind_member);
    let places = bind_rows!(places, room, &all.timeline, TIMELINE, bind_timeline);
    let places = bind_rows!(places, room, &all.conversations, CONVERSATIONS, bind_conversation);
    let places = bind_rows!(places, room, &all.decisions, DECISIONS, bind_decision);
    let places = bind_rows!(places, room, &all.notifications, NOTIFICATIONS, bind_notification);
    let places = bind_rows!(places, room, subjects(&all.notifications), SUBJECTS, bind_subject);
    bind_rows!(places, room, &all.sources, SOURCES, bind_source)
}
