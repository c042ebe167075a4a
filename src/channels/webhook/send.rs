//! One signed request; any 2xx is a success, whatever its body.

use std::time::Duration;

use super::{WebhookChannel, message};
use crate::channels::Message;
use crate::domain::clock::Timestamp;
use crate::domain::outcome::{SendOutcome, SendReport};
use crate::http::{Deadline, Headers, InvalidHeader};

pub async fn send(channel: &WebhookChannel, message: &Message<'_>, time_limit: Duration) -> SendReport {
    let deadline = Deadline::after(time_limit);
    let body = message::compose(message).body;
    let headers = match signed_headers(channel, message.notification_id, message.now, &body) {
        Ok(headers) => headers,
        Err(error) => {
            return SendReport::failed(SendOutcome::Rejected, None, format!("the message's id {error}"));
        }
    };
    match channel.client.post_json(&channel.endpoint, &headers, body, deadline).await {
        Ok(answer) => answer.report(channel.client.redactor(), message.now),
        Err(failure) => failure.report(channel.client.redactor()),
    }
}

fn signed_headers(
    channel: &WebhookChannel,
    id: &str,
    now: Timestamp,
    body: &str,
) -> Result<Headers, InvalidHeader> {
    let seconds = now.as_millis().div_euclid(1000);
    let mut headers = channel.headers.clone();
    headers.set("webhook-id", id)?;
    headers.set("webhook-timestamp", &seconds.to_string())?;
    if !channel.keys.is_empty() {
        let signatures: Vec<String> =
            channel.keys.iter().map(|key| key.sign(id, seconds, body.as_bytes())).collect();
        headers.set("webhook-signature", &signatures.join(" "))?;
    }
    Ok(headers)
}
