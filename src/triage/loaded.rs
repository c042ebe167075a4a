//! What triage works on and with: one loaded incident, and the context of the work.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::rules::Rules;
use crate::catalog::Catalog;
use crate::domain::clock::Timestamp;
use crate::domain::ids::IdMaker;
use crate::domain::incident::{Conversation, Incident, Member};
use crate::store::triage::MemberChange;

/// What triage works with besides the incidents.
pub(super) struct Context<'a> {
    pub rules: &'a Rules,
    pub catalog: &'a Catalog,
    pub ids: &'a IdMaker,
    pub now: Timestamp,
}

/// One incident under work.
pub(super) struct LoadedIncident {
    pub incident: Incident,
    /// Those that matter most, and those that this transaction touches; of an incident about
    /// which nothing new was heard only the latter.
    pub members: HashMap<String, Member>,
    /// By fingerprint: each member is written once, however often it was heard of.
    pub member_changes: BTreeMap<String, MemberChange>,
    /// None of an incident about which nothing new was heard.
    pub conversations: BTreeMap<String, Conversation>,
    /// How the catalog entry was found by the alert seen last.
    pub matched_by: String,
    /// Whether it is the present incident of its dedup key.
    pub is_current: bool,
    /// Whether there is anything to write.
    pub is_changed: bool,
    /// Whether there is something to decide about.
    pub is_undecided: bool,
    /// Channels whose conversation is not any more as it is stored.
    pub changed_conversations: BTreeSet<String>,
}

impl LoadedIncident {
    pub fn new(incident: Incident) -> Self {
        Self {
            incident,
            members: HashMap::new(),
            member_changes: BTreeMap::new(),
            conversations: BTreeMap::new(),
            matched_by: String::new(),
            is_current: true,
            is_changed: false,
            is_undecided: false,
            changed_conversations: BTreeSet::new(),
        }
    }
}
