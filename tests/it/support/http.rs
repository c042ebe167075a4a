//! A small HTTP client for talking to other programs on loopback: one request, one
//! connection, no TLS.

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No call of a test takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// An answer, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// The status line and the headers, as they came.
    pub head: String,
    pub body: String,
}

impl Reply {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|_| panic!("{} is not JSON: {}", self.status, self.body))
    }
}

/// Gets `http://HOST:PORT/PATH`.
///
/// # Errors
/// When nobody answers in time, or not in HTTP.
pub async fn get(url: &str) -> io::Result<Reply> {
    request("GET", url, "").await
}

/// Posts a JSON body.
///
/// # Errors
/// When nobody answers in time, or not in HTTP.
pub async fn post_json(url: &str, body: &Value) -> io::Result<Reply> {
    request("POST", url, &body.to_string()).await
}

/// Sends a request; a body goes as JSON.
///
/// # Errors
/// When nobody answers in time, or not in HTTP.
pub async fn request(method: &str, url: &str, body: &str) -> io::Result<Reply> {
    request_with(method, url, "Content-Type: application/json", body).await
}

/// Gets with a bearer token.
///
/// # Errors
/// When nobody answers in time, or not in HTTP.
pub async fn get_with_token(url: &str, token: &str) -> io::Result<Reply> {
    request_with("GET", url, &format!("Authorization: Bearer {token}"), "").await
}

/// Sends a request with one header of the caller's choice, written as `Name: value`.
///
/// # Errors
/// When nobody answers in time, or not in HTTP.
pub async fn request_with(method: &str, url: &str, header: &str, body: &str) -> io::Result<Reply> {
    tokio::time::timeout(LIMIT, exchange(method, url, header, body))
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer from {url}"))))
}

async fn exchange(method: &str, url: &str, header: &str, body: &str) -> io::Result<Reply> {
    let rest = url.strip_prefix("http://").ok_or_else(|| malformed(url))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut stream = TcpStream::connect(host).await?;
    let head = format!(
        "{method} /{path} HTTP/1.0\r\nHost: {host}\r\n{header}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    // HTTP/1.0 is answered without chunks and ends with the connection.
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| malformed(url))?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    let status = status.ok_or_else(|| malformed(url))?;
    Ok(Reply { status, head: head.to_owned(), body: body.to_owned() })
}

fn malformed(url: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no HTTP exchange with {url}"))
}
