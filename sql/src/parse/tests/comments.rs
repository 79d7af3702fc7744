//! Comments, and those that run.

use std::time::Duration;

use super::one;
use crate::command::Command;
use crate::environment::SqlMode;
use crate::error::SqlError;
use crate::parse::parse;
use crate::testing::{bound, value};

#[test]
fn comments_are_blanks_except_those_that_run() {
    assert_eq!(value("1 /* a */ + -- b\n 1 # c\n + 1"), "3");
    assert_eq!(value("1 /*!40000 + 1 */ /*!99999 + 1 */ /*M!100100 + 1 */ /*! + 1 */"), "3");
    assert_eq!(value("5--1"), "6", "two signs are no comment without a blank");
    assert_eq!(value("/*!50000 1 /* inner */ + 1 */"), "2");
    for empty in ["", " ; ;; "] {
        assert_eq!(parse(empty, SqlMode::default()).map(|s| s.len()), Err(SqlError::Empty), "{empty}");
    }
    assert_eq!(one("/*+ MAX_EXECUTION_TIME(5) */ SELECT 1").max_execution_time(), Some(Duration::from_millis(5)));
    assert_eq!(
        one("SELECT /*+ SET_VAR(x=1) max_execution_time( 250 ) */ 1").max_execution_time(),
        Some(Duration::from_millis(250))
    );
    assert_eq!(one("SELECT 1").max_execution_time(), None);
    for open in ["/* x", "/*! SELECT 1", "SELECT 'x", "SELECT `x", "SELECT \"x"] {
        assert!(matches!(parse(open, SqlMode::default()), Err(SqlError::Syntax { .. })), "{open}");
    }
}

#[test]
fn a_statement_keeps_its_executable_comments_whole() {
    for (text, kept) in [
        ("SELECT table_name /*!50000 FROM tables */", "SELECT table_name /*!50000 FROM tables */"),
        ("/*!50000 SELECT */ table_name FROM tables", "/*!50000 SELECT */ table_name FROM tables"),
        ("/*!50000 SELECT table_name FROM tables */ ;", "SELECT table_name FROM tables"),
        (
            "/*!50000 SELECT */ table_name /*!50000 FROM tables */",
            "/*!50000 SELECT */ table_name /*!50000 FROM tables */",
        ),
        ("/*!999999 no */ SELECT 1 -- end", "SELECT 1"),
        ("SELECT /*!50000 1 */ + 1", "SELECT /*!50000 1 */ + 1"),
        ("/* a */ SELECT 1 /* b */", "SELECT 1"),
    ] {
        let statement = one(text);
        assert_eq!(statement.text(), kept, "{text}");
        assert_eq!(one(kept).text(), kept);
        if kept.contains("tables") {
            assert!(crate::parse::relational(&statement).is_ok(), "{text}");
        }
    }
    let several = parse("/*!50000 SELECT 1; SELECT 2 */ + 1", SqlMode::default()).unwrap();
    assert_eq!(
        several.iter().map(crate::Statement::text).collect::<Vec<_>>(),
        ["SELECT 1", "/*!50000 SELECT 2 */ + 1"]
    );
    assert_eq!(one("SELECT 'x' /*!50000 FROM t */").masked(), "SELECT ? /*!50000 FROM t */");
}

#[test]
fn a_statement_knows_the_line_it_begins_in() {
    for (text, lines) in [
        ("SELECT 1;\nSELECT 1;\n\n SELECT\n1; SELECT 2", &[1, 2, 4, 5][..]),
        ("/* a\n */ SELECT 1", &[2]),
        ("SELECT 1;\n/*!50000 SELECT 2; SELECT 3 */ + 1", &[1, 2, 2]),
        ("SELECT 1;\nCREATE USER a IDENTIFIED BY 'x'", &[1, 2]),
    ] {
        let statements = parse(text, SqlMode::default()).unwrap();
        assert_eq!(statements.iter().map(crate::Statement::line).collect::<Vec<_>>(), lines, "{text}");
    }
}

#[test]
fn a_text_of_nothing_but_comments_does_nothing() {
    for text in ["/* c */", "-- c", "# c", "/*M!100616 SET x=1 */;", "/*!99999 nonsense */", " /* a */ -- b\n ; "] {
        assert!(matches!(bound(text), Ok(Command::Nothing)), "{text}");
    }
    for empty in ["", " ", ";", " ;; "] {
        assert_eq!(parse(empty, SqlMode::default()).map(|s| s.len()), Err(SqlError::Empty), "{empty}");
    }
    assert_eq!(parse("SELECT 1; /* c */", SqlMode::default()).map(|s| s.len()), Ok(1));
}

#[test]
fn tags_are_kept_for_the_log_and_other_comments_are_not() {
    let tags = |text: &str| parse(text, SqlMode::default()).unwrap().remove(0).tags();
    assert_eq!(
        tags("/* app:shop */ SELECT 1 /* a secret */ /*traceparent='00-1',x='y'*/"),
        "app:shop,traceparent='00-1',x='y'"
    );
    assert_eq!(tags("SELECT 1 -- app:shop"), "");
    assert_eq!(tags("SELECT /*+ MAX_EXECUTION_TIME(5) */ 1"), "");
}
