//! One in-memory SQLite that runs programs.
//!
//! It knows nothing of what its tables hold: rows are given to it, and kept until others are given for another key.
//! What is bounded: the time of a run and its steps (a progress handler, and the functions that SQLite calls), rows and bytes of the result, the bytes held
//! to make it, the length of one value, and the depth of expressions. SQLite holds what it sorts and groups in memory
//! and has no bound for it: the program's SQL counts it, and the counts are kept here.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use cellgate_sql::relational::{Accumulator, Packed, Program, Relation, names};
use cellgate_sql::{Patience, Row, SqlError};
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::limits::Limit;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ToSql};

use super::RelationalFailure;
use crate::sync::lock;
use crate::until::Until;

/// How many of SQLite's steps pass between two looks at the clock: some microseconds.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;
/// Most looks: with them a run has at most 200 million steps, whatever its deadline.
const LOOKS: u64 = 20_000;
/// How many rows are filled in between two looks: about a millisecond.
const ROWS_BETWEEN_LOOKS: usize = 1000;
/// Longest value, in bytes.
const VALUE_BYTES: i32 = 64 << 20;
/// Longest result of a function that counts only where it is kept. Longer ones count as held whatever becomes of them:
/// SQLite has those of one row, and of the conditions it had to meet, at the same time.
const SHORT_RESULT: usize = 4096;
/// Deepest expression of SQLite's parser.
const EXPRESSION_DEPTH: i32 = 500;
/// How SQLite says that one is deeper, before it has run anything: of its tree, or of its text.
const TOO_DEEP: [&str; 2] = ["Expression tree is too large", "Recursion limit"];

/// What the functions of a running program share with who runs it.
#[derive(Debug, Default)]
struct Running {
    program: Mutex<Option<(Arc<Program>, Patience)>>,
    /// What went wrong in a function: SQLite passes on a text only.
    failed: Mutex<Option<SqlError>>,
    /// How many bytes may be held, how many are, and how many of them by the row that is on its way to the client.
    most: AtomicUsize,
    held: AtomicUsize,
    shown: AtomicUsize,
}

impl Running {
    /// A program begins, or (`None`) is over.
    fn begin(&self, program: Option<(&Arc<Program>, &Until)>) {
        self.most.store(program.map_or(0, |(program, _)| program.bounds().1), Ordering::Relaxed);
        self.held.store(0, Ordering::Relaxed);
        self.shown.store(0, Ordering::Relaxed);
        *lock(&self.program) = program.map(|(program, until)| {
            let until = until.clone();
            (Arc::clone(program), Patience::new(move || until.is_over()))
        });
    }

    /// So many bytes more are held.
    fn hold(&self, bytes: usize) -> rusqlite::Result<()> {
        let most = self.most.load(Ordering::Relaxed);
        let held = self.held.load(Ordering::Relaxed).saturating_add(bytes);
        self.held.store(held, Ordering::Relaxed);
        if held <= most {
            return Ok(());
        }
        let what = "the size of the rows that are held to sort, group or shape".into();
        Err(self.fail(SqlError::Limit { what, limit: most as u64, name: "limits.collect_bytes" }))
    }

    /// So many bytes are held no more.
    fn let_go(&self, bytes: usize) {
        let held = self.held.load(Ordering::Relaxed);
        self.held.store(held.saturating_sub(bytes), Ordering::Relaxed);
    }

    /// A row has gone to the client, with what it was made of.
    fn row_is_out(&self) {
        self.let_go(self.shown.swap(0, Ordering::Relaxed));
    }

    /// The program, and how long its functions may take together.
    fn program(&self) -> Option<(Arc<Program>, Patience)> {
        lock(&self.program).clone()
    }

    /// Asked by every function that is called: SQLite itself looks between its steps only.
    fn ask(&self) -> rusqlite::Result<()> {
        let asked = lock(&self.program).as_ref().map_or(Ok(()), |(_, patience)| patience.ask());
        asked.map_err(|error| self.fail(error))
    }

    fn fail(&self, error: SqlError) -> rusqlite::Error {
        lock(&self.failed).get_or_insert(error);
        rusqlite::Error::UserFunctionError("see the running program".into())
    }
}

/// What a program makes.
#[derive(Debug)]
pub struct Outcome {
    /// The rows for the client.
    pub rows: Vec<Row>,
    /// How many rows there were before the program's [`Program::cut`] and [`Program::skipping`].
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

/// Rows for a table that hold for one run only, or for as long as the key does.
pub(super) struct Filling<'a> {
    pub relation: &'static Relation,
    pub rows: Source<'a>,
}

/// Where rows come from.
pub(super) enum Source<'a> {
    /// Made when they are not kept from an earlier run.
    Kept(Box<dyn FnOnce() -> Vec<Row> + Send + 'a>),
    /// For this run.
    Now(Vec<Row>),
}

