//! One writer of a load.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::ledger::{APPENDED, Ledger};
use crate::client::{self, Refusal, Triple, quote};
use crate::random::Random;
use crate::wait;

/// Different row keys: enough to meet every shard of a test deployment.
const ROW_KEYS: u64 = 300;
/// Chains that are appended to.
const CHAINS: u64 = 20;
/// Duplicate key.
const DUPLICATE: u16 = 1062;
/// Of the errors, what says nothing about what was stored whatever its text is (docs/DIALECT.md, "Retrying").
const SILENT: &[u16] = &[1180, 1317, 1815];
/// How long one statement may take, faults included, before the load calls it a hang.
const ANSWER: Duration = Duration::from_secs(60);

/// A client that writes to one proxy, and enters into its ledger what it was answered.
pub(super) struct Writer {
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
    /// Writer `number`, who has written nothing; `acknowledged` counts what all of them were acknowledged.
    pub(super) fn new(number: usize, address: SocketAddr, random: Random, acknowledged: Arc<AtomicU64>) -> Self {
        Self { number, address, random, written: 0, appends: 0, ledger: Ledger::default(), acknowledged }
    }

    /// Writes until it is told to stop, and counts what is over; answers what it knows.
    pub(super) async fn run(mut self, stop: Arc<AtomicBool>, over: Arc<AtomicU64>) -> Ledger {
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
            over.fetch_add(1, Ordering::Relaxed);
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
