//! Relational SELECTs: joins, subqueries, set operations, over whatever the relational engine holds.
//!
//! Parsed by hand to the end, expressions too, so that nesting is counted in one place and a subquery is parsed by the
//! parser that met it.

mod assignment;
mod expression;
mod function;
mod operand;
mod query;

use assignment::Assignments;

use super::budget;
use super::reader::Reader;
use crate::error::{SqlError, limit};
use crate::relational::ast::{Body, Query};

/// Deepest nesting of queries and expressions.
pub(crate) const DEPTH: usize = 100;
/// Deepest nesting parsed on the caller's stack.
const SHALLOW: usize = 20;

/// A relational SELECT on its way.
struct Parser<'r, 'a> {
    reader: &'r mut Reader<'a>,
    depth: usize,
    deepest: usize,
    /// How many queries are around what is being parsed.
    queries: usize,
    /// `INTO @a, @b`, if it has been met.
    into: Vec<String>,
    /// Whether `SQL_CALC_FOUND_ROWS` has been met.
    counts: bool,
    assignments: Assignments,
}

/// A relational SELECT, to the end of the statement.
///
/// # Errors
/// A syntax error, a limit, or something the dialect refuses.
pub(super) fn query(reader: &mut Reader<'_>) -> Result<Query, SqlError> {
    let assignments = Assignments::default();
    let mut parser = Parser { reader, depth: 0, deepest: 0, queries: 0, into: Vec::new(), counts: false, assignments };
    let mut query = parser.query()?;
    query.depth = parser.deepest;
    query.into = std::mem::take(&mut parser.into);
    query.counts = parser.counts;
    query.assigned = parser.take_assigned();
    if !query.assigned.is_empty() && (!query.into.is_empty() || !matches!(query.body, Body::Select(_))) {
        return Err(assignment::refused());
    }
    if query.counts && !matches!(query.body, Body::Select(_)) {
        return Err(query::counts_elsewhere());
    }
    reader.end()?;
    Ok(query)
}

impl Parser<'_, '_> {
    /// Goes one level deeper for `parse`.
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, SqlError>) -> Result<T, SqlError> {
        self.reaches(self.depth + 1)?;
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// The tree is as high as this.
    ///
    /// # Errors
    /// [`SqlError::Limit`] if that is too high; on a small stack the statement is to be parsed again on a big one.
    fn reaches(&mut self, height: usize) -> Result<(), SqlError> {
        let on_big_stack = self.reader.recursion >= budget::RECURSION;
        if height > if on_big_stack { DEPTH } else { SHALLOW } {
            self.reader.too_deep.set(true);
            return Err(limit("the nesting of the statement", DEPTH, "nesting"));
        }
        self.deepest = self.deepest.max(height);
        Ok(())
    }
}
