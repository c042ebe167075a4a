//! From the text of `modelpager.yml` to a [`Config`] that can be relied on, in this order:
//! YAML is read with the place of every value; variables are expanded; secrets are read
//! from their files; the schema is checked; then what a schema cannot say. Every step
//! adds to one list of problems, and only a file without any becomes a configuration.

use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::config::{ChannelConfig, Config};
use crate::domain::secret::{REDACTED, Secret};
use crate::yaml::{self, Checker, Marks, Problem, Problems, Report, pointer, settle_types};

mod alertmanager;
mod check;
mod expand;
mod fallbacks;
mod schema;
mod secrets;
mod sound;

pub use expand::Env;
pub use schema::{KindSchema, schema};

use expand::Expanded;

/// The channel there is when none is configured.
const DEFAULT_CHANNEL: &str = "console";

/// Its kind, which needs no settings and no network.
const DEFAULT_KIND: &str = "log";
/// What messages call a configuration that is not a file.
const NO_FILE: &str = "modelpager.yml";
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Blotting out shorter ones would garble innocent words.
const MIN_BLOTTED_CHARS: usize = 6;

/// A configuration that passed every check.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration, defaults filled in.
    pub config: Config,
    /// How messages call the file it came from.
    pub source_name: String,
    /// SHA-256 of the file's text, in hexadecimal: tells whether a reload changed it.
    pub digest: String,
    redacted: Value,
    marks: Marks,
    /// What no message may show.
    hidden: Vec<Secret>,
}

/// What could be read of a configuration, and what is wrong with it so far. Callers who know
/// more add what they find: the reader gets everything at once.
#[derive(Debug)]
pub struct Draft {
    loaded: Loaded,
    report: Report,
}

impl Draft {
    /// The configuration; where something is wrong with the file, the default stands.
    pub const fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// Adds problems at dotted paths such as `channels[2].smtp.port`, unless something was
    /// found wrong there already.
    pub fn add(&mut self, found: impl IntoIterator<Item = (String, String)>) {
        for (path, message) in found {
            self.report.add_unless_known(&pointer::from_dotted(&path), message);
        }
    }

    /// Whether nothing was found wrong with a section, such as `route`.
    pub fn is_clean(&self, section: &str) -> bool {
        self.report.is_clean(&pointer::from_dotted(section))
    }

    /// What a caller found at dotted paths, with its places in the file: for warnings.
    pub fn place(&self, found: impl IntoIterator<Item = (String, String)>) -> Vec<Problem> {
        self.loaded.problems(found).map(|placed| placed.problems).unwrap_or_default()
    }

    /// How messages call the file.
    pub fn source_name(&self) -> &str {
        &self.loaded.source_name
    }

    /// The configuration, if nothing is wrong with it.
    ///
    /// # Errors
    /// Everything that is.
    pub fn finish(self) -> Result<Loaded, Problems> {
        let Self { loaded, report } = self;
        report.finish(&loaded.source_name, &loaded.hidden)?;
        Ok(loaded)
    }
}

impl Loaded {
    /// The whole configuration for people to look at: no secret is in it.
    pub fn redacted_json(&self) -> &Value {
        &self.redacted
    }

    /// Problems that a caller found at dotted paths such as `channels[2].smtp.port`, with
    /// their places in the file. `None` when there are none.
    pub fn problems(&self, found: impl IntoIterator<Item = (String, String)>) -> Option<Problems> {
        let mut report = Report::new(self.marks.clone());
        for (path, message) in found {
            report.add(&pointer::from_dotted(&path), message);
        }
        report.finish(&self.source_name, &self.hidden).err()
    }
}

/// Reads a configuration file. Paths in it are relative to its folder.
///
/// # Errors
/// Everything that is wrong with it, also when it cannot be read at all.
pub fn load_file(path: &Path, env: Env<'_>, kinds: &[KindSchema]) -> Result<Loaded, Problems> {
    draft_file(path, env, kinds)?.finish()
}

/// Reads a configuration file, whatever is wrong with it.
///
/// # Errors
/// When it cannot be read or is not YAML.
pub fn draft_file(path: &Path, env: Env<'_>, kinds: &[KindSchema]) -> Result<Draft, Problems> {
    let name = path.display().to_string();
    let text = read_text(path)
        .map_err(|error| Problems::one(&name, None, format!("reading the configuration file: {error}")))?;
    let base = path.parent().unwrap_or(Path::new(""));
    draft(&name, &text, base, env, kinds)
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let size = std::fs::metadata(path)?.len();
    if size > MAX_FILE_BYTES {
        return Err(std::io::Error::other(format!("larger than {MAX_FILE_BYTES} bytes")));
    }
    std::fs::read_to_string(path)
}

