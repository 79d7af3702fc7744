//! Sessions of this proxy that wait for locks: who came first is served first.
//!
//! Who wants what somebody before it waits for waits behind it, though the lock could be shared with its holder: a writer is
//! not passed by readers for ever. Except who holds something: others may wait for that, and it for them. So who waits for
//! a session that waits holds nothing, and there is no circle of waiting that locks alone would not make.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;

use cellgate_store::StoreError;
use tokio::sync::oneshot;

use super::Acquired;
use super::table::{Key, LockTable, Mode, Owner, overlap};

/// What became of a wait.
pub(super) type Told = Result<Acquired, StoreError>;

/// One that waits.
#[derive(Debug)]
struct Waiter {
    ticket: u64,
    owner: Owner,
    wanted: Vec<(Key, Mode)>,
    /// It was its turn before, and somebody was in the way.
    waited: bool,
    /// How long it waits.
    until: Instant,
    told: oneshot::Sender<Told>,
}

/// All that wait, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiter>,
    last_ticket: u64,
}

impl Queue {
    /// Joins at the end; answers its ticket, and where it is told what became of it.
    pub fn join(&mut self, owner: &Owner, wanted: &[(Key, Mode)], until: Instant) -> (u64, oneshot::Receiver<Told>) {
        self.last_ticket += 1;
        let (told, hears) = oneshot::channel();
        let (ticket, owner, wanted) = (self.last_ticket, owner.clone(), wanted.to_vec());
        self.waiting.push_back(Waiter { ticket, owner, wanted, waited: false, until, told });
        (ticket, hears)
    }

    /// Waits no more; answers whether it did, and has not been told anything.
    pub fn leave(&mut self, ticket: u64) -> bool {
        self.place(ticket).and_then(|place| self.waiting.remove(place)).is_some()
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes on the table what can be had now, for one after the other; answers their tickets. They still wait. What is
    /// `left` to other proxies, for one that waits until then, is given to nobody who does not hold it already.
    pub fn take(&mut self, table: &mut LockTable, left: impl Fn(&Key, Mode, Instant) -> bool) -> Vec<u64> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let (mut served, mut blocked) = (Vec::new(), Vec::new());
        let mut held = Claims::default();
        let mut holders = HashSet::new();
        for (owner, key, mode) in table.holds_of_all() {
            held.add(owner, key, mode);
            holders.insert(owner);
        }
        let mut ahead = Claims::default();
        for (place, Waiter { owner, wanted, until, .. }) in self.waiting.iter().enumerate() {
            let holds = holders.contains(owner);
            let left = |key: &Key, mode: Mode| left(key, mode, *until) && table.holder(key) != Some(owner);
            let in_the_way = wanted.iter().any(|(key, mode)| {
                left(key, *mode) || held.conflict(owner, key, *mode) || (!holds && ahead.conflict(owner, key, *mode))
            });
            let (places, claims) = if in_the_way { (&mut blocked, &mut ahead) } else { (&mut served, &mut held) };
            places.push(place);
            for (key, mode) in wanted {
                claims.add(owner, key, *mode);
            }
        }
        for place in blocked {
            self.waiting[place].waited = true;
        }
        let waiters = served.into_iter().map(|place| &self.waiting[place]);
        waiters.filter(|waiter| table.acquire(&waiter.owner, &waiter.wanted)).map(|waiter| waiter.ticket).collect()
    }

    /// Who has this ticket, and each that it waits for.
    pub fn wanted(&self, ticket: u64) -> impl Iterator<Item = (&Owner, &Key, Mode)> {
        let waiter = self.place(ticket).map(|place| &self.waiting[place]);
        waiter.into_iter().flat_map(|waiter| waiter.wanted.iter().map(|(key, mode)| (&waiter.owner, key, *mode)))
    }

    /// Has this one's locks on what is known, if it still waits and they can be had, and tells it; answers whether it did.
    pub fn grant(&mut self, ticket: u64, known: &mut LockTable, losses: u64) -> bool {
        let Some(place) = self.place(ticket) else { return false };
        let Waiter { owner, wanted, .. } = &self.waiting[place];
        known.acquire(owner, wanted) && self.tell(place, losses)
    }

    /// Gives everybody what can be had, where nobody else has to be asked.
    pub fn serve(&mut self, known: &mut LockTable, losses: u64) {
        for ticket in self.take(known, |_, _, _| false) {
            if let Some(place) = self.place(ticket) {
                self.tell(place, losses);
            }
        }
    }

    /// Tells everybody why there are no locks. Nobody waits then.
    pub fn refuse(&mut self, error: &StoreError) {
        for waiter in self.waiting.drain(..) {
            // Who does not hear it has left.
            let _ = waiter.told.send(Err(error.clone()));
        }
    }

    fn tell(&mut self, place: usize, losses: u64) -> bool {
        let waiter = self.waiting.remove(place);
        // Who stops waiting leaves first: it hears this.
        waiter.is_some_and(|waiter| waiter.told.send(Ok(Acquired { losses, waited: waiter.waited })).is_ok())
    }

    fn place(&self, ticket: u64) -> Option<usize> {
        // Tickets ascend.
        self.waiting.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()
    }
}

/// What sessions hold or wait for, to be found by name.
#[derive(Default)]
struct Claims<'a> {
    names: HashMap<&'a Key, Vec<(&'a Owner, Mode)>>,
    others: Vec<(&'a Owner, &'a Key, Mode)>,
}

impl<'a> Claims<'a> {
    fn add(&mut self, owner: &'a Owner, key: &'a Key, mode: Mode) {
        match key {
            Key::Name(_) => self.names.entry(key).or_default().push((owner, mode)),
            _ => self.others.push((owner, key, mode)),
        }
    }

    /// Whether another session's is in the way.
    fn conflict(&self, owner: &Owner, key: &Key, mode: Mode) -> bool {
        let in_the_way = |other: &Owner, held: Mode| other != owner && (held == Mode::Write || mode == Mode::Write);
        match key {
            Key::Name(_) => self.names.get(key).into_iter().flatten().any(|(other, held)| in_the_way(other, *held)),
            _ => self.others.iter().any(|(other, held, how)| overlap(held, key) && in_the_way(other, *how)),
        }
    }
}

#[cfg(test)]
mod tests;
