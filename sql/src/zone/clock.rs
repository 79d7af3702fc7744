//! What a clock shows: from UTC to a zone's time and back.

use cellgate_schemaless::Micros;

use super::posix::Rule;
use super::tzif::Table;
use crate::value::Value;

const SECOND: i64 = 1_000_000;
/// Seconds within which every clock of the world has shown a time: more than the furthest zones are from UTC.
const AROUND: i64 = 2 * 86_400;
/// Most periods looked at for one local time: a zone with so many changes in four days is none.
const PERIODS: usize = 32;
/// What a packed zone begins with, so that it is no text.
const MAGIC: &[u8] = b"\0zone";
/// The bytes of a packed change: when, in seconds since 1970, and the seconds ahead of UTC from then on.
const CHANGE: usize = 12;

/// A zone's clock, ready to be asked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clock<'z> {
    /// Microseconds ahead of UTC.
    Offset(i64),
    /// By the changes of a packed zone.
    Place(Place<'z>),
}

/// A packed zone: no part of it is copied or checked again to be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'z> {
    /// Seconds ahead of UTC before the first change.
    first: i32,
    changes: &'z [[u8; CHANGE]],
    /// The rule for what comes after the last change; empty if it stays as it was.
    rule: &'z str,
}

/// A time during which the clock is not changed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period {
    /// Its first second.
    pub from: i64,
    /// The first second of the next one.
    pub until: i64,
    /// Seconds ahead of UTC.
    pub ahead: i32,
}

impl Table {
    /// The zone as [`Clock`] reads it.
    pub(super) fn pack(&self) -> bytes::Bytes {
        let mut packed = Vec::with_capacity(MAGIC.len() + 8 + self.changes.len() * CHANGE + self.rule.len());
        packed.extend_from_slice(MAGIC);
        packed.extend_from_slice(&self.first.to_be_bytes());
        packed.extend_from_slice(&u32::try_from(self.changes.len()).unwrap_or(0).to_be_bytes());
        for (at, ahead) in &self.changes {
            packed.extend_from_slice(&at.to_be_bytes());
            packed.extend_from_slice(&ahead.to_be_bytes());
        }
        packed.extend_from_slice(self.rule.as_bytes());
        packed.into()
    }
}

impl<'z> Clock<'z> {
    /// The zone that a value of [`TimeZone::value`](super::TimeZone::value) is; `None` for any other value.
    pub fn of(value: &'z Value) -> Option<Self> {
        match value {
            Value::Int(ahead) => Some(Self::Offset(*ahead)),
            Value::Bytes(packed) => Self::packed(packed),
            Value::Null
            | Value::UInt(_)
            | Value::Double(_)
            | Value::Decimal(_)
            | Value::Text(_)
            | Value::Json(_)
            | Value::DateTime(_) => None,
        }
    }

    /// Reads a packed zone.
    pub fn packed(packed: &'z [u8]) -> Option<Self> {
        let rest = packed.strip_prefix(MAGIC)?;
        let (first, rest) = rest.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let count = usize::try_from(u32::from_be_bytes(*count)).ok()?;
        let (changes, rule) = rest.split_at_checked(count.checked_mul(CHANGE)?)?;
        let (changes, _) = changes.as_chunks();
        Some(Self::Place(Place { first: i32::from_be_bytes(*first), changes, rule: std::str::from_utf8(rule).ok()? }))
    }

    /// What it shows at a time in UTC.
    pub fn local(self, utc: Micros) -> Micros {
        let ahead = match self {
            Self::Offset(ahead) => ahead,
            Self::Place(place) => i64::from(place.period(utc.0.div_euclid(SECOND)).ahead) * SECOND,
        };
        Micros(utc.0.saturating_add(ahead))
    }

    /// The first time in UTC at which it shows this. If it skips this, the moment of the skip, and the fraction of the
    /// second as written.
    pub fn utc(self, local: Micros) -> Micros {
        match self {
            Self::Offset(ahead) => Micros(local.0.saturating_sub(ahead)),
            Self::Place(place) => {
                let (seconds, fraction) = (local.0.div_euclid(SECOND), local.0.rem_euclid(SECOND));
                Micros(place.utc(seconds).saturating_mul(SECOND).saturating_add(fraction))
            }
        }
    }
}

fn change(packed: [u8; CHANGE]) -> (i64, i32) {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = packed;
    (i64::from_be_bytes([a, b, c, d, e, f, g, h]), i32::from_be_bytes([i, j, k, l]))
}

impl Place<'_> {
    /// The period a second is in.
    fn period(&self, at: i64) -> Period {
        let after = self.changes.partition_point(|packed| change(*packed).0 <= at);
        let before = after.checked_sub(1).and_then(|place| self.changes.get(place)).map(|packed| change(*packed));
        let (from, ahead) = before.unwrap_or((i64::MIN, self.first));
        match self.changes.get(after) {
            Some(packed) => Period { from, until: change(*packed).0, ahead },
            None => match Rule::parse(self.rule) {
                Some(rule) => {
                    let period = rule.period(at);
                    Period { from: period.from.max(from), ..period }
                }
                None => Period { from, until: i64::MAX, ahead },
            },
        }
    }

    /// The first second at which the clock shows `local` or more.
    fn utc(&self, local: i64) -> i64 {
        let mut period = self.period(local.saturating_sub(AROUND));
        for _ in 0..PERIODS {
            let shows = |utc: i64| utc.saturating_add(period.ahead.into());
            if local < shows(period.from) {
                return period.from;
            }
            if local < shows(period.until) || period.until == i64::MAX {
                break;
            }
            period = self.period(period.until);
        }
        local.saturating_sub(period.ahead.into())
    }
}
