//! What waits, what is under way, and what goes next: plain data, without waiting or IO.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::asked::Asked;
use super::kinds::Kind;

/// Bounds of one queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Most items of one statement.
    pub(super) batch: usize,
    /// Most bytes of one statement, of what its kind counts ([`Kind::bytes`]); one request may have more.
    pub(super) bytes: usize,
    /// How many statements are under way at the most if batches are full or statements slow.
    pub(super) lanes: usize,
    /// The same if the store is far away.
    pub(super) far_lanes: usize,
    /// How many are as a rule.
    pub(super) busy_lanes: usize,
    /// From how much time on a statement is slow ([`CoalesceOptions::slow`](super::CoalesceOptions::slow)).
    pub(super) slow: Duration,
    /// Most items that may wait.
    pub(super) waiting: usize,
    /// Most bytes of those ([`Kind::bytes`]); one request may have more.
    pub(super) waiting_bytes: usize,
}

/// Items outstanding up to which nobody is waited for, not even those who are ready to ask.
const FEW: usize = 3;

/// Least time between two looks at those who wait.
const LOOKS: Duration = Duration::from_millis(1);

/// A request that waits.
pub(super) struct Entry<K: Kind> {
    pub(super) scope: K::Scope,
    pub(super) asked: Asked<K>,
    pub(super) arrived: Instant,
}

/// What becomes of a request that has just arrived.
pub(super) enum Arrival {
    /// It runs at once; a lane is taken for it.
    Runs,
    /// It waits, and a lane is taken for those that wait.
    WaitsForNewLane,
    /// It waits for a lane that is busy.
    Waits,
    /// It is refused.
    Full,
}

/// Requests for one statement.
pub(super) struct Batch<K: Kind> {
    pub(super) scope: K::Scope,
    pub(super) entries: Vec<Entry<K>>,
    /// Items of all entries.
    pub(super) size: usize,
}

/// The queue of one kind of request to one cluster.
pub(super) struct Queue<K: Kind> {
    bounds: Bounds,
    entries: VecDeque<Entry<K>>,
    /// Items of `entries`.
    waiting: usize,
    /// Bytes of `entries`.
    waiting_bytes: usize,
    /// Items of the statements under way.
    under_way: usize,
    /// Statements under way.
    lanes: usize,
    /// How many items were outstanding (waiting or under way) at the most; falls by an eighth per statement. A batch that
    /// has just been answered leaves nobody outstanding, and all of them about to come back.
    recent: usize,
    /// When the last statement began.
    began: Option<Instant>,
    /// What the fastest of the recent statements took; rises by a sixty-fourth per statement.
    fastest: Duration,
    /// Whether the store is far away.
    far: bool,
    /// Whether somebody looks after those who wait ([`Queue::look`]).
    watched: bool,
}

/// What whoever looks after those who wait finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nobody waits: there is nothing to look after.
    Nobody,
    /// Nobody waits for long yet, or no lane is free: it is to look again then.
    Again(Instant),
    /// Somebody has waited for long, and a lane is taken for those who wait. It is to look again then.
    NewLane(Instant),
}

impl<K: Kind> Queue<K> {
    pub(super) fn new(bounds: Bounds) -> Self {
        let entries = VecDeque::new();
        Self {
            bounds,
            entries,
            waiting: 0,
            waiting_bytes: 0,
            under_way: 0,
            lanes: 0,
            recent: 0,
            began: None,
            fastest: Duration::ZERO,
            far: false,
            watched: false,
        }
    }

    /// Items that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Bytes of those.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// Items of the statements under way.
    #[cfg(test)]
    pub(super) fn under_way(&self) -> usize {
        self.under_way
    }

    /// Statements under way.
    pub(super) fn lanes(&self) -> usize {
        self.lanes
    }

