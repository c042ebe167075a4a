//! What is owed to channels that are gone: withdrawn at the start, at a reload, when an
//! attempt of a removed channel ends, and from time to time, since other replicas may have
//! served them for longer.

use super::shared::Shared;
use crate::store::StoreError;

pub(super) async fn cancel_orphans(shared: &Shared) -> Result<(), StoreError> {
    let plan = shared.plan();
    let names: Vec<&str> = plan.channels().map(|channel| channel.name.as_str()).collect();
    let cancelled = shared.store.cancel_orphans(&names, shared.clock.now()).await?;
    if cancelled > 0 {
        tracing::warn!(messages = cancelled, "cancelled messages for removed or disabled channels");
    }
    Ok(())
}
