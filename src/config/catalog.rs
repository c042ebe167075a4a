//! `catalog`: how alerts find their entry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `catalog`
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CatalogConfig {
    /// Label or annotation whose value is an entry's slug: decides at once.
    pub entry_label: String,
    /// Labels looked at in this order; the first whose value names an entry decides.
    pub match_labels: Vec<String>,
    /// Labels that carry the version, looked at once an entry matched.
    pub version_labels: Vec<String>,
}

impl Default for CatalogConfig {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            entry_label: "catalog_entry".to_owned(),
            match_labels: owned(&[
                "model",
                "model_name",
                "registered_model",
                "inferenceservice",
                "served_model_name",
                "requested_model",
                "model_group",
                "litellm_model_name",
                "gen_ai_request_model",
                "deployment_name",
                "deployment",
                "application",
                "service_name",
                "service",
                "feature_view",
                "store",
                "project",
                "dag_id",
                "pipeline",
                "job_name",
            ]),
            version_labels: owned(&[
                "model_version",
                "version",
                "service_version",
                "predictor_version",
                "revision",
                "image_tag",
            ]),
        }
    }
}
