//! Writers that keep a ledger of what was acknowledged, while proxies and servers are killed under them.
//!
//! The writers race for the same triples on purpose: half of what they write is the same for everybody (a duplicate that
//! must be "done already"), half carries the writer's name (of two such, one must lose with 1062). So a triple that two writers
//! were both told is theirs shows up in the ledger itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::task::JoinHandle;

use crate::client::{self, CellRow, Refusal, Triple, quote};
use crate::random::Random;
use crate::wait;

/// Different row keys: enough to meet every shard of a test deployment.
const ROW_KEYS: u64 = 300;
/// Duplicate key.
const DUPLICATE: u16 = 1062;
/// How long one statement may take, faults included, before the load calls it a hang.
const ANSWER: Duration = Duration::from_secs(60);

/// What writers know about what they wrote.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Cells the server said are there.
    pub acknowledged: BTreeMap<Triple, String>,
    /// Bodies written without an answer, or with one that settles nothing: they may be there.
    pub possible: BTreeMap<Triple, Vec<String>>,
    /// Statements refused with 1062.
    pub duplicates: u64,
    /// Statements answered with another error, by its number.
    pub errors: BTreeMap<u16, u64>,
    /// Connections that broke.
    pub broken: u64,
}

impl Ledger {
    fn acknowledge(&mut self, triple: Triple, body: String) {
        if let Some(other) = self.acknowledged.get(&triple) {
            assert_eq!(*other, body, "two bodies acknowledged for {triple:?}");
        }
        self.acknowledged.insert(triple, body);
    }

    fn merge(&mut self, other: Self) {
        for (triple, body) in other.acknowledged {
            self.acknowledge(triple, body);
        }
        for (triple, bodies) in other.possible {
            self.possible.entry(triple).or_default().extend(bodies);
        }
        for (code, count) in other.errors {
            *self.errors.entry(code).or_default() += count;
        }
        self.duplicates += other.duplicates;
        self.broken += other.broken;
    }

    /// Compares the ledger with everything that is in the table.
    ///
    /// # Panics
    ///
    /// If an acknowledged cell is missing or differs, a triple is there twice, or something is there that nobody wrote.
    pub fn check(&self, stored: Vec<CellRow>) {
        let mut cells = BTreeMap::new();
        for (row, column, reference, body) in stored {
            let triple = (row, column, reference);
            if let Some(other) = cells.insert(triple.clone(), body.clone()) {
                panic!("{triple:?} is there twice: {other} and {body}");
            }
        }
        for (triple, body) in &self.acknowledged {
            match cells.get(triple) {
                Some(stored) => assert_eq!(stored, body, "{triple:?} was acknowledged with another body"),
                None => panic!("{triple:?} was acknowledged with {body} and is not there"),
            }
        }
        for (triple, body) in &cells {
            let possible = self.possible.get(triple).is_some_and(|bodies| bodies.contains(body));
            let acknowledged = self.acknowledged.get(triple) == Some(body);
            assert!(acknowledged || possible, "{triple:?} holds {body}, which nobody wrote");
        }
    }
}

/// Writers at work.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicU64>,
    writers: Vec<JoinHandle<Ledger>>,
}

impl Load {
    /// Starts `writers` tasks, writer `i` at address `i` modulo their number. `table trips` must be there.
    pub fn start(addresses: &[SocketAddr], writers: usize, random: &mut Random) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::new(AtomicU64::new(0));
        let writers = addresses
            .iter()
            .cycle()
            .take(writers)
            .enumerate()
            .map(|(number, address)| {
                let writer = Writer {
                    number,
                    address: *address,
                    random: random.fork(),
                    written: 0,
                    ledger: Ledger::default(),
                    acknowledged: Arc::clone(&acknowledged),
                };
                tokio::spawn(writer.run(Arc::clone(&stop)))
            })
            .collect();
        Self { stop, acknowledged, writers }
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
            for writer in &self.writers {
                assert!(!writer.is_finished(), "a writer has failed; its message is above");
            }
            (self.acknowledged() >= target).then_some(())
        })
        .await;
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
            "load: {} cells acknowledged, {} duplicates, errors {:?}, {} broken connections",
            ledger.acknowledged.len(),
            ledger.duplicates,
            ledger.errors,
            ledger.broken
        );
        ledger
    }
}

struct Writer {
    number: usize,
    address: SocketAddr,
    random: Random,
    written: i64,
    ledger: Ledger,
    acknowledged: Arc<AtomicU64>,
}

/// How a write ended.
enum Written {
    Acknowledged,
    Duplicate,
}

impl Writer {
    async fn run(mut self, stop: Arc<AtomicBool>) -> Ledger {
        let mut connection = None;
        while !stop.load(Ordering::Relaxed) {
            let Some(conn) = connection.as_mut() else {
                connection = client::try_connect(client::options(self.address)).await.ok();
                if connection.is_none() {
                    tokio::time::sleep(wait::PAUSE).await;
                }
                continue;
            };
            let cells = self.cells();
            let transaction = cells.len() > 1 && self.random.one_in(2);
            let answer = tokio::time::timeout(ANSWER, write(conn, &cells, transaction)).await;
            let answer = answer.unwrap_or_else(|_| panic!("no answer in {ANSWER:?} to a write of {cells:?}"));
            if !self.note(cells, answer) {
                connection = None;
            }
        }
        self.ledger
    }

