//! What makes two deliveries the same: the pair of a highly available Alertmanager may
//! both deliver one state, in bodies that differ in address, reason and annotations.

use sha2::{Digest, Sha256};

use super::verdict::{SentTime, Taken};

/// Gathers the identity of a delivery.
#[derive(Default)]
pub(super) struct TwinKey {
    alerts: Vec<[u8; 32]>,
    rejected: Sha256,
}

/// What names a delivery and its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys {
    /// Equal for twins.
    pub delivery: String,
    /// Equal for all deliveries of one group to one receiver; differs from every delivery's.
    pub group: String,
}

impl TwinKey {
    /// An alert counts by fingerprint, status, begin and end, all as sent.
    pub fn add_taken(&mut self, taken: &Taken) {
        let alert = &taken.alert;
        let mut digest = Sha256::new();
        write_framed(&mut digest, alert.fingerprint.as_bytes());
        write_framed(&mut digest, alert.status.as_str().as_bytes());
        write_time(&mut digest, &taken.sent.start);
        write_time(&mut digest, &taken.sent.end);
        self.alerts.push(digest.finalize().into());
    }

    /// A rejected alert counts by all it holds, in order: it has no identity.
    pub fn add_rejected(&mut self, json: &str) {
        write_framed(&mut self.rejected, json.as_bytes());
    }

    /// The keys, SHA-256 in hexadecimal digits: of the delivery over the receiver, the group
    /// key, the set of alerts and what was rejected; of its group over the first two. Every
    /// part has a fixed size or its size before it.
    pub fn finish(mut self, receiver: &str, group_key: &str) -> Keys {
        self.alerts.sort_unstable();
        self.alerts.dedup();
        let mut digest = Sha256::new();
        write_framed(&mut digest, receiver.as_bytes());
        write_framed(&mut digest, group_key.as_bytes());
        let group = format!("turn:{}", hex(&digest.clone().finalize()));
        write_framed(&mut digest, self.alerts.as_flattened());
        digest.update(self.rejected.finalize());
        Keys { delivery: hex(&digest.finalize()), group }
    }
}

fn write_time(digest: &mut Sha256, sent: &SentTime) {
    // No time is zero or less, and none that was read is the largest.
    let (millis, text) = match sent {
        SentTime::None => (0, ""),
        SentTime::At(time) => (time.as_millis(), ""),
        SentTime::Unreadable(text) => (i64::MAX, text.as_str()),
    };
    digest.update(millis.to_be_bytes());
    write_framed(digest, text.as_bytes());
}

fn write_framed(digest: &mut Sha256, part: &[u8]) {
    digest.update((part.len() as u64).to_be_bytes());
    digest.update(part);
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 0xF])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}
