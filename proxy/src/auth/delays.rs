//! Delays after failed logins, so that guessing passwords takes time.
//!
//! Failures are counted by user and host. The first `FREE` cost nothing: people mistype. From then on each attempt,
//! right or wrong, waits before it is judged, twice as long each time up to a limit. A login that succeeds, or
//! `FORGET` without a failure, ends it.
//!
//! Memory is bounded: at most `MOST` pairs are counted each for itself; when there are more, all further ones share
//! one count, so that nobody escapes by making others up.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Failures without a delay.
const FREE: u32 = 3;
/// The first delay.
const FIRST: Duration = Duration::from_millis(250);
/// How long a failure counts.
const FORGET: Duration = Duration::from_secs(600);
/// Most pairs of user and host that are counted by themselves: about 1 MiB with names of ordinary length.
const MOST: usize = 8192;
/// Longest user name that is told apart, in bytes: MySQL's 32 characters. Longer ones are nobody's.
const LONGEST_NAME: usize = 128;

/// Who failed how often.
#[derive(Debug, Default)]
pub struct LoginDelays(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    by_pair: HashMap<(String, String), Failures>,
    /// Those that had no room in `by_pair`.
    others: Failures,
}

#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u32,
    last: Option<Instant>,
}

impl Failures {
    fn live(&self, now: Instant) -> u32 {
        match self.last {
            Some(last) if now.saturating_duration_since(last) < FORGET => self.count,
            Some(_) | None => 0,
        }
    }

    fn add(&mut self, now: Instant) {
        self.count = self.live(now).saturating_add(1);
        self.last = Some(now);
    }
}

impl LoginDelays {
    /// How long the next attempt has to wait, at most `longest`.
    pub fn delay(&self, user: &str, host: &str, longest: Duration) -> Duration {
        self.delay_at(Instant::now(), user, host, longest)
    }

    /// An attempt failed.
    pub fn failed(&self, user: &str, host: &str) {
        self.failed_at(Instant::now(), user, host);
    }

    /// An attempt succeeded: what failed before it no longer counts.
    pub fn succeeded(&self, user: &str, host: &str) {
        self.lock().by_pair.remove(&pair(user, host));
    }

    /// All failures are forgotten.
    pub fn forget(&self) {
        *self.lock() = Counts::default();
    }

    fn delay_at(&self, now: Instant, user: &str, host: &str, longest: Duration) -> Duration {
        let counts = self.lock();
        let full = counts.by_pair.len() >= MOST;
        let failures = match counts.by_pair.get(&pair(user, host)) {
            Some(own) => own.live(now),
            None if full => counts.others.live(now),
            None => 0,
        };
        match failures.checked_sub(FREE) {
            None => Duration::ZERO,
            Some(beyond) => FIRST.saturating_mul(1 << beyond.min(16)).min(longest),
        }
    }

    fn failed_at(&self, now: Instant, user: &str, host: &str) {
        let mut counts = self.lock();
        let pair = pair(user, host);
        if counts.by_pair.len() >= MOST && !counts.by_pair.contains_key(&pair) {
            counts.by_pair.retain(|_, failures| failures.live(now) > 0);
        }
        if counts.by_pair.len() >= MOST && !counts.by_pair.contains_key(&pair) {
            counts.others.add(now);
        } else {
            counts.by_pair.entry(pair).or_default().add(now);
        }
    }

    /// The counts are right after every single step, so that a panic elsewhere does not spoil them.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pair(user: &str, host: &str) -> (String, String) {
    let user = if user.len() > LONGEST_NAME { "" } else { user };
    (user.to_owned(), host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(2);

    #[test]
    fn delays_double_up_to_the_limit_and_end_with_a_success() {
        let delays = LoginDelays::default();
        let mut waited = Vec::new();
        for _ in 0..9 {
            waited.push(delays.delay("app", "h", LONGEST).as_millis());
            delays.failed("app", "h");
        }
        assert_eq!(waited, [0, 0, 0, 250, 500, 1000, 2000, 2000, 2000]);
        assert_eq!(delays.delay("app", "other", LONGEST), Duration::ZERO);
        assert_eq!(delays.delay("other", "h", LONGEST), Duration::ZERO);
        assert_eq!(delays.delay("app", "h", Duration::ZERO), Duration::ZERO, "a limit of none is no delay");
        delays.succeeded("app", "h");
        assert_eq!(delays.delay("app", "h", LONGEST), Duration::ZERO);
    }

    #[test]
    fn failures_are_forgotten_after_a_while() {
        let delays = LoginDelays::default();
        let now = Instant::now();
        (0..5).for_each(|_| delays.failed_at(now, "app", "h"));
        assert!(delays.delay_at(now + FORGET / 2, "app", "h", LONGEST) > Duration::ZERO);
        assert_eq!(delays.delay_at(now + FORGET, "app", "h", LONGEST), Duration::ZERO);
        delays.failed_at(now + FORGET, "app", "h");
        assert_eq!(delays.delay_at(now + FORGET, "app", "h", LONGEST), Duration::ZERO, "counting begins anew");
    }

    #[test]
    fn made_up_names_neither_fill_the_memory_nor_hide_a_guesser() {
        let delays = LoginDelays::default();
        let now = Instant::now();
        (0..5).for_each(|_| delays.failed_at(now, "app", "h"));
        (0..MOST + 100).for_each(|n| delays.failed_at(now, &format!("made up {n}"), "h"));
        assert_eq!(delays.lock().by_pair.len(), MOST);
        assert!(delays.delay_at(now, "app", "h", LONGEST) > Duration::ZERO);
        assert_eq!(delays.delay_at(now, "yet another", "h", LONGEST), LONGEST);
        delays.failed_at(now + FORGET, "new", "h");
        assert_eq!(delays.lock().by_pair.len(), 1, "what is forgotten makes room");
        (0..9).for_each(|_| delays.failed_at(now, &"x".repeat(1000), "h"));
        assert!(delays.lock().by_pair.keys().all(|(user, _)| user.len() <= LONGEST_NAME));
    }
}
