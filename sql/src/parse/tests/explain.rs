//! EXPLAIN, and reads that lock.

use super::one;
use crate::command::Command;
use crate::parse::StatementKind;
use crate::testing::{bound, read};

#[test]
fn locking_reads_and_explain_are_seen() {
    for text in [
        "SELECT * FROM trips WHERE row_key='a' FOR UPDATE",
        "SELECT * FROM trips WHERE row_key='a' lock in share mode",
        "SELECT * FROM trips WHERE row_key='a' LIMIT 1 FOR SHARE OF trips",
    ] {
        assert!(read(text).locking, "{text}");
    }
    for (text, analyzed) in [
        ("EXPLAIN SELECT 1", false),
        ("EXPLAIN ANALYZE FORMAT=TREE SELECT 1", true),
        ("DESC FORMAT=JSON SELECT 1", false),
        ("EXPLAIN EXTENDED INSERT INTO trips SET row_key='a', column_key='b', body='1'", false),
    ] {
        assert!(matches!(bound(text), Ok(Command::Explain(e)) if e.analyze == analyzed), "{text}");
    }
}

#[test]
fn explain_takes_a_select_in_parentheses() {
    assert_eq!(one("EXPLAIN (SELECT 1)").kind(), StatementKind::Explain);
    assert!(matches!(bound("EXPLAIN (SELECT body FROM trips WHERE row_key = 'a')"), Ok(Command::Explain(_))));
    assert!(matches!(bound("DESC ((SELECT 1))"), Ok(Command::Explain(_))));
}
