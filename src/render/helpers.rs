//! The helpers templates may use beside the engine's own `if`, `unless`, `with`, `gt`,
//! `gte`, `lt`, `lte`, `len` and `raw`. A wrong argument is an error that names the helper,
//! the argument and what was expected.

use handlebars::{
    Context, Handlebars, Helper, HelperDef, JsonRender, JsonValue, RenderContext, RenderError,
    RenderErrorReason, ScopedJson,
};

use super::budget::{spend, spend_on};
use super::each::Each;

mod args;
mod lists;
mod logic;
mod numbers;
mod text;
mod time;

pub(super) use args::Args;

/// What a helper does: arguments in, a value or a complaint out.
type Function = fn(&Args<'_, '_>) -> Result<JsonValue, String>;

/// Every helper of ours.
const HELPERS: &[(&str, Function)] = &[
    ("and", logic::and),
    ("code", text::code),
    ("date", time::date),
    ("default", logic::default),
    ("eq", logic::eq),
    ("fixed", numbers::fixed),
    ("humanize_duration", time::humanize_duration),
    ("humanize_number", numbers::humanize_number),
    ("humanize_percentage", numbers::humanize_percentage),
    ("humanize", numbers::humanize_number),
    ("humanizeDuration", time::humanize_duration),
    ("humanizePercentage", numbers::humanize_percentage),
    ("join", lists::join),
    ("json", lists::json),
    ("lookup", lists::lookup),
    ("lower", text::lower),
    ("md_escape", text::md_escape),
    ("more", lists::more),
    ("mrkdwn_escape", text::mrkdwn_escape),
    ("ne", logic::ne),
    ("not", logic::not),
    ("or", logic::or),
    ("pairs", lists::pairs),
    ("percent", numbers::humanize_percentage),
    ("quote", text::quote),
    ("severity_color", text::severity_color),
    ("severity_emoji", text::severity_emoji),
    ("take", lists::take),
    ("toLower", text::lower),
    ("toUpper", text::upper),
    ("truncate", text::truncate),
    ("upper", text::upper),
    ("url_encode", text::url_encode),
    ("window_link", time::window_link),
];

/// Helpers of the engine itself that templates may use, and our own loop.
const ENGINES_OWN: [&str; 10] = ["each", "gt", "gte", "if", "len", "lt", "lte", "raw", "unless", "with"];

/// Whether a template may call a helper of this name.
pub(super) fn is_known(name: &str) -> bool {
    ENGINES_OWN.contains(&name) || HELPERS.iter().any(|(known, _)| *known == name)
}

/// Puts every helper into an engine, and takes out what templates must not use.
pub(super) fn register(engine: &mut Handlebars<'static>) {
    engine.unregister_helper("log");
    engine.register_helper("each", Box::new(Each));
    for (name, function) in HELPERS {
        engine.register_helper(name, Box::new(Named { name, function: *function }));
    }
}

/// Replaces a helper by one that passes its text on: where the medium's own escaping
/// already does what the helper does.
pub(super) fn register_identity(engine: &mut Handlebars<'static>, name: &'static str) {
    engine
        .register_helper(name, Box::new(Named { name, function: |args| args.text(0).map(JsonValue::from) }));
}

struct Named {
    name: &'static str,
    function: Function,
}

impl HelperDef for Named {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let args = Args { helper, context, is_strict: registry.strict_mode() };
        let value = (self.function)(&args)
            .map_err(|message| RenderErrorReason::Other(format!("{}: {message}", self.name)))?;
        spend(1)?;
        if let JsonValue::String(_) = &value {
            // Lists and maps were paid for before they were copied.
            spend_on(&value).map_err(RenderErrorReason::Other)?;
        }
        Ok(ScopedJson::Derived(value))
    }
}

/// A value as it would stand in a text.
fn shown(value: &JsonValue) -> String {
    match value {
        JsonValue::Null => String::new(),
        value => value.render(),
    }
}

#[cfg(test)]
mod tests;
