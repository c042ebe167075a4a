//! One incident on the desk of triage, with all that belongs to it.

use std::collections::{BTreeMap, HashMap};

use crate::domain::incident::{Conversation, Incident, Member};

/// One incident under work.
pub(super) struct Case {
    pub incident: Incident,
    /// Those that matter most, and those that this transaction touches.
    pub members: HashMap<String, Member>,
    pub conversations: BTreeMap<String, Conversation>,
    /// How the catalog entry was found by the alert seen last.
    pub matched_by: String,
    /// Whether it is the present incident of its dedup key.
    pub is_current: bool,
    /// Whether there is something of it to write.
    pub is_changed: bool,
}

impl Case {
    pub fn new(incident: Incident) -> Self {
        Self {
            incident,
            members: HashMap::new(),
            conversations: BTreeMap::new(),
            matched_by: String::new(),
            is_current: true,
            is_changed: false,
        }
    }
}
