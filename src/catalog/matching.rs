//! How an alert finds its entry: the first rule that names one decides.

use std::sync::Arc;

use super::names::{fold, readings};
use super::snapshot::{Catalog, Index};
use crate::config::CatalogConfig;
use crate::domain::entry::EntryRecord;
use crate::domain::labels::Labels;

/// An alert's entry, and how it was found.
#[derive(Clone, Debug)]
pub struct Match {
    /// The entry.
    pub entry: Arc<EntryRecord>,
    /// `label model`, `annotation catalog_entry`, `matcher`.
    pub matched_by: String,
    /// The version a label names.
    pub version: Option<String>,
}

impl Catalog {
    /// The entry of an alert: the one its entry label or annotation names; else the one
    /// named by the value of the first label of the ordered list that names any; else the
    /// one whose matchers hold; else none. The version is read only once there is an entry:
    /// labels like `version` stand on many series that have nothing to do with models.
    pub fn find_entry(&self, labels: &Labels, annotations: &Labels) -> Option<Match> {
        self.read(|settings, index| {
            let (entry, matched_by) = find_named(settings, index, labels, annotations)
                .or_else(|| index.matchers.find(labels).map(|entry| (entry, "matcher".to_owned())))?;
            let version = find_version(settings, labels).map(str::to_owned);
            Some(Match { entry: entry.clone(), matched_by, version })
        })
    }
}

fn find_named<'a>(
    settings: &CatalogConfig,
    index: &'a Index,
    labels: &Labels,
    annotations: &Labels,
) -> Option<(&'a Arc<EntryRecord>, String)> {
    let explicit = &settings.entry_label;
    let named = |value: &String| {
        let folded = fold(value);
        readings(&folded).find_map(|reading| index.named(reading))
    };
    if let Some(entry) = labels.get(explicit).and_then(named) {
        return Some((entry, format!("label {explicit}")));
    }
    if let Some(entry) = annotations.get(explicit).and_then(named) {
        return Some((entry, format!("annotation {explicit}")));
    }
    settings.match_labels.iter().find_map(|label| {
        let entry = labels.get(label).and_then(named)?;
        Some((entry, format!("label {label}")))
    })
}

fn find_version<'a>(settings: &CatalogConfig, labels: &'a Labels) -> Option<&'a str> {
    settings
        .version_labels
        .iter()
        .filter_map(|label| labels.get(label))
        .map(|value| value.trim())
        .find(|value| !value.is_empty())
}
