//! Expressions, which have two parsers.

use super::{bound, one, value};
use crate::ast::Parsed;
use crate::environment::SqlMode;
use crate::error::SqlError;
use crate::parse::parse;
use crate::relational::ast::Body;

#[test]
fn both_parsers_of_expressions_make_one_tree_of_a_text() {
    let tree = |text: &str| match one(text).parsed() {
        Parsed::Select(select) => format!("{:?}", select.items.first()),
        Parsed::Relational { query, .. } => match &query.body {
            Body::Select(core) => format!("{:?}", core.items.first()),
            other => panic!("{text}: {other:?}"),
        },
        Parsed::Refused(refusal) => refusal.to_string(),
        other => panic!("{text}: {other:?}"),
    };
    for expression in [
        "CAST(TRUE AS JSON)",
        "CONVERT(TRUE, JSON)",
        "CAST((FALSE) AS JSON)",
        "CAST(1 AS JSON)",
        "JSON_ARRAY(TRUE, (FALSE), 1)",
        "JSON_OBJECT('a', TRUE)",
        "CONVERT(0x41, SIGNED)",
        "CONVERT(0x41, JSON)",
        "0x41 AND b'1' OR 0x00 XOR 0x01",
        "0x01 IS TRUE",
        "0x01 IS NOT FALSE",
        "0x01 IS NULL",
        "NOT 0x01",
        "CASE 65 WHEN 0x41 THEN 0x42 ELSE 0x43 END",
        "CASE WHEN 0x01 THEN 1 END",
        "IF(0x01, 0x41, 2)",
        "0x41 IN (65, 'a')",
        "0x41 NOT IN ('a', 65)",
        "'A' IN (0x41, 5)",
        "65 IN (0x41, 'a')",
        "CASE 0x41 WHEN 'a' THEN 1 WHEN 65 THEN 2 END",
        "CASE 'A' WHEN 5 THEN 1 WHEN 0x41 THEN 2 END",
        "0x41 BETWEEN 1 AND 70",
        "0x41 + 1 = 0x42",
        "'2024-01-01' + INTERVAL 1.5 DAY",
        "'2024-01-01' - INTERVAL 1.5 SECOND",
        "DATE_SUB('2024-01-01', INTERVAL '2' WEEK)",
        "'2024-01-01' + INTERVAL 1 MONTH",
        "_utf8mb4 X'c3a9'",
        "_latin1 'e'",
        "_latin1 'é'",
        "_utf8mb4 X'ff'",
        "CHARSET('a')",
    ] {
        let relational = tree(&format!("SELECT {expression} FROM (SELECT 1) AS t"));
        assert_eq!(tree(&format!("SELECT {expression}")), relational, "{expression}");
    }
    assert!(tree("SELECT _latin1 'é' FROM (SELECT 1) AS t").contains("the introducer _latin1"));
}

#[test]
fn a_number_beyond_all_doubles_is_refused() {
    for text in [
        "SELECT 1e400",
        "SELECT -1e400, 1",
        "SELECT 1 + 1e400",
        "INSERT INTO t VALUES (1e400, -1E999)",
        "SELECT 1 FROM (SELECT 1e400) AS t",
        "SET @a = 1e400",
    ] {
        let refusal = parse(text, SqlMode::default()).unwrap_err();
        assert!(matches!(&refusal, SqlError::IllegalDouble(_)), "{text}: {refusal}");
    }
    assert_eq!(value("1e308"), "1e308");
    assert_eq!(value("1e-400"), "0");
}

#[test]
fn bytes_in_a_list_are_a_number_beside_numbers_only() {
    for (expression, expected) in [
        ("0x41 IN ('A', 7)", "1"),
        ("0x41 IN ('b', 65)", "1"),
        ("0x41 IN ('b', 7)", "0"),
        ("0x41 IN (0x41, 7)", "1"),
        ("0x41 IN (65, 66)", "1"),
        ("0x41 IN ('b', 7, NULL)", "NULL"),
        ("0x41 NOT IN ('A', 7)", "0"),
        ("0x41 NOT IN ('b', 65)", "0"),
        ("0x41 NOT IN ('b', 7)", "1"),
        ("0x41 NOT IN ('b', 7, NULL)", "NULL"),
        ("'A' IN (0x41, 7)", "1"),
        ("'A' NOT IN (0x41, 7)", "0"),
        ("65 IN ('b', 0x41)", "1"),
        ("CASE 'A' WHEN 5 THEN 1 WHEN 0x41 THEN 2 END", "2"),
        ("CASE 0x41 WHEN 'A' THEN 1 WHEN 65 THEN 2 END", "1"),
        ("CASE 0x41 WHEN 'b' THEN 1 WHEN 65 THEN 2 END", "2"),
        ("CASE 0x41 WHEN 'b' THEN 1 WHEN 7 THEN 2 WHEN NULL THEN 3 ELSE 4 END", "4"),
        ("CASE 0x41 WHEN 7 THEN 1 WHEN 65 THEN 2 END", "2"),
        ("CASE 65 WHEN 'b' THEN 1 WHEN 0x41 THEN 2 END", "2"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn a_decimal_has_no_zeros_in_front() {
    for (written, shown) in [
        ("01.5", "1.5"),
        ("00.50", "0.50"),
        ("-007.10", "-7.10"),
        ("-000.0", "0.0"),
        ("00.", "0"),
        (".5", "0.5"),
        ("00099999999999999999999", "99999999999999999999"),
        ("-00099999999999999999999", "-99999999999999999999"),
        ("007", "7"),
    ] {
        assert_eq!(value(written), shown, "{written}");
    }
}

#[test]
fn units_of_several_parts_move_times_and_are_extracted() {
    for (written, shown) in [
        ("'2024-01-31' + INTERVAL '1-1' YEAR_MONTH", "2025-02-28"),
        ("'2024-01-31' + INTERVAL 90 MINUTE_SECOND", "2024-01-31 00:01:30"),
        ("DATE_SUB('2024-01-31', INTERVAL '-1 2:3:4.5' DAY_MICROSECOND)", "2024-02-01 02:03:04.500000"),
        ("DATE '2024-01-31' + INTERVAL '1 1' day_hour", "2024-02-01 01:00:00.000000"),
        ("'2024-01-31' + INTERVAL '1:1:1' MINUTE_SECOND", "NULL"),
        ("EXTRACT(DAY_MINUTE FROM '2024-01-02 03:04:05')", "20304"),
        ("EXTRACT(year_month FROM DATE '2024-01-02')", "202401"),
        ("EXTRACT(WEEK FROM 20240107)", "1"),
    ] {
        assert_eq!(value(written), shown, "{written}");
    }
    for text in ["NOW() + INTERVAL 1 DAYS", "NOW() + INTERVAL 1 FOO", "EXTRACT(FOO FROM NOW())"] {
        for from in ["plain", "(SELECT 1) AS t"] {
            let error = bound(&format!("SELECT {text} FROM {from}")).unwrap_err();
            let near_the_unit = matches!(&error, SqlError::Syntax { near, .. } if near.starts_with(['D', 'F']));
            assert!(near_the_unit, "{text} FROM {from}: {error}");
        }
    }
}
