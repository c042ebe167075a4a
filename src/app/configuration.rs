//! From a file to a configuration that the whole program can run with: what `config`
//! checks by itself, plus what only the channels and the routing tree know. `serve`,
//! reload and every command that takes a file load it here, so that what `check-config`
//! accepts is what starts.

use std::path::Path;

use crate::channels::{self, REGISTRY};
use crate::config::{self, ChannelConfig, Draft, Env, KindSchema, Loaded, Position, Problem, Problems};
use crate::dispatch::plan::Plan;
use crate::http::Proxies;
use crate::render::{TemplateProblem, channel_place};
use crate::triage::route_checks;
use crate::triage::rules::Rules;

/// What routes are judged by: a warning is worth nothing while these cannot be read.
const ROUTED_BY: [&str; 3] = ["route", "channels", "severity"];

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
    /// The same, each with its place.
    pub broken_templates: Vec<Problem>,
    /// What can be used and probably does not do what was meant.
    pub warnings: Vec<Problem>,
}

impl Configuration {
    /// What somebody should look at, one line each.
    pub fn remarks(&self) -> Vec<String> {
        let all = self.warnings.iter().chain(&self.broken_templates);
        all.map(|problem| problem.line(&self.loaded.source_name)).collect()
    }

    /// Says in the log what somebody should look at.
    pub fn warn(&self) {
        let line = |problem: &Problem| problem.line(&self.loaded.source_name);
        for problem in &self.broken_templates {
            let problem = line(problem);
            tracing::warn!(problem, "a template override is not used, the built-in text stands in");
        }
        for warning in &self.warnings {
            let warning = line(warning);
            tracing::warn!(warning, "the configuration may not do what was meant");
        }
    }
}

/// Everything there is to say about a configuration.
pub struct Checked {
    /// What it describes, if it can be used.
    pub configuration: Option<Configuration>,
    /// What is wrong with it; templates that do not work among it.
    pub problems: Problems,
    /// What probably does not do what was meant.
    pub warnings: Vec<Problem>,
}

/// A configuration that cannot be used.
#[derive(Default)]
struct Refused {
    problems: Problems,
    broken_templates: Vec<Problem>,
    warnings: Vec<Problem>,
}

/// Reads and checks the configuration; without a file the defaults, which always work.
///
/// # Errors
/// Everything that is wrong with the file; none of it shows a secret.
pub fn load(file: Option<&Path>) -> Result<Configuration, Problems> {
    let env = |name: &str| std::env::var(name).ok();
    let kinds = kinds();
    let draft = match file {
        Some(file) => config::draft_file(file, &env, &kinds)?,
        None => config::draft("the defaults", "", Path::new(""), &env, &kinds)?,
    };
    complete(draft, &env).map_err(|refused| refused.problems)
}

/// Checks a configuration given as text; nothing of the environment reaches it.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str) -> Result<Configuration, Problems> {
    let env = |_: &str| None;
    let draft = config::draft("modelpager.yml", text, Path::new(""), &env, &kinds())?;
    complete(draft, &env).map_err(|refused| refused.problems)
}

/// Everything that there is to say about a file.
pub fn check_file(file: &Path) -> Checked {
    let env = |name: &str| std::env::var(name).ok();
    check(config::draft_file(file, &env, &kinds()), &env)
}

/// Everything that there is to say about a text that messages call `name`; paths in it are
/// relative to the working directory.
pub fn check_text(name: &str, text: &str) -> Checked {
    let env = |name: &str| std::env::var(name).ok();
    check(config::draft(name, text, Path::new(""), &env, &kinds()), &env)
}

/// `serve` would go on with the built-in texts in the place of templates that do not work;
/// whoever asks for a check wants to know.
fn check(draft: Result<Draft, Problems>, env: Env<'_>) -> Checked {
    let built = match draft {
        Ok(draft) => complete(draft, env),
        Err(problems) => Err(Refused { problems, ..Refused::default() }),
    };
    let (configuration, refused) = match built {
        Ok(configuration) => {
            let problems =
                Problems { source_name: configuration.loaded.source_name.clone(), problems: Vec::new() };
            let broken_templates = configuration.broken_templates.clone();
            let warnings = configuration.warnings.clone();
            (Some(configuration), Refused { problems, broken_templates, warnings })
        }
        Err(refused) => (None, refused),
    };
    let Refused { mut problems, broken_templates, warnings } = refused;
    problems.problems.extend(broken_templates);
    // Those of the file itself first.
    problems.problems.sort_by(|a, b| (&a.file, a.position, &a.path).cmp(&(&b.file, b.position, &b.path)));
    Checked { configuration: configuration.filter(|_| problems.problems.is_empty()), problems, warnings }
}

