//! Cells into rows.
//!
//! A [`Shape`] is what a SELECT does with what was read: filter, group, project, remove doubles, sort, cut. It streams
//! when it can; what it must collect is bounded.

mod effort;
mod group;
mod input;
mod notes;
mod output;
mod sort;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use cellgate_schemaless::Cell;

use crate::error::SqlError;
use crate::expression::{Expression, Scope, Slot};
use crate::value::{ColumnMeta, Row, Value};
use crate::zone::TimeZone;
use effort::Effort;
use group::Groups;
pub(crate) use group::{AggregateSpec, Grouping};
use input::{CellScope, Rows, ValueScope};
pub(crate) use input::{Input, RowInput, Together};
pub use notes::{Notes, Patience};
use output::Output;
pub use output::Skipped;

/// What a row costs that is made with nothing computed, in bytes looked at.
const ROW: usize = 16;

/// How rows are made of cells.
#[derive(Clone, Debug)]
pub struct Shape {
    plan: Arc<Plan>,
    /// What another SELECT around it makes of its rows, and that one's columns.
    outer: Option<Arc<(Around, Vec<ColumnMeta>)>>,
}

/// What is made of the rows of a shape by a SELECT around it.
#[derive(Clone, Debug)]
pub(crate) enum Around {
    /// Their number.
    Count,
    /// Whether there are any: 1 or 0.
    Exists,
    /// This row, if there are any.
    IfAny(Row),
}

/// Bounds on what is collected, taken from the session when the statement was bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Most rows.
    pub rows: usize,
    /// Most bytes.
    pub bytes: usize,
    /// Longest value that is computed, and longest row, in bytes: `max_allowed_packet`.
    pub value: usize,
}

/// What a shape does.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The result columns.
    pub columns: Vec<ColumnMeta>,
    /// What a row of the input is.
    pub input: Input,
    /// Which rows of the input count.
    pub filter: Option<Expression<Slot>>,
    /// Groups; the expressions below are then over what a group gives.
    pub grouping: Option<Grouping>,
    /// Which groups count.
    pub having: Option<Expression<Slot>>,
    /// The columns' values.
    pub items: Vec<Expression<Slot>>,
    /// What is sorted by, with "descending"; empty if rows come as they should.
    pub order: Vec<(Expression<Slot>, bool)>,
    /// No row twice.
    pub distinct: bool,
    /// Most rows.
    pub limit: Option<u64>,
    /// Rows left out at the start.
    pub offset: u64,
    /// Bounds on what is collected.
    pub bounds: Bounds,
    /// The zone in which times are shown.
    pub zone: TimeZone,
    /// Whether a division by zero is NULL without a note.
    pub divides_by_zero: bool,
}

impl Shape {
    pub(crate) fn new(plan: Plan) -> Self {
        Self { plan: Arc::new(plan), outer: None }
    }

    /// The same within another SELECT, which has these columns.
    pub(crate) fn wrapped(self, around: Around, columns: Vec<ColumnMeta>) -> Self {
        Self { outer: Some(Arc::new((around, columns))), ..self }
    }

    /// The result columns.
    pub fn columns(&self) -> &[ColumnMeta] {
        match &self.outer {
            Some(outer) => &outer.1,
            None => &self.plan.columns,
        }
    }

    /// Begins to take cells.
    pub fn start(&self) -> Shaping {
        Shaping {
            rows: Rows::default(),
            groups: self.plan.grouping.as_ref().map(Groups::new),
            output: Output::new(),
            plan: self.plan.clone(),
            outer: self.outer.clone(),
            made: 0,
            notes: Notes::new(self.plan.divides_by_zero),
            patience: Patience::default(),
        }
    }
}

/// Cells being made into rows.
#[derive(Debug)]
pub struct Shaping {
    plan: Arc<Plan>,
    /// Cells of the row shape on their way to a row.
    rows: Rows,
    groups: Option<Groups>,
    output: Output,
    /// See [`Shape::outer`].
    outer: Option<Arc<(Around, Vec<ColumnMeta>)>>,
    /// Rows made so far that are only counted.
    made: u64,
    notes: Notes,
    patience: Patience,
}

