//! What is compared with keys.

use cellgate_schemaless::{ColumnFilter, NewCell, Request, RowKey, RowSet};

use super::cells;
use crate::command::{Command, Source};
use crate::error::SqlError;
use crate::testing::{Session, bound, bound_with, cell, read, read_with, rows, run};
use crate::value::Value;

#[test]
fn a_number_as_a_key_is_its_text() {
    let mut cells = cells();
    cells.push(cell("5", "X", 1, "1", 50));
    for condition in [
        "row_key = 5",
        "5 = row_key",
        "row_key = 5.0",
        "row_key IN (5, 6)",
        "row_key = '5'",
        "(row_key, column_key) IN ((5, 'X'))",
    ] {
        let text = format!("SELECT ref_key FROM trips WHERE {condition}");
        let expected: &[&str] = if condition == "row_key = 5.0" { &[] } else { &["1"] };
        assert_eq!(rows(&text, &cells), expected, "{condition}");
    }
    let read = read_with(&Session::new(), "SELECT ref_key FROM trips WHERE row_key = ?", &[Value::Double(5.0)]);
    assert_eq!(run(&read, &cells).unwrap().len(), 1);
}

#[test]
fn a_long_number_given_as_a_double_is_the_key_of_the_integer_it_stands_for() {
    let given = [Value::Double(1_790_000_000_000_123.0)];
    let env = Session::new();
    let cells = [cell("1790000000000123", "X", 1, "1", 50)];
    for condition in ["row_key = ?", "row_key IN ('x', ?)", "(row_key, column_key) = (?, 'X')"] {
        let read = read_with(&env, &format!("SELECT ref_key FROM trips WHERE {condition}"), &given);
        assert_eq!(run(&read, &cells).unwrap().len(), 1, "{condition}");
    }
    for column in ["row_key", "column_key"] {
        let other = if column == "row_key" { "column_key" } else { "row_key" };
        let text = format!("INSERT INTO trips ({column}, {other}, ref_key, body) VALUES (?, 'X', 1, '1')");
        let Command::Put(put) = bound_with(&env, &text, &given).unwrap() else { panic!("a put") };
        let NewCell { row, column: column_key, .. } = &put.cells[0];
        let key = if column == "row_key" { row.as_bytes() } else { column_key.as_bytes() };
        assert_eq!(&key[..], b"1790000000000123", "{column}");
    }
    // What is computed is the text it has anywhere else, compared and stored.
    let read = read_with(&env, "SELECT ref_key FROM trips WHERE row_key = ? + 0e0", &given);
    assert_eq!(run(&read, &[cell("1.790000000000123e15", "X", 1, "1", 50)]).unwrap().len(), 1);
    let computed = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (? + 0e0, 'X', 1, '1')";
    let Command::Put(put) = bound_with(&env, computed, &given).unwrap() else { panic!("a put") };
    assert_eq!(&put.cells[0].row.as_bytes()[..], b"1.790000000000123e15");
}

#[test]
fn a_number_is_a_keys_text_in_every_comparison() {
    let cells = ["5", "05", "5x"].map(|key| cell(key, "X", 1, "1", 50));
    for condition in [
        "row_key = 5",
        "1 = (row_key = 5)",
        "(row_key = 5) = 1",
        "(row_key = 5) IN (1)",
        "1 IN (row_key = 5)",
        "(row_key = 5) BETWEEN 1 AND 1",
        "CASE row_key WHEN 5 THEN 1 ELSE 0 END",
        "CASE 5 WHEN row_key THEN 1 ELSE 0 END",
        "CASE WHEN 1 = (row_key = 5) THEN 1 END",
        "5 IN (row_key)",
        "5 IN (6, row_key)",
        "NOT (5 NOT IN (6, row_key))",
        "5 BETWEEN row_key AND row_key",
        "4 + 1 = row_key",
        "4 + 1 IN (6, row_key)",
        "LENGTH(row_key) + 4 = row_key",
        "LEAST(5, 'x') = row_key",
        "(5, 1) IN ((row_key, ref_key))",
    ] {
        assert_eq!(rows(&format!("SELECT row_key FROM trips WHERE {condition}"), &cells), ["5"], "{condition}");
    }
    // Nothing is copied over and over.
    let deep = (0..60).fold("5".to_owned(), |inner, _| format!("({inner} BETWEEN row_key AND 7)"));
    for refused in [
        "4 + 1 = row_key = row_key",
        "LENGTH(row_key) + 4 IN (6, row_key)",
        deep.as_str(),
        // BETWEEN would compare all three as numbers.
        "LOWER(body->>'$.x') BETWEEN row_key AND 5",
        "LOWER(body->>'$.x') NOT BETWEEN 5 AND row_key",
        "body->'$.n' BETWEEN row_key AND 7",
        "IFNULL(body->'$.n', 7) IN (row_key, 7)",
    ] {
        let refusal = bound(&format!("SELECT row_key FROM trips WHERE {refused}")).map(|_| ()).unwrap_err();
        assert!(matches!(refusal, SqlError::Unsupported { .. }), "{refused}: {refusal}");
    }
}

