//! From a file to a configuration that the whole program can run with: what `config`
//! checks by itself, plus what only the channels and the routing tree know. `serve`,
//! reload and every command that takes a file load it here, so that what `check-config`
//! accepts is what starts.

use std::path::Path;

use crate::channels::{self, REGISTRY};
use crate::config::{self, ChannelConfig, KindSchema, Loaded, Problems};
use crate::dispatch::plan::Plan;
use crate::render::TemplateProblem;
use crate::triage::rules::Rules;

/// A checked configuration and what it describes, built and ready to use.
pub struct Configuration {
    /// What the file says.
    pub loaded: Loaded,
    /// How alerts are understood and routed.
    pub rules: Rules,
    /// How messages are sent.
    pub plan: Plan,
    /// Template overrides that do not work: the built-in texts stand in for them.
    pub template_problems: Vec<TemplateProblem>,
}

impl Configuration {
    /// Says in the log which template overrides are not used, and why.
    pub fn warn_about_templates(&self) {
        for problem in &self.template_problems {
            tracing::warn!(%problem, "a template override is not used, the built-in text stands in");
        }
    }
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

/// Checks a configuration given as text; nothing of the environment reaches it.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str) -> Result<Configuration, Problems> {
    complete(config::parse(text, Path::new(""), &|_| None, &kinds())?)
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
    let mut found: Vec<(String, String)> = Vec::new();
    let rules = Rules::build(&loaded.config)
        .map_err(|problems| found.extend(problems.into_iter().map(|problem| (problem.key, problem.message))));
    let plan = Plan::build(&loaded.config)
        .map_err(|problems| found.extend(problems.into_iter().map(|problem| (problem.key, problem.message))));
    match (rules, plan) {
        (Ok(rules), Ok((plan, template_problems))) => {
            Ok(Configuration { loaded, rules, plan, template_problems })
        }
        _ => Err(loaded.problems(found).unwrap_or_default()),
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
