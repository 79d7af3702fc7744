//! How long the pages of scans are while cells are asked for by name.
//!
//! A server is busy with a page of a thousand rows for milliseconds, and who asks for one cell meanwhile waits for a
//! processor. So a page is to take no more than a few times what the shortest statements about cells take: few rows on a
//! store next door, where the time is work; many on a store far away, where it is the way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Rows of the shortest page of a log, which is one range: with fewer, a page is little but the statement.
const SHORTEST: u64 = 8;

/// The same of rows that are named: a page is the rest of a chain, the rest of a row and the next of many, a statement each.
const SHORTEST_NAMED: u64 = 64;

/// Rows of the first page.
const FIRST: u64 = 32;

/// Rows of the longest page, which is as long as any.
const LONGEST: u64 = 1024;

/// A page may take so many times what a statement about cells takes.
const TIMES: u32 = 2;

/// The length that pages have, found from what they took.
#[derive(Debug)]
pub(super) struct Pages {
    rows: AtomicU64,
    shortest: u64,
}

impl Pages {
    /// Of logs.
    pub(super) fn of_logs() -> Self {
        Self { rows: AtomicU64::new(FIRST), shortest: SHORTEST }
    }

    /// Of rows that are named.
    pub(super) fn of_rows() -> Self {
        Self { rows: AtomicU64::new(SHORTEST_NAMED), shortest: SHORTEST_NAMED }
    }

    /// Most rows of the next page.
    pub(super) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// A page of at most `asked` rows had `came` of them and took `took`, where a statement about cells takes `one`; `more`
    /// says whether it ended for its bounds. One of few rows that is the last says nothing about longer ones: what took the
    /// time was to find them. Scans beside each other may overwrite what the other found: both look for the same.
    pub(super) fn took(&self, asked: u64, (came, more): (usize, bool), took: Duration, one: Duration) {
        let rows = if took > one * TIMES {
            if !more && (came as u64) < asked / 2 {
                return;
            }
            (asked / 2).max(self.shortest)
        } else if came as u64 >= asked {
            (asked + asked / 4).min(LONGEST)
        } else {
            return;
        };
        self.rows.store(rows, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Duration = Duration::from_micros(100);

    /// The length that pages come to where one of `rows` takes this.
    fn settled(pages: &Pages, takes: impl Fn(u64) -> Duration) -> u64 {
        for _ in 0..100 {
            let rows = pages.rows();
            pages.took(rows, (rows as usize, true), takes(rows), ONE);
        }
        pages.rows()
    }

    #[test]
    fn pages_take_a_few_times_what_a_statement_takes() {
        let near = settled(&Pages::of_logs(), |rows| Duration::from_micros(80 + 5 * rows));
        assert!((12..=30).contains(&near), "{near}");
        assert_eq!(settled(&Pages::of_logs(), |_| Duration::from_millis(5)), SHORTEST);
        assert_eq!(settled(&Pages::of_logs(), |_| ONE), LONGEST);
        assert_eq!(settled(&Pages::of_rows(), |_| Duration::from_millis(5)), SHORTEST_NAMED);
    }

    #[test]
    fn the_last_page_of_a_scan_says_nothing_about_longer_ones() {
        let pages = Pages::of_logs();
        for took in [ONE, ONE * 100] {
            pages.took(FIRST, (3, false), took, ONE);
            assert_eq!(pages.rows(), FIRST);
        }
        // One of few rows that ended for its bytes does.
        pages.took(FIRST, (3, true), ONE * 100, ONE);
        assert_eq!(pages.rows(), FIRST / 2);
    }
}
