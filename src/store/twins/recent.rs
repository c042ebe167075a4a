//! The deliveries of late, in memory and, packed, one row for each transaction of intake.
//!
//! Promises: what was committed is remembered over a restart; at most [`ROOM`] deliveries are,
//! the latest: memory is bounded whatever the window and however many come.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::store::error::Doing as _;
use crate::store::events::{NewEvent, Stored, TwinKey};
use crate::store::{StoreError, Tx};

/// How many deliveries are remembered at most.
const ROOM: usize = 250_000;
/// Digest, event and moment.
const PACKED: usize = 16 + 16 + 8;

const LATEST: &str = "SELECT keys FROM event_key_batches ORDER BY id DESC LIMIT $1";
/// From before there were batches.
const EARLIER: &str = "SELECT key, event_id, expires_at FROM event_keys LIMIT $1";

/// The deliveries of late.
#[derive(Debug, Default)]
pub struct Recent {
    owners: HashMap<u128, Owner>,
    /// Digests in the order of their claims, with when each claim lapses.
    order: VecDeque<(u128, i64)>,
}

/// Whose a key is, and until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner {
    event: Uuid,
    expires_at: i64,
}

/// The claims of one transaction, packed.
#[derive(Debug)]
pub struct ClaimBatch {
    /// That of its first event.
    pub id: String,
    /// When the last of them lapses, milliseconds.
    pub expires_at: i64,
    /// The claims.
    pub keys: Vec<u8>,
}

/// A claim to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Claim {
    digest: u128,
    owner: Owner,
}

impl Recent {
    /// What the database has of it.
    pub async fn load(tx: &mut Tx) -> Result<Self, StoreError> {
        let room = i64::try_from(ROOM).unwrap_or(i64::MAX);
        let earlier: Vec<(String, String, i64)> =
            with_tx!(tx, |conn| sqlx::query_as(EARLIER).bind(room).fetch_all(&mut *conn).await)
                .doing("read twin keys")?;
        let batches: Vec<(Vec<u8>,)> =
            with_tx!(tx, |conn| sqlx::query_as(LATEST).bind(room).fetch_all(&mut *conn).await)
                .doing("read batches of twin keys")?;
        let mut recent = Self::default();
        for (key, event, expires_at) in earlier {
            let Ok(event) = Uuid::parse_str(&event) else { continue };
            recent.keep(Claim { digest: digest(&key), owner: Owner { event, expires_at } });
        }
        for (batch,) in batches.iter().rev() {
            batch.chunks_exact(PACKED).filter_map(Claim::unpack).for_each(|claim| recent.keep(claim));
        }
        Ok(recent)
    }

    /// What each event is, and the claims that are remembered with that and to be written.
    pub fn judge(&mut self, events: &[NewEvent]) -> (Vec<Stored>, Option<ClaimBatch>) {
        let mut claims = Vec::new();
        let stored = events.iter().map(|event| self.judge_one(event, &mut claims)).collect();
        let last = claims.iter().map(|claim| claim.owner.expires_at).max();
        let batch = events.first().zip(last).map(|(first, expires_at)| ClaimBatch {
            id: first.id.clone(),
            expires_at,
            keys: claims.iter().flat_map(Claim::pack).collect(),
        });
        (stored, batch)
    }

    fn judge_one(&mut self, event: &NewEvent, claims: &mut Vec<Claim>) -> Stored {
        let Some(twin) = &event.twin else { return Stored::New };
        // Ids are made by this program; what is none has no twin.
        let Ok(id) = Uuid::parse_str(&event.id) else { return Stored::New };
        self.make_room(event.received_at);
        let (key, turn) = (digest(&twin.key), digest(&twin.turn_key));
        let first = self.live_owner(key, event.received_at);
        if let Some(first) = first
            && !self.has_turned_between(first, turn, id)
        {
            return Stored::TwinOf(first.to_string());
        }
        let is_turn = first.is_some() || twin.tells_end;
        for digest in std::iter::once(key).chain(is_turn.then_some(turn)) {
            let claim = Claim { digest, owner: Owner::new(id, twin) };
            self.keep(claim);
            claims.push(claim);
        }
        Stored::New
    }

    fn live_owner(&self, key: u128, now: Timestamp) -> Option<Uuid> {
        let is_live = |owner: &&Owner| owner.expires_at > now.as_millis();
        self.owners.get(&key).filter(is_live).map(|owner| owner.event)
    }

    /// Whether the group of that turn took one after `first` and before `id`: ids rise with the
    /// order of arrival.
    fn has_turned_between(&self, first: Uuid, turn: u128, id: Uuid) -> bool {
        self.owners.get(&turn).is_some_and(|turned| first < turned.event && turned.event < id)
    }

    fn keep(&mut self, claim: Claim) {
        self.owners.insert(claim.digest, claim.owner);
        self.order.push_back((claim.digest, claim.owner.expires_at));
        while self.order.len() > ROOM {
            self.forget_oldest();
        }
    }

