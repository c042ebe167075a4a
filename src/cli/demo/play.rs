//! Plays the story: posts what Alertmanager would post, waits for what must follow, and
//! shows what the readers see.

use std::time::Duration;

use anyhow::Context as _;

use super::alertmanager::Alertmanager;
use super::narrate::Narrator;
use super::readers::{Readers, Sight};
use super::service::{Logged, Service};
use super::stage::Stage;
use super::story::{Expected, STORY, Step};
use crate::domain::clock::SharedClock;

/// How often to look into the log.
const LOOK: Duration = Duration::from_millis(40);
/// How long a step may take before something is wrong.
const PATIENCE: Duration = Duration::from_secs(15);

/// How fast the story goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// With time to read.
    Reading,
    /// As fast as the service works.
    Full,
}

/// Plays every step, until one is not told in time: what is missing is for the verdict.
///
/// # Errors
/// When the service does not answer, or the reader is gone.
pub async fn play(
    stage: &Stage,
    clock: &SharedClock,
    pace: Pace,
    narrator: &mut Narrator<'_>,
) -> anyhow::Result<()> {
    let mut alertmanager = Alertmanager::default();
    let mut readers = Readers::default();
    for (n, step) in STORY.iter().enumerate() {
        narrator.begin(n + 1, step)?;
        stage.receivers.set_slack(step.slack).await?;
        for post in step.posts {
            let body = alertmanager.body(post, clock.now());
            stage.service.post("/webhooks/alertmanager", &body).await?;
        }
        let is_told = |log: &[Logged]| step.expects.iter().all(|expected| is_delivered(log, expected));
        let is_complete = await_log(&stage.service, is_told).await?;
        let tried = await_attempts(&stage.service, step).await?;
        show(&readers.look(&stage.receivers), narrator)?;
        if let Some(logged) = tried {
            narrator.remark(&describe(&logged))?;
        }
        if !is_complete {
            narrator.remark("Not all of it arrived in time: the story ends here.")?;
            return Ok(());
        }
        if pace == Pace::Reading {
            tokio::time::sleep(Duration::from_secs(step.pause)).await;
        }
    }
    Ok(())
}

fn show(sights: &[Sight], narrator: &mut Narrator<'_>) -> std::io::Result<()> {
    let mut previous: Option<&Sight> = None;
    for sight in sights {
        let is_long = |sight: &Sight| !sight.text.is_empty();
        if previous.is_some_and(|previous| is_long(previous) || is_long(sight)) {
            narrator.breathe()?;
        }
        narrator.show(sight)?;
        previous = Some(sight);
    }
    Ok(())
}

/// Waits until what cannot be delivered was tried often enough to be seen.
async fn await_attempts(service: &Service, step: &Step) -> anyhow::Result<Option<Logged>> {
    let Some((expected, times)) = &step.tried else { return Ok(None) };
    let is_tried = |log: &[Logged]| find(log, expected).is_some_and(|logged| logged.attempt_count >= *times);
    await_log(service, is_tried).await?;
    Ok(find(&service.log().await?, expected).cloned())
}

fn describe(logged: &Logged) -> String {
    let Logged { channel, kind, attempt_count, state, .. } = logged;
    format!("The delivery log says of {channel}: {kind}, {state} after {attempt_count} attempts.")
}

/// Looks into the log until `holds`, or until patience ends; answers whether it held.
async fn await_log(service: &Service, holds: impl Fn(&[Logged]) -> bool) -> anyhow::Result<bool> {
    let look = async {
        loop {
            let log = service.log().await.context("could not look into the delivery log")?;
            if holds(&log) {
                return Ok(true);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.unwrap_or(Ok(false))
}

fn find<'l>(log: &'l [Logged], expected: &Expected) -> Option<&'l Logged> {
    log.iter().find(|logged| expected.is(&logged.channel, &logged.dedup_key, &logged.kind))
}

fn is_delivered(log: &[Logged], expected: &Expected) -> bool {
    find(log, expected).is_some_and(|logged| logged.state == "delivered")
}
