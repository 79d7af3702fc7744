//! Writers that keep a ledger of what was acknowledged, while proxies and servers are killed under them.
//!
//! The writers race for the same triples on purpose: half of what they write is the same for everybody (a duplicate that
//! must be "done already"), half carries the writer's name (of two such, one must lose with 1062). So a triple that two writers
//! were both told is theirs shows up in the ledger itself. Beside these they append to chains that all share, without a
//! version and each body once: an append that was done twice, or though its error said that nothing was written, shows up
//! as a body too many.

mod ledger;
mod writer;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::task::JoinHandle;

pub use self::ledger::Ledger;
use self::writer::Writer;
use crate::client::{self, CellRow};
use crate::random::Random;
use crate::wait;

/// Writers at work.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    /// Of each writer, how often it was answered or lost its connection.
    answered: Vec<Arc<AtomicU64>>,
    writers: Vec<JoinHandle<Ledger>>,
}

impl Load {
    /// Starts `writers` tasks, writer `i` at address `i` modulo their number. `table trips` must be there.
    pub fn start(addresses: &[SocketAddr], writers: usize, random: &mut Random) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicU64::new(0));
        let answered: Vec<Arc<AtomicU64>> = (0..writers).map(|_| Arc::default()).collect();
        let writers = addresses
            .iter()
            .cycle()
            .zip(&answered)
            .enumerate()
            .map(|(number, (address, answered))| {
                let writer = Writer::new(number, *address, random.fork(), Arc::clone(&acknowledged));
                tokio::spawn(writer.run(Arc::clone(&stop), Arc::clone(answered)))
            })
            .collect();
        Self { stop, acknowledged, answered, writers }
    }

    /// Statements acknowledged so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Waits until so many more statements have been acknowledged: the load is alive.
    ///
    /// # Panics
    ///
    /// If they are not in time.
    pub async fn progress(&self, statements: u64) {
        let target = self.acknowledged() + statements;
        wait::until_async("the load to make progress", wait::PATIENCE, async || {
            self.assert_alive();
            (self.acknowledged() >= target).then_some(())
        })
        .await;
    }

    /// Waits until every writer has been answered what it has under way.
    ///
    /// # Panics
    ///
    /// If one is not in time.
    pub async fn each_answered(&self) {
        let counts = || self.answered.iter().map(|answered| answered.load(Ordering::Relaxed));
        let before: Vec<u64> = counts().collect();
        wait::until_async("every writer to be answered", wait::PATIENCE, async || {
            self.assert_alive();
            counts().zip(&before).all(|(now, before)| now > *before).then_some(())
        })
        .await;
    }

    fn assert_alive(&self) {
        for writer in &self.writers {
            assert!(!writer.is_finished(), "a writer has failed; its message is above");
        }
    }

    /// Ends the load: what the writers know.
    ///
    /// # Panics
    ///
    /// If a writer has.
    pub async fn stop(self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        let mut ledger = Ledger::default();
        for writer in self.writers {
            ledger.merge(writer.await.expect("a writer"));
        }
        println!(
            "load: {} cells and {} appends acknowledged, {} transactions, {} duplicates, errors {:?}, {} broken connections",
            ledger.acknowledged.len(),
            ledger.appended.len(),
            ledger.transactions,
            ledger.duplicates,
            ledger.errors,
            ledger.broken
        );
        ledger
    }
}

/// Every cell of table `trips`.
///
/// # Panics
///
/// If it cannot be read.
pub async fn everything(address: SocketAddr) -> Vec<CellRow> {
    let mut conn = client::connect(address).await;
    client::rows(&mut conn, "SELECT row_key, column_key, ref_key, body FROM trips").await
}
