//! What a protocol must be able to do for [`Server`](super::Server).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cellgate_schemaless::{AddedId, Body, Cell, Epoch, LatestKey, Micros, ShardId, TableRef, Token, Triple};
use deadpool::managed::Manager;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::{Reason, StoreError};
use crate::sql::{Dialect, Query, match_gets, match_latest};

/// A protocol: opens sessions to one server. As a [`Manager`] it is what the pool asks for sessions.
#[async_trait]
pub trait Driver: Manager<Type = Self::Session, Error = StoreError> + std::fmt::Debug + 'static {
    /// A connection, logged in and set up.
    type Session: Session;

    /// Where the server is, as the configuration says.
    fn address(&self) -> String;

    /// How the server spells the shared statements.
    fn dialect(&self) -> &'static Dialect;

    /// Whether a commit is visible before it is on disk.
    fn shows_unflushed(&self) -> bool {
        false
    }

    /// An expression: the server's clock, as microseconds UTC in a signed 64-bit number.
    fn clock(&self) -> &'static str;

    /// Creates the database (and schema) the sessions are for, if it is not there.
    async fn create_database(&self) -> Result<(), StoreError>;

    /// Whether [`create_database`](Self::create_database) would succeed, and tables could be made in it, as far as the server
    /// tells without anything being created.
    ///
    /// # Errors
    /// [`StoreError::Refused`] names the right that is missing.
    async fn check_rights(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A connection to the server, idle and in no transaction between two calls.
///
/// Nothing in here repeats anything or waits for longer than the server's own timeouts; the caller does.
#[async_trait]
pub trait Session: Send + 'static {
    /// Rows of [`CELL_COLUMNS`](crate::sql::CELL_COLUMNS): all of them, or as many as have `budget` bytes in them
    /// (one more than that, so that there is progress).
    async fn cells(&mut self, query: &Query, budget: usize) -> Result<Cells, Failure>;

    /// The rows of these names, in one statement: one answer per name, in order. `None` if they have more than `budget`
    /// bytes in them.
    async fn find(
        &mut self,
        dialect: &Dialect,
        table: &TableRef,
        names: Names<'_>,
        budget: usize,
    ) -> Result<Option<Vec<Option<Cell>>>, Failure> {
        let answer = self.cells(&names.query(dialect, table), budget).await?;
        Ok((!answer.cut).then(|| names.matched(answer.cells)))
    }

    /// Small answers: all rows, all columns.
    async fn fetch(&mut self, query: &Query) -> Result<Vec<Vec<Value>>, Failure>;

    /// A change; answers how many rows are now different.
    async fn execute(&mut self, query: &Query) -> Result<u64, Failure>;

    /// A statement without parameters or answer, not prepared.
    async fn run(&mut self, text: &str) -> Result<(), Failure>;

    /// One transaction: takes ids from the log head and inserts these rows, sorted by table and triple and no triple
    /// twice. Answers where each row is that is known to be inserted; the caller looks up the others.
    ///
    /// # Errors
    /// After any failure but [`Failure::Lost`] nothing was written.
    async fn insert(
        &mut self,
        epoch: Epoch,
        rows: &[NewRow<'_>],
        existing: Existing,
    ) -> Result<Vec<Option<Place>>, Failure>;

    /// Whether [`insert`](Session::insert) answers the place of every row it inserted while existing ones are kept.
    fn tells_places(&self) -> bool {
        true
    }

    /// How another session can find this one on the server.
    fn mark(&self) -> Mark;

    /// Makes sure that nothing the marked session was doing goes on: ends it if it still runs, and waits for at most
    /// `wait` until it is over. `false` if it is not over by then.
    async fn end(&mut self, other: &Mark, wait: Duration) -> Result<bool, Failure>;

    /// Which database of which server this is, in which run of it: the same in every session, and in no session to another
    /// one. `None` if nothing can be written there, or it does not say.
    async fn place(&mut self) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    /// For how long the server has waited for the marked session to ask something; `None` if it is at work for it, or does
    /// not say. Of a session that is over it is for ever.
    async fn idle(&mut self, other: &Mark) -> Result<Option<Duration>, Failure>;

    /// Whether the server may still be at work for the session, or has not been listened to: it was asked something, its
    /// answer was not read to the end, and the connection has not ended.
    fn is_awaited(&self) -> bool;

    /// Ends the connection, even in the middle of an answer. The session must not be used any more.
    fn hang_up(&mut self);

    /// Which start the session is of, if one may take back what was visible before.
    fn start(&self) -> Option<Start> {
        None
    }

    /// Has the log head pass over the ids that may have been seen before this start and are not known any more. When it
    /// succeeds that is on disk.
    async fn pass_over(&mut self, _: PassOver) -> Result<(), Failure> {
        Ok(())
    }

    /// Looks whether the server still has the very tables that the session was opened to.
    ///
    /// # Errors
    /// [`Failure::Lost`] also if the tables were replaced by others of their names, as by a restore: the next session is of
    /// another start.
    async fn check_tables(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// What is visible is safe only when this has succeeded: a commit of our own behind it. On MariaDB and MySQL a commit is
    /// visible before it is on disk; on PostgreSQL, ending a session makes its commit visible before a standby that it
    /// waited for has it.
    async fn confirm(&mut self, of: Holds) -> Result<(), Failure>;

    /// Whether the session can be used again; not if an answer was left half-read.
    fn is_idle(&self) -> bool;

    /// Statements that change the schema, in order, each without effect if it was done before. Safe when several
    /// sessions do it at once.
    async fn define(&mut self, statements: &[String]) -> Result<(), Failure>;

    /// One transaction of these changes, in order; answers how many rows they changed in all.
    async fn transaction(&mut self, dialect: &Dialect, guard: Guard, changes: &[Query]) -> Result<u64, Failure> {
        self.run(self.begin()).await?;
        let changed = match self.changes(dialect, guard, changes).await {
            Ok(rows) => self.may_commit().await.map(|()| rows),
            Err(failure) => Err(failure),
        };
        match changed {
            Ok(rows) => {
                self.run("COMMIT").await.map_err(Failure::at_commit)?;
                Ok(rows)
            }
            Err(Failure::Lost { detail }) => Err(Failure::Lost { detail }),
            Err(failure) => match (self.run("ROLLBACK").await, failure) {
                (Ok(()), failure) => Err(failure),
                // Nothing was asked to be committed. Nor is this session used again: see `Sessions::give_back_answered`.
                (Err(_), away @ Failure::Store(StoreError::Unavailable { .. }))
                | (Err(away @ Failure::Store(StoreError::Unavailable { .. })), _) => Err(away),
                // The transaction may be open: nobody uses this session again.
                (Err(at_rollback), _) => Err(at_rollback.at_commit()),
            },
        }
    }

    /// The text that begins a [`transaction`](Session::transaction).
    fn begin(&self) -> &'static str {
        "BEGIN"
    }

    /// Asked behind the changes of a [`transaction`](Session::transaction) and their locks, right before its COMMIT: whether
    /// what was true when it began still is.
    ///
    /// # Errors
    /// [`Failure::ReadOnly`] of a server that was demoted meanwhile and would let this user commit.
    async fn may_commit(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// The inside of [`transaction`](Session::transaction).
    async fn changes(&mut self, dialect: &Dialect, guard: Guard, changes: &[Query]) -> Result<u64, Failure> {
        if let Guard::Head(epoch) = guard {
            let mut lock = dialect.select_epoch();
            lock.text.push_str(" FOR UPDATE");
            match self.fetch(&lock).await?.first().and_then(|row| row.first()) {
                Some(Value::Int(current)) if *current == epoch.0 => {}
                Some(_) | None => return Err(Failure::Stale),
            }
        }
        let mut rows = 0;
        for change in changes {
            rows += self.execute(change).await?;
            if guard == Guard::First && rows == 0 {
                break;
            }
        }
        Ok(rows)
    }
}

/// How often the log head passes over ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassOver {
    /// Once per start, whoever asks for it: the store remembers for which one it was done.
    Once,
    /// In any case: the store may remember it of the time before another server took over.
    Again,
}

/// One start of one server with one set of tables, whatever the number says: two are the same or not. Behind another one,
/// cells and ids may be gone that were seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start(pub i64);

impl Start {
    /// That of a server and of tables for which these numbers stand. All versions of the program must agree; it is never 0.
    pub(crate) fn of(numbers: &[i64]) -> Self {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        Self(xxh3_64(&bytes).max(1).cast_signed())
    }
}

/// The failure of a session whose tables were replaced.
pub(crate) fn replaced() -> Failure {
    Failure::Lost { detail: "the tables are others than when the session was opened: was a backup loaded?".to_owned() }
}

/// What a database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// The cells of a cluster.
    Cells,
    /// The documents of a meta store.
    Documents,
}

