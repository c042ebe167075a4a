//! From the text of `modelpager.yml` to a [`Config`] that can be relied on, in this order:
//! YAML is read with the place of every value; variables are expanded; secrets are read
//! from their files; the schema is checked; then what a schema cannot say. Every step
//! adds to one list of problems, and only a file without any becomes a configuration.

use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::config::{ChannelConfig, Config};
use crate::domain::secret::{REDACTED, Secret};

mod check;
mod expand;
mod nearest;
mod pointer;
mod problem;
mod schema;
mod secrets;
mod validate;
mod yaml;

pub use expand::Env;
pub use problem::{Position, Problem, Problems};
pub use schema::{KindSchema, schema};

use problem::Report;

/// The channel there is when none is configured.
const DEFAULT_CHANNEL: &str = "console";
/// What messages call a configuration that is not a file.
const NO_FILE: &str = "modelpager.yml";
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Shorter secrets are refused elsewhere or would blot out innocent words.
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
    marks: yaml::Marks,
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
        report.finish(&self.source_name, &[]).err()
    }
}

/// Reads a configuration file. Paths in it are relative to its folder.
///
/// # Errors
/// Everything that is wrong with it, also when it cannot be read at all.
pub fn load_file(path: &Path, env: Env<'_>, kinds: &[KindSchema]) -> Result<Loaded, Problems> {
    let name = path.display().to_string();
    let text = read_text(path)
        .map_err(|error| Problems::one(&name, None, format!("reading the configuration file: {error}")))?;
    let base = path.parent().unwrap_or(Path::new(""));
    parse_named(&name, &text, base, env, kinds)
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
    parse_named(NO_FILE, text, base, env, kinds)
}

fn parse_named(
    name: &str,
    text: &str,
    base: &Path,
    env: Env<'_>,
    kinds: &[KindSchema],
) -> Result<Loaded, Problems> {
    let yaml::Document { mut value, marks } =
        yaml::read(text).map_err(|(position, message)| Problems::one(name, position, message))?;
    let root = schema::checking_schema(kinds);
    let mut report = Report::new(marks);

    let expanded = expand::expand(&mut value, env, &mut report);
    secrets::read_files(&root, &mut value, base, &mut report);
    secrets::settle_types(&root, &mut value, &expanded, &report);
    let secrets = secrets::find_secrets(&root, &mut value);
    let is_private = |at: &str| expanded.contains(at) || secrets.iter().any(|(place, _)| place == at);
    validate::validate(&root, &value, &is_private, &mut report);
    check::check(&value, &mut report);

    let config = match serde_json::from_value::<Config>(value) {
        Ok(config) => config,
        Err(error) => {
            // The schema lets nearly nothing through that the types refuse; what is left
            // (a duration beyond all measure) has no place of its own.
            report.add_if_first(|| format!("not a usable configuration: {error}"));
            Config::default()
        }
    };
    let known: Vec<String> =
        secrets.into_iter().map(|(_, text)| text).filter(|text| text.len() >= MIN_BLOTTED_CHARS).collect();
    let marks = report.finish(name, &known)?;

    let config = complete(config, base);
    let redacted = redact(&root, &config);
    Ok(Loaded { config, source_name: name.to_owned(), digest: digest(text), redacted, marks })
}

/// Fills in what depends on other values.
fn complete(mut config: Config, base: &Path) -> Config {
    if config.channels.is_empty() {
        config.channels.push(ChannelConfig::new(DEFAULT_CHANNEL, "log"));
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

fn redact(root: &Value, config: &Config) -> Value {
    let Ok(mut value) = serde_json::to_value(config) else { return Value::Null };
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
