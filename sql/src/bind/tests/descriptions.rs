//! What is told of a statement before its parameters are known.

use super::super::Description;
use crate::error::SqlError;
use crate::parse::StatementKind;
use crate::testing::{Session, bound, bound_with, read};
use crate::value::{ColumnType, Value};

fn described(text: &str) -> Result<Description, SqlError> {
    crate::describe(&crate::parse(text, crate::SqlMode::default()).unwrap().remove(0), &Session::new())
}

fn columns(text: &str) -> Vec<String> {
    match described(text) {
        Ok(Description::Columns(columns)) => columns.into_iter().map(|column| column.name).collect(),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn a_select_into_variables_has_no_columns_and_is_checked_all_the_same() {
    assert_eq!(columns("SELECT body, ref_key FROM trips WHERE row_key = ?"), ["body", "ref_key"]);
    for text in [
        "SELECT body, ref_key FROM trips WHERE row_key = ? INTO @body, @ref",
        "SELECT ? INTO @a",
        "SELECT a.x FROM (SELECT ? AS x) a INTO @a",
    ] {
        assert!(columns(text).is_empty(), "{text}");
    }
    for text in ["SELECT 1 INTO @a, @b", "SELECT body FROM trips LIMIT ? INTO @a, @b", "SELECT * FROM trips INTO @a"] {
        assert_eq!(described(text).err(), Some(SqlError::IntoCount), "{text}");
    }
    assert!(matches!(described("SELECT missing FROM trips INTO @a").err(), Some(SqlError::UnknownColumn { .. })));
}

#[test]
fn an_explain_looks_up_the_names_of_its_statement() {
    for (text, analyzed) in [
        ("EXPLAIN SELECT body FROM trips LIMIT ?", false),
        ("EXPLAIN INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (?, ?, ?, ?)", false),
        ("EXPLAIN DELETE FROM trips WHERE row_key = ?", false),
        ("EXPLAIN ANALYZE SELECT body FROM trips WHERE row_key = ? LIMIT ?", true),
    ] {
        assert!(matches!(described(text), Ok(Description::Explain { analyze }) if analyze == analyzed), "{text}");
    }
    for text in ["EXPLAIN SELECT body FROM nowhere LIMIT ?", "EXPLAIN DELETE FROM nowhere WHERE row_key = ?"] {
        assert!(matches!(described(text).err(), Some(SqlError::UnknownTable { .. })), "{text}");
    }
    let missing = described("EXPLAIN SELECT missing FROM trips LIMIT ?").err();
    assert!(matches!(missing, Some(SqlError::UnknownColumn { .. })), "{missing:?}");
    let kind = |text| crate::parse(text, crate::SqlMode::default()).unwrap().remove(0).explained();
    assert_eq!(kind("EXPLAIN SELECT 1"), Some(StatementKind::Select));
    assert_eq!(kind("EXPLAIN DELETE FROM trips WHERE row_key = 'a'"), Some(StatementKind::Delete));
    assert_eq!(kind("SELECT 1"), None);
}

#[test]
fn a_show_is_described_without_its_limit() {
    for text in ["SHOW WARNINGS LIMIT ?", "SHOW WARNINGS LIMIT ?, ?", "SHOW VARIABLES WHERE Variable_name = ?"] {
        assert!(matches!(described(text), Ok(Description::Show(_))), "{text}: {:?}", described(text));
    }
}

#[test]
fn columns_are_called_as_they_are_written() {
    let read = read("SELECT ROW_KEY, t.`Body` FROM trips AS t WHERE row_key = 'a'");
    let names: Vec<_> = read.shape.columns().iter().map(|c| (c.name.as_str(), c.org_name.as_str())).collect();
    assert_eq!(names, [("ROW_KEY", "row_key"), ("Body", "body")]);
}

#[test]
fn a_parameter_in_a_text_that_was_not_prepared_is_a_syntax_error_at_its_place() {
    let text = "SELECT body FROM trips\nWHERE row_key = ? AND ref_key = ?";
    let Err(SqlError::Syntax { near, line, .. }) = bound(text) else { panic!("{:?}", bound(text)) };
    assert_eq!((near.as_str(), line), ("? AND ref_key = ?", 2));
    let one = bound_with(&Session::new(), text, &[Value::Int(1)]);
    assert_eq!(one.err(), Some(SqlError::Arguments("EXECUTE".into())));
}

#[test]
fn columns_say_what_they_are() {
    let read = read(
        "SELECT t.row_key, t.body AS b, ref_key+1, created_at, body->>'$.x', 'lit', NULL, 1.50 FROM shop.trips AS t WHERE row_key = 'a'",
    );
    let columns = read.shape.columns();
    let names: Vec<_> = columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["row_key", "b", "ref_key+1", "created_at", "body->>'$.x'", "lit", "NULL", "1.50"]);
    let types: Vec<_> = columns.iter().map(|c| c.ty).collect();
    assert_eq!(
        types,
        [
            ColumnType::Text,
            ColumnType::Json,
            ColumnType::BigInt,
            ColumnType::DateTime,
            ColumnType::Text,
            ColumnType::Text,
            ColumnType::Null,
            ColumnType::Decimal
        ]
    );
    let key = &columns[0];
    assert_eq!((key.schema.as_str(), key.table.as_str(), key.org_table.as_str()), ("shop", "t", "trips"));
    assert!(key.primary_key && !key.nullable);
    assert_eq!((columns[1].org_name.as_str(), columns[3].decimals, columns[7].decimals), ("body", 6, 2));
}
