//! What the documents say of the kinds of channels follows from the registry. Each generated part
//! stands between two marked lines; `make accept` writes it anew.

use std::fmt::Write as _;
use std::path::Path;

use modelpager::channels::{Kind, REGISTRY};
use serde_json::Value;

/// The first line of a generated part ends with this and the part's name.
const BEGIN: &str = "generated from the kinds of channels: ";
const END: &str = "end of the generated part";

/// Compares the part of that name with what it should be, or writes it.
fn assert_part(file: &str, name: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let marker = format!("{BEGIN}{name}");
    let begin = text.find(&marker).unwrap_or_else(|| panic!("{file} has no part {name}"));
    let begin = begin + text[begin..].find('\n').unwrap() + 1;
    let end = begin + text[begin..].find(END).unwrap_or_else(|| panic!("{file}: {name} has no end"));
    let end = text[..end].rfind('\n').unwrap() + 1;
    if text[begin..end] == *wanted {
        return;
    }
    let may_write = std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always");
    assert!(may_write, "{file}: {name} is out of date: run `make accept`; it should be\n{wanted}");
    std::fs::write(path, format!("{}{wanted}{}", &text[..begin], &text[end..])).unwrap();
}

fn rows(head: &str, row: impl Fn(&Kind) -> String) -> String {
    let columns = head.matches('|').count() - 1;
    let mut table = format!("{head}\n{}|\n", "|---".repeat(columns));
    for kind in REGISTRY {
        let _ = writeln!(table, "{}", row(kind));
    }
    table
}

fn yes_no(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// The channels of the examples but the log's, which shows the common keys instead.
fn examples() -> impl Iterator<Item = &'static Kind> {
    REGISTRY.iter().copied().filter(|kind| !kind.policy.own_log)
}

#[test]
fn the_example_has_the_channels_of_every_kind() {
    let mut channels = String::new();
    let mut names = Vec::new();
    for kind in examples() {
        let _ = writeln!(channels, "\n  # {}", kind.title);
        for line in kind.example.lines() {
            let _ = writeln!(channels, "  {line}");
        }
        let list: Vec<Value> = serde_saphyr::from_str(kind.example).unwrap();
        names.extend(list.iter().map(|channel| channel["name"].as_str().unwrap().to_owned()));
    }
    assert_part("modelpager.example.yml", "channels", &format!("{channels}\n"));
    let route = format!("      channels: [{}]\n", names.join(", "));
    assert_part("modelpager.example.yml", "names", &route);
}

#[test]
fn the_tables_have_a_row_for_every_kind() {
    let policies =
        rows("| kind | `rate_limit` | `supersede` | becomes one message | `proxy_url` |", |kind| {
            let Kind { name, policy, over_http, .. } = kind;
            let (rate, supersede) = (policy.rate_limit.to_string(), policy.supersede);
            let (bundle, proxy) = (yes_no(policy.bundle), yes_no(*over_http));
            format!("| `{name}` | `{rate}` | `{supersede}` | {bundle} | {proxy} |")
        });
    assert_part("docs/configuration.md", "table", &format!("\n{policies}\n"));
    let fields = rows("| kind | what it does | fields |", |kind| {
        let fields: Vec<String> = kind.templates.iter().map(|field| format!("`{}`", field.name)).collect();
        format!("| `{}` | {} | {} |", kind.name, kind.title, fields.join(", "))
    });
    assert_part("docs/templates.md", "table", &format!("\n{fields}\n"));
}
