//! Writers that keep a ledger of what was acknowledged, while proxies and servers are killed under them.
//!
//! The writers race for the same triples on purpose: half of what they write is the same for everybody (a duplicate that
//! must be "done already"), half carries the writer's name (of two such, one must lose with 1062). So a triple that two writers
//! were both told is theirs shows up in the ledger itself. Beside these they append to chains that all share, without a
//! version and each body once: an append that was done twice, or though its error said that nothing was written, shows up
//! as a body too many.

use std::collections::{BTreeMap, BTreeSet};
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
/// Chains that are appended to.
const CHAINS: u64 = 20;
/// The column key of the chains that are appended to; no other cell has it.
const APPENDED: &str = "APPENDED";
/// Duplicate key.
const DUPLICATE: u16 = 1062;
/// What a write may be answered with while proxies and servers die: the numbers of docs/DIALECT.md for a store that is away
/// or was lost, and for a race that was lost. Any other is a failure of its own.
const EXPECTED: &[u16] = &[1180, 1205, 1213, 1429, 3024];
/// Of these, what says nothing about what was stored whatever its text is (docs/DIALECT.md, "Retrying").
const SILENT: &[u16] = &[1180, 1317, 1815];
/// How long one statement may take, faults included, before the load calls it a hang.
const ANSWER: Duration = Duration::from_secs(60);

/// What writers know about what they wrote.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Cells the server said are there.
    pub acknowledged: BTreeMap<Triple, String>,
    /// Bodies written without an answer, or with one that settles nothing: they may be there.
    pub possible: BTreeMap<Triple, Vec<String>>,
    /// Cells that were refused with 1062: another body is there.
    pub taken: Vec<(Triple, String)>,
    /// Bodies appended, with the chain and the version the server said.
    pub appended: BTreeMap<String, (String, i64)>,
    /// Bodies appended without an answer, or with one that settles nothing.
    pub possibly_appended: BTreeSet<String>,
    /// Transactions of several cells that were committed.
    pub transactions: u64,
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
        self.taken.extend(other.taken);
        self.appended.extend(other.appended);
        self.possibly_appended.extend(other.possibly_appended);
        self.transactions += other.transactions;
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
    /// If an acknowledged cell is missing or differs, a triple or an appended body is there twice, a chain has a gap,
    /// something is there that nobody wrote or whose writer was told that nothing was written, a triple that was refused as
    /// taken is not, or an answer was none that faults explain.
    pub fn check(&self, stored: Vec<CellRow>) {
        let unexpected: Vec<_> = self.errors.iter().filter(|(code, _)| !EXPECTED.contains(code)).collect();
        assert!(unexpected.is_empty(), "errors that faults do not explain: {unexpected:?}");
        let (appended, explicit) = stored.into_iter().partition(|(_, column, ..)| column == APPENDED);
        self.check_explicit(explicit);
        self.check_appended(appended);
    }

    fn check_explicit(&self, stored: Vec<CellRow>) {
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
        for (triple, body) in &self.taken {
            assert!(cells.get(triple).is_some_and(|stored| stored != body), "{triple:?} was refused as taken: {body}");
        }
    }

    fn check_appended(&self, stored: Vec<CellRow>) {
        let mut chains: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        let mut bodies = BTreeMap::new();
        for (row, _, reference, body) in stored {
            chains.entry(row.clone()).or_default().insert(reference);
            let known = self.appended.contains_key(&body) || self.possibly_appended.contains(&body);
            assert!(known, "{body} is in {row}, and nobody wrote it, or its writer was told that nothing was written");
            if let Some(other) = bodies.insert(body.clone(), (row.clone(), reference)) {
                panic!("{body} was appended twice: {other:?} and {:?}", (row, reference));
            }
        }
        for (body, place) in &self.appended {
            assert_eq!(bodies.get(body), Some(place), "where {body} was said to be");
        }
        for (row, versions) in chains {
            let last = versions.last().copied().unwrap_or_default();
            assert_eq!(versions.len() as i64, last, "{row} has gaps: {versions:?}");
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
                    appends: 0,
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

struct Writer {
    number: usize,
    address: SocketAddr,
    random: Random,
    written: i64,
    appends: u64,
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
            let goes_on = if self.random.one_in(4) { self.append(conn).await } else { self.put(conn).await };
            if !goes_on {
                connection = None;
            }
        }
        self.ledger
    }

    /// Writes cells of explicit versions; `false` if the connection is to be left.
    async fn put(&mut self, conn: &mut Conn) -> bool {
        let cells = self.cells();
        let transaction = cells.len() > 1 && self.random.one_in(2);
        match in_time(write(conn, &cells, transaction)).await {
            Ok(Written::Acknowledged) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                self.ledger.transactions += u64::from(transaction);
                for (triple, body) in cells {
                    self.ledger.acknowledge(triple, body);
                }
                true
            }
            Ok(Written::Duplicate) => {
                self.ledger.duplicates += 1;
                // Over several clusters the statement may have gone in partly.
                match <[(Triple, String); 1]>::try_from(cells) {
                    Ok(cell) => self.ledger.taken.extend(cell),
                    Err(cells) => self.possibly(cells),
                }
                true
            }
            Err(error) => {
                // Of several cells some may be stored in another cluster.
                if self.may_be_stored(&error) || cells.len() > 1 {
                    self.possibly(cells);
                }
                false
            }
        }
    }

    /// Appends to a chain; `false` if the connection is to be left.
    async fn append(&mut self, conn: &mut Conn) -> bool {
        self.appends += 1;
        let row = format!("row-{}", self.random.below(CHAINS));
        let body = format!("{{\"writer\":{},\"append\":{}}}", self.number, self.appends);
        let statement = format!(
            "INSERT INTO trips (row_key, column_key, body) VALUES ({}, '{APPENDED}', {}) RETURNING ref_key",
            quote(&row),
            quote(&body)
        );
        match in_time(conn.query_first::<i64, _>(statement)).await {
            Ok(version) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                let version = version.expect("RETURNING gives a row for what was written");
                self.ledger.appended.insert(body, (row, version));
                true
            }
            Err(error) => {
                if self.may_be_stored(&error) {
                    self.ledger.possibly_appended.insert(body);
                }
                false
            }
        }
    }

    /// Counts an error, and says whether what was written may be stored after it (docs/DIALECT.md, "Retrying").
    fn may_be_stored(&mut self, error: &mysql_async::Error) -> bool {
        let Some(refusal) = Refusal::of(error) else {
            self.ledger.broken += 1;
            return true;
        };
        *self.ledger.errors.entry(refusal.code).or_default() += 1;
        SILENT.contains(&refusal.code) || refusal.message.contains("may be stored")
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

    fn possibly(&mut self, cells: Vec<(Triple, String)>) {
        for (triple, body) in cells {
            self.ledger.possible.entry(triple).or_default().push(body);
        }
    }
}

