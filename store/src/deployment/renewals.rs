//! Renewals of the lease in the registry of proxies: one at a time, and what the log is told of how they go.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::error::StoreError;
use crate::sync::lock;

/// How often the log is told that renewals still fail.
const REPEAT: Duration = Duration::from_secs(60);

/// Renewals of the lease: one at a time, for one that hangs keeps a connection to the meta store.
#[derive(Debug, Default)]
pub(super) struct Renewals {
    /// Somebody wants one at once.
    pub(super) wanted: Notify,
    /// One has ended, well or not.
    pub(super) ended: Notify,
    /// Those that have failed, one after the other, if the last one has.
    failed: Mutex<Option<Failed>>,
}

/// Renewals that have failed, with none between them that has not.
#[derive(Clone, Copy, Debug)]
struct Failed {
    times: u64,
    /// When the log was told last.
    said: Instant,
}

/// What there is to be said behind a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// They fail from now on.
    Fails,
    /// They still do, for so many times now.
    StillFails(u64),
    /// They do not any more, after so many.
    WellAgain(u64),
}

impl Renewals {
    /// One has ended: tells the log when that is news, and whoever waits for it.
    pub(super) fn ended(&self, outcome: &Result<(), StoreError>) {
        match (self.news(outcome.is_ok(), Instant::now()), outcome) {
            (Some(News::Fails), Err(error)) => {
                tracing::warn!(%error, "could not renew the lease in the registry of proxies");
            }
            (Some(News::StillFails(times)), Err(error)) => {
                tracing::warn!(times, %error, "could not renew the lease in the registry of proxies, again and again");
            }
            (Some(News::WellAgain(failed)), _) => {
                tracing::info!(failed, "the lease in the registry of proxies is renewed again");
            }
            (Some(News::Fails | News::StillFails(_)), Ok(())) | (None, _) => {}
        }
        self.ended.notify_waiters();
    }

    fn news(&self, is_renewed: bool, now: Instant) -> Option<News> {
        let mut failed = lock(&self.failed);
        if is_renewed {
            return failed.take().map(|failed| News::WellAgain(failed.times));
        }
        let Some(known) = failed.as_mut() else {
            *failed = Some(Failed { times: 1, said: now });
            return Some(News::Fails);
        };
        known.times += 1;
        if now.saturating_duration_since(known.said) < REPEAT {
            return None;
        }
        known.said = now;
        Some(News::StillFails(known.times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewals_that_fail_are_said_at_once_then_once_a_minute_and_once_when_they_are_well_again() {
        let renewals = Renewals::default();
        let began = Instant::now();
        let news = |is_renewed, second| renewals.news(is_renewed, began + Duration::from_secs(second));
        assert_eq!([news(true, 0), news(true, 5)], [None; 2], "nothing to tell");
        assert_eq!(news(false, 10), Some(News::Fails));
        let told: Vec<_> = (15..=130).step_by(5).filter_map(|second| Some((second, news(false, second)?))).collect();
        assert_eq!(told, [(70, News::StillFails(13)), (130, News::StillFails(25))]);
        assert_eq!(news(true, 135), Some(News::WellAgain(25)));
        assert_eq!([news(true, 140), news(false, 145)], [None, Some(News::Fails)], "anew");
    }
}
