//! HTTP/1.1 as far as both ends of the benchmark need it: keep-alive connections, bodies
//! with a length, nothing allocated per message.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// No exchange takes longer; one that does ends the run.
const LIMIT: Duration = Duration::from_secs(30);

/// Where the parts of a message stand in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The length of the head with its empty line.
    pub head: usize,
    /// The length of the body.
    pub body: usize,
}

impl Frame {
    /// The whole message's length.
    pub fn len(self) -> usize {
        self.head + self.body
    }
}

/// Finds the message at the start of `bytes`; nothing while it is not complete.
pub fn frame(bytes: &[u8]) -> Option<Frame> {
    let head = find(bytes, b"\r\n\r\n")? + 4;
    let body = header(&bytes[..head], b"content-length").and_then(decimal).unwrap_or(0);
    (bytes.len() >= head + body).then_some(Frame { head, body })
}

/// The value of a header, given its name in lower case.
pub fn header<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|&byte| byte == b'\n').find_map(|line| {
        let (given, value) = (line.get(..name.len())?, line.get(name.len()..)?);
        if !given.eq_ignore_ascii_case(name) {
            return None;
        }
        Some(value.strip_prefix(b":")?.trim_ascii())
    })
}

/// Where `what` stands first.
pub fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    let first = *what.first()?;
    let mut from = 0;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|&byte| byte == first)?;
        if bytes.get(at..at + what.len())? == what {
            return Some(at);
        }
        from = at + 1;
    }
}

fn decimal(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A client's keep-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// What was answered.
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: &'a [u8],
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn open(target: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(target).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 16 * 1024], filled: 0 })
    }

    /// Sends a whole request and reads its answer.
    ///
    /// # Errors
    /// When the connection breaks or the answer does not come.
    pub async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer<'_>> {
        self.stream.write_all(request).await?;
        self.filled = 0;
        let frame = loop {
            if let Some(frame) = frame(&self.buffer[..self.filled]) {
                break frame;
            }
            if self.filled == self.buffer.len() {
                self.buffer.resize(self.filled * 2, 0);
            }
            match self.stream.read(&mut self.buffer[self.filled..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.filled += read,
            }
        };
        let status = self.buffer.get(9..12).and_then(decimal).unwrap_or(0);
        Ok(Answer { status: u16::try_from(status).unwrap_or(0), body: &self.buffer[frame.head..frame.len()] })
    }
}

/// One request on a connection of its own; answers status and body.
///
/// # Errors
/// When nobody answers in time.
pub async fn call(target: SocketAddr, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {target}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let exchange = async {
        let mut stream = TcpStream::connect(target).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        // HTTP/1.0 is answered without chunks and ends with the connection.
        stream.read_to_end(&mut answer).await?;
        let head = find(&answer, b"\r\n\r\n").ok_or(io::ErrorKind::InvalidData)? + 4;
        let status = answer.get(9..12).and_then(decimal).ok_or(io::ErrorKind::InvalidData)?;
        Ok((u16::try_from(status).unwrap_or(0), String::from_utf8_lossy(&answer[head..]).into_owned()))
    };
    tokio::time::timeout(LIMIT, exchange).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_found_once_it_is_whole() {
        let message = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nx: y\r\n\r\nbodyHTTP";

        assert_eq!(frame(message), Some(Frame { head: 44, body: 4 }));
        assert_eq!(frame(&message[..47]), None);
        assert_eq!(frame(&message[..30]), None);
    }

    #[test]
    fn a_message_without_a_length_has_no_body() {
        assert_eq!(frame(b"GET / HTTP/1.1\r\n\r\n").map(|frame| frame.body), Some(0));
    }

    #[test]
    fn a_header_is_found_in_any_case_and_only_whole() {
        let head = b"POST / HTTP/1.1\r\nWebhook-Id-Old: no\r\nwebhook-ID:  abc \r\n\r\n";

        assert_eq!(header(head, b"webhook-id"), Some(&b"abc"[..]));
        assert_eq!(header(head, b"host"), None);
    }
}
