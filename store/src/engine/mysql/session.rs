//! One connection to a MariaDB or MySQL server.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use cellgate_schemaless::{Cell, Epoch, TableId, TableRef};

use super::finding::{Finding, NameArguments, Shape};
use super::insert::{Batch, COMMIT, COMMIT_STATEMENTS, Placing, ROLLBACK};
use super::read_only::{BEGIN, UNLESS_READ_ONLY, zero_if_writable};
use super::setup::{TABLES, nonce, set_up};
use super::sinks::{CellRows, Count, Values, first};
use super::version::{dialect_of, is_maria, numbers, version};
use super::wire::{Argument, Arguments, Command, Connection, Ended, Failed, Prepared, Sink, WireError};
use super::{Returning, STATEMENTS, error, head, insert};
use crate::backend::Timeouts;
use crate::engine::server::driver::{
    Cells, Existing, Failure, Holds, Mark, Names, NewRow, PassOver, Place, Session, Start, Value, replaced,
};
use crate::error::{Reason, StoreError};
use crate::hash::FastHash;
use crate::sql::{Dialect, Param, Query};

/// A connection, logged in and set up.
pub struct MysqlSession {
    connection: Connection,
    /// Prepared, by what they are about.
    statements: HashMap<Key, Prepared, FastHash>,
    mark: Mark,
    /// How this server spells things; which kind it is shows only once it is connected.
    dialect: &'static Dialect,
    /// Whether the server has `INSERT .. RETURNING`.
    returning: bool,
    /// Longest statement the server takes, in bytes.
    packet: usize,
    /// By which setting of its server a crash loses commits that were answered.
    risk: Option<&'static str>,
    start: Start,
    /// The second in which the server was started, by its clock.
    started: i64,
    /// Which `cg_head` there was when it was opened.
    tables: i64,
    /// Whether a transaction could not be ended.
    stuck: bool,
}

/// What a prepared statement is found by.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    /// Its text.
    Text(String),
    /// Its shape, from which the text follows.
    Shape(Shape),
    /// An INSERT of a batch: its table and how many rows it has room for.
    Insert(TableId, usize),
}

impl fmt::Debug for MysqlSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MysqlSession").field("mark", &self.mark).field("returning", &self.returning).finish()
    }
}

impl MysqlSession {
    /// Sets a new connection up; `connecting` makes the error of one with which that fails.
    pub(super) async fn start(
        mut connection: Connection,
        timeouts: &Timeouts,
        returning: Returning,
        connecting: impl Fn(WireError) -> StoreError,
    ) -> Result<Self, StoreError> {
        let nonce = nonce()?;
        let version = version(&mut connection).await.map_err(&connecting)?;
        let maria = is_maria(&version);
        let facts = set_up(&mut connection, timeouts, maria, &nonce).await.map_err(connecting)?;
        if !facts.marked {
            // Without it a lost write could not be settled.
            let detail = "the server gives a session no user lock (GET_LOCK)".to_owned();
            return Err(StoreError::Refused { detail });
        }
        let returning = match returning {
            Returning::IfKnown => maria && numbers(&version) >= [10, 5, 0],
            Returning::Never => false,
        };
        let mark = Mark { number: facts.number, nonce: nonce.into() };
        Ok(Self {
            connection,
            statements: HashMap::default(),
            mark,
            dialect: dialect_of(&version),
            returning,
            packet: facts.packet,
            risk: facts.risk,
            start: facts.start,
            started: facts.started,
            tables: facts.tables,
            stuck: false,
        })
    }

