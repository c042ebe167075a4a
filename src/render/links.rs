//! Templates of URLs and of dedup keys. They see less than messages do, and exactly this:
//! `alertname`, `severity`, `status`, `entry`, `version`, `labels.*`, `annotations.*`,
//! `window.from_ms`, `window.to_ms`. A label that does not exist is empty here: links and
//! keys are written once for many alerts.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use handlebars::Context;
use parking_lot::Mutex;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::engine::{Compiled, Medium};
use super::guard::TemplateFault;
use super::{budget, urls};
use crate::domain::clock::Timestamp;
use crate::domain::labels::Labels;

mod pieces;

use pieces::{Piece, render_pieces};

/// The variables, by the first part of their names.
const ROOTS: [&str; 8] =
    ["alertname", "severity", "status", "entry", "version", "labels", "annotations", "window"];

/// What a link or key template sees.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LinkContext<'a> {
    /// The rule's name; may be empty.
    pub alertname: &'a str,
    /// The normalised severity.
    pub severity: &'a str,
    /// `firing` or `resolved`.
    pub status: &'a str,
    /// The entry's slug; empty when none matched.
    pub entry: &'a str,
    /// The version the alert names, else the live one; may be empty.
    pub version: &'a str,
    /// The alert's labels.
    pub labels: &'a Labels,
    /// The alert's annotations.
    pub annotations: &'a Labels,
    /// The time to look at.
    pub window: Window,
}

/// Dashboards are opened from this long before the begin …
const WINDOW_BEFORE: Duration = Duration::from_secs(3_600);
/// … until this long after the end.
const WINDOW_AFTER: Duration = Duration::from_secs(15 * 60);

/// The time around an incident: from one hour before it began until now or a quarter of
/// an hour after its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Window {
    /// Milliseconds since the Unix epoch, as Grafana wants them.
    pub from_ms: i64,
    /// Milliseconds since the Unix epoch.
    pub to_ms: i64,
}

impl Window {
    /// Around what began and perhaps ended then.
    pub fn around(began: Timestamp, ended: Option<Timestamp>, now: Timestamp) -> Self {
        let to = ended.map_or(now, |ended| ended.plus(WINDOW_AFTER));
        Self { from_ms: began.minus(WINDOW_BEFORE).as_millis(), to_ms: to.as_millis() }
    }
}

/// A template of few variables with a way around the engine for what nearly all of them
/// are: text and names.
#[derive(Debug)]
struct FactTemplate {
    compiled: Compiled,
    pieces: Option<Vec<Piece>>,
    medium: Medium,
}

impl FactTemplate {
    fn new(source: &str, medium: Medium) -> Result<Self, TemplateFault> {
        static NAMES: LazyLock<BTreeSet<String>> =
            LazyLock::new(|| ROOTS.iter().map(|name| (*name).to_owned()).collect());
        let compiled = Compiled::new(source, medium, Some(&NAMES))?;
        let pieces = pieces::of(compiled.template());
        Ok(Self { compiled, pieces, medium })
    }

    fn render(&self, context: &LinkContext<'_>) -> Result<String, TemplateFault> {
        if let Some(pieces) = &self.pieces {
            return Ok(render_pieces(pieces, context, |value| match self.medium {
                Medium::Url => Cow::Owned(urls::encode(value)),
                _ => Cow::Borrowed(value),
            }));
        }
        // To read all labels costs something, too.
        if budget::bytes_left() == 0 {
            return Err(TemplateFault::new(None, budget::too_much()));
        }
        let context =
            Context::wraps(context).map_err(|error| TemplateFault::new(None, error.reason().to_string()))?;
        self.compiled.render(&context)
    }
}

/// Does work that renders links of which none may use up the time of all.
pub fn within_one_budget<T>(work: impl FnOnce() -> T) -> T {
    budget::within(budget::SINGLE, work)
}

/// Renders templates of URLs. Each is compiled once; shared by all messages.
#[derive(Debug, Default)]
pub struct LinkTemplates {
    cache: Mutex<HashMap<String, Arc<Result<FactTemplate, TemplateFault>>>>,
}

impl LinkTemplates {
    /// How many compiled templates are kept.
    const CACHED: usize = 10_000;

