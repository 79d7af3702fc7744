//! Fields of packets: numbers, strings, the values of rows. Reading past the end is an error, never a panic.

use super::error::WireError;

/// Reads the fields of a packet.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
    /// What the packet is, for the error.
    what: &'static str,
}

/// In the place of a length: NULL.
const NULL: u8 = 0xfb;

impl<'a> Fields<'a> {
    pub(super) fn new(packet: &'a [u8], what: &'static str) -> Self {
        Self { rest: packet, what }
    }

    pub(super) fn wrong(&self) -> WireError {
        WireError::Malformed(self.what)
    }

    /// What was not read yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.wrong())?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn skip(&mut self, length: usize) -> Result<(), WireError> {
        self.take(length).map(drop)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(|| self.wrong())?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, WireError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Result<u16, WireError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, WireError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Bytes up to a zero byte, which is read as well.
    pub(super) fn until_zero(&mut self) -> Result<&'a [u8], WireError> {
        let end = self.rest.iter().position(|byte| *byte == 0).ok_or_else(|| self.wrong())?;
        let text = self.take(end)?;
        self.skip(1)?;
        Ok(text)
    }

    /// A number of variable length.
    pub(super) fn number(&mut self) -> Result<u64, WireError> {
        match self.u8()? {
            first @ 0..NULL => Ok(u64::from(first)),
            0xfc => self.u16().map(u64::from),
            0xfd => self.array::<3>().map(|[a, b, c]| u64::from(u32::from_le_bytes([a, b, c, 0]))),
            0xfe => self.array().map(u64::from_le_bytes),
            NULL | 0xff => Err(self.wrong()),
        }
    }

    /// A string behind its length.
    pub(super) fn string(&mut self) -> Result<&'a [u8], WireError> {
        let length = usize::try_from(self.number()?).map_err(|_| self.wrong())?;
        self.take(length)
    }

    /// The same, or NULL.
    fn string_or_null(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        if let [NULL, rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(None);
        }
        self.string().map(Some)
    }
}

/// Appends a number of variable length.
pub(super) fn put_number(out: &mut Vec<u8>, number: usize) {
    let bytes = (number as u64).to_le_bytes();
    match number {
        0..0xfb => out.push(bytes[0]),
        0xfb..0x1_0000 => {
            out.push(0xfc);
            out.extend_from_slice(&bytes[..2]);
        }
        0x1_0000..0x100_0000 => {
            out.push(0xfd);
            out.extend_from_slice(&bytes[..3]);
        }
        _ => {
            out.push(0xfe);
            out.extend_from_slice(&bytes);
        }
    }
}

/// Appends a string behind its length.
pub(super) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// How a column's values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A number of 1, 2, 4 or 8 bytes.
    Int {
        /// Bytes in the binary protocol.
        width: u8,
        /// Whether its values are 0 and above.
        unsigned: bool,
    },
    /// Another number: so many bytes in the binary protocol.
    Real(u8),
    /// A number that is written as text in both protocols.
    Decimal,
    /// A date or a time: a byte of length and as many bytes in the binary protocol.
    Time,
    /// Bytes.
    Bytes,
}

/// Flag of a column whose numbers are 0 and above.
const UNSIGNED: u16 = 0x20;

impl Kind {
    /// The kind of a column of this type.
    pub(super) fn new(code: u8, flags: u16) -> Self {
        let unsigned = flags & UNSIGNED != 0;
        match code {
            0x01 => Self::Int { width: 1, unsigned },
            0x02 | 0x0d => Self::Int { width: 2, unsigned },
            0x03 | 0x09 => Self::Int { width: 4, unsigned },
            0x08 => Self::Int { width: 8, unsigned },
            0x04 => Self::Real(4),
            0x05 => Self::Real(8),
            0x00 | 0xf6 => Self::Decimal,
            0x07 | 0x0a..=0x0c | 0x0e => Self::Time,
            // Strings, blobs, JSON, bits, and whatever comes later is sent as.
            _ => Self::Bytes,
        }
    }

