//! What gives way when a message is too long for its medium: the texts that explain, one after
//! the other, so that the facts stay.

use handlebars::{Context, JsonValue};

use super::fit::{ELLIPSIS, Unit, fit};
use super::guard::TemplateFault;
use super::{Limit, budget};

/// The texts that explain, in the order in which they give way, and how many characters of
/// each are kept in any case.
const EXPLANATIONS: [(&str, usize); 7] = [
    ("/description", 200),
    ("/runbook_text", 200),
    ("/action", 200),
    ("/impact", 200),
    ("/catalog/business_impact", 200),
    ("/label_line", 200),
    ("/summary", 200),
];

/// The text that `render` makes of `context`, with as much of the explanations as fits.
///
/// # Errors
/// Those of `render`.
pub(super) fn to_limit(
    context: &Context,
    limit: Limit,
    render: impl Fn(&Context) -> Result<String, TemplateFault>,
) -> Result<String, TemplateFault> {
    let text = render(context)?;
    if limit.holds(&text) {
        return Ok(text);
    }
    let context = Context::from(context.data().clone());
    Ok(budget::aside(|| Shortening { context, limit, render }.run(text)))
}

struct Shortening<F> {
    context: Context,
    limit: Limit,
    render: F,
}

impl<F: Fn(&Context) -> Result<String, TemplateFault>> Shortening<F> {
    /// A text that fits, else the shortest one that could be made.
    fn run(mut self, mut text: String) -> String {
        for (pointer, least) in EXPLANATIONS {
            let whole = self.context.data().pointer(pointer).and_then(JsonValue::as_str);
            let Some(whole) = whole.map(str::to_owned).filter(|whole| whole.chars().count() > least) else {
                continue;
            };
            let Some(short) = self.with(pointer, &fit(&whole, least, Unit::Chars, ELLIPSIS)) else { break };
            let (was, is) = (self.length(&text), self.length(&short));
            text = short;
            if is > self.limit.max || is >= was {
                continue;
            }
            // What is kept takes as much room as the text does on average; parts may take more.
            let most = (whole.chars().count() - least) * (self.limit.max - is) / (was - is);
            let kept = [100, 80, 50].map(|percent| least + most * percent / 100);
            let longer = kept.into_iter().find_map(|kept| {
                let part = fit(&whole, kept, Unit::Chars, ELLIPSIS);
                self.with(pointer, &part).filter(|text| self.limit.holds(text))
            });
            return longer.unwrap_or(text);
        }
        text
    }

    fn length(&self, text: &str) -> usize {
        (self.limit.length)(text)
    }

    /// The text with another explanation in the place of that one.
    fn with(&mut self, pointer: &str, explanation: &str) -> Option<String> {
        *self.context.data_mut().pointer_mut(pointer)? = explanation.into();
        (self.render)(&self.context).ok()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A medium in which an ampersand takes five places.
    fn render(context: &Context) -> Result<String, TemplateFault> {
        let of = |name: &str| context.data()[name].as_str().unwrap_or_default().replace('&', "&amp;");
        Ok(format!("{}|{}|{}", of("summary"), of("description"), of("facts")))
    }

    fn shortened(summary: &str, description: &str, max: usize) -> String {
        let context = json!({"summary": summary, "description": description, "facts": "f".repeat(100)});
        to_limit(&Context::from(context), Limit::chars(max), render).unwrap_or_else(|fault| fault.to_string())
    }

    #[test]
    fn what_fits_is_left_alone() {
        let text = shortened("s", &"d".repeat(898), 1_001);

        assert_eq!(text, format!("s|{}|{}", "d".repeat(898), "f".repeat(100)));
    }

    #[test]
    fn the_description_is_cut_to_what_fits_and_nothing_else_is() {
        for character in ["d", "&", "d & e\n", "ü"] {
            let text = shortened(&"s".repeat(300), &character.repeat(4_000), 3_000);

            let length = text.chars().count();
            assert!((2_900..=3_000).contains(&length), "{length} for {character:?}");
            assert!(text.starts_with(&"s".repeat(300)) && text.ends_with(&"f".repeat(100)), "{text}");
        }
    }

    #[test]
    fn the_summary_gives_way_after_the_description() {
        let text = shortened(&"s".repeat(5_000), &"d".repeat(5_000), 1_000);

        assert_eq!(text.chars().count(), 1_000);
        assert_eq!(text.chars().filter(|c| *c == 'd').count(), 199);
        assert!(text.ends_with(&"f".repeat(100)));
    }

    #[test]
    fn uneven_texts_fit_too() {
        let text = shortened("s", &format!("{}{}", "&".repeat(1_000), "d".repeat(9_000)), 3_000);

        assert!(text.chars().count() <= 3_000 && text.ends_with(&"f".repeat(100)), "{}", text.len());
    }
}
