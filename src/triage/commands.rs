//! What people do with incidents. A command goes the same way as an event: load, work, commit.

use super::change::{Scope, Triage, TriageError};
use crate::domain::incident::IncidentState;
use crate::store::StoreError;

/// What a person wants of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// It is over, whatever its alerts say. An alert of it that fires later opens it again.
    Resolve {
        /// Why, for the timeline.
        comment: Option<String>,
    },
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no such incident.
    #[error("there is no such incident")]
    NotFound,
    /// It is over already.
    #[error("the incident is resolved already")]
    AlreadyResolved,
    /// A defect.
    #[error("the command made the program panic")]
    Panicked,
    /// The database does not take it.
    #[error(transparent)]
    Store(StoreError),
}

impl From<TriageError> for CommandError {
    fn from(error: TriageError) -> Self {
        match error {
            TriageError::NoTurn(error) | TriageError::Store(error) => Self::Store(error),
            TriageError::Panicked => Self::Panicked,
        }
    }
}

impl Triage {
    /// Carries a command of `actor` out: what follows from it is stored with it.
    ///
    /// # Errors
    /// When the incident is not there or not in a state for it, or the database does not answer;
    /// then nothing of it happened.
    pub async fn execute(
        &self,
        incident_id: &str,
        command: &Command,
        actor: &str,
    ) -> Result<(), CommandError> {
        let mut tx = self.begin().await?;
        self.catch_up(&mut tx).await.map_err(CommandError::Store)?;
        let (rules, now) = (self.rules.load_full(), self.clock.now());
        let context = self.context(&rules, now);
        let ids = [incident_id.to_owned()];
        let Command::Resolve { comment } = command;
        let (before, _) = self
            .change(tx, &Scope::Ids(&ids), |set| {
                set.resolve(incident_id, comment.as_deref(), actor, &context)
            })
            .await?;
        match before {
            None => Err(CommandError::NotFound),
            Some(IncidentState::Resolved) => Err(CommandError::AlreadyResolved),
            Some(IncidentState::Open) => Ok(()),
        }
    }
}
