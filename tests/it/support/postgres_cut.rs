//! A way to PostgreSQL that breaks at a chosen commit: the server commits, and the answer does
//! not arrive, as when the network fails at that moment.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The way. It breaks for good when this is dropped.
pub struct Cutter {
    url: String,
    plan: Arc<Mutex<Plan>>,
    listening: JoinHandle<()>,
}

#[derive(Default)]
struct Plan {
    /// What a transaction has to contain for its commit to be cut.
    wanted: Option<&'static str>,
    cuts: usize,
}

impl Cutter {
    /// A way to the server of `url`, which names a host and a port.
    pub async fn before(url: &str) -> Self {
        let (head, tail) = url.split_once('@').unwrap();
        let (address, path) = tail.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let path = path.split('?').next().unwrap();
        let plan = Arc::<Mutex<Plan>>::default();
        let (address, connecting) = (address.to_owned(), plan.clone());
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (address, plan) = (address.clone(), connecting.clone());
                // A connection that breaks is what this is for.
                tokio::spawn(async move {
                    let server = TcpStream::connect(address).await?;
                    Connection { client, server, plan, prepared: HashMap::new(), run: String::new() }
                        .relay()
                        .await
                });
            }
        });
        Self { url: format!("{head}@127.0.0.1:{port}/{path}?sslmode=disable"), plan, listening }
    }

    /// `postgres://…`
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The next transaction that runs a statement with this text in it is committed without an
    /// answer.
    pub fn cut_commit_of(&self, text: &'static str) {
        self.plan.lock().wanted = Some(text);
    }

    /// How many commits were cut so far.
    pub fn cuts(&self) -> usize {
        self.plan.lock().cuts
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    plan: Arc<Mutex<Plan>>,
    /// The texts of prepared statements, by name.
    prepared: HashMap<String, String>,
    /// The texts of what the transaction has run so far.
    run: String,
}

impl Connection {
    async fn relay(mut self) -> std::io::Result<()> {
        let (mut asked, mut answered) = (Vec::new(), Vec::new());
        let mut has_begun = false;
        loop {
            tokio::select! {
                read = self.client.read_buf(&mut asked) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    while let Some(message) = take_message(&mut asked, has_begun) {
                        has_begun = true;
                        let is_cut = self.is_to_be_cut(&message);
                        self.server.write_all(&message).await?;
                        if is_cut {
                            // The answer says that it has happened. It is not passed on.
                            self.server.read_buf(&mut answered).await?;
                            self.plan.lock().cuts += 1;
                            return Ok(());
                        }
                    }
                }
                read = self.server.read_buf(&mut answered) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    self.client.write_all(&answered).await?;
                    answered.clear();
                }
            }
        }
    }

    fn is_to_be_cut(&mut self, message: &[u8]) -> bool {
        let body = message.get(5..).unwrap_or_default();
        let texts: Vec<String> = body.split(|b| *b == 0).map(|t| String::from_utf8_lossy(t).into()).collect();
        match (message.first(), texts.as_slice()) {
            // Parse: name, text.
            (Some(b'P'), [name, text, ..]) => {
                self.prepared.insert(name.clone(), text.clone());
            }
            // Bind: portal, name.
            (Some(b'B'), [_, name, ..]) => {
                self.run.push_str(self.prepared.get(name).map_or("", String::as_str));
            }
            (Some(b'Q'), [text, ..]) if text.starts_with("BEGIN") => self.run.clear(),
            (Some(b'Q'), [text, ..]) if text == "COMMIT" => {
                let mut plan = self.plan.lock();
                let is_wanted = plan.wanted.is_some_and(|wanted| self.run.contains(wanted));
                plan.wanted.take_if(|_| is_wanted);
                return is_wanted;
            }
            _ => {}
        }
        false
    }
}

/// The next whole message. Only the first has no type before its length.
fn take_message(bytes: &mut Vec<u8>, has_begun: bool) -> Option<Vec<u8>> {
    let at = usize::from(has_begun);
    let length = bytes.get(at..at + 4)?;
    let end = at + u32::from_be_bytes(length.try_into().unwrap()) as usize;
    (bytes.len() >= end).then(|| bytes.drain(..end).collect())
}