/// An answer, which must come in time.
async fn in_time<T>(answer: impl Future<Output = T>) -> T {
    tokio::time::timeout(ANSWER, answer).await.unwrap_or_else(|_| panic!("no answer in {ANSWER:?} to a write"))
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

    #[test]
    #[should_panic(expected = "was refused as taken")]
    fn a_ledger_refuses_a_conflict_with_nothing() {
        let mut ledger = ledger();
        ledger.taken.push((triple("a", "b", 1), "1".to_owned()));
        ledger.check(vec![row(1, "1")]);
    }

    #[test]
    #[should_panic(expected = "errors that faults do not explain")]
    fn a_ledger_refuses_an_answer_that_faults_do_not_explain() {
        let mut ledger = ledger();
        ledger.errors.insert(1064, 1);
        ledger.check(vec![row(1, "1")]);
    }

    fn appends() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.appended.insert("x".to_owned(), ("a".to_owned(), 1));
        ledger.possibly_appended.insert("y".to_owned());
        ledger
    }

    fn appended(reference: i64, body: &str) -> CellRow {
        ("a".to_owned(), APPENDED.to_owned(), reference, body.to_owned())
    }

    #[test]
    fn a_ledger_accepts_appends_that_are_there_once() {
        appends().check(vec![appended(1, "x")]);
        appends().check(vec![appended(1, "x"), appended(2, "y")]);
    }

    #[test]
    #[should_panic(expected = "was appended twice")]
    fn a_ledger_refuses_an_append_that_was_done_twice() {
        appends().check(vec![appended(1, "x"), appended(2, "y"), appended(3, "y")]);
    }

    #[test]
    #[should_panic(expected = "told that nothing was written")]
    fn a_ledger_refuses_an_append_that_was_not_to_be_there() {
        appends().check(vec![appended(1, "x"), appended(2, "z")]);
    }

    #[test]
    #[should_panic(expected = "has gaps")]
    fn a_ledger_refuses_a_version_that_was_left_out() {
        appends().check(vec![appended(1, "x"), appended(3, "y")]);
    }

    #[test]
    #[should_panic(expected = "was said to be")]
    fn a_ledger_refuses_an_append_elsewhere() {
        appends().check(vec![appended(1, "y"), appended(2, "x")]);
    }
}
