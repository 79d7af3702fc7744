//! What a row of the input is: nothing, a cell, or the latest bodies of a row's declared columns.

use std::collections::BTreeMap;

use cellgate_schemaless::{Body, Cell, ColumnKey, RefKey, RowKey, ShardId};

use super::{Bounds, Collected, Notes, Patience, Plan};
use crate::columns::{CellColumn, DECLARED, ROW_KEY, SHARD};
use crate::error::SqlError;
use crate::expression::{Scope, Slot, Worth, column_text};
use crate::value::Value;
use crate::zone::TimeZone;

/// What the shape is fed with.
#[derive(Debug)]
pub(crate) enum Input {
    /// Nothing: there is one row of no columns.
    Once,
    /// Each cell is a row.
    Cells,
    /// Cells are assembled to rows.
    Rows(RowInput),
}

/// How cells are assembled to rows.
#[derive(Debug)]
pub(crate) struct RowInput {
    /// The column key of each declared column, with the JSON text of a row that has no such cell.
    pub columns: Vec<(ColumnKey, Option<String>)>,
    /// Which cells come together: when they are over, so are their rows.
    pub together: Together,
}

/// Cells that come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Together {
    /// Those of a row (Latest by row).
    Row,
    /// Those of a shard (a log), among them all of each of its rows.
    Shard,
}

/// The columns of a cell, its time in the session's zone.
pub(super) struct CellScope<'a> {
    pub cell: &'a Cell,
    pub zone: &'a TimeZone,
    pub longest: usize,
    pub notes: &'a Notes,
    pub patience: &'a Patience,
}

impl Scope<Slot> for CellScope<'_> {
    fn leaf(&self, slot: &Slot) -> Result<Value, SqlError> {
        let cell = self.cell;
        let column =
            CellColumn::of_slot(slot.0).ok_or_else(|| SqlError::Internal(format!("a cell has no slot {}", slot.0)))?;
        Ok(match column {
            CellColumn::AddedId => Value::Int(cell.added_id.0),
            CellColumn::RowKey => column_text(cell.triple.row.as_bytes()),
            CellColumn::ColumnKey => column_text(cell.triple.column.as_bytes()),
            CellColumn::RefKey => Value::Int(cell.triple.ref_key.0),
            CellColumn::Body => cell.body.as_ref().map_or(Value::Null, json),
            CellColumn::CreatedAt => Value::DateTime(self.zone.local(cell.created_at)),
            CellColumn::Shard => Value::Int(i64::from(cell.shard.0)),
        })
    }

    fn longest(&self) -> usize {
        self.longest
    }

    fn patience(&self) -> Result<(), SqlError> {
        self.patience.ask()
    }

    fn too_long(&self, error: SqlError) -> Result<Value, SqlError> {
        self.notes.add(error);
        Ok(Value::Null)
    }

    fn lost(&self, told: SqlError) -> Result<(), SqlError> {
        self.notes.add(told);
        Ok(())
    }
}

fn json(body: &Body) -> Value {
    Value::Json(body.as_bytes().clone())
}

/// What a slot has.
pub(super) trait Slotted: Clone {
    /// Its value.
    fn value(self) -> Value;

    /// What it is worth as an operand.
    fn worth(self) -> Worth;
}

impl Slotted for Value {
    fn value(self) -> Value {
        self
    }

    fn worth(self) -> Worth {
        Worth::Plain(self)
    }
}

impl Slotted for Worth {
    fn value(self) -> Value {
        Self::value(self)
    }

    fn worth(self) -> Worth {
        self
    }
}

/// Values by slot.
pub(super) struct ValueScope<'a, V> {
    values: &'a [V],
    longest: usize,
    notes: &'a Notes,
    patience: &'a Patience,
}

impl<'a, V: Slotted> ValueScope<'a, V> {
    pub fn new(values: &'a [V], plan: &Plan, notes: &'a Notes, patience: &'a Patience) -> Self {
        Self { values, longest: plan.bounds.value, notes, patience }
    }

