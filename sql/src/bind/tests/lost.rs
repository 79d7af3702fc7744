//! Text that is not all of the number or time that is read out of it: a warning where a row shows it, an error where it is
//! stored, and nothing where it decides what is read.

use super::noted;
use crate::command::Source;
use crate::environment::SqlMode;
use crate::error::SqlError;
use crate::testing::{Session, bound, bound_with, cell, read};
use crate::value::Value;

/// The messages a SELECT of this expression over a row with the body `"12ab"` warns with.
fn told(expression: &str) -> Vec<String> {
    let read = read(&format!("SELECT {expression} FROM trips WHERE row_key = 'r'"));
    let (_, notes) = noted(&read, &[cell("r", "c", 1, "\"12ab\"", 11)]);
    notes.iter().map(ToString::to_string).collect()
}

#[test]
fn a_select_warns_of_text_that_is_no_number_to_its_end() {
    for (expression, ty) in [
        ("body->>'$' + 1", "DOUBLE"),
        ("1 - body->>'$'", "DOUBLE"),
        ("body->>'$' DIV 2", "DECIMAL"),
        ("MOD(body->>'$', 5)", "DOUBLE"),
        ("-(body->>'$')", "DOUBLE"),
        ("body->>'$' AND 1", "DOUBLE"),
        ("NOT body->>'$'", "DOUBLE"),
        ("body->>'$' XOR 1", "DOUBLE"),
        ("body->>'$' IS TRUE", "DOUBLE"),
        ("IF(body->>'$', 1, 2)", "DOUBLE"),
        ("CASE WHEN body->>'$' THEN 1 END", "DOUBLE"),
        ("CASE body->>'$' WHEN 1 THEN 2 WHEN 3 THEN 4 END", "DOUBLE"),
        ("body->>'$' = 12", "DOUBLE"),
        ("body->>'$' IN (1, 2, 3)", "DOUBLE"),
        ("2 IN (body->>'$', 2)", "DOUBLE"),
        ("body->>'$' BETWEEN 1 AND 20", "DOUBLE"),
        ("body->>'$' | 1", "INTEGER"),
        ("~(body->>'$')", "INTEGER"),
        ("CAST(body->>'$' AS SIGNED)", "INTEGER"),
        ("CAST(body->>'$' AS DECIMAL(5, 2))", "DECIMAL"),
        ("CAST(body->>'$' AS CHAR(2))", "CHAR(2)"),
        ("ABS(body->>'$')", "DOUBLE"),
        ("LEFT('abc', body->>'$')", "INTEGER"),
        ("INTERVAL(1, body->>'$', 2)", "DOUBLE"),
        ("SUM(body->>'$')", "DOUBLE"),
    ] {
        assert_eq!(told(expression), [format!("Truncated incorrect {ty} value: '12ab'")], "{expression}");
    }
    for expression in
        ["DATE_ADD(body->>'$', INTERVAL 1 DAY)", "CAST(body->>'$' AS DATETIME)", "UNIX_TIMESTAMP(body->>'$')"]
    {
        assert_eq!(told(expression), ["Incorrect datetime value: '12ab'"], "{expression}");
    }
    for expression in
        ["CONCAT(body->>'$', 1)", "body->>'$' = '12'", "'5 ' + 1", "'' + 1", "body->>'$' IS NULL", "body = 12"]
    {
        assert_eq!(told(expression), [""; 0], "{expression}");
    }
}

#[test]
fn a_value_that_lost_something_is_not_stored() {
    let insert =
        |value: &str| format!("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'c', {value}, '1')");
    for value in
        ["'1x' + 1", "CAST('1x' AS SIGNED)", "IF('x', 1, 2)", "'x' = 0", "LEFT('123', '1x')", "SHARD_OF('x' + 1)"]
    {
        let error = bound(&insert(value));
        assert!(matches!(&error, Err(SqlError::Truncated { .. })), "{value}: {error:?}");
        // Whatever becomes of a division by zero.
        let mut env = Session::new();
        env.mode = SqlMode { divides_by_zero: true, ..env.mode };
        let error = bound_with(&env, &insert(value), &[]);
        assert!(matches!(&error, Err(SqlError::Truncated { .. })), "{value}: {error:?}");
    }
    let error = bound(&insert("DATE_ADD('x', INTERVAL 1 DAY)"));
    assert!(matches!(&error, Err(SqlError::NoTime(text)) if text == "x"), "{error:?}");
    let ignored = bound(&insert("'1x' + 1").replace("INSERT", "INSERT IGNORE"));
    assert!(ignored.is_ok(), "{ignored:?}");
}

