//! The end of the line: project, remove doubles, sort, cut.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use cellgate_schemaless::ErrorKind;

use super::group::encode;
use super::sort::sort;
use super::{Collected, Patience, Plan, size};
use crate::error::SqlError;
use crate::expression::{Scope, Slot, SortKey};
use crate::value::Row;

/// How many rows beyond twice LIMIT are kept before the highest are thrown away, if so many may be collected.
const SLACK: usize = 1024;

/// A row with what it is sorted by.
#[derive(Debug)]
struct Sorted {
    keys: Vec<SortKey>,
    /// When it came, so that equal rows stay in their order.
    number: u64,
    /// Or the error of a value, which matters only if LIMIT lets the row be seen.
    row: Result<Row, SqlError>,
}

impl Sorted {
    fn size(&self) -> usize {
        self.row.as_ref().map_or(0, |row| size(row)) + self.keys.iter().map(SortKey::size).sum::<usize>()
    }
}

#[derive(Debug)]
pub(super) struct Output {
    seen: HashSet<Vec<u8>>,
    sorting: Vec<Sorted>,
    collected: Collected,
    number: u64,
    /// Rows given out or skipped so far.
    passed: u64,
    skipped: Skipped,
}

/// How many rows OFFSET left out, of one statement. Clones are the same number.
#[derive(Clone, Debug, Default)]
pub struct Skipped(Arc<AtomicU64>);

impl Skipped {
    fn one_more(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// How many so far.
    pub fn rows(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Output {
    pub fn new() -> Self {
        Self {
            seen: HashSet::new(),
            sorting: Vec::new(),
            collected: Collected::default(),
            number: 0,
            passed: 0,
            skipped: Skipped::default(),
        }
    }

    /// Hears of the rows that OFFSET leaves out.
    pub fn skipped(&self) -> Skipped {
        self.skipped.clone()
    }

    /// Whether LIMIT is reached.
    pub fn is_full(&self, plan: &Plan) -> bool {
        match plan.limit {
            Some(0) => true,
            Some(limit) => plan.order.is_empty() && self.passed >= limit.saturating_add(plan.offset),
            None => false,
        }
    }

    /// Takes a row; gives it back if it can be sent now.
    pub fn push(&mut self, plan: &Plan, scope: &dyn Scope<Slot>, patience: &Patience) -> Result<Option<Row>, SqlError> {
        if self.is_full(plan) {
            return Ok(None);
        }
        let row = match row(plan, scope) {
            Err(error) if plan.order.is_empty() || plan.distinct || error.kind() != ErrorKind::Value => {
                return Err(error);
            }
            row => row,
        };
        if let (true, Ok(row)) = (plan.distinct, &row) {
            let encoded = encode(row)?;
            if self.seen.contains(&encoded) {
                return Ok(None);
            }
            self.collected.add(encoded.len(), plan.bounds)?;
            self.seen.insert(encoded);
        }
        if plan.order.is_empty() {
            self.passed += 1;
            if self.passed > plan.offset {
                return row.map(Some);
            }
            self.skipped.one_more();
            return row.map(|_| None);
        }
        let keys = plan.order.iter().map(|(e, _)| e.evaluate(scope).and_then(SortKey::new));
        let sorted = Sorted { keys: keys.collect::<Result<_, _>>()?, number: self.number, row };
        if plan.distinct {
            // Its row counts as one that was seen, also when it is thrown away.
            self.collected.grow(sorted.size(), plan.bounds)?;
        } else {
            self.collected.add(sorted.size(), plan.bounds)?;
        }
        self.sorting.push(sorted);
        self.number += 1;
        if let Some(keep) = keep(plan).filter(|keep| self.sorting.len() >= most(*keep, plan.bounds.rows)) {
            self.sorting = in_order(plan, std::mem::take(&mut self.sorting), patience)?;
            for dropped in self.sorting.drain(keep..) {
                if plan.distinct {
                    self.collected.shrink(dropped.size());
                } else {
                    self.collected.remove(dropped.size());
                }
            }
        }
        Ok(None)
    }

    /// What is held.
    pub fn collected(&self) -> Collected {
        self.collected
    }

    /// The rows that had to wait.
    pub fn finish(self, plan: &Plan, patience: &Patience) -> Result<Vec<Row>, SqlError> {
        let sorting = in_order(plan, self.sorting, patience)?;
        let offset = usize::try_from(plan.offset).unwrap_or(usize::MAX);
        let limit = plan.limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
        let skipped = sorting.iter().take(if limit == 0 { 0 } else { offset });
        skipped.for_each(|_| self.skipped.one_more());
        sorting.into_iter().skip(offset).take(limit).map(|s| s.row).collect()
    }
}

/// The values of the columns.
fn row(plan: &Plan, scope: &dyn Scope<Slot>) -> Result<Row, SqlError> {
    let mut row = Row::with_capacity(plan.items.len());
    let mut bytes = 0_usize;
    for item in &plan.items {
        scope.patience()?;
        let value = item.evaluate(scope)?;
        bytes = bytes.saturating_add(value.content_bytes());
        if bytes > plan.bounds.value {
            return Err(SqlError::RowTooLong(plan.bounds.value));
        }
        row.push(value);
    }
    Ok(row)
}

/// How many rows there are when all but `keep` are thrown away, where `may` be collected. Not so few that each row would
/// be followed by a sort of all: then there are too many for a session.
fn most(keep: usize, may: usize) -> usize {
    let most = keep.saturating_mul(2).saturating_add(SLACK);
    if may.saturating_sub(keep) > keep / 8 { most.min(may) } else { most }
}

/// How many sorted rows can be of use.
fn keep(plan: &Plan) -> Option<usize> {
    plan.limit.and_then(|limit| usize::try_from(limit.saturating_add(plan.offset)).ok())
}

fn in_order(plan: &Plan, rows: Vec<Sorted>, patience: &Patience) -> Result<Vec<Sorted>, SqlError> {
    sort(rows, patience, |a, b| {
        for ((a, b), (_, descending)) in a.keys.iter().zip(&b.keys).zip(&plan.order) {
            let order = a.order(b)?;
            if order != Ordering::Equal {
                return Ok(if *descending { order.reverse() } else { order });
            }
        }
        Ok(a.number.cmp(&b.number))
    })
}
