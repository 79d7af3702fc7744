//! What has been erased when, as far as a cache must know; and whether a document that was read continues
//! the one that is known.

use std::collections::BTreeMap;

use cellgate_schemaless::TableId;
use serde::{Deserialize, Serialize};

/// Most tables that are listed one by one; beyond, an erasure counts for all tables.
const TABLES: usize = 1024;

/// The numbers of the last erasures. A document of the meta store, so that fields are only ever added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasures {
    /// How many erasures there were in all.
    pub number: i64,
    /// The number of the last one that counts for every table.
    #[serde(default)]
    all: i64,
    /// The number of the last one in a table.
    #[serde(default)]
    tables: BTreeMap<u32, i64>,
    /// What the last erasure in a table has drawn at random: where the document went back, the erasures counted anew get the
    /// numbers of those that are lost. A table has none if a version before 0.3.0 counted.
    #[serde(default)]
    marks: BTreeMap<u32, u64>,
}

impl Erasures {
    /// The number of the last erasure in this table; 0 if there was none.
    pub fn last(&self, table: TableId) -> i64 {
        self.tables.get(&table.0).copied().unwrap_or(0).max(self.all)
    }

    /// The same with numbers that are higher by `up`; whatever is below `floor` counts as erased.
    pub(super) fn raised(&self, up: i64, floor: i64) -> Self {
        let tables = self.tables.iter().map(|(table, number)| (*table, number + up)).collect();
        Self { number: self.number + up, all: (self.all + up).max(floor), tables, marks: self.marks.clone() }
    }

    /// Whether these may be the erasures of `known` and later ones: what is new has a higher number than all of those, and
    /// what has the same number the same mark.
    pub(super) fn follows(&self, known: &Self) -> bool {
        let stands = |now: i64, then: i64, same: bool| now > known.number || (now == then && same);
        let same = |table: u32| self.marks.get(&table) == known.marks.get(&table);
        let stands_in = |table: u32| stands(self.last(TableId(table)), known.last(TableId(table)), same(table));
        stands(self.all, known.all, true)
            && self.tables.keys().chain(known.tables.keys()).all(|table| stands_in(*table))
    }

    /// Counts an erasure in this table. `mark` is drawn at random for it.
    pub fn note(&mut self, table: TableId, mark: u64) {
        self.number += 1;
        if self.tables.len() >= TABLES && !self.tables.contains_key(&table.0) {
            self.tables.clear();
            self.marks.clear();
            self.all = self.number;
        }
        self.tables.insert(table.0, self.number);
        self.marks.insert(table.0, mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erasure_counts_for_its_table() {
        let mut erasures = Erasures::default();
        erasures.note(TableId(1), 0);
        erasures.note(TableId(2), 0);
        erasures.note(TableId(1), 0);
        assert_eq!([1, 2, 3].map(|table| erasures.last(TableId(table))), [3, 2, 0]);
    }

    #[test]
    fn later_erasures_follow_and_those_of_another_history_do_not() {
        let noted = |tables: &[u32]| {
            let mut erasures = Erasures::default();
            tables.iter().for_each(|table| erasures.note(TableId(*table), u64::from(*table)));
            erasures
        };
        let known = noted(&[1, 2, 1]);
        for later in [&[1, 2, 1][..], &[1, 2, 1, 3], &[1, 2, 1, 2, 1]] {
            assert!(noted(later).follows(&known), "{later:?}");
        }
        // A table's last one is lower, or new with a number that was another's.
        for other in [&[1, 2, 2][..], &[1, 2, 2, 2], &[1, 3, 1, 1], &[1, 2, 4, 1]] {
            assert!(!noted(other).follows(&known), "{other:?}");
        }
        let many: Vec<u32> = (0..=u32::try_from(TABLES).unwrap()).collect();
        assert!(noted(&many).follows(&noted(&many[..TABLES])), "they count for all tables");
        assert!(noted(&many).follows(&noted(&many[..7])));
        assert!(!noted(&many[1..]).follows(&noted(&many)));
    }

    #[test]
    fn erasures_counted_anew_with_the_numbers_of_lost_ones_are_told_by_their_marks() {
        let noted = |marks: &[(u32, u64)]| {
            let mut erasures = Erasures::default();
            marks.iter().for_each(|(table, mark)| erasures.note(TableId(*table), *mark));
            erasures
        };
        let known = noted(&[(1, 10), (2, 20)]);
        assert!(noted(&[(1, 10), (2, 20), (3, 30)]).follows(&known));
        assert!(!noted(&[(1, 10), (2, 21)]).follows(&known));
        assert!(!noted(&[(1, 10), (2, 21), (1, 30)]).follows(&known), "what is behind them does not hide it");
        // A version that knows no marks has counted the last one.
        let before: Erasures = serde_json::from_str(r#"{"number":2,"tables":{"1":1,"2":2}}"#).unwrap();
        assert!(!before.follows(&known));
        assert!(before.follows(&before) && noted(&[(1, 10)]).follows(&Erasures::default()));
    }

    #[test]
    fn the_list_of_tables_is_bounded_and_no_erasure_is_forgotten() {
        let mut erasures = Erasures::default();
        let tables = u32::try_from(TABLES).unwrap() + 2;
        for table in 0..tables {
            erasures.note(TableId(table), 0);
        }
        assert!(erasures.tables.len() <= TABLES);
        for table in 0..tables {
            assert!(erasures.last(TableId(table)) > i64::from(table));
        }
    }
}
