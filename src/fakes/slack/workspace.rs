//! What a person would see in the workspace, and the limits of writing to it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::domain::clock::Timestamp;

/// The interval between two messages in one channel that Slack grants for good.
const PER_MESSAGE: Duration = Duration::from_secs(1);

/// What the bot may do in a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelState {
    /// The bot is a member.
    Member,
    /// The channel exists but the bot is not in it.
    NotMember,
    /// Nobody may write.
    Archived,
}

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// The fallback text.
    pub text: String,
    /// The blocks; empty for a text message.
    pub blocks: Vec<Value>,
    /// Legacy attachments.
    pub attachments: Vec<Value>,
}

/// A message in a channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The channel's id.
    pub channel: String,
    /// Its identity in the channel, and its time.
    pub ts: String,
    /// The parent's `ts`, for a reply.
    pub thread_ts: Option<String>,
    /// Whether a reply is shown in the channel, too.
    pub broadcast: bool,
    /// What it says now.
    pub content: Content,
    /// What it said before each edit, oldest first.
    pub earlier: Vec<Content>,
}

impl Message {
    /// What a reader sees now.
    pub fn visible_text(&self) -> String {
        self.content.visible_text()
    }
}

/// Why a message cannot be written; the text is Slack's error code.
pub(super) type Refused = &'static str;

pub(super) struct Workspace {
    channels: BTreeMap<String, ChannelState>,
    webhook_channel: String,
    messages: Vec<Message>,
    burst: Option<u32>,
    /// For each channel: when the bucket will be full again.
    busy_until: BTreeMap<String, Timestamp>,
}

impl Workspace {
    pub fn new(channel: &str) -> Self {
        Self {
            channels: BTreeMap::from([(channel.to_owned(), ChannelState::Member)]),
            webhook_channel: channel.to_owned(),
            messages: Vec::new(),
            burst: None,
            busy_until: BTreeMap::new(),
        }
    }

    pub fn set_channel(&mut self, id: &str, state: ChannelState) {
        self.channels.insert(id.to_owned(), state);
    }

    pub fn limit_rate(&mut self, burst: u32) {
        self.burst = Some(burst.max(1));
    }

    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    pub fn webhook_channel(&self) -> String {
        self.webhook_channel.clone()
    }

    pub fn check_channel(&self, id: &str) -> Result<(), Refused> {
        match self.channels.get(id) {
            None => Err("channel_not_found"),
            Some(ChannelState::NotMember) => Err("not_in_channel"),
            Some(ChannelState::Archived) => Err("is_archived"),
            Some(ChannelState::Member) => Ok(()),
        }
    }

    /// Takes one message's worth out of the channel's bucket, or says how long to wait.
    pub fn take_token(&mut self, channel: &str, now: Timestamp) -> Result<(), Duration> {
        let Some(burst) = self.burst else { return Ok(()) };
        let busy_until = self.busy_until.get(channel).copied().unwrap_or(now).max(now);
        let tolerance = PER_MESSAGE * (burst - 1);
        let too_early = busy_until.minus(tolerance).since(now);
        if !too_early.is_zero() {
            return Err(too_early);
        }
        self.busy_until.insert(channel.to_owned(), busy_until.plus(PER_MESSAGE));
        Ok(())
    }

    pub fn find(&self, channel: &str, ts: &str) -> Option<&Message> {
        self.messages.iter().find(|message| message.channel == channel && message.ts == ts)
    }

    /// Writes a message and returns its `ts`.
    pub fn post(
        &mut self,
        channel: &str,
        thread_ts: Option<String>,
        broadcast: bool,
        content: Content,
        now: Timestamp,
    ) -> String {
        let millis = now.as_millis();
        // The count makes it unique within a millisecond; Slack's has six digits, too.
        let micros = (millis % 1000) * 1000 + (self.messages.len() % 1000) as i64;
        let ts = format!("{}.{micros:06}", millis / 1000);
        self.messages.push(Message {
            channel: channel.to_owned(),
            ts: ts.clone(),
            thread_ts,
            broadcast,
            content,
            earlier: Vec::new(),
        });
        ts
    }

    pub fn edit(&mut self, channel: &str, ts: &str, content: Content) -> Result<(), Refused> {
        let found = self.messages.iter_mut().find(|m| m.channel == channel && m.ts == ts);
        let message = found.ok_or("message_not_found")?;
        let before = std::mem::replace(&mut message.content, content);
        message.earlier.push(before);
        Ok(())
    }
}
