//! What values are compared, summed, grouped and shown as: by their types, and not by what happens to be there.

use super::cells;
use crate::error::SqlError;
use crate::relational::RelationalError;
use crate::testing::{bound, cell, read, rows, value};

/// The first cell of a row of ours.
const FIRST: &str = "FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1";

#[test]
fn between_compares_by_types_also_where_one_of_them_is_null() {
    assert_eq!(value("'01.50' NOT BETWEEN 'BASE10' AND NULL + 0"), "NULL");
    assert_eq!(value("'01.50' BETWEEN 1 AND '9abc'"), "1");
    assert_eq!(value("'5' BETWEEN '10' AND NULL + 0"), "0");
    assert_eq!(value("'5' BETWEEN '10' AND NULL"), "NULL");
    assert_eq!(value("'2023-1-5' NOT BETWEEN '2023-02-01' AND CAST(NULL AS DATETIME)"), "1");
    assert_eq!(value("'2023-1-5' BETWEEN CAST(NULL AS DATE) AND '2022-12-31'"), "0");
    assert_eq!(value("'2023-1-5' BETWEEN '2022-12-31' AND CAST('2023-02-01' AS DATE)"), "1");
    assert_eq!(value("'abc' BETWEEN 'a' AND CAST(NULL AS DATETIME)"), "NULL");
    let of_rows = "SELECT CONCAT(JSON_VALUE(body, '$.fare'), '') NOT BETWEEN '9' AND JSON_VALUE(body, '$.zzz') + 0e0";
    assert_eq!(rows(&format!("{of_rows} {FIRST}"), &cells()), ["NULL"]);
}

#[test]
fn sums_of_distinct_text_are_of_distinct_numbers() {
    let texts = ["\"10\"", "\"10.0\"", "\"010\"", "\"4x\"", "\"4\""];
    let cells: Vec<_> =
        texts.iter().zip(1..).map(|(text, at)| cell("s", "BASE", at, &format!("{{\"x\":{text}}}"), at)).collect();
    let of =
        |what: &str| rows(&format!("SELECT {what} FROM trips WHERE row_key = 's' AND column_key = 'BASE'"), &cells);
    assert_eq!(of("SUM(DISTINCT body->>'$.x')"), ["14"]);
    assert_eq!(of("AVG(DISTINCT body->>'$.x')"), ["7"]);
    assert_eq!(of("COUNT(DISTINCT body->>'$.x')"), ["5"]);
}

#[test]
fn a_json_number_is_in_one_group_however_it_is_written() {
    let bodies = ["1e18", "1000000000000000000", "10000000000000000000", "1e19", "1e20", "100000000000000000000"];
    let cells: Vec<_> = bodies.iter().zip(1..).map(|(body, at)| cell("n", "BASE", at, body, at)).collect();
    let counts = rows("SELECT COUNT(*) FROM trips WHERE row_key = 'n' AND column_key = 'BASE' GROUP BY body", &cells);
    assert_eq!(counts, ["2", "2", "2"]);
    let distinct = "SELECT COUNT(DISTINCT body) FROM trips WHERE row_key = 'n' AND column_key = 'BASE'";
    assert_eq!(rows(distinct, &cells), ["3"]);
}

/// What an expression is over a cell of each of these bodies.
fn of_bodies<const N: usize>(what: &str, bodies: [&str; N]) -> Vec<String> {
    let cells: Vec<_> = bodies.iter().zip(1..).map(|(body, at)| cell("j", "BASE", at, body, at)).collect();
    rows(&format!("SELECT {what} FROM trips WHERE row_key = 'j' AND column_key = 'BASE' ORDER BY ref_key"), &cells)
}