    /// How the server spells things.
    pub(super) fn dialect(&self) -> &'static Dialect {
        self.dialect
    }

    /// By which setting of its server a crash may lose commits that were answered; nothing if none does.
    pub(super) fn risk(&self) -> Option<&'static str> {
        self.risk
    }

    /// Runs a statement that is kept prepared; `text` makes its text.
    async fn prepared(
        &mut self,
        key: Key,
        text: impl FnOnce(&Key) -> String + Send,
        arguments: &dyn Arguments,
        sink: &mut (dyn Sink + Send),
    ) -> Result<Ended, WireError> {
        if let Some(statement) = self.statements.get_mut(&key) {
            return self.connection.execute(statement, arguments, sink).await;
        }
        let mut statement = self.prepare(&text(&key)).await?;
        let ended = self.connection.execute(&mut statement, arguments, sink).await;
        self.statements.insert(key, statement);
        ended
    }

    /// Prepares a statement, and makes room for it: in the session, and if all sessions of the server together have as many as
    /// that allows (`max_prepared_stmt_count`), there.
    async fn prepare(&mut self, text: &str) -> Result<Prepared, WireError> {
        if self.statements.len() >= STATEMENTS {
            self.close_statements();
        }
        match self.connection.prepare(text).await {
            Err(WireError::Server(error))
                if error.code == error::TOO_MANY_STATEMENTS && !self.statements.is_empty() =>
            {
                self.close_statements();
                self.connection.prepare(text).await
            }
            prepared => prepared,
        }
    }

    /// Closes all prepared statements; the server is told with the next command.
    fn close_statements(&mut self) {
        for (_, statement) in self.statements.drain() {
            self.connection.close(statement);
        }
    }

    /// Inserts a batch: one write, one transaction.
    async fn insert_batch(&mut self, epoch: Epoch, batch: Batch<'_>, placing: &mut Placing<'_>) -> Result<(), Failure> {
        let (table, room) = batch.shape();
        let key = Key::Insert(table, room);
        let mut insert = match self.statements.remove(&key) {
            Some(statement) => statement,
            None => self.prepare(&batch.text(self.returning)).await.map_err(|e| error::of_statement(&e))?,
        };
        let head = batch.head(epoch);
        let mut commands = [Command::Text(&head), Command::Prepared(&mut insert, &batch), Command::Text(COMMIT)];
        let last = commands.len() - 1;
        let done = self.connection.pipeline(&mut commands, placing).await;
        self.statements.insert(key, insert);
        match done {
            Ok(()) => Ok(()),
            Err(Failed { command, error }) => {
                let failure = error::of_statement(&error);
                // What became of the commands behind the one that failed first is not asked.
                Err(self.roll_back(if command == last { failure.at_commit() } else { failure }).await)
            }
        }
    }

    /// Runs a query that is kept prepared.
    async fn query(&mut self, query: &Query, sink: &mut (dyn Sink + Send)) -> Result<Ended, WireError> {
        let text = |key: &Key| match key {
            Key::Text(text) => text.clone(),
            Key::Shape(_) | Key::Insert(..) => query.text.clone(),
        };
        self.prepared(Key::Text(query.text.clone()), text, &Params(&query.params), sink).await
    }

    /// Ends the transaction a failed insert may have left open, and passes the failure on.
    async fn roll_back(&mut self, failure: Failure) -> Failure {
        match failure {
            Failure::Lost { detail } => Failure::Lost { detail },
            // Nothing was committed, so that a connection lost now is not a lost attempt; but it is of no use.
            other => match self.connection.query(ROLLBACK, &mut Count::default()).await {
                Ok(_) => other,
                Err(e) => {
                    self.stuck = true;
                    match (other, error::of_statement(&e)) {
                        // A server that cannot be used now would refuse the next attempt as well.
                        (away @ Failure::Store(StoreError::Unavailable { .. }), _)
                        | (_, away @ Failure::Store(StoreError::Unavailable { .. })) => away,
                        _ => Failure::Again { reason: Reason::Statement, detail: e.to_string() },
                    }
                }
            },
        }
    }
}

#[async_trait]
impl Session for MysqlSession {
    async fn cells(&mut self, query: &Query, budget: usize) -> Result<Cells, Failure> {
        let mut rows = CellRows::new(budget);
        let ended = self.query(query, &mut rows).await.map_err(|e| of_reading(&e))?;
        match rows.wrong {
            Some(wrong) => Err(wrong),
            None => Ok(Cells { cells: rows.cells, cut: ended == Ended::Cut }),
        }
    }

