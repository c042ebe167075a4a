//! `${NAME}`, `${NAME:-default}` and `$$` in texts. Happens after parsing, so that a value
//! from the environment is always a value and never YAML.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::yaml::{Report, pointer};

/// Looks up a variable of the environment.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The pointers of the texts that came, wholly or in part, from the environment: they
/// may be secret wherever they stand.
pub(super) type Expanded = BTreeSet<String>;

/// Expands every text of a document.
pub(super) fn expand(value: &mut Value, env: Env<'_>, report: &mut Report) -> Expanded {
    let mut expanded = Expanded::new();
    walk(value, "", env, report, &mut expanded);
    expanded
}

fn walk(value: &mut Value, at: &str, env: Env<'_>, report: &mut Report, expanded: &mut Expanded) {
    match value {
        Value::String(text) if text.contains('$') => match expand_text(text, env) {
            Ok(new) => {
                if text.contains("${") {
                    expanded.insert(at.to_owned());
                }
                *text = new;
            }
            Err(message) => report.spoil(at, message),
        },
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                walk(item, &pointer::child(at, index.to_string()), env, report, expanded);
            }
        }
        Value::Object(map) => {
            for (key, member) in map {
                walk(member, &pointer::child(at, key), env, report, expanded);
            }
        }
        _ => {}
    }
}

fn expand_text(text: &str, env: Env<'_>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        if let Some(after) = after.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let end = after.find('}').ok_or("`${` without `}`; write `$$` for a dollar sign")?;
            out.push_str(&reference(&after[..end], env)?);
            rest = &after[end + 1..];
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The value of what stands between the braces. An empty variable counts as unset where
/// there is a default, as in a shell.
fn reference(inside: &str, env: Env<'_>) -> Result<String, String> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let is_name = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !is_name {
        return Err(
            "`${…}` must hold the name of an environment variable; write `$$` for a dollar sign".into()
        );
    }
    match (env(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => Ok(default.to_owned()),
        (None, None) => {
            Err(format!("environment variable `{name}` is not set; set it or write `${{{name}:-default}}`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "SET" => Some("value".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn variables_defaults_and_dollars_are_expanded() {
        for (text, expanded) in [
            ("${SET}", "value"),
            ("a${SET}b${SET}", "avaluebvalue"),
            ("${NONE:-x}", "x"),
            ("${NONE:-}", ""),
            ("${EMPTY:-x}", "x"),
            ("${EMPTY}", ""),
            ("$${SET}", "${SET}"),
            ("^a$", "^a$"),
            ("cost $5", "cost $5"),
        ] {
            assert_eq!(expand_text(text, &env).as_deref(), Ok(expanded), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_expanded_is_refused() {
        for text in ["${NONE}", "${SET", "${}", "${1A}", "${a b}", "${SET:x}"] {
            assert!(expand_text(text, &env).is_err(), "{text}");
        }
    }

    #[test]
    fn a_value_of_the_environment_is_not_expanded_again() {
        let env = |_: &str| Some("${SET}".to_owned());

        assert_eq!(expand_text("${A}", &env).as_deref(), Ok("${SET}"));
    }
}