impl Shaping {
    /// What the expressions will tell beside the rows.
    pub fn notes(&self) -> Notes {
        self.notes.clone()
    }

    /// The rows that OFFSET leaves out, which FOUND_ROWS() counts; none of a SELECT around.
    pub fn skipped(&self) -> Skipped {
        if self.outer.is_none() { self.output.skipped() } else { Skipped::default() }
    }

    /// From now on what takes long asks this, and gives up ([`SqlError::GivenUp`]) when it answers true.
    pub fn give_up_when(&mut self, over: impl Fn() -> bool + Send + Sync + 'static) {
        self.patience = Patience::new(over);
    }

    /// Nothing is asked any more: what was asked so far is over.
    pub fn never_give_up(&mut self) {
        self.patience = Patience::default();
    }

    /// Takes a cell; gives the rows that it completes, if the shape streams. Cells come in the order of the request
    /// (for Get and Latest: of its keys, without those that were not found).
    ///
    /// # Errors
    /// A value that cannot be computed, or [`SqlError::Limit`] when more has to be collected than the session may.
    pub fn push(&mut self, cell: &Cell, made: &mut impl Extend<Row>) -> Result<(), SqlError> {
        let (plan, notes, patience) = (self.plan.clone(), self.notes.clone(), self.patience.clone());
        match &plan.input {
            Input::Once => {}
            Input::Cells => {
                let longest = plan.bounds.value;
                let scope = CellScope { cell, zone: &plan.zone, longest, notes: &notes, patience: &patience };
                let row = self.take(&scope)?;
                self.give(row, made);
            }
            Input::Rows(input) => {
                for (key, partial) in self.rows.push(input, cell, plan.bounds)? {
                    if self.is_full() {
                        break;
                    }
                    self.patience.check()?;
                    let values = input.values(&key, partial);
                    let row = self.take(&ValueScope::new(&values, &plan, &notes, &patience))?;
                    self.give(row, made);
                }
            }
        }
        Ok(())
    }

    /// Gives a row away, or counts it for the SELECT around.
    fn give(&mut self, row: Option<Row>, made: &mut impl Extend<Row>) {
        if self.outer.is_none() {
            made.extend(row);
        } else {
            self.made += u64::from(row.is_some());
        }
    }

    /// About how many bytes the expressions look at when they are given cells of so many bytes; 0 if there is nothing to
    /// compute.
    pub fn work(&self, cells: usize, bytes: usize) -> usize {
        Effort::of(&self.plan).over(cells, bytes)
    }

    /// The same of the rows that a cell may complete: those held until all of their cells have come.
    pub fn held(&self) -> usize {
        let held = self.rows.collected();
        Effort::of(&self.plan).over(held.rows, held.bytes).saturating_add(held.rows.saturating_mul(ROW))
    }

    /// Bytes of the rows that are held until all of their cells have come.
    pub fn assembled(&self) -> usize {
        self.rows.collected().bytes
    }

    /// About how many bytes the expressions look at in [`Shaping::finish`].
    pub fn rest(&self) -> usize {
        let groups = self.groups.as_ref().map_or(Collected::default(), Groups::collected);
        let held = [groups, self.rows.collected(), self.output.collected()];
        let (rows, bytes) = held.iter().fold((0, 0), |(rows, bytes), c| (rows + c.rows, bytes + c.bytes));
        // Sorting looks at a row as often as there are doublings of rows.
        let looks = if self.plan.order.is_empty() { 0 } else { rows.max(1).ilog2() as usize };
        bytes.saturating_mul(looks).saturating_add(Effort::of(&self.plan).over(rows.max(1), bytes))
    }

    /// Whether no further cell can change the answer (LIMIT reached).
    pub fn is_full(&self) -> bool {
        self.groups.is_none() && self.output.is_full(&self.plan)
    }

