//! Names: how a slug, an alias and a label's value are compared.

use std::borrow::Cow;

/// Words that stand before a model's name, followed by `:` or `.`: gateways write
/// `openai:gpt-4o`, Bedrock `anthropic.claude-3`. Other words before these signs belong
/// to the name (`llama3:8b`).
const PROVIDERS: [&str; 22] = [
    "ai21",
    "amazon",
    "anthropic",
    "azure",
    "azure_openai",
    "bedrock",
    "cohere",
    "deepseek",
    "fireworks",
    "gemini",
    "google",
    "groq",
    "huggingface",
    "meta",
    "mistral",
    "ollama",
    "openai",
    "openrouter",
    "together",
    "vertex_ai",
    "vllm",
    "xai",
];

/// The form in which names are compared: trimmed and in lower case.
pub(crate) fn fold(name: &str) -> Cow<'_, str> {
    let trimmed = name.trim();
    let is_folded = trimmed.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase());
    if is_folded { Cow::Borrowed(trimmed) } else { Cow::Owned(trimmed.to_lowercase()) }
}

/// What a folded label value may mean, most literal first: the whole, the last path
/// segment, and the whole without the provider in front.
pub(crate) fn readings(folded: &str) -> impl Iterator<Item = &str> {
    [Some(folded), last_segment(folded), without_provider(folded)]
        .into_iter()
        .flatten()
        .filter(|reading| !reading.is_empty())
}

fn last_segment(folded: &str) -> Option<&str> {
    folded.trim_end_matches('/').rsplit_once('/').map(|(_, last)| last)
}

fn without_provider(folded: &str) -> Option<&str> {
    if let Some((_, rest)) = folded.split_once('/') {
        return Some(rest);
    }
    let (provider, rest) = folded.split_once([':', '.'])?;
    PROVIDERS.contains(&provider).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn readings_of(value: &str) -> Vec<String> {
        readings(&fold(value)).map(str::to_owned).collect()
    }

    #[test]
    fn names_are_compared_without_case_and_outer_space() {
        assert_eq!(fold("  Fraud-Detector\t"), "fraud-detector");
        assert_eq!(fold("ÄHRE"), "ähre");
        assert!(matches!(fold(" already "), Cow::Borrowed("already")));
    }

    #[test]
    fn a_value_is_read_whole_then_by_its_last_segment_then_without_provider() {
        assert_eq!(
            readings_of("bedrock/Anthropic/claude-3"),
            ["bedrock/anthropic/claude-3", "claude-3", "anthropic/claude-3"]
        );
        assert_eq!(readings_of("/mnt/models/fraud/"), ["/mnt/models/fraud/", "fraud", "mnt/models/fraud/"]);
    }

    #[test]
    fn only_known_providers_are_cut_off_at_a_colon_or_a_dot() {
        assert_eq!(readings_of("openai:gpt-4o"), ["openai:gpt-4o", "gpt-4o"]);
        assert_eq!(readings_of("anthropic.claude-3"), ["anthropic.claude-3", "claude-3"]);
        assert_eq!(readings_of("llama3:8b"), ["llama3:8b"]);
        assert_eq!(readings_of("fraud.v2"), ["fraud.v2"]);
    }

    #[test]
    fn an_empty_value_names_nothing() {
        assert_eq!(readings_of("  "), Vec::<String>::new());
        assert_eq!(readings_of("/"), ["/"]);
    }
}