    /// Whether `template` is one of an http or https URL; an empty text is one of no URL.
    ///
    /// # Errors
    /// What is wrong with it, with the line where that is known.
    pub fn check(template: &str) -> Result<(), TemplateFault> {
        let compiled = FactTemplate::new(template, Medium::Url)?;
        let begins_well = ["http://", "https://"].iter().any(|scheme| {
            template.trim_start().get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme))
        });
        let sample = compiled.render(&sample_context())?;
        if template.trim().is_empty() || urls::fitting(&sample) != Ok(None) {
            return Ok(());
        }
        if !begins_well {
            return Err(TemplateFault::new(None, "must begin with http:// or https://"));
        }
        // The host may come from a label that the sample does not have.
        let host = template.trim_start().split('/').nth(2).unwrap_or_default();
        if host.contains("{{") {
            return Ok(());
        }
        Err(TemplateFault::new(
            None,
            "must name a host that is the same for every program: no user name, backslash or encoded character before the path",
        ))
    }

    /// The URL, or nothing when the template makes none for this alert.
    ///
    /// # Errors
    /// When the template is broken.
    pub fn render_url(
        &self,
        template: &str,
        context: &LinkContext<'_>,
    ) -> Result<Option<String>, TemplateFault> {
        self.render_text(template, context).map(|url| urls::fitting(&url).unwrap_or_default())
    }

    /// What the template makes for this alert, which need not be a URL.
    ///
    /// # Errors
    /// When the template is broken.
    pub fn render_text<'t>(
        &self,
        template: &'t str,
        context: &LinkContext<'_>,
    ) -> Result<Cow<'t, str>, TemplateFault> {
        if !template.contains("{{") {
            return Ok(Cow::Borrowed(template));
        }
        match self.compiled(template).as_ref() {
            Ok(compiled) => compiled.render(context).map(Cow::Owned),
            Err(fault) => Err(fault.clone()),
        }
    }

    fn compiled(&self, template: &str) -> Arc<Result<FactTemplate, TemplateFault>> {
        if let Some(known) = self.cache.lock().get(template) {
            return Arc::clone(known);
        }
        let compiled = Arc::new(FactTemplate::new(template, Medium::Url));
        let mut cache = self.cache.lock();
        if cache.len() >= Self::CACHED {
            cache.clear();
        }
        cache.insert(template.to_owned(), Arc::clone(&compiled));
        compiled
    }
}

/// The template of the dedup key of alerts that match an entry.
#[derive(Debug, Clone)]
pub struct DedupKeyTemplate(Arc<FactTemplate>);

impl DedupKeyTemplate {
    /// The longest key in bytes; PagerDuty takes no longer one.
    pub const MAX_LENGTH: usize = 255;

    /// Compiles a template.
    ///
    /// # Errors
    /// What is wrong with it; a template without any variable is wrong, since every
    /// alert would belong to one incident.
    pub fn parse(template: &str) -> Result<Self, TemplateFault> {
        if !template.contains("{{") {
            return Err(TemplateFault::new(
                None,
                "names no variable: every alert would belong to one incident; write {{alertname}}:{{entry}}",
            ));
        }
        FactTemplate::new(template, Medium::Key).map(|template| Self(Arc::new(template)))
    }

    /// The key of one alert: trimmed, at most [`Self::MAX_LENGTH`] bytes; a longer one
    /// ends in a digest of the whole. May be empty when every variable is.
    ///
    /// # Errors
    /// When the template fails on this alert.
    pub fn render(&self, context: &LinkContext<'_>) -> Result<String, TemplateFault> {
        self.0.render(context).map(|key| bounded(key.trim()))
    }
}

fn bounded(key: &str) -> String {
    if key.len() <= DedupKeyTemplate::MAX_LENGTH {
        return key.to_owned();
    }
    let digest: String = Sha256::digest(key.as_bytes()).iter().take(8).map(|b| format!("{b:02x}")).collect();
    let head = &key[..key.floor_char_boundary(DedupKeyTemplate::MAX_LENGTH - digest.len() - 1)];
    format!("{head}-{digest}")
}

fn sample_context() -> LinkContext<'static> {
    static EMPTY: Labels = Labels::new();
    LinkContext {
        alertname: "HighLatency",
        severity: "critical",
        status: "firing",
        entry: "fraud-detector",
        version: "v8",
        labels: &EMPTY,
        annotations: &EMPTY,
        window: Window { from_ms: 1, to_ms: 2 },
    }
}

#[cfg(test)]
mod tests;