    /// The remaining rows. Without a table it is here that the one row comes from.
    ///
    /// # Errors
    /// Those of [`Shaping::push`].
    pub fn finish(self) -> Result<Vec<Row>, SqlError> {
        let Some(outer) = self.outer.clone() else { return self.finish_inner() };
        let made = self.made;
        let made = made + self.finish_inner()?.len() as u64;
        Ok(match &outer.0 {
            Around::Count => vec![vec![Value::Int(i64::try_from(made).unwrap_or(i64::MAX))]],
            Around::Exists => vec![vec![Value::Int(i64::from(made > 0))]],
            Around::IfAny(row) if made > 0 => vec![row.clone()],
            Around::IfAny(_) => Vec::new(),
        })
    }

    fn finish_inner(mut self) -> Result<Vec<Row>, SqlError> {
        let (plan, notes, patience) = (self.plan.clone(), self.notes.clone(), self.patience.clone());
        let mut rows = Vec::new();
        match &plan.input {
            Input::Once => rows.extend(self.take(&ValueScope::<Value>::new(&[], &plan, &notes, &patience))?),
            Input::Cells => {}
            Input::Rows(input) => {
                for (key, partial) in std::mem::take(&mut self.rows).finish() {
                    if self.is_full() {
                        break;
                    }
                    self.patience.check()?;
                    let values = input.values(&key, partial);
                    rows.extend(self.take(&ValueScope::new(&values, &plan, &notes, &patience))?);
                }
            }
        }
        if let Some(groups) = self.groups.take() {
            for worth in groups.finish(plan.grouping.as_ref())? {
                self.patience.check()?;
                let scope = ValueScope::new(&worth, &plan, &notes, &patience);
                let counts = plan.having.as_ref().map_or(Ok(true), |having| having.holds(&scope))?;
                if counts {
                    rows.extend(self.output.push(&plan, &scope, &self.patience)?);
                }
            }
        }
        rows.extend(self.output.finish(&plan, &self.patience)?);
        Ok(rows)
    }

    /// Takes one row of the input.
    fn take(&mut self, scope: &dyn Scope<Slot>) -> Result<Option<Row>, SqlError> {
        if let Some(filter) = &self.plan.filter
            && !filter.holds(scope)?
        {
            return Ok(None);
        }
        match (&mut self.groups, &self.plan.grouping) {
            (Some(groups), Some(grouping)) => {
                groups.push(grouping, scope, self.plan.bounds)?;
                Ok(None)
            }
            (_, _) => self.output.push(&self.plan, scope, &self.patience),
        }
    }
}

/// About how many bytes a row takes.
pub(crate) fn size(row: &[Value]) -> usize {
    row.iter().map(|v| std::mem::size_of::<Value>() + v.content_bytes()).sum()
}

/// What is collected so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Collected {
    rows: usize,
    bytes: usize,
}

impl Collected {
    /// Counts a row in.
    ///
    /// # Errors
    /// [`SqlError::Limit`] when it is one too many.
    pub fn add(&mut self, bytes: usize, bounds: Bounds) -> Result<(), SqlError> {
        self.rows += 1;
        self.grow(bytes, bounds)?;
        if self.rows > bounds.rows {
            return Err(SqlError::Limit {
                what: "the number of rows to sort, group or assemble".into(),
                limit: bounds.rows as u64,
                name: "limits.collect_rows",
            });
        }
        Ok(())
    }

    /// Counts bytes in.
    ///
    /// # Errors
    /// [`SqlError::Limit`] when they are too many.
    pub fn grow(&mut self, bytes: usize, bounds: Bounds) -> Result<(), SqlError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > bounds.bytes {
            return Err(SqlError::Limit {
                what: "the size of the rows to sort, group or assemble".into(),
                limit: bounds.bytes as u64,
                name: "limits.collect_bytes",
            });
        }
        Ok(())
    }

    /// Counts bytes that take the place of others in.
    ///
    /// # Errors
    /// [`SqlError::Limit`] when they are too many.
    pub fn replace(&mut self, before: usize, bytes: usize, bounds: Bounds) -> Result<(), SqlError> {
        self.shrink(before);
        self.grow(bytes, bounds)
    }

    /// Counts bytes out.
    pub fn shrink(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Counts a row out.
    pub fn remove(&mut self, bytes: usize) {
        self.rows = self.rows.saturating_sub(1);
        self.shrink(bytes);
    }
}
