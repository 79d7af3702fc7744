//! Zoneinfo files: TZif of RFC 8536 and 9636, versions 1 to 4.
//!
//! Our own reader: `tz-rs` refuses version 4, `tzif` needs a parser library, `jiff` and `chrono-tz` bring a calendar along,
//! and none has MySQL's rule for a local time that comes twice or never.

use thiserror::Error;

use super::FURTHEST;
use super::posix::Rule;

/// Largest zoneinfo file, in bytes: some ten times the largest there is.
const FILE_BYTES: usize = 64 << 10;

/// Why a file gives no time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ZoneError {
    /// It is larger than any zoneinfo file.
    #[error("it is larger than 64 KiB")]
    Size,
    /// It does not begin as one.
    #[error("it is no zoneinfo file")]
    Format,
    /// It ends in the middle.
    #[error("it is cut off")]
    Short,
    /// It counts leap seconds, as those in `right/` do.
    #[error("it counts leap seconds, which times in SQL do not")]
    LeapSeconds,
    /// What it says cannot be.
    #[error("it contradicts itself")]
    Contents,
}

/// What a zoneinfo file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// Seconds ahead of UTC before the first change.
    pub first: i32,
    /// Changes in ascending order: from this second on, so many seconds ahead of UTC.
    pub changes: Vec<(i64, i32)>,
    /// The rule for what comes after them; empty if it stays as it was.
    pub rule: String,
}

/// The counts of a header, in the order of the file.
struct Header {
    version: u8,
    is_utc: usize,
    is_standard: usize,
    leaps: usize,
    changes: usize,
    types: usize,
    letters: usize,
}

/// Bytes of a time in the file.
#[derive(Clone, Copy)]
enum Width {
    Four,
    Eight,
}

impl Width {
    fn bytes(self) -> usize {
        match self {
            Self::Four => 4,
            Self::Eight => 8,
        }
    }
}

/// Reads a file.
pub(super) fn parse(file: &[u8]) -> Result<Table, ZoneError> {
    if file.len() > FILE_BYTES {
        return Err(ZoneError::Size);
    }
    let mut bytes = Reader { rest: file };
    let header = bytes.header()?;
    if header.version == 0 {
        return bytes.table(&header, Width::Four);
    }
    // What is for readers of version 1 comes first.
    bytes.take(header.length(Width::Four))?;
    let header = bytes.header()?;
    let mut table = bytes.table(&header, Width::Eight)?;
    let rest = bytes.rest.strip_prefix(b"\n").and_then(|rest| std::str::from_utf8(rest).ok());
    let (rule, _) = rest.and_then(|rest| rest.split_once('\n')).ok_or(ZoneError::Short)?;
    if !rule.is_empty() && Rule::parse(rule).is_none() {
        return Err(ZoneError::Contents);
    }
    rule.clone_into(&mut table.rule);
    Ok(table)
}

impl Header {
    /// The bytes of the data that follows it.
    fn length(&self, width: Width) -> usize {
        let width = width.bytes();
        self.changes * (width + 1)
            + self.types * 6
            + self.letters
            + self.leaps * (width + 4)
            + self.is_standard
            + self.is_utc
    }
}

struct Reader<'f> {
    rest: &'f [u8],
}

impl<'f> Reader<'f> {
    fn take(&mut self, bytes: usize) -> Result<&'f [u8], ZoneError> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(ZoneError::Short)?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<i32, ZoneError> {
        let taken = self.take(4)?.try_into().map_err(|_| ZoneError::Short)?;
        Ok(i32::from_be_bytes(taken))
    }

    fn count(&mut self) -> Result<usize, ZoneError> {
        let count = usize::try_from(self.number()?).map_err(|_| ZoneError::Contents)?;
        // Nothing is counted that takes less than a byte.
        if count > FILE_BYTES { Err(ZoneError::Short) } else { Ok(count) }
    }

    fn header(&mut self) -> Result<Header, ZoneError> {
        let magic = self.take(4).map_err(|_| ZoneError::Format)?;
        if magic != b"TZif" {
            return Err(ZoneError::Format);
        }
        let version = self.take(16)?.first().copied().unwrap_or(0);
        // Later versions are made to be read as version 2.
        if version != 0 && !(b'2'..=b'9').contains(&version) {
            return Err(ZoneError::Format);
        }
        Ok(Header {
            version,
            is_utc: self.count()?,
            is_standard: self.count()?,
            leaps: self.count()?,
            changes: self.count()?,
            types: self.count()?,
            letters: self.count()?,
        })
    }

    fn table(&mut self, header: &Header, width: Width) -> Result<Table, ZoneError> {
        if header.leaps != 0 {
            return Err(ZoneError::LeapSeconds);
        }
        let mut data = Reader { rest: self.take(header.length(width))? };
        let times = data.take(header.changes * width.bytes())?;
        let kinds = data.take(header.changes)?;
        let mut types = Vec::with_capacity(header.types);
        for _ in 0..header.types {
            let ahead = data.number()?;
            if ahead.unsigned_abs() > FURTHEST.unsigned_abs() {
                return Err(ZoneError::Contents);
            }
            types.push(ahead);
            data.take(2)?;
        }
        let ahead = |kind: usize| types.get(kind).copied().ok_or(ZoneError::Contents);
        let first = ahead(0)?;
        let mut changes: Vec<(i64, i32)> = Vec::with_capacity(header.changes);
        for (time, kind) in times.chunks_exact(width.bytes()).zip(kinds) {
            let at = time.iter().skip(1).fold(sign(time), |n, byte| (n << 8) | i64::from(*byte));
            if changes.last().is_some_and(|(before, _)| *before >= at) {
                return Err(ZoneError::Contents);
            }
            changes.push((at, ahead(usize::from(*kind))?));
        }
        Ok(Table { first, changes, rule: String::new() })
    }
}

/// The first byte of a number, which has its sign.
fn sign(number: &[u8]) -> i64 {
    number.first().map_or(0, |byte| i64::from(byte.cast_signed()))
}
