//! The provider: takes every message at once, remembers which it has seen and when.
//!
//! It runs on one thread of its own and answers with the same few bytes, so that what is
//! measured is the sender.

use std::cell::RefCell;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use super::wire;

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A running provider.
pub struct Sink {
    address: SocketAddr,
    distinct: Arc<AtomicU64>,
    received: Arc<AtomicU64>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<Vec<Arrival>>>,
}

/// A message that came for the first time.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The alert's number in its load.
    pub alert: u64,
    /// When it was read whole.
    pub at: Instant,
}

impl Sink {
    /// Starts one; `remembers_alerts` keeps the moment at which each alert was told, which
    /// costs a look into the body.
    ///
    /// # Errors
    /// When there is no port to listen on.
    pub fn start(remembers_alerts: bool) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (distinct, received) = (Arc::default(), Arc::default());
        let (stop, stopped) = oneshot::channel();
        let counters = (Arc::clone(&distinct), Arc::clone(&received));
        let thread = std::thread::Builder::new().name("sink".to_owned()).spawn(move || {
            let (distinct, received) = counters;
            let (ids, arrivals) = (RefCell::default(), RefCell::default());
            let seen = Rc::new(Seen { ids, arrivals, distinct, received, remembers_alerts });
            let served = serve(listener, seen.clone(), stopped);
            LocalSet::new().block_on(&runtime, served);
            seen.arrivals.take()
        })?;
        Ok(Self { address, distinct, received, stop: Some(stop), thread: Some(thread) })
    }

    /// Where to post to.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// How many different messages have come.
    pub fn distinct(&self) -> u64 {
        self.distinct.load(Ordering::Relaxed)
    }

    /// Counts different messages, for somebody who must not run ahead of them.
    pub fn distinct_counter(&self) -> Arc<AtomicU64> {
        self.distinct.clone()
    }

    /// How many messages came again.
    pub fn repeated(&self) -> u64 {
        self.received.load(Ordering::Relaxed).saturating_sub(self.distinct())
    }

    /// Ends it; answers when each alert was told first.
    pub fn stop(mut self) -> Vec<Arrival> {
        self.end()
    }

    fn end(&mut self) -> Vec<Arrival> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        self.thread.take().and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.end();
    }
}

/// What the provider has seen; on its own thread alone.
struct Seen {
    ids: RefCell<HashSet<u128>>,
    arrivals: RefCell<Vec<Arrival>>,
    distinct: Arc<AtomicU64>,
    received: Arc<AtomicU64>,
    remembers_alerts: bool,
}

impl Seen {
    fn take(&self, head: &[u8], body: &[u8], at: Instant) {
        let id = wire::header(head, b"webhook-id").and_then(hex).unwrap_or_default();
        self.received.fetch_add(1, Ordering::Relaxed);
        if !self.ids.borrow_mut().insert(id) {
            return;
        }
        self.distinct.fetch_add(1, Ordering::Relaxed);
        if self.remembers_alerts {
            self.arrivals.borrow_mut().push(Arrival { alert: alert_of(body).unwrap_or(u64::MAX), at });
        }
    }
}

async fn serve(listener: std::net::TcpListener, seen: Rc<Seen>, mut stopped: oneshot::Receiver<()>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        tokio::select! {
            _ = &mut stopped => return,
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    tokio::task::spawn_local(answer(stream, seen.clone()));
                }
            }
        }
    }
}

async fn answer(mut stream: TcpStream, seen: Rc<Seen>) {
    let _ = stream.set_nodelay(true);
    let mut buffer = vec![0; 64 * 1024];
    let mut filled = 0;
    loop {
        while let Some(frame) = wire::frame(&buffer[..filled]) {
            let (head, body) = buffer[..frame.len()].split_at(frame.head);
            seen.take(head, body, Instant::now());
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
            buffer.copy_within(frame.len()..filled, 0);
            filled -= frame.len();
        }
        if filled == buffer.len() {
            buffer.resize(filled * 2, 0);
        }
        match stream.read(&mut buffer[filled..]).await {
            Ok(read @ 1..) => filled += read,
            _ => return,
        }
    }
}

/// The number of the alert a message is about, from its fingerprint.
fn alert_of(body: &[u8]) -> Option<u64> {
    const MARK: &[u8] = b"\"fingerprint\":\"";
    let at = wire::find(body, MARK)? + MARK.len();
    u64::try_from(hex(body.get(at..at + 16)?)?).ok()
}

/// A number in hexadecimal digits; hyphens do not matter.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().filter(|&&digit| digit != b'-').try_fold(0_u128, |number, &digit| {
        let digit = (digit as char).to_digit(16)?;
        Some(number << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_that_comes_again_is_counted_apart() {
        let sink = Sink::start(true).unwrap();
        let mut connection = wire::Connection::open(sink.address).await.unwrap();
        for id in ["0199-01", "0199-02", "0199-01"] {
            let body = "{\"fingerprint\":\"000000000000002a\"}";
            let request = format!("POST / HTTP/1.1\r\nwebhook-id: {id}\r\ncontent-length: 34\r\n\r\n{body}");
            let answer = connection.exchange(request.as_bytes()).await.unwrap();
            assert_eq!(answer.status, 200);
        }

        assert_eq!((sink.distinct(), sink.repeated()), (2, 1));
        let alerts: Vec<u64> = sink.stop().iter().map(|arrival| arrival.alert).collect();
        assert_eq!(alerts, [42, 42]);
    }

    #[test]
    fn ids_are_numbers_in_hexadecimal_digits() {
        assert_eq!(hex(b"01-ff"), Some(0x1ff));
        assert_eq!(hex(b"xyz"), None);
    }
}