    /// Whether nothing waits and nothing is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.lanes == 0 && self.waiting == 0
    }

    /// When the last statement began.
    pub(super) fn began(&self) -> Option<Instant> {
        self.began
    }

    /// What the fastest of the recent statements took; zero before the first is over.
    pub(super) fn fastest(&self) -> Duration {
        self.fastest
    }

    /// Whether the store is far away.
    pub(super) fn set_far(&mut self, far: bool) {
        self.far = far;
    }

    /// When the request that has waited longest arrived.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.entries.front().map(|entry| entry.arrived)
    }

    /// How many statements may be under way, with `more` items than now wait.
    ///
    /// Few, and none without its share, for larger batches cost the server less per cell. But a full batch gains nothing by
    /// waiting, nobody waits for what is slow, nor for longer than that, and as few requests as there are lanes would be
    /// batches of one or two, for which each would wait twice.
    fn allowed(&self, more: usize, now: Instant) -> usize {
        let waiting = self.waiting + more;
        let full = waiting >= self.bounds.batch;
        let all_slow = self.fastest >= self.bounds.slow;
        let slow = self.began.is_some_and(|began| now.saturating_duration_since(began) >= self.bounds.slow);
        // Writes have fewer lanes when batches are full than as a rule: they are not to lose one for being slow.
        let nobody_waits = (all_slow || slow || self.is_late(now)) && self.bounds.lanes >= self.bounds.busy_lanes;
        match self.bounds.busy_lanes {
            _ if self.far => self.bounds.far_lanes,
            _ if full || nobody_waits || self.has_lane_each() => self.bounds.lanes,
            _ if waiting < self.share() => 1,
            lanes => lanes,
        }
    }

    /// From how many items on a batch is not worth waiting for a larger one: the part of those outstanding that each
    /// statement has, so that its clients ask again while the others are under way. Of one, a third is under way, a
    /// third on the way to their clients or from them, and a third waits.
    fn share(&self) -> usize {
        let parts = if self.bounds.busy_lanes == 1 { 3 } else { self.bounds.busy_lanes };
        self.recent.div_ceil(parts).min(self.bounds.batch)
    }

    /// Whether a batch grows by letting those run first who are about to ask: many are outstanding, and few wait.
    pub(super) fn grows(&self) -> bool {
        self.recent > FEW && !self.has_lane_each() && self.waiting < self.share()
    }

    /// Whether somebody has waited for as long as a slow statement takes.
    fn is_late(&self, now: Instant) -> bool {
        self.oldest().is_some_and(|arrived| now.saturating_duration_since(arrived) >= self.bounds.slow)
    }

    /// Whether so few items are outstanding that there is a lane for each.
    fn has_lane_each(&self) -> bool {
        self.recent <= self.bounds.lanes
    }

    /// A request of `size` items, which take `bytes`, arrives. After [`Arrival::Runs`] the caller runs it, after the two others it calls
    /// [`Queue::push`].
    pub(super) fn arrive(&mut self, size: usize, bytes: usize, may_run: bool, now: Instant) -> Arrival {
        self.recent = self.recent.max(self.waiting + self.under_way + size);
        let free = self.lanes < self.allowed(size, now);
        if free && may_run && self.entries.is_empty() && !self.grows() {
            self.lanes += 1;
            self.under_way += size;
            self.began = Some(now);
            return Arrival::Runs;
        }
        // One request always fits, or a bound below its size would refuse it for ever.
        let fits =
            self.waiting + size <= self.bounds.waiting && self.waiting_bytes + bytes <= self.bounds.waiting_bytes;
        if self.waiting > 0 && !fits {
            return Arrival::Full;
        }
        if free {
            self.lanes += 1;
            return Arrival::WaitsForNewLane;
        }
        Arrival::Waits
    }

    pub(super) fn push(&mut self, entry: Entry<K>) {
        self.waiting += entry.asked.len();
        self.waiting_bytes += entry.asked.bytes();
        self.entries.push_back(entry);
    }

    /// To be asked when somebody goes on waiting: whether the caller is to look after those who wait, from now on.
    ///
    /// A lane is taken when a request arrives or a statement is over. While a statement hangs and nobody else comes, neither
    /// happens, and whoever waits for it would wait beside free lanes.
    pub(super) fn wants_watch(&mut self) -> bool {
        self.bounds.lanes > 1 && !std::mem::replace(&mut self.watched, true)
    }

    /// A look at those who wait, by whoever looks after them.
    pub(super) fn look(&mut self, now: Instant) -> Look {
        let Some(oldest) = self.oldest() else {
            self.watched = false;
            return Look::Nobody;
        };
        if !self.is_late(now) {
            return Look::Again(oldest + self.bounds.slow);
        }
        // A while that is not zero: it is no loop.
        let again = now + self.bounds.slow.max(LOOKS);
        if self.lanes < self.allowed(0, now) {
            self.lanes += 1;
            return Look::NewLane(again);
        }
        Look::Again(again)
    }

    /// The statement of a lane is over, after `took`: `size` items are not under way any more.
    pub(super) fn over(&mut self, size: usize, took: Duration) {
        self.under_way -= size;
        self.recent = (self.recent - self.recent.div_ceil(8)).max(self.waiting + self.under_way);
        self.fastest = if took < self.fastest || self.fastest.is_zero() {
            took
        } else {
            took.min(self.fastest + self.fastest / 64)
        };
    }

    /// The next batch for a lane that has nothing under way; without one (or with too many lanes) the lane is given up.
    pub(super) fn next(&mut self, now: Instant) -> Option<Batch<K>> {
        // Those who stopped waiting need no answer.
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.asked.is_abandoned() && !K::LASTING) {
            self.left(&entry);
        }
        if self.entries.is_empty() || self.lanes > self.allowed(0, now) {
            self.lanes -= 1;
            return None;
        }
        self.began = Some(now);
        Some(self.take())
    }

    /// A lane with nothing under way ends, though something may wait.
    pub(super) fn give_up(&mut self) {
        self.lanes -= 1;
    }

    /// All that wait for what the first one waits for, as far as it fits in a statement; later ones may overtake others
    /// that do not fit, never more than a batch of them.
    fn take(&mut self) -> Batch<K> {
        let mut entries = Vec::with_capacity(self.entries.len().min(self.bounds.batch));
        let (mut size, mut bytes) = (0, 0);
        let mut at = 0;
        let mut scope = None;
        while let Some(entry) = self.entries.get(at) {
            let own = entry.asked.bytes();
            let fits = size == 0 || size + entry.asked.len() <= self.bounds.batch && bytes + own <= self.bounds.bytes;
            let same = scope.as_ref().is_none_or(|scope| *scope == entry.scope);
            if !fits {
                break;
            }
            if !same {
                at += 1;
                continue;
            }
            // At the front this is a pop; behind entries of other tables it moves the fewer of the two sides.
            let Some(entry) = self.entries.remove(at) else { break };
            size += entry.asked.len();
            bytes += own;
            scope.get_or_insert_with(|| entry.scope.clone());
            entries.push(entry);
            if size >= self.bounds.batch {
                break;
            }
        }
        self.waiting -= size;
        self.waiting_bytes -= bytes;
        self.under_way += size;
        let scope = scope.unwrap_or_else(|| entries[0].scope.clone());
        Batch { scope, entries, size }
    }

    /// Removes those that arrived before `limit`.
    pub(super) fn expire(&mut self, limit: Instant) -> Vec<Entry<K>> {
        let mut expired = Vec::new();
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.arrived <= limit) {
            self.left(&entry);
            expired.push(entry);
        }
        expired
    }

    /// An entry was taken out that will not be under way.
    fn left(&mut self, entry: &Entry<K>) {
        self.waiting -= entry.asked.len();
        self.waiting_bytes -= entry.asked.bytes();
    }
}

#[cfg(test)]
mod tests;
