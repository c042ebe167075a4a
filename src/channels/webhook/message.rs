//! The body of a webhook, within its size.

use serde_json::Value;

use super::body::Body;
use crate::channels::Message;
use crate::channels::{shrink, text};

/// The most bytes of a body. Standard Webhooks asks for small bodies; servers commonly
/// take a megabyte.
pub const MAX_BODY: usize = 512 * 1024;
/// The most characters of the text for people.
pub const MAX_TEXT: usize = 32 * 1024;

/// The most characters of an annotation in a body that is too large.
const SHORT_ANNOTATION: usize = 1_000;

/// A body ready to be signed, and what a person is shown of it.
#[derive(Debug)]
pub struct Composed {
    /// `incident.firing`, …
    pub kind: String,
    /// The text for people.
    pub text: String,
    /// Compact JSON.
    pub body: String,
}

/// The body of `message`: the same bytes for every retry.
///
/// When it grows beyond [`MAX_BODY`], the annotations of the alerts are cut; should that not be
/// enough, alerts are left out from the end and counted in `alerts_omitted`, then all texts are
/// cut.
pub fn compose(message: &Message<'_>) -> Composed {
    let text = text::lines(message.rendered.field("text"), MAX_TEXT);
    let mut content = Body::of(message, &text);
    let mut body = shrink::json(&content);
    if body.len() > MAX_BODY {
        content.shorten_annotations(SHORT_ANNOTATION);
        body = shrink::json(&content);
    }
    if body.len() > MAX_BODY {
        drop_alerts(&mut content, body.len() - MAX_BODY);
        body = shrink::json(&content);
    }
    if body.len() > MAX_BODY {
        let mut value: Value = serde_json::from_str(&body).unwrap_or_default();
        shrink::to_size(&mut value, MAX_BODY);
        body = value.to_string();
    }
    Composed { kind: content.kind, text, body }
}

/// Leaves out alerts from the end until `excess` bytes are saved or none is left.
fn drop_alerts(content: &mut Body<'_>, excess: usize) {
    // The count itself may grow by some digits.
    let excess = excess + 32;
    let [incident] = &mut content.data.incidents;
    let mut saved = 0;
    while saved < excess {
        let Some(alert) = incident.alerts.pop() else { return };
        saved += shrink::json(&alert).len() + 1;
        incident.alerts_omitted += 1;
    }
}
