//! Regular expressions of matchers against the real `amtool`: what it takes is taken, what it
//! refuses is refused, and values match or not as it says. Expressions are generated from
//! RE2's grammar, many in one call: each becomes a route of its own.
#![expect(clippy::unwrap_used, reason = "a failing helper fails the test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use modelpager::domain::matcher::{MatchOp, Matcher, Matchers};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use crate::support::program;

/// How many expressions are compared.
const GENERATED: usize = 3_000;

/// Values that tell the meanings of expressions apart. Empty means that the label is missing.
const VALUES: [&str; 24] = [
    "", "a", "b", "ab", "ba", "aab", "abab", "A", "aB", "1", "a1", "_", "-", "a-b", "a&b", "a b", "\t",
    "{a}", "a{,2}", "[a]", "é", "٣", "α", "\u{a0}",
];

#[test]
fn generated_expressions_are_read_as_amtool_reads_them() {
    let Some(amtool) =
        program::find_or_skip("generated_expressions_are_read_as_amtool_reads_them", &["amtool"])
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut patterns = generated();
    let read = |pattern: &String| Matcher::new("x", MatchOp::Matches, pattern);
    // What is too large for us is no question of syntax.
    patterns.retain(|pattern| !read(pattern).is_err_and(|error| error.to_string().contains("when compiled")));
    let ours: Vec<Option<Matcher>> = patterns.iter().map(|pattern| read(pattern).ok()).collect();

    let theirs = accepted(&amtool, folder.path(), &patterns.iter().map(|p| written(p)).collect::<Vec<_>>());
    for ((pattern, ours), theirs) in patterns.iter().zip(&ours).zip(&theirs) {
        assert_eq!(ours.is_some(), *theirs, "is it taken? {pattern:?}");
    }

    let taken: Vec<&Matcher> = ours.iter().flatten().collect();
    let share = taken.len() * 100 / patterns.len();
    assert!(
        (30..95).contains(&share),
        "{share} % of the expressions are taken: the test compares too little"
    );
    let config =
        config_of(folder.path(), "all.yml", &taken.iter().map(ToString::to_string).collect::<Vec<_>>());
    let mut matched = 0;
    for value in VALUES {
        let theirs = matching(&amtool, &config, value);
        matched += theirs.len();
        for (index, matcher) in taken.iter().enumerate() {
            assert_eq!(matcher.matches_value(value), theirs.contains(&index), "{matcher} on {value:?}");
        }
    }
    assert!(matched > taken.len(), "only {matched} matches: the values compare too little");
}

#[test]
fn expressions_from_the_field_are_read_as_amtool_reads_them() {
    let cases: Vec<Case> = serde_saphyr::from_str(include_str!("../fixtures/field/f23-regexes.yml")).unwrap();
    for Case { pattern, value, want } in &cases {
        let matcher =
            Matcher::new("x", MatchOp::Matches, pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
        assert_eq!(matcher.matches_value(value), *want, "{pattern} on {value:?}");
    }
    let Some(amtool) =
        program::find_or_skip("expressions_from_the_field_are_read_as_amtool_reads_them", &["amtool"])
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let config =
        config_of(folder.path(), "all.yml", &cases.iter().map(|c| written(&c.pattern)).collect::<Vec<_>>());
    for (index, case) in cases.iter().enumerate() {
        let matches = matching(&amtool, &config, &case.value).contains(&index);
        assert_eq!(matches, case.want, "amtool on {}", case.pattern);
    }
}

/// Where white space and escaped quotes stand in lists of matchers. White space other than
/// RE2's at the very end is not here: Alertmanager cuts it off there and nowhere else.
#[test]
fn lists_of_matchers_are_read_as_amtool_reads_them() {
    let Some(amtool) = program::find_or_skip("lists_of_matchers_are_read_as_amtool_reads_them", &["amtool"])
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let pieces = [
        "x", "=", "!=", "=~", "\"", "\\", "\\\"", ",", " ", "\t", "\u{a0}", "\u{b}", "a", "b", "{", "}", "y",
    ];
    let random = prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..8).prop_map(|p| p.concat());
    let text = prop_oneof![
        2 => random.clone().prop_map(|value| format!("x={value}")),
        2 => random.clone().prop_map(|value| format!("x = \"{value}\",y=\"\"")),
        1 => random.clone().prop_map(|value| format!("x={value},y=\"\"")),
        1 => random,
    ];
    let texts: Vec<String> =
        samples(&text, 2_000).into_iter().filter(|text| ends_in_no_other_space(text)).collect();

    let theirs = accepted(&amtool, folder.path(), &texts);

    let mut taken = Vec::new();
    for (text, theirs) in texts.iter().zip(theirs) {
        match Matchers::parse(text) {
            // Texts in the newer syntax only are refused by older versions of amtool.
            Ok(ours) if theirs => taken.push((text, ours)),
            Ok(_) => {}
            Err(error) => assert!(!theirs, "{text:?}: {error}"),
        }
    }
    assert!(taken.len() > 500, "only {} of {} are taken", taken.len(), texts.len());
    let written: Vec<String> = taken.iter().map(|(text, _)| (*text).clone()).collect();
    let config = config_of(folder.path(), "all.yml", &written);
    for value in ["", "a", "ab", "\u{a0}", "a\u{a0}b", " ", "\"", "\\", "a,b", "\u{b}", "b\u{b}"] {
        let theirs = matching(&amtool, &config, value);
        for (index, (text, ours)) in taken.iter().enumerate() {
            let holds = ours.matches(|name| (name == "x").then_some(value));
            assert_eq!(holds, theirs.contains(&index), "{text:?} on {value:?}");
        }
    }
}

