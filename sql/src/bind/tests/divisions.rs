//! What divides by zero: a note in a value of a row, and NULL where it decides what is read or erased.

use super::noted;
use crate::command::{Command, Source};
use crate::environment::SqlMode;
use crate::error::SqlError;
use crate::testing::{Session, bound, cell, read, read_with};
use crate::value::Value;

#[test]
fn a_constant_that_divides_by_zero_is_no_key() {
    for nothing in [
        "row_key = CONCAT('b', 1 % 0)",
        "row_key = 1 DIV 0",
        "row_key = 'a' AND ref_key = 2 / 0",
        "row_key IN (1 / 0, NULL)",
        "1 / 0",
    ] {
        let read = read(&format!("SELECT 1 / 0 FROM trips WHERE {nothing}"));
        assert!(matches!(read.source, Source::Nothing), "{nothing}: {:?}", read.source);
        let erased = bound(&format!("DELETE FROM trips WHERE {nothing}"));
        assert!(matches!(&erased, Ok(Command::Erase(erase)) if erase.what.is_empty()), "{nothing}: {erased:?}");
    }
    for (some, keys) in [
        ("row_key = COALESCE(1 / 0, 'x')", 1),
        ("row_key IN ('a', 'b', 1 / 0)", 2),
        ("row_key = 'a' AND column_key = 'c' AND ref_key IN (1, 2 / 0)", 1),
    ] {
        let read = read(&format!("SELECT body FROM trips WHERE {some}"));
        assert!(!read.scatter && matches!(read.source, Source::Cells(_)), "{some}: {:?}", read.source);
        let erased = bound(&format!("DELETE FROM trips WHERE {some}"));
        assert!(matches!(&erased, Ok(Command::Erase(erase)) if erase.what.len() == keys), "{some}: {erased:?}");
    }
}

#[test]
fn what_divides_by_zero_is_of_no_shard() {
    for (text, notes) in [("SELECT SHARD_OF(1 % 0)", 0), ("SELECT SHARD_OF(COALESCE(NULL, 1 / 0)), 1 / 0", 1)] {
        let (rows, noted) = noted(&read(text), &[]);
        assert_eq!((rows[0][0].clone(), noted.len()), (Value::Null, notes), "{text}");
    }
}

#[test]
fn what_divides_by_zero_is_stored_in_no_shard() {
    let error = bound("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'c', SHARD_OF(1 % 0), '1')");
    assert!(matches!(&error, Err(SqlError::DivisionByZero)), "{error:?}");
}

#[test]
fn a_division_that_is_not_told_of_takes_no_other_notes_place() {
    let body = format!("\"{}\"", "x".repeat(1 << 20));
    let mut cells: Vec<_> = (1..100).map(|n| cell("r", "c", n, "1", n)).collect();
    cells.push(cell("r", "c", 100, &body, 100));
    let long = vec!["body"; 65].join(", ");
    let text = format!("SELECT 1 / 0, ref_key % 0, LENGTH(CONCAT({long})) FROM trips WHERE row_key = 'r'");
    let mut env = Session::new();
    let (_, notes) = noted(&read_with(&env, &text, &[]), &cells);
    assert!(notes.iter().all(|note| *note == SqlError::DivisionByZero) && notes.len() > 1, "{notes:?}");
    env.mode = SqlMode { divides_by_zero: true, ..env.mode };
    let (_, notes) = noted(&read_with(&env, &text, &[]), &cells);
    assert!(matches!(&notes[..], [SqlError::ResultTooLong { .. }]), "{notes:?}");
}
