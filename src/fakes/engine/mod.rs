//! A small HTTP/1.1 server on a loopback port that does what it is told, including the
//! things no server library would do: reset, hang, cut an answer in half, never end it.
//!
//! A [`Provider`] gives the usual answers; the script says for which requests something
//! else happens. Each request is recorded before anything else happens to it.

mod request;
mod step;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::watch;

pub use request::Request;
pub use step::{Answer, Step};

use super::listener::Listener;
use crate::domain::clock::SharedClock;
use step::Wire;

/// What a fake does with a well-formed request: checks it, changes its state, answers.
pub trait Provider: Send + Sync + 'static {
    /// The provider's answer. Called once for each request that reaches its state.
    fn answer(&self, request: &Request) -> Answer;
}

/// A running server; its connections end when this is stopped or dropped.
pub struct HttpServer {
    listener: Listener,
    shared: Arc<Shared>,
}

/// What the server's handle and its connections share.
struct Shared {
    clock: SharedClock,
    provider: Box<dyn Provider>,
    script: Mutex<Script>,
    requests: Mutex<Vec<Request>>,
    handled: watch::Sender<usize>,
}

#[derive(Default)]
struct Script {
    queue: VecDeque<Step>,
    always: Option<Step>,
}

impl HttpServer {
    /// Starts serving on a free loopback port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(clock: SharedClock, provider: Box<dyn Provider>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            clock,
            provider,
            script: Mutex::default(),
            requests: Mutex::default(),
            handled: watch::Sender::new(0),
        });
        let connections = Arc::clone(&shared);
        let serve = move |stream| serve(stream, Arc::clone(&connections)).boxed();
        let listener = Listener::start(Arc::new(serve)).await?;
        Ok(Self { listener, shared })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// Where it listens, also while it is stopped.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Puts steps at the end of the script; each is used by one request, in order.
    pub fn script(&self, steps: impl IntoIterator<Item = Step>) {
        self.shared.script.lock().queue.extend(steps);
    }

    /// From now on every request without a step of its own gets this one.
    pub fn always(&self, step: Step) {
        self.shared.script.lock().always = Some(step);
    }

    /// Forgets the script: back to the provider's usual answers.
    pub fn clear(&self) {
        *self.shared.script.lock() = Script::default();
    }

    /// How many scripted steps no request has used yet.
    pub fn steps_left(&self) -> usize {
        self.shared.script.lock().queue.len()
    }

    /// Every request read so far, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().clone()
    }

    /// Waits until `count` requests have been read and applied, or `limit` has passed;
    /// returns what there is then.
    pub async fn wait_for_requests(&self, count: usize, limit: Duration) -> Vec<Request> {
        let mut handled = self.shared.handled.subscribe();
        // Running out of time is not an error here: the caller looks at what came.
        let _ = tokio::time::timeout(limit, handled.wait_for(|&n| n >= count)).await;
        self.requests()
    }

    /// Stops listening and drops every connection: from now on connecting is refused.
    pub async fn stop(&self) {
        self.listener.stop().await;
    }

    /// Listens again on the same port; nothing happens when it is running.
    ///
    /// # Errors
    /// When another program has taken the port meanwhile.
    pub async fn restart(&self) -> io::Result<()> {
        self.listener.restart().await
    }
}

impl Shared {
    fn next_step(&self) -> Step {
        let mut script = self.script.lock();
        let always = script.always.clone();
        script.queue.pop_front().or(always).unwrap_or_else(Step::usual)
    }
}

/// Serves one connection until either side is done with it. What the peer does wrong
/// ends the connection; there is nobody to report it to.
async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let mut buffer = Vec::new();
    loop {
        if buffer.is_empty() && stream.peek(&mut [0]).await.unwrap_or(0) == 0 {
            return;
        }
        match serve_one(&mut stream, &mut buffer, &shared).await {
            Ok(Next::KeepAlive) => {}
            Ok(Next::Close) | Err(_) => return,
            Ok(Next::Reset) => {
                // With SO_LINGER 0 the close below sends RST in place of FIN.
                let _ = stream.set_zero_linger();
                return;
            }
        }
    }
}

/// What becomes of the connection after a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    KeepAlive,
    Close,
    Reset,
}

async fn serve_one(stream: &mut TcpStream, buffer: &mut Vec<u8>, shared: &Shared) -> io::Result<Next> {
    let step = shared.next_step();
    if step.wire == Wire::ResetUnread {
        return Ok(Next::Reset);
    }
    let Some(request) = request::read(stream, buffer, shared.clock.now()).await? else {
        return Ok(Next::Close);
    };
    let close = request.wants_close();
    shared.requests.lock().push(request.clone());
    let applied = step.applied.then(|| shared.provider.answer(&request));
    shared.handled.send_modify(|n| *n += 1);

    let answer = step.answer.or(applied).unwrap_or_else(|| Answer::text(200, ""));
    tokio::time::sleep(step.delay).await;
    let next = wire::write(stream, &answer, &step.wire).await?;
    Ok(if close && next == Next::KeepAlive { Next::Close } else { next })
}
