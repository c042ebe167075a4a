//! One mail. When the server takes it for some recipients only, those that it refused for
//! good are named in the report; those that it deferred get it by the next attempt, and
//! only they.

use std::time::Duration;

use lettre::Address;

use super::smtp::{self, Delivery, Envelope, Failure};
use super::thread::Reference;
use super::{EmailChannel, message};
use crate::channels::Message;
use crate::domain::outcome::{SendOutcome, SendReport};
use crate::http::Deadline;

pub async fn send(channel: &EmailChannel, message: &Message<'_>, time_limit: Duration) -> SendReport {
    let deadline = Deadline::after(time_limit);
    let content = message::Content::of(message);
    let mail = match message::compose(message, &content, &channel.addresses) {
        Ok(mail) => mail,
        Err(error) => {
            return SendReport::failed(
                SendOutcome::Rejected,
                None,
                format!("cannot compose the mail: {error}"),
            );
        }
    };
    let known = Reference::read(message.reference);
    let owed = |address: &&Address| !known.has(message.notification_id, address.as_ref());
    let to: Vec<Address> = channel.addresses.recipients().filter(owed).cloned().collect();
    let envelope = Envelope { from: &channel.addresses.from.email, to: &to, mail: &mail };
    let mut report = match channel.smtp.deliver(&envelope, deadline).await {
        Ok(delivery) => report_delivery(channel, message, known, delivery),
        Err(failure) => report_failure(message, failure),
    };
    report.error = report.error.map(|error| channel.redactor.redact(&error));
    report
}

fn report_failure(message: &Message<'_>, failure: Failure) -> SendReport {
    let mut report = SendReport::failed(failure.outcome, failure.status, failure.message);
    report.slows_channel = failure.slows_channel;
    report.refuses_channel =
        failure.outcome == SendOutcome::Rejected && failure.status.is_some_and(is_about_credentials);
    report.reference = message.reference.cloned();
    report
}

fn report_delivery(
    channel: &EmailChannel,
    message: &Message<'_>,
    mut reference: Reference,
    delivery: Delivery,
) -> SendReport {
    if reference.first.is_empty() {
        reference.first = message::message_id(message.notification_id, &channel.addresses.from.email);
    }
    let mut report = match delivery.deferred.first() {
        None => SendReport::accepted(delivery.status),
        Some(first) => {
            if reference.notification != message.notification_id {
                reference.taken.clear();
            }
            reference.notification = message.notification_id.to_owned();
            reference.taken.extend(delivery.taken);
            let error = format!("asked to come back later: {}", smtp::list(&delivery.deferred));
            SendReport::failed(SendOutcome::NotProcessed, first.status, error)
        }
    };
    if !delivery.refused.is_empty() {
        let refused = format!("refused for good: {}", smtp::list(&delivery.refused));
        report.error = Some(match report.error {
            Some(error) => format!("{error}; {refused}"),
            None => refused,
        });
    }
    report.response = channel.redactor.excerpt(delivery.answer.as_bytes(), true);
    report.reference = reference.to_value();
    report
}

/// Replies to AUTH, or for want of it: no other mail would fare better.
const fn is_about_credentials(status: u16) -> bool {
    matches!(status, 530 | 534 | 535 | 538)
}
