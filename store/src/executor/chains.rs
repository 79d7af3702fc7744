//! One queue of waiters per hot chain of a cluster.
//!
//! Appenders to one chain in one proxy would only make each other lose the race, so they take turns. A stripe may be
//! shared by chains that do not know each other, which costs a little waiting and never correctness. It is never shared by
//! chains of two clusters: who waits behind a cluster that hangs would have nothing to do with it. An append to many chains
//! takes turns only once it has lost a race: it would have nearly all of them.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use cellgate_schemaless::{Chain, TableId};
use tokio::sync::{Mutex, MutexGuard};

/// How many queues there are. A power of two well above the number of statements that run at once.
const STRIPES: usize = 1024;

/// The queues.
#[derive(Debug)]
pub(super) struct ChainQueues {
    stripes: Box<[Mutex<()>]>,
    hasher: RandomState,
}

impl ChainQueues {
    pub(super) fn new() -> Self {
        Self { stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(), hasher: RandomState::new() }
    }

    /// Waits for the turn on all these chains. Stripes are taken in ascending order, so that two writers with the
    /// same chains never wait for each other.
    pub(super) async fn turn<'a>(&self, chains: impl Iterator<Item = &'a (TableId, Chain)>) -> Vec<MutexGuard<'_, ()>> {
        let stripes: BTreeSet<usize> = chains
            .map(|chain| usize::try_from(self.hasher.hash_one(chain) % STRIPES as u64).unwrap_or_default())
            .collect();
        let mut turns = Vec::with_capacity(stripes.len());
        for stripe in stripes {
            turns.push(self.stripes[stripe].lock().await);
        }
        turns
    }
}
