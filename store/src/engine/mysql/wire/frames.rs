//! Packets in a stream of bytes.
//!
//! A packet travels in frames of at most 0xFFFFFF bytes; a frame shorter than that (perhaps empty) ends it. Frames are
//! numbered through a command and its answer.

use super::error::WireError;

/// Longest frame. A frame of exactly this length is followed by another one.
pub(super) const FRAME: usize = 0xff_ffff;

/// A frame's header: three bytes of length, one of its number.
const HEADER: usize = 4;

/// Longest packet that is received, in bytes: four times the largest body. What a header promises costs no memory before
/// it comes.
pub(super) const PACKET: usize = 64 * 1024 * 1024;

/// Bytes that were received, and the packets in them.
#[derive(Debug, Default)]
pub(super) struct Received {
    bytes: Vec<u8>,
    /// Where the next frame begins.
    at: usize,
    /// The frames so far of a packet of several.
    parts: Vec<u8>,
    /// Where a packet was put together that has been handed out from `parts`.
    joined: bool,
}

impl Received {
    /// The next packet, if all of it is there. `number` is that of the frame awaited, and is moved on.
    pub(super) fn packet(&mut self, number: &mut u8) -> Result<Option<&[u8]>, WireError> {
        if std::mem::take(&mut self.joined) {
            self.parts = Vec::new();
        }
        loop {
            let Some(&[a, b, c, got]) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk::<HEADER>) else {
                return Ok(None);
            };
            let length = u32::from_le_bytes([a, b, c, 0]) as usize;
            if self.parts.len() + length > PACKET {
                return Err(WireError::TooLong { max: PACKET });
            }
            let start = self.at + HEADER;
            let Some(payload) = self.bytes.get(start..start + length) else { return Ok(None) };
            // A server that ends a connection of its own accord numbers its last word as it likes.
            if got != *number && payload.first() != Some(&super::error::ERROR) {
                return Err(WireError::Malformed("frame: its number is wrong"));
            }
            *number = got.wrapping_add(1);
            self.at = start + length;
            if length < FRAME && self.parts.is_empty() {
                return Ok(self.bytes.get(start..start + length));
            }
            self.parts.extend_from_slice(payload);
            if length < FRAME {
                self.joined = true;
                return Ok(Some(&self.parts));
            }
        }
    }

    /// Room for what is received next, behind what is there: at least `least` bytes, and the rest of the frame that has
    /// begun as far as that is at most what is there already.
    pub(super) fn room(&mut self, least: usize) -> &mut Vec<u8> {
        if self.at == self.bytes.len() {
            self.bytes.clear();
        } else {
            self.bytes.drain(..self.at);
        }
        self.at = 0;
        let promised = match self.bytes.first_chunk::<HEADER>() {
            Some(&[a, b, c, _]) => HEADER + u32::from_le_bytes([a, b, c, 0]) as usize,
            None => 0,
        };
        let missing = promised.saturating_sub(self.bytes.len()).min(self.bytes.len());
        self.bytes.reserve(missing.max(least));
        &mut self.bytes
    }

    /// Whether everything that was received has been taken.
    pub(super) fn is_empty(&self) -> bool {
        self.at == self.bytes.len() && (self.parts.is_empty() || self.joined)
    }

    /// Gives memory back beyond `keep` bytes, if nothing is in it.
    pub(super) fn shrink(&mut self, keep: usize) {
        if self.is_empty() && (self.bytes.capacity() > keep || self.parts.capacity() > 0) {
            *self = Self::default();
        }
    }
}

/// Where a packet begins in what is to be sent.
#[must_use]
#[derive(Debug)]
pub(super) struct Begun(usize);

/// Begins a packet: what is appended until [`end`] is its payload.
pub(super) fn begin(out: &mut Vec<u8>) -> Begun {
    let at = out.len();
    out.extend_from_slice(&[0; HEADER]);
    Begun(at)
}

/// Ends a packet: writes its headers, and answers the number behind that of its last frame.
pub(super) fn end(out: &mut Vec<u8>, begun: Begun, number: u8) -> u8 {
    let Begun(at) = begun;
    let length = out.len() - at - HEADER;
    if length < FRAME {
        header(&mut out[at..at + HEADER], length, number);
        return number.wrapping_add(1);
    }
    // Seldom: the payload is taken out and goes back in frames.
    let payload = out.split_off(at + HEADER);
    out.truncate(at);
    out.reserve(payload.len() + (payload.len() / FRAME + 1) * HEADER);
    let mut number = number;
    let mut rest = payload.as_slice();
    loop {
        let (frame, behind) = rest.split_at(rest.len().min(FRAME));
        let at = out.len();
        out.extend_from_slice(&[0; HEADER]);
        header(&mut out[at..], frame.len(), number);
        out.extend_from_slice(frame);
        number = number.wrapping_add(1);
        rest = behind;
        if frame.len() < FRAME {
            return number;
        }
    }
}

fn header(at: &mut [u8], length: usize, number: u8) {
    let [a, b, c, ..] = (length as u64).to_le_bytes();
    at.copy_from_slice(&[a, b, c, number]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let begun = begin(&mut out);
        out.extend_from_slice(payload);
        end(&mut out, begun, 0);
        out
    }

    #[test]
    fn packets_of_every_length_come_back_as_they_were() {
        for length in [0, 1, 4, FRAME - 1, FRAME, FRAME + 1, 2 * FRAME, 2 * FRAME + 7] {
            let payload: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let bytes = sent(&payload);
            let mut received = Received::default();
            let mut number = 0;
            // In pieces, cut where it hurts.
            for piece in bytes.chunks(FRAME - 3) {
                assert!(received.packet(&mut number).unwrap().is_none());
                received.room(piece.len()).extend_from_slice(piece);
            }
            assert_eq!(received.packet(&mut number).unwrap(), Some(payload.as_slice()), "{length} bytes");
            assert_eq!(usize::from(number), length / FRAME + 1);
            assert!(received.packet(&mut number).unwrap().is_none());
            assert!(received.is_empty());
            received.shrink(0);
            assert_eq!(received.bytes.capacity() + received.parts.capacity(), 0);
        }
    }

    #[test]
    fn a_header_that_promises_much_costs_nothing_until_it_comes() {
        let mut received = Received::default();
        received.room(4).extend_from_slice(&[0xff, 0xff, 0xff, 0]);
        assert!(received.packet(&mut 0).unwrap().is_none());
        assert!(received.room(1024).capacity() < 64 * 1024);
    }

    #[test]
    fn frames_out_of_order_and_packets_without_end_are_refused() {
        let mut received = Received::default();
        received.room(5).extend_from_slice(&[1, 0, 0, 3, 7]);
        assert!(matches!(received.packet(&mut 1), Err(WireError::Malformed(_))));
        let mut received = Received::default();
        let mut number = 0;
        let mut frame = vec![0xff, 0xff, 0xff, 0];
        frame.resize(HEADER + FRAME, 1);
        let refused = (0..6u8).find_map(|i| {
            frame[3] = i;
            received.room(frame.len()).extend_from_slice(&frame);
            received.packet(&mut number).err()
        });
        assert!(matches!(refused, Some(WireError::TooLong { max: PACKET })));
    }
}
