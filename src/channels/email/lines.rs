//! A connection that is read line by line and not for ever.
//!
//! Nothing beyond the line feed is taken from the network before it is asked for. What a
//! man in the middle appends to the server's answer to `STARTTLS` therefore never waits in
//! a buffer to be believed after the handshake, but breaks the handshake.
//!
//! Without TLS, a line that is not UTF-8 is read with question marks in it: mail servers write
//! names and languages of old, and the code before the text is what matters.
//!
//! A server spoken to over TLS from the first byte is not read through this: it has shown
//! its certificate before it says anything, and its bounds are the mail library's.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What one session may bring in, in bytes. An answer has a few hundred.
const MAX_SESSION: usize = 512 * 1024;

/// A connection to a mail server.
#[derive(Debug)]
pub struct LineStream {
    stream: TcpStream,
    left: usize,
    /// All that comes is text: no TLS will be.
    is_text: bool,
}

impl LineStream {
    /// Over this connection, on which TLS may begin.
    pub const fn new(stream: TcpStream) -> Self {
        Self { stream, left: MAX_SESSION, is_text: false }
    }

    /// The same for a connection that stays without TLS.
    #[must_use]
    pub fn of_text(self) -> Self {
        Self { is_text: true, ..self }
    }
}

impl AsyncTokioStream for LineStream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

impl AsyncRead for LineStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::Error::other("the server says more than a mail server has to say")));
        }
        let most = buf.remaining().min(self.left);
        let mut seen = vec![0; most];
        let mut peeked = ReadBuf::new(&mut seen);
        let count = ready!(self.stream.poll_peek(cx, &mut peeked))?;
        let line_end = seen[..count].iter().position(|byte| *byte == b'\n');
        let wanted = line_end.map_or(count, |at| at + 1);
        // Read into the bytes just peeked at: what is read is what was seen.
        let mut line = ReadBuf::new(&mut seen[..wanted]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut line))?;
        let read = line.filled().len();
        if self.is_text && std::str::from_utf8(line.filled()).is_err() {
            line.filled_mut().iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
        }
        buf.put_slice(line.filled());
        self.left -= read;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for LineStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
