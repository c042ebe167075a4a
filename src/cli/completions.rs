//! `modelpager completions SHELL`: what a shell needs to complete the commands.

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;

/// Print the completion script of a shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  modelpager completions bash > /etc/bash_completion.d/modelpager
  modelpager completions zsh > ~/.zfunc/_modelpager
  modelpager completions fish > ~/.config/fish/completions/modelpager.fish")]
pub struct Args {
    /// Which shell.
    shell: clap_complete::Shell,
}

/// Prints the script.
pub fn run(args: &Args, out: &mut dyn Write) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "modelpager", &mut script);
    out.write_all(&script)?;
    Ok(ExitCode::SUCCESS)
}
