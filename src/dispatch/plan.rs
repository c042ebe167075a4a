//! What the configuration says about delivery, built and ready to use: replaced as a whole
//! by a reload.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use crate::channels::{Channel, Kind, Message, Preview, REGISTRY, find_kind};
use crate::config::{ChannelConfig, Config, OnAmbiguous};
use crate::domain::backoff::Backoff;
use crate::domain::clock::Timestamp;
use crate::domain::notification::Snapshot;
use crate::domain::rate::RateLimit;
use crate::domain::secret::Secret;
use crate::http::Proxies;
use crate::render::{
    Overrides, Rendered, Renderer, TemplateFault, TemplateField, TemplateProblem, preview_template,
};

/// No internal alert is told again sooner than this.
const KEEP_ALIVE: Duration = Duration::from_secs(3_600);

/// Every channel that may be sent through, and how.
pub struct Plan {
    channels: BTreeMap<String, Arc<ChannelPlan>>,
    renderer: Renderer,
    /// The bounds of waits between attempts.
    pub backoff: Backoff,
    /// How long a message is worth trying.
    pub max_age: Duration,
    /// How often an internal alert is told again, so that it does not go stale.
    pub keep_alive: Duration,
}

/// One channel, ready to send.
pub struct ChannelPlan {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: &'static Kind,
    /// The destination.
    pub channel: Box<dyn Channel>,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// What to do about an unknown end.
    pub on_ambiguous: OnAmbiguous,
    /// How many messages it sends at the same time.
    pub concurrency: usize,
    /// The channel that stands in for it.
    pub fallback: Option<String>,
    /// How long it may be out before what waits for it goes there.
    pub fallback_after: Duration,
    /// What decides whether it delivers: another value means other settings.
    settings: u64,
    /// How many it may send in a time.
    pub rate_limit: RateLimit,
    /// Whether many messages that wait may become one.
    pub folds: bool,
}

/// Something that keeps a configuration from being put into use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanProblem {
    /// The key: `channels[2].smtp.port`.
    pub key: String,
    /// What is wrong.
    pub message: String,
}

