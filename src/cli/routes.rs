//! `modelpager routes`: what the routing tree looks like and what it does with an alert.

use std::io::Write;
use std::process::ExitCode;

use clap::Subcommand;
use serde::Serialize;

use super::catalog_source::{CatalogArgs, not_consulted};
use crate::app::configuration::{self, Configuration};
use crate::domain::clock::{Clock as _, SystemClock};
use crate::triage::rehearsal::ids_at;
use crate::triage::route_trial::{RouteTrial, parse_label, try_labels, unanswered_names};
use crate::triage::routes::Node;

/// Show the routing tree, or test where an alert would go.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Test(TestArgs),
    Show(ShowArgs),
}

/// Print the channels that an alert with these labels would reach, and the path to them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager routes test --config modelpager.yml severity=page model=churn
  modelpager routes test --config modelpager.yml --json severity=P0 entry.tier=1
  modelpager routes test --config modelpager.yml --verify.channels=ml-oncall,ml-alerts severity=critical
  modelpager routes test --config modelpager.yml --catalog catalog.yml severity=warning model=churn
  modelpager routes test --config modelpager.yml --server https://pager.example.org model=churn

The alert goes through the same steps as in `serve`. Its entry is looked up in the catalog given by
--catalog or --server. Without a catalog, give the values: entry.slug=churn entry.kind=model
entry.tier=1 mp.version=7. The webhook body is described by mp.receiver=NAME, mp.status=resolved
and mp.source=NAME; everything else is a label of the alert.")]
struct TestArgs {
    #[command(flatten)]
    config: super::ConfigArg,
    #[command(flatten)]
    catalog: CatalogArgs,
    #[command(flatten)]
    format: super::FormatArg,
    /// Exit 1 unless exactly these channels are reached, in this order.
    #[arg(long = "verify.channels", value_name = "CHANNELS", value_delimiter = ',')]
    verify: Option<Vec<String>>,
    /// The alert's labels.
    #[arg(value_name = "LABEL=VALUE", value_parser = parse_label)]
    labels: Vec<(String, String)>,
}

/// Print the routing tree.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager routes show --config modelpager.yml")]
struct ShowArgs {
    #[command(flatten)]
    config: super::ConfigArg,
    #[command(flatten)]
    format: super::FormatArg,
}

/// Does the one or the other.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Test(args) => test(args, out),
        Command::Show(args) => show(args, out),
    }
}

/// The answer for programs.
#[derive(Debug, Serialize)]
struct Reached<'t> {
    channels: Vec<&'t str>,
    /// The matchers of the nodes that took the alert, in the order of the tree.
    path: Vec<&'t str>,
}

fn test(args: &TestArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let configuration = configuration::load(args.config.config.as_deref())?;
    let trial = tried(args, &configuration)?;
    let reached = Reached::of(&trial);

    if args.format.json {
        super::print_json(out, &reached)?;
    } else {
        writeln!(out, "{}", reached.channels.join(","))?;
        for node in &trial.nodes {
            writeln!(out, "  {}  channels: {}", node.path().join(" > "), node.channels().join(","))?;
        }
    }
    match &args.verify {
        Some(expected) if *expected != reached.channels => {
            let reached = reached.channels.join(",");
            eprintln!("WARNING: expected the channels {}, reached {reached}", expected.join(","));
            Ok(ExitCode::FAILURE)
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// What the tree does with the labels; what was left out of account is said on stderr.
fn tried<'t>(args: &TestArgs, configuration: &'t Configuration) -> anyhow::Result<RouteTrial<'t>> {
    let now = SystemClock.now();
    let ids = ids_at(now);
    let catalog = args.catalog.load(configuration, &ids, now)?;
    let rules = &configuration.rules;
    let trial = try_labels(rules, &catalog, &args.labels, now);
    let unanswered = unanswered_names(rules, &args.labels);
    if !args.catalog.is_given() && !unanswered.is_empty() {
        eprintln!("note: {}", not_consulted(&unanswered));
    }
    trial.map_err(anyhow::Error::msg)
}

impl<'t> Reached<'t> {
    fn of(trial: &RouteTrial<'t>) -> Self {
        let mut path: Vec<&str> = Vec::new();
        let mut previous: &[String] = &[];
        for node in &trial.nodes {
            // Nodes that several paths share are told once.
            let shared = previous.iter().zip(node.path()).take_while(|(a, b)| a == b).count();
            path.extend(node.path()[shared..].iter().map(String::as_str));
            previous = node.path();
        }
        Self { channels: trial.channels.clone(), path }
    }
}

/// A node of the tree for programs.
#[derive(Debug, Serialize)]
struct Shown<'t> {
    matchers: &'t str,
    channels: &'t [String],
    #[serde(rename = "continue")]
    continues: bool,
    routes: Vec<Shown<'t>>,
}

impl<'t> Shown<'t> {
    fn new(node: &'t Node) -> Self {
        Self {
            matchers: own_matchers(node),
            channels: node.channels(),
            continues: node.continues(),
            routes: node.children().iter().map(Self::new).collect(),
        }
    }
}

fn own_matchers(node: &Node) -> &str {
    node.path().last().map(String::as_str).unwrap_or_default()
}

fn show(args: &ShowArgs, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let configuration = configuration::load(args.config.config.as_deref())?;
    let root = configuration.rules.tree.root();
    if args.format.json {
        super::print_json(out, &Shown::new(root))?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "Routing tree:\n.")?;
    draw(out, root, "default-route", "", Branch::Last)?;
    Ok(ExitCode::SUCCESS)
}

/// Where a node stands among its siblings.
#[derive(Clone, Copy)]
enum Branch {
    Inner,
    Last,
}

fn draw(out: &mut dyn Write, node: &Node, label: &str, indent: &str, branch: Branch) -> std::io::Result<()> {
    let (fork, below) = match branch {
        Branch::Inner => ("├── ", "│   "),
        Branch::Last => ("└── ", "    "),
    };
    let continues = if node.continues() { "  continue: true" } else { "" };
    writeln!(out, "{indent}{fork}{label}{continues}  channels: {}", node.channels().join(","))?;
    let indent = format!("{indent}{below}");
    let last = node.children().len().saturating_sub(1);
    for (index, child) in node.children().iter().enumerate() {
        let branch = if index == last { Branch::Last } else { Branch::Inner };
        draw(out, child, own_matchers(child), &indent, branch)?;
    }
    Ok(())
}