#[test]
fn a_key_is_made_of_what_is_left() {
    let read = read("SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'c' AND ref_key = '1x' + 1");
    assert!(!read.scatter && matches!(read.source, Source::Cells(_)), "{:?}", read.source);
}

#[test]
fn text_is_the_integer_it_begins_with() {
    for (expression, value) in [
        ("LEFT('abc', '1.5')", Value::Text("a".into())),
        ("CAST('99999999999999999999' AS SIGNED)", Value::Int(-1)),
        ("CAST('9223372036854775808' AS SIGNED)", Value::Int(i64::MIN)),
        ("JSON_ARRAY(1e300)", Value::Json("[1e300]".into())),
    ] {
        let (rows, _) = noted(&read(&format!("SELECT {expression}")), &[]);
        assert_eq!(rows, [[value]], "{expression}");
    }
}

#[test]
fn a_group_is_of_what_its_key_shows() {
    for select in [
        "SELECT ref_key + CAST('1x' AS SIGNED) AS k, COUNT(*) FROM trips WHERE row_key = 'r' GROUP BY k",
        "SELECT ref_key + CAST('1x' AS SIGNED) AS k, COUNT(*) FROM trips WHERE row_key = 'r' GROUP BY 1",
        "SELECT ref_key + CAST('1x' AS SIGNED), COUNT(*) FROM trips WHERE row_key = 'r' GROUP BY ref_key + CAST('1x' AS SIGNED)",
        "SELECT ref_key + '1x' AS k, COUNT(*) FROM trips WHERE row_key = 'r' GROUP BY k HAVING ABS(ref_key + '1x') > 1",
        "SELECT ref_key + CAST('1x' AS SIGNED) AS k, COUNT(*) FROM trips WHERE row_key = 'r' GROUP BY ref_key + CAST('1x' AS SIGNED)
         HAVING ABS(ref_key + CAST('1x' AS SIGNED)) > 1 ORDER BY -(ref_key + CAST('1x' AS SIGNED))",
    ] {
        let (rows, notes) = noted(&read(select), &[cell("r", "c", 1, "1", 11), cell("r", "c", 1, "2", 12)]);
        let told: Vec<_> = notes.iter().map(ToString::to_string).collect();
        assert_eq!(rows.iter().filter_map(|row| row.get(1)).collect::<Vec<_>>(), [&Value::Int(2)], "{select}");
        assert!(told.iter().all(|told| told.ends_with(" value: '1x'")) && !told.is_empty(), "{select}: {told:?}");
    }
}

#[test]
fn nothing_is_erased_by_what_is_left_of_a_value() {
    let erased = |condition: &str| bound(&format!("DELETE FROM trips WHERE row_key = 'a' AND {condition}"));
    for condition in [
        "column_key = 'c' AND ref_key = 1 + '1x'",
        "column_key = 'c' AND CAST('1x' AS SIGNED) + 1 = ref_key",
        "column_key = 'c' AND ref_key = CAST('1x' AS SIGNED)",
        "column_key = 'c' AND ref_key IN (7, CAST('1x' AS SIGNED))",
        "column_key = LEFT('cx', '1x')",
        "column_key IN ('d', LEFT('cx', '1x'))",
        "(column_key, ref_key) IN (('c', 7), ('c', 1 + '1x'))",
        "(column_key = 'c' AND ref_key = 7 OR column_key = 'c' AND ref_key = 1 + '1x')",
    ] {
        let error = erased(condition);
        assert!(matches!(&error, Err(SqlError::Truncated { .. })), "{condition}: {error:?}");
    }
    // What is computed to the left of a column is not taken for a key.
    let error = erased("column_key = 'c' AND 1 + '1x' = ref_key");
    assert!(error.is_err(), "{error:?}");
    let error = erased("column_key = DATE_ADD('x', INTERVAL 1 DAY)");
    assert!(matches!(&error, Err(SqlError::NoTime(_))), "{error:?}");
    for condition in ["column_key = 'c' AND ref_key = 1 + '1'", "column_key = LEFT('cx', '1')", "1 + '1'"] {
        let erased = erased(condition);
        assert!(erased.is_ok(), "{condition}: {erased:?}");
    }
}
