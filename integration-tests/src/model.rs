//! What a cell table must do, in a few lines of memory: the oracle of the random tests.

use std::collections::BTreeMap;

use crate::client::{CellRow, Triple};

/// How a put ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// So many new cells.
    Stored(u64),
    /// 1062, nothing written.
    Duplicate,
}

/// Cells by their names.
#[derive(Clone, Debug, Default)]
pub struct Model {
    cells: BTreeMap<Triple, String>,
}

impl Model {
    /// Puts cells that stand or fall together: new ones are stored, equal ones are done already, others refuse all.
    pub fn put(&mut self, cells: &[(Triple, String)]) -> Put {
        let mut after = self.cells.clone();
        let mut stored = 0;
        for (triple, body) in cells {
            match after.get(triple) {
                Some(held) if held == body => {}
                Some(_) => return Put::Duplicate,
                None => {
                    after.insert(triple.clone(), body.clone());
                    stored += 1;
                }
            }
        }
        self.cells = after;
        Put::Stored(stored)
    }

    /// `INSERT IGNORE`: what is there already is skipped.
    pub fn put_ignore(&mut self, cells: &[(Triple, String)]) -> u64 {
        let mut stored = 0;
        for (triple, body) in cells {
            if !self.cells.contains_key(triple) {
                self.cells.insert(triple.clone(), body.clone());
                stored += 1;
            }
        }
        stored
    }

    /// Puts the next version; answers its ref key.
    pub fn append(&mut self, row: &str, column: &str, body: &str) -> i64 {
        let next = self.latest(row, column, i64::MAX).map_or(1, |(_, _, reference, _)| reference + 1);
        self.cells.insert((row.to_owned(), column.to_owned(), next), body.to_owned());
        next
    }

    /// The cell of a triple.
    pub fn get(&self, triple: &Triple) -> Option<&String> {
        self.cells.get(triple)
    }

    /// The cell with the highest ref key up to `until`.
    pub fn latest(&self, row: &str, column: &str, until: i64) -> Option<CellRow> {
        self.select(|(r, c, reference)| r == row && c == column && *reference <= until).pop()
    }

    /// Cells whose names satisfy `wanted`, by name: row keys and column keys in the order of their bytes.
    pub fn select(&self, wanted: impl Fn(&Triple) -> bool) -> Vec<CellRow> {
        self.cells
            .iter()
            .filter(|(triple, _)| wanted(triple))
            .map(|((row, column, reference), body)| (row.clone(), column.clone(), *reference, body.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::triple;

    #[test]
    fn a_put_of_several_cells_stands_or_falls() {
        let mut model = Model::default();
        let (one, two) = (triple("a", "b", 1), triple("a", "b", 2));
        assert_eq!(model.put(&[(one.clone(), "1".to_owned())]), Put::Stored(1));
        assert_eq!(model.put(&[(two.clone(), "2".to_owned()), (one.clone(), "x".to_owned())]), Put::Duplicate);
        assert_eq!(model.get(&two), None);
        assert_eq!(model.put(&[(two.clone(), "2".to_owned()), (one, "1".to_owned())]), Put::Stored(1));
        assert_eq!(model.append("a", "b", "3"), 3);
        assert_eq!(model.latest("a", "b", 2).map(|cell| cell.3), Some("2".to_owned()));
    }
}