fn ends_in_no_other_space(text: &str) -> bool {
    let text = text.strip_prefix('{').unwrap_or(text);
    let text = text.strip_suffix('}').unwrap_or(text);
    let last = text.rsplit(',').next().unwrap_or_default();
    [text, last].iter().all(|part| !part.trim_matches(['\t', ' ']).starts_with(char::is_whitespace))
        && !text.trim_end_matches(['\t', ' ']).ends_with(char::is_whitespace)
}

#[derive(serde::Deserialize)]
struct Case {
    pattern: String,
    value: String,
    #[serde(default = "yes")]
    want: bool,
}

fn yes() -> bool {
    true
}

/// Expressions of which about half are right.
fn generated() -> Vec<String> {
    let atom = prop::sample::select(vec![
        "a",
        "b",
        "A",
        "1",
        "é",
        "-",
        "&",
        "_",
        " ",
        ".",
        "^",
        "$",
        "{",
        "}",
        "]",
        "{a}",
        "a{,2}",
        "\\d",
        "\\D",
        "\\w",
        "\\W",
        "\\s",
        "\\S",
        "\\b",
        "\\B",
        "\\A",
        "\\z",
        "\\Z",
        "\\C",
        "\\pL",
        "\\pN",
        "\\PN",
        "\\p{Greek}",
        "\\p{^L}",
        "\\P{^L}",
        "\\p{greek}",
        "\\p{Lu}",
        "\\pC",
        "\\Qa.b\\E",
        "\\Q{\\E",
        "\\E",
        "\\101",
        "\\0",
        "\\61",
        "\\1",
        "\\8",
        "\\x61",
        "\\x{3b1}",
        "\\x{D800}",
        "\\x{110000}",
        "\\x6",
        "\\u0061",
        "\\.",
        "\\/",
        "\\<",
        "\\-",
        "\\_",
        "\\é",
        "\\t",
        "\\v",
        "\\e",
        "\\\"",
        "\\ ",
    ]);
    let item = prop::sample::select(vec![
        "a",
        "b",
        "z",
        "A",
        "1",
        "é",
        "α",
        "-",
        "--",
        "a-b",
        "b-a",
        "a-",
        "&&",
        "~~",
        "[",
        "]",
        "^",
        "[b]",
        "[:alpha:]",
        "[:^digit:]",
        "[:word:]",
        "[:space:]",
        "[:foo:]",
        "[:",
        ":]",
        "\\d",
        "\\W",
        "\\s",
        "\\pL",
        "\\P{Lu}",
        "\\p{^N}",
        "\\]",
        "\\-",
        "\\101",
        "\\x{61}-\\x{63}",
        "\\b",
        "\\Q",
        ".",
        "{",
        "|",
        "(",
        " -é",
    ]);
    let class =
        (prop::sample::select(vec!["[", "[^", "[]", "[^]", "[^-"]), prop::collection::vec(item, 0..4))
            .prop_map(|(open, items)| format!("{open}{}]", items.concat()));
    let flags = prop::sample::select(vec![
        "(?i)", "(?s)", "(?m)", "(?U)", "(?-i)", "(?i-s)", "(?)", "(?x)", "(?R)", "(?i-)", "(?ims)",
    ]);
    let leaf = prop_oneof![
        6 => atom.prop_map(str::to_owned),
        3 => class,
        1 => flags.prop_map(str::to_owned),
    ];
    let repeat = prop::sample::select(vec![
        "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{2,}", "{0}", "{0,1}?", "{2,1}", "{1001}", "{01}",
        "{,3}", "{40}", "**", "++", "*+", "{2}{2}",
    ]);
    let open = prop::sample::select(vec![
        "(", "(", "(?:", "(?i:", "(?-i:", "(?s-i:", "(?P<n>", "(?P<1_a>", "(?P<>", "(?P<n", "(?=", "(?!",
        "(?#", "(?i-",
    ]);
    let pattern = leaf.prop_recursive(4, 12, 4, move |inner| {
        prop_oneof![
            4 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            2 => prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.join("|")),
            2 => (open.clone(), inner.clone()).prop_map(|(open, inner)| format!("{open}{inner})")),
            2 => (inner.clone(), repeat.clone()).prop_map(|(inner, repeat)| format!("{inner}{repeat}")),
            2 => (inner.clone(), repeat.clone()).prop_map(|(inner, repeat)| format!("(?:{inner}){repeat}")),
        ]
    });
    let broken = prop::collection::vec(
        prop::sample::select(vec!["(", ")", "|", "a", "*", "[", "]", "\\", "?", "{2}", "b"]),
        1..6,
    )
    .prop_map(|pieces| pieces.concat());
    samples(&prop_oneof![9 => pattern, 1 => broken], GENERATED)
}

