//! Delays after failed logins, so that guessing passwords takes time.
//!
//! Failures are counted by user and host, or network of an IPv6 address. The first `FREE` cost nothing: people mistype. From then on each attempt,
//! right or wrong, waits before it is judged, twice as long each time up to a limit. A login that succeeds, or
//! `FORGET` without a failure, ends it. Of those that wait, [`AT_ONCE`] have a turn, for
//! the whole delay, and the others behind them: who connects many times at once guesses no faster, however late in the time
//! for a login the turn comes.
//!
//! Memory is bounded: at most `MOST` pairs are counted each for itself. When there are more, further ones are counted by
//! their host, so that nobody escapes by making users up, and nobody else pays for it. Of hosts there are `HOSTS`; when
//! there are more, the one that failed longest ago is forgotten.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::sync::lock;

/// Failures without a delay.
const FREE: u32 = 3;
/// The first delay.
const FIRST: Duration = Duration::from_millis(250);
/// How long a failure counts.
const FORGET: Duration = Duration::from_secs(600);
/// Most pairs of user and host that are counted by themselves: about 1 MiB with names of ordinary length.
const MOST: usize = 8192;
/// Most hosts whose other users are counted together.
const HOSTS: usize = 1024;
/// How many attempts of one count wait for their judgement at the same time: with one, whoever knows the password would
/// stand behind each guess of another.
pub const AT_ONCE: usize = 4;
/// The bits of an IPv6 address that are its network's.
const NETWORK: u128 = !0 << 64;
/// Longest user name that is told apart, in bytes: MySQL's 32 characters. Longer ones are nobody's.
const LONGEST_NAME: usize = 128;

/// Who failed how often.
#[derive(Debug, Default)]
pub struct LoginDelays(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    by_pair: HashMap<(String, String), Failures>,
    /// Those that had no room in `by_pair`.
    by_host: HashMap<String, Failures>,
}

#[derive(Clone, Debug)]
struct Failures {
    count: u32,
    last: Instant,
    turns: Arc<Semaphore>,
}

