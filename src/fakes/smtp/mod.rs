//! A mail server that reads every byte: the dialogue, the envelope, and whether the
//! message is one. It keeps the mailbox with everything decoded.
//!
//! It speaks without TLS; that is tested against a real server.

mod decode;
mod mail;
mod rules;
mod script;
mod session;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::sync::watch;

pub use mail::{Mail, Part};
pub use script::{Fault, Stage};

use super::Violations;
use super::listener::Listener;
use crate::domain::clock::SharedClock;
use script::Script;

/// A mail server on a loopback port.
pub struct SmtpFake {
    listener: Listener,
    shared: Arc<Shared>,
}

/// What the handle and the sessions share.
struct Shared {
    clock: SharedClock,
    settings: Mutex<Settings>,
    script: Mutex<Script>,
    mailbox: Mutex<Vec<Mail>>,
    arrived: watch::Sender<usize>,
    violations: Violations,
}

struct Settings {
    login: Option<(String, String)>,
    most_bytes: usize,
}

impl SmtpFake {
    /// Starts a server that takes every mail without a login.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(clock: SharedClock) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            clock,
            settings: Mutex::new(Settings { login: None, most_bytes: 10 * 1024 * 1024 }),
            script: Mutex::default(),
            mailbox: Mutex::default(),
            arrived: watch::Sender::new(0),
            violations: Violations::default(),
        });
        let sessions = Arc::clone(&shared);
        let serve = move |stream| session::serve(stream, Arc::clone(&sessions)).boxed();
        let listener = Listener::start(Arc::new(serve)).await?;
        Ok(Self { listener, shared })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// From now on only this login may send.
    pub fn require_login(&self, user: &str, password: &str) {
        self.shared.settings.lock().login = Some((user.to_owned(), password.to_owned()));
    }

    /// From now on a mail may have so many bytes.
    pub fn limit_size(&self, bytes: usize) {
        self.shared.settings.lock().most_bytes = bytes;
    }

    /// The next session to come to `stage` meets this fault; several are met in order.
    pub fn script(&self, stage: Stage, fault: Fault) {
        self.shared.script.lock().add(stage, fault);
    }

    /// From now on every session meets this fault at `stage`.
    pub fn always(&self, stage: Stage, fault: Fault) {
        self.shared.script.lock().always(stage, fault);
    }

    /// From now on this recipient is answered with `code` and `text`.
    pub fn refuse_recipient(&self, address: &str, code: u16, text: &str) {
        self.shared.script.lock().refuse_recipient(address, code, text);
    }

    /// Forgets every fault and refused recipient.
    pub fn clear(&self) {
        *self.shared.script.lock() = Script::default();
    }

    /// Every mail taken, oldest first; a mail that came twice is there twice.
    pub fn mails(&self) -> Vec<Mail> {
        self.shared.mailbox.lock().clone()
    }

    /// Waits until `count` mails have come or `limit` has passed; returns what there is.
    pub async fn wait_for_mails(&self, count: usize, limit: Duration) -> Vec<Mail> {
        let mut arrived = self.shared.arrived.subscribe();
        // Running out of time is not an error here: the caller looks at what came.
        let _ = tokio::time::timeout(limit, arrived.wait_for(|&n| n >= count)).await;
        self.mails()
    }

    /// Closes the port and every session: from now on connecting is refused.
    pub async fn stop(&self) {
        self.listener.stop().await;
    }

    /// Listens again on the same port.
    ///
    /// # Errors
    /// When another program has taken the port meanwhile.
    pub async fn restart(&self) -> io::Result<()> {
        self.listener.restart().await
    }

    /// The rules broken so far.
    pub fn violations(&self) -> &Violations {
        &self.shared.violations
    }
}
