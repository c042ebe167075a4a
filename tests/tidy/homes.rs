//! Where an outside crate may be named, and who may ask for the time.

use crate::imports::paths_in;
use crate::source::SourceFile;

/// A path into an outside crate, and the only places that may name it.
struct Home {
    path: &'static [&'static str],
    places: &'static [&'static str],
}

/// What has one home, so that it can be replaced, limited or mocked in one place.
const HOMES: &[Home] = &[
    Home { path: &["sqlx"], places: &["src/store/"] },
    Home { path: &["reqwest"], places: &["src/http/"] },
    Home { path: &["hyper_util"], places: &["src/http/"] },
    Home { path: &["actix_web"], places: &["src/web/", "src/app.rs", "src/app/"] },
    Home { path: &["handlebars"], places: &["src/render/"] },
    Home { path: &["lettre"], places: &["src/channels/email/"] },
    Home { path: &["maud"], places: &["src/web/ui/"] },
    Home { path: &["plotters"], places: &["src/web/ui/parts/chart.rs"] },
    Home { path: &["pulldown_cmark"], places: &["src/web/ui/parts/markdown.rs"] },
    Home { path: &["mail_parser"], places: &["src/web/ui/notifications/mail.rs"] },
    Home { path: &["clap"], places: &["src/cli/", "src/main.rs"] },
    Home { path: &["regex_automata"], places: &["src/domain/matcher/"] },
    Home { path: &["regex_syntax"], places: &["src/domain/matcher/re2/"] },
    Home { path: &["getrandom"], places: &["src/domain/random.rs"] },
    Home {
        path: &["std", "env"],
        places: &["src/config/", "src/app.rs", "src/app/", "src/cli/", "src/main.rs"],
    },
];

/// Ways to ask the machine for the time of day.
const CLOCK_READERS: &[&[&str]] = &[
    &["SystemTime", "now"],
    &["jiff", "Timestamp", "now"],
    &["Zoned", "now"],
    &["Utc", "now"],
    &["Local", "now"],
    &["OffsetDateTime", "now_utc"],
    &["Uuid", "now_v7"],
];

/// Outside crates named away from home.
pub fn strays(files: &[SourceFile]) -> Vec<String> {
    complaints(files, |file, path| {
        let home = HOMES.iter().find(|home| starts_with(path, home.path))?;
        let at_home = home.places.iter().any(|place| file.path.starts_with(place));
        (!at_home)
            .then(|| format!("{} may be named only in {}", home.path.join("::"), home.places.join(", ")))
    })
}

/// Code that reads the system clock anywhere but in `domain/clock.rs`.
pub fn clock_readers(files: &[SourceFile]) -> Vec<String> {
    complaints(files, |file, path| {
        let reads = CLOCK_READERS
            .iter()
            .any(|reader| path.windows(reader.len()).any(|part| starts_with(part, reader)));
        (reads && file.path != "src/domain/clock.rs")
            .then(|| format!("{} reads the clock; take the injected domain::clock::Clock", path.join("::")))
    })
}

fn complaints(files: &[SourceFile], judge: impl Fn(&SourceFile, &[String]) -> Option<String>) -> Vec<String> {
    let mut complaints: Vec<_> = files
        .iter()
        .flat_map(|file| {
            let found = paths_in(&file.code());
            found
                .iter()
                .filter_map(|found| judge(file, &found.path))
                .collect::<Vec<_>>()
                .into_iter()
                .map(|reason| format!("{}: {reason}", file.path))
        })
        .collect();
    complaints.dedup();
    complaints
}

fn starts_with(path: &[String], start: &[&str]) -> bool {
    path.len() >= start.len() && path.iter().zip(start).all(|(part, wanted)| part == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_away_from_home_is_seen_in_every_form() {
        for (text, named) in [
            ("use sqlx::Row;", "sqlx"),
            ("use sqlx;", "sqlx"),
            ("#[derive(sqlx::FromRow)] struct Row;", "sqlx"),
            ("fn f(c: reqwest::Client) {}", "reqwest"),
            ("use std::{env, fs};", "std::env"),
            ("let home = std::env::var(\"HOME\");", "std::env"),
        ] {
            let complaints = strays(&[SourceFile::sample("src/web/api/x.rs", text)]);
            assert_eq!(complaints.len(), 1, "{text}: {complaints:?}");
            assert!(complaints[0].contains(&format!("{named} may be named only in")), "{complaints:?}");
        }
    }

    #[test]
    fn a_crate_at_home_is_fine() {
        let files = [
            SourceFile::sample("src/store/events.rs", "use sqlx::Row;"),
            SourceFile::sample("src/http/client.rs", "use reqwest::Client;"),
            SourceFile::sample(
                "src/web/api/x.rs",
                "// sqlx::Row\nuse crate::store::sqlx_like; #[cfg(test)] use sqlx::X;",
            ),
        ];

        assert_eq!(strays(&files), Vec::<String>::new());
    }

    #[test]
    fn reading_the_clock_is_seen_and_the_clock_itself_may() {
        for text in [
            "let t = std::time::SystemTime::now();",
            "use std::time::SystemTime; let t = SystemTime::now();",
            "let t = jiff::Timestamp::now();",
            "let id = uuid::Uuid::now_v7();",
        ] {
            assert_eq!(clock_readers(&[SourceFile::sample("src/triage/timers.rs", text)]).len(), 1, "{text}");
            assert_eq!(
                clock_readers(&[SourceFile::sample("src/domain/clock.rs", text)]),
                Vec::<String>::new()
            );
        }
    }
}
