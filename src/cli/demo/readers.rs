//! What the readers at the other end see: the difference between two looks at the
//! receivers, in their own words. Nothing here is taken from the service.

use super::receivers::Receivers;
use super::story::{MAIL, PAGERDUTY, SLACK, WEBHOOK};
use crate::fakes::pagerduty::Effect;
use crate::fakes::slack::{Content, Message};
use crate::fakes::smtp::Mail;

/// One thing a reader notices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The channel.
    pub channel: &'static str,
    /// The provider's name.
    pub provider: &'static str,
    /// What happened there, in a few words.
    pub what: String,
    /// The text as read, line by line; may carry Slack's marks.
    pub text: Vec<String>,
}

/// Remembers what was seen before.
#[derive(Default)]
pub struct Readers {
    slack: Vec<Message>,
    pagerduty: usize,
    mails: usize,
    hooks: usize,
}

impl Readers {
    /// Everything new since the last look.
    pub fn look(&mut self, receivers: &Receivers) -> Vec<Sight> {
        let mut sights = self.look_at_slack(receivers);
        sights.extend(self.look_at_pagerduty(receivers));
        sights.extend(self.look_at_mail(receivers));
        sights.extend(self.look_at_webhook(receivers));
        sights
    }

    fn look_at_slack(&mut self, receivers: &Receivers) -> Vec<Sight> {
        let messages = receivers.slack.messages();
        let (old, new) = messages.split_at(self.slack.len().min(messages.len()));
        let is_changed = |(now, before): &(&Message, &Message)| now.content != before.content;
        let edited = old.iter().zip(&self.slack).filter(is_changed).map(|(now, _)| edited_sight(now, new));
        let posted = new.iter().filter(|message| message.thread_ts.is_none());
        let posted =
            posted.map(|message| sight(SLACK, "Slack", "new message", slack_lines(&message.content)));
        let sights = edited.chain(posted).collect();
        self.slack = messages;
        sights
    }

    fn look_at_pagerduty(&mut self, receivers: &Receivers) -> Vec<Sight> {
        let told = receivers.pagerduty.told();
        let new = told.iter().skip(self.pagerduty).map(|told| {
            let what = match told.effect {
                Effect::Opened | Effect::Reopened => "incident triggered, somebody is paged",
                Effect::Updated => "incident updated",
                Effect::Acknowledged => "incident acknowledged",
                Effect::Resolved => "incident resolved",
                Effect::Dropped => "event without effect",
            };
            let incident = receivers.pagerduty.incident(&told.event.dedup_key);
            let summary = incident.map(|incident| incident.summary);
            sight(PAGERDUTY, "PagerDuty", what, summary.into_iter().collect())
        });
        let sights = new.collect();
        self.pagerduty = told.len();
        sights
    }

    fn look_at_mail(&mut self, receivers: &Receivers) -> Vec<Sight> {
        let mails = receivers.mail.mails();
        let new = mails.iter().enumerate().skip(self.mails).map(|(n, mail)| {
            let is_reply = mails[..n].iter().any(|earlier| thread_of(earlier) == thread_of(mail));
            let (what, room) = if is_reply { ("mail in the same thread", 7) } else { ("mail", 14) };
            let what = format!("{what}, to {}", mail.to.join(", "));
            let mut lines = vec![format!("*{}*", mail.subject()), String::new()];
            lines.extend(head(&mail.text(), room));
            sight(MAIL, "e-mail", &what, lines)
        });
        let sights = new.collect();
        self.mails = mails.len();
        sights
    }

    fn look_at_webhook(&mut self, receivers: &Receivers) -> Vec<Sight> {
        let messages = receivers.webhook.messages();
        let new = messages.iter().skip(self.hooks).map(|message| {
            let kind = message.body["type"].as_str().unwrap_or_default();
            let what = format!("signed {kind}, {} bytes of JSON", message.body.to_string().len());
            sight(WEBHOOK, "webhook", &what, Vec::new())
        });
        let sights = new.collect();
        self.hooks = messages.len();
        sights
    }
}

/// A message that was edited, with the answers that came into its thread.
fn edited_sight(message: &Message, new: &[Message]) -> Sight {
    let mut lines: Vec<String> = message.content.text.lines().map(|title| format!("*{title}*")).collect();
    let replies = new.iter().filter(|reply| reply.thread_ts.as_ref() == Some(&message.ts));
    for line in replies.flat_map(|reply| slack_lines(&reply.content)) {
        lines.push(format!("  ↳ {line}"));
    }
    sight(SLACK, "Slack", "message brought up to date, and answered in its thread", lines)
}

fn slack_lines(content: &Content) -> Vec<String> {
    let mut lines = Vec::new();
    for block in &content.blocks {
        let alone = Content { blocks: vec![block.clone()], ..Content::default() };
        let visible = alone.visible_text();
        match block["type"].as_str() {
            Some("header") => lines.push(format!("*{visible}*")),
            Some("actions") => lines.push(buttons(&visible)),
            _ => lines.extend(visible.lines().map(str::to_owned)),
        }
    }
    if content.blocks.is_empty() {
        lines.extend(content.visible_text().lines().map(str::to_owned));
    }
    lines
}

/// The mail at the root of the thread, by which mail programs group.
fn thread_of(mail: &Mail) -> String {
    let references = mail.header("References").unwrap_or_default();
    references.split_whitespace().next().unwrap_or_default().to_owned()
}

/// The first lines of a long text, and how many follow.
fn head(text: &str, room: usize) -> Vec<String> {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let mut head: Vec<String> = lines.iter().take(room).map(|line| (*line).to_owned()).collect();
    if lines.len() > room {
        head.push(format!("_… {} more lines_", lines.len() - room));
    }
    head
}

fn buttons(labels: &str) -> String {
    labels.lines().map(|label| format!("[{label}]")).collect::<Vec<_>>().join(" ")
}

fn sight(channel: &'static str, provider: &'static str, what: &str, text: Vec<String>) -> Sight {
    Sight { channel, provider, what: what.to_owned(), text }
}

/// What is amiss in what the readers are left with once all is over: every message ends
/// on the good news, none came twice.
pub fn loose_ends(receivers: &Receivers) -> Vec<String> {
    let mut ends = Vec::new();
    for message in receivers.slack.messages().iter().filter(|message| message.thread_ts.is_none()) {
        if !message.content.text.contains("RESOLVED") {
            ends.push(format!("{SLACK}: a message still reads {:?}", message.content.text));
        }
    }
    for incident in receivers.pagerduty.incidents() {
        if incident.state != crate::fakes::pagerduty::State::Resolved {
            ends.push(format!("{PAGERDUTY}: the incident {:?} is still open", incident.dedup_key));
        }
    }
    let hooks = receivers.webhook.messages();
    for repeated in hooks.iter().filter(|message| message.deliveries > 1) {
        ends.push(format!("{WEBHOOK}: {} came {} times", repeated.id, repeated.deliveries));
    }
    ends
}

/// How many messages each receiver holds: what the log's delivered messages must add up to.
pub fn received(receivers: &Receivers) -> [(&'static str, usize); 4] {
    // Each follow-up in Slack edits one message and adds one reply.
    [
        (SLACK, receivers.slack.messages().len()),
        (PAGERDUTY, receivers.pagerduty.told().len()),
        (MAIL, receivers.mail.mails().len()),
        (WEBHOOK, receivers.webhook.messages().len()),
    ]
}