struct Borrowed<'a>(&'a Packed);

impl ToSql for Borrowed<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Packed::Null => ValueRef::Null,
            Packed::Int(n) => ValueRef::Integer(*n),
            Packed::Double(d) => ValueRef::Real(*d),
            Packed::Text(text) => ValueRef::Text(text),
            Packed::Blob(blob) => ValueRef::Blob(blob),
        }))
    }
}

/// A value a function gives back.
struct Owned(Packed);

impl ToSql for Owned {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(match &self.0 {
            Packed::Null => rusqlite::types::Value::Null,
            Packed::Int(n) => rusqlite::types::Value::Integer(*n),
            Packed::Double(d) => rusqlite::types::Value::Real(*d),
            Packed::Text(text) => match std::str::from_utf8(text) {
                Ok(text) => rusqlite::types::Value::Text(text.to_owned()),
                Err(_) => rusqlite::types::Value::Blob(text.to_vec()),
            },
            Packed::Blob(blob) => rusqlite::types::Value::Blob(blob.clone()),
        }))
    }
}

fn packed(value: ValueRef<'_>) -> Packed {
    match value {
        ValueRef::Null => Packed::Null,
        ValueRef::Integer(n) => Packed::Int(n),
        ValueRef::Real(d) => Packed::Double(d),
        ValueRef::Text(text) => Packed::Text(Bytes::copy_from_slice(text)),
        ValueRef::Blob(blob) => Packed::Blob(blob.to_vec()),
    }
}

/// The length of a value's text; what else there is of it is counted by the value.
fn length(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => 0,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
    }
}

/// The number a call begins with, and its operands.
fn operands(context: &Context<'_>) -> (usize, Vec<Packed>) {
    let number = match context.get_raw(0) {
        ValueRef::Integer(n) => usize::try_from(n).unwrap_or(usize::MAX),
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => usize::MAX,
    };
    (number, (1..context.len()).map(|i| packed(context.get_raw(i))).collect())
}

struct Aggregates(Arc<Running>);

impl Aggregate<Option<Accumulator>, Owned> for Aggregates {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<Accumulator>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, state: &mut Option<Accumulator>) -> rusqlite::Result<()> {
        self.0.ask()?;
        let (number, operands) = operands(context);
        let accumulator = match state {
            Some(accumulator) => accumulator,
            None => state.insert(self.begin(number)?),
        };
        let before = accumulator.held();
        accumulator.push(operands).map_err(|error| self.0.fail(error))?;
        match accumulator.held().checked_sub(before) {
            Some(more) => self.0.hold(more),
            None => Ok(()),
        }
    }

    fn finalize(&self, context: &mut Context<'_>, state: Option<Option<Accumulator>>) -> rusqlite::Result<Owned> {
        let _ = context;
        let accumulator = state.flatten();
        self.0.let_go(accumulator.as_ref().map_or(0, Accumulator::held));
        match accumulator {
            Some(accumulator) => accumulator.finish().map(Owned).map_err(|error| self.0.fail(error)),
            // No rows: a sum of nothing is NULL. Counts of nothing are SQLite's own or 0 below.
            None => Ok(Owned(Packed::Null)),
        }
    }
}

impl Aggregates {
    fn begin(&self, number: usize) -> rusqlite::Result<Accumulator> {
        let gone = || self.0.fail(SqlError::Internal("no program is running".into()));
        self.0.program().ok_or_else(gone)?.0.accumulator(number).map_err(|error| self.0.fail(error))
    }
}

/// The one value of a subquery.
struct Only(Arc<Running>);

