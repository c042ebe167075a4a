//! What templates of rules leave behind when they fail says nothing and is not shown.

/// How Prometheus begins an annotation whose template failed.
pub(super) const BROKEN: &str = "<error expanding template";
/// What Go's templates write for a name that does not exist.
pub(super) const NO_VALUE: &str = "<no value>";
/// And for nothing; and what Grafana writes.
const NOTHING: [&str; 3] = ["<nil>", "[no value]", "<invalid Value>"];
/// And what is shown for it inside a text: no markup, no error.
pub(super) const NO_VALUE_SHOWN: &str = "(no value)";

/// Whether a label or an annotation says anything.
pub fn is_usable(text: &str) -> bool {
    let text = text.trim();
    let says_nothing =
        text.is_empty() || [NO_VALUE, NO_VALUE_SHOWN].contains(&text) || NOTHING.contains(&text);
    !says_nothing && !text.starts_with(BROKEN)
}
