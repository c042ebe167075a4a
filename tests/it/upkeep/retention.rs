//! Deleting what is outdated: all of it, nothing else, and a little at a time.

use std::collections::BTreeMap;
use std::time::Duration;

use modelpager::domain::clock::Clock as _;
use modelpager::domain::outcome::SendOutcome;
use modelpager::store::outbox::{Finished, Lease, Next, Recording};
use modelpager::store::retention::{Kept, MAX_ROWS, Swept};
use serde_json::json;

use super::raw::Raw;
use super::running::Running;
use crate::spine::{START, World, alert, body, config};
use crate::support::databases::{Fresh, on_both_databases};
use crate::support::http;
use crate::support::service::eventually;

const DAY: Duration = Duration::from_secs(24 * 3_600);

on_both_databases! {
    what_is_outdated_goes_with_all_that_hangs_on_it,
    what_is_unfinished_stays_however_old,
    what_ended_late_is_kept_from_its_end_on,
    no_transaction_deletes_more_than_its_bound,
    alerts_are_taken_between_two_steps,
    the_running_program_deletes_by_itself,
}

impl World {
    /// Delivers what is owed on a channel, now.
    async fn deliver_all(&self, channel: &str) {
        let now = self.clock.now();
        let lease = Lease { owner: "me", claim: "test", now, length: DAY, from_priority: 0 };
        loop {
            let claimed = self.store.claim_notifications(channel, &lease, 100).await.unwrap();
            if claimed.is_empty() {
                return;
            }
            let ended = |id: &str, series, number| Finished {
                attempt_id: self.ids.next_id(),
                notification_id: id.to_owned(),
                channel: channel.to_owned(),
                owner: "me".to_owned(),
                series,
                number,
                started_at: now,
                ended_at: now,
                outcome: SendOutcome::Accepted,
                status: Some(200),
                error: None,
                response: None,
                next: Next::Delivered,
                maybe_twice: false,
                preview: None,
                reference: None,
            };
            let finished = claimed.iter().map(|one| ended(&one.id, one.series, one.attempts)).collect();
            let recording = Recording { finished, ..Recording::default() };
            self.store.record_attempts(&recording).await.unwrap();
        }
    }

    /// Everything that ended more than `age` ago is deleted; answers how many rows by table.
    async fn sweep(&self, kept: Kept, age: Duration) -> BTreeMap<&'static str, u64> {
        let mut sweep = self.store.begin_sweep(kept, self.clock.now().minus(age)).await.unwrap();
        let mut total = BTreeMap::new();
        loop {
            let swept = self.store.sweep_some(&mut sweep).await.unwrap();
            let (rows, is_last) = match swept {
                Swept::Some(rows) => (rows, false),
                Swept::Last(rows) => (rows, true),
                Swept::Busy => panic!("nobody else deletes here"),
            };
            assert!(rows.values().sum::<u64>() <= MAX_ROWS, "{rows:?}");
            for (table, count) in rows {
                *total.entry(table).or_default() += count;
            }
            if is_last {
                return total;
            }
        }
    }

    async fn sweep_everything(&self, age: Duration) -> BTreeMap<&'static str, u64> {
        let mut total = BTreeMap::new();
        for kept in [Kept::Events, Kept::Notifications, Kept::Incidents, Kept::Audit] {
            total.extend(self.sweep(kept, age).await);
        }
        total
    }

    /// One problem from its beginning to its end, told on the channel `console`.
    async fn live_through(&self, model: &str) {
        self.tell(&[alert(("firing", model, "high", "a"))]).await;
        self.deliver_all("console").await;
        self.tell(&[alert(("resolved", model, "high", "a"))]).await;
        self.deliver_all("console").await;
    }
}

async fn what_is_outdated_goes_with_all_that_hangs_on_it(fresh: Fresh) {
    let url = fresh.url();
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    world.live_through("fraud").await;
    world.clock.advance(100 * DAY);
    let mut raw = Raw::open(&url).await;
    let before = raw.counts().await;
    assert!(["members", "timeline", "conversations", "decisions"].iter().all(|table| before[*table] > 0));

    assert!(world.sweep_everything(101 * DAY).await.is_empty(), "younger than that");
    let deleted = world.sweep_everything(99 * DAY).await;

    let gone = [
        ("attempts", 2),
        ("audit_log", 1),
        ("conversations", 1),
        ("decisions", 2),
        ("events", 2),
        ("incidents", 1),
        ("members", 1),
        ("notification_incidents", 2),
        ("notifications", 2),
    ];
    let timeline = deleted["timeline"];
    assert!(timeline >= 2, "{deleted:?}");
    let expected: BTreeMap<&str, u64> = gone.into_iter().chain([("timeline", timeline)]).collect();
    assert_eq!(deleted, expected);
    let after = raw.counts().await;
    for (table, rows) in before {
        let gone = i64::try_from(deleted.get(table.as_str()).copied().unwrap_or(0)).unwrap();
        assert_eq!(after[&table], rows - gone, "{table}");
        let is_swept = deleted.contains_key(table.as_str());
        assert!(!is_swept || after[&table] == 0, "{table}");
    }
    world.live_through("fraud").await;
}

