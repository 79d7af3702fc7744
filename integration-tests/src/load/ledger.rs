//! What writers know about what they wrote, and whether the table agrees.

use std::collections::{BTreeMap, BTreeSet};

use crate::client::{CellRow, Triple};

/// The column key of the chains that are appended to; no other cell has it.
pub(super) const APPENDED: &str = "APPENDED";
/// What a write may be answered with while proxies and servers die: the numbers of docs/DIALECT.md for a store that is away
/// or was lost, and for a race that was lost. Any other is a failure of its own.
const EXPECTED: &[u16] = &[1180, 1205, 1213, 1429, 3024];

/// What writers know about what they wrote.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Cells the server said are there.
    pub acknowledged: BTreeMap<Triple, String>,
    /// Bodies written without an answer, or with one that settles nothing: they may be there.
    pub possible: BTreeMap<Triple, Vec<String>>,
    /// Cells that were refused with 1062: another body is there.
    pub taken: Vec<(Triple, String)>,
    /// Bodies appended, with the chain and the version the server said.
    pub appended: BTreeMap<String, (String, i64)>,
    /// Bodies appended without an answer, or with one that settles nothing.
    pub possibly_appended: BTreeSet<String>,
    /// Transactions of several cells that were committed.
    pub transactions: u64,
    /// Statements refused with 1062.
    pub duplicates: u64,
    /// Statements answered with another error, by its number.
    pub errors: BTreeMap<u16, u64>,
    /// Connections that broke.
    pub broken: u64,
}

impl Ledger {
    pub(super) fn acknowledge(&mut self, triple: Triple, body: String) {
        if let Some(other) = self.acknowledged.get(&triple) {
            assert_eq!(*other, body, "two bodies acknowledged for {triple:?}");
        }
        self.acknowledged.insert(triple, body);
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (triple, body) in other.acknowledged {
            self.acknowledge(triple, body);
        }
        for (triple, bodies) in other.possible {
            self.possible.entry(triple).or_default().extend(bodies);
        }
        self.taken.extend(other.taken);
        self.appended.extend(other.appended);
        self.possibly_appended.extend(other.possibly_appended);
        self.transactions += other.transactions;
        for (code, count) in other.errors {
            *self.errors.entry(code).or_default() += count;
        }
        self.duplicates += other.duplicates;
        self.broken += other.broken;
    }

    /// Compares the ledger with everything that is in the table.
    ///
    /// # Panics
    ///
    /// If an acknowledged cell is missing or differs, a triple or an appended body is there twice, a chain has a gap,
    /// something is there that nobody wrote or whose writer was told that nothing was written, a triple that was refused as
    /// taken is not, or an answer was none that faults explain.
    pub fn check(&self, stored: Vec<CellRow>) {
        let unexpected: Vec<_> = self.errors.iter().filter(|(code, _)| !EXPECTED.contains(code)).collect();
        assert!(unexpected.is_empty(), "errors that faults do not explain: {unexpected:?}");
        let (appended, explicit) = stored.into_iter().partition(|(_, column, ..)| column == APPENDED);
        self.check_explicit(explicit);
        self.check_appended(appended);
    }

    fn check_explicit(&self, stored: Vec<CellRow>) {
        let mut cells = BTreeMap::new();
        for (row, column, reference, body) in stored {
            let triple = (row, column, reference);
            if let Some(other) = cells.insert(triple.clone(), body.clone()) {
                panic!("{triple:?} is there twice: {other} and {body}");
            }
        }
        for (triple, body) in &self.acknowledged {
            match cells.get(triple) {
                Some(stored) => assert_eq!(stored, body, "{triple:?} was acknowledged with another body"),
                None => panic!("{triple:?} was acknowledged with {body} and is not there"),
            }
        }
        for (triple, body) in &cells {
            let possible = self.possible.get(triple).is_some_and(|bodies| bodies.contains(body));
            let acknowledged = self.acknowledged.get(triple) == Some(body);
            assert!(acknowledged || possible, "{triple:?} holds {body}, which nobody wrote");
        }
        for (triple, body) in &self.taken {
            assert!(cells.get(triple).is_some_and(|stored| stored != body), "{triple:?} was refused as taken: {body}");
        }
    }