/// Cells asked for by their names, at least one.
#[derive(Clone, Copy, Debug)]
pub enum Names<'a> {
    /// These very cells.
    Exact(&'a [Triple]),
    /// The latest of these chains.
    Latest(&'a [LatestKey]),
    /// The same without their bodies.
    Versions(&'a [LatestKey]),
}

impl<'a> Names<'a> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Exact(keys) => keys.len(),
            Self::Latest(keys) | Self::Versions(keys) => keys.len(),
        }
    }

    /// The same, at most so many at a time.
    pub(crate) fn parts(self, most: usize) -> Vec<Names<'a>> {
        match self {
            Self::Exact(keys) => keys.chunks(most).map(Names::Exact).collect(),
            Self::Latest(keys) => keys.chunks(most).map(Names::Latest).collect(),
            Self::Versions(keys) => keys.chunks(most).map(Names::Versions).collect(),
        }
    }

    /// The statement that reads them.
    pub(crate) fn query(&self, dialect: &Dialect, table: &TableRef) -> Query {
        match self {
            Self::Exact(keys) => dialect.get(table, keys),
            Self::Latest(keys) => dialect.latest(table, keys),
            Self::Versions(keys) => dialect.versions(table, keys),
        }
    }

    /// Its rows, one per name.
    fn matched(&self, cells: Vec<Cell>) -> Vec<Option<Cell>> {
        match self {
            Self::Exact(keys) => match_gets(keys, cells),
            Self::Latest(keys) | Self::Versions(keys) => match_latest(keys, &cells),
        }
    }
}

