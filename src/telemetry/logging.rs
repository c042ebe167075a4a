//! The log: lines for people or JSON for a log store, on standard error.
//!
//! Standard output belongs to the commands that print data.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt;

/// How a line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One line of text.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl std::str::FromStr for LogFormat {
    type Err = InvalidLogSetting;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "text" | "logfmt" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(InvalidLogSetting(format!("log format {word:?} is not one of text, json"))),
        }
    }
}

/// A log setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidLogSetting(String);

/// Starts the log for the whole process. `level` is a word such as `info` or a filter in
/// the manner of `RUST_LOG` (`info,modelpager::dispatch=debug`); whether it came from a flag
/// or from the environment is the command line's business.
///
/// # Errors
/// When the filter is not understood or the log was started before.
pub fn start(level: &str, format: LogFormat) -> Result<(), InvalidLogSetting> {
    let filter = parse_filter(level)?;
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // A log on a full disk: saying so on that same log would be a panic in whoever wrote.
        .log_internal_errors(false);
    let started = match format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    };
    started.map_err(|error| InvalidLogSetting(format!("start the log: {error}")))
}

fn parse_filter(text: &str) -> Result<EnvFilter, InvalidLogSetting> {
    EnvFilter::try_new(text)
        .map_err(|error| InvalidLogSetting(format!("log level {text:?} is not understood: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_filters_are_understood() {
        assert!(parse_filter("info").is_ok());
        assert!(parse_filter("warn,modelpager::dispatch=debug").is_ok());
        assert!(parse_filter("modelpager=loudest").unwrap_err().to_string().contains("loudest"));
    }

    #[test]
    fn formats_have_names() {
        assert_eq!("json".parse(), Ok(LogFormat::Json));
        assert!("xml".parse::<LogFormat>().is_err());
    }
}
