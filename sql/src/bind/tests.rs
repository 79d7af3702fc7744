//! Statements bound, and run over cells.

mod descriptions;
mod divisions;
mod limits;
mod lost;
mod lowering;
mod numbers;
mod parameters;
mod patience;
mod values;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cellgate_schemaless::{
    Cell, ColumnFilter, Direction, Erasure, LatestKey, NewCell, RefKey, RefRange, Request, RowKey, RowSet, ShardId,
    Version,
};

use crate::command::{Command, Put, Source};
use crate::error::SqlError;
use crate::relational::RelationalError;
use crate::testing::{Session, bound, bound_with, cell, computed, read, read_with, rows, run, shown};
use crate::value::{ColumnType, Value};

fn cells() -> Vec<Cell> {
    vec![
        cell("a", "BASE", 1, r#"{"fare":10,"city":"SF"}"#, 11),
        cell("a", "BASE", 2, r#"{"fare":12,"city":"SF"}"#, 12),
        cell("a", "STATUS", 1, r#""done""#, 13),
        cell("b", "BASE", 1, r#"{"fare":7,"city":"NY"}"#, 21),
        cell("c", "STATUS", 5, r#""open""#, 31),
        cell("c", "NOTE", 1, r#"[1,2]"#, 32),
    ]
}

fn request(text: &str) -> Request {
    match read(text).source {
        Source::Cells(request) => request,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn three_keys_are_a_get() {
    let Request::Get { keys, .. } =
        request("SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 2")
    else {
        panic!("not a get")
    };
    assert_eq!(keys.len(), 1);
    assert_eq!(
        rows("SELECT body FROM trips WHERE ref_key = '2' AND column_key = 'BASE' AND row_key = 'a'", &cells()),
        [r#"{"fare":12,"city":"SF"}"#]
    );
}

#[test]
fn the_latest_cell_is_asked_for_as_such() {
    let latest = |text: &str| match request(text) {
        Request::Latest { keys, .. } => keys.into_iter().map(|k: LatestKey| k.at_most).collect::<Vec<_>>(),
        other => panic!("{text}: {other:?}"),
    };
    let base = "SELECT body FROM trips WHERE row_key = 'a' AND column_key = 'BASE'";
    assert_eq!(latest(&format!("{base} ORDER BY ref_key DESC LIMIT 1")), [None]);
    assert_eq!(latest(&format!("{base} AND ref_key <= 1 ORDER BY ref_key DESC LIMIT 1")), [Some(RefKey(1))]);
    assert_eq!(latest(&format!("{base} AND ref_key < 1.5 ORDER BY ref_key DESC LIMIT 0, 1")), [Some(RefKey(1))]);
    // More than the latest is asked for, or it must be filtered first.
    for (rest, limit) in [
        ("ORDER BY ref_key DESC LIMIT 2", Some(2)),
        ("AND body->>'$.fare' = '10' ORDER BY ref_key DESC LIMIT 1", None),
        ("AND ref_key >= 1 ORDER BY ref_key DESC LIMIT 1", Some(1)),
        ("ORDER BY ref_key DESC LIMIT 1 OFFSET 1", Some(2)),
    ] {
        let Request::Rows { scan, .. } = request(&format!("{base} {rest}")) else { panic!("{rest}") };
        assert_eq!((scan.direction, scan.limit), (Direction::Descending, limit), "{rest}");
    }
    let filtered = format!("{base} AND body->>'$.fare' = '10' ORDER BY ref_key DESC LIMIT 1");
    assert_eq!(rows(&filtered, &cells()), [r#"{"fare":10,"city":"SF"}"#]);
}

#[test]
fn the_cells_of_rows_come_in_key_order() {
    let Request::Rows { scan, .. } =
        request("SELECT * FROM trips WHERE row_key IN ('b', 'a', 'a') AND ref_key BETWEEN 1 AND 2 ORDER BY row_key")
    else {
        panic!("not rows")
    };
    assert_eq!(scan.refs, RefRange { min: Some(RefKey(1)), max: Some(RefKey(2)) });
    let RowSet::Rows(keys, ColumnFilter::All) = scan.set else { panic!("{:?}", scan.set) };
    assert_eq!(keys, [RowKey::new("a").unwrap(), RowKey::new("b").unwrap()]);
    assert_eq!(
        rows(
            "SELECT row_key, column_key, ref_key FROM trips WHERE row_key IN ('a', 'c') ORDER BY 1 DESC, 2 DESC, 3 DESC",
            &cells()
        ),
        ["c|STATUS|5", "c|NOTE|1", "a|STATUS|1", "a|BASE|2", "a|BASE|1"]
    );
}

#[test]
fn what_a_choice_gives_is_of_one_type() {
    let versions = [2, 10, 9].map(|version| cell("a", "BASE", version, "{}", version));
    let sorted = |by: &str| rows(&format!("SELECT ref_key FROM trips ORDER BY {by}"), &versions);
    assert_eq!(sorted("ref_key"), ["2", "9", "10"]);
    assert_eq!(sorted("IF(ref_key > 100, row_key, ref_key)"), ["10", "2", "9"]);
    assert_eq!(sorted("COALESCE(ref_key, 'x')"), ["10", "2", "9"]);
    assert_eq!(
        sorted("CASE WHEN ref_key = 9 THEN x'00' WHEN ref_key = 2 THEN created_at ELSE NULL END"),
        ["10", "9", "2"]
    );
    let given = |e: &str| rows(&format!("SELECT {e} FROM trips WHERE ref_key = 2"), &versions);
    assert_eq!(given("IF(ref_key > 1, ref_key, 0.25)"), ["2.00"]);
    assert_eq!(given("IFNULL(MAX(ref_key), 0e0) / 3"), ["0.6666666666666666"]);
    assert_eq!(given("COALESCE(body->'$.none', 'none')"), ["none"]);
}

#[test]
fn json_that_cannot_be_read_is_an_error_wherever_it_stands_among_what_is_sorted() {
    // As deep as a body may be: within an array it is too deep.
    let depth = cellgate_schemaless::limits::JSON_DEPTH;
    let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let by_array = read("SELECT ref_key FROM trips ORDER BY JSON_ARRAY(body)");
    for step in 1..40 {
        let body = |n: i64| if n % 20 == 0 { deep.clone() } else { (n * n * step % 1009).to_string() };
        let cells: Vec<_> = (0..400).map(|n| cell("a", "BASE", n, &body(n), n + 1)).collect();
        assert!(matches!(run(&by_array, &cells), Err(SqlError::Json { path: false, .. })), "{step}");
    }
}

#[test]
fn objects_are_sorted_by_the_values_of_their_members() {
    let bodies = ["1", "1.0", "1.5", "10", "9"].map(|n| format!("{{\"a\":{n}}}"));
    let cells: Vec<_> = (0..100).map(|n| cell("a", "BASE", n, &bodies[n as usize * 7 % 5], n + 1)).collect();
    let sorted = rows("SELECT body FROM trips ORDER BY body", &cells);
    let numbers: Vec<f64> = sorted.iter().map(|body| body[5..body.len() - 1].parse().unwrap()).collect();
    assert!(numbers.is_sorted() && numbers.len() == 100, "{numbers:?}");
}

#[test]
fn values_of_several_kinds_are_sorted_by_their_kinds() {
    let cells: Vec<_> = (1..200).map(|version| cell("a", "BASE", version, "{}", version)).collect();
    let text =
        "SELECT ref_key FROM trips ORDER BY IF(ref_key % 3 = 0, ?, IF(ref_key % 3 = 1, body, created_at)), ref_key";
    let sorted = run(&read_with(&Session::new(), text, &[Value::Int(5)]), &cells).unwrap();
    assert_eq!(sorted.len(), cells.len());
    assert_eq!(sorted.iter().take(3).map(shown).collect::<Vec<_>>(), ["2", "5", "8"]);
}

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

#[test]
fn text_with_an_offset_is_the_moment_it_names() {
    // At 22:14:10 UTC.
    let cells = [cell("a", "X", 1, "1", 50)];
    for zone in ["SYSTEM", "+02:00", "-05:00"] {
        let mut env = Session::new();
        env.variables.insert("time_zone".to_owned(), Value::Text(zone.into()));
        let found = |condition: &str, params: &[Value]| {
            run(&read_with(&env, &format!("SELECT row_key FROM trips WHERE {condition}"), params), &cells)
                .unwrap()
                .len()
        };
        for at in ["2023-11-15 00:14:10+02:00", "2023-11-14T22:14:10.000Z", "2023-11-14 14:14:10-08:00"] {
            for condition in [
                "created_at = '@'",
                "'@' <=> created_at",
                "created_at <= '@' AND created_at >= '@'",
                "created_at BETWEEN '@' AND '@'",
                "created_at IN ('2023-01-01', '@')",
                "(row_key, created_at) = ('a', '@')",
                "created_at = CAST('@' AS DATETIME(6))",
                "created_at = DATE_ADD('@', INTERVAL 0 SECOND)",
                "UNIX_TIMESTAMP(created_at) = UNIX_TIMESTAMP('@')",
                "IF(created_at = '@', 1, 0)",
                "CASE created_at WHEN '2023-01-01' THEN 0 WHEN '@' THEN 1 END",
                "NULLIF(created_at, '@') IS NULL",
                "LENGTH('@') = @LENGTH",
            ] {
                let condition = condition.replace("@LENGTH", &at.len().to_string()).replace('@', at);
                assert_eq!(found(&condition, &[]), 1, "{zone} {condition}");
            }
            assert_eq!(found(&format!("created_at < '{at}' OR created_at > '{at}'"), &[]), 0, "{zone} {at}");
            assert_eq!(found("created_at = ?", &[Value::Text(at.into())]), 1, "{zone} {at}");
            let shard = format!("SELECT row_key FROM trips PARTITION (p1) WHERE created_at >= '{at}' LIMIT 1");
            let Source::Cells(Request::Log { scan, .. }) = read_with(&env, &shard, &[]).source else {
                panic!("not a log")
            };
            assert_eq!(scan.created_from.map(|t| t.0), Some(1_700_000_050_000_000), "{zone} {at}");
        }
    }
}

#[test]
fn a_number_beside_a_time_is_the_time_it_is() {
    let cells = [cell("a", "X", 1, "1", 50)];
    let Request::Log { scan, .. } =
        request("SELECT row_key FROM trips PARTITION (p1) WHERE created_at >= 20231114221320 LIMIT 1")
    else {
        panic!("not a log")
    };
    assert_eq!(scan.created_from.map(|t| t.0), Some(1_700_000_000_000_000));
    let at = rows("SELECT created_at FROM trips", &cells).remove(0);
    assert_eq!(at, "2023-11-14 22:14:10.000000");
    for (condition, holds) in [
        ("created_at < 20240101", true),
        ("created_at > 20240101", false),
        ("created_at > 20231114", true),
        ("created_at < 20231114", false),
        ("created_at < 231115", true),
        ("created_at = 20231114221410", true),
        ("created_at BETWEEN 20231114 AND 20231115", true),
        ("created_at BETWEEN '2023-11-14' AND 20231115", true),
        ("created_at BETWEEN '2023-11-15' AND 20240201", false),
        ("created_at NOT BETWEEN 20231115 AND '2024-02-01'", true),
        ("'2023-11-15' BETWEEN created_at AND 20240201", true),
        ("'2023-11-14' BETWEEN created_at AND 20240201", false),
        ("created_at < '23-11-15'", true),
        ("created_at > '23-11-15'", false),
        ("created_at > '231114'", true),
        ("20240101 > created_at", true),
    ] {
        let found = rows(&format!("SELECT row_key FROM trips WHERE {condition}"), &cells);
        assert_eq!(!found.is_empty(), holds, "{condition}");
    }
}

#[test]
fn an_aggregate_where_there_are_no_groups_is_no_use_of_one() {
    for text in [
        "SELECT COUNT(*) FROM trips WHERE COUNT(*) > 1",
        "SELECT 1 FROM trips WHERE COUNT(*) > 1",
        "SELECT COUNT(*) FROM trips GROUP BY COUNT(*)",
        "SELECT MAX(COUNT(*)) FROM trips",
    ] {
        let refusal = bound(text).unwrap_err();
        assert_eq!(refusal, SqlError::Relational(RelationalError::GroupFunction), "{text}");
    }
}

#[test]
fn a_partition_read_is_the_log_of_its_shards() {
    let Request::Log { scan, .. } = request(
        "SELECT row_key FROM trips PARTITION (p1, p3) WHERE added_id > 5 AND created_at >= '2023-11-14 22:13:20' \
         AND column_key = 'BASE' ORDER BY shard, added_id LIMIT 10",
    ) else {
        panic!("not a log")
    };
    assert_eq!(scan.shards, [ShardId(1), ShardId(3)]);
    assert_eq!(scan.limit, Some(10));
    assert_eq!(scan.added_after.map(|a| a.0), Some(5));
    assert_eq!(scan.created_from.map(|t| t.0), Some(1_700_000_000_000_000));
    assert!(!read("SELECT row_key FROM trips PARTITION (p1) ORDER BY added_id").scatter);
    assert!(read("SELECT row_key FROM trips").scatter);
    assert!(matches!(
        bound("SELECT * FROM trips WHERE added_id = 7"),
        Err(SqlError::Unsupported { what, .. }) if what.contains("added_id = n")
    ));
    assert!(bound("SELECT * FROM trips PARTITION (p0) WHERE added_id = 7").is_ok());
    assert!(bound("SELECT * FROM trips PARTITION (p8)").is_err(), "there are eight shards");
}

#[test]
fn the_row_shape_gives_the_latest_body_of_each_named_column() {
    assert_eq!(
        rows("SELECT row_key, BASE, STATUS FROM trips WHERE row_key IN ('a','b','c','nobody')", &cells()),
        [r#"a|{"fare":12,"city":"SF"}|"done""#, r#"b|{"fare":7,"city":"NY"}|"new""#, r#"c|NULL|"open""#,]
    );
    assert_eq!(rows("SELECT base->>'$.fare' f FROM trips WHERE row_key = 'a'", &cells()), ["12"]);
    assert_eq!(
        rows("SELECT row_key FROM trips WHERE STATUS = 'new' ORDER BY row_key", &cells()),
        Vec::<String>::new(),
        "a row without any of the named cells is no row"
    );
    assert_eq!(
        rows("SELECT row_key, STATUS FROM trips WHERE BASE->'$.fare' >= 7 ORDER BY BASE->'$.fare'", &cells()),
        ["b|\"new\"", "a|\"done\""]
    );
    assert!(read("SELECT STATUS FROM trips").scatter);
    for mixed in [
        "SELECT body, STATUS FROM trips WHERE row_key = 'a'",
        "SELECT *, STATUS FROM trips",
        "SELECT STATUS FROM trips WHERE ref_key = 1",
    ] {
        assert!(matches!(bound(mixed), Err(SqlError::Unsupported { .. })), "{mixed}");
    }
    let Err(SqlError::UnknownColumn { hint, .. }) = bound("SELECT FARE FROM trips WHERE row_key = 'a'") else {
        panic!("FARE is not declared")
    };
    assert!(hint.contains("ALTER TABLE trips ADD COLUMN FARE JSON"), "{hint}");
}

fn put(text: &str) -> Put {
    match bound(text) {
        Ok(Command::Put(put)) => put,
        other => panic!("{text}: {other:?}"),
    }
}

fn versions(cells: &[NewCell]) -> Vec<Version> {
    cells.iter().map(|c| c.version).collect()
}

#[test]
fn inserts_are_cells_in_the_order_of_the_statement() {
    let many = put(
        "INSERT INTO trips (body, ref_key, column_key, row_key) VALUES ('{}', 1, 'BASE', 'a'), ('[1]', NULL, 'X', 5), \
         (JSON_OBJECT('k', TRUE), DEFAULT, 'Y', X'00ff')",
    );
    assert_eq!(versions(&many.cells), [Version::Exact(RefKey(1)), Version::Next, Version::Next]);
    assert_eq!(many.rows, [0, 1, 2]);
    assert_eq!(many.cells[1].row, RowKey::new("5").unwrap());
    assert_eq!(many.cells[2].row, RowKey::new(&b"\x00\xff"[..]).unwrap());
    assert_eq!(&many.cells[2].body.as_bytes()[..], br#"{"k": true}"#);
    assert_eq!(
        versions(&put("INSERT INTO trips (row_key, column_key, body) VALUES ('a','b','1')").cells),
        [Version::Next]
    );
    assert_eq!(put("INSERT INTO trips SET row_key='a', column_key='b', ref_key='20', body='1'").cells.len(), 1);
    let dump = put("INSERT INTO trips VALUES (17,'a','b',3,'{}','2024-01-01 00:00:00.000000')");
    assert!(dump.places_ignored && versions(&dump.cells) == [Version::Exact(RefKey(3))]);
    assert!(put("INSERT IGNORE INTO trips (row_key, column_key, body) VALUES ('a','b','1')").ignore);
}

#[test]
fn row_shape_inserts_are_a_cell_for_each_value() {
    let row = put("INSERT INTO trips (row_key, STATUS, BASE) VALUES ('a', '1', NULL), ('b', '2', '{}')");
    let columns: Vec<_> = row.cells.iter().map(|c| String::from_utf8_lossy(c.column.as_bytes()).into_owned()).collect();
    assert_eq!(columns, ["STATUS", "STATUS", "BASE"]);
    assert_eq!(row.rows, [0, 1, 1]);
    assert_eq!(versions(&row.cells), [Version::Next; 3]);
}

#[test]
fn what_cannot_be_inserted_is_refused_with_the_reason() {
    let refused = |text: &str| bound(text).expect_err(text);
    assert!(matches!(
        refused("INSERT INTO trips (row_key, column_key, body) VALUES ('a','b','{')"),
        SqlError::Value { row: 1, .. }
    ));
    assert!(matches!(
        refused("INSERT INTO trips (row_key, column_key, body) VALUES ('a','b','1'),('','b','1')"),
        SqlError::Value { row: 2, .. }
    ));
    assert!(matches!(
        refused("INSERT INTO trips (row_key, column_key, body) VALUES (NULL,'b','1')"),
        SqlError::NullColumn(_)
    ));
    assert!(matches!(refused("INSERT INTO trips (row_key, body) VALUES ('a','1')"), SqlError::NoDefault(_)));
    assert!(matches!(
        refused("INSERT INTO trips (row_key, column_key, body) VALUES ('a','b')"),
        SqlError::ColumnCount(1)
    ));
    assert!(matches!(
        refused("INSERT INTO trips (row_key, ROW_KEY, body) VALUES ('a','b','1')"),
        SqlError::ColumnTwice(_)
    ));
    assert!(matches!(
        refused("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a','b','x','1')"),
        SqlError::BadValue { out_of_range: false, .. }
    ));
    assert!(matches!(
        refused("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a','b',9223372036854775808,'1')"),
        SqlError::BadValue { out_of_range: true, .. }
    ));
    assert!(matches!(
        refused("INSERT INTO trips (row_key, column_key, body, added_id) VALUES ('a','b','1', 5)"),
        SqlError::Unsupported { .. }
    ));
    assert!(matches!(
        refused("INSERT INTO trips (row_key, body, STATUS) VALUES ('a','1','1')"),
        SqlError::Unsupported { .. }
    ));
    for immutable in [
        "UPDATE trips SET body = '1'",
        "REPLACE INTO trips VALUES (1)",
        "INSERT INTO trips (row_key, column_key, body) VALUES ('a','b','1') ON DUPLICATE KEY UPDATE body = VALUES(body)",
        "INSERT INTO trips (row_key, column_key, body) VALUES ('a','b','1') AS new ON DUPLICATE KEY UPDATE body = new.body",
    ] {
        assert!(matches!(refused(immutable), SqlError::Immutable { .. }), "{immutable}");
    }
    // A row that exists stays; the next version is none that could, and an error is one.
    let unchanged = |cell: &str| format!("INSERT INTO trips {cell} ON DUPLICATE KEY UPDATE row_key = row_key");
    for (cell, is_division) in [
        ("(row_key, status) VALUES ('a', '1')", false),
        ("(row_key, column_key, body) VALUES ('a', 'b', '1')", false),
        ("(row_key, column_key, ref_key, body) VALUES ('a', 'b', 7 % 0, '1')", true),
    ] {
        let error = refused(&unchanged(cell));
        assert_eq!(matches!(error, SqlError::DivisionByZero), is_division, "{cell}: {error:?}");
        assert!(is_division || matches!(error, SqlError::Unsupported { .. }), "{cell}: {error:?}");
    }
    assert!(matches!(refused("INSERT INTO nothing (a) VALUES (1)"), SqlError::UnknownTable { .. }));
    assert!(matches!(refused("INSERT INTO other.trips (a) VALUES (1)"), SqlError::UnknownTable { .. }));
}

#[test]
fn returning_shows_the_cells_as_written() {
    let put = put("INSERT INTO trips (row_key, column_key, body) VALUES ('a','b','1') RETURNING ref_key, body AS b");
    let shape = put.returning.unwrap();
    let mut shaping = shape.start();
    let mut rows = Vec::new();
    shaping.push(&cell("a", "b", 9, "1", 1), &mut rows).unwrap();
    let row = rows.remove(0);
    assert_eq!(shown(&row), "9|1");
    assert_eq!(shape.columns()[1].name, "b");
}

#[test]
fn deletes_are_erasures_by_key() {
    let erased = |condition: &str| match bound(&format!("DELETE FROM trips WHERE {condition}")) {
        Ok(Command::Erase(erase)) => erase.what,
        other => panic!("{condition}: {other:?}"),
    };
    assert!(matches!(&erased("row_key = 'a'")[..], [Erasure::Row(_)]));
    assert!(matches!(&erased("row_key IN ('a', 'b')")[..], [Erasure::Row(_), Erasure::Row(_)]));
    assert!(matches!(&erased("row_key = 'a' AND column_key = 'x'")[..], [Erasure::Column(..)]));
    assert!(matches!(&erased("row_key = 'a' AND column_key = 'x' AND ref_key = 1")[..], [Erasure::Cell(_)]));
    assert_eq!(erased("row_key = NULL"), []);
    // Bytes are a key also beside a number.
    let rows = ["5", "A"].map(|key| Erasure::Row(RowKey::new(key).unwrap()));
    assert_eq!(erased("row_key IN (X'41', 5)"), rows);
    // A LIMIT that cannot be in the way.
    let cells = "(row_key = 'a') AND (column_key = 'x') AND (ref_key IN (1, 2))";
    for limit in ["2", "9", "'2'"] {
        let erased = erased(&format!("{cells} LIMIT {limit}"));
        assert!(matches!(&erased[..], [Erasure::Cell(_), Erasure::Cell(_)]), "{limit}: {erased:?}");
    }
    assert!(matches!(&erased("row_key = 'a' AND column_key = 'x' AND ref_key = 1 LIMIT 1")[..], [Erasure::Cell(_)]));
    assert_eq!(erased(&format!("{cells} LIMIT 0")), []);
    assert_eq!(erased("row_key = NULL LIMIT 1"), []);
    for number in ["'1'", "' 1.0 '", "'1e0'", "'+1'", "0x01", "1.0"] {
        let one = erased(&format!("row_key = 'a' AND column_key = 'x' AND ref_key = {number}"));
        assert!(matches!(&one[..], [Erasure::Cell(cell)] if cell.ref_key.0 == 1), "{number}: {one:?}");
    }
    for begins in [
        "row_key = 'a' AND column_key = 'x' AND ref_key = '1abc'",
        "row_key = 'a' AND column_key = 'x' AND '1abc' = ref_key",
        "row_key = 'a' AND column_key = 'x' AND ref_key <=> _binary '1abc'",
        "row_key = 'a' AND column_key = 'x' AND ref_key IN (1, '1abc')",
        "row_key = 'a' AND column_key = 'x' AND ref_key BETWEEN '1abc' AND 1",
        "(row_key, column_key, ref_key) IN (('a', 'x', 1), ('a', 'x', '1abc'))",
        "(row_key, column_key, ref_key) = ('a', 'x', '1abc') OR row_key = 'b'",
    ] {
        assert_eq!(
            bound(&format!("DELETE FROM trips WHERE {begins}")).unwrap_err().to_string(),
            "Truncated incorrect INTEGER value: '1abc'; nothing was erased: give ref_key a number",
            "{begins}"
        );
    }
    for none in ["''", "'abc'", "'inf'", "'nan'", "'0x1'", "'1 2'", "'.'"] {
        let text = format!("DELETE FROM trips WHERE row_key = 'a' AND column_key = 'x' AND ref_key = {none}");
        assert!(matches!(bound(&text), Err(SqlError::WrongNumber(..))), "{text}");
    }
    for refused in [
        "DELETE FROM trips",
        "DELETE FROM trips WHERE column_key = 'a'",
        "DELETE FROM trips WHERE row_key = 'a' AND ref_key > 1",
        "DELETE FROM trips WHERE row_key = 'a' AND ref_key = 1",
        "DELETE FROM trips WHERE row_key = 'a' AND body = '1'",
        "DELETE FROM trips WHERE row_key <> 'a'",
        "DELETE FROM trips WHERE row_key = 'a' LIMIT 1",
        "DELETE FROM trips WHERE row_key = 'a' AND column_key = 'x' LIMIT 1",
        "DELETE FROM trips WHERE row_key = 'a' AND column_key = 'x' AND ref_key IN (1, 2) LIMIT 1",
        "DELETE FROM trips WHERE row_key = 'a' AND column_key = 'x' AND ref_key = 1 ORDER BY ref_key LIMIT 1",
        "DELETE FROM trips WHERE row_key = 'a' OR added_id > 1",
        "DELETE FROM trips WHERE row_key = 'a' AND SHARD = 1",
    ] {
        assert!(matches!(bound(refused), Err(SqlError::Unsupported { .. })), "{refused}");
    }
}

#[test]
fn aggregates_and_groups_are_computed() {
    let cells = cells();
    for (text, expected) in [
        (
            "SELECT COUNT(*), MIN(ref_key), MAX(ref_key), SUM(ref_key), AVG(ref_key) FROM trips",
            &["6|1|5|11|1.8333"][..],
        ),
        ("SELECT COUNT(*) FROM trips WHERE row_key = 'zzz'", &["0"]),
        ("SELECT COUNT(DISTINCT row_key), COUNT(DISTINCT row_key, column_key) FROM trips", &["3|5"]),
        ("SELECT SUM(body->'$.fare') FROM trips WHERE column_key = 'BASE'", &["29"]),
        ("SELECT row_key, COUNT(*) AS n FROM trips GROUP BY row_key ORDER BY n DESC, row_key", &["a|3", "c|2", "b|1"]),
        ("SELECT row_key FROM trips GROUP BY row_key HAVING COUNT(*) > 1 ORDER BY row_key", &["a", "c"]),
        ("SELECT DISTINCT column_key FROM trips ORDER BY column_key LIMIT 2", &["BASE", "NOTE"]),
        ("SELECT COUNT(*) + 1 FROM trips WHERE 1 = 0", &["1"]),
        ("SELECT UPPER(row_key), MAX(ref_key) FROM trips GROUP BY 1 ORDER BY MAX(ref_key) DESC LIMIT 1", &["C|5"]),
        ("SELECT row_key FROM trips WHERE row_key IN ('a', 'b') HAVING row_key = 'b'", &["b"]),
    ] {
        assert_eq!(rows(text, &cells), expected, "{text}");
    }
    for text in [
        "SELECT MAX(COUNT(*)) FROM trips",
        "SELECT COUNT(*) AS c FROM trips GROUP BY row_key HAVING MAX(c) > 1",
        "SELECT COUNT(*) AS c FROM trips GROUP BY row_key ORDER BY MAX(c)",
    ] {
        let error = bound(text).err();
        assert_eq!(error, Some(SqlError::Relational(RelationalError::GroupFunction)), "{text}");
    }
    assert!(matches!(
        bound("SELECT row_key, COUNT(*) FROM trips"),
        Err(SqlError::MixedAggregate { grouped: false, .. })
    ));
}

#[test]
fn an_alias_means_its_item_where_mysql_says_so() {
    for (text, expected) in [
        // In an expression and in an aggregate a column comes first, where there is one.
        (
            "SELECT column_key, MAX(ref_key) AS ref_key FROM trips WHERE row_key = 'a' GROUP BY column_key \
             ORDER BY MAX(ref_key)",
            &["STATUS|1", "BASE|2"][..],
        ),
        (
            "SELECT -ref_key AS ref_key FROM trips WHERE row_key = 'a' ORDER BY ref_key + 0, column_key",
            &["-1", "-1", "-2"],
        ),
        ("SELECT -ref_key AS Ref_Key FROM trips WHERE row_key = 'a' ORDER BY REF_KEY", &["-2", "-1", "-1"]),
        ("SELECT -ref_key AS r FROM trips WHERE row_key = 'a' ORDER BY r + 0, column_key", &["-2", "-1", "-1"]),
        // In HAVING a column that is grouped by comes before an alias, and that before any other.
        ("SELECT COUNT(*) AS ref_key FROM trips GROUP BY ref_key HAVING ref_key = 2", &["1"]),
        ("SELECT column_key, COUNT(*) AS ref_key FROM trips GROUP BY column_key HAVING ref_key = 3", &["BASE|3"]),
        (
            "SELECT column_key, COUNT(*) AS ref_key FROM trips GROUP BY column_key HAVING MAX(ref_key) = 5",
            &["STATUS|2"],
        ),
        ("SELECT LEFT(row_key, 1) AS k, COUNT(*) FROM trips GROUP BY k HAVING k = 'b'", &["b|1"]),
        // A key that comes again orders nothing.
        (
            "SELECT ref_key AS r FROM trips WHERE row_key = 'a' ORDER BY r DESC, 1, r, ref_key, ref_key",
            &["2", "1", "1"],
        ),
    ] {
        assert_eq!(rows(text, &cells()), expected, "{text}");
    }
    // A declared column is one, too.
    let grouped = bound("SELECT LEFT(row_key, 1) AS STATUS, COUNT(*) FROM trips GROUP BY STATUS");
    assert_eq!(grouped.err(), Some(SqlError::MixedAggregate { column: "row_key".into(), grouped: true }));
}

#[test]
fn what_is_called_is_called_once() {
    for text in [
        "SELECT SLEEP(0) AS a HAVING a IN (a, a)",
        "SELECT GET_LOCK('a', 0) AS l HAVING l",
        "SELECT GET_LOCK('a', 0) AS l GROUP BY l",
        "SELECT 1 + SLEEP(0) GROUP BY 1",
        "SELECT SLEEP(0) AS a ORDER BY a + 1",
    ] {
        match bound(text) {
            Err(SqlError::Unsupported { what, .. }) => {
                assert!(what.ends_with("by an alias in HAVING, ORDER BY or GROUP BY"), "{text}: {what}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    for text in ["SELECT SLEEP(0) AS a", "SELECT SLEEP(0) AS a ORDER BY a", "SELECT SLEEP(0) HAVING SLEEP(0)"] {
        assert!(matches!(bound(text), Err(SqlError::Pending(..))), "{text}");
    }
}

#[test]
fn what_a_select_names_is_bounded() {
    let list = |what: &dyn Fn(usize) -> String, n: usize| (1..=n).map(what).collect::<Vec<_>>().join(", ");
    let name = |text: &str| match bound(text) {
        Err(SqlError::Limit { name, .. }) => name,
        Err(SqlError::TooManyColumns(4_096)) => "columns",
        other => panic!("{}: {other:?}", &text[..80.min(text.len())]),
    };
    let items = list(&|n| format!("1 AS a{n}"), 4_096);
    assert_eq!(name(&format!("SELECT {items}, 1 FROM trips")), "columns");
    assert_eq!(name(&format!("SELECT {} FROM trips", list(&|_| "*".into(), 700))), "columns");
    let keys = |n| list(&|n| format!("ref_key + {n}"), n);
    assert!(bound(&format!("SELECT 1 FROM trips ORDER BY {}", keys(64))).is_ok());
    assert_eq!(name(&format!("SELECT 1 FROM trips ORDER BY {}", keys(65))), "keys");
    assert_eq!(name(&format!("SELECT 1 FROM trips GROUP BY {}", keys(65))), "keys");
    // The same key again is none, and an alias is its item, of which there is one.
    let long = format!("row_key IN ({})", list(&|n| format!("'{n}'"), 20_000));
    let start = computed();
    for by in ["a", "1"] {
        let by = list(&|_| by.into(), 1_000);
        assert!(bound(&format!("SELECT {long} AS a FROM trips ORDER BY {by}")).is_ok());
        assert!(bound(&format!("SELECT {long} AS a FROM trips GROUP BY {by}")).is_ok());
    }
    // Many names and many aliases.
    let names = vec!["a4096"; 5_000].join(" + ");
    assert!(bound(&format!("SELECT {items} FROM trips HAVING {names}")).is_ok());
    let aggregates = list(&|n| format!("COUNT({n})"), 4_096);
    assert!(bound(&format!("SELECT {aggregates} FROM trips")).is_ok());
    let took = computed() - start;
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(name(&format!("SELECT {long} AS a FROM trips HAVING {}", ["a"; 100].join(" OR "))), "nodes");
    let long = "n".repeat(60_000);
    assert_eq!(name(&format!("SELECT `{long}` AS a FROM trips HAVING {}", ["a"; 1_000].join(" OR "))), "nodes");
}

#[test]
fn alternatives_are_multiplied_out_within_a_budget() {
    let list = |what: &str| (0..46).map(|n| format!("{what}{n}")).collect::<Vec<_>>().join(",");
    let (keys, refs) = (list("'").replace(',', "',") + "'", list(""));
    let product = format!("(row_key IN ({keys}) AND column_key IN ({keys}) AND ref_key IN ({refs}))");
    let any = |n: usize| vec![product.as_str(); n].join(" OR ");
    let start = computed();
    let Request::Get { keys, .. } = request(&format!("SELECT body FROM trips WHERE {}", any(2))) else { panic!("get") };
    assert_eq!(keys.len(), 46 * 46 * 46);
    // As many alternatives as a statement has room for are lists, and checked on the cells.
    let many = format!("SELECT row_key FROM trips WHERE {}", any(600));
    let Request::Get { keys, .. } = request(&many) else { panic!("get") };
    assert_eq!(keys.len(), 46 * 46 * 46);
    assert_eq!(rows(&many, &[cell("7", "8", 9, "1", 1), cell("7", "x", 9, "1", 2)]), ["7"]);
    // What else is asked for costs no look at each of them.
    let rest = " AND ref_key > -1 AND ref_key <> 99".repeat(1_000);
    let Request::Get { .. } = request(&format!("SELECT 1 FROM trips WHERE ({}){rest}", any(2))) else { panic!("get") };
    let took = computed() - start;
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[test]
fn json_is_read_once_for_all_it_is_compared_with() {
    let cells = [cell("a", "BASE", 1, &format!("[{}1]", "1,".repeat(100_000)), 1)];
    let list = |what: &str| (0..2_000).map(|n| what.replace('#', &n.to_string())).collect::<Vec<_>>();
    let start = computed();
    for condition in [
        format!("body IN ({})", list("'#'").join(",")),
        format!("body IN ({})", list("#").join(",")),
        format!("CASE body {} END", list("WHEN '#' THEN 1").join(" ")),
    ] {
        assert!(rows(&format!("SELECT 1 FROM trips WHERE row_key = 'a' AND {condition}"), &cells).is_empty());
    }
    let took = computed() - start;
    assert!(took < Duration::from_secs(5), "{took:?}");
    // And the work on one cell can be given up in its middle.
    let given_up = |condition: &str| {
        let mut shaping = read(&format!("SELECT 1 FROM trips WHERE row_key = 'a' AND {condition}")).shape.start();
        let looks = AtomicUsize::new(0);
        shaping.give_up_when(move || looks.fetch_add(1, Ordering::Relaxed) >= 5);
        shaping.push(&cells[0], &mut Vec::new()).err()
    };
    assert_eq!(given_up(&format!("body IN ({})", list("'#'").join(","))), Some(SqlError::GivenUp));
    assert_eq!(given_up(&format!("({})", list("body->'$.x' = #").join(" OR "))), Some(SqlError::GivenUp));
    assert_eq!(given_up("body = '1'"), None);
}

#[test]
fn a_row_does_not_read_the_clock_at_every_step() {
    let none = (0..160).map(|n| format!("LENGTH(row_key) = 1{n}")).collect::<Vec<_>>().join(" OR ");
    let mut shaping = read(&format!("SELECT 1 FROM trips WHERE {none}")).shape.start();
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&looks);
    shaping.give_up_when(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    });
    let mut rows = Vec::new();
    shaping.push(&cells()[0], &mut rows).unwrap();
    assert!(rows.is_empty());
    // An operand, an operator and a function each, and at the row itself.
    let looks = looks.load(Ordering::Relaxed);
    assert!((160 / 16..=3 * 160 / 16 + 2).contains(&looks), "{looks}");
}

#[test]
fn what_the_row_shape_reads_by_key_is_bounded() {
    let session = Session::new().with_wide(1_000);
    let list = |what: &str, n: usize| (1..=n).map(|n| what.replace('#', &n.to_string())).collect::<Vec<_>>().join(",");
    let select = |columns, rows| {
        let (columns, rows) = (list("c#", columns), list("'#'", rows));
        bound_with(&session, &format!("SELECT row_key, {columns} FROM wide WHERE row_key IN ({rows})"), &[])
    };
    assert!(select(1_000, 1_000).is_ok());
    assert!(matches!(select(1_000, 1_001), Err(SqlError::Limit { name: "row_shape", limit: 1_000_000, .. })));
    assert!(select(1, 1_001).is_ok());
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

/// What evaluating one expression over no table ends with.
fn failure(expression: &str) -> SqlError {
    let text = format!("SELECT {expression}");
    match bound(&text).map(|command| match command {
        Command::Read(read) => run(&read, &[]),
        other => panic!("{text}: {other:?}"),
    }) {
        Err(error) | Ok(Err(error)) => error,
        Ok(Ok(rows)) => panic!("{text} is {rows:?}"),
    }
}

#[test]
fn arithmetic_beyond_a_type_is_out_of_range() {
    for (expression, ty) in [
        ("9223372036854775807 + 1", "BIGINT"),
        ("9223372036854775807 * 2", "BIGINT"),
        ("-9223372036854775808 - 1", "BIGINT"),
        ("-9223372036854775808 DIV -1", "BIGINT"),
        ("ABS(-9223372036854775808)", "BIGINT"),
        ("18446744073709551615 + 1", "BIGINT UNSIGNED"),
        ("18446744073709551615 * 18446744073709551615", "BIGINT UNSIGNED"),
        ("1 - CAST(2 AS UNSIGNED)", "BIGINT UNSIGNED"),
        ("CAST(5 AS UNSIGNED) * -1", "BIGINT UNSIGNED"),
        ("CAST(1 AS UNSIGNED) + 1 - 3", "BIGINT UNSIGNED"),
        ("18446744073709551615 DIV -1", "BIGINT UNSIGNED"),
        ("1e308 * 10", "DOUBLE"),
        ("POW(10, 400)", "DOUBLE"),
    ] {
        assert_eq!(failure(expression), SqlError::OutOfRange(ty), "{expression}");
    }
    assert_eq!(
        rows("SELECT 9223372036854775808 + 1, 9223372036854775807 + 0.5, -5 % CAST(3 AS UNSIGNED)", &[]),
        ["9223372036854775809|9223372036854775807.5|-2"]
    );
}

#[test]
fn functions_mysql_has_are_refused_by_name_and_others_are_unknown() {
    assert!(matches!(failure("REPEAT('a', 3)"), SqlError::Unsupported { .. }));
    assert!(matches!(failure("ST_ASTEXT(1)"), SqlError::Unsupported { .. }));
    assert_eq!(failure("nosuch(1)"), SqlError::UnknownFunction("NOSUCH".into()));
}

/// The rows of a SELECT over these cells, and what it tells beside them.
fn noted(read: &crate::Read, cells: &[Cell]) -> (Vec<crate::Row>, Vec<SqlError>) {
    let mut shaping = read.shape.start();
    let notes = shaping.notes();
    let mut rows: Vec<crate::Row> = Vec::new();
    cells.iter().for_each(|cell| shaping.push(cell, &mut rows).unwrap());
    rows.extend(shaping.finish().unwrap());
    (rows, notes.take())
}

#[test]
fn what_functions_make_is_bounded_by_max_allowed_packet() {
    // The session of these tests has max_allowed_packet of 64 MiB.
    let mebibyte = "x".repeat(1 << 20);
    let many = vec!["a.v"; 65].join(", ");
    let statement = |e: &str| format!("SELECT {e} FROM trips WHERE row_key = 'r'").replace("a.v", "body");
    let body = format!("\"{mebibyte}\"");
    let cells = [cell("r", "c", 1, &body, 11)];
    for (function, expression) in [
        ("concat", format!("LENGTH(CONCAT({many}))")),
        ("concat_ws", format!("LENGTH(CONCAT_WS(',', {many}))")),
        ("json_array", format!("JSON_ARRAY({many})")),
        ("replace", "LENGTH(REPLACE(body, 'x', REPLACE(body->>'$', 'x', 'xx')))".to_owned()),
    ] {
        let (rows, notes) = noted(&read(&statement(&expression)), &cells);
        assert_eq!(rows, [[Value::Null]], "{expression}");
        assert!(
            matches!(&notes[..], [SqlError::ResultTooLong { function: f, limit }] if f == function && *limit == 64 << 20),
            "{expression}: {notes:?}"
        );
    }
    let members: Vec<String> = (0..65).map(|i| format!("'k{i}', body")).collect();
    let (rows, notes) = noted(&read(&statement(&format!("JSON_OBJECT({})", members.join(", ")))), &cells);
    assert_eq!(rows, [[Value::Null]]);
    assert!(matches!(&notes[..], [SqlError::ResultTooLong { .. }]), "{notes:?}");
    // A row of many values, each of them within the bound.
    let error = run(&read(&statement(&many)), &cells).unwrap_err();
    assert_eq!(error, SqlError::RowTooLong(64 << 20));
    let fits = run(&read(&statement("LENGTH(JSON_OBJECT('k', a.v))")), &cells).unwrap();
    assert_eq!(shown(&fits[0]), ((1 << 20) + 9).to_string());
}

#[test]
fn what_is_computed_while_binding_is_bounded() {
    // Within a statement of no length values of megabytes can be made, again and again.
    let mut value = "'aaaaaaaa'".to_owned();
    for _ in 0..6 {
        value = format!("REPLACE({value}, 'a', 'aaaaaaaaaaaa')");
    }
    for _ in 0..40 {
        value = format!("UPPER({value})");
    }
    let text = format!("INSERT INTO trips (row_key, column_key, body) VALUES ('r', 'c', {value})");
    assert!(matches!(bound(&text).unwrap_err(), SqlError::Limit { name: "bind_bytes", .. }));
}

#[test]
fn a_shape_tells_how_much_work_its_cells_are() {
    let work = |text: &str, bytes| read(text).shape.start().work(1, bytes);
    assert_eq!(work("SELECT body FROM trips WHERE row_key = 'r'", 1 << 20), 0);
    let small = work("SELECT body->'$.a' FROM trips WHERE row_key = 'r'", 100);
    let large = work("SELECT body->'$.a' FROM trips WHERE row_key = 'r'", 1 << 20);
    assert!(small < 1000 && large > 1 << 20, "{small} {large}");
    assert!(work("SELECT body LIKE '%abcdefghijklmnop%' FROM trips WHERE row_key = 'r'", 1 << 20) > large);
    // Each item of a list is something to be compared with, however short it is.
    let list = (0..50_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    assert!(work(&format!("SELECT 1 FROM trips WHERE row_key = 'r' AND body->'$.a' IN ({list})"), 100) > 500_000);
}
