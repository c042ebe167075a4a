//! The open pages that want to hear of changes, and how they are told.
//!
//! Promises: while nobody looks, nobody need watch the database; telling costs the same however
//! many look; and what many look at is written once for all of them.

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Mutex as Turn, Notify, watch};

/// How many views there may be at a time.
pub const MOST_VIEWS: usize = 5_000;

/// How many different pages are kept at a time.
const MOST_PAGES: usize = 64;

/// Every open view of this process.
#[derive(Clone, Debug)]
pub struct LiveViews(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// This process, as beats name it: those of another replica count from elsewhere.
    name: String,
    pulse: watch::Sender<Pulse>,
    opened: Notify,
    written: Mutex<Written>,
}

/// What was written since the last beats, by what is shown to whom.
#[derive(Debug, Default)]
struct Written {
    beat: u64,
    pages: HashMap<String, Page>,
}

/// A page that is written by whoever needs it first, while the others wait for it.
pub type Page = Arc<Turn<Option<Answer>>>;

/// A page as it is sent.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// What views hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// Counts the changes.
    Beat(u64),
    /// The service stops.
    End,
}

impl Default for LiveViews {
    fn default() -> Self {
        Self::named(String::new())
    }
}

impl LiveViews {
    /// Those of the process of that name.
    pub fn named(name: String) -> Self {
        Self(Arc::new(Inner {
            name,
            pulse: watch::Sender::new(Pulse::Beat(0)),
            opened: Notify::new(),
            written: Mutex::default(),
        }))
    }

    /// How pages are told of a beat.
    pub fn mark(&self, beat: u64) -> String {
        format!("{beat}.{}", self.0.name)
    }

    /// The beat of a mark; `None` for that of another process.
    pub fn beat_of(&self, mark: &str) -> Option<u64> {
        let (beat, name) = mark.split_once('.')?;
        (name == self.0.name).then(|| beat.parse().ok())?
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.0.pulse.receiver_count()
    }

    /// Waits until one is open.
    pub async fn wait_for_one(&self) {
        while self.count() == 0 {
            self.0.opened.notified().await;
        }
    }

    /// Tells all of them that something changed.
    pub fn tell(&self) {
        self.0.pulse.send_modify(|pulse| {
            if let Pulse::Beat(number) = pulse {
                *number += 1;
            }
        });
    }

    /// The page that views show who were told of this beat: it is at least as new as that. Those
    /// of earlier beats are forgotten. `key` says what is shown to whom.
    pub fn page(&self, beat: u64, key: String) -> Option<Page> {
        let mut written = self.0.written.lock();
        if beat > written.beat {
            *written = Written { beat, pages: HashMap::new() };
        }
        // Whoever is late writes it alone; and nobody fills the memory with addresses.
        let has_room = written.pages.len() < MOST_PAGES || written.pages.contains_key(&key);
        (beat == written.beat && has_room).then(|| written.pages.entry(key).or_default().clone())
    }

    /// Ends all of them; there are none from now on.
    pub fn end(&self) {
        self.0.pulse.send_replace(Pulse::End);
    }

    /// One more; `None` when there are as many as there may be, and once the service stops.
    pub fn open(&self) -> Option<watch::Receiver<Pulse>> {
        if self.count() >= MOST_VIEWS || *self.0.pulse.borrow() == Pulse::End {
            return None;
        }
        let view = self.0.pulse.subscribe();
        self.0.opened.notify_one();
        Some(view)
    }
}