impl Aggregate<Option<Packed>, Owned> for Only {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<Packed>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, state: &mut Option<Packed>) -> rusqlite::Result<()> {
        if state.is_some() {
            return Err(self.0.fail(Program::several_rows()));
        }
        *state = Some(packed(context.get_raw(0)));
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, state: Option<Option<Packed>>) -> rusqlite::Result<Owned> {
        Ok(Owned(state.flatten().unwrap_or(Packed::Null)))
    }
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
        let pure = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
        let shared = AssertUnwindSafe(Arc::clone(&running));
        connection.create_scalar_function(names::SCALAR, -1, pure, move |context| {
            let running = &*shared;
            running.ask()?;
            let (number, operands) = operands(context);
            let (program, patience) =
                running.program().ok_or_else(|| running.fail(SqlError::Internal("no program".into())))?;
            let result = program.call(number, operands, &patience).map_err(|error| running.fail(error))?;
            let bytes = result.length();
            if bytes > SHORT_RESULT {
                running.hold(bytes)?;
            }
            Ok(Owned(result))
        })?;
        let shared = AssertUnwindSafe(Arc::clone(&running));
        connection.create_scalar_function(names::KEY, 1, pure, move |context| {
            shared.ask()?;
            Program::key(packed(context.get_raw(0))).map(Owned).map_err(|error| shared.fail(error))
        })?;
        // Not deterministic: each call counts.
        let utf8 = FunctionFlags::SQLITE_UTF8;
        let shared = AssertUnwindSafe(Arc::clone(&running));
        connection.create_scalar_function(names::HELD, -1, utf8, move |context| {
            let bytes = match context.get_raw(0) {
                ValueRef::Integer(n) => usize::try_from(n).unwrap_or(usize::MAX),
                ValueRef::Null | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => usize::MAX,
            };
            let lengths = (1..context.len()).map(|i| length(context.get_raw(i)));
            shared.hold(lengths.fold(bytes, usize::saturating_add)).map(|()| 1)
        })?;
        let shared = AssertUnwindSafe(Arc::clone(&running));
        connection.create_scalar_function(names::KEPT, -1, utf8, move |context| {
            let more = if context.len() > 1 { usize::try_from(context.get::<i64>(1)?).unwrap_or(0) } else { 0 };
            shared.hold(length(context.get_raw(0)).saturating_add(more))?;
            Ok(context.get_arg(0))
        })?;
        let shared = AssertUnwindSafe(Arc::clone(&running));
        connection.create_scalar_function(names::SHOWN, 1, utf8, move |context| {
            let bytes = length(context.get_raw(0));
            shared.shown.fetch_add(bytes, Ordering::Relaxed);
            shared.hold(bytes)?;
            Ok(context.get_arg(0))
        })?;
        connection.create_aggregate_function(names::AGGREGATE, -1, utf8, Aggregates(Arc::clone(&running)))?;
        connection.create_aggregate_function(names::ONLY, 1, utf8, Only(Arc::clone(&running)))?;
        connection.create_collation(names::FOLDED, Program::collate)?;
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
        for table in tables {
            self.fill(table, until)?;
        }
        self.running.begin(Some((program, until)));
        *lock(&self.running.failed) = None;
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
        let (offset, count) = program.cut().map_or((0, u64::MAX), |cut| (cut.offset, cut.count.unwrap_or(u64::MAX)));
        let mut statement = self.connection.prepare(program.sql())?;
        let parameters = rusqlite::params_from_iter(program.parameters().iter().map(Borrowed));
        let width = program.width();
        let mut cursor = statement.query(parameters)?;
        let (mut rows, mut bytes, mut found) = (Vec::new(), 0, 0);
        while let Some(row) = cursor.next()? {
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

    fn fill(&mut self, filling: Filling<'_>, until: &Until) -> Result<(), RelationalFailure> {
        let name = Program::table_name(filling.relation);
        let mut stays = false;
        let rows = match filling.rows {
            Source::Kept(_) if self.kept.contains(&name) => return Ok(()),
            Source::Kept(make) => {
                stays = true;
                make()
            }
            Source::Now(rows) => rows,
        };
        self.half_filled = true;
        // Columns have no type: SQLite is to compare and convert nothing by itself.
        let columns: Vec<String> = filling.relation.columns.iter().map(|c| format!("\"{}\"", c.name)).collect();
        self.connection.execute_batch(&format!(
            "BEGIN; DROP TABLE IF EXISTS \"{name}\"; CREATE TABLE \"{name}\" ({})",
            columns.join(",")
        ))?;
        let places = vec!["?"; columns.len()].join(",");
        {
            let mut insert = self.connection.prepare(&format!("INSERT INTO \"{name}\" VALUES ({places})"))?;
            for (n, row) in rows.iter().enumerate() {
                if n.is_multiple_of(ROWS_BETWEEN_LOOKS) && until.is_over() {
                    return Err(RelationalFailure::Timeout);
                }
                let row: Vec<Packed> = row.iter().map(Packed::of).collect();
                insert.execute(rusqlite::params_from_iter(row.iter().map(Borrowed)))?;
            }
        }
        // Clients ask for one table's rows in almost every statement.
        let indexed: Vec<&str> = ["TABLE_SCHEMA", "TABLE_NAME"]
            .into_iter()
            .filter(|c| filling.relation.columns.iter().any(|column| column.name == *c))
            .collect();
        if indexed.len() == 2 && rows.len() > 64 {
            self.connection.execute_batch(&format!(
                "CREATE INDEX \"{name}.by_table\" ON \"{name}\" (\"TABLE_SCHEMA\", \"TABLE_NAME\")"
            ))?;
        }
        self.connection.execute_batch("COMMIT")?;
        self.half_filled = false;
        if stays {
            self.kept.insert(name);
        }
        Ok(())
    }

    /// Drops what is held.
    fn forget(&mut self) -> rusqlite::Result<()> {
        let names: Vec<String> = {
            let mut statement = self.connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
            statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
        };
        for name in names {
            self.connection.execute_batch(&format!("DROP TABLE \"{name}\""))?;
        }
        self.kept.clear();
        Ok(())
    }
}
