//! The functions, aggregates and the collation that a program's SQL calls.
//!
//! Each asks the running program for what it does. They count what SQLite holds to sort, group and shape, for which it has no
//! bound of its own.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use cellgate_sql::SqlError;
use cellgate_sql::relational::{Accumulator, Packed, Program, names};
use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags};
use rusqlite::types::ValueRef;

use super::running::Running;
use super::values::{Owned, length, packed};

/// Longest result of a function that counts only where it is kept. Longer ones count as held whatever becomes of them:
/// SQLite has those of one row, and of the conditions it had to meet, at the same time.
const SHORT_RESULT: usize = 4096;

/// Creates them for a connection. All of them share what runs.
pub(super) fn create(connection: &Connection, running: &Arc<Running>) -> rusqlite::Result<()> {
    let pure = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let shared = AssertUnwindSafe(Arc::clone(running));
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
    let shared = AssertUnwindSafe(Arc::clone(running));
    connection.create_scalar_function(names::KEY, 1, pure, move |context| {
        shared.ask()?;
        Program::key(packed(context.get_raw(0))).map(Owned).map_err(|error| shared.fail(error))
    })?;
    // Not deterministic: each call counts.
    let utf8 = FunctionFlags::SQLITE_UTF8;
    let shared = AssertUnwindSafe(Arc::clone(running));
    connection.create_scalar_function(names::HELD, -1, utf8, move |context| {
        let lengths = (1..context.len()).map(|i| length(context.get_raw(i)));
        shared.hold(lengths.fold(number(context), usize::saturating_add)).map(|()| 1)
    })?;
    let shared = AssertUnwindSafe(Arc::clone(running));
    connection.create_scalar_function(names::KEPT, -1, utf8, move |context| {
        let more = if context.len() > 1 { usize::try_from(context.get::<i64>(1)?).unwrap_or(0) } else { 0 };
        shared.hold(length(context.get_raw(0)).saturating_add(more))?;
        Ok(context.get_arg(0))
    })?;
    let shared = AssertUnwindSafe(Arc::clone(running));
    connection.create_scalar_function(names::SHOWN, 1, utf8, move |context| {
        shared.show(length(context.get_raw(0)))?;
        Ok(context.get_arg(0))
    })?;
    connection.create_aggregate_function(names::AGGREGATE, -1, utf8, Aggregates(Arc::clone(running)))?;
    connection.create_aggregate_function(names::ONLY, 1, utf8, Only(Arc::clone(running)))?;
    connection.create_collation(names::FOLDED, Program::collate)
}

/// The number a call begins with.
fn number(context: &Context<'_>) -> usize {
    match context.get_raw(0) {
        ValueRef::Integer(n) => usize::try_from(n).unwrap_or(usize::MAX),
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Text(_) | ValueRef::Blob(_) => usize::MAX,
    }
}

/// That number, and the operands behind it.
fn operands(context: &Context<'_>) -> (usize, Vec<Packed>) {
    (number(context), (1..context.len()).map(|i| packed(context.get_raw(i))).collect())
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
            // No rows: a sum of nothing is NULL, and where it is a count the program's SQL makes it 0.
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
