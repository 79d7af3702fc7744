//! How long a SELECT may take, and whose limit it is that has come.

use std::time::{Duration, Instant};

use cellgate_sql::SqlError;

use super::error::StatementError;

/// How long a SELECT may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct ReadTime {
    /// Until its first rows, and until the next ones whenever more are needed: the server's limit. The time in which a client
    /// reads what it is sent is not in it.
    pub(super) step: Duration,
    /// When all of it must be over: the client's limit.
    pub(super) end: Option<Instant>,
}

impl ReadTime {
    /// When the rows that are asked for now must be there.
    pub(super) fn deadline(self) -> Instant {
        let step = Instant::now() + self.step;
        self.end.map_or(step, |end| end.min(step))
    }

    /// What a SELECT ends with: if its time is over and it is the client's limit that has come, no fault of the server.
    pub(super) fn judged(self, error: StatementError) -> StatementError {
        let is_over = |error: &StatementError| {
            matches!(error, StatementError::Timeout { .. } | StatementError::Sql(SqlError::GivenUp))
        };
        let has_come = self.end.is_some_and(|end| end <= Instant::now());
        if has_come && is_over(&error) { StatementError::OwnTimeout } else { error }
    }
}

#[cfg(test)]
mod tests {
    use cellgate_schemaless::ErrorKind;

    use super::*;

    #[test]
    fn a_read_fails_for_the_limit_that_has_come() {
        let (step, now) = (Duration::from_secs(30), Instant::now());
        let ends = [(None, ErrorKind::Timeout), (Some(now + step), ErrorKind::Timeout), (Some(now), ErrorKind::Killed)];
        for (end, kind) in ends {
            let late = StatementError::Timeout { detail: "" };
            assert_eq!(ReadTime { step, end }.judged(late).kind(), kind, "{end:?}");
        }
        let other = StatementError::LockTimeout("trips".to_owned());
        assert_eq!(ReadTime { step, end: Some(now) }.judged(other).kind(), ErrorKind::Conflict);
    }
}
