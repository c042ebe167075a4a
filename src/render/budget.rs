//! Bounds on what rendering may cost: steps, bytes and time. Without them a template of a
//! few lines could keep a worker busy for hours or fill the memory.
//!
//! One message has one budget for every template that is not our own: [`within`] joins the
//! budget that is open, if any. Its links have a small one together, since they are the catalog's
//! and stand in many messages. Our own templates must work whatever the others used up. Both
//! have theirs [`apart`].

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use handlebars::{JsonValue, Output, RenderError, RenderErrorReason};

/// How long one field may get, in bytes.
pub(super) const MAX_OUTPUT: usize = 256 * 1024;

/// What may be spent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Template elements touched in loops and helpers.
    steps: u64,
    /// Bytes of values that helpers make.
    bytes: u64,
    /// A backstop for what is not counted.
    time: Duration,
}

/// For the links of a message together.
pub(super) const LINKS: Limits =
    Limits { steps: 50_000, bytes: 512 * 1024, time: Duration::from_millis(250) };

/// For the templates of a message that replace built-in ones.
pub(super) const MESSAGE: Limits =
    Limits { steps: 200_000, bytes: 8 * 1024 * 1024, time: Duration::from_secs(2) };

/// For a dedup key: triage renders one for each alert, within its transaction.
pub(super) const KEY: Limits = Limits { steps: 10_000, bytes: 64 * 1024, time: Duration::from_millis(200) };

/// For a link of its own.
pub(super) const SINGLE: Limits =
    Limits { steps: 10_000, bytes: 256 * 1024, time: Duration::from_millis(200) };

/// For a built-in template: it is known to be modest, the message may be large.
pub(super) const BUILT_IN: Limits =
    Limits { steps: 1_000_000, bytes: 256 * 1024 * 1024, time: Duration::from_secs(10) };

#[derive(Clone, Copy)]
struct Open {
    limits: Limits,
    steps: u64,
    bytes: u64,
    until: Instant,
}

thread_local! {
    // A rendering stays on one thread from begin to end, and helpers are given nothing
    // that is theirs for one rendering only.
    static OPEN: Cell<Option<Open>> = const { Cell::new(None) };
}

/// Puts back what was open before, also when the work panics.
struct Restore(Option<Open>);

impl Drop for Restore {
    fn drop(&mut self) {
        OPEN.set(self.0);
    }
}

/// Does the work within the budget that is open, else within a new one.
pub(super) fn within<T>(limits: Limits, work: impl FnOnce() -> T) -> T {
    if OPEN.get().is_some() { work() } else { apart(limits, work) }
}

/// Does the work within a budget of its own.
pub(super) fn apart<T>(limits: Limits, work: impl FnOnce() -> T) -> T {
    let _restore = Restore(OPEN.get());
    let until = Instant::now() + limits.time;
    OPEN.set(Some(Open { limits, steps: limits.steps, bytes: limits.bytes, until }));
    work()
}

/// Does work that takes nothing from the budget that is open, but stays within what is left of
/// it and within its time: to render again what was rendered already.
pub(super) fn aside<T>(work: impl FnOnce() -> T) -> T {
    let _restore = Restore(OPEN.get());
    work()
}

/// Takes `steps` from the budget, and looks at the time.
pub(super) fn spend(steps: usize) -> Result<(), RenderError> {
    let Some(mut open) = OPEN.get() else { return Ok(()) };
    if Instant::now() >= open.until {
        return fault(format!("the template takes longer than {} ms", open.limits.time.as_millis()));
    }
    let left = open.steps.checked_sub(steps as u64);
    open.steps = left.unwrap_or(0);
    OPEN.set(Some(open));
    match left {
        Some(_) => Ok(()),
        None => fault(format!("the template does more than {} steps", open.limits.steps)),
    }
}

/// Takes what `value` holds from the budget: before it is copied. What is too much uses all of it
/// up, so that it is not tried again and again.
pub(super) fn spend_on(value: &JsonValue) -> Result<(), String> {
    let mut left = bytes_left();
    match take(value, &mut left) {
        Some(()) => spend_bytes(bytes_left() - left),
        None => Err(used_up()),
    }
}

/// Takes so many bytes from the budget.
pub(super) fn spend_bytes(bytes: usize) -> Result<(), String> {
    let Some(mut open) = OPEN.get() else { return Ok(()) };
    let left = open.bytes.checked_sub(bytes as u64);
    open.bytes = left.unwrap_or(0);
    OPEN.set(Some(open));
    left.map(|_| ()).ok_or_else(too_much)
}

/// How many bytes helpers may still make.
pub(super) fn bytes_left() -> usize {
    OPEN.get().map_or(usize::MAX, |open| usize::try_from(open.bytes).unwrap_or(usize::MAX))
}

/// Takes what is left, for something that needs more; says so.
pub(super) fn used_up() -> String {
    spend_bytes(usize::MAX).err().unwrap_or_else(too_much)
}

/// Why more than [`bytes_left`] cannot be had.
pub(super) fn too_much() -> String {
    let limit = OPEN.get().map_or(0, |open| open.limits.bytes);
    format!("the values the template makes are larger than {} KiB together", limit / 1024)
}

/// Subtracts what a value holds from `left`; `None` when that is not enough.
fn take(value: &JsonValue, left: &mut usize) -> Option<()> {
    /// Of a value itself, whatever it holds.
    const ITSELF: usize = 32;
    *left = left.checked_sub(ITSELF)?;
    match value {
        JsonValue::String(text) => *left = left.checked_sub(text.len())?,
        JsonValue::Array(items) => items.iter().try_for_each(|item| take(item, left))?,
        JsonValue::Object(map) => map.iter().try_for_each(|(name, value)| {
            *left = left.checked_sub(name.len())?;
            take(value, left)
        })?,
        _ => {}
    }
    Some(())
}

fn fault<T>(message: String) -> Result<T, RenderError> {
    Err(RenderErrorReason::Other(message).into())
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
        spend(0).map_err(|error| io::Error::other(error.to_string()))?;
        self.0.push_str(segment);
        Ok(())
    }
}
