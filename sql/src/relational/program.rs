//! A bound relational SELECT: SQL for the engine, and what answers its calls.

use bytes::Bytes;

use super::aggregate::{Accumulator, AggregateSpec, Joined};
use super::sqlite_value::{Packed, typed};
use super::{Relation, RelationalError};
use crate::bind::scope::Session;
use crate::command::Cut;
use crate::environment::SqlMode;
use crate::error::SqlError;
use crate::expression::{Expression, Scope, Slot, Worth, folded};
use crate::shape::{Notes, Patience};
use crate::value::{ColumnMeta, Row, Value};

/// The names a [`Program`]'s SQL uses for what the engine must answer.
pub mod names {
    /// The scalar function: the number of the expression, then its operands. Answered by [`super::Program::call`].
    pub const SCALAR: &str = "mysql";
    /// The aggregate: the number of the specification, then its operands. [`super::Program::accumulator`].
    pub const AGGREGATE: &str = "mysql_aggregate";
    /// The aggregate that is the one value it was given, an error at the second. [`super::Program::several_rows`].
    pub const ONLY: &str = "mysql_only";
    /// The scalar function that makes of one value what it is grouped by. [`super::Program::key`].
    pub const KEY: &str = "mysql_key";
    /// The scalar function that counts a row which is held to sort, group or shape: bytes, then the row's values. Always 1.
    pub const HELD: &str = "mysql_held";
    /// The scalar function that counts its value as held, and gives it back; a number behind it is bytes more.
    pub const KEPT: &str = "mysql_kept";
    /// The same for a value that is held until its row has gone to the client.
    pub const SHOWN: &str = "mysql_shown";
    /// The collation of text that compares without case. [`super::Program::collate`].
    pub const FOLDED: &str = "mysql_ci";
}

/// The rows that the OFFSET of a program's SQL leaves out: they are not evaluated.
#[derive(Clone, Debug)]
pub struct Skipping {
    /// How many they are if there is a row behind them.
    pub offset: u64,
    /// The SQL, with the program's parameters, that counts them if there is none.
    pub counting: String,
}

/// A relational SELECT with its parameters, ready to run.
#[derive(Clone, Debug)]
pub struct Program {
    pub(super) sql: String,
    pub(super) parameters: Vec<Packed>,
    pub(super) scalars: Vec<Scalar>,
    pub(super) aggregates: Vec<AggregateSpec>,
    /// For each aggregate.
    pub(super) joined: Vec<Joined>,
    pub(super) relations: Vec<&'static Relation>,
    pub(super) columns: Vec<ColumnMeta>,
    pub(super) into: Vec<String>,
    /// The user variables its last columns are for, which are hidden.
    pub(super) assigned: Vec<String>,
    pub(super) rows: usize,
    pub(super) bytes: usize,
    pub(super) limited: bool,
    /// Most rows that are sent, whatever it says itself.
    pub(super) most: u64,
    pub(super) cut: Option<Cut>,
    pub(super) skipping: Option<Skipping>,
    pub(super) notes: Notes,
    /// Longest value a function makes, in bytes.
    pub(super) longest: usize,
}

/// An expression the engine calls back for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scalar {
    pub expression: Expression<Slot>,
    pub fold: bool,
    /// The operands that are unsigned integers, a bit each: SQLite has no such type.
    pub unsigned: u128,
}

struct Operands<'a> {
    values: &'a [Worth],
    fold: bool,
    /// While the statement is bound.
    session: Option<&'a Session<'a>>,
    notes: &'a Notes,
    longest: usize,
    patience: &'a Patience,
}

