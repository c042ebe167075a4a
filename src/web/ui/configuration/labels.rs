//! Labels as people write them into a form.

/// Labels between white space or commas: `severity=page, model="churn, weekly"`. Braces around
/// all of them, as Prometheus writes them, are fine.
///
/// # Errors
/// What cannot be read.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let text = text.trim();
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let mut rest = skip(inner.unwrap_or(text));
    let mut labels = Vec::new();
    while !rest.is_empty() {
        let name_end = rest.find(|c: char| c == '=' || is_between(c)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        let value = after.strip_prefix('=').filter(|_| !name.is_empty());
        let Some(value) = value else { return Err(format!("expected name=value at {:?}", head(rest))) };
        let (value, after) = value_of(value)?;
        labels.push((name.to_owned(), value));
        rest = skip(after);
    }
    Ok(labels)
}

/// A value and what follows it.
fn value_of(text: &str) -> Result<(String, &str), String> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(is_between).unwrap_or(text.len());
        return Ok((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => value.extend(chars.next().map(|(_, c)| if c == 'n' { '\n' } else { c })),
            _ => value.push(c),
        }
    }
    Err(format!("a closing quote is missing after {:?}", head(text)))
}

fn is_between(c: char) -> bool {
    c == ',' || c.is_whitespace()
}

fn skip(text: &str) -> &str {
    text.trim_start_matches(is_between)
}

fn head(text: &str) -> String {
    text.chars().take(30).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap()
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn labels_stand_between_space_or_commas_and_may_be_quoted() {
        let two = pairs(&[("severity", "page"), ("model", "churn")]);
        for text in [
            "severity=page model=churn",
            " severity=page,\r\nmodel=\"churn\",",
            "{severity=\"page\", model=\"churn\"}",
        ] {
            assert_eq!(labels(text), two, "{text}");
        }
        assert_eq!(labels(r#"a="b, \"c\" = d" e="#), pairs(&[("a", "b, \"c\" = d"), ("e", "")]));
        assert_eq!(labels("entry.tier=1 q=a=b"), pairs(&[("entry.tier", "1"), ("q", "a=b")]));
        assert_eq!(labels(" , "), pairs(&[]));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert_eq!(parse("severity").unwrap_err(), "expected name=value at \"severity\"");
        assert_eq!(parse("a=b =c").unwrap_err(), "expected name=value at \"=c\"");
        assert!(parse("a=\"b").unwrap_err().contains("closing quote"));
    }
}
