//! The `modelpager` program: parses the command line and maps its result to an exit code.

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::Parser;
use modelpager::cli::Cli;

/// Alerts are many small texts, made by one thread and dropped by another: this allocator is
/// made for that, and does not grow with time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Every TLS connection of the process uses this implementation; it can only be refused
    // when one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match cli.run(&mut std::io::stdout()) {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("modelpager: {}", modelpager::cli::in_one_line(&error));
            ExitCode::FAILURE
        }
    }
}

/// Whoever read the output (`| head`) had enough of it.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        io.or(json) == Some(ErrorKind::BrokenPipe)
    })
}