    fn check_appended(&self, stored: Vec<CellRow>) {
        let mut chains: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
        let mut bodies = BTreeMap::new();
        for (row, _, reference, body) in stored {
            chains.entry(row.clone()).or_default().insert(reference);
            let known = self.appended.contains_key(&body) || self.possibly_appended.contains(&body);
            assert!(known, "{body} is in {row}, and nobody wrote it, or its writer was told that nothing was written");
            if let Some(other) = bodies.insert(body.clone(), (row.clone(), reference)) {
                panic!("{body} was appended twice: {other:?} and {:?}", (row, reference));
            }
        }
        for (body, place) in &self.appended {
            assert_eq!(bodies.get(body), Some(place), "where {body} was said to be");
        }
        for (row, versions) in chains {
            let last = versions.last().copied().unwrap_or_default();
            assert_eq!(versions.len() as i64, last, "{row} has gaps: {versions:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::triple;

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.acknowledge(triple("a", "b", 1), "1".to_owned());
        ledger.possible.insert(triple("a", "b", 2), vec!["2".to_owned()]);
        ledger
    }

    fn row(reference: i64, body: &str) -> CellRow {
        ("a".to_owned(), "b".to_owned(), reference, body.to_owned())
    }

    #[test]
    fn a_ledger_accepts_what_was_acknowledged_and_what_may_be() {
        ledger().check(vec![row(1, "1")]);
        ledger().check(vec![row(1, "1"), row(2, "2")]);
    }

    #[test]
    #[should_panic(expected = "is not there")]
    fn a_ledger_refuses_a_lost_cell() {
        ledger().check(vec![row(2, "2")]);
    }

    #[test]
    #[should_panic(expected = "is there twice")]
    fn a_ledger_refuses_two_bodies() {
        ledger().check(vec![row(1, "1"), row(1, "2")]);
    }

    #[test]
    #[should_panic(expected = "two bodies acknowledged")]
    fn a_ledger_refuses_two_acknowledgements() {
        ledger().acknowledge(triple("a", "b", 1), "2".to_owned());
    }

    #[test]
    #[should_panic(expected = "which nobody wrote")]
    fn a_ledger_refuses_a_body_from_nowhere() {
        ledger().check(vec![row(1, "1"), row(3, "3")]);
    }

    #[test]
    #[should_panic(expected = "was refused as taken")]
    fn a_ledger_refuses_a_conflict_with_nothing() {
        let mut ledger = ledger();
        ledger.taken.push((triple("a", "b", 1), "1".to_owned()));
        ledger.check(vec![row(1, "1")]);
    }

    #[test]
    #[should_panic(expected = "errors that faults do not explain")]
    fn a_ledger_refuses_an_answer_that_faults_do_not_explain() {
        let mut ledger = ledger();
        ledger.errors.insert(1064, 1);
        ledger.check(vec![row(1, "1")]);
    }

    fn appends() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.appended.insert("x".to_owned(), ("a".to_owned(), 1));
        ledger.possibly_appended.insert("y".to_owned());
        ledger
    }

    fn appended(reference: i64, body: &str) -> CellRow {
        ("a".to_owned(), APPENDED.to_owned(), reference, body.to_owned())
    }

    #[test]
    fn a_ledger_accepts_appends_that_are_there_once() {
        appends().check(vec![appended(1, "x")]);
        appends().check(vec![appended(1, "x"), appended(2, "y")]);
    }

    #[test]
    #[should_panic(expected = "was appended twice")]
    fn a_ledger_refuses_an_append_that_was_done_twice() {
        appends().check(vec![appended(1, "x"), appended(2, "y"), appended(3, "y")]);
    }

    #[test]
    #[should_panic(expected = "told that nothing was written")]
    fn a_ledger_refuses_an_append_that_was_not_to_be_there() {
        appends().check(vec![appended(1, "x"), appended(2, "z")]);
    }

    #[test]
    #[should_panic(expected = "has gaps")]
    fn a_ledger_refuses_a_version_that_was_left_out() {
        appends().check(vec![appended(1, "x"), appended(3, "y")]);
    }

    #[test]
    #[should_panic(expected = "was said to be")]
    fn a_ledger_refuses_an_append_elsewhere() {
        appends().check(vec![appended(1, "y"), appended(2, "x")]);
    }
}
