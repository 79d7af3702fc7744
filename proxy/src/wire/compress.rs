//! The compressed protocol, as a stream over the stream.
//!
//! Once both sides agreed on it, everything behind the login travels in frames with a header of seven bytes: length on
//! the wire, a sequence number, and the length before compression, or 0 for bytes that are sent as they are.
//!
//! A frame is unpacked into the reader's own buffer as far as the reader asks: what is held is the unpacker's window and,
//! of zlib, a small piece of the frame, of zstd the frame, however much it promises. What unpacks to more, or to less,
//! than its header says ends the connection. Between frames nothing is held.

#[cfg(test)]
mod tests;
mod zlib;
mod zstd;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mysql_common::constants::CapabilityFlags;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream::{BoxStream, Stream, TlsSession};
use crate::handing_over::handing_over_few;
use std::net::SocketAddr;

const HEADER: usize = 7;
/// Shorter frames are sent as they are, as MySQL does: packing them saves nothing.
const LEAST_PACKED: usize = 50;
/// Most bytes put into one frame, the most there can be. Everything up to a flush is one frame if it fits: there are
/// clients (mysql-connector-python) that read a packet from two frames at the most.
const MOST_PACKED: usize = 0xff_ffff;
/// More bytes than this take milliseconds to pack: meanwhile another thread serves the other clients.
const LONG: usize = 256 * 1024;

/// How frames are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// CLIENT_COMPRESS
    Zlib,
    /// CLIENT_ZSTD_COMPRESSION_ALGORITHM
    Zstd,
}

impl Algorithm {
    /// What both sides agreed on. Who would take either takes zlib, as with MySQL.
    pub(super) fn of(capabilities: CapabilityFlags) -> Option<Self> {
        if capabilities.contains(CapabilityFlags::CLIENT_COMPRESS) {
            Some(Self::Zlib)
        } else if capabilities.contains(CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM) {
            Some(Self::Zstd)
        } else {
            None
        }
    }

    /// Its name, as in `protocol_compression_algorithms`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Zlib => "zlib",
            Self::Zstd => "zstd",
        }
    }
}

/// A stream whose other end compresses.
pub(super) struct Compressed {
    stream: BoxStream,
    algorithm: Algorithm,
    reading: Reading,
    /// Written, not yet in a frame.
    pending: Vec<u8>,
    /// A frame on its way out; the first `sent` bytes have left.
    output: Vec<u8>,
    sent: usize,
    /// Bytes of frames that came and went, see [`Stream::moved`].
    moved: u64,
    /// The number of the next frame, whichever side sends it.
    sequence: u8,
}

/// Where in a frame the reader is.
enum Reading {
    Header { bytes: [u8; HEADER], have: usize },
    Plain { left: usize },
    Zlib(Box<zlib::Packed>),
    Zstd(Box<zstd::Packed>),
}

impl Reading {
    const START: Self = Self::Header { bytes: [0; HEADER], have: 0 };

    fn frame(bytes: [u8; HEADER], algorithm: Algorithm) -> Self {
        let length = |a, b, c| u32::from_le_bytes([a, b, c, 0]) as usize;
        let left = length(bytes[0], bytes[1], bytes[2]);
        match length(bytes[4], bytes[5], bytes[6]) {
            0 => Self::Plain { left },
            promised => match algorithm {
                Algorithm::Zlib => Self::Zlib(Box::new(zlib::Packed::new(left, promised))),
                Algorithm::Zstd => Self::Zstd(Box::new(zstd::Packed::new(left, promised))),
            },
        }
    }
}

/// Appends these bytes packed; false if that failed.
pub(super) fn pack(algorithm: Algorithm, bytes: &[u8], out: &mut Vec<u8>) -> bool {
    match algorithm {
        Algorithm::Zlib => zlib::pack(bytes, out),
        Algorithm::Zstd => zstd::pack(bytes, out),
    }
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Compressed {
    pub(super) fn new(stream: BoxStream, algorithm: Algorithm) -> Self {
        Self {
            stream,
            algorithm,
            reading: Reading::START,
            pending: Vec::new(),
            output: Vec::new(),
            sent: 0,
            moved: 0,
            sequence: 0,
        }
    }

    /// The stream that frames travel on.
    #[cfg(test)]
    pub(super) fn raw(&mut self) -> &mut BoxStream {
        &mut self.stream
    }

    /// Sends the frame that is on its way.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.output.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => {
                    self.sent += sent;
                    self.moved += sent as u64;
                }
            }
        }
        self.output = Vec::new();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    /// Sends everything that was written.
    fn poll_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_output(cx))?;
        if !self.pending.is_empty() {
            let bytes = std::mem::take(&mut self.pending);
            self.pack(&bytes);
        }
        self.poll_output(cx)
    }

    /// Makes a frame of these bytes.
    fn pack(&mut self, bytes: &[u8]) {
        self.output = Vec::with_capacity(HEADER + bytes.len());
        self.output.resize(HEADER, 0);
        let packed = match bytes.len() {
            ..LEAST_PACKED => false,
            LEAST_PACKED..=LONG => self.shrink(bytes),
            _ => handing_over_few(|| self.shrink(bytes)),
        };
        if !packed {
            self.output.truncate(HEADER);
            self.output.extend_from_slice(bytes);
        }
        let [a, b, c, _] = ((self.output.len() - HEADER) as u32).to_le_bytes();
        let [d, e, f, _] = (if packed { bytes.len() as u32 } else { 0 }).to_le_bytes();
        self.output[..HEADER].copy_from_slice(&[a, b, c, self.sequence, d, e, f]);
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// Appends the packed bytes; false if they do not become fewer.
    fn shrink(&mut self, bytes: &[u8]) -> bool {
        pack(self.algorithm, bytes, &mut self.output) && self.output.len() - HEADER < bytes.len()
    }
}