    async fn find(
        &mut self,
        _: &Dialect,
        table: &TableRef,
        names: Names<'_>,
        budget: usize,
    ) -> Result<Option<Vec<Option<Cell>>>, Failure> {
        let dialect = self.dialect;
        let mut finding = Finding::new(names, budget);
        let ended = match Shape::new(dialect, table.id, names) {
            Some(shape) => {
                let arguments = NameArguments { names, shape };
                let text = |_: &Key| names.query(dialect, table).text;
                self.prepared(Key::Shape(shape), text, &arguments, &mut finding).await
            }
            None => self.query(&names.query(dialect, table), &mut finding).await,
        };
        let ended = ended.map_err(|e| of_reading(&e))?;
        let answers = finding.answers()?;
        Ok((ended == Ended::Whole).then_some(answers))
    }

    async fn fetch(&mut self, query: &Query) -> Result<Vec<Vec<Value>>, Failure> {
        let mut values = Values::default();
        let ended = if query.params.is_empty() {
            self.connection.query(query.text.as_bytes(), &mut values).await
        } else {
            self.query(query, &mut values).await
        };
        ended.map_err(|e| error::of_statement(&e))?;
        Ok(values.rows)
    }

    async fn execute(&mut self, query: &Query) -> Result<u64, Failure> {
        let mut count = Count::default();
        self.query(query, &mut count).await.map_err(|e| error::of_statement(&e))?;
        Ok(count.affected)
    }

    async fn run(&mut self, text: &str) -> Result<(), Failure> {
        self.connection
            .query(text.as_bytes(), &mut Count::default())
            .await
            .map(drop)
            .map_err(|e| error::of_statement(&e))
    }

    async fn insert(
        &mut self,
        epoch: Epoch,
        rows: &[NewRow<'_>],
        existing: Existing,
    ) -> Result<Vec<Option<Place>>, Failure> {
        if let Some(batch) = Batch::new(rows, existing, self.packet) {
            let mut placing = Placing::new(rows, existing);
            self.insert_batch(epoch, batch, &mut placing).await?;
            return placing.places();
        }
        let plan = insert::Plan::new(epoch, rows, existing, self.returning, self.packet)?;
        let last = plan.packets.len().saturating_sub(1);
        let mut placing = Placing::new(rows, existing);
        for (i, packet) in plan.packets.iter().enumerate() {
            placing.begin();
            if let Err(e) = self.connection.query(&packet.text, &mut placing).await {
                let failure = error::of_statement(&e);
                let commit = i == last && placing.statements() + COMMIT_STATEMENTS >= packet.statements;
                let failure = if commit { failure.at_commit() } else { failure };
                return Err(self.roll_back(failure).await);
            }
        }
        placing.places()
    }

    fn tells_places(&self) -> bool {
        self.returning
    }

    fn mark(&self) -> Mark {
        self.mark.clone()
    }

    /// Every session of ours holds a user lock named by its nonce: the server lets go of it when the session is over,
    /// its transaction committed or rolled back before that. So whoever gets the lock knows; no list of processes is
    /// read, and a number that was handed out again after a restart is never hit.
    async fn end(&mut self, other: &Mark, wait: Duration) -> Result<bool, Failure> {
        let (number, nonce) = (other.number, &other.nonce);
        let holder = self.fetch(&plain(format!("SELECT IS_USED_LOCK('{nonce}')"))).await?;
        if first(&holder) == Some(&Value::Null) {
            return Ok(true);
        }
        if first(&holder) == Some(&Value::Int(number)) {
            // Fails when the session ended in between, which is as good.
            match self.run(&format!("KILL {number}")).await {
                Ok(()) | Err(Failure::Store(_)) => {}
                Err(failure) => return Err(failure),
            }
        }
        let got = self.fetch(&plain(format!("SELECT GET_LOCK('{nonce}', {:.3})", wait.as_secs_f64()))).await?;
        if first(&got) != Some(&Value::Int(1)) {
            return Ok(false);
        }
        self.run(&format!("DO RELEASE_LOCK('{nonce}')")).await?;
        Ok(true)
    }

    async fn place(&mut self) -> Result<Option<String>, Failure> {
        let rows = self.fetch(&plain(PLACE.to_owned())).await?;
        let Some([Value::Bytes(of_server), Value::Bytes(database), Value::Int(0)]) = rows.first().map(Vec::as_slice)
        else {
            return Ok(None);
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (database, of_server, started) = (text(database), text(of_server), self.started);
        Ok(Some(format!("database {database} of the server {of_server}, which was started at {started}")))
    }

    async fn idle(&mut self, other: &Mark) -> Result<Option<Duration>, Failure> {
        let (number, nonce) = (other.number, &other.nonce);
        let text = format!(
            "SELECT IS_USED_LOCK('{nonce}'), (SELECT CAST(TIME AS SIGNED) FROM information_schema.PROCESSLIST \
             WHERE ID = {number} AND COMMAND = 'Sleep')"
        );
        Ok(match self.fetch(&plain(text)).await?.first().map(Vec::as_slice) {
            Some([Value::Null, _]) => Some(Duration::MAX),
            // Counted from second to second: up to one too many.
            Some([Value::Int(holder), Value::Int(seconds)]) if *holder == number => {
                Some(Duration::from_secs(u64::try_from(*seconds).unwrap_or(0).saturating_sub(1)))
            }
            Some(_) | None => None,
        })
    }

    fn is_awaited(&self) -> bool {
        !self.connection.is_idle() && !self.connection.has_ended()
    }

    fn hang_up(&mut self) {
        self.connection.hang_up();
    }

    fn start(&self) -> Option<Start> {
        Some(self.start)
    }

    async fn pass_over(&mut self, passing: PassOver) -> Result<(), Failure> {
        match self.run(&head::pass_over(self.start, passing)).await {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.roll_back(failure).await),
        }
    }

    async fn check_tables(&mut self) -> Result<(), Failure> {
        let rows = self.fetch(&plain(TABLES.to_owned())).await?;
        if rows.first().map(Vec::as_slice) == Some(&[Value::Int(self.tables)]) { Ok(()) } else { Err(replaced()) }
    }

    async fn confirm(&mut self, of: Holds) -> Result<(), Failure> {
        self.run(match of {
            Holds::Cells => head::TOUCH,
            Holds::Documents => TOUCH_DOCUMENTS,
        })
        .await
    }

    fn is_idle(&self) -> bool {
        self.connection.is_idle() && !self.stuck
    }

    async fn define(&mut self, statements: &[String]) -> Result<(), Failure> {
        for statement in statements {
            self.run(&format!("{UNLESS_READ_ONLY}; {statement}")).await?;
        }
        Ok(())
    }

    fn begin(&self) -> &'static str {
        BEGIN
    }

