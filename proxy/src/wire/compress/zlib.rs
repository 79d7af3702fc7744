//! Frames packed by zlib: unpacked as they come in, piece by piece.

use std::io;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::broken;

/// Bytes of a packed frame that are held at a time.
pub(super) const PIECE: usize = 4 * 1024;

/// A frame that is being unpacked.
pub(super) struct Packed {
    /// Bytes of it that are still to be read.
    pub left: usize,
    /// Bytes that are still to come out of it.
    pub promised: usize,
    inflate: Decompress,
    pub piece: [u8; PIECE],
    pub start: usize,
    pub end: usize,
}

impl Packed {
    pub(super) fn new(left: usize, promised: usize) -> Self {
        Self { left, promised, inflate: Decompress::new(true), piece: [0; PIECE], start: 0, end: 0 }
    }

    /// Unpacks into `out`: how many bytes came, and whether that was the end of the frame. No bytes and no end: more of
    /// the frame has to be read.
    pub(super) fn unpack(&mut self, out: &mut [u8]) -> io::Result<(usize, bool)> {
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

/// Appends these bytes packed; false if that failed.
pub(super) fn pack(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    // The packer's window is given back with each frame: it is larger than all that an idle connection holds.
    let mut deflate = Compress::new(Compression::fast(), true);
    matches!(deflate.compress_vec(bytes, out, FlushCompress::Finish), Ok(Status::StreamEnd))
}
