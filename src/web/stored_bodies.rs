//! The bodies of stored events while requests work on them: one limit of memory for all of them
//! together, until the client has read the answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::problem::{Kind, Problem};

/// How much of stored bodies is in memory at the same time, in KiB. Each costs several times its
/// size until it is answered with.
const MOST_KIB: u32 = 16 * 1024;
/// How long a request waits for others.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much of an answer is handed to the connection at once, in bytes: what waits there for a slow
/// client counts nowhere.
const PIECE: usize = 64 * 1024;

static ROOM: Semaphore = Semaphore::const_new(MOST_KIB as usize);

/// Room for one body; given back when dropped.
#[derive(Debug)]
pub struct Held(#[expect(dead_code, reason = "held until dropped")] SemaphorePermit<'static>);

/// Waits for room for a body of so many bytes. One that is larger than all the room takes all of it.
///
/// # Errors
/// 503 when others need the room for too long.
pub async fn hold(bytes: i64) -> Result<Held, Problem> {
    let kib = u32::try_from(bytes / 1024 + 1).unwrap_or(MOST_KIB).min(MOST_KIB);
    match tokio::time::timeout(PATIENCE, ROOM.acquire_many(kib)).await {
        Ok(permit) => permit.map(Held).map_err(Problem::internal),
        Err(_) => Err(Problem::new(
            Kind::Unavailable,
            "too many large events are being read: try again in a moment",
        )),
    }
}

/// An answer made of a stored body, handed out in pieces.
#[derive(Debug)]
pub struct HeldAnswer {
    left: Bytes,
    _held: Held,
}

impl HeldAnswer {
    /// Holds the room until the last piece is handed out.
    pub fn new(answer: impl Into<Bytes>, held: Held) -> Self {
        Self { left: answer.into(), _held: held }
    }
}

impl MessageBody for HeldAnswer {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.left.len() as u64)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let piece = self.left.len().min(PIECE);
        Poll::Ready(Some(Ok(self.left.split_to(piece))))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_body_waits_for_room_until_the_answer_before_is_handed_out() {
        let large = hold(i64::MAX).await.unwrap();

        assert!(hold(1).now_or_never().is_none());

        let answer = HeldAnswer::new(vec![b'x'; 3 * PIECE + 1], large);
        assert_eq!(to_bytes(answer).await.unwrap().len(), 3 * PIECE + 1);
        let (small, smaller) = (hold(1).await.unwrap(), hold(0).await.unwrap());
        drop((small, smaller));
    }
}
