//! Where a command that sends nothing takes the catalog from.

use std::path::PathBuf;

use anyhow::bail;

use super::catalog::lines;
use super::catalog::remote::Remote;
use crate::app::configuration::Configuration;
use crate::catalog::reading::read_checked_document;
use crate::catalog::{Catalog, plan};
use crate::config::Scope;
use crate::domain::clock::Timestamp;
use crate::domain::ids::IdMaker;

/// `--catalog` and `--server`
#[derive(Debug, clap::Args)]
pub(super) struct CatalogArgs {
    /// A catalog document (as for `catalog import`) to find the entry in; `-` for the standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "server")]
    catalog: Option<PathBuf>,
    /// A running server to read the catalog from.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// A token for the server; default: the first token of the configuration with the scope read.
    #[arg(long, value_name = "TOKEN", env = "MODELPAGER_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

impl CatalogArgs {
    /// Whether there is a catalog to ask.
    pub(super) fn is_given(&self) -> bool {
        self.catalog.is_some() || self.server.is_some()
    }

    /// The catalog as a server with this configuration would have it; an empty one when none
    /// was named.
    pub(super) fn load(
        &self,
        configuration: &Configuration,
        ids: &IdMaker,
        now: Timestamp,
    ) -> anyhow::Result<Catalog> {
        let config = &configuration.loaded.config;
        let catalog = Catalog::new(config.catalog.clone());
        let (name, bytes) = match (&self.catalog, &self.server) {
            (Some(file), _) => (super::name_of(file), super::read_input(file)?),
            (None, Some(server)) => {
                let remote = Remote::new(server, self.token.as_deref(), config, Scope::Read)?;
                (format!("the catalog of {server}"), remote.get("/api/v1/catalog/export?format=json")?)
            }
            (None, None) => return Ok(catalog),
        };
        let document = match read_checked_document(&bytes, now) {
            Ok(document) => document,
            Err(error) => bail!("could not use {name}\n{}", lines(&name, &error.into_faults()).join("\n")),
        };
        catalog.replace(plan::imagine(document, now, ids), 1);
        Ok(catalog)
    }
}

/// What to say where the tree looks at names that no catalog was asked about.
pub(super) fn not_consulted(names: &[&str]) -> String {
    format!(
        "no catalog was given, but routes use {}: set --catalog FILE or --server URL, \
         or give the values as labels",
        names.join(", ")
    )
}
