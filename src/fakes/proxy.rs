//! A forward proxy (RFC 9110 sections 7.1 and 9.3.6): it takes requests in absolute form and opens
//! tunnels, looks names up by itself, and may want a user and password.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

use super::listener::Listener;

/// The most bytes of a request's head.
const MAX_HEAD: usize = 64 * 1024;

/// A proxy on a loopback port.
pub struct ProxyFake {
    listener: Listener,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    hosts: BTreeMap<String, SocketAddr>,
    login: Option<String>,
    refusal: Option<u16>,
    requests: Vec<ProxyRequest>,
}

/// What the proxy was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyRequest {
    /// `CONNECT example.org:443` or `POST http://example.org/hook`.
    pub line: String,
    /// The value of `Proxy-Authorization`.
    pub login: Option<String>,
}

impl ProxyFake {
    /// Starts a proxy that wants no password and knows no host but by its address.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> io::Result<Self> {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let listener = Listener::start(Arc::new(move |stream| {
            let state = Arc::clone(&shared);
            // A client that hangs up ends its connection and nothing else.
            Box::pin(async move { drop(serve(stream, &state).await) })
        }));
        Ok(Self { listener: listener.await?, state })
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// From now on this name and port lead there: to nobody but the proxy.
    pub fn resolve(&self, host_and_port: &str, to: SocketAddr) {
        self.state.lock().hosts.insert(host_and_port.to_owned(), to);
    }

    /// From now on requests without this login are answered 407.
    pub fn require_login(&self, user: &str, password: &str) {
        let login = BASE64_STANDARD.encode(format!("{user}:{password}"));
        self.state.lock().login = Some(format!("Basic {login}"));
    }

    /// From now on every request is answered with this status.
    pub fn refuse_with(&self, status: u16) {
        self.state.lock().refusal = Some(status);
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<ProxyRequest> {
        self.state.lock().requests.clone()
    }

    /// Closes the port: connecting is refused.
    pub async fn stop(&self) {
        self.listener.stop().await;
    }
}

async fn serve(mut client: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let (head, rest) = read_head(&mut client).await?;
    let (line, headers) = head.split_once("\r\n").unwrap_or((&head, ""));
    let login = headers.lines().find_map(|header| {
        let (name, value) = header.split_once(':')?;
        name.eq_ignore_ascii_case("proxy-authorization").then(|| value.trim().to_owned())
    });
    let [method, target, _] = line.split(' ').collect::<Vec<_>>()[..] else {
        return refuse(&mut client, 400).await;
    };
    let status = {
        let mut state = state.lock();
        state.requests.push(ProxyRequest { line: format!("{method} {target}"), login: login.clone() });
        let is_known = state.login.is_none() || state.login == login;
        if is_known { state.refusal } else { Some(407) }
    };
    if let Some(status) = status {
        return refuse(&mut client, status).await;
    }
    if method == "CONNECT" {
        let Ok(mut server) = connect(target, state).await else { return refuse(&mut client, 502).await };
        client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        server.write_all(&rest).await?;
        copy_bidirectional(&mut client, &mut server).await?;
        return Ok(());
    }
    let Some((authority, path)) = target.strip_prefix("http://").map(split_authority) else {
        return refuse(&mut client, 400).await;
    };
    let Ok(mut server) = connect(&authority, state).await else { return refuse(&mut client, 502).await };
    let kept = headers.lines().filter(|line| !line.to_ascii_lowercase().starts_with("proxy-"));
    let headers: String = kept.map(|line| format!("{line}\r\n")).collect();
    server.write_all(format!("{method} {path} HTTP/1.1\r\n{headers}\r\n").as_bytes()).await?;
    server.write_all(&rest).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

/// The head of a request without its last empty line, and what came after it.
async fn read_head(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut seen = Vec::new();
    loop {
        if let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
            return Ok((String::from_utf8_lossy(&seen[..end]).into_owned(), seen[end + 4..].to_vec()));
        }
        if seen.len() > MAX_HEAD || stream.read_buf(&mut seen).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// `example.org/hook` → `example.org:80` and `/hook`.
fn split_authority(rest: &str) -> (String, String) {
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let port = if authority.contains(':') { "" } else { ":80" };
    (format!("{authority}{port}"), if path.is_empty() { "/".to_owned() } else { path.to_owned() })
}

async fn connect(host_and_port: &str, state: &Mutex<State>) -> io::Result<TcpStream> {
    let known = state.lock().hosts.get(host_and_port).copied();
    let address = known.or_else(|| host_and_port.parse().ok()).ok_or(io::ErrorKind::NotFound)?;
    TcpStream::connect(address).await
}

async fn refuse(client: &mut TcpStream, status: u16) -> io::Result<()> {
    let body = "refused by the proxy";
    let challenge = if status == 407 { "Proxy-Authenticate: Basic realm=\"fake\"\r\n" } else { "" };
    let length = body.len();
    let answer = format!("HTTP/1.1 {status} \r\n{challenge}Content-Length: {length}\r\n\r\n{body}");
    client.write_all(answer.as_bytes()).await
}