    async fn may_commit(&mut self) -> Result<(), Failure> {
        self.run(UNLESS_READ_ONLY).await
    }
}

/// Changes something in the meta store's database: a document that nobody reads.
const TOUCH_DOCUMENTS: &str = concat!(
    "INSERT INTO cg_meta (name, version, body) VALUES ('touched', 1 + ",
    zero_if_writable!(),
    ", 'null') ON DUPLICATE KEY UPDATE version = version + 1"
);

/// Which server and which database this is, and whether it can only be read. A copy of a server's files has the same ids as
/// the server, but not the same host and port, or else not the same start.
const PLACE: &str = "SELECT CONCAT(@@hostname, ':', @@port, ' (', @@datadir, ')'), \
                     IF(@@lower_case_table_names = 0, DATABASE(), LOWER(DATABASE())), \
                     CAST(CAST(@@read_only AS CHAR) NOT IN ('0', 'OFF') AS SIGNED)";

/// The failure of a read, which leaves nothing to be settled.
fn of_reading(error: &WireError) -> Failure {
    match error {
        WireError::TooLong { max } => Failure::Store(StoreError::AnswerTooLarge { max: *max }),
        WireError::Io(_)
        | WireError::Closed
        | WireError::Malformed(_)
        | WireError::Unsendable(_)
        | WireError::Server(_)
        | WireError::Login(_) => error::of_statement(error),
    }
}

/// The parameters of a query.
struct Params<'a>(&'a [Param]);

impl Arguments for Params<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn each(&self, take: &mut dyn FnMut(Argument<'_>)) {
        for param in self.0 {
            take(match param {
                Param::Bytes(bytes) => Argument::Bytes(bytes),
                Param::Int(number) => Argument::Int(*number),
                Param::Text(text) => Argument::Text(text),
                // Lists are PostgreSQL's.
                Param::NullInt | Param::BytesList(_) | Param::IntList(_) => Argument::Null,
            });
        }
    }
}

fn plain(text: String) -> Query {
    Query { text, params: Vec::new() }
}
