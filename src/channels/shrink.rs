//! Making JSON fit into a provider's limit on bytes, as the last resort: what it says
//! becomes shorter, its shape stays.

use serde::Serialize;
use serde_json::Value;

/// Ever tighter: the most characters of a text, the most elements of a list or object.
const STEPS: [(usize, usize); 3] = [(4096, 64), (512, 40), (64, 40)];

/// Compact JSON. Our types have text keys and no failing serialisers, so that nothing can
/// go wrong; should it, the text is empty and the provider will refuse it.
pub fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Cuts texts, lists and objects in `value` until it takes at most `limit` bytes as
/// compact JSON, or is as small as this can make it. Objects of up to 40 keys keep them.
pub fn to_size(value: &mut Value, limit: usize) {
    for (chars, items) in STEPS {
        if json(value).len() <= limit {
            return;
        }
        cut(value, chars, items);
    }
}

fn cut(value: &mut Value, chars: usize, items: usize) {
    match value {
        Value::String(text) => cut_text(text, chars),
        Value::Array(list) => {
            list.truncate(items);
            list.iter_mut().for_each(|item| cut(item, chars, items));
        }
        Value::Object(map) => {
            let mut kept = 0;
            // An object whose keys are cut could get two equal ones: those go instead.
            map.retain(|key, _| {
                kept += usize::from(key.len() <= chars);
                key.len() <= chars && kept <= items
            });
            map.values_mut().for_each(|item| cut(item, chars, items));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Cuts a text to so many characters, with an ellipsis where something is missing.
pub fn cut_text(text: &mut String, chars: usize) {
    if let Some((end, _)) = text.char_indices().nth(chars) {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fits_is_left_alone() {
        let before = json!({"a": "x".repeat(9_000)});
        let mut value = before.clone();

        to_size(&mut value, json(&before).len());

        assert_eq!(value, before);
    }

    #[test]
    fn long_texts_are_cut_between_characters_before_anything_is_lost() {
        let mut value = json!({"a": "ü".repeat(9_000), "b": [1, 2, 3]});

        to_size(&mut value, 10_000);

        assert_eq!(value, json!({"a": format!("{}…", "ü".repeat(4096)), "b": [1, 2, 3]}));
    }

    #[test]
    fn many_items_and_long_keys_give_way() {
        let mut value = json!({
            "list": vec!["x".repeat(100); 10_000],
            "map": {"k".repeat(70_000): 1, "short": 2},
        });

        to_size(&mut value, 5_000);

        assert!(json(&value).len() <= 5_000);
        assert_eq!(value["list"].as_array().unwrap().len(), 40);
        assert_eq!(value["map"], json!({"short": 2}));
    }
}
