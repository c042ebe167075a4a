//! The load generator: one thread, many keep-alive connections.
//!
//! A *closed* loop sends the next request when the last is answered: it finds how much a
//! server can take. An *open* loop sends when the schedule says so, whatever became of
//! the requests before, and counts every latency from the scheduled moment: waiting is
//! not hidden.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use super::body::{Identity, Request};
use super::stats::Samples;
use super::wire::Connection;

/// How long a connection waits where the sender must not go ahead any further.
const HOLD: Duration = Duration::from_millis(1);
/// The shortest pause of the pacemaker: what falls due within it is sent together.
const TICK: Duration = Duration::from_micros(200);

/// What to send where.
#[derive(Clone, Debug)]
pub struct Load {
    /// The server.
    pub target: SocketAddr,
    /// How many connections.
    pub connections: usize,
    /// Which alerts.
    pub identity: Identity,
    /// How many alerts in one request.
    pub alerts: usize,
    /// The number of the first request.
    pub first: u64,
}

/// When a closed loop counts and when it ends.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Sent before anything counts.
    pub warm_up: Duration,
    /// How long to count.
    pub measure: Duration,
    /// Ends the loop earlier: after so many requests.
    pub at_most: Option<u64>,
    /// Keeps the loop from running further ahead than this of what was seen to be done.
    pub ahead: Option<Ahead>,
}

/// How far requests may run ahead of what becomes of them.
#[derive(Clone, Debug)]
pub struct Ahead {
    /// Counts what is done, in alerts.
    pub done: Arc<AtomicU64>,
    /// So many alerts may be under way.
    pub limit: u64,
}

/// What an open loop sends.
#[derive(Clone, Copy, Debug)]
pub struct Open {
    /// Requests a second.
    pub rate: f64,
    /// How many requests.
    pub count: u64,
}

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Answered 200 and taken, within the measured time.
    pub accepted: u64,
    /// The same over the whole run.
    pub accepted_in_all: u64,
    /// Answered otherwise, over the whole run.
    pub refused: u64,
    /// Broken connections and silence, over the whole run.
    pub broken: u64,
    /// The measured time.
    pub elapsed: Duration,
    /// From the send (closed) or the schedule (open) to the answer.
    pub latency: Samples,
    /// How late requests of an open loop were sent: the generator's own fault, or for
    /// want of a free connection.
    pub lateness: Samples,
    /// The number after the last request.
    pub next: u64,
}

impl Outcome {
    /// Taken requests per second.
    pub fn per_second(&self) -> f64 {
        self.accepted as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// What all connections of a run share.
struct Run {
    request: Request,
    next: Cell<u64>,
    outcome: RefCell<Outcome>,
    count_from: Instant,
}

impl Run {
    fn new(load: &Load, count_from: Instant) -> Rc<Self> {
        Rc::new(Self {
            request: Request::new(load.target, load.identity, load.alerts),
            next: Cell::new(load.first),
            outcome: RefCell::new(Outcome { latency: Samples::with_capacity(1 << 20), ..Outcome::default() }),
            count_from,
        })
    }

    fn take_number(&self) -> u64 {
        self.next.replace(self.next.get() + 1)
    }

    /// Sends one request; a broken connection is opened again.
    async fn send(&self, connection: &mut Connection, target: SocketAddr, bytes: &[u8], from: Instant) {
        let answer = connection.exchange(bytes).await.map(|answer| {
            // A duplicate is answered 200, too, and stores nothing.
            answer.status == 200 && !answer.body.windows(10).any(|word| word == b"\"duplicate")
        });
        let now = Instant::now();
        let is_broken = answer.is_err();
        {
            let mut outcome = self.outcome.borrow_mut();
            match answer {
                Ok(true) => {
                    outcome.accepted_in_all += 1;
                    if now >= self.count_from {
                        outcome.accepted += 1;
                        outcome.latency.add(now.duration_since(from));
                    }
                }
                Ok(false) => outcome.refused += 1,
                Err(_) => outcome.broken += 1,
            }
        }
        if is_broken {
            tokio::time::sleep(HOLD).await;
            if let Ok(fresh) = Connection::open(target).await {
                *connection = fresh;
            }
        }
    }

    fn finish(&self, elapsed: Duration) -> Outcome {
        let mut outcome = self.outcome.take();
        outcome.elapsed = elapsed;
        outcome.next = self.next.get();
        outcome
    }
}

/// Runs a closed loop; blocks until it is over.
///
/// # Errors
/// When the server cannot be reached at the start.
pub fn closed(load: &Load, plan: &Closed) -> anyhow::Result<Outcome> {
    on_one_thread(async {
        let connections = open_connections(load).await?;
        let count_from = Instant::now() + plan.warm_up;
        let end = count_from + plan.measure;
        let run = Run::new(load, count_from);
        let local = LocalSet::new();
        for mut connection in connections {
            let (run, plan, target) = (run.clone(), plan.clone(), load.target);
            let mut request = run.request.clone();
            local.spawn_local(async move {
                while Instant::now() < end && !run.is_enough(&plan) {
                    if run.is_ahead(&plan) {
                        tokio::time::sleep(HOLD).await;
                        continue;
                    }
                    let bytes = request.number(run.take_number());
                    run.send(&mut connection, target, bytes, Instant::now()).await;
                }
            });
        }
        local.await;
        Ok(run.finish(Instant::now().duration_since(count_from)))
    })
}

impl Run {
    fn is_enough(&self, plan: &Closed) -> bool {
        plan.at_most.is_some_and(|most| self.next.get() >= most)
    }

    fn is_ahead(&self, plan: &Closed) -> bool {
        plan.ahead.as_ref().is_some_and(|ahead| {
            let sent = self.next.get() * self.request.alerts() as u64;
            sent.saturating_sub(ahead.done.load(Ordering::Relaxed)) >= ahead.limit
        })
    }
}

/// Runs an open loop that begins at `start`; blocks until every request has its answer.
///
/// # Errors
/// When the server cannot be reached at the start.
pub fn open(load: &Load, plan: Open, start: Instant) -> anyhow::Result<Outcome> {
    on_one_thread(async {
        let connections = open_connections(load).await?;
        let run = Run::new(load, start);
        let (due, schedule) = mpsc::unbounded_channel();
        let pacemaker = std::thread::spawn(move || pace(plan, start, &due));
        let schedule = Rc::new(tokio::sync::Mutex::new(schedule));
        let local = LocalSet::new();
        for mut connection in connections {
            let (run, schedule, target) = (run.clone(), schedule.clone(), load.target);
            let mut request = run.request.clone();
            local.spawn_local(async move {
                loop {
                    let next = schedule.lock().await.recv().await;
                    let Some(due) = next else { return };
                    let bytes = request.number(run.take_number());
                    run.outcome.borrow_mut().lateness.add(due.elapsed());
                    run.send(&mut connection, target, bytes, due).await;
                }
            });
        }
        local.await;
        let elapsed = start.elapsed();
        let _ = pacemaker.join();
        Ok(run.finish(elapsed))
    })
}

/// When the request of this place in the schedule is due.
pub fn due(start: Instant, rate: f64, place: u64) -> Instant {
    start + Duration::from_secs_f64(place as f64 / rate)
}

/// Says when requests are due, at their time and in their order. What the machine kept it
/// from saying in time it says late, with the time at which it was due.
fn pace(plan: Open, start: Instant, say: &mpsc::UnboundedSender<Instant>) {
    let mut place = 0;
    while place < plan.count {
        let next = due(start, plan.rate, place);
        let wait = next.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            std::thread::sleep(wait.max(TICK));
            continue;
        }
        if say.send(next).is_err() {
            return;
        }
        place += 1;
    }
}

async fn open_connections(load: &Load) -> anyhow::Result<Vec<Connection>> {
    let mut connections = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        let opened = Connection::open(load.target).await;
        connections.push(opened.with_context(|| format!("could not connect to {}", load.target))?);
    }
    Ok(connections)
}

