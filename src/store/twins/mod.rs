//! Twins: equal deliveries within a while, of which the first is stored and the others are
//! counted.
//!
//! On PostgreSQL [`keys`] that are unique decide between replicas. A SQLite file belongs to one
//! process, which decides by what it remembers ([`recent`]): a key of its own in a tree of keys
//! would cost every event a page of the file, at a random place. Either way [`turns`] tells what
//! holds again from what is said twice.

use std::collections::HashMap;

use super::events::TwinKey;
use crate::domain::clock::Timestamp;

mod keys;
mod recent;
mod turns;

pub(super) use keys::judge;
pub(super) use recent::{ClaimBatch, Recent};

/// A delivery that wants the key.
#[derive(Clone, Copy)]
pub(super) struct Claimant<'e> {
    /// The event's id: ids rise with the order of arrival.
    pub id: &'e str,
    pub at: Timestamp,
    pub twin: &'e TwinKey,
}

/// By twin key: the event that has it.
pub(super) type Owners = HashMap<String, String>;