impl Plan {
    /// Builds every enabled channel, with the proxies of the environment, and compiles the templates. Template overrides that do
    /// not work are reported and left out: the built-in text stands in.
    ///
    /// # Errors
    /// Every channel that cannot be built, all at once.
    pub fn build(
        config: &Config,
        proxies: &Proxies,
    ) -> Result<(Self, Vec<TemplateProblem>), Vec<PlanProblem>> {
        let mut channels = BTreeMap::new();
        let mut problems = Vec::new();
        for (index, channel) in config.channels.iter().enumerate() {
            match build_channel(channel, proxies, config.delivery.concurrency) {
                Ok(plan) if channel.enabled => {
                    channels.insert(channel.name.clone(), Arc::new(plan));
                }
                Ok(_) => {}
                Err(found) => {
                    let keyed =
                        |(key, message)| PlanProblem { key: format!("channels[{index}]{key}"), message };
                    problems.extend(found.into_iter().map(keyed));
                }
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let (renderer, template_problems) = build_renderer(config);
        let plan = Self {
            channels,
            renderer,
            backoff: Backoff { min: config.delivery.backoff_min.0, max: config.delivery.backoff_max.0 },
            max_age: config.delivery.max_age.0,
            keep_alive: (config.incidents.stale_after.0 / 3).min(KEEP_ALIVE),
        };
        Ok((plan, template_problems))
    }

    /// What is wrong with the templates of a configuration whose channels cannot all be built.
    pub fn template_problems(config: &Config) -> Vec<TemplateProblem> {
        build_renderer(config).1
    }

    /// The enabled channel of that name.
    pub fn channel(&self, name: &str) -> Option<Arc<ChannelPlan>> {
        self.channels.get(name).cloned()
    }

    /// Every enabled channel, by name.
    pub fn channels(&self) -> impl Iterator<Item = &Arc<ChannelPlan>> {
        self.channels.values()
    }

    /// Channels that `before` knew with other settings.
    pub fn changed_since(&self, before: &Self) -> Vec<String> {
        let is_changed = |channel: &&Arc<ChannelPlan>| {
            before.channels.get(&channel.name).is_some_and(|known| known.settings != channel.settings)
        };
        self.channels().filter(is_changed).map(|channel| channel.name.clone()).collect()
    }

    /// The texts of a message for a channel.
    pub fn render(&self, channel: &ChannelPlan, snapshot: &Snapshot, now: Timestamp) -> Rendered {
        self.renderer.message(channel.kind.name, &channel.name, snapshot, now)
    }

    /// The message as its reader would see it and as the wire would carry it; nothing is sent.
    pub fn preview(&self, channel: &ChannelPlan, snapshot: &Snapshot, now: Timestamp) -> Preview {
        let rendered = self.render(channel, snapshot, now);
        channel.channel.preview(&Message {
            notification_id: "00000000-0000-7000-8000-000000000000",
            dedup_key: &snapshot.incident.dedup_key,
            snapshot,
            rendered: &rendered,
            reference: None,
            now,
        })
    }

    /// The template in force for a field on a channel.
    pub fn template<'p>(&'p self, channel: &ChannelPlan, field: &'p TemplateField) -> &'p str {
        self.renderer.replacement(channel.kind.name, &channel.name, field.name).unwrap_or(field.source)
    }

    /// What another template would make of a field of the message; nothing of it is kept.
    ///
    /// # Errors
    /// What is wrong with it, with the line where that is known.
    pub fn try_template(
        &self,
        channel: &ChannelPlan,
        field: &TemplateField,
        text: &str,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> Result<String, TemplateFault> {
        preview_template(text, field.escape, &self.renderer.context(snapshot, &channel.name, now))
    }
}

fn build_channel(
    config: &ChannelConfig,
    proxies: &Proxies,
    concurrency: usize,
) -> Result<ChannelPlan, Vec<(String, String)>> {
    let Some(kind) = find_kind(&config.kind) else {
        let known: Vec<&str> = REGISTRY.iter().map(|kind| kind.name).collect();
        let message = format!("unknown kind {:?}; there are {}", config.kind, known.join(", "));
        return Err(vec![(".kind".to_owned(), message)]);
    };
    let dotted = |key: String| if key.is_empty() { key } else { format!(".{key}") };
    let channel = (kind.build)(config, proxies).map_err(|problems| {
        problems.into_iter().map(|problem| (dotted(problem.key), problem.message)).collect::<Vec<_>>()
    })?;
    Ok(ChannelPlan {
        name: config.name.clone(),
        kind,
        channel,
        timeout: config.timeout.0,
        on_ambiguous: config.on_ambiguous,
        concurrency: concurrency.max(1),
        fallback: config.fallback.clone(),
        fallback_after: config.fallback_after.0,
        settings: digest(config),
        rate_limit: config.rate_limit.unwrap_or(kind.policy.rate_limit),
        folds: kind.policy.bundle,
    })
}

/// Kept in memory only: it is made of secrets.
fn digest(config: &ChannelConfig) -> u64 {
    let mut hasher = DefaultHasher::new();
    config.kind.hash(&mut hasher);
    config.timeout.0.hash(&mut hasher);
    config.proxy_url.as_ref().map(Secret::expose).hash(&mut hasher);
    serde_json::Value::Object(config.settings.clone()).to_string().hash(&mut hasher);
    hasher.finish()
}

fn build_renderer(config: &Config) -> (Renderer, Vec<TemplateProblem>) {
    let kinds: Vec<(&'static str, &'static [TemplateField])> =
        REGISTRY.iter().map(|kind| (kind.name, kind.templates)).collect();
    let (mut overrides, mut problems) = match &config.templates_dir {
        // A folder that is not there yet overrides nothing; `check-config` mentions it.
        Some(folder) if folder.exists() => Overrides::read_dir(folder),
        _ => (Overrides::default(), Vec::new()),
    };
    for channel in &config.channels {
        overrides.add_channel(&channel.name, &channel.kind, &channel.templates);
    }
    let (renderer, refused) = Renderer::new(&kinds, &overrides, &config.server.external_url);
    problems.extend(refused);
    (renderer, problems)
}
