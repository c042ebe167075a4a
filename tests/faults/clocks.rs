//! The clock jumps while the program runs. It runs in the test's own process, on a clock
//! that the test sets; everything else is real.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use modelpager::app::{App, Start, configuration};
use modelpager::domain::clock::{Clock, SystemClock, Timestamp, sleep_in_slices};
use modelpager::domain::random::SystemRandom;
use modelpager::fakes::engine::Step;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::chance::Chance;
use crate::ledger::{Log, check_webhook, wait_until_all_is_told};
use crate::load::{Load, single};
use crate::receiver::Receiver;
use crate::support::databases::{Fresh, on_both_databases};
use crate::support::service::{Api, LIMIT, eventually};

on_both_databases! {
    after_an_hour_backward_and_a_restart_the_end_still_comes_last,
}

/// On PostgreSQL the program goes by the database's clock: a jump of its own is no jump.
mod alone {
    use super::Fresh;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_hour_forward_under_load_loses_nothing_and_repeats_each_message_once() {
        super::an_hour_forward_under_load_loses_nothing_and_repeats_each_message_once(Fresh::sqlite()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_hour_backward_under_load_holds_up_nothing_new() {
        super::an_hour_backward_under_load_holds_up_nothing_new(Fresh::sqlite()).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_first_alert_after_an_hour_backward_is_told_at_once() {
        super::the_first_alert_after_an_hour_backward_is_told_at_once(Fresh::sqlite()).await;
    }
}

const HOUR: i64 = 3_600_000;

/// The machine's clock, so many milliseconds off.
#[derive(Clone, Debug, Default)]
struct JumpingClock(Arc<AtomicI64>);

impl JumpingClock {
    fn jump(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::Relaxed);
    }
}

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemClock.now().as_millis() + self.0.load(Ordering::Relaxed))
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        let clock = self.clone();
        // The machine's clock does the same in longer slices.
        Box::pin(sleep_in_slices(move || clock.now(), at, Duration::from_millis(100)))
    }
}

/// The program, in this process.
struct Running {
    api: Api,
    stop: oneshot::Sender<()>,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    async fn start(config: &Value, clock: &JumpingClock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("modelpager.yml");
        std::fs::write(&file, config.to_string()).unwrap();
        let configuration = configuration::load(Some(&file)).unwrap();
        let clock = Arc::new(clock.clone());
        let start = Start { configuration, file: None, clock, random: Arc::new(SystemRandom) };
        let app = App::start(start).await.unwrap();
        let api = Api::at(app.address());
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(app.run_until(async move {
            let _ = stopped.await;
        }));
        Self { api, stop, running }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
    }
}

fn config(webhook: &Receiver, fresh: &Fresh, repeat_interval: &str) -> Value {
    json!({
        "server": {"listen": "127.0.0.1:0", "shutdown_grace": "2s"},
        "storage": {"url": fresh.url()},
        "delivery": {"backoff_min": "20ms", "backoff_max": "200ms", "concurrency": 4},
        "channels": [{"name": "webhook", "kind": "webhook", "timeout": "5s", "url": webhook.url()}],
        "route": {"channels": ["webhook"], "group_interval": "50ms", "repeat_interval": repeat_interval},
    })
}

async fn an_hour_forward_under_load_loses_nothing_and_repeats_each_message_once(fresh: Fresh) {
    let (webhook, clock) = (Receiver::webhook().await, JumpingClock::default());
    // Something is always being sent at the moment of the jump.
    webhook.http().always(Step::usual().delayed(Duration::from_millis(50)));
    let program = Running::start(&config(&webhook, &fresh, "40m"), &clock).await;
    let load = Load::start_without_ends(&program.api, webhook.watch(), 40, &Chance::new());
    eventually("some messages", || async { (webhook.watch().alerts() >= 40).then_some(()) }).await;

    clock.jump(HOUR);
    let before = load.events();
    eventually("the load goes on", || async { (load.events() > before + 20).then_some(()) }).await;
    let taken = load.stop().await;
    wait_until_all_is_told(&program.api, LIMIT).await;

    let told = webhook.told();
    assert!(told.by_id().values().all(|times| *times == 1), "a send that was under way was repeated");
    let times = told.by_alert();
    assert_eq!(times.len(), taken.alerts.len());
    assert!(times.values().all(|times| *times <= 2), "more than one reminder: {times:?}");
    assert!(times.values().any(|times| *times == 2), "what was told before the jump is due again");
    program.stop().await;
}

