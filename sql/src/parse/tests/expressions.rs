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
fn a_unit_of_several_parts_is_refused_by_name() {
    for text in [
        "SELECT NOW() + INTERVAL '1 2' DAY_HOUR",
        "SELECT DATE_SUB(NOW(), INTERVAL '1-2' YEAR_MONTH)",
        "SELECT EXTRACT(DAY_MINUTE FROM NOW())",
        "SELECT row_key FROM plain WHERE created_at > NOW() - INTERVAL '1:2' minute_second",
    ] {
        match bound(text) {
            Err(SqlError::Unsupported { what, .. }) => {
                assert!(what.contains('_') || what == "EXTRACT", "{text}: {what}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    let refusals = ["plain", "(SELECT 1) AS t"].map(|from| {
        let text = format!("SELECT NOW() + INTERVAL '1 2' DAY_HOUR FROM {from}");
        bound(&text).unwrap_err().to_string()
    });
    assert_eq!(refusals[0], refusals[1]);
    assert!(refusals[0].contains("the unit DAY_HOUR") && refusals[0].contains("QUARTER"), "{}", refusals[0]);
}
