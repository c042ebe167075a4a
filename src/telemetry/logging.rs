//! The log: lines for people or JSON for a log store, on standard error.
//!
//! Standard output belongs to the commands that print data.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt;

/// The words for how much is logged, least first.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

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

/// What the database's driver says of connections that broke and of statements that took long is
/// said by those who waited for them, and once: a failover would fill the log with it.
const QUIET_DRIVER: &str = "sqlx=error,sqlx_core::pool=off,sqlx_postgres::options=warn";

/// A level or a filter as it was given.
///
/// # Errors
/// With the levels there are, when it is none.
pub fn check_level(text: &str) -> Result<String, InvalidLogSetting> {
    parse_filter(text).map(|_| text.to_owned())
}

fn parse_filter(text: &str) -> Result<EnvFilter, InvalidLogSetting> {
    let wrong = || {
        InvalidLogSetting(format!(
            "log level {text:?} is not one of {}, nor a filter such as info,modelpager::dispatch=debug",
            LEVELS.join(", ")
        ))
    };
    // The library takes any single word for the name of a module.
    let is_meant = |part: &str| {
        let is_level = LEVELS.iter().any(|level| level.eq_ignore_ascii_case(part));
        is_level || part.contains(['=', ':', '[']) || part == "modelpager"
    };
    if text.trim().is_empty() || !text.split(',').all(|part| is_meant(part.trim())) {
        return Err(wrong());
    }
    let asks_for_driver = text.contains("sqlx");
    let all = if asks_for_driver { text.to_owned() } else { format!("{QUIET_DRIVER},{text}") };
    EnvFilter::try_new(all).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[test]
    fn levels_and_filters_are_understood() {
        assert!(parse_filter("info").is_ok());
        assert!(parse_filter("warn,modelpager::dispatch=debug").is_ok());
        assert!(parse_filter("modelpager=loudest").unwrap_err().to_string().contains("loudest"));
        for wrong in ["bogus", "inf", "", "info,bogus", "info,,"] {
            let told = parse_filter(wrong).unwrap_err().to_string();
            assert!(told.contains("off, error, warn, info, debug, trace"), "{told}");
        }
        assert!(parse_filter("WARN").is_ok());
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What of the lines of a failover reaches the log at this level.
    fn logged_at(level: &str) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let log = fmt().with_env_filter(parse_filter(level).unwrap()).with_writer(move || writer.clone());
        tracing::subscriber::with_default(log.finish(), || {
            tracing::warn!(target: "sqlx_core::pool::connection", "error from `after_release`");
            tracing::error!(target: "sqlx_core::pool::inner", "error returned from after_connect");
            tracing::warn!(target: "sqlx::query", "slow statement: execution time exceeded alert threshold");
            tracing::warn!(target: "sqlx::pool::acquire", "acquired connection, but time to acquire was long");
            tracing::warn!(target: "sqlx_postgres::options::parse", "ignoring unrecognized connect parameter");
            tracing::error!("could not store what was posted, trying again");
        });
        let lines = lines.0.lock();
        String::from_utf8(lines.clone()).unwrap()
    }

    #[test]
    fn the_driver_does_not_drown_the_log_during_a_failover_unless_asked_to() {
        for level in ["info", "debug", "warn", "warn,modelpager::dispatch=debug"] {
            let logged = logged_at(level);
            let said: Vec<&str> = logged.lines().collect();
            assert_eq!(said.len(), 2, "{level}: {logged}");
            assert!(said[0].contains("unrecognized connect parameter"), "{logged}");
            assert!(said[1].contains("could not store what was posted"), "{logged}");
        }
        assert_eq!(logged_at("info,sqlx=warn").lines().count(), 6, "all who ask for it hear it");
    }

    #[test]
    fn formats_have_names() {
        assert_eq!("json".parse(), Ok(LogFormat::Json));
        assert!("xml".parse::<LogFormat>().is_err());
    }
}
