//! One in-memory SQLite that runs programs.
//!
//! It knows nothing of what its tables hold: rows are given to it, and kept until others are given for another key.
//! What is bounded: the time of a run and its steps (a progress handler, and the functions that SQLite calls), rows and
//! bytes of the result, the bytes held to make it, the size of one row or value, and the depth of expressions. SQLite
//! holds what it sorts and groups in memory and has no bound for it: the program's SQL counts it, and the counts are kept
//! here.

mod filling;
mod functions;
mod running;
mod values;

use std::collections::BTreeSet;
use std::sync::Arc;

use cellgate_sql::relational::Program;
use cellgate_sql::{Row, SqlError};
use rusqlite::Connection;
use rusqlite::limits::Limit;

use super::RelationalFailure;
use crate::sync::lock;
use crate::until::Until;

pub(super) use filling::{Filling, Source};
use running::Running;
use values::{Borrowed, packed};

/// How many of SQLite's steps pass between two looks at the clock: some microseconds.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;
/// Most looks: with them a run has at most 200 million steps, whatever its deadline.
const LOOKS: u64 = 20_000;
/// Longest value, and longest row that is held, in bytes.
const VALUE_BYTES: i32 = 64 << 20;
/// Deepest expression of SQLite's parser.
const EXPRESSION_DEPTH: i32 = 500;
/// How SQLite says that one is deeper, before it has run anything: of its tree, or of its text.
const TOO_DEEP: [&str; 2] = ["Expression tree is too large", "Recursion limit"];

/// What a program makes.
#[derive(Debug)]
pub struct Outcome {
    /// The rows for the client.
    pub rows: Vec<Row>,
    /// How many rows there were before the program's [`Program::cut`] and [`Program::skipping`]; no more than its
    /// [`Program::most`] if it has no cut.
    pub found: u64,
}

/// An engine with what it holds.
#[derive(Debug)]
pub(super) struct Engine<K> {
    connection: Connection,
    running: Arc<Running>,
    /// What the kept rows were made for.
    key: Option<K>,
    kept: BTreeSet<String>,
    /// A table was filled in part.
    half_filled: bool,
}