async fn what_is_unfinished_stays_however_old(fresh: Fresh) {
    let url = fresh.url();
    let world = World::open(fresh, &config()).await;
    world.add_entry("open").await;
    world.add_entry("owed").await;
    world.live_through("unknown").await;
    world.tell(&[alert(("firing", "open", "high", "a"))]).await;
    world.deliver_all("console").await;
    world.tell(&[alert(("firing", "owed", "high", "a"))]).await;
    world.tell(&[alert(("resolved", "owed", "high", "a"))]).await;
    world.post(&body(&[alert(("firing", "waits", "high", "a"))])).await.unwrap();
    world.clock.advance(1_000 * DAY);

    let deleted = world.sweep_everything(DAY).await;

    let mut raw = Raw::open(&url).await;
    let state = |table: &str, state: &str| format!("SELECT COUNT(*) FROM {table} WHERE state = '{state}'");
    assert_eq!(raw.number(&state("events", "pending")).await, 1);
    assert_eq!(raw.number(&state("notifications", "pending")).await, 2);
    assert_eq!(raw.number(&state("notifications", "delivered")).await, 1, "the open incident's");
    assert_eq!(raw.number(&state("incidents", "open")).await, 1);
    assert_eq!(raw.number(&state("incidents", "resolved")).await, 1, "that of which messages are owed");
    assert_eq!((deleted["incidents"], deleted["notifications"]), (1, 2));
    let orphans = "SELECT COUNT(*) FROM incidents i JOIN members m ON m.incident_id = i.id \
                   LEFT JOIN events e ON e.id = m.event_id WHERE i.state = 'open' AND e.id IS NULL";
    assert_eq!(raw.number(orphans).await, 0, "an open incident's members can be traced");

    world.processor.settle().await.unwrap();
    assert_eq!(raw.number(&state("events", "pending")).await, 0, "what waited is triaged");
}

async fn what_ended_late_is_kept_from_its_end_on(fresh: Fresh) {
    let world = World::open(fresh, &config()).await;
    world.add_entry("fraud").await;
    world.tell(&[alert(("firing", "fraud", "high", "a"))]).await;
    world.clock.advance(100 * DAY);
    world.deliver_all("console").await;
    world.tell(&[alert(("resolved", "fraud", "high", "a"))]).await;
    world.deliver_all("console").await;

    let deleted = world.sweep_everything(DAY).await;

    let events_and_audit = BTreeMap::from([("events", 1), ("audit_log", 1)]);
    assert_eq!(deleted, events_and_audit);
    world.clock.advance(2 * DAY);
    let deleted = world.sweep_everything(DAY).await;
    assert_eq!((deleted["notifications"], deleted["incidents"], deleted["events"]), (2, 1, 1));
}

/// Rows enough for several steps, and one incident on which more hangs than one step takes.
async fn fill(url: &str) {
    let mut raw = Raw::open(url).await;
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500)";
    let id = |i: &str| match url.starts_with("sqlite") {
        true => format!("printf('00000000-0000-7000-8000-%012d', {i})"),
        false => format!("'00000000-0000-7000-8000-' || lpad(CAST({i} AS TEXT), 12, '0')"),
    };
    let body = if url.starts_with("sqlite") { "x'00'" } else { "'\\x00'" };
    let (row, first) = (id("i"), id("1"));
    raw.execute(&format!(
        "{numbers} INSERT INTO events (id, received_at, state, source, receiver, group_key, external_url, actor, \
         alerts, rejected, truncated, twins, reason, verdicts, body, processed_at) \
         SELECT {row}, 0, 'processed', 'alertmanager', '', '', '', '', 1, 0, 0, 0, '', '[]', {body}, 0 FROM n;
         {numbers} INSERT INTO incidents (id, dedup_key, is_current, state, severity, severity_raw, entry, version, \
         alertname, source, receiver, external_url, truncated, started_at, opened_at, updated_at, last_seen_at, \
         resolved_at, resolve_reason, reopened, firing, members, tally) \
         SELECT {row}, 'k' || CAST(i AS TEXT), TRUE, 'resolved', 'high', '', '', '', '', '', '', '', 0, 0, 0, 0, 0, \
         0, 'alert', 0, 0, 0, '{{}}' FROM n;
         {numbers} INSERT INTO timeline (id, incident_id, at, kind, actor, detail) \
         SELECT {row}, {first}, 0, 'opened', '', '{{}}' FROM n"
    ))
    .await;
}

