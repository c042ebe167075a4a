//! The dispatcher: owns the workers, the recorder and the recovery, replaces the plan on a
//! reload, and stops them all in time.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{AbortHandle, JoinHandle};

use super::ended::Ended;
use super::orphans::cancel_orphans;
use super::plan::{ChannelPlan, Plan};
use super::recorder;
use super::shared::{Parts, Shared};
use super::{lookout, presence, recovery, worker};
use crate::domain::clock::Timestamp;
use crate::store::{StoreError, full_disk};

/// How many ended attempts may wait for the recorder.
const RECORDER_QUEUE: usize = 1_024;
/// How long writing the last ends may take once nothing is sent any more.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Sends what is owed.
pub struct Dispatcher {
    pub(super) shared: Arc<Shared>,
    tasks: Mutex<Option<Tasks>>,
}

/// Gone once stopped.
struct Tasks {
    records: mpsc::Sender<Ended>,
    workers: Vec<(watch::Sender<bool>, JoinHandle<()>)>,
    /// Workers of an earlier plan that finish what they had begun.
    retiring: Vec<JoinHandle<()>>,
    recorder: JoinHandle<()>,
    recovery: JoinHandle<()>,
    lookout: JoinHandle<()>,
    presence: JoinHandle<()>,
}

impl Dispatcher {
    /// Takes up what an earlier process left, withdraws what is owed to channels that are
    /// gone, and starts a worker for every channel of the plan.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn start(parts: Parts, plan: Plan) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared::new(parts, plan));
        full_disk::wait_for_space(|| take_up(&shared)).await?;
        shared.breakers.introduce(shared.plan().channels().map(|channel| channel.name.as_str()));
        let (records, inbox) = mpsc::channel(RECORDER_QUEUE);
        let mut tasks = Tasks {
            records,
            workers: Vec::new(),
            retiring: Vec::new(),
            recorder: tokio::spawn(recorder::run(shared.clone(), inbox)),
            recovery: tokio::spawn(recovery::run(shared.clone())),
            lookout: tokio::spawn(lookout::run(shared.clone())),
            presence: tokio::spawn(presence::run(shared.clone())),
        };
        tasks.start_workers(&shared);
        Ok(Self { shared, tasks: Mutex::new(Some(tasks)) })
    }

    /// Lets other replicas know of the channels of a plan that is about to be applied: from now
    /// on they leave alone what is owed there.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn announce(&self, plan: &Plan) -> Result<(), StoreError> {
        let channels: Vec<&str> = plan.channels().map(|channel| channel.name.as_str()).collect();
        presence::show_with(&self.shared, &channels).await
    }

    /// Replaces the plan: workers of the old one finish what they had begun, those of the new
    /// one begin at once (the store keeps the order between them).
    ///
    /// # Errors
    /// When the store does not answer; the new plan is in use all the same, and what is owed
    /// to removed channels is withdrawn at the next start.
    pub async fn apply(&self, plan: Plan) -> Result<(), StoreError> {
        let changed = plan.changed_since(&self.shared.plan());
        self.shared.replace_plan(plan);
        self.give_new_chances(&changed).await;
        if let Some(tasks) = self.tasks.lock().as_mut() {
            tasks.retire_workers();
            tasks.start_workers(&self.shared);
        }
        presence::show(&self.shared).await?;
        cancel_orphans(&self.shared).await
    }

    /// Closes the breakers of channels whose settings changed: what was wrong may be mended.
    async fn give_new_chances(&self, channels: &[String]) {
        for channel in channels {
            if let Err(error) = self.shared.close_breaker(channel, None).await {
                tracing::warn!(
                    channel,
                    error = &error as &dyn std::error::Error,
                    "a changed channel is tried again only with the next probe"
                );
            }
        }
        self.shared.breakers.introduce(self.shared.plan().channels().map(|channel| channel.name.as_str()));
    }

    /// Closes the breaker of a channel by hand: its messages are sent again. The audit log
    /// says who did it. Answers whether it was open; `None` when there is no such channel.
    ///
    /// # Errors
    /// When the store does not answer; then nothing changed.
    pub async fn reset_channel(&self, channel: &str, actor: &str) -> Result<Option<bool>, StoreError> {
        if self.shared.plan().channel(channel).is_none() {
            return Ok(None);
        }
        self.shared.close_breaker(channel, Some(actor)).await.map(Some)
    }

    /// Names who is to be told when an alert about a channel was stored.
    pub fn set_triage(&self, triage: Arc<Notify>) {
        self.shared.set_triage(triage);
    }

    /// Tells the workers of all channels that something may be owed.
    pub fn wake_all(&self) {
        for channel in self.shared.plan().channels() {
            self.shared.wake(&channel.name);
        }
    }

    /// Tells the workers of these channels that something is owed.
    pub fn wake<'a>(&self, channels: impl IntoIterator<Item = &'a str>) {
        for channel in channels {
            self.shared.wake(channel);
        }
    }

    /// The plan in use.
    pub fn plan(&self) -> Arc<Plan> {
        self.shared.plan()
    }

    /// Whether every task still runs.
    pub fn is_alive(&self) -> bool {
        self.tasks.lock().as_ref().is_some_and(Tasks::all_run)
    }

    /// Where the ends of attempts go; `None` once stopped.
    pub(super) fn records(&self) -> Option<mpsc::Sender<Ended>> {
        self.tasks.lock().as_ref().map(|tasks| tasks.records.clone())
    }

    /// Stops claiming and lets sends under way end within `grace`. What has not ended by then
    /// is cut short and let go of, so that the next start finds it as it does everything else
    /// that is owed. Ends soon after `grace`.
    pub async fn stop(&self, grace: Duration) {
        let Some(tasks) = self.tasks.lock().take() else { return };
        let Tasks { records, workers, retiring, mut recorder, recovery, lookout, presence } = tasks;
        recovery.abort();
        lookout.abort();
        presence.abort();
        drop(records);
        for (stop, _) in &workers {
            stop.send_replace(true);
        }
        let senders: Vec<JoinHandle<()>> =
            workers.into_iter().map(|(_, task)| task).chain(retiring).collect();
        let cut: Vec<AbortHandle> = senders.iter().map(JoinHandle::abort_handle).collect();
        // A worker that panicked has said so in its own log line.
        let mut ending = std::pin::pin!(join_all(senders));
        let in_time = tokio::time::timeout(grace, &mut ending).await.is_ok();
        if !in_time {
            cut.iter().for_each(AbortHandle::abort);
            ending.await;
        }
        // It ends when the last sender is gone.
        let is_recorded = tokio::time::timeout(LAST_WORDS, &mut recorder).await.is_ok();
        if !is_recorded {
            recorder.abort();
        }
        if !is_recorded || !in_time {
            self.let_go(grace).await;
        }
        // Who does not hear of it misses this process a little later.
        let _ = tokio::time::timeout(LAST_WORDS, presence::leave(&self.shared)).await;
    }

    async fn let_go(&self, grace: Duration) {
        let grace_s = grace.as_secs();
        match tokio::time::timeout(LAST_WORDS, recovery::release(&self.shared)).await {
            Ok(Ok(messages)) => tracing::warn!(
                grace_s,
                messages,
                "sends under way did not end in time, they are tried again at the next start"
            ),
            Ok(Err(error)) => tracing::error!(
                grace_s,
                error = &error as &dyn std::error::Error,
                "sends under way did not end in time, their leases will run out"
            ),
            Err(_) => tracing::error!(
                grace_s,
                "sends under way did not end in time and the database does not answer, their leases will run out"
            ),
        }
    }
}

