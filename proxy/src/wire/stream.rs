//! The byte stream under a connection.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, Empty, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A byte stream a client can be served on: TCP, TLS over it, or a pipe in a test.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// The address at the other end, if it has one.
    fn peer(&self) -> Option<SocketAddr> {
        None
    }
}

/// Any [`Stream`].
pub type BoxStream = Box<dyn Stream>;

impl Stream for TcpStream {
    fn peer(&self) -> Option<SocketAddr> {
        self.peer_addr().ok()
    }
}

impl Stream for DuplexStream {}

impl Stream for Empty {}

impl<S: Stream> Stream for TlsStream<S> {
    fn peer(&self) -> Option<SocketAddr> {
        self.get_ref().0.peer()
    }
}

/// A stream of which some bytes were read ahead: they come first. A client may send its TLS hello right behind the
/// SSLRequest, so that one read has both.
pub(super) struct Prefixed {
    prefix: Bytes,
    stream: BoxStream,
}

impl Prefixed {
    pub(super) fn new(prefix: Bytes, stream: BoxStream) -> Self {
        Self { prefix, stream }
    }
}

impl Stream for Prefixed {
    fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer()
    }
}

impl AsyncRead for Prefixed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = self.prefix.len().min(buffer.remaining());
        buffer.put_slice(&self.prefix[..length]);
        self.prefix.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Prefixed {
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
