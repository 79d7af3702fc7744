//! What is told of a statement before its parameters are known.

use super::super::Description;
use crate::error::SqlError;
use crate::parse::StatementKind;
use crate::testing::Session;

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