/// What a transaction depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Nothing.
    Free,
    /// Nothing is changed unless the log head is at this epoch; it is locked meanwhile.
    Head(Epoch),
    /// If the first change changes nothing, the others are left out.
    First,
}

/// Part of an answer.
#[derive(Debug)]
pub struct Cells {
    /// The rows.
    pub cells: Vec<Cell>,
    /// Whether the budget ran out before the rows did.
    pub cut: bool,
}

/// A value of a small answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// NULL.
    Null,
    /// A number.
    Int(i64),
    /// Text or bytes.
    Bytes(Bytes),
}

/// A row to be inserted.
#[derive(Clone, Copy, Debug)]
pub struct NewRow<'a> {
    /// Into which table.
    pub table: &'a TableRef,
    /// The shard of its row key.
    pub shard: ShardId,
    /// Its name.
    pub triple: &'a Triple,
    /// Its JSON.
    pub body: &'a Body,
    /// Which write it belongs to.
    pub token: Token,
}

/// What [`Session::insert`] does about rows whose name exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// They stay as they are, and the others are inserted.
    Keep,
    /// Nothing is inserted: [`Failure::Duplicate`].
    Refuse,
}

/// Where a row was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its place in the log.
    pub added_id: AddedId,
    /// Its time.
    pub created_at: Micros,
}

/// Names a session on the server, unmistakably: a connection number alone would be handed out again after a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The server's number of the connection.
    pub number: i64,
    /// What tells it from any other session that ever had that number.
    pub nonce: Arc<str>,
}

