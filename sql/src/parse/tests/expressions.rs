//! Expressions, which have two parsers.

use super::one;
use crate::ast::Parsed;
use crate::environment::SqlMode;
use crate::error::SqlError;
use crate::parse::parse;
use crate::relational::ast::Body;
use crate::testing::{bound, rows, value};

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

#[test]
fn operators_bind_as_tightly_as_in_mysql() {
    for (expression, expected) in [
        ("1 + 2 * 3", "7"),
        ("2 * 3 DIV 4", "1"),
        ("7 MOD 4 + 1", "4"),
        ("MOD(7, 4)", "3"),
        ("'2024-01-01' + INTERVAL MOD(7, 4) DAY", "2024-01-04"),
        ("(7) MOD (4)", "3"),
        ("BINARY MOD(7, 4)", "3"),
        ("SUBSTRING('abcdef' FROM MOD(7, 4) FOR MOD(9, 7))", "cd"),
        ("'a' BETWEEN '1.5x' AND 0", "0"),
        ("'b' BETWEEN 'a' AND 'c'", "1"),
        ("3 >> '1.5x'", "1"),
        ("0x10 + 1", "17"),
        ("b'101' | 2", "7"),
        ("1 = 0x01", "1"),
        ("0x41 = 65", "1"),
        ("(0x41) <=> 65", "1"),
        ("'A' = 0x41", "1"),
        ("0x41 = 0x41", "1"),
        ("65 IN (1, 0x41)", "1"),
        ("0x41 IN ('B', 65)", "1"),
        ("0x41 BETWEEN 60 AND 70", "1"),
        ("0.5 < 0x01", "1"),
        ("-0x41", "-65"),
        ("CAST(0x41 AS UNSIGNED)", "65"),
        ("CAST(0x41 AS CHAR)", "A"),
        ("ABS(0x41)", "65"),
        ("CONCAT(0x41)", "A"),
        ("1 = b'1'", "1"),
        ("0x01 IS TRUE", "1"),
        ("0x00 IS TRUE", "0"),
        ("NOT 0x00", "1"),
        ("1 = _binary 0x01", "0"),
        ("X'4142' = 'AB'", "1"),
        ("1 | 2 & 3", "3"),
        ("1 << 2 + 1", "8"),
        ("2 ^ 3 * 2", "2"),
        ("-2 ^ 1", "18446744073709551615"),
        ("5 & 3 = 1", "1"),
        ("1 = 1 IS NULL", "0"),
        ("NOT 1 = 0", "1"),
        ("NOT 1 + 1", "0"),
        ("! 0 + 1", "2"),
        ("1 OR 1 XOR 1", "1"),
        ("1 XOR 1 AND 0", "1"),
        ("0 AND 1 OR 1", "1"),
        ("1 || 0", "1"),
        ("1 && 0", "0"),
        ("2 BETWEEN 1 AND 3 AND 0", "0"),
        ("2 BETWEEN 0 AND 3 IN (1)", "0"),
        ("2 BETWEEN 1 AND 3 NOT LIKE 3", "0"),
        ("2 BETWEEN 1 IN (1) AND 3", "1"),
        ("1 IN (2, 3) = 0", "1"),
        ("'a' LIKE 'a' AND 1", "1"),
        ("'ab' NOT LIKE 'a_' OR 0", "0"),
        ("1 < 2 = 1", "1"),
        ("NULL <=> NULL", "1"),
        ("NULL = NULL", "NULL"),
        ("1 NOT IN (2, NULL)", "NULL"),
        ("1 IN (1, NULL)", "1"),
        ("NULL AND 0", "0"),
        ("NULL OR 1", "1"),
        ("1 IS TRUE", "1"),
        ("0 IS NOT FALSE", "0"),
        ("NULL IS UNKNOWN", "1"),
        ("(1, 2) = (1, 2)", "1"),
        ("(1, 2) < (1, 3)", "1"),
        ("(1, NULL) = (2, 1)", "0"),
        ("(1, 2) IN ((1, 2), (3, 4))", "1"),
        ("BINARY 'a' = 'a'", "1"),
        ("'a' COLLATE utf8mb4_bin = 'a'", "1"),
        ("~0", "18446744073709551615"),
        ("- - 5", "5"),
        ("1 - -1", "2"),
        ("CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END", "b"),
        ("CASE WHEN NULL THEN 1 ELSE 2 END", "2"),
        ("5 / 2", "2.5000"),
        ("5 / 0", "NULL"),
        ("'5' + '3'", "8"),
        ("'3 apples' * 2", "6"),
        ("'a' < 'B'", "0"),
        ("10 = '10.0'", "1"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
}

#[test]
fn functions_give_what_mysql_gives() {
    for (expression, expected) in [
        ("COALESCE(NULL, NULL, 3)", "3"),
        ("IFNULL(NULL, 'x')", "x"),
        ("NULLIF(1, 1)", "NULL"),
        ("IF(0, 'a', 'b')", "b"),
        ("CONCAT('a', 1, 2.5)", "a12.5"),
        ("CONCAT('a', NULL)", "NULL"),
        ("CONCAT_WS(',', 'a', NULL, 'b')", "a,b"),
        ("LOWER('ÄB'), UPPER('äb')", "äb|ÄB"),
        ("LENGTH('é'), CHAR_LENGTH('é')", "2|1"),
        ("ABS(-5), ABS(-1.5), SIGN(-2)", "5|1.5|-1"),
        ("ROUND(2.5), ROUND(-2.567, 2), ROUND(155, -1)", "3|-2.57|160"),
        ("FLOOR(-1.5), CEIL(1.2), CEILING(-1.2)", "-2|2|-1"),
        ("HEX('AB'), HEX(255), UNHEX('4142')", "4142|FF|AB"),
        ("SUBSTRING('hello', 2, 3), SUBSTR('hello', -3), SUBSTRING('hello' FROM 2)", "ell|llo|ello"),
        ("LEFT('hello', 2), RIGHT('hello', 2)", "he|lo"),
        ("TRIM('  x '), LTRIM(' x'), RTRIM('x ')", "x|x|x"),
        ("REPLACE('aXbX', 'X', '-'), INSTR('abc', 'c'), LOCATE('c', 'abcabc', 4)", "a-b-|3|6"),
        ("GREATEST(1, 3, 2), LEAST('b', 'a')", "3|a"),
        (
            "CAST('12abc' AS SIGNED), CAST(-1 AS UNSIGNED), CAST(1.9 AS SIGNED), CAST('1.9' AS SIGNED)",
            "12|18446744073709551615|2|1",
        ),
        ("CAST(1.256 AS DECIMAL(10,2)), CAST('5' AS DECIMAL(10,2)), CAST(12345 AS CHAR(3))", "1.26|5.00|123"),
        ("CONVERT('x' USING utf8mb4), CONVERT('7', SIGNED)", "x|7"),
        ("CAST('{\"b\":1,\"a\":[1,2]}' AS JSON)", "{\"a\": [1, 2], \"b\": 1}"),
        ("CAST('2024-05-17 01:02:03' AS DATETIME)", "2024-05-17 01:02:03.000000"),
        ("JSON_EXTRACT('{\"a\": {\"b\": [1, \"x\"]}}', '$.a.b[1]')", "\"x\""),
        ("JSON_UNQUOTE(JSON_EXTRACT('{\"a\": \"x\"}', '$.a'))", "x"),
        ("JSON_EXTRACT('[1,2,3]', '$[0]', '$[2]')", "[1, 3]"),
        ("JSON_EXTRACT('1','$') = JSON_EXTRACT('1.0','$')", "1"),
        ("JSON_VALUE('[1,2]', '$[*]'), JSON_VALUE('[\"x\"]', '$[*]'), JSON_VALUE('[[1, 2]]', '$[0]')", "NULL|x|[1, 2]"),
        ("JSON_VALUE('bad', '$'), JSON_VALUE('', '$.a')", "NULL|NULL"),
        ("JSON_VALUE('{\"a\": \"x\", \"n\": null}', '$.a'), JSON_VALUE('{\"n\": null}', '$.n')", "x|NULL"),
        (
            "JSON_LENGTH('[1,2]'), JSON_LENGTH('{\"a\":[1,2,3]}', '$.a'), JSON_TYPE('1.5'), JSON_VALID('{')",
            "2|3|DOUBLE|0",
        ),
        ("JSON_OBJECT('k', 1, 'l', JSON_ARRAY(TRUE, NULL, 'x'))", "{\"k\": 1, \"l\": [true, null, \"x\"]}"),
        (
            "JSON_CONTAINS('[1,2]', '2'), JSON_KEYS('{\"b\":1,\"a\":1}'), JSON_QUOTE('a\"b')",
            "1|[\"a\", \"b\"]|\"a\\\"b\"",
        ),
        ("NOW(6)", "2023-11-14 22:13:20.123456"),
        ("NOW(), UNIX_TIMESTAMP(), CONCAT(CURDATE())", "2023-11-14 22:13:20.000000|1700000000|2023-11-14"),
        ("NOW() - INTERVAL 1 DAY", "2023-11-13 22:13:20.000000"),
        ("DATE_ADD('2024-01-01', INTERVAL 90 MINUTE)", "2024-01-01 01:30:00"),
        ("UNIX_TIMESTAMP('2023-11-14 22:13:20'), FROM_UNIXTIME(1700000000)", "1700000000|2023-11-14 22:13:20.000000"),
        (
            "CONVERT_TZ('2024-01-01 00:00:00', '+00:00', '+02:00'), CONVERT_TZ('2024-01-01', 'Mars', 'UTC')",
            "2024-01-01 02:00:00.000000|NULL",
        ),
        ("'a|%b' LIKE '%|%b' ESCAPE '|'", "1"),
        ("SHARD_OF('key') = SHARD_OF(CONCAT('k', 'ey'))", "1"),
        ("ISNULL(NULL)", "1"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
    assert!(matches!(bound("SELECT NO_SUCH_THING(1)"), Err(SqlError::UnknownFunction(_))));
    assert!(matches!(bound("SELECT LOWER()"), Err(SqlError::Arguments(_))));
    assert!(matches!(bound("SELECT RAND()"), Err(SqlError::Unsupported { .. })));
    assert_eq!(
        rows(
            "SELECT SHARD_OF(row_key) = shard FROM plain WHERE row_key = 'a'",
            &[crate::testing::cell("a", "b", 1, "1", 1)]
        ),
        ["1"]
    );
}

#[test]
fn whether_interval_is_the_function_is_seen_without_reading_over_and_over() {
    // Each token looked for from the first, in each of the nested ones, this would be minutes.
    let ones = "1,".repeat(15_000);
    let text =
        format!("SELECT {}CONCAT({ones}1),1{}", "INTERVAL(".repeat(50), ",1)".repeat(50).replacen(",1)", ")", 1));
    let began = std::time::Instant::now();
    one(&text);
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "{:?}", began.elapsed());
}