impl Scope<Slot> for Operands<'_> {
    fn leaf(&self, slot: &Slot) -> Result<Value, SqlError> {
        self.worth(slot).map(Worth::value)
    }

    fn worth(&self, slot: &Slot) -> Result<Worth, SqlError> {
        self.values.get(slot.0).cloned().ok_or_else(|| SqlError::Internal(format!("operand {} is missing", slot.0)))
    }

    fn folds_case(&self) -> bool {
        self.fold
    }

    fn longest(&self) -> usize {
        self.longest
    }

    fn made(&self, bytes: usize) -> Result<(), SqlError> {
        self.session.map_or(Ok(()), |session| session.made(bytes))
    }

    fn patience(&self) -> Result<(), SqlError> {
        self.patience.ask()
    }

    fn too_long(&self, error: SqlError) -> Result<Value, SqlError> {
        self.notes.add(error);
        Ok(Value::Null)
    }

    fn lost(&self, told: SqlError) -> Result<(), SqlError> {
        let silent = |mode: SqlMode| told == SqlError::DivisionByZero && mode.divides_by_zero;
        // While it is bound nobody knows whether its value is needed.
        if self.session.is_some_and(|session| !silent(session.env.sql_mode())) {
            return Err(told);
        }
        self.notes.add(told);
        Ok(())
    }
}

impl Scalar {
    fn is_unsigned(&self, place: usize) -> bool {
        self.unsigned.checked_shr(u32::try_from(place).unwrap_or(u32::MAX)).is_some_and(|bits| bits & 1 == 1)
    }

    /// What it is worth over its operands: its value, if it is one of them.
    pub(super) fn evaluate(
        &self,
        values: &[Worth],
        notes: &Notes,
        longest: usize,
        patience: &Patience,
    ) -> Result<Worth, SqlError> {
        self.worth(&Operands { values, fold: self.fold, session: None, notes, longest, patience })
    }

    fn worth(&self, operands: &Operands<'_>) -> Result<Worth, SqlError> {
        match &self.expression {
            Expression::Leaf(_) => self.expression.evaluate(operands).map(Worth::Plain),
            expression => expression.worth(operands),
        }
    }

    /// What one without operands is worth, while the statement is bound.
    pub(super) fn constant(&self, session: &Session<'_>, notes: &Notes) -> Result<Worth, SqlError> {
        let (longest, patience) = (session.env.longest_value(), &session.patience);
        let operands = Operands { values: &[], fold: self.fold, session: Some(session), notes, longest, patience };
        self.worth(&operands)
    }
}

impl Program {
    /// The SQL to run. Tables are called `"database.table"` as in [`Relation`].
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The values of its parameters `?1`, `?2`, ..
    pub fn parameters(&self) -> &[Packed] {
        &self.parameters
    }

    /// The same with at most so many rows sent, as `sql_select_limit` has it, unless it says itself how many it wants.
    #[must_use]
    pub fn at_most(self, rows: u64) -> Self {
        let most = if self.limited { u64::MAX } else { rows };
        Self { most, ..self }
    }

    /// Most rows that are sent, beside its [`Program::cut`]. Without one the others are not made, and not counted.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// Which rows are sent, if not all that it makes. All of them are counted for `FOUND_ROWS()`.
    pub fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// What its SQL leaves out, if it is to be counted for `FOUND_ROWS()`.
    pub fn skipping(&self) -> Option<&Skipping> {
        self.skipping.as_ref()
    }

    /// The tables it reads, each once.
    pub fn relations(&self) -> &[&'static Relation] {
        &self.relations
    }

    /// What its expressions will tell beside its rows.
    pub fn notes(&self) -> Notes {
        self.notes.clone()
    }

    /// The result columns that are shown: the first of each row.
    pub fn columns(&self) -> &[ColumnMeta] {
        let (shown, _) = self.columns.split_at(self.columns.len().saturating_sub(self.assigned.len()));
        shown
    }

    /// How many values a row has, with those that are hidden.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// The user variables that are set to the values of the last row, with the columns of these values, which stand behind
    /// those that are shown.
    pub fn assigned(&self) -> impl Iterator<Item = (&str, &ColumnMeta)> {
        let hidden = self.columns.iter().skip(self.columns().len());
        self.assigned.iter().map(String::as_str).zip(hidden)
    }

