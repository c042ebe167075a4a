//! Reading one HTTP/1.1 request by hand, so that every byte of it is known.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::domain::clock::Timestamp;

const MAX_HEAD: usize = 64 * 1024;
const MAX_BODY: usize = 32 * 1024 * 1024;

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Request {
    /// When its last byte had been read, by the fake's clock.
    pub received_at: Timestamp,
    /// `POST`
    pub method: String,
    /// The path without the query: `/v2/enqueue`.
    pub path: String,
    /// What follows the question mark; empty without one.
    pub query: String,
    /// Headers in the order sent, names as sent.
    pub headers: Vec<(String, String)>,
    /// The body, with chunks put together.
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The media type without parameters, in lower case.
    pub fn media_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    pub(super) fn wants_close(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// Reads the next request; `None` when the peer closed before sending one. Bytes of a
/// following request stay in `buffer`.
///
/// # Errors
/// When the connection breaks, or what comes is not HTTP/1 or above the bounds.
pub(super) async fn read(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    now: Timestamp,
) -> io::Result<Option<Request>> {
    let Some(end) = fill_until(stream, buffer, b"\r\n\r\n", MAX_HEAD).await? else {
        return Ok(None);
    };
    let head: Vec<u8> = buffer.drain(..end).collect();
    let mut request = parse_head(&head, now).ok_or_else(|| invalid("not an HTTP/1 request"))?;
    if request.header("expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue")) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    request.body = read_body(stream, buffer, &request).await?;
    Ok(Some(request))
}

fn parse_head(head: &[u8], now: Timestamp) -> Option<Request> {
    let text = std::str::from_utf8(head).ok()?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, protocol) = (words.next()?, words.next()?, words.next()?);
    if !protocol.starts_with("HTTP/1.") {
        return None;
    }
    let headers = lines
        .filter(|line| !line.is_empty())
        .map(|line| line.split_once(':').map(|(name, value)| (name.to_owned(), value.trim().to_owned())))
        .collect::<Option<Vec<_>>>()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Some(Request {
        received_at: now,
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: Vec::new(),
    })
}

async fn read_body(stream: &mut TcpStream, buffer: &mut Vec<u8>, head: &Request) -> io::Result<Vec<u8>> {
    let chunked = head.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"));
    if chunked {
        return read_chunks(stream, buffer).await;
    }
    let Some(length) = head.header("content-length") else {
        return Ok(Vec::new());
    };
    let length: usize = length.parse().map_err(|_| invalid("content-length is not a number"))?;
    take(stream, buffer, length).await
}

async fn read_chunks(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream, buffer).await?;
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| invalid("chunk size is not a number"))?;
        if body.len() + size > MAX_BODY {
            return Err(invalid("body above the bound"));
        }
        if size == 0 {
            // Trailers, if any, and the empty line that ends them.
            while !read_line(stream, buffer).await?.is_empty() {}
            return Ok(body);
        }
        body.extend(take(stream, buffer, size).await?);
        read_line(stream, buffer).await?;
    }
}

async fn read_line(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<String> {
    let end = fill_until(stream, buffer, b"\r\n", MAX_HEAD).await?;
    let end = end.ok_or_else(|| invalid("closed in the middle of a body"))?;
    let line: Vec<u8> = buffer.drain(..end).collect();
    Ok(String::from_utf8_lossy(&line[..line.len() - 2]).into_owned())
}

/// Reads until `buffer` holds `mark`; returns the position after it.
async fn fill_until(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    mark: &[u8],
    most: usize,
) -> io::Result<Option<usize>> {
    loop {
        if let Some(start) = buffer.windows(mark.len()).position(|window| window == mark) {
            return Ok(Some(start + mark.len()));
        }
        if buffer.len() > most {
            return Err(invalid("line or head above the bound"));
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

async fn take(stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> io::Result<Vec<u8>> {
    if length > MAX_BODY {
        return Err(invalid("body above the bound"));
    }
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Err(invalid("closed in the middle of a body"));
        }
    }
    Ok(buffer.drain(..length).collect())
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