/// Reads into the rest of a buffer, at most so many bytes.
fn poll_some(
    stream: &mut BoxStream,
    cx: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
    most: usize,
) -> Poll<io::Result<usize>> {
    let room = buffer.remaining().min(most);
    let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
    ready!(Pin::new(stream).poll_read(cx, &mut part))?;
    let read = part.filled().len();
    buffer.advance(read);
    Poll::Ready(Ok(read))
}

impl AsyncRead for Compressed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream, algorithm, reading, moved, sequence, .. } = &mut *self;
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            match reading {
                Reading::Header { bytes, have } => {
                    let mut rest = ReadBuf::new(&mut bytes[*have..]);
                    ready!(Pin::new(&mut *stream).poll_read(cx, &mut rest))?;
                    let read = rest.filled().len();
                    if read == 0 {
                        return Poll::Ready(if *have == 0 { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) });
                    }
                    *have += read;
                    *moved += read as u64;
                    if *have == HEADER {
                        *sequence = bytes[3].wrapping_add(1);
                        *reading = Reading::frame(*bytes, *algorithm);
                    }
                }
                Reading::Plain { left: 0 } => *reading = Reading::START,
                Reading::Plain { left } => {
                    let read = ready!(poll_some(stream, cx, buffer, *left))?;
                    if read == 0 {
                        return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                    }
                    *left -= read;
                    *moved += read as u64;
                    if *left == 0 {
                        *reading = Reading::START;
                    }
                    return Poll::Ready(Ok(()));
                }
                Reading::Zstd(packed) => {
                    while packed.left > 0 {
                        let mut piece = [0; zlib::PIECE];
                        let most = packed.left.min(piece.len());
                        let mut piece = ReadBuf::new(&mut piece[..most]);
                        ready!(Pin::new(&mut *stream).poll_read(cx, &mut piece))?;
                        if piece.filled().is_empty() {
                            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                        }
                        packed.take(piece.filled());
                        *moved += piece.filled().len() as u64;
                    }
                    let (came, over) = packed.unpack(buffer.initialize_unfilled())?;
                    if over {
                        *reading = Reading::START;
                    }
                    if came > 0 {
                        buffer.advance(came);
                        return Poll::Ready(Ok(()));
                    }
                }
                Reading::Zlib(packed) => {
                    if packed.start == packed.end && packed.left > 0 {
                        let most = packed.left.min(zlib::PIECE);
                        let mut piece = ReadBuf::new(&mut packed.piece[..most]);
                        ready!(Pin::new(&mut *stream).poll_read(cx, &mut piece))?;
                        let read = piece.filled().len();
                        if read == 0 {
                            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                        }
                        packed.left -= read;
                        *moved += read as u64;
                        (packed.start, packed.end) = (0, read);
                    }
                    let (came, over) = packed.unpack(buffer.initialize_unfilled())?;
                    if over {
                        *reading = Reading::START;
                    }
                    if came > 0 {
                        buffer.advance(came);
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }
}

impl AsyncWrite for Compressed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.pending.len() == MOST_PACKED {
            ready!(self.poll_pending(cx))?;
        }
        let taken = bytes.len().min(MOST_PACKED - self.pending.len());
        self.pending.extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_pending(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Stream for Compressed {
    fn peer(&self) -> Option<SocketAddr> {
        self.stream.peer()
    }

    fn moved(&self) -> u64 {
        self.moved
    }

    fn is_midway(&self) -> bool {
        !matches!(self.reading, Reading::Header { have: 0, .. } | Reading::Plain { left: 0 })
    }

    fn is_closed(&self) -> bool {
        self.stream.is_closed()
    }

    fn tls(&self) -> Option<TlsSession> {
        self.stream.tls()
    }
}