    fn make_room(&mut self, now: Timestamp) {
        while self.order.front().is_some_and(|(_, expires_at)| *expires_at <= now.as_millis()) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some((digest, expires_at)) = self.order.pop_front() else { return };
        // It may have been claimed again since.
        if self.owners.get(&digest).is_some_and(|owner| owner.expires_at == expires_at) {
            self.owners.remove(&digest);
        }
    }
}

impl Owner {
    fn new(event: Uuid, twin: &TwinKey) -> Self {
        Self { event, expires_at: twin.expires_at.as_millis() }
    }
}

impl Claim {
    fn pack(&self) -> [u8; PACKED] {
        let mut packed = [0; PACKED];
        packed[..16].copy_from_slice(&self.digest.to_be_bytes());
        packed[16..32].copy_from_slice(self.owner.event.as_bytes());
        packed[32..].copy_from_slice(&self.owner.expires_at.to_be_bytes());
        packed
    }

    fn unpack(packed: &[u8]) -> Option<Self> {
        let (digest, rest) = packed.split_first_chunk()?;
        let (event, rest) = rest.split_first_chunk()?;
        let (expires_at, _) = rest.split_first_chunk()?;
        let owner = Owner { event: Uuid::from_bytes(*event), expires_at: i64::from_be_bytes(*expires_at) };
        Some(Self { digest: u128::from_be_bytes(*digest), owner })
    }
}

/// Half of a digest is enough to tell deliveries apart, and half the memory.
fn digest(key: &str) -> u128 {
    let digest = Sha256::digest(key);
    digest.first_chunk().map_or(0, |half| u128::from_be_bytes(*half))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::events::EventState;

    const WINDOW: std::time::Duration = std::time::Duration::from_secs(60);
    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    /// The event of that number and what tells it from others.
    fn event(number: u64, key: &str, tells_end: bool, at: Timestamp) -> NewEvent {
        NewEvent {
            id: id(number),
            received_at: at,
            state: EventState::Pending,
            source: "alertmanager",
            receiver: String::new(),
            group_key: String::new(),
            external_url: String::new(),
            actor: String::new(),
            alerts: 1,
            rejected: 0,
            truncated: 0,
            replay_of: None,
            reason: String::new(),
            verdicts: "[]".to_owned(),
            body: Vec::new(),
            twin: Some(TwinKey {
                key: key.to_owned(),
                turn_key: "turn:group".to_owned(),
                tells_end,
                expires_at: at.plus(WINDOW),
            }),
        }
    }

    fn id(number: u64) -> String {
        Uuid::from_u128(u128::from(number)).to_string()
    }

    fn judge(recent: &mut Recent, event: &NewEvent) -> Stored {
        recent.judge_one(event, &mut Vec::new())
    }

    #[test]
    fn the_second_is_a_twin_until_the_first_has_lapsed() {
        let mut recent = Recent::default();
        assert_eq!(judge(&mut recent, &event(1, "a", false, NOW)), Stored::New);

        let shortly_before = NOW.plus(WINDOW - std::time::Duration::from_millis(1));
        assert_eq!(judge(&mut recent, &event(2, "a", false, shortly_before)), Stored::TwinOf(id(1)));
        assert_eq!(judge(&mut recent, &event(3, "a", false, NOW.plus(WINDOW))), Stored::New);
        assert_eq!(judge(&mut recent, &event(4, "a", false, NOW.plus(WINDOW))), Stored::TwinOf(id(3)));
    }

    #[test]
    fn what_holds_again_after_an_end_is_news_once() {
        let mut recent = Recent::default();
        for (number, key, tells_end) in [(1, "firing", false), (2, "resolved", true), (3, "firing", false)] {
            assert_eq!(judge(&mut recent, &event(number, key, tells_end, NOW)), Stored::New);
        }
        assert_eq!(judge(&mut recent, &event(4, "firing", false, NOW)), Stored::TwinOf(id(3)));
        assert_eq!(judge(&mut recent, &event(5, "resolved", true, NOW)), Stored::New);
    }

    #[test]
    fn a_key_claimed_again_is_not_forgotten_with_its_first_claim() {
        let mut recent = Recent::default();
        judge(&mut recent, &event(1, "a", false, NOW));
        judge(&mut recent, &event(2, "a", false, NOW.plus(WINDOW)));
        judge(&mut recent, &event(3, "b", false, NOW.plus(WINDOW)));

        assert_eq!(judge(&mut recent, &event(4, "a", false, NOW.plus(WINDOW))), Stored::TwinOf(id(2)));
        assert_eq!(recent.order.len(), 2);
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let mut recent = Recent::default();
        for number in 0..ROOM as u64 + 10 {
            judge(&mut recent, &event(number, &number.to_string(), false, NOW));
        }
        assert_eq!((recent.order.len(), recent.owners.len()), (ROOM, ROOM));
        assert_eq!(
            judge(&mut recent, &event(ROOM as u64 + 10, "9", false, NOW)),
            Stored::New,
            "the oldest went"
        );
    }

    #[test]
    fn a_packed_claim_is_the_same_unpacked() {
        let claim = Claim { digest: 7 << 100, owner: Owner { event: Uuid::from_u128(9), expires_at: -3 } };

        assert_eq!(Claim::unpack(&claim.pack()), Some(claim));
    }
}
