//! A loopback port that can be closed and opened again, and the connections it took.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What is done with a connection.
pub(super) type Serve = Arc<dyn Fn(TcpStream) -> BoxFuture<'static, ()> + Send + Sync>;

/// Owns the task that takes connections; they end when it is stopped or dropped.
pub(super) struct Listener {
    address: SocketAddr,
    serve: Serve,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Listener {
    /// Listens on a free port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(serve: Serve) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(accept(listener, Arc::clone(&serve)));
        Ok(Self { address, serve, task: Mutex::new(Some(task)) })
    }

    /// Where it listens, also while it is stopped.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port and every connection; both are closed when this returns.
    pub async fn stop(&self) {
        let task = self.task.lock().take();
        if let Some(task) = task {
            task.abort();
            // An aborted task ends with an error that says so.
            let _ = task.await;
        }
    }

    /// Listens again on the same port; nothing happens when it does already.
    ///
    /// # Errors
    /// When another program has taken the port meanwhile.
    pub async fn restart(&self) -> io::Result<()> {
        if self.task.lock().is_some() {
            return Ok(());
        }
        let listener = TcpListener::bind(self.address).await?;
        *self.task.lock() = Some(tokio::spawn(accept(listener, Arc::clone(&self.serve))));
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().take() {
            task.abort();
        }
    }
}

/// Takes connections until it is aborted; the connections end with it.
async fn accept(listener: TcpListener, serve: Serve) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        if let Ok((stream, _)) = accepted {
            connections.spawn(serve(stream));
        }
    }
}
