//! The deliveries of late, in memory and, packed, one row for each transaction of intake.
//!
//! Promises: what was committed is remembered over a restart; at most [`ROOM`] deliveries are,
//! the latest: memory is bounded whatever the window and however many come.

use std::collections::VecDeque;

use hashbrown::HashTable;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::domain::clock::Timestamp;
use crate::store::error::Doing as _;
use crate::store::events::{NewEvent, Stored, TwinKey};
use crate::store::{StoreError, Tx};

/// Half of a SHA-256 is enough to tell deliveries apart, and half the memory.
type Digest = [u8; 16];

/// How many deliveries are remembered at most.
const ROOM: usize = 250_000;
/// Digest, event and moment.
const PACKED: usize = 16 + 16 + 8;

const LATEST: &str = "SELECT keys FROM event_key_batches ORDER BY id DESC LIMIT $1";
/// From before there were batches.
const EARLIER: &str = "SELECT key, event_id, expires_at FROM event_keys LIMIT $1";

/// The deliveries of late: some 50 bytes for each.
#[derive(Debug, Default)]
pub struct Recent {
    /// In the order in which they came.
    claims: VecDeque<Claim>,
    /// For every digest the number of its latest claim. The claims themselves stand only in
    /// `claims`: a table of them would be half empty and twice as large.
    latest: HashTable<u32>,
    /// The number of the first of `claims`; numbers go on from 0 after the last one there is,
    /// which does no harm since far fewer are known at a time.
    first: u32,
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
    digest: Digest,
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

    fn live_owner(&self, key: Digest, now: Timestamp) -> Option<Uuid> {
        let is_live = |owner: &&Owner| owner.expires_at > now.as_millis();
        self.owner(&key).filter(is_live).map(|owner| owner.event)
    }

    /// Whether the group of that turn took one after `first` and before `id`: ids rise with the
    /// order of arrival.
    fn has_turned_between(&self, first: Uuid, turn: Digest, id: Uuid) -> bool {
        self.owner(&turn).is_some_and(|turned| first < turned.event && turned.event < id)
    }

    fn owner(&self, digest: &Digest) -> Option<&Owner> {
        let number = self.latest.find(hash(digest), |number| self.digest_of(*number) == Some(digest))?;
        self.claim(*number).map(|claim| &claim.owner)
    }

    fn keep(&mut self, claim: Claim) {
        self.unlist(&claim.digest, None);
        let number = self.first.wrapping_add(u32::try_from(self.claims.len()).unwrap_or(u32::MAX));
        self.claims.push_back(claim);
        let Self { claims, latest, first } = self;
        latest.insert_unique(hash(&claim.digest), number, |number| {
            claim_of(claims, *first, *number).map_or(0, |claim| hash(&claim.digest))
        });
        while self.claims.len() > ROOM {
            self.forget_oldest();
        }
    }

    fn make_room(&mut self, now: Timestamp) {
        while self.claims.front().is_some_and(|claim| claim.owner.expires_at <= now.as_millis()) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(oldest) = self.claims.front().copied() else { return };
        // It may have been claimed again since.
        self.unlist(&oldest.digest, Some(self.first));
        self.claims.pop_front();
        self.first = self.first.wrapping_add(1);
    }

    /// Takes the digest's latest claim off the list, if it is the one of that number.
    fn unlist(&mut self, digest: &Digest, only: Option<u32>) {
        let Self { claims, latest, first } = self;
        let is_it = |number: &u32| {
            only.is_none_or(|only| only == *number)
                && claim_of(claims, *first, *number).is_some_and(|claim| claim.digest == *digest)
        };
        if let Ok(listed) = latest.find_entry(hash(digest), is_it) {
            listed.remove();
        }
    }

    fn digest_of(&self, number: u32) -> Option<&Digest> {
        self.claim(number).map(|claim| &claim.digest)
    }

    fn claim(&self, number: u32) -> Option<&Claim> {
        claim_of(&self.claims, self.first, number)
    }
}

fn claim_of(claims: &VecDeque<Claim>, first: u32, number: u32) -> Option<&Claim> {
    claims.get(number.wrapping_sub(first) as usize)
}

/// A digest is as good as random already.
fn hash(digest: &Digest) -> u64 {
    digest.first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes))
}

impl Owner {
    fn new(event: Uuid, twin: &TwinKey) -> Self {
        Self { event, expires_at: twin.expires_at.as_millis() }
    }
}

impl Claim {
    fn pack(&self) -> [u8; PACKED] {
        let mut packed = [0; PACKED];
        packed[..16].copy_from_slice(&self.digest);
        packed[16..32].copy_from_slice(self.owner.event.as_bytes());
        packed[32..].copy_from_slice(&self.owner.expires_at.to_be_bytes());
        packed
    }

    fn unpack(packed: &[u8]) -> Option<Self> {
        let (digest, rest) = packed.split_first_chunk()?;
        let (event, rest) = rest.split_first_chunk()?;
        let (expires_at, _) = rest.split_first_chunk()?;
        let owner = Owner { event: Uuid::from_bytes(*event), expires_at: i64::from_be_bytes(*expires_at) };
        Some(Self { digest: *digest, owner })
    }
}

fn digest(key: &str) -> Digest {
    let digest = Sha256::digest(key);
    digest.first_chunk().copied().unwrap_or_default()
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
        assert_eq!(recent.claims.len(), 2);
    }

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let mut recent = Recent::default();
        for number in 0..ROOM as u64 + 10 {
            judge(&mut recent, &event(number, &number.to_string(), false, NOW));
        }
        assert_eq!((recent.claims.len(), recent.latest.len()), (ROOM, ROOM));
        assert_eq!(
            judge(&mut recent, &event(ROOM as u64 + 10, "9", false, NOW)),
            Stored::New,
            "the oldest went"
        );
    }

    #[test]
    fn numbers_that_begin_anew_confuse_no_keys() {
        let mut recent = Recent { first: u32::MAX - 1, ..Recent::default() };
        for number in 0..4 {
            judge(&mut recent, &event(number, &number.to_string(), false, NOW.plus(WINDOW * number as u32)));
        }
        assert_eq!(recent.claims.len(), 1, "the others have lapsed");
        judge(&mut recent, &event(4, "4", false, NOW.plus(WINDOW * 3)));

        for (number, key) in [(3, "3"), (4, "4")] {
            let again = event(9, key, false, NOW.plus(WINDOW * 3));
            assert_eq!(judge(&mut recent, &again), Stored::TwinOf(id(number)));
        }
        assert_eq!(judge(&mut recent, &event(10, "2", false, NOW.plus(WINDOW * 3))), Stored::New);
    }

    #[test]
    fn a_packed_claim_is_the_same_unpacked() {
        let claim = Claim { digest: [7; 16], owner: Owner { event: Uuid::from_u128(9), expires_at: -3 } };

        assert_eq!(Claim::unpack(&claim.pack()), Some(claim));
    }
}
