//! How far away a store is, told by what it takes to answer a ping: no work, so the way there and back, and waiting for
//! processors.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use crate::sync::lock;

/// How many pings are remembered. The shortest of them is the least disturbed by what the machines do besides.
pub(super) const PINGS: usize = 8;

/// What the last pings took.
#[derive(Debug, Default)]
pub(super) struct Way {
    pings: Mutex<VecDeque<Duration>>,
}

impl Way {
    /// A ping took so long: says what the shortest of the last ones took.
    pub(super) fn took(&self, ping: Duration) -> Duration {
        let mut pings = lock(&self.pings);
        if pings.len() == PINGS {
            pings.pop_front();
        }
        pings.push_back(ping);
        pings.iter().min().copied().unwrap_or(ping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_of_the_last_pings_counts() {
        let way = Way::default();
        let millis = Duration::from_millis;
        assert_eq!(way.took(millis(9)), millis(9), "the first may have had to connect");
        assert_eq!(way.took(millis(1)), millis(1));
        for _ in 1..PINGS {
            assert_eq!(way.took(millis(5)), millis(1), "one of the last");
        }
        assert_eq!(way.took(millis(5)), millis(5), "the server has moved");
    }
}