#[test]
fn bytes_are_a_key_also_beside_a_number() {
    let cells = ["5", "65", "A"].map(|key| cell(key, "X", 1, "1", 50));
    for (condition, expected) in [
        ("row_key IN (X'41', 5)", &["5", "A"][..]),
        ("row_key IN (5, 0x41)", &["5", "A"]),
        ("row_key NOT IN (X'41', 5)", &["65"]),
        ("CASE row_key WHEN X'41' THEN 1 WHEN 5 THEN 0 END", &["A"]),
        ("X'41' IN (row_key, 5)", &["A"]),
        ("ref_key IN (X'01', 5) AND row_key = 'A'", &["A"]),
    ] {
        assert_eq!(rows(&format!("SELECT row_key FROM trips WHERE {condition}"), &cells), expected, "{condition}");
    }
}

#[test]
fn what_is_no_number_compares_with_a_key_as_it_is() {
    let cells = [
        cell("a", "BASE", 1, r#"{"parent":"a","k":"BASE","n":5}"#, 1),
        cell("b", "BASE", 1, r#"{"parent":"a","k":"b","n":5}"#, 2),
        cell("5", "BASE", 1, r#"{"parent":"5","n":5}"#, 3),
    ];
    for (condition, expected) in [
        // JSON by what it holds.
        ("body->'$.parent' = row_key", &["a", "5"][..]),
        ("row_key = body->'$.parent'", &["a", "5"]),
        ("row_key <=> body->'$.parent'", &["a", "5"]),
        ("JSON_EXTRACT(body, '$.parent') = row_key", &["a", "5"]),
        ("body->'$.k' = column_key", &["a"]),
        ("body->'$.k' IN (row_key)", &["b"]),
        ("body->'$.k' IN (row_key, column_key)", &["a", "b"]),
        ("body->'$.k' IN (row_key, 'BASE')", &["a", "b"]),
        ("row_key IN (body->'$.parent', 'b')", &["a", "b", "5"]),
        ("body->'$.parent' BETWEEN row_key AND row_key", &["a", "5"]),
        ("CASE body->'$.parent' WHEN row_key THEN 1 END", &["a", "5"]),
        ("body->'$.n' = row_key", &[]),
        ("row_key = CAST('\"a\"' AS JSON)", &["a"]),
        ("body->>'$.n' = row_key", &["5"]),
        // Text by its bytes, also where other values than keys stand beside it.
        ("LOWER(body->>'$.parent') IN (row_key, 'x')", &["a", "5"]),
        ("CONCAT('', 'b') IN (row_key, 'x')", &["b"]),
        ("LEFT(row_key, 1) BETWEEN row_key AND 'z'", &["a", "b", "5"]),
        ("CASE LOWER(row_key) WHEN row_key THEN row_key = 'b' WHEN 'x' THEN 1 END", &["b"]),
        ("(LOWER(row_key), 'BASE') IN ((row_key, column_key), ('x', 'y'))", &["a", "b", "5"]),
    ] {
        assert_eq!(rows(&format!("SELECT row_key FROM trips WHERE {condition}"), &cells), expected, "{condition}");
    }
    // A declared column.
    let cells = [cell("a", "STATUS", 1, "\"a\"", 1), cell("b", "STATUS", 1, "\"c\"", 2)];
    for condition in ["STATUS = row_key", "row_key = STATUS", "STATUS IN (row_key)", "STATUS IN (row_key, 'x')"] {
        assert_eq!(rows(&format!("SELECT row_key FROM trips WHERE {condition}"), &cells), ["a"], "{condition}");
    }
    // A JSON value in a parameter or variable is the key of its content, too.
    let session = Session::new();
    for (condition, parameter) in [
        ("row_key = ?", Value::Json("\"a\"".into())),
        // So is one that is made of constants.
        ("row_key = CAST(? AS JSON)", Value::Text("\"a\"".into())),
        ("CAST(? AS JSON) <=> row_key", Value::Text("\"a\"".into())),
        ("row_key IN (JSON_EXTRACT(?, '$.id'), 'a')", Value::Text(r#"{"id":"a"}"#.into())),
    ] {
        let text = format!("SELECT row_key FROM trips WHERE {condition}");
        match read_with(&session, &text, &[parameter]).source {
            Source::Cells(Request::Rows { scan, .. }) => {
                assert_eq!(scan.set, RowSet::Rows(vec![RowKey::new("a").unwrap()], ColumnFilter::All), "{condition}");
            }
            other => panic!("{condition}: {other:?}"),
        }
    }
    let Source::Cells(Request::Rows { scan, .. }) =
        read("SELECT body FROM trips WHERE row_key = 'a' AND column_key = JSON_EXTRACT('{\"c\":\"X\"}', '$.c')").source
    else {
        panic!("not by key")
    };
    assert!(!matches!(scan.set, RowSet::Rows(_, ColumnFilter::All)), "{:?}", scan.set);
}

#[test]
fn a_number_or_time_beside_json_is_a_keys_text() {
    let cells = [
        cell("abc", "X", 1, "{}", 1),
        cell("0", "X", 1, "{}", 2),
        cell("5", "X", 1, r#"{"parent":"5","n":5}"#, 3),
        cell("kid", "X", 1, r#"{"parent":"kid","p":"kid"}"#, 4),
        cell("2023-11-14 22:13:25.000000", "X", 1, "{}", 5),
    ];
    let time = "2023-11-14 22:13:25.000000";
    for (condition, expected) in [
        ("IFNULL(body->'$.parent', 0) = row_key", &["0", "5", "kid"][..]),
        ("IF(row_key > '', body->'$.parent', 5) = row_key", &["5", "kid"]),
        ("IF(row_key = 'kid', body->'$.parent', 5) = row_key", &["5", "kid"]),
        ("row_key = CASE WHEN ref_key > 1 THEN body->'$.parent' ELSE 5 END", &["5"]),
        ("row_key IN (CASE WHEN ref_key = 1 THEN 0 ELSE body->'$.parent' END)", &["0"]),
        ("COALESCE(body->'$.p', created_at) = row_key", &[time, "kid"]),
        ("COALESCE(body->'$.p', body->'$.parent', IF(ref_key = 1, 0, 'x')) = row_key", &["0", "5", "kid"]),
        ("IFNULL(IFNULL(body->'$.parent', 0), 'x') = row_key", &["0", "5", "kid"]),
        ("IFNULL(body->'$.parent', 0) BETWEEN row_key AND row_key", &["0", "5", "kid"]),
        ("CASE COALESCE(body->'$.parent', 0) WHEN row_key THEN 1 END", &["0", "5", "kid"]),
        ("LOWER(IFNULL(body->>'$.parent', 0)) IN (row_key, 'x')", &["0", "5", "kid"]),
        ("GREATEST(5, X'04') = row_key", &["5"]),
    ] {
        assert_eq!(rows(&format!("SELECT row_key FROM trips WHERE {condition}"), &cells), expected, "{condition}");
    }
    let cells = [cell("abc", "BASE", 1, "{}", 1), cell("0", "BASE", 1, "{}", 2), cell("st", "STATUS", 1, "\"st\"", 3)];
    assert_eq!(rows("SELECT row_key FROM trips WHERE COALESCE(BASE, 0) IN (row_key)", &cells), Vec::<String>::new());
    let of_rows = "SELECT row_key FROM trips WHERE IF(BASE IS NULL, STATUS, 0) IN (row_key) ORDER BY row_key";
    assert_eq!(rows(of_rows, &cells), ["0", "st"]);
    // The shard of a key is a number, too.
    let cells: Vec<_> = (0..80).map(|n| cell(&format!("{}k{n}", n % 8), "X", 1, "1", n)).collect();
    let of = |condition: &str| rows(&format!("SELECT row_key FROM trips WHERE {condition}"), &cells);
    assert_ne!(of("shard = LEFT(row_key, 1) AND shard <> 5"), Vec::<String>::new());
    assert_eq!(of("SHARD_OF(row_key) IN (row_key, 5)"), of("shard = 5"));
    // However deep.
    let nested = (0..100).fold("0".to_owned(), |inner, _| format!("IFNULL(body->'$.none', {inner})"));
    assert_eq!(of(&format!("{nested} = row_key")), Vec::<String>::new());
}
