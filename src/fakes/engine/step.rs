//! The words of a script: what happens to one request in place of the usual.

use std::time::Duration;

use serde_json::Value;

/// An HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Headers beside `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// A plain text answer.
    pub fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into().into_bytes() }
            .with_header("Content-Type", "text/plain; charset=utf-8")
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string().into_bytes() }
            .with_header("Content-Type", "application/json; charset=utf-8")
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// How an answer travels, or fails to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    Whole,
    ResetUnread,
    Reset,
    Silence,
    Half,
    Drip(Duration),
    Endless,
    GzipBomb,
    DeclaredLength(usize),
}

/// What happens to one request.
///
/// Steps that a provider can only fail at after it has done its work (a reset after the
/// request, half an answer, a drip, an endless or bomb body, a wrong length) apply the
/// request to the fake's state; steps that answer in place of the provider, and a hang, do
/// not. [`Step::applied`] and [`Step::unapplied`] say otherwise.
#[derive(Clone, Debug)]
pub struct Step {
    pub(super) applied: bool,
    pub(super) answer: Option<Answer>,
    pub(super) wire: Wire,
    pub(super) delay: Duration,
}

impl Step {
    fn after_work(wire: Wire) -> Self {
        Self { applied: true, answer: None, wire, delay: Duration::ZERO }
    }

    /// The provider's own answer: a place holder in a script.
    pub fn usual() -> Self {
        Self::after_work(Wire::Whole)
    }

    /// This answer in place of the provider's.
    pub fn answer(answer: Answer) -> Self {
        Self { applied: false, answer: Some(answer), wire: Wire::Whole, delay: Duration::ZERO }
    }

    /// An answer with this status and a short text.
    pub fn status(status: u16) -> Self {
        Self::answer(Answer::text(status, format!("scripted {status}")))
    }

    /// `status` with `Retry-After`, written as given: seconds, a date, or nonsense.
    pub fn retry_after(status: u16, value: &str) -> Self {
        let answer = Answer::text(status, format!("scripted {status}"));
        Self::answer(answer.with_header("Retry-After", value))
    }

    /// `status` with a `Location`.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::answer(Answer::text(status, "").with_header("Location", location))
    }

    /// The connection is reset before a byte is read: the provider did nothing, and the
    /// request is not recorded.
    pub fn reset_before_read() -> Self {
        Self { applied: false, answer: None, wire: Wire::ResetUnread, delay: Duration::ZERO }
    }

    /// The request is read and takes effect, then the connection is reset.
    pub fn reset_after_request() -> Self {
        Self::after_work(Wire::Reset)
    }

    /// The request is read and never answered.
    pub fn hang() -> Self {
        Self { applied: false, answer: None, wire: Wire::Silence, delay: Duration::ZERO }
    }

    /// The usual answer's head and half of its body, then the end of the connection.
    pub fn half_answer() -> Self {
        Self::after_work(Wire::Half)
    }

    /// The usual answer, a byte at a time.
    pub fn drip(pause: Duration) -> Self {
        Self::after_work(Wire::Drip(pause))
    }

    /// The usual status and then a body without end.
    pub fn endless_body() -> Self {
        Self::after_work(Wire::Endless)
    }

    /// The usual status and a gzip body of 20 kB that unfolds to 20 MB.
    pub fn gzip_bomb() -> Self {
        Self::after_work(Wire::GzipBomb)
    }

    /// The usual answer with a `Content-Length` that is not its length, then the end of
    /// the connection.
    pub fn declared_length(length: usize) -> Self {
        Self::after_work(Wire::DeclaredLength(length))
    }

    /// The request takes effect in the fake's state.
    #[must_use]
    pub fn applied(mut self) -> Self {
        self.applied = true;
        self
    }

    /// The request leaves the fake's state as it was.
    #[must_use]
    pub fn unapplied(mut self) -> Self {
        self.applied = false;
        self
    }

    /// The answer starts this much later.
    #[must_use]
    pub fn delayed(mut self, by: Duration) -> Self {
        self.delay = by;
        self
    }

    /// This answer travels in the way of the step: half of it, a byte at a time, …
    #[must_use]
    pub fn with_answer(mut self, answer: Answer) -> Self {
        self.answer = Some(answer);
        self
    }
}
