//! The byte stream under a connection.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, Empty, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A byte stream a client can be served on: TCP, TLS over it, or a pipe in a test.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// The address at the other end, if it has one.
    fn peer(&self) -> Option<SocketAddr> {
        None
    }

    /// Ready when a read would find something, as far as that can be told without a buffer to read into.
    fn poll_readable(&self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// How many bytes went by under this stream, either way, if who reads and writes it cannot tell: one that compresses gives
    /// nothing before there is enough to unpack, and takes at once what leaves in minutes. Otherwise 0.
    fn moved(&self) -> u64 {
        0
    }

    /// Whether the other end has begun something of which nothing can be read yet, or no more.
    fn is_midway(&self) -> bool {
        false
    }

    /// Whether the other end is known to have closed its side, whatever of what it sent is still to be read. Waits for nothing.
    fn is_closed(&self) -> bool {
        false
    }

    /// How the way to the other end is encrypted, if it is.
    fn tls(&self) -> Option<TlsSession> {
        None
    }
}

/// How a connection is encrypted, in the words of `SHOW STATUS LIKE 'Ssl%'`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSession {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// The cipher by OpenSSL's name, e.g. `TLS_AES_256_GCM_SHA384` or `ECDHE-ECDSA-AES256-GCM-SHA384`.
    pub cipher: String,
}

impl TlsSession {
    fn of(connection: &rustls::ServerConnection) -> Self {
        let version = match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            // The only other one that is negotiated.
            Some(_) | None => "TLSv1.3",
        };
        let suite = connection.negotiated_cipher_suite();
        let cipher = suite.and_then(|suite| suite.suite().as_str()).map(openssl_name).unwrap_or_default();
        Self { version, cipher }
    }
}

/// OpenSSL's name of a cipher suite, which is what MySQL shows: `TLS13_AES_256_GCM_SHA384` is `TLS_AES_256_GCM_SHA384`,
/// `TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384` is `ECDHE-RSA-AES256-GCM-SHA384`.
fn openssl_name(suite: &str) -> String {
    if let Some(rest) = suite.strip_prefix("TLS13_") {
        return format!("TLS_{rest}");
    }
    let name = suite.strip_prefix("TLS_").unwrap_or(suite).replace("_WITH_", "_");
    let name = name.replace("AES_128", "AES128").replace("AES_256", "AES256").replace('_', "-");
    // The one suite whose hash is not in OpenSSL's name.
    name.strip_suffix("CHACHA20-POLY1305-SHA256").map(|head| format!("{head}CHACHA20-POLY1305")).unwrap_or(name)
}

/// Any [`Stream`].
pub type BoxStream = Box<dyn Stream>;

impl Stream for TcpStream {
    fn peer(&self) -> Option<SocketAddr> {
        self.peer_addr().ok()
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_read_ready(cx)
    }

    fn is_closed(&self) -> bool {
        let ready = self.ready(Interest::READABLE).now_or_never();
        ready.is_some_and(|ready| ready.is_ok_and(|ready| ready.is_read_closed()))
    }
}

impl Stream for DuplexStream {}

impl Stream for Empty {}

impl<S: Stream> Stream for TlsStream<S> {
    fn peer(&self) -> Option<SocketAddr> {
        self.get_ref().0.peer()
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (stream, session) = self.get_ref();
        // What was decrypted and not read is there without the stream.
        if session.wants_read() { stream.poll_readable(cx) } else { Poll::Ready(Ok(())) }
    }

    fn is_closed(&self) -> bool {
        self.get_ref().0.is_closed()
    }

    fn tls(&self) -> Option<TlsSession> {
        Some(TlsSession::of(self.get_ref().1))
    }
}

/// A stream of which some bytes were read ahead: they come first. A client may send its TLS hello right behind the
/// SSLRequest, so that one read has both.
pub(super) struct Prefixed {
    prefix: Bytes,
    stream: BoxStream,
    /// Who is at the other end, if it is not who the stream comes from.
    peer: Option<SocketAddr>,
}

impl Prefixed {
    pub(super) fn new(prefix: Bytes, stream: BoxStream) -> Self {
        Self { prefix, stream, peer: None }
    }

    /// A stream that somebody passes on for `peer`.
    pub(super) fn on_behalf(prefix: Bytes, stream: BoxStream, peer: Option<SocketAddr>) -> Self {
        Self { prefix, stream, peer }
    }
}

impl Stream for Prefixed {
    fn peer(&self) -> Option<SocketAddr> {
        self.peer.or_else(|| self.stream.peer())
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() { self.stream.poll_readable(cx) } else { Poll::Ready(Ok(())) }
    }

    fn is_closed(&self) -> bool {
        self.stream.is_closed()
    }

    fn tls(&self) -> Option<TlsSession> {
        self.stream.tls()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cipher_suites_have_openssls_names() {
        for (suite, name) in [
            ("TLS13_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
            ("TLS13_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
            ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
            ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
            ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"),
        ] {
            assert_eq!(openssl_name(suite), name);
        }
    }
}
