//! Clusters whose times are ahead of the clock.
//!
//! Times ascend with ids. So one write while the date of a server or of this machine was years ahead makes all later
//! times of its cluster those of then, a microsecond apart for each commit, until the clock has caught up.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use cellgate_schemaless::Micros;

use crate::sync::lock;

/// How far the times of a cluster may be ahead: clocks of machines that are kept right differ by less.
const USUAL: Duration = Duration::from_secs(60);

/// How often the log is told that they still are.
const TELL_AGAIN: Duration = Duration::from_secs(3600);

/// When the log was told last that the times of a cluster are ahead.
#[derive(Debug, Default)]
pub(super) struct Ahead(Mutex<Option<Instant>>);

impl Ahead {
    /// A cell was stored with this time, where the clock shows this many microseconds UTC. Answers by how much it is ahead, if the
    /// log is to be told.
    pub(super) fn by(&self, stored: Micros, clock: i64, now: Instant) -> Option<Duration> {
        let ahead = Duration::from_micros(u64::try_from(stored.0.saturating_sub(clock)).unwrap_or(0));
        if ahead <= USUAL {
            return None;
        }
        let mut told = lock(&self.0);
        if told.is_some_and(|at| now.saturating_duration_since(at) < TELL_AGAIN) {
            return None;
        }
        *told = Some(now);
        Some(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_that_are_ahead_are_told_at_once_and_then_every_hour() {
        let (ahead, began) = (Ahead::default(), Instant::now());
        let by = |stored: u64, second: u64| {
            let stored = Micros(i64::try_from(stored * 1_000_000).unwrap());
            ahead.by(stored, 1_000_000_000, began + Duration::from_secs(second)).map(|by| by.as_secs())
        };
        assert_eq!([by(900, 0), by(1000, 0), by(1060, 0)], [None; 3], "clocks differ");
        assert_eq!([by(1061, 0), by(5000, 1), by(1000, 2)], [Some(61), None, None]);
        assert_eq!([by(5000, 3599), by(5000, 3600), by(5000, 3601)], [None, Some(4000), None]);
    }
}