impl Failures {
    fn none(now: Instant) -> Self {
        Self { count: 0, last: now, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    fn live(&self, now: Instant) -> u32 {
        if now.saturating_duration_since(self.last) < FORGET { self.count } else { 0 }
    }

    fn add(&mut self, now: Instant) {
        self.count = self.live(now).saturating_add(1);
        self.last = now;
    }
}

impl Counts {
    /// What the attempts of this user from there are counted by.
    fn of(&self, pair: &(String, String)) -> Option<&Failures> {
        match self.by_pair.get(pair) {
            Some(own) => Some(own),
            None if self.by_pair.len() >= MOST => self.by_host.get(&pair.1),
            None => None,
        }
    }
}

impl LoginDelays {
    /// How long the next attempt has to wait, at most `longest`.
    pub fn delay(&self, user: &str, host: &str, longest: Duration) -> Duration {
        self.delay_at(Instant::now(), user, host, longest)
    }

    /// The turns of those that wait, [`AT_ONCE`] at the same time; `None` if nobody of them failed.
    pub fn turns(&self, user: &str, host: &str) -> Option<Arc<Semaphore>> {
        lock(&self.0).of(&pair(user, host)).map(|failures| Arc::clone(&failures.turns))
    }

    /// An attempt failed.
    pub fn failed(&self, user: &str, host: &str) {
        self.failed_at(Instant::now(), user, host);
    }

    /// An attempt succeeded: what failed before it no longer counts. Of what a host's users share it takes back one: who
    /// has one password must not be free to guess others.
    pub fn succeeded(&self, user: &str, host: &str) {
        let mut counts = lock(&self.0);
        let (pair, full) = (pair(user, host), counts.by_pair.len() >= MOST);
        if counts.by_pair.remove(&pair).is_none()
            && full
            && let Some(shared) = counts.by_host.get_mut(&pair.1)
        {
            shared.count = shared.count.saturating_sub(1);
        }
    }

    /// All failures are forgotten.
    pub fn forget(&self) {
        *lock(&self.0) = Counts::default();
    }

    fn delay_at(&self, now: Instant, user: &str, host: &str, longest: Duration) -> Duration {
        let failures = lock(&self.0).of(&pair(user, host)).map_or(0, |failures| failures.live(now));
        match failures.checked_sub(FREE) {
            None => Duration::ZERO,
            Some(beyond) => FIRST.saturating_mul(1 << beyond.min(16)).min(longest),
        }
    }

    fn failed_at(&self, now: Instant, user: &str, host: &str) {
        let mut counts = lock(&self.0);
        let pair = pair(user, host);
        if has_room(&mut counts.by_pair, &pair, MOST, now) {
            counts.by_pair.entry(pair).or_insert_with(|| Failures::none(now)).add(now);
            return;
        }
        if !has_room(&mut counts.by_host, &pair.1, HOSTS, now) {
            let oldest = counts.by_host.iter().min_by_key(|(_, failures)| failures.last);
            if let Some(oldest) = oldest.map(|(host, _)| host.clone()) {
                counts.by_host.remove(&oldest);
            }
        }
        counts.by_host.entry(pair.1).or_insert_with(|| Failures::none(now)).add(now);
    }
}

/// Whether there is room for this key, once what is forgotten is gone.
fn has_room<K: Eq + Hash>(counts: &mut HashMap<K, Failures>, key: &K, most: usize, now: Instant) -> bool {
    if counts.len() >= most && !counts.contains_key(key) {
        counts.retain(|_, failures| failures.live(now) > 0);
    }
    counts.len() < most || counts.contains_key(key)
}

fn pair(user: &str, host: &str) -> (String, String) {
    let user = if user.len() > LONGEST_NAME { "" } else { user };
    (user.to_owned(), network(host))
}

/// What a host is counted by: of an IPv6 address the network, for one machine has all addresses of a /64.
fn network(host: &str) -> String {
    match host.parse::<Ipv6Addr>() {
        Ok(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).to_string(),
        Err(_) => host.to_owned(),
    }
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
        assert_eq!(lock(&delays.0).by_pair.len(), MOST);
        assert!(delays.delay_at(now, "app", "h", LONGEST) > Duration::ZERO);
        assert_eq!(delays.delay_at(now, "yet another", "h", LONGEST), LONGEST);
        delays.failed_at(now + FORGET, "new", "h");
        assert_eq!(lock(&delays.0).by_pair.len(), 1, "what is forgotten makes room");
        (0..9).for_each(|_| delays.failed_at(now, &"x".repeat(1000), "h"));
        assert!(lock(&delays.0).by_pair.keys().all(|(user, _)| user.len() <= LONGEST_NAME));
    }

    #[test]
    fn made_up_names_slow_down_their_own_host_only() {
        let delays = LoginDelays::default();
        let now = Instant::now();
        (0..MOST + 100).for_each(|n| delays.failed_at(now, &format!("made up {n}"), "guesser"));
        assert_eq!(delays.delay_at(now, "app", "guesser", LONGEST), LONGEST);
        assert_eq!(delays.delay_at(now, "app", "elsewhere", LONGEST), Duration::ZERO);
        // Another host that mistypes is counted for itself.
        (0..4).for_each(|_| delays.failed_at(now, "app", "elsewhere"));
        assert_eq!(delays.delay_at(now, "app", "elsewhere", LONGEST), 2 * FIRST);
        delays.succeeded("app", "elsewhere");
        assert_eq!(delays.delay_at(now, "app", "elsewhere", LONGEST), FIRST, "a success takes back one");
        (0..3).for_each(|_| delays.succeeded("app", "elsewhere"));
        assert_eq!(delays.delay_at(now, "app", "elsewhere", LONGEST), Duration::ZERO);
    }

    #[test]
    fn all_addresses_of_an_ipv6_network_are_one_host() {
        let delays = LoginDelays::default();
        (0..4).for_each(|n| delays.failed("app", &format!("2001:db8:1:2::{n:x}")));
        assert_eq!(delays.delay("app", "2001:db8:1:2:ffff:1:2:3", LONGEST), 2 * FIRST);
        assert_eq!(delays.delay("app", "2001:db8:1:3::1", LONGEST), Duration::ZERO, "another network");
        assert_eq!(lock(&delays.0).by_pair.len(), 1);
        delays.failed("app", "192.0.2.1");
        delays.failed("app", "192.0.2.2");
        assert_eq!(lock(&delays.0).by_pair.len(), 3, "an IPv4 address is a host");
    }

    #[test]
    fn hosts_beyond_the_bound_displace_the_one_that_failed_longest_ago() {
        let delays = LoginDelays::default();
        let now = Instant::now();
        (0..MOST).for_each(|n| delays.failed_at(now, &format!("made up {n}"), "guesser"));
        let later = now + FIRST;
        (0..5).for_each(|_| delays.failed_at(now, "app", "first"));
        (0..HOSTS - 1).for_each(|n| delays.failed_at(later, "app", &format!("host {n}")));
        assert!(delays.delay_at(later, "app", "first", LONGEST) > Duration::ZERO);
        delays.failed_at(later, "app", "one more");
        assert_eq!(lock(&delays.0).by_host.len(), HOSTS);
        assert_eq!(delays.delay_at(later, "app", "first", LONGEST), Duration::ZERO);
    }

    #[test]
    fn those_that_wait_take_turns() {
        let delays = LoginDelays::default();
        assert!(delays.turns("app", "h").is_none());
        delays.failed("app", "h");
        let turns = delays.turns("app", "h").unwrap();
        let _waiting: Vec<_> = (0..AT_ONCE).map(|_| turns.try_acquire().unwrap()).collect();
        assert!(delays.turns("app", "h").unwrap().try_acquire().is_err());
    }
}