fn on_one_thread<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;

    /// A server of one connection that takes its time for the first request.
    fn server(first_takes: Duration) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = vec![0; 64 * 1024];
            let mut wait = first_takes;
            let mut filled = 0;
            while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]) {
                filled += read;
                if super::super::wire::frame(&buffer[..filled]).is_none() {
                    continue;
                }
                filled = 0;
                std::thread::sleep(std::mem::take(&mut wait));
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            }
        });
        address
    }

    fn load(target: SocketAddr) -> Load {
        Load { target, connections: 1, identity: Identity::Unique, alerts: 1, first: 0 }
    }

    #[test]
    fn an_open_loop_counts_the_waiting_that_a_slow_answer_caused() {
        let slow = Duration::from_millis(300);
        let target = server(slow);
        let plan = Open { rate: 100.0, count: 20 };

        let mut outcome = open(&load(target), plan, Instant::now()).unwrap();

        // All twenty were due within the first 200 ms and none was answered before 300.
        assert_eq!((outcome.accepted, outcome.refused, outcome.broken), (20, 0, 0));
        assert!(outcome.latency.percentile_ms(0.0).unwrap() >= 100.0);
        assert!(outcome.latency.percentile_ms(100.0).unwrap() >= 300.0);
        assert!(outcome.lateness.percentile_ms(100.0).unwrap() >= 100.0);
    }

    #[test]
    fn a_schedule_is_spread_evenly_from_its_start() {
        let start = Instant::now();

        assert_eq!(due(start, 500.0, 0), start);
        assert_eq!(due(start, 500.0, 1), start + Duration::from_millis(2));
        assert_eq!(due(start, 500.0, 1_000), start + Duration::from_secs(2));
    }

    #[test]
    fn the_pacemaker_says_every_moment_once_and_never_early() {
        let start = Instant::now();
        let (say, mut said) = mpsc::unbounded_channel();

        pace(Open { rate: 10_000.0, count: 100 }, start, &say);

        let mut place = 0;
        while let Ok(moment) = said.try_recv() {
            assert_eq!(moment, due(start, 10_000.0, place));
            place += 1;
        }
        assert_eq!(place, 100);
        assert!(Instant::now() >= due(start, 10_000.0, 99));
    }

    #[test]
    fn a_closed_loop_ends_after_its_count_and_stays_within_its_limit() {
        let done = Arc::new(AtomicU64::new(0));
        let plan = Closed {
            warm_up: Duration::ZERO,
            measure: Duration::from_millis(300),
            at_most: Some(1_000),
            ahead: Some(Ahead { done, limit: 5 }),
        };

        let outcome = closed(&load(server(Duration::ZERO)), &plan).unwrap();

        assert_eq!(outcome.accepted, 5);
    }
}