/// What the configuration needs to know of every kind of channel.
pub fn kinds() -> Vec<KindSchema> {
    let describe = |kind: &&channels::Kind| KindSchema {
        name: kind.name.to_owned(),
        title: kind.title.to_owned(),
        schema: (kind.schema)().to_value(),
        policy: kind.policy,
        over_http: kind.over_http,
        check: check_channel,
    };
    REGISTRY.iter().map(describe).collect()
}

/// `env` names the proxies; nothing else of the environment is left to read.
fn complete(mut draft: Draft, env: Env<'_>) -> Result<Configuration, Refused> {
    let mut found: Vec<(String, String)> = Vec::new();
    let rules = Rules::build(draft.config())
        .map_err(|problems| found.extend(problems.into_iter().map(|problem| (problem.key, problem.message))));
    let proxies = Proxies::from_env(env).unwrap_or_else(|problem| {
        found.push((String::new(), problem));
        Proxies::default()
    });
    let plan = Plan::build(draft.config(), &proxies)
        .map_err(|problems| found.extend(problems.into_iter().map(|problem| (problem.key, problem.message))));
    draft.add(found);
    let template_problems = match &plan {
        Ok((_, problems)) => problems.clone(),
        Err(()) => Plan::template_problems(draft.config()),
    };
    let broken_templates =
        template_problems.iter().flat_map(|problem| place_template(problem, &draft)).collect();
    let warnings = warnings(&draft);
    match (draft.finish(), rules, plan) {
        (Ok(loaded), Ok(rules), Ok((plan, _))) => {
            Ok(Configuration { loaded, rules, plan, template_problems, broken_templates, warnings })
        }
        (loaded, ..) => {
            Err(Refused { problems: loaded.err().unwrap_or_default(), broken_templates, warnings })
        }
    }
}

fn warnings(draft: &Draft) -> Vec<Problem> {
    if !ROUTED_BY.iter().all(|section| draft.is_clean(section)) {
        return Vec::new();
    }
    let found = route_checks::warnings(draft.config());
    draft.place(found.into_iter().map(|warning| (warning.key, warning.message)))
}

/// Where a template stands: in a channel, or in a file of its own.
fn place_template(problem: &TemplateProblem, draft: &Draft) -> Vec<Problem> {
    let TemplateProblem { place, fault } = problem;
    for (index, channel) in draft.config().channels.iter().enumerate() {
        let field = channel.templates.keys().find(|field| channel_place(&channel.name, field) == *place);
        if let Some(field) = field {
            return draft.place([(format!("channels[{index}].templates.{field}"), fault.to_string())]);
        }
    }
    let position = fault.line.map(|line| Position { line: line as u64, column: 1 });
    let (file, message) = (Some(place.clone()), fault.message.clone());
    vec![Problem { file, position, path: String::new(), message }]
}

/// Lets the channel's kind try to build it, and compares its templates with the kind's.
fn check_channel(channel: &ChannelConfig) -> Vec<(String, String)> {
    let Some(kind) = channels::find_kind(&channel.kind) else { return Vec::new() };
    let problems = (kind.build)(channel, &Proxies::default()).err().unwrap_or_default();
    let of_settings = problems.into_iter().map(|problem| (problem.key, problem.message));
    of_settings.chain(unknown_templates(channel, kind)).collect()
}

fn unknown_templates(channel: &ChannelConfig, kind: &channels::Kind) -> Vec<(String, String)> {
    let fields: Vec<&str> = kind.templates.iter().map(|field| field.name).collect();
    let unknown = channel.templates.keys().filter(|name| !fields.contains(&name.as_str()));
    let message = format!("unknown field of a {} message; it has {}", kind.name, fields.join(", "));
    unknown.map(|name| (format!("templates.{name}"), message.clone())).collect()
}
