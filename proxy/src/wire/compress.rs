//! The compressed protocol, as a stream over the stream.
//!
//! Once both sides agreed on it, everything behind the login travels in frames with a header of seven bytes: length on
//! the wire, a sequence number, and the length before compression, or 0 for bytes that are sent as they are.
//!
//! A frame is unpacked as it is read, into the reader's own buffer: what is held is a small piece of it and the
//! unpacker's window, however much the frame promises. What unpacks to more, or to less, than its header says ends the
//! connection. Between frames nothing is held.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::stream::{BoxStream, Stream, TlsSession};
use std::net::SocketAddr;

const HEADER: usize = 7;
/// Shorter frames are sent as they are, as MySQL does: packing them saves nothing.
const LEAST_PACKED: usize = 50;
/// Most bytes put into one frame, the most there can be. Everything up to a flush is one frame if it fits: there are
/// clients (mysql-connector-python) that read a packet from two frames at the most.
const MOST_PACKED: usize = 0xff_ffff;
/// Bytes of a packed frame that are held at a time.
const PIECE: usize = 4 * 1024;

/// A stream whose other end compresses.
pub(super) struct Compressed {
    stream: BoxStream,
    reading: Reading,
    /// Written, not yet in a frame.
    pending: Vec<u8>,
    /// A frame on its way out; the first `sent` bytes have left.
    output: Vec<u8>,
    sent: usize,
    /// The number of the next frame, whichever side sends it.
    sequence: u8,
}

/// Where in a frame the reader is.
enum Reading {
    Header { bytes: [u8; HEADER], have: usize },
    Plain { left: usize },
    Packed(Box<Packed>),
}

/// A frame that is being unpacked.
struct Packed {
    /// Bytes of it that are still to be read.
    left: usize,
    /// Bytes that are still to come out of it.
    promised: usize,
    inflate: Decompress,
    piece: [u8; PIECE],
    start: usize,
    end: usize,
}

impl Reading {
    const START: Self = Self::Header { bytes: [0; HEADER], have: 0 };

    fn frame(bytes: [u8; HEADER]) -> Self {
        let length = |a, b, c| u32::from_le_bytes([a, b, c, 0]) as usize;
        let left = length(bytes[0], bytes[1], bytes[2]);
        match length(bytes[4], bytes[5], bytes[6]) {
            0 => Self::Plain { left },
            promised => Self::Packed(Box::new(Packed {
                left,
                promised,
                inflate: Decompress::new(true),
                piece: [0; PIECE],
                start: 0,
                end: 0,
            })),
        }
    }
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl Packed {
    /// Unpacks into `out`: how many bytes came, and whether that was the end of the frame. No bytes and no end: more of
    /// the frame has to be read.
    fn unpack(&mut self, out: &mut [u8]) -> io::Result<(usize, bool)> {
        let mut beyond = [0];
        let most = out.len().min(self.promised);
        // The unpacker may hold bytes back, so that the end is not known before it says so.
        let room = if self.promised == 0 { &mut beyond[..] } else { &mut out[..most] };
        let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
        let status = self
            .inflate
            .decompress(&self.piece[self.start..self.end], room, FlushDecompress::None)
            .map_err(|_| broken("a compressed frame cannot be unpacked"))?;
        let taken = (self.inflate.total_in() - read) as usize;
        let came = (self.inflate.total_out() - written) as usize;
        self.start += taken;
        self.promised =
            self.promised.checked_sub(came).ok_or_else(|| broken("a compressed frame is longer than it says"))?;
        let all_read = self.start == self.end && self.left == 0;
        match status {
            Status::StreamEnd if self.promised > 0 => Err(broken("a compressed frame is shorter than it says")),
            Status::StreamEnd if !all_read => Err(broken("a compressed frame has more in it than it unpacks to")),
            Status::StreamEnd => Ok((came, true)),
            Status::Ok | Status::BufError if came == 0 && taken == 0 && (all_read || self.start < self.end) => {
                Err(broken("a compressed frame is cut off"))
            }
            Status::Ok | Status::BufError => Ok((came, false)),
        }
    }
}

impl Compressed {
    pub(super) fn new(stream: BoxStream) -> Self {
        Self { stream, reading: Reading::START, pending: Vec::new(), output: Vec::new(), sent: 0, sequence: 0 }
    }

