//! A session's time zone: UTC, or an offset from it.
//!
//! Stores keep UTC. Values on their way to a client, and times as clients write them, are in the session's zone.
//! Zones by name are refused where they are set: they need tables that would have to be kept up to date.

use cellgate_schemaless::Micros;

use crate::expression::time;

/// A time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeZone {
    /// What is added to UTC, in microseconds; between -14 and +14 hours.
    offset: i64,
}

impl TimeZone {
    /// UTC.
    pub const UTC: Self = Self { offset: 0 };

    /// `+hh:mm`, `-hh:mm` (from -13:59 to +14:00), `UTC` and `SYSTEM`, which is UTC.
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "SYSTEM" | "UTC" | "ETC/UTC" => Some(Self::UTC),
            _ => time::offset(name).map(|offset| Self { offset }),
        }
    }

    /// How far it is ahead of UTC, in microseconds.
    pub(crate) fn ahead(self) -> i64 {
        self.offset
    }

    /// What the clock of this zone shows at a time in UTC.
    pub fn local(self, utc: Micros) -> Micros {
        Micros(utc.0.saturating_add(self.offset))
    }

    /// The time in UTC at which the clock of this zone shows this.
    pub(crate) fn utc(self, local: Micros) -> Micros {
        Micros(local.0.saturating_sub(self.offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_mysqls() {
        for (name, hours) in
            [("+02:00", 2.0), ("-03:30", -3.5), ("+14:00", 14.0), ("-13:59", -13.983_333), ("+0:00", 0.0)]
        {
            let zone = TimeZone::named(name).unwrap_or_else(|| panic!("{name}"));
            #[allow(clippy::cast_precision_loss)]
            let found = zone.offset as f64 / 3.6e9;
            assert!((found - hours).abs() < 1e-4, "{name}: {found}");
            assert_eq!(zone.utc(zone.local(Micros(5))), Micros(5));
        }
        for bad in ["+14:01", "-14:00", "+2", "02:00", "Europe/Paris", "", "+ab:cd", "+02:60"] {
            assert_eq!(TimeZone::named(bad), None, "{bad}");
        }
    }
}