async fn an_hour_backward_under_load_holds_up_nothing_new(fresh: Fresh) {
    let (webhook, clock) = (Receiver::webhook().await, JumpingClock::default());
    webhook.http().always(Step::usual().delayed(Duration::from_millis(10)));
    let program = Running::start(&config(&webhook, &fresh, "4h"), &clock).await;
    let load = Load::start(&program.api, webhook.watch(), 40, &Chance::new());
    eventually("some messages", || async { (webhook.watch().alerts() >= 40).then_some(()) }).await;

    clock.jump(-HOUR);
    let before = webhook.watch().alerts();
    // The room that the load has is taken up by what was under way in that moment.
    load.add_room(40);
    eventually("messages go on", || async { (webhook.watch().alerts() > before + 60).then_some(()) }).await;
    let taken = load.stop().await;
    // What was to be sent in the very moment of the jump waits for that moment to come again.
    clock.jump(HOUR);
    wait_until_all_is_told(&program.api, LIMIT).await;
    let log = Log::read(&program.api).await;
    log.has_all(&taken);
    let told = webhook.told();
    check_webhook(&program.api, &log, &taken, &told).await;
    assert!(told.by_id().values().all(|times| *times == 1));
    program.stop().await;
}

async fn the_first_alert_after_an_hour_backward_is_told_at_once(fresh: Fresh) {
    let (webhook, clock) = (Receiver::webhook().await, JumpingClock::default());
    let mut config = config(&webhook, &fresh, "4h");
    // One every ten seconds, two at once.
    config["channels"][0]["rate_limit"] = json!("6/m burst 2");
    let program = Running::start(&config, &clock).await;
    program.api.deliver(&single("FaultBefore", "firing")).await;
    eventually("the message before", || async { webhook.watch().knows("FaultBefore").then_some(()) }).await;
    wait_until_all_is_told(&program.api, LIMIT).await;

    clock.jump(-HOUR);
    let begun = Instant::now();
    program.api.deliver(&single("FaultAfter", "firing")).await;
    eventually("the message after", || async { webhook.watch().knows("FaultAfter").then_some(()) }).await;
    let took = begun.elapsed();

    assert!(took < Duration::from_secs(2), "told after {took:?}");
    program.stop().await;
}

async fn after_an_hour_backward_and_a_restart_the_end_still_comes_last(fresh: Fresh) {
    let (webhook, clock) = (Receiver::webhook().await, JumpingClock::default());
    let config = config(&webhook, &fresh, "4h");
    webhook.http().always(Step::status(500));
    let program = Running::start(&config, &clock).await;
    program.api.deliver(&single("FaultOrder", "firing")).await;
    webhook.http().wait_for_requests(2, LIMIT).await;
    program.stop().await;

    clock.jump(-HOUR);
    let program = Running::start(&config, &clock).await;
    program.api.deliver(&single("FaultOrder", "resolved")).await;
    program.api.wait_for_processed(2).await;
    program.api.deliver(&single("FaultOther", "firing")).await;
    webhook.http().clear();
    eventually("another message", || async { webhook.watch().knows("FaultOther").then_some(()) }).await;
    clock.jump(HOUR);
    wait_until_all_is_told(&program.api, LIMIT).await;

    let told = webhook.told();
    let ends: Vec<bool> = (told.arrivals.iter())
        .filter(|arrival| arrival.alerts == ["FaultOrder"])
        .map(|arrival| arrival.resolved)
        .collect();
    assert_eq!(ends, [false, true]);
    program.stop().await;
}
