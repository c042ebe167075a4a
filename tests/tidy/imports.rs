//! The direction of imports: between the houses of the library, and between the files of
//! one house.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::source::SourceFile;

/// The houses from the top down: a file may import only from houses below its own.
const HOUSES: &[&str] = &[
    "cli",
    "app",
    "fakes",
    "web",
    "dispatch",
    "channels",
    "triage",
    "intake",
    "catalog",
    "http",
    "render",
    "store",
    "config",
    "yaml",
    "telemetry",
    "domain",
];

/// Houses that do not know each other, whatever the order above would allow.
const STRANGERS: &[&str] = &["channels", "triage", "intake"];

/// Imports that go up, to a stranger, or to a house nobody listed.
pub fn against_the_direction(files: &[SourceFile]) -> Vec<String> {
    let mut complaints = BTreeSet::new();
    for file in files {
        let Some(house) = house_of(&file.path) else { continue };
        if !HOUSES.contains(&house) {
            complaints.insert(format!("{}: the house {house} is not in the list of houses", file.path));
            continue;
        }
        for path in references(file) {
            let Some(target) = path.first().filter(|target| HOUSES.contains(&target.as_str())) else {
                continue;
            };
            if let Some(reason) = objection(house, target) {
                complaints.insert(format!("{}: imports {} but {reason}", file.path, path.join("::")));
            }
        }
    }
    complaints.into_iter().collect()
}

/// Why `house` may not import from `target`, or `None`.
fn objection(house: &str, target: &str) -> Option<String> {
    let rank = |name: &str| HOUSES.iter().position(|listed| *listed == name);
    if house == target {
        return None;
    }
    if rank(target) < rank(house) {
        return Some(format!("{target} stands above {house}"));
    }
    if STRANGERS.contains(&house) && STRANGERS.contains(&target) {
        return Some(format!("{house} and {target} do not know each other"));
    }
    (house == "fakes" && target != "domain").then(|| "fakes know only the domain".to_owned())
}

/// `src/web/api/x.rs` → `web`; `src/app.rs` → `app`; the crate's roots belong to none.
fn house_of(path: &str) -> Option<&str> {
    let inside = path.strip_prefix("src/")?;
    let house = inside.split('/').next()?.trim_end_matches(".rs");
    (!matches!(house, "lib" | "main")).then_some(house)
}

/// Rings of files of one house that import each other. A folder's own `mod.rs` puts its
/// children together and so may name them while they use its types.
pub fn cycles(files: &[SourceFile]) -> Vec<String> {
    let modules: BTreeMap<Vec<String>, &str> =
        files.iter().map(|file| (module_path(&file.path), file.path.as_str())).collect();
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for file in files {
        let own = module_path(&file.path);
        for path in references(file) {
            let Some(target) = owner(&modules, &path) else { continue };
            let target_path = module_path(target);
            let same_house = target_path.first() == own.first();
            let own_child = target_path.starts_with(&own);
            if same_house && !own_child && house_of(target).is_some() {
                edges.entry(&file.path).or_default().insert(target);
            }
        }
    }
    let mut complaints = BTreeSet::new();
    for &start in edges.keys() {
        if let Some(ring) = ring_from(start, &edges) {
            complaints.insert(format!("import cycle: {}", ring.join(" → ")));
        }
    }
    complaints.into_iter().collect()
}

/// The file whose module is the longest prefix of `path`.
fn owner<'a>(modules: &BTreeMap<Vec<String>, &'a str>, path: &[String]) -> Option<&'a str> {
    (1..=path.len()).rev().find_map(|length| modules.get(&path[..length]).copied())
}

/// The shortest way from `start` back to it, told only by its first file so that it is
/// told once.
fn ring_from<'a>(start: &'a str, edges: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    let mut seen = BTreeSet::new();
    let mut ways = VecDeque::from([vec![start]]);
    while let Some(way) = ways.pop_front() {
        for &next in way.last().and_then(|file| edges.get(file)).into_iter().flatten() {
            let longer = || way.iter().copied().chain([next]).collect();
            if next == start {
                return Some(longer());
            }
            if next > start && seen.insert(next) {
                ways.push_back(longer());
            }
        }
    }
    None
}

/// The module a file is: `src/web/api/mod.rs` → `web::api`.
fn module_path(path: &str) -> Vec<String> {
    let inside = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs");
    inside.split('/').filter(|part| !matches!(*part, "mod" | "lib" | "main")).map(str::to_owned).collect()
}

/// Every path into the library that the file's code names, from the crate's root.
fn references(file: &SourceFile) -> Vec<Vec<String>> {
    let own = module_path(&file.path);
    paths_in(&file.code())
        .into_iter()
        .filter_map(|found| {
            let mut base = own.clone();
            base.extend(found.inline_modules);
            resolve(&base, found.path)
        })
        .collect()
}

/// Resolves `crate`, `super` and `self`; anything else is not ours.
fn resolve(base: &[String], path: Vec<String>) -> Option<Vec<String>> {
    let mut parts = path.into_iter().peekable();
    let mut resolved = match parts.next()?.as_str() {
        "crate" | "modelpager" => Vec::new(),
        "self" => base.to_vec(),
        "super" => base[..base.len().checked_sub(1)?].to_vec(),
        _ => return None,
    };
    while parts.next_if(|part| part == "super").is_some() {
        resolved.pop()?;
    }
    resolved.extend(parts);
    Some(resolved)
}

/// A path as it stands in the code, and the inline modules around it.
pub struct Found {
    /// `["crate", "store", "Store"]`; groups are expanded, a glob ends its path.
    pub path: Vec<String>,
    inline_modules: Vec<String>,
}

