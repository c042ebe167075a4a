//! From a file to a configuration that the whole program can run with: what `config`
//! checks by itself, plus what only the channels and the routing tree know. `serve`,
//! reload and every command that takes a file load it here, so that what `check-config`
//! accepts is what starts.

use std::path::Path;

use crate::channels::{self, REGISTRY};
use crate::config::{self, ChannelConfig, KindSchema, Loaded, Problems};
use crate::triage::routes::RouteTree;

/// A checked configuration and the routing tree it describes.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// What the file says.
    pub loaded: Loaded,
    /// Where incidents go.
    pub routes: RouteTree,
}

/// Reads and checks the configuration; without a file the defaults, which always work.
///
/// # Errors
/// Everything that is wrong with the file; none of it shows a secret.
pub fn load(file: Option<&Path>) -> Result<Configuration, Problems> {
    let env = |name: &str| std::env::var(name).ok();
    let kinds = kinds();
    let loaded = match file {
        Some(file) => config::load_file(file, &env, &kinds)?,
        None => config::parse("", Path::new(""), &env, &kinds)?,
    };
    complete(loaded)
}

/// What the configuration needs to know of every kind of channel.
pub fn kinds() -> Vec<KindSchema> {
    let describe = |kind: &&channels::Kind| KindSchema {
        name: kind.name.to_owned(),
        title: kind.title.to_owned(),
        schema: (kind.schema)().to_value(),
        check: check_channel,
    };
    REGISTRY.iter().map(describe).collect()
}

fn complete(loaded: Loaded) -> Result<Configuration, Problems> {
    match RouteTree::build(&loaded.config.route) {
        Ok(routes) => Ok(Configuration { loaded, routes }),
        Err(problems) => {
            let found = problems.into_iter().map(|problem| (problem.path, problem.message));
            Err(loaded.problems(found).unwrap_or_default())
        }
    }
}

/// Lets the channel's kind try to build it, and compares its templates with the kind's.
fn check_channel(channel: &ChannelConfig) -> Vec<(String, String)> {
    let Some(kind) = channels::find_kind(&channel.kind) else { return Vec::new() };
    let problems = (kind.build)(channel).err().unwrap_or_default();
    let of_settings = problems.into_iter().map(|problem| (problem.key, problem.message));
    of_settings.chain(unknown_templates(channel, kind)).collect()
}

fn unknown_templates(channel: &ChannelConfig, kind: &channels::Kind) -> Vec<(String, String)> {
    let fields: Vec<&str> = kind.templates.iter().map(|field| field.name).collect();
    let unknown = channel.templates.keys().filter(|name| !fields.contains(&name.as_str()));
    let message = format!("unknown field of a {} message; it has {}", kind.name, fields.join(", "));
    unknown.map(|name| (format!("templates.{name}"), message.clone())).collect()
}
