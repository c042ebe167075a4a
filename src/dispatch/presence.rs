//! This process among its equals: a sign of life every few seconds that names the channels it
//! serves, so that the others know which channels somebody serves, and whether there is
//! anybody to be told of work.

use std::sync::Arc;

use super::shared::Shared;
use super::steadiness::EVERY;
use crate::store::StoreError;
use crate::store::replicas::SignOfLife;

/// Gives signs of life until it is aborted.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        shared.clock.sleep_until(shared.clock.now().plus(EVERY)).await;
        if let Err(error) = show(&shared).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not send the heartbeat to other replicas"
            );
        }
    }
}

/// Gives one sign of life and counts those of others.
pub(super) async fn show(shared: &Shared) -> Result<(), StoreError> {
    show_with(shared, &[]).await
}

/// The same; these channels count as served, too.
pub(super) async fn show_with(shared: &Shared, more: &[&str]) -> Result<(), StoreError> {
    let plan = shared.plan();
    let served = plan.channels().map(|channel| channel.name.as_str());
    let channels = served.chain(more.iter().copied()).map(str::to_owned).collect();
    let sign = SignOfLife {
        id: shared.owner.clone(),
        version: env!("CARGO_PKG_VERSION"),
        started_at: shared.started_at,
        channels,
    };
    let now = shared.clock.now();
    let alive = shared.store.show_replica(&sign, now).await?;
    shared.steadiness.note(now);
    shared.store.set_alone(alive <= 1);
    shared.metrics.set_replicas(alive);
    Ok(())
}

/// Says that this process is about to end.
pub(super) async fn leave(shared: &Shared) {
    if let Err(error) = shared.store.leave_replica(&shared.owner, shared.clock.now()).await {
        tracing::debug!(error = &error as &dyn std::error::Error, "could not take leave of other replicas");
    }
}
