//! Reading a kind's own settings, with every problem reported and no value repeated.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::SettingProblem;
use crate::config::ChannelConfig;
use crate::domain::secret::Secret;
use crate::http::{Endpoint, HttpClient, Proxies, Redactor};

/// The settings as the kind's own type.
///
/// # Errors
/// One problem when their shape is wrong: the parser stops at the first.
pub fn parse<T: DeserializeOwned>(settings: &Map<String, Value>) -> Result<T, Vec<SettingProblem>> {
    serde_json::from_value(Value::Object(settings.clone())).map_err(|error| {
        // The parser quotes the value it stumbled over, and that may be a password.
        let mut values = Redactor::default();
        for value in settings.values() {
            collect_values(value, &mut values);
        }
        vec![SettingProblem { key: String::new(), message: values.redact(&error.to_string()) }]
    })
}

fn collect_values(value: &Value, into: &mut Redactor) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_values(item, into)),
        Value::Object(map) => map.values().for_each(|item| collect_values(item, into)),
        Value::String(text) => into.add(text),
        Value::Number(number) => into.add(&number.to_string()),
        Value::Null | Value::Bool(_) => {}
    }
}

/// Gathers the problems of one channel.
#[derive(Debug, Default)]
pub struct Problems(Vec<SettingProblem>);

impl Problems {
    /// One more.
    pub fn add(&mut self, key: impl Into<String>, message: impl Into<String>) {
        self.0.push(SettingProblem { key: key.into(), message: message.into() });
    }

    /// The value, or its problem noted under `key`.
    pub fn take<T>(&mut self, key: &str, result: Result<T, impl ToString>) -> Option<T> {
        result.map_err(|error| self.add(key, error.to_string())).ok()
    }

    /// An address under `key`.
    pub fn endpoint(&mut self, key: &str, url: &Secret) -> Option<Endpoint> {
        self.take(key, Endpoint::parse(url))
    }

    /// The client of a channel with these secrets: through its own proxy or through these.
    pub fn client(
        &mut self,
        config: &ChannelConfig,
        proxies: &Proxies,
        redactor: Redactor,
    ) -> Option<HttpClient> {
        let proxies = self.take("proxy_url", proxies.or_own(config.proxy_url.as_ref()))?;
        Some(HttpClient::new(config.timeout.0).hiding(redactor).through(proxies))
    }

    /// All of them.
    pub fn into_vec(self) -> Vec<SettingProblem> {
        self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        #[expect(dead_code, reason = "only its parsing matters")]
        token: Secret,
    }

    #[test]
    fn a_value_of_the_wrong_type_is_not_repeated() {
        let Value::Object(settings) = json!({"token": 12_345_678}) else { unreachable!() };

        let problems = parse::<Settings>(&settings).unwrap_err();

        assert_eq!(problems[0].message, "invalid type: integer `<secret>`, expected a string");
    }

    #[test]
    fn an_unknown_key_is_named() {
        let Value::Object(settings) = json!({"token": "x", "tokn": "y"}) else { unreachable!() };

        let problems = parse::<Settings>(&settings).unwrap_err();

        assert!(problems[0].message.contains("unknown field `tokn`"), "{problems:?}");
    }
}
