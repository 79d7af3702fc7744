//! Writes under way: whoever locks a table waits until those that were let in before are over.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::table::{Key, Mode, overlap};
use super::{Locks, lock};

/// Counts the writes under way by table.
#[derive(Debug, Default)]
pub(super) struct Gate {
    writes: Mutex<HashMap<Key, usize>>,
    /// Writes under way that are counted for all tables together: those of the short way.
    quick: AtomicUsize,
    left: Notify,
}

/// A statement that was let in. Of a read there is nothing to keep: nobody has to wait for it, what it sees was there
/// before.
#[must_use]
#[derive(Debug)]
pub struct Entered(Option<(Arc<Locks>, Key)>);

impl Entered {
    pub(super) fn new(locks: &Arc<Locks>, table: &Key, mode: Mode) -> Self {
        if mode == Mode::Read {
            return Self(None);
        }
        *lock(&locks.gate.writes).entry(table.clone()).or_default() += 1;
        Self(Some((Arc::clone(locks), table.clone())))
    }
}

impl Gate {
    /// Completes once no write of the table (of any, for [`Key::Tables`]) is under way, and answers whether one was; for a
    /// name there is none.
    pub(super) async fn empty(&self, key: &Key) -> bool {
        if matches!(key, Key::Name(_)) {
            return false;
        }
        let mut waited = false;
        loop {
            let left = self.left.notified();
            let busy = {
                let writes = lock(&self.writes);
                writes.keys().any(|write| overlap(write, key)) || self.quick.load(Ordering::SeqCst) > 0
            };
            if !busy {
                return waited;
            }
            waited = true;
            left.await;
        }
    }
}

/// A write of the short way that is under way.
#[must_use]
#[derive(Debug)]
pub struct QuickWrite(Arc<Locks>);

impl QuickWrite {
    pub(super) fn new(locks: Arc<Locks>) -> Self {
        locks.gate.quick.fetch_add(1, Ordering::SeqCst);
        Self(locks)
    }
}

impl Drop for QuickWrite {
    fn drop(&mut self) {
        let gate = &self.0.gate;
        if gate.quick.fetch_sub(1, Ordering::SeqCst) == 1 && !self.0.is_open() {
            gate.left.notify_waiters();
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let Some((locks, key)) = &self.0 else { return };
        let mut writes = lock(&locks.gate.writes);
        if let Some(count) = writes.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                writes.remove(key);
                locks.gate.left.notify_waiters();
            }
        }
    }
}
