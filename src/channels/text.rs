//! Fitting texts into fields that are counted in characters.

use crate::render::escape::clean_line;
use crate::render::fit::{ELLIPSIS, Unit, fit, fit_text};

/// One line of at most `max` characters, without anything that could disguise it.
pub fn line(text: &str, max: usize) -> String {
    fit(&clean_line(text), max, Unit::Chars, ELLIPSIS).into_owned()
}

/// At most `max` characters; of several lines, whole ones are left out at the end and
/// counted.
pub fn lines(text: &str, max: usize) -> String {
    let text = text.trim();
    if text.contains('\n') {
        return fit_text(text, max, Unit::Chars).into_owned();
    }
    fit(text, max, Unit::Chars, ELLIPSIS).into_owned()
}
