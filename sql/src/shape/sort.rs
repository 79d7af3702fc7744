//! Sorting that can be given up: a sort of the standard library cannot be left in the middle.

use std::cmp::Ordering;
use std::collections::VecDeque;

use super::notes::Patience;
use crate::error::SqlError;

/// Rows sorted at once, and merged between two looks at the clock: some milliseconds at most.
const RUN: usize = 1024;

/// The rows in order: runs of [`RUN`] sorted each, then merged two by two. Rows that are equal stay in no order: what
/// `compare` says must tell all rows apart, and be one order of them all: for what has none the sort may panic.
///
/// # Errors
/// Those of `compare`, and [`SqlError::GivenUp`].
pub(super) fn sort<T>(
    rows: Vec<T>,
    patience: &Patience,
    compare: impl Fn(&T, &T) -> Result<Ordering, SqlError>,
) -> Result<Vec<T>, SqlError> {
    let mut runs = VecDeque::with_capacity(rows.len() / RUN + 1);
    let mut rows = rows.into_iter();
    loop {
        let mut run: Vec<T> = rows.by_ref().take(RUN).collect();
        if run.is_empty() {
            break;
        }
        patience.check()?;
        let mut failed = None;
        run.sort_unstable_by(|a, b| {
            compare(a, b).unwrap_or_else(|error| {
                failed.get_or_insert(error);
                Ordering::Equal
            })
        });
        match failed {
            Some(error) => return Err(error),
            None => runs.push_back(run),
        }
    }
    while runs.len() > 1 {
        // As many as there are: each of them is merged once before any is again.
        for _ in 0..runs.len() / 2 {
            if let (Some(a), Some(b)) = (runs.pop_front(), runs.pop_front()) {
                runs.push_back(merge(a, b, patience, &compare)?);
            }
        }
    }
    Ok(runs.pop_front().unwrap_or_default())
}

fn merge<T>(
    a: Vec<T>,
    b: Vec<T>,
    patience: &Patience,
    compare: &impl Fn(&T, &T) -> Result<Ordering, SqlError>,
) -> Result<Vec<T>, SqlError> {
    let mut merged = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    while let (Some(first), Some(second)) = (a.peek(), b.peek()) {
        if merged.len() % RUN == 0 {
            patience.check()?;
        }
        let next = if compare(first, second)?.is_le() { a.next() } else { b.next() };
        merged.extend(next);
    }
    merged.extend(a);
    merged.extend(b);
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering as Memory};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_number_of_rows_comes_out_in_order(mut rows in prop::collection::vec(any::<u32>(), 0..5 * RUN)) {
            let sorted = sort(rows.clone(), &Patience::default(), |a, b| Ok(a.cmp(b))).unwrap();
            rows.sort_unstable();
            prop_assert_eq!(sorted, rows);
        }
    }

    #[test]
    fn a_sort_is_given_up_in_its_middle() {
        let looks = AtomicUsize::new(0);
        let patience = Patience::new(move || looks.fetch_add(1, Memory::Relaxed) >= 100);
        let compared = AtomicUsize::new(0);
        let rows: Vec<usize> = (0..200 * RUN).rev().collect();
        let outcome = sort(rows, &patience, |a, b| {
            compared.fetch_add(1, Memory::Relaxed);
            Ok(a.cmp(b))
        });
        assert_eq!(outcome, Err(SqlError::GivenUp));
        assert!(compared.load(Memory::Relaxed) < 2 * 100 * RUN * 10);
    }

    #[test]
    fn what_cannot_be_compared_is_an_error() {
        let rows: Vec<usize> = (0..3 * RUN).collect();
        let outcome = sort(rows, &Patience::default(), |a, _| match a {
            2500 => Err(SqlError::Empty),
            _ => Ok(Ordering::Less),
        });
        assert_eq!(outcome, Err(SqlError::Empty));
    }
}