    /// The next cells to write: mostly one, sometimes a few of different rows, each fought over by several writers.
    fn cells(&mut self) -> Vec<(Triple, String)> {
        let count = if self.random.one_in(4) { 1 + self.random.below(4) } else { 1 };
        let mut cells = BTreeMap::new();
        for _ in 0..count {
            self.written += 1;
            let row = format!("row-{}", self.random.below(ROW_KEYS));
            let column = self.random.pick(&["BASE", "STATUS"]);
            // Writers go at about the same speed, so they meet at the same versions.
            let reference = 1 + self.written / 50;
            let own = (self.written + reference) % 2 == 0;
            let writer = if own { self.number.to_string() } else { "all".to_owned() };
            let body = format!("{{\"writer\":\"{writer}\",\"row\":\"{row}\",\"ref\":{reference}}}");
            cells.insert((row, (*column).to_owned(), reference), body);
        }
        cells.into_iter().collect()
    }

    /// Enters an answer into the ledger; `false` if the connection is to be left.
    fn note(&mut self, cells: Vec<(Triple, String)>, answer: Result<Written, mysql_async::Error>) -> bool {
        let refusal = match answer {
            Ok(Written::Acknowledged) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                for (triple, body) in cells {
                    self.ledger.acknowledge(triple, body);
                }
                return true;
            }
            Ok(Written::Duplicate) => {
                self.ledger.duplicates += 1;
                // Over several clusters the statement may have gone in partly.
                if cells.len() > 1 {
                    self.possibly(cells);
                }
                return true;
            }
            Err(error) => Refusal::of(&error),
        };
        match refusal {
            Some(refusal) => *self.ledger.errors.entry(refusal.code).or_default() += 1,
            None => self.ledger.broken += 1,
        }
        self.possibly(cells);
        false
    }

    fn possibly(&mut self, cells: Vec<(Triple, String)>) {
        for (triple, body) in cells {
            self.ledger.possible.entry(triple).or_default().push(body);
        }
    }
}

async fn write(conn: &mut Conn, cells: &[(Triple, String)], transaction: bool) -> Result<Written, mysql_async::Error> {
    if !transaction {
        let values: Vec<String> = cells.iter().map(values).collect();
        return settle(conn.query_drop(insert(&values.join(", "))).await);
    }
    conn.query_drop("BEGIN").await?;
    for cell in cells {
        match settle(conn.query_drop(insert(&values(cell))).await)? {
            Written::Acknowledged => {}
            Written::Duplicate => {
                conn.query_drop("ROLLBACK").await?;
                return Ok(Written::Duplicate);
            }
        }
    }
    settle(conn.query_drop("COMMIT").await)
}

fn insert(values: &str) -> String {
    format!("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES {values}")
}

fn values(((row, column, reference), body): &(Triple, String)) -> String {
    format!("({}, {}, {reference}, {})", quote(row), quote(column), quote(body))
}

fn settle(result: Result<(), mysql_async::Error>) -> Result<Written, mysql_async::Error> {
    match result {
        Ok(()) => Ok(Written::Acknowledged),
        Err(error) => match Refusal::of(&error) {
            Some(refusal) if refusal.code == DUPLICATE => Ok(Written::Duplicate),
            Some(_) | None => Err(error),
        },
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::triple;

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.acknowledge(triple("a", "b", 1), "1".to_owned());
        ledger.possible.insert(triple("a", "b", 2), vec!["2".to_owned()]);
        ledger
    }

    fn row(reference: i64, body: &str) -> CellRow {
        ("a".to_owned(), "b".to_owned(), reference, body.to_owned())
    }

    #[test]
    fn a_ledger_accepts_what_was_acknowledged_and_what_may_be() {
        ledger().check(vec![row(1, "1")]);
        ledger().check(vec![row(1, "1"), row(2, "2")]);
    }

    #[test]
    #[should_panic(expected = "is not there")]
    fn a_ledger_refuses_a_lost_cell() {
        ledger().check(vec![row(2, "2")]);
    }

    #[test]
    #[should_panic(expected = "is there twice")]
    fn a_ledger_refuses_two_bodies() {
        ledger().check(vec![row(1, "1"), row(1, "2")]);
    }

    #[test]
    #[should_panic(expected = "two bodies acknowledged")]
    fn a_ledger_refuses_two_acknowledgements() {
        ledger().acknowledge(triple("a", "b", 1), "2".to_owned());
    }

    #[test]
    #[should_panic(expected = "which nobody wrote")]
    fn a_ledger_refuses_a_body_from_nowhere() {
        ledger().check(vec![row(1, "1"), row(3, "3")]);
    }
}
