//! Dispatch: from the outbox to the provider.
//!
//! One worker per channel leases due messages, renders and sends them; one recorder writes
//! how the attempts ended, many per transaction. Delivery is at least once and in order per
//! channel and dedup key: the store hands out a message only when no older one of its key
//! is unfinished. A channel that hangs or fails delays no other.
//!
//! Nothing here holds a transaction while it talks to a provider. A worker that dies during
//! a send leaves a lease behind; [`recovery`] finds it and says that the message may have
//! been sent.

mod alarm;
pub mod attempt;
pub mod breaker;
mod breakers;
pub mod conclude;
pub mod plan;
mod dispatcher;
mod ended;
mod fallback;
mod lookout;
mod fold;
mod give_back;
mod look;
mod orphans;
mod pace;
mod presence;
mod recorder;
mod recovery;
pub mod rehearsal;
mod sender;
mod shared;
mod steadiness;
mod trial;
mod unsure;

mod worker;

pub use dispatcher::Dispatcher;
pub use shared::Parts;
pub use trial::{Trial, TrialError, send_unlogged};
