//! Frames packed by zstd: unpacked block by block once they are there.
//!
//! The client's level is not looked at: the packer in Rust alone has one, which is about zstd's first.

use std::io::{self, Read as _};

use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::encoding::{CompressionLevel, compress};

use super::broken;

/// The largest window a frame may want, in bytes: what RFC 8878 asks every reader to have.
const LEAST_WINDOW: usize = 8 << 20;

/// A frame that is being unpacked.
pub(super) struct Packed {
    /// Bytes of it that are still to be read.
    pub left: usize,
    /// Bytes that are still to come out of it.
    pub promised: usize,
    /// What was read of it; the first `taken` bytes are unpacked.
    held: Vec<u8>,
    taken: usize,
    decoder: FrameDecoder,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Header,
    Blocks,
}

impl Packed {
    pub(super) fn new(left: usize, promised: usize) -> Self {
        let mut decoder = FrameDecoder::new();
        // A frame that knows its size may have all of it for a window. What is promised is at most 16 MiB.
        decoder.set_max_window_size(promised.max(LEAST_WINDOW) as u64);
        Self { left, promised, held: Vec::new(), taken: 0, decoder, state: State::Header }
    }

    /// More of the frame.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        self.left = self.left.saturating_sub(bytes.len());
    }

    /// Unpacks into `out`, when all of the frame is there: how many bytes came, and whether that was the end of it.
    pub(super) fn unpack(&mut self, out: &mut [u8]) -> io::Result<(usize, bool)> {
        loop {
            if self.state == State::Blocks {
                let most = out.len().min(self.promised);
                let came = self.decoder.read(&mut out[..most])?;
                self.promised -= came;
                if came > 0 {
                    return Ok((came, false));
                }
                if self.promised == 0 && self.decoder.can_collect() > 0 {
                    return Err(broken("a compressed frame is longer than it says"));
                }
                if self.decoder.is_finished() {
                    return self.end();
                }
            }
            self.decode()?;
        }
    }

    /// The header, or the next block: at most 128 KiB of what is unpacked.
    fn decode(&mut self) -> io::Result<()> {
        let mut rest = self.held.get(self.taken..).unwrap_or_default();
        let before = rest.len();
        let decoded = match self.state {
            State::Header => self.decoder.reset(&mut rest),
            State::Blocks => self.decoder.decode_blocks(&mut rest, BlockDecodingStrategy::UptoBlocks(1)).map(|_| ()),
        };
        decoded.map_err(|_| broken("a compressed frame cannot be unpacked"))?;
        self.taken += before - rest.len();
        self.state = State::Blocks;
        Ok(())
    }

    fn end(&self) -> io::Result<(usize, bool)> {
        if self.promised > 0 {
            return Err(broken("a compressed frame is shorter than it says"));
        }
        if self.taken < self.held.len() {
            return Err(broken("a compressed frame has more in it than it unpacks to"));
        }
        Ok((0, true))
    }
}

/// Appends these bytes packed.
pub(super) fn pack(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    compress(bytes, out, CompressionLevel::Fastest);
    true
}
