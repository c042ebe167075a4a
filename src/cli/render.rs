//! `modelpager render`: the message that an Alertmanager body would become on a channel,
//! with nothing sent and nothing stored.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde::Serialize;

use super::catalog_source::{CatalogArgs, not_consulted};
use crate::app::configuration::{self, Configuration};
use crate::channels::Preview;
use crate::dispatch::plan::ChannelPlan;
use crate::dispatch::rehearsal::{Stage, rehearse_on};
use crate::domain::clock::{Clock as _, SystemClock, Timestamp};
use crate::intake::alertmanager;
use crate::store::triage::NewNotification;
use crate::triage::rehearsal::ids_at;
use crate::triage::route_trial::unanswered_names;

/// Print the exact message that a channel would send for an event; nothing is sent.
///
/// The event is a webhook body of Alertmanager. It is handled as by a running server with an
/// empty database; resolved alerts are treated as if firing was sent before.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager render --config modelpager.yml --channel ml-alerts --event event.json
  modelpager render --config modelpager.yml --channel ml-mail --event event.json --catalog catalog.yml
  modelpager render --config modelpager.yml --channel audit --event - --json < event.json
  modelpager render --channel ml-alerts --event event.json --server https://pager.example.org

Exits 1 when the event is not a webhook body of Alertmanager or leads to no message.")]
pub struct Args {
    #[command(flatten)]
    config: super::ConfigArg,
    /// The channel's name.
    #[arg(long, value_name = "NAME")]
    channel: String,
    /// A file with the body; `-` for the standard input.
    #[arg(long, value_name = "FILE")]
    event: PathBuf,
    #[command(flatten)]
    catalog: CatalogArgs,
    /// The time at which the event arrives, RFC 3339; default: now.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse_rfc3339)]
    at: Option<Timestamp>,
    #[command(flatten)]
    format: super::FormatArg,
}

/// One message for programs.
#[derive(Debug, Serialize)]
struct Shown {
    channel: String,
    kind: &'static str,
    incident: String,
    entry: Option<String>,
    reason: String,
    /// Empty when the routes do not lead here.
    route: Vec<String>,
    #[serde(flatten)]
    preview: Preview,
}

/// The answer for programs.
#[derive(Debug, Serialize)]
struct Answer {
    messages: Vec<Shown>,
    notes: Vec<String>,
}

/// Shows the message.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let configuration = configuration::load(args.config.config.as_deref())?;
    let channel = super::find_channel(&configuration.plan, &args.channel)?;
    let now = args.at.unwrap_or_else(|| SystemClock.now());
    let answer = rehearsed(args, &configuration, &channel, now)?;
    if args.format.json {
        super::print_json(out, &answer)?;
    } else {
        print_answer(out, &channel, &answer)?;
    }
    Ok(if answer.messages.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn rehearsed(
    args: &Args,
    configuration: &Configuration,
    channel: &ChannelPlan,
    now: Timestamp,
) -> anyhow::Result<Answer> {
    let name = super::name_of(&args.event);
    let body = super::read_input(&args.event)?;
    let delivery = alertmanager::parse(&body, now).with_context(|| format!("could not use {name}"))?;
    let ids = ids_at(now);
    let catalog = args.catalog.load(configuration, &ids, now)?;
    let stage = Stage { config: &configuration.loaded.config, channel, catalog: &catalog, ids: &ids, now };
    // The configuration passed its checks: the same rules were built then.
    let rehearsed = rehearse_on(&delivery, &stage)
        .map_err(|problems| anyhow::anyhow!("the rules cannot be built: {problems:?}"))?;
    let broken = configuration.template_problems.iter().map(ToString::to_string);
    let messages = rehearsed.told.iter().map(|told| show(configuration, channel, told, now)).collect();
    let unanswered = unanswered_names(&configuration.rules, &[]);
    let is_alone = !args.catalog.is_given() && !unanswered.is_empty();
    let alone = is_alone.then(|| not_consulted(&unanswered));
    Ok(Answer { messages, notes: rehearsed.notes.into_iter().chain(broken).chain(alone).collect() })
}

fn show(
    configuration: &Configuration,
    channel: &ChannelPlan,
    told: &NewNotification,
    now: Timestamp,
) -> Shown {
    let snapshot = &told.snapshot;
    Shown {
        channel: channel.name.clone(),
        kind: snapshot.kind.as_str(),
        incident: snapshot.incident.dedup_key.clone(),
        entry: snapshot.entry.as_ref().map(|entry| entry.slug.clone()),
        reason: snapshot.reason.clone(),
        route: snapshot.route.clone(),
        preview: configuration.plan.preview(channel, snapshot, now),
    }
}

fn print_answer(out: &mut dyn Write, channel: &ChannelPlan, answer: &Answer) -> std::io::Result<()> {
    for (n, shown) in answer.messages.iter().enumerate() {
        if n > 0 {
            writeln!(out)?;
        }
        let Shown { kind, incident, reason, route, preview, .. } = shown;
        writeln!(out, "{} ({}), {kind}: {reason}", channel.name, channel.kind.name)?;
        writeln!(out, "incident: {incident}")?;
        if !route.is_empty() {
            writeln!(out, "route: {}", route.join(" > "))?;
        }
        if !preview.text.starts_with(&preview.title) {
            writeln!(out, "\n{}", preview.title)?;
        }
        writeln!(out, "\n{}", preview.text.trim_end())?;
        writeln!(out, "\n{}:\n{}", preview.content_type, preview.body.trim_end())?;
    }
    for note in &answer.notes {
        writeln!(out, "\nnote: {note}")?;
    }
    Ok(())
}
