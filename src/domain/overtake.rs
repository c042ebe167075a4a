//! What a message says when an older one of the same incident and channel was never sent: it
//! stands for both.

use super::alert::AlertStatus;
use super::notification::{NotificationKind, Overtaken, Snapshot};

impl Snapshot {
    /// Makes this message stand for `older`, which was never sent, too: its reader hears the
    /// whole story from it.
    pub fn overtake(&mut self, older: &Self) {
        let before = older.overtook.as_ref();
        let mut kinds = before.map(|before| before.kinds.clone()).unwrap_or_default();
        if !kinds.contains(&older.kind) {
            kinds.push(older.kind);
        }
        if self.status == AlertStatus::Firing {
            self.take_over_kind(older, &kinds);
        }
        self.overtook = Some(Overtaken {
            count: 1 + before.map_or(0, |before| before.count),
            since: before.map_or(older.at, |before| before.since.min(older.at)),
            kinds,
        });
    }

    /// What the reader hears first is told as what it is to them.
    fn take_over_kind(&mut self, older: &Self, kinds: &[NotificationKind]) {
        if kinds.contains(&NotificationKind::Firing) {
            self.kind = NotificationKind::Firing;
            self.previous_severity = None;
        } else if kinds.contains(&NotificationKind::Reopened) {
            self.kind = NotificationKind::Reopened;
        } else if older.kind == NotificationKind::SeverityRaised
            && older.previous_severity.is_some_and(|before| before < self.incident.severity)
        {
            self.kind = NotificationKind::SeverityRaised;
            self.previous_severity = older.previous_severity;
        }
    }
}

impl Overtaken {
    /// Whether the reader never heard of the incident's begin.
    pub fn holds_the_begin(&self) -> bool {
        self.kinds.contains(&NotificationKind::Firing)
    }
}
