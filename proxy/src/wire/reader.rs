//! Reading the fields of a packet: every length is checked, and byte strings are slices of the packet, not copies.

use bytes::{Buf, Bytes};

/// A packet ended before its fields did, or a field cannot be what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The unread rest of a packet.
#[derive(Clone, Debug)]
pub(super) struct Reader(Bytes);

impl Reader {
    pub(super) fn new(packet: Bytes) -> Self {
        Self(packet)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether these are the next bytes.
    pub(super) fn starts_with(&self, bytes: &[u8]) -> bool {
        self.0.starts_with(bytes)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if length > self.0.len() {
            return Err(Malformed);
        }
        Ok(self.0.split_to(length))
    }

    pub(super) fn skip(&mut self, length: usize) -> Result<(), Malformed> {
        if length > self.0.len() {
            return Err(Malformed);
        }
        self.0.advance(length);
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let array = self.0.first_chunk::<N>().copied().ok_or(Malformed)?;
        self.0.advance(N);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A length-encoded integer. 0xfb (NULL in a text row) and 0xff (an ERR packet) are none.
    pub(super) fn lenenc(&mut self) -> Result<u64, Malformed> {
        match self.u8()? {
            small @ 0..=0xfa => Ok(u64::from(small)),
            0xfc => Ok(u64::from(self.u16()?)),
            0xfd => {
                let [a, b, c] = self.array()?;
                Ok(u64::from(u32::from_le_bytes([a, b, c, 0])))
            }
            0xfe => self.u64(),
            0xfb | 0xff => Err(Malformed),
        }
    }

    /// A byte string behind its length-encoded length.
    pub(super) fn lenenc_bytes(&mut self) -> Result<Bytes, Malformed> {
        let length = usize::try_from(self.lenenc()?).map_err(|_| Malformed)?;
        self.bytes(length)
    }

    /// A byte string that ends at a zero byte.
    pub(super) fn nul_terminated(&mut self) -> Result<Bytes, Malformed> {
        let length = self.0.iter().position(|byte| *byte == 0).ok_or(Malformed)?;
        let bytes = self.0.split_to(length);
        self.0.advance(1);
        Ok(bytes)
    }

    /// A byte string that ends at a zero byte, or, as some clients write the last one, at the end of the packet.
    pub(super) fn nul_terminated_or_rest(&mut self) -> Bytes {
        match self.nul_terminated() {
            Ok(bytes) => bytes,
            Err(Malformed) => self.rest(),
        }
    }

    pub(super) fn rest(&mut self) -> Bytes {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use mysql_common::io::BufMutExt as _;

    use super::*;

    #[test]
    fn a_length_encoded_integer_of_every_width_is_read_back() {
        for number in [0, 1, 250, 251, 252, 253, 254, 255, 256, 65_535, 65_536, 0xff_ffff, 0x100_0000, u64::MAX] {
            let mut bytes = Vec::new();
            bytes.put_lenenc_int(number);
            let mut reader = Reader::new(bytes.clone().into());
            assert_eq!(reader.lenenc(), Ok(number));
            assert!(reader.is_empty());
            bytes.pop();
            assert_eq!(Reader::new(bytes.into()).lenenc(), Err(Malformed));
        }
        assert_eq!(Reader::new(Bytes::from_static(&[0xfb])).lenenc(), Err(Malformed));
        assert_eq!(Reader::new(Bytes::from_static(&[0xff])).lenenc(), Err(Malformed));
    }

    #[test]
    fn a_length_beyond_the_packet_is_refused() {
        let huge = Bytes::from_static(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
        assert_eq!(Reader::new(huge).lenenc_bytes(), Err(Malformed));
        let mut reader = Reader::new(Bytes::from_static(b"abc"));
        assert_eq!(reader.bytes(4), Err(Malformed));
        assert_eq!(reader.u32(), Err(Malformed));
        assert_eq!(reader.bytes(3), Ok(Bytes::from_static(b"abc")));
    }

    #[test]
    fn a_missing_zero_byte_is_forgiven_only_where_asked_for() {
        let mut reader = Reader::new(Bytes::from_static(b"ab\0cd"));
        assert_eq!(reader.nul_terminated(), Ok(Bytes::from_static(b"ab")));
        assert_eq!(reader.clone().nul_terminated(), Err(Malformed));
        assert_eq!(reader.nul_terminated_or_rest(), Bytes::from_static(b"cd"));
        assert!(reader.is_empty());
    }
}