#[test]
fn conditions_beside_json_are_its_true_and_false() {
    let bodies = [r#"{"f":true}"#, r#"{"f":false}"#, r#"{"f":1}"#, r#"{"f":null}"#, "{}"];
    for is_true in [
        "body->'$.f' = TRUE",
        "TRUE = body->'$.f'",
        "body->'$.f' IN (7, TRUE)",
        "TRUE IN (body->'$.f')",
        "TRUE IN (7, body->'$.f')",
        "body->'$.f' BETWEEN TRUE AND (1 = 1)",
        "(body->'$.f', ref_key) = (TRUE, ref_key)",
        "(body->'$.f', 1) IN ((TRUE, 2), (TRUE, 1))",
    ] {
        let found = of_bodies(&format!("COALESCE({is_true}, 0)"), bodies);
        assert_eq!(found, ["1", "0", "0", "0", "0"], "{is_true}");
    }
    assert_eq!(of_bodies("TRUE NOT IN (7, body->'$.f')", bodies), ["0", "1", "1", "1", "NULL"]);
    assert_eq!(of_bodies("NULLIF(body->'$.f', TRUE)", bodies), ["NULL", "false", "1", "null", "NULL"]);
    assert_eq!(of_bodies("NULLIF(TRUE, body->'$.f')", bodies), ["NULL", "1", "1", "1", "1"]);
    assert_eq!(of_bodies("body->'$.f' = 1", bodies), ["0", "0", "1", "0", "NULL"]);
    // Each would stand there twice, and within another twice as often.
    for twice in ["(TRUE IN (7, body->'$.f')) IN (7, body->'$.f')", "NULLIF(ref_key = 1, body->'$.f')"] {
        let refused = bound(&format!("SELECT {twice} FROM trips WHERE row_key = 'j'")).unwrap_err();
        assert!(matches!(refused, SqlError::Unsupported { .. }), "{twice}: {refused:?}");
    }
    let deep = (0..150).fold("TRUE".to_owned(), |e, _| format!("({e} = body->'$.f')"));
    bound(&format!("SELECT {deep} FROM trips WHERE row_key = 'j'")).unwrap();
}

#[test]
fn a_case_takes_json_for_a_number_beside_numbers_and_for_its_text_beside_text() {
    let bodies = [r#"{"f":true}"#, r#"{"f":0}"#, r#"{"f":null}"#, r#"{"f":"1"}"#, r#"{"f":"a"}"#, r#"{"f":[1]}"#, "{}"];
    let mapper = "CASE JSON_EXTRACT(body, '$.f') WHEN 'null' THEN NULL WHEN TRUE THEN 't' ELSE 'f' END";
    assert_eq!(of_bodies(mapper, bodies), ["t", "f", "NULL", "t", "f", "f", "f"]);
    let numbers = "CASE body->'$.f' WHEN 1 THEN 'one' WHEN 0.0 THEN 'none' END";
    assert_eq!(of_bodies(numbers, bodies), ["one", "none", "none", "one", "none", "none", "NULL"]);
    let texts = "CASE body->'$.f' WHEN 'a' THEN 'a' WHEN '\"a\"' THEN 'quoted' WHEN 'true' THEN 'true' END";
    assert_eq!(of_bodies(texts, bodies), ["true", "NULL", "NULL", "NULL", "quoted", "NULL", "NULL"]);
    assert_eq!(of_bodies("CASE 1 WHEN body->'$.f' THEN 1 ELSE 0 END", bodies), ["1", "0", "0", "1", "0", "0", "0"]);
    let json = "CASE body->'$.f' WHEN CAST('\"a\"' AS JSON) THEN 1 ELSE 0 END";
    assert_eq!(of_bodies(json, bodies), ["0", "0", "0", "0", "1", "0", "0"]);
}

#[test]
fn a_time_beside_json_is_the_text_it_shows() {
    for (what, shown) in [
        ("IFNULL(body->'$.nope', DATE '2026-11-29')", "2026-11-29"),
        ("COALESCE(body->'$.nope', TIMESTAMP '2026-11-29 10:00:00')", "2026-11-29 10:00:00"),
        ("IF(ref_key = 1, DATE '2026-11-29', body)", "2026-11-29"),
        ("CASE ref_key WHEN 1 THEN DATE '2026-11-29' ELSE body END", "2026-11-29"),
        ("IFNULL(body->'$.fare', DATE '2026-11-29')", "10"),
    ] {
        assert_eq!(rows(&format!("SELECT {what} {FIRST}"), &cells()), [shown], "{what}");
    }
}

#[test]
fn text_that_is_moved_by_hours_has_a_clock() {
    assert_eq!(value("'2023-01-05' + INTERVAL 24 HOUR"), "2023-01-06 00:00:00");
    assert_eq!(value("'2023-01-05' + INTERVAL 86400 SECOND"), "2023-01-06 00:00:00");
    assert_eq!(value("'2023-01-05' + INTERVAL 1 DAY"), "2023-01-06");
    assert_eq!(value("'2023-01-05' - INTERVAL 1 WEEK"), "2022-12-29");
    assert_eq!(value("CONCAT(DATE '2023-01-05' + INTERVAL 24 HOUR)"), "2023-01-06 00:00:00");
    assert_eq!(value("CONCAT(DATE '2023-01-05' + INTERVAL 1.5 SECOND)"), "2023-01-05 00:00:01.5");
}

#[test]
fn what_is_rounded_by_a_column_shows_as_many_digits_in_every_row() {
    let of = |what: &str| {
        rows(
            &format!("SELECT {what} FROM trips WHERE row_key = 'a' AND column_key = 'BASE' ORDER BY ref_key"),
            &cells(),
        )
    };
    assert_eq!(of("ROUND(1.25, ref_key)"), ["1.30", "1.25"]);
    assert_eq!(of("ROUND(1.25, 5 - ref_key)"), ["1.25", "1.25"]);
    assert_eq!(of("ROUND(155.5, -ref_key)"), ["160.0", "200.0"]);
    assert_eq!(of("ROUND(2 / 3, ref_key)"), ["0.7000", "0.6700"]);
    assert_eq!(of("ROUND(ref_key, 1 - ref_key)"), ["1", "0"]);
    assert_eq!(of("ROUND(1.25e0, ref_key)"), ["1.2", "1.25"]);
    assert_eq!(of("ROUND(1.25, NULLIF(ref_key, 2))"), ["1.30", "NULL"]);
}

#[test]
fn a_row_that_is_asked_for_beside_exists_must_be_there() {
    for dummy in ["SELECT 1 HAVING 0", "SELECT 1 GROUP BY 1 HAVING 0"] {
        let text = format!("SELECT 1 FROM ({dummy}) t WHERE EXISTS (SELECT 1 FROM trips)");
        assert!(matches!(bound(&text), Err(SqlError::Unsupported { .. })), "{text}");
    }
}

#[test]
fn all_columns_of_a_table_that_is_not_read_are_of_an_unknown_table() {
    let refused = bound("SELECT x.* FROM trips t WHERE row_key = 'a'");
    assert!(
        matches!(&refused, Err(SqlError::Relational(RelationalError::UnknownQualifier(name))) if name == "x"),
        "{refused:?}"
    );
}

#[test]
fn null_has_one_name() {
    let name = |text: &str| read(text).shape.columns()[0].name.clone();
    assert_eq!(name("SELECT null"), "NULL");
    assert_eq!(name("SELECT Null + 1"), "Null + 1");
    assert_eq!(name("SELECT true"), "true");
}

#[test]
fn an_aggregate_of_a_query_around_stands_where_that_query_has_aggregates() {
    let of = |clause: &str| bound(&format!("SELECT x FROM (SELECT 1 AS x) a {clause}")).err();
    assert_eq!(of("GROUP BY x HAVING (SELECT 1 FROM (SELECT 1 AS y) b WHERE y = COUNT(a.x))"), None);
    let nowhere = of("WHERE EXISTS (SELECT 1 FROM (SELECT 1 AS y) b WHERE y = COUNT(a.x))");
    assert_eq!(nowhere, Some(RelationalError::GroupFunction.into()));
    let within = of("WHERE x = (SELECT MAX(a.x) FROM (SELECT 1 AS y) b)");
    assert!(matches!(within, Some(SqlError::Unsupported { .. })), "{within:?}");
}

#[test]
fn nothing_at_all_is_a_row_of_defaults_which_a_key_has_none_of() {
    let refused = |text: &str| bound(text).expect_err(text);
    for text in ["INSERT INTO trips () VALUES ()", "INSERT INTO trips VALUES ()", "INSERT INTO trips VALUES (), ()"] {
        assert_eq!(refused(text), SqlError::NoDefault("row_key".into()), "{text}");
    }
    for text in ["INSERT INTO trips () VALUES (1)", "INSERT INTO trips (row_key) VALUES ()"] {
        assert_eq!(refused(text), SqlError::ColumnCount(1), "{text}");
    }
}