async fn no_transaction_deletes_more_than_its_bound(fresh: Fresh) {
    let url = fresh.url();
    let world = World::open(fresh, &config()).await;
    fill(&url).await;

    // The bound itself is looked at in `sweep`.
    let deleted = world.sweep_everything(DAY).await;

    assert_eq!(deleted, BTreeMap::from([("events", 1_500), ("incidents", 1_500), ("timeline", 1_500)]));
}

async fn alerts_are_taken_between_two_steps(fresh: Fresh) {
    let url = fresh.url();
    let world = World::open(fresh, &config()).await;
    fill(&url).await;
    let mut sweep = world.store.begin_sweep(Kept::Events, START.minus(DAY)).await.unwrap();

    let mut steps = 0;
    loop {
        let swept = world.store.sweep_some(&mut sweep).await.unwrap();
        steps += 1;
        world.tell(&[alert(("firing", "fraud", "high", &format!("i{steps}")))]).await;
        if matches!(swept, Swept::Last(_)) {
            break;
        }
    }

    assert!(steps > 3, "{steps}");
    assert_eq!(world.events().await.len(), steps);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_replica_at_a_time_deletes_and_passes_over_rows_that_others_hold() {
    let Some(fresh) = Fresh::postgres("one_replica_at_a_time_deletes").await else { return };
    let url = fresh.url();
    let world = World::open(fresh, &config()).await;
    fill(&url).await;
    let mut other = Raw::open(&url).await;

    other.execute("BEGIN; SELECT pg_advisory_xact_lock(7236832413)").await;
    let mut sweep = world.store.begin_sweep(Kept::Events, START).await.unwrap();
    assert_eq!(world.store.sweep_some(&mut sweep).await.unwrap(), Swept::Busy);

    other.execute("COMMIT; BEGIN; UPDATE events SET twins = twins + 1 WHERE id LIKE '%0007'").await;
    let deleted = world.sweep(Kept::Events, DAY).await;
    assert_eq!(deleted, BTreeMap::from([("events", 1_499)]));
    other.execute("COMMIT").await;
    assert_eq!(world.sweep(Kept::Events, DAY).await, BTreeMap::from([("events", 1)]));
}

async fn the_running_program_deletes_by_itself(fresh: Fresh) {
    let config = json!({
        "retention": {"events": "30d", "notifications": "forever", "incidents": "forever"},
        "incidents": {"stale_after": "2d"},
    });
    let program = Running::start(config, &fresh.url(), START).await;
    let webhook = format!("{}/webhooks/alertmanager", program.url);
    // What is over: on PostgreSQL no leap lasts long enough to be sure that what is open grows stale.
    for status in ["firing", "resolved"] {
        let post = body(&[alert((status, "fraud", "high", "a"))]);
        assert_eq!(http::post_json(&webhook, &post).await.unwrap().status, 200);
    }
    eventually("the incident is over", || async {
        let resolved = program.get("/api/v1/incidents?state=resolved").await;
        (!resolved["items"].as_array()?.is_empty()).then_some(())
    })
    .await;

    // One or more: with every leap the program may have something to say about itself, too.
    let deleted = r#"modelpager_retention_deleted_rows_total{table="events"} "#;
    let none = format!("{deleted}0");
    let done = "modelpager_retention_last_run_timestamp_seconds 0";
    eventually("the event is deleted", || async {
        // In one leap: on PostgreSQL the clock is soon set right by the database's.
        program.clock.advance(40 * DAY);
        let metrics = program.metrics().await;
        let has_deleted = metrics.contains(deleted) && !metrics.contains(&none);
        (has_deleted && !metrics.contains(done)).then_some(())
    })
    .await;

    assert!(program.clock.now() > START.plus(30 * DAY));
    let mut raw = Raw::open(&fresh.url()).await;
    assert_eq!(raw.number("SELECT COUNT(*) FROM incidents WHERE source = 'alertmanager'").await, 1);
    assert!(raw.number("SELECT COUNT(*) FROM notifications").await >= 1);
    program.stop().await;
}
