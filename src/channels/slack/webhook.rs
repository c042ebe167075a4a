//! By an incoming webhook: one request, one new message.

use std::time::Duration;

use super::{SlackChannel, answer, message};
use crate::channels::http::{Deadline, Endpoint, Headers};
use crate::channels::{Message, shrink};
use crate::domain::outcome::SendReport;

pub async fn send(
    channel: &SlackChannel,
    endpoint: &Endpoint,
    message: &Message<'_>,
    time_limit: Duration,
) -> SendReport {
    let deadline = Deadline::after(time_limit);
    let body = shrink::json(&message::compose(message));
    match channel.client.post_json(endpoint, &Headers::default(), body, deadline).await {
        Ok(answer) => answer::read_webhook(&answer, &channel.redactor, message.now),
        Err(failure) => failure.report(&channel.redactor),
    }
}
