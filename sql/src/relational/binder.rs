//! What is known while a statement is bound, and what has been made of it: parameters, functions, tables.
//!
//! Each part of a statement is bound by an `impl Binder` in the file of its noun: queries, SELECTs, FROM, the select list,
//! clauses, set operations, expressions.

use super::aggregate::AggregateSpec;
use super::nested::Nested;
use super::printing_budget::Made;
use super::program::Scalar;
use super::sqlite_value::Packed;
use super::{Relation, Result};
use crate::bind::interned::Interned;
use crate::bind::scope::Session;
use crate::environment::Environment;
use crate::expression::Leaf;
use crate::parameters::Parameters;
use crate::shape::Notes;
use crate::value::Value;

/// What is known while a statement is bound.
pub(super) struct Binder<'a> {
    pub env: &'a dyn Environment,
    /// The parameters; `None` while a statement is described.
    pub session: Option<&'a Session<'a>>,
    /// What constants are computed with, also before parameters are known.
    pub computing: &'a Session<'a>,
    pub parameters: Vec<Packed>,
    pub scalars: Interned<Scalar>,
    /// Each with the operands of the one GROUP_CONCAT that it is of, if it is of one.
    pub aggregates: Interned<(AggregateSpec, Option<String>)>,
    pub relations: Vec<&'static Relation>,
    /// The next number of a table or a query in the SQL.
    next: usize,
    /// The joins in parentheses whose columns are not known yet: those of the SELECTs that are being bound.
    pub nested: Vec<Nested>,
    /// What has been printed.
    pub made: Made,
    pub notes: Notes,
    /// Whether the next SELECT is an operand, whose value keeps the digits that are not shown.
    pub is_operand: bool,
    /// How many aggregates were printed of queries around the one they stand in.
    pub aggregates_around: usize,
    /// Whether the rows of the next SELECT go to the client as they come: it is the statement itself.
    pub streams: bool,
}

impl<'a> Binder<'a> {
    /// What is known before anything is bound.
    pub fn new(env: &'a dyn Environment, session: Option<&'a Session<'a>>, computing: &'a Session<'a>) -> Self {
        Self {
            env,
            session,
            computing,
            parameters: Vec::new(),
            scalars: Interned::default(),
            aggregates: Interned::default(),
            relations: Vec::new(),
            next: 0,
            nested: Vec::new(),
            made: Made::default(),
            is_operand: false,
            aggregates_around: 0,
            notes: Notes::new(env.sql_mode().divides_by_zero),
            streams: true,
        }
    }
}

impl Binder<'_> {
    /// A new number for a table or query.
    pub fn number(&mut self) -> usize {
        self.next += 1;
        self.next
    }

    pub fn value(&self, leaf: &Leaf) -> Result<Value> {
        match self.session {
            Some(session) => session.value(leaf),
            None => Session::new(self.env, Parameters::NONE).value(leaf),
        }
    }

    pub fn group_concat_max_len(&self) -> usize {
        match self.env.variable(false, "group_concat_max_len") {
            Some(Value::Int(n)) => usize::try_from(n).unwrap_or(usize::MAX),
            Some(Value::UInt(n)) => usize::try_from(n).unwrap_or(usize::MAX),
            Some(_) | None => 1024,
        }
    }
}