    /// The user variables the values of its one row go into; none if its rows go to the client.
    pub fn into_variables(&self) -> &[String] {
        &self.into
    }

    /// Most rows of the result, and most bytes of them; as many bytes may be held to make it.
    pub fn bounds(&self) -> (usize, usize) {
        (self.rows, self.bytes)
    }

    /// The name of a table in the SQL.
    pub fn table_name(relation: &Relation) -> String {
        format!("{}.{}", relation.database, relation.name)
    }

    /// Answers [`names::SCALAR`].
    ///
    /// # Errors
    /// Those of evaluation, [`SqlError::GivenUp`] among them.
    pub fn call(&self, number: usize, operands: Vec<Packed>, patience: &Patience) -> Result<Packed, SqlError> {
        let scalar = self.scalars.get(number).ok_or_else(|| SqlError::Internal("no such expression".into()))?;
        let values = operands.into_iter().enumerate().map(|(place, operand)| match operand.worth() {
            Worth::Plain(Value::Int(n)) if n >= 0 && scalar.is_unsigned(place) => {
                Worth::Plain(Value::UInt(n.cast_unsigned()))
            }
            worth => worth,
        });
        let values: Vec<Worth> = values.collect();
        scalar.evaluate(&values, &self.notes, self.longest, patience).map(Packed::of_worth)
    }

    /// Answers [`names::AGGREGATE`], given row by row.
    ///
    /// # Errors
    /// A defect: no such aggregate.
    pub fn accumulator(&self, number: usize) -> Result<Accumulator, SqlError> {
        let spec = self.aggregates.get(number).ok_or_else(|| SqlError::Internal("no such aggregate".into()))?;
        let joined = self.joined.get(number).cloned().unwrap_or_default();
        Ok(Accumulator::new(spec.clone(), self.bytes, joined))
    }

    /// The error of [`names::ONLY`] at its second value.
    pub fn several_rows() -> SqlError {
        RelationalError::SeveralRows.into()
    }

    /// Answers [`names::KEY`]: values that are equal have equal keys, and the order of keys is that of the values.
    ///
    /// # Errors
    /// JSON that cannot be read.
    pub fn key(value: Packed) -> Result<Packed, SqlError> {
        super::aggregate::key(&value.value())
    }

    /// Answers [`names::FOLDED`].
    pub fn collate(a: &str, b: &str) -> std::cmp::Ordering {
        if a.is_ascii() && b.is_ascii() {
            let lower = |s: &str| s.bytes().map(|b| b.to_ascii_lowercase()).collect::<Vec<_>>();
            if a.len() == b.len() && a.eq_ignore_ascii_case(b) {
                return std::cmp::Ordering::Equal;
            }
            return lower(a).cmp(&lower(b));
        }
        a.chars().map(folded).cmp(b.chars().map(folded))
    }

    /// A row of the result.
    ///
    /// # Errors
    /// A value that its column's type cannot hold.
    pub fn row(&self, values: Vec<Packed>) -> Result<Row, SqlError> {
        let typed_values = values.into_iter().zip(&self.columns);
        typed_values.map(|(value, column)| typed(value.value(), column.ty, column.decimals)).collect()
    }

    /// What a row counts for in [`Program::bounds`], in bytes.
    pub fn weight(row: &[Value]) -> usize {
        let of = |value: &Value| match value {
            Value::Text(bytes) | Value::Bytes(bytes) | Value::Json(bytes) => bytes.len(),
            Value::Decimal(text) => text.len(),
            Value::Null | Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::DateTime(_) => 0,
        };
        row.iter().map(|value| of(value) + std::mem::size_of::<Value>()).sum()
    }
}

/// A program's text parameters are shared, not copied.
impl From<Bytes> for Packed {
    fn from(text: Bytes) -> Self {
        Self::Text(text)
    }
}
