//! Request bodies: a time limit for each of them, one limit of memory for all of them together,
//! and a clean end of the connection for those that nobody read to their end.
//!
//! The HTTP library limits the time for a request's head alone, and goes on reading for
//! ever what a handler has left of a chunked body. Here every body gets a deadline; and an
//! answer given before the body's end keeps hold of what is left, which makes the library
//! finish the answer, throw away what still comes for a short while (so that the client
//! sees the answer rather than a broken connection), and close.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpMessage as _;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::stream::{LocalBoxStream, Stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use super::connections::Connection;

/// How much of each body is free of charge, in bytes. The number of connections bounds what that
/// can add up to; so a small body, such as that of one alert, is never turned away because others
/// send large ones.
const SMALL: usize = 16 * 1024;
/// How much of the larger bodies may be in memory at the same time, in bytes, unless two of the
/// largest allowed need more. A body costs several times its size until it is worked on.
const LARGE: usize = 32 * 1024 * 1024;

/// The memory that all bodies together may take while they are read and worked on.
#[derive(Clone, Debug)]
pub struct BodyBudget(Arc<Semaphore>);

impl BodyBudget {
    /// For bodies of up to `max_body_bytes`.
    pub fn new(max_body_bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(LARGE.max(2 * max_body_bytes))))
    }
}

/// What one body takes of the budget; given back when dropped.
struct Charge {
    budget: Option<BodyBudget>,
    read: usize,
    held: Option<OwnedSemaphorePermit>,
}

impl Charge {
    /// Whether there is room for `bytes` more.
    fn add(&mut self, bytes: usize) -> bool {
        let charged = self.read.saturating_sub(SMALL);
        self.read += bytes;
        let more = self.read.saturating_sub(SMALL) - charged;
        let Some(budget) = self.budget.as_ref().filter(|_| more > 0) else { return true };
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let Ok(permit) = budget.0.clone().try_acquire_many_owned(more) else { return false };
        match &mut self.held {
            Some(held) => held.merge(permit),
            none => *none = Some(permit),
        }
        true
    }
}

/// A body shared by the handler that reads it and the envelope that watches it.
#[derive(Clone)]
pub struct WatchedBody(Rc<RefCell<Inner>>);

struct Inner {
    payload: Payload,
    deadline: Pin<Box<Sleep>>,
    charge: Charge,
    connection: Option<Connection>,
    ended: bool,
}

impl WatchedBody {
    /// Puts a deadline on the request's body and charges it to `budget`, until the request is
    /// answered. `None` when it has no body.
    pub fn watch(req: &mut ServiceRequest, limit: Duration, budget: Option<BodyBudget>) -> Option<Self> {
        let payload = req.take_payload();
        if matches!(payload, Payload::None) {
            return None;
        }
        let connection = req.conn_data::<Connection>().cloned();
        let deadline = Box::pin(tokio::time::sleep_until(Instant::now() + limit));
        let watched = Self(Rc::new(RefCell::new(Inner {
            payload,
            deadline,
            charge: Charge { budget, read: 0, held: None },
            connection,
            ended: false,
        })));
        let stream: LocalBoxStream<'static, _> = Box::pin(watched.clone());
        req.set_payload(Payload::from(stream));
        Some(watched)
    }

    /// Makes an answer that comes before the body's end also end the connection.
    pub fn finish(self, response: ServiceResponse) -> ServiceResponse {
        if self.0.borrow().ended {
            return response;
        }
        response.map_body(|_, body| BoxBody::new(AnswerBeforeEnd { body, _unread: self }))
    }
}

/// Whether an error of a body is that others take all the memory there is for bodies.
pub fn is_crowded(error: &PayloadError) -> bool {
    matches!(error, PayloadError::Io(error) if error.kind() == io::ErrorKind::ResourceBusy)
}

/// Whether an error of a body is that it took too long.
pub fn is_late(error: &PayloadError) -> bool {
    matches!(error, PayloadError::Io(error) if error.kind() == io::ErrorKind::TimedOut)
}

impl Stream for WatchedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut inner = self.0.borrow_mut();
        let next = Pin::new(&mut inner.payload).poll_next(cx);
        if let (Some(connection), Poll::Ready(next)) = (&inner.connection, &next) {
            match next {
                Some(_) => connection.reading(),
                None => connection.serving(),
            }
        }
        match next {
            Poll::Ready(None) => {
                inner.ended = true;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(chunk))) if !inner.charge.add(chunk.len()) => {
                Poll::Ready(Some(Err(PayloadError::Io(io::Error::from(io::ErrorKind::ResourceBusy)))))
            }
            Poll::Ready(some) => Poll::Ready(some),
            Poll::Pending => inner
                .deadline
                .as_mut()
                .poll(cx)
                .map(|()| Some(Err(PayloadError::Io(io::Error::from(io::ErrorKind::TimedOut))))),
        }
    }
}

/// The body of an answer that holds on to what is left of the request's.
struct AnswerBeforeEnd {
    body: BoxBody,
    _unread: WatchedBody,
}

impl MessageBody for AnswerBeforeEnd {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn charge(budget: &BodyBudget) -> Charge {
        Charge { budget: Some(budget.clone()), read: 0, held: None }
    }

    #[test]
    fn large_bodies_share_one_limit_and_give_back_what_they_took() {
        let budget = BodyBudget::new(16 * MIB);
        let (mut first, mut second) = (charge(&budget), charge(&budget));

        assert!(first.add(16 * MIB));
        assert!(second.add(8 * MIB) && second.add(8 * MIB));
        let mut third = charge(&budget);
        assert!(!third.add(MIB));

        drop(first);
        assert!(charge(&budget).add(16 * MIB));
    }

    #[test]
    fn small_bodies_always_find_room() {
        let budget = BodyBudget::new(1);
        let mut greedy = charge(&budget);
        assert!(greedy.add(LARGE));

        let mut alert = charge(&budget);
        assert!(alert.add(1_300) && alert.add(SMALL - 1_300));
        assert!(greedy.add(SMALL));
        assert!(!alert.add(1));
    }

    #[test]
    fn many_little_chunks_cost_what_they_hold() {
        let budget = BodyBudget::new(1);
        let mut drip = charge(&budget);
        for _ in 0..SMALL + 65_536 {
            assert!(drip.add(1));
        }

        assert_eq!(budget.0.available_permits(), LARGE - 65_536);
    }
}
