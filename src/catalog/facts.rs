//! What a message says of an entry: the entry as it was when the incident began.

use crate::domain::clock::Timestamp;
use crate::domain::entry::EntryRecord;
use crate::domain::notification::EntryFacts;

/// What the catalog knows of the entry at the moment `at`, usually the incident's begin:
/// the version live then and the last deployment not after it. `matched_by` is
/// [`super::Match::matched_by`].
pub fn facts(record: &EntryRecord, at: Timestamp, matched_by: &str) -> EntryFacts {
    let entry = &record.entry;
    EntryFacts {
        slug: entry.slug.clone(),
        kind: entry.kind,
        title: entry.title().to_owned(),
        description: entry.description.clone(),
        owner: entry.owner.clone(),
        team: entry.team.clone(),
        tier: entry.tier,
        environment: entry.environment.clone(),
        business_impact: entry.business_impact.clone(),
        endpoint_url: entry.endpoint_url.clone(),
        version_live: record.history.version_at(at).map(str::to_owned),
        version_current: entry.current_version.clone(),
        deployment: record.history.deployment_at(at).cloned(),
        links: entry.links.clone(),
        runbook_url: entry.runbook_url.clone(),
        contacts: entry.contacts.clone(),
        tags: entry.tags.clone(),
        matched_by: matched_by.to_owned(),
    }
}
