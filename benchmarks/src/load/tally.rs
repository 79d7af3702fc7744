//! What a load counts: the requests that were sent in the counted time, and nothing of any other.

use std::io;
use std::time::Instant;

use crate::histogram::Histogram;

/// The requests of the counted time, and their answers whenever they come.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Where the counted time begins; none does while there is none. It ends when nothing is sent any more.
    begin: Option<Instant>,
    pub(super) latencies: Histogram,
    pub(super) errors: u64,
    pub(super) first_error: Option<String>,
    /// Bytes of requests.
    pub(super) sent: u64,
    /// Bytes of answers.
    pub(super) received: u64,
}

impl Tally {
    /// Counts from here on.
    pub(super) fn begin(&mut self, at: Instant) {
        self.begin = Some(at);
    }

    /// Whether a request that was started at this time is counted.
    pub(super) fn counts(&self, started: Instant) -> bool {
        self.begin.is_some_and(|begin| started >= begin)
    }

    /// A request of so many bytes was sent.
    pub(super) fn sent(&mut self, started: Instant, bytes: usize) {
        if self.counts(started) {
            self.sent += bytes as u64;
        }
    }

    /// The answer came of the request that was started at `started`.
    pub(super) fn answered(&mut self, started: Instant, now: Instant, bytes: usize, checked: io::Result<()>) {
        if !self.counts(started) {
            return;
        }
        self.received += bytes as u64;
        match checked {
            Ok(()) => self.latencies.record((now - started).as_nanos() as u64),
            Err(error) => self.wrong(error.to_string()),
        }
    }

    /// Something was not as it should be.
    pub(super) fn wrong(&mut self, error: String) {
        self.errors += 1;
        self.first_error.get_or_insert(error);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_request_counts_by_when_it_was_sent_and_not_by_when_its_answer_came() {
        let zero = Instant::now();
        let mut tally = Tally::default();
        // Sent and answered in the warm-up.
        tally.sent(zero, 100);
        tally.answered(zero, zero + MS, 1000, Ok(()));
        // Sent in the warm-up, answered in the counted time.
        tally.sent(zero + 9 * MS, 100);
        tally.begin(zero + 10 * MS);
        tally.answered(zero + 9 * MS, zero + 12 * MS, 1000, Err(io::Error::other("of the warm-up")));
        assert_eq!((tally.latencies.count(), tally.errors, tally.sent, tally.received), (0, 0, 0, 0));
        // The counted time's, of which the second is answered long after it.
        tally.sent(zero + 10 * MS, 7);
        tally.answered(zero + 10 * MS, zero + 11 * MS, 20, Ok(()));
        tally.sent(zero + 12 * MS, 7);
        tally.sent(zero + 12 * MS, 7);
        tally.answered(zero + 12 * MS, zero + 99 * MS, 20, Ok(()));
        tally.answered(zero + 12 * MS, zero + 13 * MS, 20, Err(io::Error::other("counted")));
        assert_eq!((tally.latencies.count(), tally.errors, tally.sent, tally.received), (2, 1, 21, 60));
        assert_eq!(tally.latencies.most(), (87 * MS).as_nanos() as u64);
        assert_eq!(tally.first_error.as_deref(), Some("counted"));
    }
}
