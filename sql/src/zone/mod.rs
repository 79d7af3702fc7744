//! A session's time zone: UTC, an offset from it, or a place's zone by the rules of its zoneinfo file.
//!
//! Stores keep UTC. Values on their way to a client, and times as clients write them, are in the session's zone. Where
//! a zone's clock is put back, an hour comes twice: written, it is the first of the two. Where it is put forward, an
//! hour does not come: written, it is the moment at which the clock is put forward. Both are MySQL's rules.
//!
//! Nothing here reads a file: [`Environment::zone`](crate::Environment::zone) answers for names.

mod clock;
mod posix;
#[cfg(test)]
mod tests;
mod tzif;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use cellgate_schemaless::Micros;

pub(crate) use clock::Clock;
pub use tzif::ZoneError;

use crate::expression::time;
use crate::value::Value;

/// Seconds that a zone can be ahead of or behind UTC: what RFC 8536 asks readers to bear.
const FURTHEST: i32 = 26 * 3600;

/// A time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeZone {
    /// What is added to UTC, in microseconds; between -14 and +14 hours.
    Offset(i64),
    /// One that has a name, and rules.
    Place(Arc<Zone>),
}

/// The zone of a place: when its clocks were and will be changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: String,
    /// What [`Clock`] reads.
    packed: Bytes,
}

impl Zone {
    /// The zone that a zoneinfo file (TZif, RFC 8536 and 9636, versions 1 to 4) describes.
    ///
    /// # Errors
    /// [`ZoneError`]: what is not such a file, or has leap seconds, which no time here does.
    pub fn parse(name: &str, file: &[u8]) -> Result<Self, ZoneError> {
        Ok(Self { name: name.to_owned(), packed: tzif::parse(file)?.pack() })
    }

    /// The name it was found by.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl TimeZone {
    /// UTC.
    pub const UTC: Self = Self::Offset(0);

    /// `+hh:mm`, `-hh:mm` (from -13:59 to +14:00), `UTC` and `SYSTEM`, which is UTC: those that need no file.
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "SYSTEM" | "UTC" | "ETC/UTC" => Some(Self::UTC),
            _ => time::offset(name).map(Self::Offset),
        }
    }

    /// Whether its clock is never changed, so that times are in the same order here and in UTC.
    pub fn is_fixed(&self) -> bool {
        match self {
            Self::Offset(_) => true,
            Self::Place(_) => false,
        }
    }

    /// What the clock of this zone shows at a time in UTC.
    pub fn local(&self, utc: Micros) -> Micros {
        self.clock().local(utc)
    }

    /// The first time in UTC at which the clock of this zone shows this, or more.
    pub(crate) fn utc(&self, local: Micros) -> Micros {
        self.clock().utc(local)
    }

    /// What the functions that need a zone take it as: [`Clock::of`] reads it again.
    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Offset(ahead) => Value::Int(*ahead),
            Self::Place(zone) => Value::Bytes(zone.packed.clone()),
        }
    }

    fn clock(&self) -> Clock<'_> {
        match self {
            Self::Offset(ahead) => Clock::Offset(*ahead),
            Self::Place(zone) => Clock::packed(&zone.packed).unwrap_or(Clock::Offset(0)),
        }
    }
}

/// As `SET time_zone` takes it.
impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offset(0) => f.write_str("UTC"),
            Self::Offset(ahead) => {
                let minutes = ahead.abs() / 60_000_000;
                let sign = if *ahead < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
            Self::Place(zone) => f.write_str(&zone.name),
        }
    }
}