/// Reads the text of a configuration; an empty one gives the defaults. `base` is the
/// folder to which the paths in it are relative.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str, base: &Path, env: Env<'_>, kinds: &[KindSchema]) -> Result<Loaded, Problems> {
    draft(NO_FILE, text, base, env, kinds)?.finish()
}

/// Reads the text of a configuration that messages call `name`, whatever is wrong with it.
///
/// # Errors
/// When it is not YAML.
pub fn draft(
    name: &str,
    text: &str,
    base: &Path,
    env: Env<'_>,
    kinds: &[KindSchema],
) -> Result<Draft, Problems> {
    let yaml::Document { mut value, marks, .. } =
        yaml::read(text).map_err(|(position, message)| Problems::one(name, position, message))?;
    let checker = Checker::new(schema::checking_schema(kinds)).answering(alertmanager::answer);
    let root = checker.root();
    let mut report = Report::new(marks);

    let expanded = expand::expand(&mut value, env, &mut report);
    secrets::read_files(root, &mut value, base, &mut report);
    settle_types(root, &mut value, &report.marks, &|at| expanded.contains(at));
    let hidden = hide(root, &value, &expanded, &mut report);
    checker.check(&value, &mut report);
    let sound = sound::sound(&checker, &value, kinds, &report);
    check::check(&value, &sound, kinds, &mut report);

    let config = complete(read_config(sound.document, &mut report), base, kinds);
    let redacted = redact(root, &config);
    let marks = report.marks.clone();
    let source_name = name.to_owned();
    let loaded = Loaded { config, source_name, digest: digest(text), redacted, marks, hidden };
    Ok(Draft { loaded, report })
}

/// Marks what no message may show: the secrets, and what came from the environment, which
/// may be a secret wherever it stands. Returns the texts of some length among them.
fn hide(root: &Value, value: &Value, expanded: &Expanded, report: &mut Report) -> Vec<Secret> {
    let secrets = secrets::find_secrets(root, &mut value.clone());
    let from_outside =
        expanded.iter().filter_map(|at| Some((at.clone(), value.pointer(at)?.as_str()?.to_owned())));
    let mut texts = Vec::new();
    for (at, text) in secrets.into_iter().chain(from_outside) {
        report.hide(&at);
        if text.len() >= MIN_BLOTTED_CHARS {
            texts.push(Secret::new(text));
        }
    }
    texts
}

/// The schema lets nearly nothing through that the types refuse; for what is left (a
/// duration beyond all measure) the section that holds it is named.
fn read_config(value: Value, report: &mut Report) -> Config {
    let mut sections = value.as_object().cloned().unwrap_or_default();
    if let Ok(config) = serde_json::from_value(value) {
        return config;
    }
    sections.retain(|key, section| {
        let alone = serde_json::from_value::<Config>(serde_json::json!({ key: section }));
        if let Err(error) = &alone {
            report.add_unless_known(&pointer::child("", key), error.to_string());
        }
        alone.is_ok()
    });
    serde_json::from_value(Value::Object(sections)).unwrap_or_default()
}

/// Fills in what depends on other values.
fn complete(mut config: Config, base: &Path, kinds: &[KindSchema]) -> Config {
    if config.channels.is_empty() {
        config.channels.push(ChannelConfig::new(DEFAULT_CHANNEL, DEFAULT_KIND));
    }
    for channel in &mut config.channels {
        let kind = kinds.iter().find(|kind| kind.name == channel.kind);
        channel.policy = kind.map(|kind| kind.policy).unwrap_or_default();
    }
    if config.route.channels.is_empty()
        && let Some(first) = config.channels.first()
    {
        config.route.channels.push(first.name.clone());
    }
    config.templates_dir = config.templates_dir.map(|folder| base.join(folder));
    let url = config.server.external_url.trim_end_matches('/').len();
    config.server.external_url.truncate(url);
    config
}

/// What a channel's kind calls secret is blotted out, the rest of its settings is shown.
fn redact(root: &Value, config: &Config) -> Value {
    let Ok(mut value) = serde_json::to_value(config) else { return Value::Null };
    for (index, channel) in config.channels.iter().enumerate() {
        if let Some(Value::Object(shown)) = value.pointer_mut(&format!("/channels/{index}")) {
            shown.extend(channel.settings.clone());
        }
    }
    secrets::redact(root, &mut value);
    value["storage"]["url"] = Value::String(redact_url(&config.storage.url));
    value
}

/// A database URL without its password.
fn redact_url(url: &Secret) -> String {
    let url = url.expose();
    if url.starts_with("sqlite:") {
        return url.to_owned();
    }
    let Some((scheme, rest)) = url.split_once("://") else { return REDACTED.to_owned() };
    // Parameters may hold a password too.
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or(user, |(user, _)| user);
            format!("{scheme}://{user}:{REDACTED}@{host}")
        }
        None => format!("{scheme}://{rest}"),
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
