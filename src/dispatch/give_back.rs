//! Gives back what claims may have leased whose answer was lost.

use super::shared::Shared;
use super::unsure::Unsure;
use crate::store::StoreError;

/// Gives back what these claims may have leased, and the places of their probes.
pub(super) async fn give_back(shared: &Shared, claims: &[Unsure]) -> Result<(), StoreError> {
    if claims.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = claims.iter().map(|unsure| unsure.claim.as_str()).collect();
    let messages = shared.store.give_back_claims(&ids).await?;
    for unsure in claims {
        if let Some(lost_at) = unsure.probe_lost_at {
            shared.breakers.forgo_probe(&unsure.channel, shared.clock.now(), lost_at).await?;
        }
        shared.wake(&unsure.channel);
    }
    shared.unsure_claims.note_given_back(claims);
    if messages > 0 {
        tracing::info!(messages, "messages whose claim was not answered are sent now");
    }
    Ok(())
}
