//! The tables that are swept, what hangs on their rows, and what keeps a row.

use super::{Kept, PerDialect};

/// A table whose outdated rows are deleted.
#[derive(Debug)]
pub(super) struct Target {
    pub table: &'static str,
    /// `id`, `outdated`, `bytes` of the rows with ids above `$1` and below `$2`; outdated are
    /// those that ended before `$3`; at most `$4`.
    pub candidates: PerDialect,
    /// How many rows are looked at in one transaction.
    pub window: i64,
    /// Statements that find, among ids, those that stay.
    pub needed: &'static [&'static str],
    pub children: &'static [Child],
    pub delete: &'static str,
}

/// A table whose rows go with those of another.
#[derive(Debug)]
pub(super) struct Child {
    pub table: &'static str,
    pub count: &'static str,
    pub count_end: &'static str,
    pub delete: &'static str,
    /// At most `$2` rows of the one parent `$1`.
    pub delete_some: &'static str,
}

macro_rules! candidates {
    ($table:literal, $outdated:literal, $bytes:literal) => {
        PerDialect {
            sqlite: candidates!(@sql $table, $outdated, $bytes, ""),
            postgres: candidates!(@sql $table, $outdated, $bytes, " FOR UPDATE SKIP LOCKED"),
        }
    };
    (@sql $table:literal, $outdated:literal, $bytes:literal, $lock:literal) => {
        concat!(
            "SELECT id, (", $outdated, ") AS outdated, CAST(", $bytes, " AS BIGINT) AS bytes FROM ", $table,
            " WHERE id > $1 AND id < $2 ORDER BY id LIMIT $4", $lock
        )
    };
}

macro_rules! child {
    ($table:literal, $parent:literal, $key:literal) => {
        Child {
            table: $table,
            count: concat!("SELECT ", $parent, ", COUNT(*) FROM ", $table, " WHERE ", $parent, " IN"),
            count_end: concat!("GROUP BY ", $parent),
            delete: concat!("DELETE FROM ", $table, " WHERE ", $parent, " IN"),
            delete_some: concat!(
                "DELETE FROM ",
                $table,
                " WHERE ",
                $parent,
                " = $1 AND ",
                $key,
                " IN (SELECT ",
                $key,
                " FROM ",
                $table,
                " WHERE ",
                $parent,
                " = $1 LIMIT $2)"
            ),
        }
    };
}

const EVENTS: Target = Target {
    table: "events",
    candidates: candidates!(
        "events",
        "state <> 'pending' AND COALESCE(processed_at, received_at) < $3",
        "OCTET_LENGTH(body)"
    ),
    window: 400,
    needed: &[],
    children: &[],
    delete: "DELETE FROM events WHERE id IN",
};

const NOTIFICATIONS: Target = Target {
    table: "notifications",
    candidates: candidates!(
        "notifications",
        "state NOT IN ('pending', 'sending') AND COALESCE(finished_at, created_at) < $3",
        "OCTET_LENGTH(snapshot)"
    ),
    window: 150,
    needed: &[
        "SELECT n.notification_id FROM notification_incidents n JOIN incidents i ON i.id = n.incident_id \
               WHERE i.state = 'open' AND n.notification_id IN",
    ],
    children: &[
        child!("attempts", "notification_id", "id"),
        child!("notification_incidents", "notification_id", "incident_id"),
    ],
    delete: "DELETE FROM notifications WHERE id IN",
};

const INCIDENTS: Target = Target {
    table: "incidents",
    candidates: candidates!("incidents", "state <> 'open' AND updated_at < $3", "OCTET_LENGTH(tally)"),
    window: 100,
    needed: &[
        "SELECT incident_id FROM conversations WHERE next_due_at IS NOT NULL AND incident_id IN",
        "SELECT incident_id FROM notification_incidents WHERE incident_id IN",
    ],
    children: &[
        child!("members", "incident_id", "fingerprint"),
        child!("timeline", "incident_id", "id"),
        child!("conversations", "incident_id", "channel"),
        child!("decisions", "incident_id", "id"),
    ],
    delete: "DELETE FROM incidents WHERE id IN",
};

const AUDIT: Target = Target {
    table: "audit_log",
    candidates: candidates!(
        "audit_log",
        "at < $3",
        "COALESCE(OCTET_LENGTH(before), 0) + COALESCE(OCTET_LENGTH(after), 0)"
    ),
    window: 400,
    needed: &[],
    children: &[],
    delete: "DELETE FROM audit_log WHERE id IN",
};

impl Target {
    pub const fn of(kept: Kept) -> &'static Self {
        match kept {
            Kept::Events => &EVENTS,
            Kept::Notifications => &NOTIFICATIONS,
            Kept::Incidents => &INCIDENTS,
            Kept::Audit => &AUDIT,
        }
    }
}
