//! How many rows there are before LIMIT, and aggregates that stand in several clauses.

use std::sync::Arc;
use std::time::Duration;

use cellgate_sql::Value;

use super::super::State;
use super::Session;

#[test]
fn rows_that_offset_leaves_out_are_counted_and_not_evaluated() {
    let session = Session::new();
    let numbers = "(SELECT 1 AS n UNION ALL SELECT 0 UNION ALL SELECT -1) x";
    let highest = "SELECT 9223372036854775807 + n AS m FROM";
    for (text, rows, found) in [
        (format!("{highest} {numbers} LIMIT 1 OFFSET 1"), 1, 2),
        (format!("({highest} {numbers} LIMIT 5 OFFSET 1)"), 2, 3),
        (format!("{highest} {numbers} LIMIT 1 OFFSET 5"), 0, 3),
        (format!("SELECT n FROM {numbers} ORDER BY n LIMIT 2 OFFSET 2"), 1, 3),
        (format!("SELECT n FROM {numbers} ORDER BY n LIMIT 2 OFFSET 3"), 0, 3),
        (format!("SELECT n FROM {numbers} ORDER BY n LIMIT 2 OFFSET 18446744073709551615"), 0, 3),
        (format!("SELECT n FROM {numbers} WHERE n > 7 LIMIT 1 OFFSET 1"), 0, 0),
        (format!("SELECT DISTINCT n * n AS m FROM {numbers} LIMIT 1 OFFSET 7"), 0, 2),
        (format!("SELECT n FROM {numbers} LIMIT 0 OFFSET 1"), 0, 0),
        (format!("SELECT SQL_CALC_FOUND_ROWS n FROM {numbers} LIMIT 1 OFFSET 1"), 1, 3),
        (format!("SELECT n FROM {numbers} LIMIT 2"), 2, 2),
    ] {
        let program = Arc::new(session.program(&text, &[]).unwrap());
        let (until, _waiting) = super::until(Duration::from_secs(180));
        let outcome = session.engine.run_now(&program, &session.catalog, &State::default(), &until);
        let outcome = outcome.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((outcome.rows.len(), outcome.found), (rows, found), "{text}");
    }
    let parameters = [Value::Int(1), Value::Int(2)];
    let rows = session.run("SELECT n + ? FROM (SELECT 1 AS n) x LIMIT 1 OFFSET ?", &parameters);
    assert_eq!(rows.unwrap(), [] as [Vec<Value>; 0]);
}

#[test]
fn one_group_concat_in_several_clauses_is_computed_once() {
    let session = Session { bytes: 3000, ..Session::new() };
    let long = "a".repeat(600);
    let rows = format!("(SELECT '{long}' AS a UNION ALL SELECT '{long}') x");
    let joined = "GROUP_CONCAT(a)";
    let text = format!("SELECT {joined} AS j FROM {rows} HAVING {joined} > '' ORDER BY {joined} DESC, {joined}");
    let program = Arc::new(session.program(&text, &[]).unwrap());
    let (until, _waiting) = super::until(Duration::from_secs(180));
    let outcome = session.engine.run_now(&program, &session.catalog, &State::default(), &until).unwrap();
    assert_eq!(outcome.rows.len(), 1);
    let notes: Vec<String> = program.notes().take().iter().map(ToString::to_string).collect();
    assert_eq!(notes, ["Row 2 was cut by GROUP_CONCAT()"]);
    // Those of two SELECTs count their rows each.
    let text = format!("SELECT {joined} FROM {rows} UNION ALL SELECT {joined} FROM {rows}");
    let program = Arc::new(Session::new().program(&text, &[]).unwrap());
    let (until, _waiting) = super::until(Duration::from_secs(180));
    session.engine.run_now(&program, &session.catalog, &State::default(), &until).unwrap();
    let notes: Vec<String> = program.notes().take().iter().map(ToString::to_string).collect();
    assert_eq!(notes, ["Row 2 was cut by GROUP_CONCAT()"; 2]);
}

#[test]
fn rows_beyond_those_that_are_sent_are_not_made() {
    let session = Session::new();
    let run = |text: &str, most: u64| {
        let program = Arc::new(session.program(text, &[]).unwrap().at_most(most));
        let (until, _waiting) = super::until(Duration::from_secs(180));
        let outcome = session.engine.run_now(&program, &session.catalog, &State::default(), &until).unwrap();
        (outcome.rows.len(), outcome.found)
    };
    // More than may be collected.
    assert_eq!(run("SELECT 1 FROM information_schema.COLUMNS a, information_schema.COLUMNS b", 1000), (1000, 1000));
    let numbers = "(SELECT 1 AS n UNION ALL SELECT 0 UNION ALL SELECT 1) x";
    // The next one cannot be made.
    assert_eq!(run("SELECT 9223372036854775806 + n FROM (SELECT 1 AS n UNION ALL SELECT 2) x", 1), (1, 1));
    assert_eq!(run(&format!("SELECT n FROM {numbers}"), 0), (0, 0));
    assert_eq!(run(&format!("SELECT n FROM {numbers} LIMIT 2"), 1), (2, 2));
    assert_eq!(run(&format!("SELECT SQL_CALC_FOUND_ROWS n FROM {numbers}"), 1), (1, 3));
    assert_eq!(run(&format!("SELECT SQL_CALC_FOUND_ROWS n FROM {numbers} LIMIT 2"), 1), (2, 3));
    assert_eq!(run(&format!("SELECT n FROM {numbers}"), 5), (3, 3));
}
