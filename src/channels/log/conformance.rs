//! It needs nobody.

use super::*;
use crate::channels::conformance::{Case, Provider};
use crate::domain::outcome::SendOutcome;

struct Nobody;

impl Provider for Nobody {
    fn outcome_when_gone(&self) -> SendOutcome {
        SendOutcome::Accepted
    }

    /// The log puts all lines into one.
    fn lines(&self, text: &str) -> String {
        text.replace(" | ", "\n")
    }
}

pub fn cases(timeout: Duration) -> BoxFuture<'static, Vec<Case>> {
    Box::pin(async move { vec![Case::new("log", &KIND, Nobody, serde_json::json!({}), timeout, &[])] })
}