impl Tasks {
    fn start_workers(&mut self, shared: &Arc<Shared>) {
        self.workers = shared.plan().channels().map(|channel| self.start_worker(shared, channel)).collect();
    }

    fn start_worker(
        &self,
        shared: &Arc<Shared>,
        channel: &Arc<ChannelPlan>,
    ) -> (watch::Sender<bool>, JoinHandle<()>) {
        let (stop, stopped) = watch::channel(false);
        let worker = worker::Worker::new(shared.clone(), channel.clone(), self.records.clone(), stopped);
        (stop, tokio::spawn(worker.run()))
    }

    fn retire_workers(&mut self) {
        self.retiring.retain(|task| !task.is_finished());
        for (stop, task) in std::mem::take(&mut self.workers) {
            stop.send_replace(true);
            self.retiring.push(task);
        }
    }

    fn all_run(&self) -> bool {
        let others = [&self.recorder, &self.recovery, &self.lookout, &self.presence];
        let ended = self.workers.iter().map(|(_, task)| task).chain(others);
        ended.into_iter().all(|task| !task.is_finished())
    }
}

/// Begins where an earlier process ended.
async fn take_up(shared: &Shared) -> Result<(), StoreError> {
    presence::show(shared).await?;
    take_over(shared).await?;
    shared.breakers.resume().await
}

async fn take_over(shared: &Shared) -> Result<(), StoreError> {
    // One process owns a SQLite file: every lease in it is a dead one's.
    let deadline = match shared.store.backend() {
        "sqlite" => Timestamp::from_millis(i64::MAX),
        _ => shared.clock.now(),
    };
    let mut found = 0;
    loop {
        match recovery::take_over(shared, deadline).await? {
            0 => break,
            n => found += n,
        }
    }
    if found > 0 {
        tracing::warn!(messages = found, "took up messages whose send an earlier process did not finish");
    }
    cancel_orphans(shared).await
}