    /// Sends the frame that is on its way.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.output.len() {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output[self.sent..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
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
        let packed = bytes.len() >= LEAST_PACKED && self.deflate(bytes);
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
    fn deflate(&mut self, bytes: &[u8]) -> bool {
        // The packer's window is given back with each frame: it is larger than all that an idle connection holds.
        let mut deflate = Compress::new(Compression::fast(), true);
        let status = deflate.compress_vec(bytes, &mut self.output, FlushCompress::Finish);
        matches!(status, Ok(Status::StreamEnd)) && self.output.len() - HEADER < bytes.len()
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
        let Self { stream, reading, sequence, .. } = &mut *self;
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
                    if *have == HEADER {
                        *sequence = bytes[3].wrapping_add(1);
                        *reading = Reading::frame(*bytes);
                    }
                }
                Reading::Plain { left: 0 } => *reading = Reading::START,
                Reading::Plain { left } => {
                    let read = ready!(poll_some(stream, cx, buffer, *left))?;
                    if read == 0 {
                        return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                    }
                    *left -= read;
                    if *left == 0 {
                        *reading = Reading::START;
                    }
                    return Poll::Ready(Ok(()));
                }
                Reading::Packed(packed) => {
                    if packed.start == packed.end && packed.left > 0 {
                        let most = packed.left.min(PIECE);
                        let mut piece = ReadBuf::new(&mut packed.piece[..most]);
                        ready!(Pin::new(&mut *stream).poll_read(cx, &mut piece))?;
                        let read = piece.filled().len();
                        if read == 0 {
                            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                        }
                        packed.left -= read;
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

    fn tls(&self) -> Option<TlsSession> {
        self.stream.tls()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 100);
        let status = Compress::new(Compression::best(), true).compress_vec(bytes, &mut out, FlushCompress::Finish);
        assert_eq!(status.unwrap(), Status::StreamEnd);
        out
    }

    fn frame(sequence: u8, payload: &[u8], before: usize) -> Vec<u8> {
        let [a, b, c, _] = (payload.len() as u32).to_le_bytes();
        let [d, e, f, _] = (before as u32).to_le_bytes();
        [&[a, b, c, sequence, d, e, f], payload].concat()
    }

    async fn read(bytes: &[u8]) -> io::Result<Vec<u8>> {
        let (mut near, far) = tokio::io::duplex(bytes.len().max(1));
        near.write_all(bytes).await.unwrap();
        drop(near);
        let mut out = Vec::new();
        Compressed::new(Box::new(far)).read_to_end(&mut out).await.map(|_| out)
    }

    #[tokio::test]
    async fn what_one_end_writes_the_other_reads() {
        let (near, far) = tokio::io::duplex(1000);
        let (mut near, mut far) = (Compressed::new(Box::new(near)), Compressed::new(Box::new(far)));
        let texts =
            [b"short".to_vec(), b"long and dull ".repeat(20_000), (0..=255).collect(), vec![7; 49], vec![7; 50]];
        let all = texts.concat();
        let writing = async {
            for text in &texts {
                near.write_all(text).await.unwrap();
                near.flush().await.unwrap();
            }
            near.shutdown().await.unwrap();
        };
        let mut out = Vec::new();
        let (read, ()) = tokio::join!(far.read_to_end(&mut out), writing);
        assert_eq!(read.unwrap(), all.len());
        assert!(out == all);
    }

    #[tokio::test]
    async fn dull_bytes_are_packed_and_short_ones_are_not() {
        let (near, mut far) = tokio::io::duplex(100_000);
        let mut near = Compressed::new(Box::new(near));
        // What is written up to a flush is one frame.
        near.write_all(&[1; 4_000]).await.unwrap();
        near.write_all(&[1; 6_000]).await.unwrap();
        near.flush().await.unwrap();
        near.write_all(b"short").await.unwrap();
        near.shutdown().await.unwrap();
        let mut out = Vec::new();
        far.read_to_end(&mut out).await.unwrap();
        let length = usize::from(out[0]) | usize::from(out[1]) << 8;
        assert!(length < 200, "{length}");
        assert_eq!(out[3..7], [0, 0x10, 0x27, 0]);
        assert_eq!(out[HEADER + length..], frame(1, b"short", 0));
    }

    #[tokio::test]
    async fn frames_of_both_kinds_are_read_and_empty_ones_passed_over() {
        let dull = vec![9; 100_000];
        let bytes =
            [frame(0, b"ab", 0), frame(1, b"", 0), frame(2, &zlib(&dull), dull.len()), frame(3, b"c", 0)].concat();
        assert_eq!(read(&bytes).await.unwrap(), [b"ab", &dull[..], b"c"].concat());
    }

    #[tokio::test]
    async fn a_frame_that_is_not_what_it_says_is_an_error() {
        let dull = vec![9; 100_000];
        let packed = zlib(&dull);
        for (what, bytes) in [
            ("longer", frame(0, &packed, dull.len() - 1)),
            ("much longer", frame(0, &packed, 1)),
            ("shorter", frame(0, &packed, dull.len() + 1)),
            ("more behind", frame(0, &[&packed[..], b"x"].concat(), dull.len())),
            ("cut off", frame(0, &packed[..packed.len() - 1], dull.len())),
            ("no zlib", frame(0, b"nonsense", 10)),
            ("empty", frame(0, b"", 10)),
        ] {
            assert_eq!(read(&bytes).await.unwrap_err().kind(), io::ErrorKind::InvalidData, "{what}");
        }
        for cut in [1, 6, HEADER, HEADER + 5] {
            let bytes = frame(0, &packed, dull.len());
            assert_eq!(read(&bytes[..cut]).await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{cut}");
        }
    }

    #[tokio::test]
    async fn a_bomb_is_unpacked_no_faster_than_it_is_read() {
        let huge = vec![0; 0xff_ffff];
        let (mut near, far) = tokio::io::duplex(1 << 20);
        near.write_all(&frame(0, &zlib(&huge), huge.len())).await.unwrap();
        let mut far = Compressed::new(Box::new(far));
        let mut buffer = vec![0; 1000];
        far.read_exact(&mut buffer).await.unwrap();
        let Reading::Packed(packed) = &far.reading else { panic!("the frame is not over") };
        assert_eq!(packed.promised, 0xff_ffff - 1000);
    }
}