/// Every path of two or more parts, and every single name of a `use`.
pub fn paths_in(code: &str) -> Vec<Found> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut modules: Vec<(String, usize)> = Vec::new();
    let mut depth = 0;
    let mut at = 0;
    while at < tokens.len() {
        match (tokens[at], tokens.get(at + 1), tokens.get(at + 2)) {
            ("mod", Some(name), Some(&"{")) => {
                modules.push(((*name).to_owned(), depth));
                at += 2;
            }
            ("{", ..) => (depth, at) = (depth + 1, at + 1),
            ("}", ..) => {
                depth = usize::saturating_sub(depth, 1);
                modules.retain(|(_, opened_at)| *opened_at < depth);
                at += 1;
            }
            ("use", ..) => {
                at = read_tree(&tokens, at + 1, &[], &mut |path| found.push(found_at(path, &modules)));
            }
            (word, Some(&"::"), _) if is_name(word) => {
                at = read_tree(&tokens, at, &[], &mut |path| found.push(found_at(path, &modules)));
            }
            _ => at += 1,
        }
    }
    found
}

fn found_at(path: Vec<String>, modules: &[(String, usize)]) -> Found {
    Found { path, inline_modules: modules.iter().map(|(name, _)| name.clone()).collect() }
}

/// Reads one path or one tree of a `use` and emits its leaves; answers where it ended.
fn read_tree(tokens: &[&str], start: usize, prefix: &[String], emit: &mut impl FnMut(Vec<String>)) -> usize {
    let mut path = prefix.to_vec();
    let mut at = start;
    loop {
        match tokens.get(at) {
            Some(&"{") => return read_group(tokens, at + 1, &path, emit),
            Some(&"::") if path.len() == prefix.len() => at += 1,
            Some(word) if is_name(word) => {
                path.push((*word).to_owned());
                at += 1;
                if tokens.get(at) != Some(&"::") {
                    break;
                }
                at += 1;
            }
            _ => break,
        }
    }
    if path.len() > prefix.len() || tokens.get(at) == Some(&"*") {
        emit(path);
    }
    at
}

fn read_group(tokens: &[&str], start: usize, prefix: &[String], emit: &mut impl FnMut(Vec<String>)) -> usize {
    let mut at = start;
    while let Some(&token) = tokens.get(at) {
        match token {
            "}" => return at + 1,
            "as" => at += 2,
            "*" => {
                emit(prefix.to_vec());
                at += 1;
            }
            "{" => at = read_group(tokens, at + 1, prefix, emit),
            _ if is_name(token) || token == "::" => at = read_tree(tokens, at, prefix, emit),
            _ => at += 1,
        }
    }
    at
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::`, and single characters.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() || first == '_' {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints_about(path: &str, text: &str) -> Vec<String> {
        against_the_direction(&[SourceFile::sample(path, text)])
    }

    #[test]
    fn an_import_upwards_is_seen_in_every_form() {
        for text in [
            "use crate::web::Problem;",
            "use crate::{domain::ids, web};",
            "use crate::{\n    domain::{self, ids::{IdMaker}},\n    web::{api::x as y},\n};",
            "fn f() -> crate::web::Problem { crate::web::Problem }",
            "use super::super::web::Problem;",
            "mod inner { use super::super::super::web::Problem; }",
        ] {
            let complaints = complaints_about("src/store/events.rs", text);
            assert_eq!(complaints.len(), 1, "{text}: {complaints:?}");
            assert!(complaints[0].contains("web stands above store"), "{complaints:?}");
        }
    }

    #[test]
    fn strangers_and_fakes_keep_to_themselves() {
        assert!(
            complaints_about("src/channels/slack/mod.rs", "use crate::triage::Policy;")[0]
                .contains("do not know")
        );
        assert!(complaints_about("src/triage/mod.rs", "use crate::intake::Body;")[0].contains("do not know"));
        assert!(
            complaints_about("src/fakes/mod.rs", "use crate::store::Store;")[0].contains("only the domain")
        );
        assert!(complaints_about("src/novelty.rs", "")[0].contains("not in the list"));
    }

    #[test]
    fn what_is_allowed_is_not_complained_about() {
        for (path, text) in [
            ("src/web/api/mod.rs", "use crate::store::Store; use super::problem::Problem;"),
            ("src/store/mod.rs", "// crate::web is told\n#[cfg(test)]\nmod tests { use crate::web::X; }"),
            ("src/store/tests.rs", "use crate::web::X;"),
            ("src/main.rs", "use modelpager::cli;"),
        ] {
            assert_eq!(complaints_about(path, text), Vec::<String>::new(), "{path}");
        }
    }

    #[test]
    fn a_ring_of_files_is_seen_and_a_folder_and_its_children_are_not() {
        let ring = [
            SourceFile::sample("src/web/a.rs", "use super::b::B;"),
            SourceFile::sample("src/web/b.rs", "use crate::web::c::C;"),
            SourceFile::sample("src/web/c.rs", "fn f() { super::a::g(); }"),
        ];
        let family = [
            SourceFile::sample(
                "src/channels/mod.rs",
                "pub trait Channel {} const R: &[K] = &[&slack::KIND];",
            ),
            SourceFile::sample("src/channels/slack/mod.rs", "use super::Channel; mod api; use self::api::X;"),
            SourceFile::sample("src/channels/slack/api.rs", "use crate::channels::Channel;"),
        ];

        assert_eq!(
            cycles(&ring),
            ["import cycle: src/web/a.rs → src/web/b.rs → src/web/c.rs → src/web/a.rs"]
        );
        assert_eq!(cycles(&family), Vec::<String>::new());
    }
}
