//! Templates that replace built-in ones: files of a folder (`KIND/FIELD.hbs`) and texts
//! in a channel's configuration. Only collected here; the renderer tries them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::guard::{MAX_SOURCE, TemplateFault};

/// A template that cannot be used, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("{place}: {fault}")]
pub struct TemplateProblem {
    /// The file, or `channels: NAME: templates.FIELD`.
    pub place: String,
    /// What is wrong.
    pub fault: TemplateFault,
}

/// What messages call a template in a channel's own configuration.
pub fn channel_place(channel: &str, field: &str) -> String {
    format!("channels: {channel}: templates.{field}")
}

/// One text that wants to replace a built-in one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Override {
    pub kind: String,
    pub field: String,
    /// `None`: for every channel of the kind.
    pub channel: Option<String>,
    pub text: String,
    pub place: String,
}

/// Every text that wants to replace a built-in one.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub(super) all: Vec<Override>,
}

impl Overrides {
    /// Reads every `KIND/FIELD.hbs` of a folder. Hidden files are passed over, and files
    /// that lead out of the folder or are too large are problems.
    pub fn read_dir(folder: &Path) -> (Self, Vec<TemplateProblem>) {
        let mut found = Self::default();
        let mut problems = Vec::new();
        match fs::canonicalize(folder) {
            Ok(root) => found.read_kinds(folder, &root, &mut problems),
            Err(error) => problems.push(problem(folder, format!("cannot be opened: {error}"))),
        }
        (found, problems)
    }

    /// Adds the texts of one channel: field → text.
    pub fn add_channel(&mut self, channel: &str, kind: &str, fields: &BTreeMap<String, String>) {
        self.all.extend(fields.iter().map(|(field, text)| Override {
            kind: kind.to_owned(),
            field: field.clone(),
            channel: Some(channel.to_owned()),
            text: text.clone(),
            place: channel_place(channel, field),
        }));
    }

    fn read_kinds(&mut self, folder: &Path, root: &Path, problems: &mut Vec<TemplateProblem>) {
        for kind in entries(folder, problems) {
            if !kind.is_dir() {
                continue;
            }
            for file in entries(&kind, problems) {
                if file.extension().is_none_or(|extension| extension != "hbs") {
                    continue;
                }
                match read(&file, root) {
                    Ok(text) => self.all.push(Override {
                        kind: name(&kind),
                        field: file
                            .file_stem()
                            .map(|stem| stem.to_string_lossy().into_owned())
                            .unwrap_or_default(),
                        channel: None,
                        text,
                        place: file.display().to_string(),
                    }),
                    Err(message) => problems.push(problem(&file, message)),
                }
            }
        }
    }
}

/// What a folder holds, sorted, without hidden names.
fn entries(folder: &Path, problems: &mut Vec<TemplateProblem>) -> Vec<PathBuf> {
    match fs::read_dir(folder) {
        Ok(entries) => {
            let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
            paths.retain(|path| !name(path).starts_with('.'));
            paths.sort();
            paths
        }
        Err(error) => {
            problems.push(problem(folder, format!("cannot be read: {error}")));
            Vec::new()
        }
    }
}

fn read(file: &Path, root: &Path) -> Result<String, String> {
    let real = fs::canonicalize(file).map_err(|error| format!("cannot be opened: {error}"))?;
    if !real.starts_with(root) {
        return Err("leads out of the templates' folder".to_owned());
    }
    if !real.is_file() {
        return Err("is not a file".to_owned());
    }
    let mut text = String::new();
    fs::File::open(&real)
        .and_then(|file| file.take(MAX_SOURCE as u64 + 1).read_to_string(&mut text))
        .map_err(|error| format!("cannot be read: {error}"))?;
    Ok(text)
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn problem(path: &Path, message: impl Into<String>) -> TemplateProblem {
    TemplateProblem { place: path.display().to_string(), fault: TemplateFault::new(None, message) }
}
