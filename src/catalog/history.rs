//! Versions and deployments: what must hold of them, and how new ones join a history.

use std::time::Duration;

use super::checks::{MAX_NAME, MAX_PARAGRAPH, MAX_URL, Report};
use super::document::{DeploymentDocument, VersionDocument};
use super::faults::FieldError;
use crate::domain::clock::Timestamp;
use crate::domain::entry::{Deployment, EntryHistory, Version};

/// How far ahead of ours another clock may be.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// What a record without a time means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undated {
    /// It happens now, unless its version is the one live: somebody reports what he did.
    Now,
    /// It happened once, and now if it is new: a file says what is the case.
    Once,
}

/// Everything wrong with a version.
pub(super) fn check_version(version: &VersionDocument, now: Timestamp) -> Vec<FieldError> {
    let mut report = Report::default();
    report.filled("version", &version.version, MAX_NAME);
    check_time(&mut report, "valid_from", version.valid_from, now);
    report.text("note", &version.note, MAX_PARAGRAPH);
    report.url("url", &version.url);
    report.problems
}

/// Everything wrong with a deployment.
pub(super) fn check_deployment(deployment: &DeploymentDocument, now: Timestamp) -> Vec<FieldError> {
    let mut report = Report::default();
    report.filled("version", &deployment.version, MAX_NAME);
    check_time(&mut report, "at", deployment.at, now);
    for (field, text) in [
        ("external_id", &deployment.external_id),
        ("previous_version", &deployment.previous_version),
        ("actor", &deployment.actor),
        ("commit", &deployment.commit),
    ] {
        report.line(field, text, MAX_NAME);
    }
    report.url("url", &deployment.url);
    // Pasted from a message that has it on one line, several lines would be another command.
    report.line("rollback_command", &deployment.rollback_command, MAX_URL);
    report.problems
}

fn check_time(report: &mut Report, field: &str, at: Option<Timestamp>, now: Timestamp) {
    if at.is_some_and(|at| at > now.plus(CLOCK_SKEW)) {
        report.add(field, "lies in the future: record it when it happens");
    }
    if at.is_some_and(|at| at.as_millis() < 0) {
        report.add(field, "lies before the year 1970");
    }
}

/// The version of the history that a document speaks of.
pub(super) fn find_version<'a>(
    history: &'a EntryHistory,
    document: &VersionDocument,
    undated: Undated,
) -> Option<&'a Version> {
    let same_name = |version: &&Version| version.version == document.version;
    match document.valid_from {
        Some(at) => history.versions.iter().filter(same_name).find(|version| version.valid_from == at),
        None => history
            .versions
            .iter()
            .rfind(same_name)
            .filter(|_| undated == Undated::Once || current(history) == Some(&document.version)),
    }
}

/// The deployment of the history that a document speaks of.
pub(super) fn find_deployment<'a>(
    history: &'a EntryHistory,
    document: &DeploymentDocument,
    undated: Undated,
) -> Option<&'a Deployment> {
    let deployments = &history.deployments;
    if !document.external_id.is_empty() {
        return deployments.iter().find(|deployment| deployment.external_id == document.external_id);
    }
    let same_name = |deployment: &&Deployment| deployment.version == document.version;
    match document.at {
        Some(at) => deployments.iter().filter(same_name).find(|deployment| deployment.at == at),
        None => deployments
            .iter()
            .rfind(same_name)
            .filter(|_| undated == Undated::Once || current(history) == Some(&document.version)),
    }
}

/// Adds a version in its place.
pub(super) fn add_version(history: &mut EntryHistory, version: Version) {
    let key = |v: &Version| (v.valid_from, v.version.clone());
    match history.versions.binary_search_by_key(&key(&version), key) {
        Ok(known) => history.versions[known] = version,
        Err(place) => history.versions.insert(place, version),
    }
}

/// Adds a deployment in its place and tells it what was live before, if it does not say.
pub(super) fn add_deployment(history: &mut EntryHistory, mut deployment: Deployment) -> Deployment {
    if deployment.previous_version.is_empty() {
        let before = history.version_at(deployment.at.minus(Duration::from_millis(1)));
        deployment.previous_version =
            before.filter(|version| *version != deployment.version).unwrap_or_default().to_owned();
    }
    let place = history.deployments.partition_point(|d| (d.at, &d.id) < (deployment.at, &deployment.id));
    history.deployments.insert(place, deployment.clone());
    deployment
}

/// The version of the newest record.
pub(super) fn current(history: &EntryHistory) -> Option<&str> {
    history.version_at(Timestamp::from_millis(i64::MAX))
}

/// When the newest record was made.
pub(super) fn newest_at(history: &EntryHistory) -> Option<Timestamp> {
    let versions = history.versions.last().map(|version| version.valid_from);
    versions.max(history.deployments.last().map(|deployment| deployment.at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_would_be_another_one_on_one_line_is_refused() {
        let wrong = |command: &str| {
            let deployment = DeploymentDocument {
                version: "8".to_owned(),
                rollback_command: command.to_owned(),
                ..DeploymentDocument::default()
            };
            check_deployment(&deployment, Timestamp::default()).len()
        };

        assert_eq!(wrong("cd /srv && make rollback"), 0);
        assert_eq!(wrong("cd /srv\nmake rollback"), 1);
    }
}