impl<K: PartialEq> Engine<K> {
    /// An engine that holds nothing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn new() -> rusqlite::Result<Self> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch("PRAGMA temp_store = MEMORY; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")?;
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES)?;
        connection.set_limit(Limit::SQLITE_LIMIT_EXPR_DEPTH, EXPRESSION_DEPTH)?;
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        let running = Arc::new(Running::default());
        functions::create(&connection, &running)?;
        Ok(Self { connection, running, key: None, kept: BTreeSet::new(), half_filled: false })
    }

    /// What the kept rows were made for.
    pub fn key(&self) -> Option<&K> {
        self.key.as_ref()
    }

    /// Whether it was stopped while a table was filled: it is not to be used again.
    pub fn is_half_filled(&self) -> bool {
        self.half_filled
    }

    /// Runs a program over the rows given.
    ///
    /// # Errors
    /// What a value makes of an operator, a bound that is exceeded, or a defect. After [`RelationalFailure::Sqlite`] the
    /// engine is not to be used again: a transaction may be open.
    pub fn run(
        &mut self,
        program: &Arc<Program>,
        key: K,
        tables: Vec<Filling<'_>>,
        until: &Until,
    ) -> Result<Outcome, RelationalFailure> {
        if self.key.as_ref() != Some(&key) {
            self.forget()?;
            self.key = Some(key);
        }
        *lock(&self.running.failed) = None;
        let over = until.clone();
        self.connection.progress_handler(STEPS_BETWEEN_LOOKS, Some(move || over.is_over()))?;
        for table in tables {
            self.fill(table, until).map_err(|failure| self.explained(failure, until))?;
        }
        self.running.begin(Some((program, until)));
        let mut looks = 0_u64;
        let over = until.clone();
        self.connection.progress_handler(
            STEPS_BETWEEN_LOOKS,
            Some(move || {
                looks += 1;
                looks > LOOKS || over.is_over()
            }),
        )?;
        let rows = self.rows(program);
        self.connection.progress_handler(0, None::<fn() -> bool>)?;
        self.running.begin(None);
        rows.map_err(|failure| self.explained(failure, until))
    }

    fn rows(&self, program: &Program) -> Result<Outcome, RelationalFailure> {
        let (most_rows, most_bytes) = program.bounds();
        let most = program.most();
        // What is cut off is counted.
        let (offset, count, all) = match program.cut() {
            Some(cut) => (cut.offset, cut.count.map_or(most, |count| count.min(most)), u64::MAX),
            None => (0, most, most),
        };
        let mut statement = self.connection.prepare(program.sql())?;
        let parameters = rusqlite::params_from_iter(program.parameters().iter().map(Borrowed));
        let width = program.width();
        let mut cursor = statement.query(parameters)?;
        let (mut rows, mut bytes, mut found) = (Vec::new(), 0, 0);
        while found < all
            && let Some(row) = cursor.next()?
        {
            found += 1;
            if found <= offset || found - offset > count {
                self.running.row_is_out();
                continue;
            }
            let values = (0..width).map(|i| row.get_ref(i).map(packed)).collect::<rusqlite::Result<Vec<_>>>()?;
            self.running.row_is_out();
            let row = program.row(values)?;
            bytes += Program::weight(&row);
            let limit = |what: &str, limit: usize, name| {
                RelationalFailure::Sql(SqlError::Limit { what: what.into(), limit: limit as u64, name })
            };
            if rows.len() >= most_rows {
                return Err(limit("the number of rows", most_rows, "limits.collect_rows"));
            }
            if bytes > most_bytes {
                return Err(limit("the size of the rows", most_bytes, "limits.collect_bytes"));
            }
            rows.push(row);
        }
        drop(cursor);
        let found = match program.skipping() {
            Some(skipping) if found > 0 => skipping.offset.saturating_add(found),
            Some(skipping) => self.counted(program, &skipping.counting)?,
            None => found,
        };
        Ok(Outcome { rows, found })
    }

    /// How many rows there are. Where that cannot be said without a value that cannot be made, which the statement did not
    /// ask for, there are none.
    fn counted(&self, program: &Program, counting: &str) -> Result<u64, RelationalFailure> {
        let parameters = rusqlite::params_from_iter(program.parameters().iter().map(Borrowed));
        let mut statement = self.connection.prepare(counting)?;
        let counted = statement.query_row(parameters, |row| row.get::<_, i64>(0));
        let mut failed = lock(&self.running.failed);
        match counted {
            Ok(rows) => Ok(rows.unsigned_abs()),
            Err(_) if failed.as_ref().is_some_and(|error| *error != SqlError::GivenUp) => {
                *failed = None;
                Ok(0)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// SQLite's error as what really happened.
    fn explained(&self, failure: RelationalFailure, until: &Until) -> RelationalFailure {
        if let Some(error) = lock(&self.running.failed).take() {
            return match error {
                SqlError::GivenUp => RelationalFailure::Timeout,
                error => RelationalFailure::Sql(error),
            };
        }
        match failure {
            RelationalFailure::Sqlite(error) if TOO_DEEP.iter().any(|text| error.to_string().starts_with(text)) => {
                RelationalFailure::Sql(SqlError::Limit {
                    what: "the depth of an expression".into(),
                    limit: EXPRESSION_DEPTH.unsigned_abs().into(),
                    name: "depth",
                })
            }
            RelationalFailure::Sqlite(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::TooBig) => {
                RelationalFailure::Sql(SqlError::Limit {
                    what: "the size of a row or value of the relational engine".into(),
                    limit: VALUE_BYTES.unsigned_abs().into(),
                    name: "row_bytes",
                })
            }
            RelationalFailure::Sqlite(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) =>
            {
                if until.is_over() {
                    return RelationalFailure::Timeout;
                }
                RelationalFailure::Sql(SqlError::Limit {
                    what: "the number of steps of the statement".into(),
                    limit: LOOKS * u64::from(STEPS_BETWEEN_LOOKS.unsigned_abs()),
                    name: "steps",
                })
            }
            failure @ (RelationalFailure::Sqlite(_)
            | RelationalFailure::Sql(_)
            | RelationalFailure::Timeout
            | RelationalFailure::Busy
            | RelationalFailure::Panicked) => failure,
        }
    }
}
