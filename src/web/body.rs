//! Request bodies: a time limit for each of them, and a clean end of the connection for
//! those that nobody read to their end.
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
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpMessage as _;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures_util::stream::{LocalBoxStream, Stream};
use tokio::time::{Instant, Sleep};

/// A body shared by the handler that reads it and the envelope that watches it.
#[derive(Clone)]
pub struct WatchedBody(Rc<RefCell<Inner>>);

struct Inner {
    payload: Payload,
    deadline: Pin<Box<Sleep>>,
    ended: bool,
}

impl WatchedBody {
    /// Puts a deadline on the request's body. `None` when it has no body.
    pub fn watch(req: &mut ServiceRequest, limit: Duration) -> Option<Self> {
        let payload = req.take_payload();
        if matches!(payload, Payload::None) {
            return None;
        }
        let deadline = Box::pin(tokio::time::sleep_until(Instant::now() + limit));
        let watched = Self(Rc::new(RefCell::new(Inner { payload, deadline, ended: false })));
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

/// Whether an error of a body is that it took too long.
pub fn is_late(error: &PayloadError) -> bool {
    matches!(error, PayloadError::Io(error) if error.kind() == io::ErrorKind::TimedOut)
}

impl Stream for WatchedBody {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut inner = self.0.borrow_mut();
        match Pin::new(&mut inner.payload).poll_next(cx) {
            Poll::Ready(None) => {
                inner.ended = true;
                Poll::Ready(None)
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
