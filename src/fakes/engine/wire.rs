//! Writing answers, well or badly.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::Next;
use super::step::{Answer, Wire};

/// How much a gzip bomb unfolds to.
const BOMB_SIZE: usize = 20_000_000;

pub(super) async fn write(stream: &mut TcpStream, answer: &Answer, wire: &Wire) -> io::Result<Next> {
    let body = &answer.body;
    match wire {
        Wire::Whole => {
            send(stream, answer, body.len(), body).await?;
            Ok(Next::KeepAlive)
        }
        Wire::ResetUnread | Wire::Reset => Ok(Next::Reset),
        Wire::Silence => silence(stream).await,
        Wire::Half => {
            send(stream, answer, body.len().max(1), &body[..body.len() / 2]).await?;
            Ok(Next::Close)
        }
        Wire::DeclaredLength(length) => {
            send(stream, answer, *length, body).await?;
            Ok(Next::Close)
        }
        Wire::Drip(pause) => drip(stream, answer, *pause).await,
        Wire::Endless => endless(stream, answer).await,
        Wire::GzipBomb => {
            let bomb = gzip_of_zeros(BOMB_SIZE)?;
            let answer = answer.clone().with_header("Content-Encoding", "gzip");
            send(stream, &answer, bomb.len(), &bomb).await?;
            Ok(Next::KeepAlive)
        }
    }
}

/// Small on the wire: about a thousandth of `size`.
fn gzip_of_zeros(size: usize) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![0; size])?;
    encoder.finish()
}

fn head(answer: &Answer, framing: &str) -> String {
    let mut head = format!("HTTP/1.1 {} \r\n", answer.status);
    for (name, value) in &answer.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head + framing + "\r\n\r\n"
}

async fn send(stream: &mut TcpStream, answer: &Answer, length: usize, body: &[u8]) -> io::Result<()> {
    let mut bytes = head(answer, &format!("Content-Length: {length}")).into_bytes();
    bytes.extend_from_slice(body);
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// Says nothing until the peer gives up.
async fn silence(stream: &TcpStream) -> io::Result<Next> {
    stream.readable().await?;
    let mut rest = [0; 1024];
    loop {
        match stream.try_read(&mut rest) {
            Ok(0) => return Ok(Next::Close),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.readable().await?,
            Err(error) => return Err(error),
        }
    }
}

async fn drip(stream: &mut TcpStream, answer: &Answer, pause: Duration) -> io::Result<Next> {
    let mut bytes = head(answer, &format!("Content-Length: {}", answer.body.len())).into_bytes();
    bytes.extend_from_slice(&answer.body);
    for byte in bytes {
        stream.write_all(&[byte]).await?;
        tokio::time::sleep(pause).await;
    }
    Ok(Next::KeepAlive)
}

/// Sends chunks until the peer has had enough.
async fn endless(stream: &mut TcpStream, answer: &Answer) -> io::Result<Next> {
    stream.write_all(head(answer, "Transfer-Encoding: chunked").as_bytes()).await?;
    let mut chunk = b"4000\r\n".to_vec();
    chunk.resize(chunk.len() + 0x4000, b'x');
    chunk.extend_from_slice(b"\r\n");
    loop {
        stream.write_all(&chunk).await?;
    }
}
