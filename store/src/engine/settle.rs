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
/// so that whatever happened to its cells since (an erasure, the end of one of its tables) does not turn the retry into a
/// conflict, nor into a write of a part.
pub(crate) fn settle(group: &PutGroup, existing: &[Option<Cell>]) -> Verdict {
    let meaning = |(cell, row): (&GroupCell, &Option<Cell>)| row.as_ref().map(|row| judge(group.token, cell, row));
    let meanings: Vec<Option<Meaning>> = group.cells.iter().zip(existing).map(meaning).collect();
    let place =
        |row: &Cell| PlacedCell { added_id: row.added_id, created_at: row.created_at, new: row.token == group.token };
    let own = existing.iter().zip(&meanings).find(|(_, meaning)| **meaning == Some(Meaning::Own));
    // Nobody will find the rows that are gone: they have the place of one that is not.
    let gone = own.and_then(|(row, _)| row.as_ref()).map(place);
    if gone.is_none() {
        for (cell, meaning) in meanings.iter().enumerate() {
            match meaning {
                Some(Meaning::Conflict) => return Verdict::Done(PutOutcome::Conflict { cell }),
                Some(Meaning::Undecided) => return Verdict::Done(PutOutcome::Undecided { cell }),
                Some(Meaning::Own | Meaning::Same) | None => {}
            }
        }
    }
    let places: Vec<Option<PlacedCell>> = existing.iter().map(|row| row.as_ref().map(place).or(gone)).collect();
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

#[cfg(test)]
mod tests {
    use cellgate_schemaless::{
        AddedId, Body, ColumnKey, Micros, RefKey, RowKey, ShardId, TableId, TableRef, Triple, TxnId,
    };

    use super::*;

    fn cell(row: &str) -> GroupCell {
        GroupCell {
            table: TableRef::new("t", TableId(1), 1),
            shard: ShardId(0),
            triple: Triple {
                row: RowKey::from_store(row.as_bytes().to_vec()),
                column: ColumnKey::from_store(b"c".to_vec()),
                ref_key: RefKey(1),
            },
            body: Body::from_store(b"1".to_vec()),
            mode: PutMode::Append,
        }
    }

    fn row(of: &GroupCell, token: i64) -> Cell {
        Cell {
            triple: of.triple.clone(),
            body: Some(of.body.clone()),
            added_id: AddedId(7),
            shard: of.shard,
            created_at: Micros(70),
            kind: CellKind::Cell,
            token: Token(token),
            txn: None,
        }
    }

    #[test]
    fn a_row_that_is_not_settled_is_neither_there_nor_not_there() {
        let group = PutGroup { token: Token(5), cells: vec![cell("a"), cell("b")] };
        for token in [5, 6] {
            let held = Cell { txn: Some(TxnId(1)), ..row(&group.cells[1], token) };
            assert_eq!(settle(&group, &[None, Some(held)]), Verdict::Done(PutOutcome::Undecided { cell: 1 }));
        }
    }

    #[test]
    fn an_own_row_proves_the_whole_write_also_of_rows_that_are_gone_since() {
        let group = PutGroup { token: Token(5), cells: vec![cell("a"), cell("b")] };
        let there = PlacedCell { added_id: AddedId(7), created_at: Micros(70), new: true };
        let existing = [Some(row(&group.cells[0], 5)), None];
        assert_eq!(settle(&group, &existing), Verdict::Done(PutOutcome::Stored(vec![there, there])));
        // Another's row proves nothing.
        let existing = [Some(row(&group.cells[0], 6)), None];
        assert_eq!(settle(&group, &existing), Verdict::Done(PutOutcome::Conflict { cell: 0 }));
        assert_eq!(settle(&group, &[None, None]), Verdict::Insert(vec![None, None]));
    }
}
