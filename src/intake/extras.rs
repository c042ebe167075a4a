//! What Grafana says about an alert beyond Alertmanager's format.

use serde_json::value::RawValue;

use super::pairs::{read_pairs, text_of};
use super::text::bounded;
use crate::domain::alert::Extras;

/// How much of each field is kept, in characters.
const MAX_CHARS: usize = 4_096;

/// The fields as sent.
#[derive(Default)]
pub(super) struct Wire<'a> {
    values: Option<&'a RawValue>,
    value_string: Option<&'a RawValue>,
    silence_url: Option<&'a RawValue>,
    dashboard_url: Option<&'a RawValue>,
    panel_url: Option<&'a RawValue>,
    image_url: Option<&'a RawValue>,
}

impl<'a> Wire<'a> {
    /// The place of the field of that name.
    pub fn field(&mut self, name: &str) -> Option<&mut Option<&'a RawValue>> {
        match name {
            "values" => Some(&mut self.values),
            "valueString" => Some(&mut self.value_string),
            "silenceURL" => Some(&mut self.silence_url),
            "dashboardURL" => Some(&mut self.dashboard_url),
            "panelURL" => Some(&mut self.panel_url),
            "imageURL" => Some(&mut self.image_url),
            _ => None,
        }
    }

    pub fn read(&self) -> Extras {
        let text = |value| bounded(&text_of(value).0, MAX_CHARS);
        Extras {
            values: bounded(&read_values(self.values), MAX_CHARS),
            value_string: text(self.value_string),
            silence_url: text(self.silence_url),
            dashboard_url: text(self.dashboard_url),
            panel_url: text(self.panel_url),
            image_url: text(self.image_url),
        }
    }
}

/// `{"B": 22.1, "C": 1}` as `B=22.1, C=1`; anything else as its text.
fn read_values(value: Option<&RawValue>) -> String {
    let Some(value) = value else { return String::new() };
    match read_pairs(value) {
        Some(pairs) => {
            let pairs = pairs.into_iter().filter(|(_, value)| !value.is_empty());
            pairs.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
        }
        None => text_of(Some(value)).into_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_one_line() {
        let read = |json: &str| read_values(Some(serde_json::from_str(json).unwrap()));

        assert_eq!(read(r#"{"B": 22.1, "A": null, "C": 1e3}"#), "B=22.1, C=1e3");
        assert_eq!(read("null"), "");
        assert_eq!(read("[1, 2]"), "[1,2]");
        assert_eq!(read("3.5"), "3.5");
    }
}