    /// Reads the description of a column.
    pub(super) fn read(packet: &[u8]) -> Result<Self, WireError> {
        let mut fields = Fields::new(packet, "description of a column");
        // Catalog, schema, table twice, name twice; behind a length: charset, display length, type, flags.
        for _ in 0..6 {
            fields.string()?;
        }
        let mut fields = Fields::new(fields.string()?, "description of a column");
        fields.skip(2 + 4)?;
        Ok(Self::new(fields.u8()?, fields.u16()?))
    }
}

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::engine::mysql) enum Field<'a> {
    /// NULL.
    Null,
    /// A whole number.
    Int(i64),
    /// Text or bytes.
    Bytes(&'a [u8]),
    /// Something no statement of ours asks for: a date, a fraction, a number beyond 63 bits.
    Other,
}

/// How the values of a row are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    /// All as text: the answer of a text.
    Text,
    /// Numbers as numbers: the answer of a prepared statement.
    Binary,
}

/// A row where it was received: its values, one after the other.
pub(in crate::engine::mysql) struct Row<'a> {
    fields: Fields<'a>,
    columns: &'a [Kind],
    protocol: Protocol,
    /// Which values are NULL in the binary protocol.
    nulls: &'a [u8],
    next: usize,
}

impl<'a> Row<'a> {
    pub(super) fn new(packet: &'a [u8], columns: &'a [Kind], protocol: Protocol) -> Result<Self, WireError> {
        let mut fields = Fields::new(packet, "row");
        let nulls = match protocol {
            Protocol::Text => &[][..],
            Protocol::Binary => {
                if fields.u8()? != 0 {
                    return Err(fields.wrong());
                }
                // The first two bits mean nothing.
                fields.take((columns.len() + 2).div_ceil(8))?
            }
        };
        Ok(Self { fields, columns, protocol, nulls, next: 0 })
    }

    /// The next value; NULL behind the last column.
    ///
    /// # Errors
    /// If the row ends before the value does.
    pub(in crate::engine::mysql) fn field(&mut self) -> Result<Field<'a>, WireError> {
        let Some(kind) = self.columns.get(self.next) else { return Ok(Field::Null) };
        let bit = self.next + 2;
        self.next += 1;
        match self.protocol {
            Protocol::Text => Ok(match (self.fields.string_or_null()?, kind) {
                (None, _) => Field::Null,
                (Some(text), Kind::Bytes) => Field::Bytes(text),
                (Some(text), Kind::Int { .. } | Kind::Decimal) => {
                    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                    number.map_or(Field::Other, Field::Int)
                }
                (Some(_), Kind::Real(_) | Kind::Time) => Field::Other,
            }),
            Protocol::Binary if self.nulls.get(bit / 8).is_some_and(|byte| byte & (1 << (bit % 8)) != 0) => {
                Ok(Field::Null)
            }
            Protocol::Binary => self.binary(*kind),
        }
    }

    fn binary(&mut self, kind: Kind) -> Result<Field<'a>, WireError> {
        Ok(match kind {
            Kind::Int { width: 1, unsigned: false } => {
                Field::Int(i64::from(self.fields.array().map(i8::from_le_bytes)?))
            }
            Kind::Int { width: 1, unsigned: true } => Field::Int(i64::from(self.fields.u8()?)),
            Kind::Int { width: 2, unsigned: false } => {
                Field::Int(i64::from(self.fields.array().map(i16::from_le_bytes)?))
            }
            Kind::Int { width: 2, unsigned: true } => Field::Int(i64::from(self.fields.u16()?)),
            Kind::Int { width: 4, unsigned: false } => {
                Field::Int(i64::from(self.fields.array().map(i32::from_le_bytes)?))
            }
            Kind::Int { width: 4, unsigned: true } => Field::Int(i64::from(self.fields.u32()?)),
            Kind::Int { unsigned: false, .. } => Field::Int(self.fields.array().map(i64::from_le_bytes)?),
            Kind::Int { unsigned: true, .. } => {
                let number = self.fields.array().map(u64::from_le_bytes)?;
                i64::try_from(number).map_or(Field::Other, Field::Int)
            }
            Kind::Real(width) => {
                self.fields.skip(usize::from(width))?;
                Field::Other
            }
            Kind::Time => {
                let length = self.fields.u8()?;
                self.fields.skip(usize::from(length))?;
                Field::Other
            }
            Kind::Decimal => {
                let text = self.fields.string()?;
                let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
                number.map_or(Field::Other, Field::Int)
            }
            Kind::Bytes => Field::Bytes(self.fields.string()?),
        })
    }

    /// How many columns it has.
    pub(in crate::engine::mysql) fn width(&self) -> usize {
        self.columns.len()
    }
}
