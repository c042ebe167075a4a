//! By an incoming webhook: one request, one new message.

use std::time::Duration;

use super::{SlackChannel, answer, message};
use crate::channels::{Message, shrink};
use crate::domain::outcome::SendReport;
use crate::http::{Deadline, Endpoint, Headers};

pub async fn send(
    channel: &SlackChannel,
    endpoint: &Endpoint,
    message: &Message<'_>,
    time_limit: Duration,
) -> SendReport {
    let deadline = Deadline::after(time_limit);
    let body = shrink::json(&message::compose(message));
    match channel.client.post_json(endpoint, &Headers::default(), body, deadline).await {
        Ok(answer) => answer::read_webhook(&answer, channel.client.redactor(), message.now),
        Err(failure) => failure.report(channel.client.redactor()),
    }
}