/// The same samples in every run.
fn samples(strategy: &impl Strategy<Value = String>, count: usize) -> Vec<String> {
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    let drawn: BTreeSet<String> =
        (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    drawn.into_iter().collect()
}

/// A matcher with that expression in the syntax of all versions.
fn written(pattern: &str) -> String {
    format!("x=~\"{}\"", pattern.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Which of the matchers amtool takes.
fn accepted(amtool: &Path, folder: &Path, matchers: &[String]) -> Vec<bool> {
    let files: Vec<PathBuf> = matchers
        .iter()
        .enumerate()
        .map(|(index, matcher)| config_of(folder, &format!("{index}.yml"), std::slice::from_ref(matcher)))
        .collect();
    let output = Command::new(amtool).arg("check-config").args(&files).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<bool> =
        text.split("Checking '").skip(1).map(|verdict| verdict.contains("'  SUCCESS")).collect();
    assert_eq!(verdicts.len(), matchers.len(), "{}", String::from_utf8_lossy(&output.stderr));
    verdicts
}

/// A configuration in which each of the matchers leads to a receiver of its index.
fn config_of(folder: &Path, name: &str, matchers: &[String]) -> PathBuf {
    let receiver = |index: usize| format!("r{index}");
    let routes: Vec<_> = matchers
        .iter()
        .enumerate()
        .map(|(index, matcher)| json!({"receiver": receiver(index), "matchers": [matcher], "continue": true}))
        .collect();
    let receivers: Vec<_> = (0..matchers.len()).map(|index| json!({"name": receiver(index)})).collect();
    let receivers = [vec![json!({"name": "none"})], receivers].concat();
    let config = json!({"route": {"receiver": "none", "routes": routes}, "receivers": receivers});
    let file = folder.join(name);
    std::fs::write(&file, config.to_string()).unwrap();
    file
}

/// The indexes of the matchers that hold for a value of `x`.
fn matching(amtool: &Path, config: &Path, value: &str) -> BTreeSet<usize> {
    let config = format!("--config.file={}", config.display());
    let label = format!("x=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    let label = (!value.is_empty()).then_some(label);
    let output =
        Command::new(amtool).args(["config", "routes", "test", &config]).args(label).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().split(',').filter_map(|name| name.strip_prefix('r')?.parse().ok()).collect()
}
