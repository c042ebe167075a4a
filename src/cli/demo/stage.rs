//! Everything the story needs, built up and taken down: a folder, four receivers, and the
//! service itself, started as `serve` starts it.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::receivers::Receivers;
use super::service::Service;
use crate::app::{App, Start, configuration};
use crate::domain::clock::SharedClock;
use crate::domain::random::SystemRandom;

/// The stage, set.
pub struct Stage {
    /// The service, over HTTP.
    pub service: Service,
    /// Who it sends to.
    pub receivers: Receivers,
    running: JoinHandle<anyhow::Result<()>>,
    stop: oneshot::Sender<()>,
    folder: TempDir,
}

impl Stage {
    /// Starts the receivers, then the service on `listen` with an empty database in a
    /// temporary folder.
    ///
    /// # Errors
    /// When the address or the folder cannot be had.
    pub async fn set(listen: SocketAddr, clock: &SharedClock) -> anyhow::Result<Self> {
        let listen = settle_port(listen)?;
        let receivers = Receivers::start(clock).await?;
        let folder = tempfile::Builder::new()
            .prefix("modelpager-demo-")
            .tempdir()
            .context("could not make a temporary folder")?;
        let base = format!("http://{listen}");
        let database = folder.path().join("modelpager.db");
        let text = receivers.configuration(&listen.to_string(), &base, &database.to_string_lossy());
        let start = Start {
            configuration: configuration::parse(&text)?,
            file: None,
            clock: clock.clone(),
            random: Arc::new(SystemRandom),
        };
        let app = App::start(start).await?;
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(app.run_until(async {
            // A stage that is gone is a reason to stop as well.
            let _ = stopped.await;
        }));
        Ok(Self { service: Service::at(base), receivers, running, stop, folder })
    }

    /// Completes when the service ended by itself, with the reason.
    pub async fn service_ends(&mut self) -> anyhow::Error {
        match (&mut self.running).await {
            Ok(Ok(())) => anyhow::anyhow!("the service ended"),
            Ok(Err(error)) => error,
            Err(error) => error.into(),
        }
    }

    /// Stops the service in order and removes the folder.
    ///
    /// # Errors
    /// When a part of the service had failed, or the folder cannot be removed.
    pub async fn strike(self) -> anyhow::Result<()> {
        // Refused only when the service has ended already.
        let _ = self.stop.send(());
        self.running.await??;
        self.folder.close().context("could not remove the temporary folder")
    }
}

/// The address to listen on, free at this moment; port 0 becomes one that is.
fn settle_port(listen: SocketAddr) -> anyhow::Result<SocketAddr> {
    let probe = TcpListener::bind(listen).with_context(|| {
        format!("could not listen on {listen}; choose another address with --listen, for instance --listen 127.0.0.1:0")
    })?;
    Ok(probe.local_addr()?)
}