    fn slotted(&self, slot: Slot) -> Result<V, SqlError> {
        self.values.get(slot.0).cloned().ok_or_else(|| SqlError::Internal(format!("a row has no slot {}", slot.0)))
    }
}

impl<V: Slotted> Scope<Slot> for ValueScope<'_, V> {
    fn leaf(&self, slot: &Slot) -> Result<Value, SqlError> {
        self.slotted(*slot).map(V::value)
    }

    fn worth(&self, slot: &Slot) -> Result<Worth, SqlError> {
        self.slotted(*slot).map(V::worth)
    }

    fn longest(&self) -> usize {
        self.longest
    }

    fn patience(&self) -> Result<(), SqlError> {
        self.patience.ask()
    }

    fn too_long(&self, error: SqlError) -> Result<Value, SqlError> {
        self.notes.add(error);
        Ok(Value::Null)
    }

    fn lost(&self, told: SqlError) -> Result<(), SqlError> {
        self.notes.add(told);
        Ok(())
    }
}

/// A row on its way.
#[derive(Debug)]
pub(super) struct Partial {
    shard: ShardId,
    latest: Vec<Option<(RefKey, Body)>>,
}

/// Rows being assembled.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Those that are not over, by row key.
    partial: BTreeMap<RowKey, Partial>,
    collected: Collected,
}

impl Rows {
    /// Takes a cell; the rows, by row key, that are over because it begins another row or shard.
    pub fn push(
        &mut self,
        input: &RowInput,
        cell: &Cell,
        bounds: Bounds,
    ) -> Result<BTreeMap<RowKey, Partial>, SqlError> {
        let mut over = BTreeMap::new();
        let Some(place) = input.columns.iter().position(|(key, _)| *key == cell.triple.column) else {
            return Ok(over);
        };
        let Some(body) = &cell.body else { return Ok(over) };
        if !self.partial.contains_key(&cell.triple.row) {
            let ends = match input.together {
                Together::Row => true,
                Together::Shard => self.partial.values().next().is_some_and(|row| row.shard != cell.shard),
            };
            if ends {
                over = std::mem::take(&mut self.partial);
                self.collected = Collected::default();
            }
            let bytes = cell.triple.row.as_bytes().len() + std::mem::size_of::<Partial>();
            self.collected.add(bytes + input.columns.len() * std::mem::size_of::<Option<(RefKey, Body)>>(), bounds)?;
        }
        let partial = self
            .partial
            .entry(cell.triple.row.clone())
            .or_insert_with(|| Partial { shard: cell.shard, latest: vec![None; input.columns.len()] });
        if let Some(latest) = partial.latest.get_mut(place) {
            // A log brings the versions of a chain in the order they were written, which need not be theirs.
            if latest.as_ref().is_none_or(|(version, _)| *version < cell.triple.ref_key) {
                let before = latest.as_ref().map_or(0, |(_, body)| body.as_bytes().len());
                self.collected.replace(before, body.as_bytes().len(), bounds)?;
                *latest = Some((cell.triple.ref_key, body.clone()));
            }
        }
        Ok(over)
    }

    /// What is held.
    pub fn collected(&self) -> Collected {
        self.collected
    }

    /// The rows left, by row key.
    pub fn finish(self) -> BTreeMap<RowKey, Partial> {
        self.partial
    }
}

impl RowInput {
    /// The values of a row by slot.
    pub(super) fn values(&self, key: &RowKey, partial: Partial) -> Vec<Value> {
        let mut values = vec![Value::Null; DECLARED];
        if let Some(value) = values.get_mut(ROW_KEY) {
            *value = column_text(key.as_bytes());
        }
        if let Some(value) = values.get_mut(SHARD) {
            *value = Value::Int(i64::from(partial.shard.0));
        }
        for ((_, missing), latest) in self.columns.iter().zip(partial.latest) {
            values.push(match (latest, missing) {
                (Some((_, body)), _) => json(&body),
                (None, Some(missing)) => Value::Json(missing.clone().into()),
                (None, None) => Value::Null,
            });
        }
        values
    }
}
