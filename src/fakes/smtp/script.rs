//! What goes wrong in a dialogue, and where.

use std::collections::{BTreeMap, VecDeque};

/// A point of the dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The greeting.
    Connect,
    /// `EHLO`
    Ehlo,
    /// `AUTH`
    Auth,
    /// `MAIL FROM`
    MailFrom,
    /// `RCPT TO`, each by itself.
    RcptTo,
    /// `DATA`, before the message.
    Data,
    /// After the final dot.
    Message,
}

/// What happens in place of the usual reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This reply. After 421 the connection is closed.
    Reply(u16, String),
    /// The connection is closed without a reply; after the final dot the mail is lost.
    Drop,
    /// After the final dot: the mail is taken, and the connection closed without a reply.
    DropAfterTaking,
    /// Nothing more is said.
    Hang,
}

impl Fault {
    /// A reply with `code`; the text starts with the enhanced status, if there is one.
    pub fn reply(code: u16, text: &str) -> Self {
        Self::Reply(code, text.to_owned())
    }
}

#[derive(Debug, Default)]
pub(super) struct Script {
    queues: BTreeMap<Stage, VecDeque<Fault>>,
    always: BTreeMap<Stage, Fault>,
    recipients: BTreeMap<String, Fault>,
}

impl Script {
    pub fn add(&mut self, stage: Stage, fault: Fault) {
        self.queues.entry(stage).or_default().push_back(fault);
    }

    pub fn always(&mut self, stage: Stage, fault: Fault) {
        self.always.insert(stage, fault);
    }

    pub fn refuse_recipient(&mut self, address: &str, code: u16, text: &str) {
        self.recipients.insert(address.to_lowercase(), Fault::reply(code, text));
    }

    /// What this session meets at `stage`.
    pub fn take(&mut self, stage: Stage) -> Option<Fault> {
        let next = self.queues.get_mut(&stage).and_then(VecDeque::pop_front);
        next.or_else(|| self.always.get(&stage).cloned())
    }

    pub fn recipient(&self, address: &str) -> Option<Fault> {
        self.recipients.get(&address.to_lowercase()).cloned()
    }
}
