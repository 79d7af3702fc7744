//! What the rows that exist already mean for a group: one rule for all engines.

use cellgate_schemaless::{Cell, CellKind, Token};

use crate::{GroupCell, PlacedCell, PutGroup, PutMode, PutOutcome};

/// What is to be done with a group.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Insert the cells whose place is `None`; the others are there already.
    Insert(Vec<Option<PlacedCell>>),
    /// Nothing is left to do.
    Done(PutOutcome),
}

/// What one row that exists means for a cell of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// This write made it, in an earlier attempt.
    Own,
    /// Another write made it, and it is what this write wants.
    Same,
    /// It is not known yet whether it is there.
    Undecided,
    /// It is in the way.
    Conflict,
}

/// Judges a group by the rows of its triples, all read in one snapshot in which nobody else writes (or re-read after
/// an insert that met them). `existing` has one entry per cell, in order.
///
/// A row with the group's own token proves that an earlier attempt was written as a whole (C3 of docs/ARCHITECTURE.md),
/// so that whatever happened to its cells since (an erasure) does not turn the retry into a conflict.
pub(crate) fn settle(group: &PutGroup, existing: &[Option<Cell>]) -> Verdict {
    let meaning = |(cell, row): (&GroupCell, &Option<Cell>)| row.as_ref().map(|row| judge(group.token, cell, row));
    let meanings: Vec<Option<Meaning>> = group.cells.iter().zip(existing).map(meaning).collect();
    if !meanings.contains(&Some(Meaning::Own)) {
        for (cell, meaning) in meanings.iter().enumerate() {
            match meaning {
                Some(Meaning::Conflict) => return Verdict::Done(PutOutcome::Conflict { cell }),
                Some(Meaning::Undecided) => return Verdict::Done(PutOutcome::Undecided { cell }),
                Some(Meaning::Own | Meaning::Same) | None => {}
            }
        }
    }
    let place =
        |row: &Cell| PlacedCell { added_id: row.added_id, created_at: row.created_at, new: row.token == group.token };
    let places: Vec<Option<PlacedCell>> = existing.iter().map(|row| row.as_ref().map(place)).collect();
    match places.iter().copied().collect::<Option<Vec<PlacedCell>>>() {
        Some(all) => Verdict::Done(PutOutcome::Stored(all)),
        None => Verdict::Insert(places),
    }
}

fn judge(token: Token, cell: &GroupCell, row: &Cell) -> Meaning {
    if row.txn.is_some() {
        return Meaning::Undecided;
    }
    if row.token == token {
        return Meaning::Own;
    }
    match (row.kind, cell.mode) {
        (CellKind::Cell, PutMode::Explicit) if row.body.as_ref() == Some(&cell.body) => Meaning::Same,
        (CellKind::Cell, PutMode::Explicit | PutMode::Append)
        | (CellKind::Tombstone | CellKind::Lock | CellKind::Erased | CellKind::Closed, _) => Meaning::Conflict,
    }
}
