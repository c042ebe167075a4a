//! Rendering for the preview: pure, but slow templates and long events are possible.

use std::sync::Arc;

use serde_json::Value;

use crate::catalog::Catalog;
use crate::dispatch::plan::{ChannelPlan, Plan};
use crate::dispatch::rehearsal::{Rehearsed, Stage, rehearse_on};
use crate::domain::clock::Timestamp;
use crate::intake::alertmanager;
use crate::render::{TemplateFault, TemplateField};
use crate::store::log_events::EventDetail;
use crate::store::triage::NewNotification;
use crate::triage::rehearsal::ids_at;
use crate::web::state::Live;

/// How many alerts of the event are rendered. A message shows fewer, and an event may have a hundred
/// thousand.
const MOST_ALERTS: usize = 250;

/// What is to be rendered.
pub struct Task {
    pub plan: Arc<Plan>,
    pub channel: Arc<ChannelPlan>,
    pub field: &'static TemplateField,
    pub text: String,
    pub event: EventDetail,
    pub live: Arc<Live>,
    pub catalog: Arc<Catalog>,
}

/// What came of it.
pub struct Done {
    /// The event it was tried on.
    pub event: String,
    /// The message; `None` when the event leads to none.
    pub message: Option<Told>,
    /// What there is to say about it, in sentences.
    pub notes: Vec<String>,
}

/// A message as the edited template and as those in force make it.
pub struct Told {
    /// The edited template's text.
    pub edited: Result<String, TemplateFault>,
    /// The message as it is rendered now.
    pub now: Value,
    /// Its severity.
    pub severity: &'static str,
    /// The problem it tells of.
    pub dedup_key: String,
}

impl Task {
    /// Does it. The event arrives again at the moment at which it did.
    pub fn run(self) -> Done {
        let event = self.event.summary.id.clone();
        match self.rehearsed() {
            Ok(mut rehearsed) => {
                let count = rehearsed.told.len();
                if count > 1 {
                    rehearsed
                        .notes
                        .push(format!("the event leads to {count} messages; only the first is shown"));
                }
                Done {
                    event,
                    message: rehearsed.told.first().map(|told| self.told(told)),
                    notes: rehearsed.notes,
                }
            }
            Err(why) => Done { event, message: None, notes: vec![why] },
        }
    }

    fn arrival(&self) -> Timestamp {
        self.event.summary.received_at.into()
    }

    fn rehearsed(&self) -> Result<Rehearsed, String> {
        let now = self.arrival();
        let delivery = alertmanager::parse_part(&self.event.body, now, 0..MOST_ALERTS)
            .map_err(|refusal| refusal.to_string())?;
        let ids = ids_at(now);
        let stage = Stage {
            config: &self.live.config,
            channel: &self.channel,
            catalog: &self.catalog,
            ids: &ids,
            now,
        };
        let mut rehearsed = rehearse_on(&delivery, &stage)
            .map_err(|problems| format!("the rules cannot be built: {problems:?}"))?;
        if delivery.places > MOST_ALERTS {
            rehearsed.notes.push(format!("only the first {MOST_ALERTS} alerts of the event are rendered"));
        }
        Ok(rehearsed)
    }

    fn told(&self, told: &NewNotification) -> Told {
        let (plan, now, snapshot) = (&self.plan, self.arrival(), &told.snapshot);
        Told {
            edited: plan.try_template(&self.channel, self.field, &self.text, snapshot, now),
            now: serde_json::to_value(plan.preview(&self.channel, snapshot, now)).unwrap_or_default(),
            severity: snapshot.incident.severity.as_str(),
            dedup_key: snapshot.incident.dedup_key.clone(),
        }
    }
}