/// Why a session did not do what it was asked.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The connection ended, or its state is not known any more: what was running may have been done, or may go on.
    Lost {
        /// For the log.
        detail: String,
    },
    /// A row of that name exists.
    Duplicate,
    /// The log head is not at that epoch, or is not there.
    Stale,
    /// Somebody else was in the way; the same again may well succeed.
    Again {
        /// [`Reason::Lock`] after a full lock wait, [`Reason::Statement`] for a deadlock and the like.
        reason: Reason,
        /// For the log.
        detail: String,
    },
    /// The server, or its transaction, may only be read; nothing was written. It may be one that was demoted.
    ReadOnly {
        /// For the log.
        detail: String,
    },
    /// Anything else.
    Store(StoreError),
}

impl Failure {
    /// The same, with the name of the table where stored data is wrong.
    pub(super) fn in_table(self, table: &TableRef) -> Self {
        match self {
            Self::Store(error) => Self::Store(error.in_table(table)),
            other => other,
        }
    }

    /// The same failure of a COMMIT: whatever the server says, the outcome is not known.
    pub fn at_commit(self) -> Self {
        match self {
            Self::Lost { detail } | Self::Again { detail, .. } | Self::ReadOnly { detail } => Self::Lost { detail },
            Self::Duplicate | Self::Stale => Self::Lost { detail: "the commit failed".to_owned() },
            Self::Store(error) => Self::Lost { detail: error.to_string() },
        }
    }
}

/// A table is not there. Of the server's message, which is in its own language and quotes in its own way, nothing is told but the
/// table's name: the last word of the form of one of ours.
pub(crate) fn no_table(message: &str) -> StoreError {
    let words = message.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_number = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    let mut ours = words.filter(|word| {
        word.starts_with("cg_") || word.rsplit_once('_').is_some_and(|(name, id)| !name.is_empty() && is_number(id))
    });
    StoreError::NoTable { table: ours.next().unwrap_or("cg_?").to_owned() }
}

/// The database is not there, and so none of its tables.
pub(crate) fn no_database(database: &str) -> StoreError {
    StoreError::NoTable { table: format!("{database}.*") }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::server::fake::{FakeDriver, FakeSession, Script};
    use crate::sql::POSTGRES;

    #[test]
    fn of_a_message_about_a_table_only_its_name_is_told() {
        for (message, name) in [
            ("Table 'cgt_7_1.trips_7' doesn't exist", "trips_7"),
            ("relation \"cg_head\" does not exist", "cg_head"),
            ("Relation »a_b___3« existiert nicht", "a_b___3"),
            ("la relation « public.trips_12 » n'existe pas", "trips_12"),
            ("no schema has been selected to create in", "cg_?"),
        ] {
            assert_eq!(no_table(message), StoreError::NoTable { table: name.to_owned() });
        }
    }

    #[tokio::test]
    async fn a_session_whose_rollback_fails_is_not_used_again() {
        let change = Query { text: "UPDATE t SET a = 1".to_owned(), params: Vec::new() };
        let failure = FakeSession::default().transaction(&POSTGRES, Guard::Free, &[change]).await.unwrap_err();
        assert!(matches!(failure, Failure::Lost { .. }), "its transaction may be open: {failure:?}");
    }

    #[tokio::test]
    async fn a_server_that_cannot_be_used_now_has_committed_nothing_though_the_rollback_fails_as_well() {
        let change = Query { text: "UPDATE t SET a = 1".to_owned(), params: Vec::new() };
        let detail = || "for the test".to_owned();
        let away = || Failure::Store(StoreError::Unavailable { reason: Reason::Statement, detail: detail() });
        let again = || Failure::Again { reason: Reason::Statement, detail: detail() };
        let other = || Failure::Lost { detail: detail() };
        // What the change says, and then the ROLLBACK.
        for (changed, rolled_back) in [(away(), other()), (again(), away())] {
            let script = Arc::new(Script::default());
            script.executes.are([Err(changed)]);
            script.runs.are([Ok(()), Err(rolled_back)]);
            let mut session = FakeDriver(script).create().await.unwrap();
            let failure = session.transaction(&POSTGRES, Guard::Free, std::slice::from_ref(&change)).await.unwrap_err();
            assert!(matches!(failure, Failure::Store(StoreError::Unavailable { .. })), "{failure:?}");
        }
    }
}
