//! Bounds on what one rendering may cost: steps and bytes. Without them a template of a
//! few lines could keep a worker busy for hours or fill the memory.

use std::cell::Cell;
use std::io;

use handlebars::{Output, RenderError, RenderErrorReason};

/// How many template elements one rendering may touch in loops and helpers.
const MAX_STEPS: u64 = 1_000_000;

/// How long one field may get, in bytes.
pub(super) const MAX_OUTPUT: usize = 256 * 1024;

thread_local! {
    // A rendering stays on one thread from begin to end, and helpers are given nothing
    // that is theirs for one rendering only.
    static STEPS_LEFT: Cell<u64> = const { Cell::new(MAX_STEPS) };
}

/// Begins a rendering with a full budget of steps.
pub(super) fn refill() {
    STEPS_LEFT.set(MAX_STEPS);
}

/// Takes `steps` from the budget.
pub(super) fn spend(steps: usize) -> Result<(), RenderError> {
    let left = STEPS_LEFT.get().checked_sub(steps as u64);
    STEPS_LEFT.set(left.unwrap_or(0));
    match left {
        Some(_) => Ok(()),
        None => {
            Err(RenderErrorReason::Other(format!("the template does more than {MAX_STEPS} steps")).into())
        }
    }
}

/// Collects the text of one field, up to [`MAX_OUTPUT`].
#[derive(Default)]
pub(super) struct BoundedOutput(String);

impl BoundedOutput {
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl Output for BoundedOutput {
    fn write(&mut self, segment: &str) -> Result<(), io::Error> {
        if self.0.len() + segment.len() > MAX_OUTPUT {
            return Err(io::Error::other(format!("the text is longer than {} KiB", MAX_OUTPUT / 1024)));
        }
        self.0.push_str(segment);
        Ok(())
    }
}
