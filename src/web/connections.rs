//! The open connections of clients, and room for one more: when there are as many as the process
//! may hold, the one that was silent for longest is closed. Clients that keep connections they do
//! not use never keep an alert out.

use std::collections::HashMap;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;

use actix_web::dev::Extensions;
use parking_lot::Mutex;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The most connections at a time, however many files may be open. Pages that are open in a
/// browser hold one each.
const MOST: u64 = 8_192;
/// Files for everything else: the database, providers, configuration, logs.
const RESERVED_FILES: u64 = 256;
/// Files that one connection takes: the library's, and ours to close it by.
const FILES_EACH: u64 = 2;
/// How many files are asked for.
const WANTED_FILES: u64 = MOST * FILES_EACH + RESERVED_FILES;

/// Raises the limit of open files as far as this process needs and may; answers the limit.
pub fn raise_file_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let current = limit.current.unwrap_or(u64::MAX);
    let raised = WANTED_FILES.min(limit.maximum.unwrap_or(u64::MAX));
    if raised <= current {
        return current;
    }
    let wanted = Rlimit { current: Some(raised), maximum: limit.maximum };
    match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => raised,
        Err(error) => {
            tracing::warn!(%error, current, raised, "the limit of open files could not be raised");
            current
        }
    }
}

/// Every open connection.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Mutex<Table>>);

#[derive(Debug)]
struct Table {
    most: usize,
    /// Counts what is heard of any connection.
    heard: u64,
    open: HashMap<u64, Open>,
}

#[derive(Debug)]
struct Open {
    /// A second handle of the connection's socket.
    socket: TcpStream,
    heard: u64,
    phase: Phase,
}

/// Who waits for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// For a request, or for its client to read an answer.
    Idle,
    /// We wait for the rest of a body.
    Reading,
    /// The client waits for its answer.
    Serving,
}

/// One connection, as its requests see it. It is forgotten when the last of them is dropped.
#[derive(Clone, Debug)]
pub struct Connection(Arc<Member>);

#[derive(Debug)]
struct Member {
    number: u64,
    table: Arc<Mutex<Table>>,
}

impl Connections {
    /// For a process that may have `file_limit` files open.
    pub fn new(file_limit: u64) -> Self {
        let most = (file_limit.saturating_sub(RESERVED_FILES) / FILES_EACH).clamp(16, MOST);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self(Arc::new(Mutex::new(Table { most, heard: 0, open: HashMap::new() })))
    }

    /// Notes a new connection, which leaves its mark in `data`, and makes room for it.
    pub fn opened(&self, stream: &impl AsFd, data: &mut Extensions) {
        match stream.as_fd().try_clone_to_owned() {
            Ok(socket) => {
                data.insert(self.insert(TcpStream::from(socket)));
            }
            // It serves all the same; it only cannot be closed to make room.
            Err(error) => tracing::warn!(%error, "a connection is not watched"),
        }
    }

    /// Closes the connections whose clients have not sent their bodies to the end: nothing of those was
    /// taken, and their clients see that.
    pub fn close_unfinished(&self) {
        for open in self.0.lock().open.values().filter(|open| open.phase == Phase::Reading) {
            let _ = open.socket.shutdown(Shutdown::Both);
        }
    }

    fn insert(&self, socket: TcpStream) -> Connection {
        let mut table = self.0.lock();
        if table.open.len() >= table.most {
            table.make_room();
        }
        let number = table.next();
        table.open.insert(number, Open { socket, heard: number, phase: Phase::Idle });
        Connection(Arc::new(Member { number, table: self.0.clone() }))
    }
}

impl Table {
    fn next(&mut self) -> u64 {
        self.heard += 1;
        self.heard
    }

    fn make_room(&mut self) {
        let silent = self.open.iter().filter(|(_, open)| open.phase != Phase::Serving);
        let Some(number) = silent.min_by_key(|(_, open)| open.heard).map(|(number, _)| *number) else {
            return;
        };
        if let Some(open) = self.open.remove(&number) {
            // The server sees the end of it and lets go of its own handle.
            let _ = open.socket.shutdown(Shutdown::Both);
        }
    }
}

impl Connection {
    /// A part of a body came, and there is more to come.
    pub fn reading(&self) {
        self.mark(Phase::Reading);
    }

    /// A request is complete: the client waits for its answer.
    pub fn serving(&self) {
        self.mark(Phase::Serving);
    }

    /// The answer has begun.
    pub fn answered(&self) {
        self.mark(Phase::Idle);
    }

    fn mark(&self, phase: Phase) {
        let mut table = self.0.table.lock();
        let heard = table.next();
        if let Some(open) = table.open.get_mut(&self.0.number) {
            open.heard = heard;
            open.phase = phase;
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.table.lock().open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;

    use super::*;

    /// Two ends of a connection.
    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (client, listener.accept().unwrap().0)
    }

    fn is_open(client: &TcpStream) -> bool {
        client.set_nonblocking(true).unwrap();
        (&*client).read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    #[test]
    fn when_it_is_full_the_connection_that_was_silent_for_longest_is_closed() {
        let connections =
            Connections(Arc::new(Mutex::new(Table { most: 3, heard: 0, open: HashMap::new() })));
        let (clients, servers): (Vec<_>, Vec<_>) = (0..4).map(|_| pair()).unzip();
        let mut servers = servers.into_iter().map(|server| connections.insert(server));
        let (first, second, _third) =
            (servers.next().unwrap(), servers.next().unwrap(), servers.next().unwrap());

        first.serving();
        second.reading();
        let _fourth = servers.next().unwrap();

        assert_eq!(clients.iter().map(is_open).collect::<Vec<_>>(), [true, true, false, true]);
    }

    #[test]
    fn a_connection_that_ended_takes_no_place() {
        let connections = Connections::new(1_024);
        let (_client, server) = pair();

        let connection = connections.insert(server);
        drop(connection.clone());
        assert_eq!(connections.0.lock().open.len(), 1);
        drop(connection);

        assert_eq!(connections.0.lock().open.len(), 0);
    }
}
