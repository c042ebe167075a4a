//! Looking after the channels: takes over what other replicas found out about them, and sends
//! what waits for broken ones through their fallbacks, and tells of those that fail.

use std::sync::Arc;
use std::time::Duration;

use super::shared::Shared;
use super::{alarm, fallback};
use crate::store::StoreError;

/// How often to look. A replica that has not heard of an outage yet wastes an attempt or
/// two meanwhile.
const EVERY: Duration = Duration::from_secs(2);

/// Runs until it is aborted.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        shared.clock.sleep_until(shared.clock.now().plus(EVERY)).await;
        if let Err(error) = round(&shared).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "could not look after the channels, trying again"
            );
        }
    }
}

async fn round(shared: &Shared) -> Result<(), StoreError> {
    if !shared.breakers.is_alone() {
        for channel in shared.breakers.refresh().await? {
            shared.wake(&channel);
        }
    }
    fallback::relieve(shared).await?;
    alarm::tell(shared).await
}
