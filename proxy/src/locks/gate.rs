//! Writes under way: whoever locks a table waits until those that were let in before are over.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cellgate_schemaless::TableId;
use tokio::sync::Notify;

use super::table::{Key, Mode, overlap};
use super::{Locks, Which, lock};

/// Counts the writes under way by table.
#[derive(Debug, Default)]
pub(super) struct Gate {
    writes: Mutex<Writes>,
    /// Writes under way that are counted for all tables together: those of the short way.
    quick: AtomicUsize,
    left: Notify,
}

/// Those of the long way.
#[derive(Debug, Default)]
struct Writes {
    of_tables: HashMap<Counted, usize>,
    of_connections: HashMap<u32, usize>,
    /// Connections that have ended while a write of theirs goes on.
    ended: HashSet<u32>,
}

/// What a write is counted by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Counted {
    /// What it was let in to, as that was called then.
    Named(Key),
    /// The table it writes to, whatever it is called by now.
    Table(TableId),
}

/// A statement that was let in. Of a read there is nothing to keep: nobody has to wait for it, what it sees was there
/// before.
#[must_use]
#[derive(Debug)]
pub struct Entered(Option<(Arc<Locks>, u32, Counted)>);

impl Entered {
    pub(super) fn new(locks: &Arc<Locks>, connection: u32, table: &Key, mode: Mode) -> Self {
        if mode == Mode::Read { Self(None) } else { Self::counted(locks, connection, Counted::Named(table.clone())) }
    }

    /// A write to this table, for who locks it by another name.
    pub(super) fn of_table(locks: &Arc<Locks>, connection: u32, table: TableId) -> Self {
        Self::counted(locks, connection, Counted::Table(table))
    }

    fn counted(locks: &Arc<Locks>, connection: u32, what: Counted) -> Self {
        let mut writes = lock(&locks.gate.writes);
        *writes.of_tables.entry(what.clone()).or_default() += 1;
        *writes.of_connections.entry(connection).or_default() += 1;
        Self(Some((Arc::clone(locks), connection, what)))
    }
}

impl Gate {
    /// Completes once no write of the table (of any, for [`Key::Tables`]) is under way, and answers whether one was; for a
    /// name there is none.
    pub(super) async fn empty(&self, key: &Key) -> bool {
        if matches!(key, Key::Name(_)) {
            return false;
        }
        let concerns = |write: &Counted| matches!(write, Counted::Named(write) if overlap(write, key));
        self.wait_while(|writes| writes.of_tables.keys().any(concerns) || self.quick.load(Ordering::SeqCst) > 0).await
    }

    /// Completes once no write of the long way to one of these tables is under way, by whatever name it was let in, and
    /// answers whether one was.
    pub(super) async fn none_to(&self, tables: &[TableId]) -> bool {
        let concerns = |write: &Counted| matches!(write, Counted::Table(table) if tables.contains(table));
        self.wait_while(|writes| writes.of_tables.keys().any(concerns)).await
    }

    /// Completes once no write of the long way of this connection is under way.
    pub(super) async fn none_of(&self, connection: u32) {
        self.wait_while(|writes| writes.of_connections.contains_key(&connection)).await;
    }

    /// Waits for the ends of writes, and answers whether it did.
    async fn wait_while(&self, busy: impl Fn(&Writes) -> bool) -> bool {
        let mut waited = false;
        loop {
            let left = self.left.notified();
            if !busy(&lock(&self.writes)) {
                return waited;
            }
            waited = true;
            left.await;
        }
    }

    /// A connection has ended. Answers whether a write of it goes on, and then is told of when that is over.
    pub(super) fn outlives(&self, connection: u32) -> bool {
        let mut writes = lock(&self.writes);
        writes.of_connections.contains_key(&connection) && {
            writes.ended.insert(connection);
            true
        }
    }

    /// Connections that have ended while a write of theirs goes on.
    pub(super) fn outlived(&self) -> HashSet<u32> {
        lock(&self.writes).ended.clone()
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
        let Some((locks, connection, what)) = &self.0 else { return };
        let was_last_of_ended = {
            let mut writes = lock(&locks.gate.writes);
            let was_last = counted_down(&mut writes.of_connections, connection);
            if counted_down(&mut writes.of_tables, what) || was_last {
                locks.gate.left.notify_waiters();
            }
            was_last && writes.ended.remove(connection)
        };
        if was_last_of_ended {
            locks.give_back(*connection, Which::All);
        }
    }
}

/// Counts one less of `key`; answers whether it was the last.
fn counted_down<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) -> bool {
    let Some(count) = counts.get_mut(key) else { return false };
    *count -= 1;
    let was_last = *count == 0;
    if was_last {
        counts.remove(key);
    }
    was_last
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[tokio::test]
    async fn what_a_connection_held_is_free_when_its_last_write_is_over() {
        let locks = Locks::alone();
        let (name, table) = (Key::Name("job".to_owned()), Key::Table("d".to_owned(), "t".to_owned()));
        let now = Instant::now();
        assert!(locks.acquire(1, &[(name.clone(), Mode::Write)], now).await.unwrap().is_some());
        let (first, _) = locks.enter(1, &[(table.clone(), Mode::Write)], &[], now).await.unwrap();
        let (second, _) = locks.enter(1, &[(table, Mode::Write)], &[], now).await.unwrap();
        assert!(locks.ended(1));
        drop(first);
        assert_eq!(Vec::from_iter(locks.outlived()), [1]);
        assert!(locks.acquire(2, &[(name.clone(), Mode::Write)], now).await.unwrap().is_none(), "one goes on");
        drop(second);
        assert!(locks.acquire(2, &[(name.clone(), Mode::Write)], now).await.unwrap().is_some());
        assert!(!locks.ended(2) && locks.outlived().is_empty());
        assert!(locks.acquire(3, &[(name, Mode::Write)], now).await.unwrap().is_some(), "nothing of it goes on");
    }

    #[tokio::test]
    async fn a_write_is_waited_for_by_its_table_and_by_its_connection_while_others_go_on() {
        let locks = Locks::alone();
        let (table, now) = (Key::Table("d".to_owned(), "t".to_owned()), Instant::now());
        let soon = || now + Duration::from_millis(50);
        let enter = async |connection, id| {
            locks.enter(connection, &[(table.clone(), Mode::Write)], &[TableId(id)], now).await.unwrap().0
        };
        let (first, _other) = (enter(1, 5).await, enter(2, 6).await);
        assert_eq!(locks.written_to(&[TableId(7)], soon()).await, Some(false));
        assert_eq!(
            locks.written_to(&[TableId(7), TableId(5)], soon()).await,
            None,
            "it was let in to what has this id"
        );
        let later = now + Duration::from_secs(60);
        let (waited, (), ()) = tokio::join!(locks.written_to(&[TableId(5)], later), locks.gate.none_of(1), async {
            tokio::task::yield_now().await;
            drop(first);
        });
        assert_eq!(waited, Some(true));
    }

    #[tokio::test]
    async fn the_end_of_every_write_can_be_waited_for() {
        let locks = Locks::alone();
        let table = Key::Table("d".to_owned(), "t".to_owned());
        let soon = Duration::from_millis(50);
        let (entered, _) = locks.enter(1, &[(table, Mode::Write)], &[], Instant::now()).await.unwrap();
        assert!(tokio::time::timeout(soon, locks.written()).await.is_err());
        drop(entered);
        let quick = Locks::quick_write(&locks);
        assert!(tokio::time::timeout(soon, locks.written()).await.is_err());
        drop(quick);
        tokio::time::timeout(Duration::from_secs(60), locks.written()).await.expect("none is under way");
    }
}
