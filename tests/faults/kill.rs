//! `kill -9` at random moments under load, a hundred times over.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use modelpager::fakes::engine::Step;
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::ledger::{Log, check_slack, check_webhook, wait_until_all_is_told};
use crate::load::Load;
use crate::receiver::Receiver;
use crate::support::databases::{Fresh, on_both_databases};
use crate::support::service::Service;

/// How often the program is killed.
const ROUNDS: usize = 100;
/// How many messages each channel sends at the same time: as many as a kill can cut short.
const CONCURRENCY: usize = 4;
/// How many alerts may be on their way at a time.
const ROOM: usize = 120;
/// How long the end may take: on a database that several processes may share, a dead one's
/// leases have to run out, which takes a minute.
const LAST_LIMIT: Duration = Duration::from_secs(150);

on_both_databases! { what_was_answered_200_outlives_a_hundred_kills }

async fn what_was_answered_200_outlives_a_hundred_kills(fresh: Fresh) {
    let chance = Chance::new();
    let (webhook, slack) = (Receiver::webhook().await, Receiver::slack().await);
    for receiver in [&webhook, &slack] {
        let step = Step::usual().delayed(Duration::from_millis(4));
        receiver.http().always(step);
    }
    let mut service = Service::start(&config(&webhook, &slack, &fresh)).await;
    let load = Load::start(&service.clone_api(), webhook.watch(), ROOM, &chance);
    for _ in 0..ROUNDS {
        if chance.happens(10) {
            // In the midst of starting.
            service.launch_again();
            tokio::time::sleep(chance.between(Duration::ZERO, Duration::from_millis(150))).await;
        } else {
            tokio::time::sleep(chance.between(Duration::from_millis(50), Duration::from_millis(400))).await;
        }
        service.kill();
        if matches!(fresh, Fresh::Postgres(_)) {
            load.add_room(CONCURRENCY);
        }
        service.restart().await;
    }
    let taken = load.stop().await;
    wait_until_all_is_told(&service, LAST_LIMIT).await;

    let log = Log::read(&service).await;
    let (on_webhook, on_slack) = (webhook.told(), slack.told());
    log.has_all(&taken);
    check_webhook(&service, &log, &taken, &on_webhook).await;
    check_slack(&log, &taken, &on_slack);
    let (marked, sent) = (log.marked(), log.on("slack").count());
    println!(
        "{} events, {} alerts, {} deliveries repeated by their senders; {} + {} messages arrived; \
         {marked} of {sent} marked as maybe sent twice",
        taken.events.len(),
        taken.alerts.len(),
        taken.repeats,
        on_webhook.arrivals.len(),
        on_slack.arrivals.len(),
    );
    // Some are leased a little ahead of their send.
    assert!(marked <= ROUNDS * CONCURRENCY * 2, "a kill leaves a few sends in doubt, not {marked}");
}

fn config(webhook: &Receiver, slack: &Receiver, fresh: &Fresh) -> Value {
    json!({
        "storage": {"url": fresh.url()},
        "delivery": {"backoff_min": "20ms", "backoff_max": "200ms", "concurrency": CONCURRENCY},
        "channels": [
            {"name": "webhook", "kind": "webhook", "timeout": "1s", "url": webhook.url()},
            // Every message counts here: none may be folded or overtaken.
            {"name": "slack", "kind": "slack", "rate_limit": "none", "supersede": false, "timeout": "1s",
                "webhook_url": slack.url()},
        ],
        "route": {
            "channels": ["webhook"], "group_interval": "50ms",
            "routes": [{"matchers": ["chat=\"yes\""], "channels": ["webhook", "slack"]}],
        },
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_half_written_at_the_end_of_the_log_of_writes_costs_nothing() {
    const CRASHES: usize = 6;
    let chance = Chance::new();
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("test.db");
    let (webhook, slack) = (Receiver::webhook().await, Receiver::slack().await);
    let mut config = config(&webhook, &slack, &Fresh::sqlite());
    config["storage"]["url"] = json!(format!("sqlite://{}", database.display()));
    let mut service = Service::start(&config).await;
    let load = Load::start(&service.clone_api(), webhook.watch(), ROOM, &chance);
    for crash in 0..CRASHES {
        tokio::time::sleep(chance.between(Duration::from_millis(200), Duration::from_millis(500))).await;
        service.kill();
        tear(&database, crash, &chance);
        service.restart().await;
    }
    let taken = load.stop().await;
    wait_until_all_is_told(&service, LAST_LIMIT).await;
    let log = Log::read(&service).await;
    log.has_all(&taken);
    check_webhook(&service, &log, &taken, &webhook.told()).await;
    check_slack(&log, &taken, &slack.told());
}

/// What a power cut leaves behind when it comes in the midst of a write: the head of a
/// frame that fits to those before it, and a part of its page.
fn tear(database: &Path, crash: usize, chance: &Chance) {
    const HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    const PAGE: usize = 4_096;
    let wal = database.with_extension("db-wal");
    let written = std::fs::read(&wal).unwrap_or_default();
    let mut torn = match written.get(HEADER..HEADER + FRAME_HEADER) {
        // Page number and salts of a real frame, and nearly its checksum.
        Some(frame) if crash.is_multiple_of(2) => frame.to_vec(),
        _ => (0..FRAME_HEADER).map(|_| chance.below(256) as u8).collect(),
    };
    torn.extend((0..chance.below(PAGE)).map(|_| chance.below(256) as u8));
    let mut file = std::fs::File::options().append(true).create(true).open(&wal).unwrap();
    file.write_all(&torn).unwrap();
}
