//! What values of the relational engine are compared, sorted, grouped and shown as.

use cellgate_sql::ColumnType;

use super::Session;

#[test]
fn group_concat_keeps_bytes() {
    let session = Session::new();
    let hex = |of: &str, from: &str| session.rows(&format!("SELECT HEX(GROUP_CONCAT({of})) FROM ({from}) t"));
    assert_eq!(hex("b", "SELECT X'62FF31' AS b UNION ALL SELECT X'FE'"), ["62FF312CFE"]);
    assert_eq!(hex("s, b", "SELECT 'ä' AS s, X'FF' AS b"), ["C3A4FF"]);
    assert_eq!(hex("s", "SELECT 'ä' AS s"), ["C3A4"]);
    let program = session.program("SELECT GROUP_CONCAT(b) FROM (SELECT X'FF' AS b) t", &[]).unwrap();
    assert_eq!(program.columns()[0].ty, ColumnType::Bytes);
}

#[test]
fn group_concat_is_sorted_by_the_argument_a_number_names() {
    let session = Session::new();
    let from = "FROM (SELECT 1 AS a, 9 AS b UNION ALL SELECT 2, 3) t";
    let text = format!("SELECT GROUP_CONCAT(a ORDER BY 1 DESC), GROUP_CONCAT(a, b ORDER BY 2) {from}");
    assert_eq!(session.rows(&text), ["2,1|23,19"]);
    let wrong = session.error(&format!("SELECT GROUP_CONCAT(a ORDER BY 2) {from}"));
    assert_eq!(wrong, "Unknown column '2' in 'order clause'");
}

/// A table of one column of these JSON texts.
fn documents(texts: &[&str]) -> String {
    let rows: Vec<String> = texts.iter().map(|text| format!("SELECT CAST('{text}' AS JSON) AS j")).collect();
    format!("({}) AS d", rows.join(" UNION ALL "))
}

#[test]
fn json_is_in_the_order_of_its_values() {
    let session = Session::new();
    let from = documents(&["9", "[10]", "100", "true", "-3", "\"b\"", "2.5", "[9]", "10", "{}", "null"]);
    let ordered = ["null", "-3", "2.5", "9", "10", "100", "\"b\"", "{}", "[9]", "[10]", "true"];
    assert_eq!(session.rows(&format!("SELECT j FROM {from} ORDER BY j")), ordered);
    let numbers = session.rows(&format!("SELECT j, ROW_NUMBER() OVER (ORDER BY j) FROM {from} ORDER BY j"));
    assert_eq!(numbers[4..6], ["10|5", "100|6"]);
}

#[test]
fn json_that_is_equal_is_one_row() {
    let session = Session::new();
    let from = documents(&["1", "1.0", "[1, 2]", "[1.0, 2]", "1e18", "1000000000000000000", "2"]);
    let distinct = session.rows(&format!("SELECT DISTINCT j, 'x' AS x FROM {from} ORDER BY j"));
    assert_eq!(distinct.len(), 4, "{distinct:?}");
    assert_eq!(session.rows(&format!("SELECT COUNT(*) FROM {from} GROUP BY j ORDER BY 1")), ["1", "2", "2", "2"]);
    let union = "SELECT CAST('1' AS JSON) AS j, 'a' AS s UNION SELECT CAST('1.0' AS JSON), 'A' UNION SELECT NULL, 'a'";
    assert_eq!(session.rows(&format!("SELECT COUNT(*) FROM ({union}) u")), ["2"]);
    let refused = session.error("SELECT CAST('1' AS JSON) AS j EXCEPT SELECT CAST('1.0' AS JSON)");
    assert!(refused.contains("EXCEPT or INTERSECT over JSON"), "{refused}");
    let refused = session.error(&format!("SELECT DISTINCT MAX(j) FROM {from} GROUP BY j"));
    assert!(refused.contains("DISTINCT over JSON"), "{refused}");
}

#[test]
fn numbers_beyond_bigint_compare_with_doubles() {
    let session = Session::new();
    let from = "FROM (SELECT CAST(9223372036854775808 AS UNSIGNED) AS u, 9223372036854775808e0 AS f, 1e19 AS g) x";
    let text = format!(
        "SELECT u = f, u <=> f, u IN (f, 0), u BETWEEN 1 AND f, u < g, u > g, NULLIF(u, f), \
         CASE u WHEN f THEN 'same' END, u IN (SELECT f FROM (SELECT 9223372036854775808e0 AS f) y) {from}"
    );
    assert_eq!(session.rows(&text), ["1|1|1|1|1|0|NULL|same|1"]);
}

#[test]
fn text_is_the_number_it_stands_for_where_it_is_looked_for_among_numbers() {
    let session = Session::new();
    let within = |text: &str, number: &str| {
        session.rows(&format!("SELECT '{text}' IN (SELECT n FROM (SELECT {number} AS n) x)")).remove(0)
    };
    let digits = "9".repeat(60);
    for (text, number, is) in [
        ("1e40", "2e40", "0"),
        ("1e40", "1e40", "1"),
        ("0.50", "0.5", "1"),
        ("0.1", "1e-1", "1"),
        ("7abc", "7", "1"),
        ("9007199254740993", "9007199254740992", "0"),
        ("1e60", digits.as_str(), "0"),
        ("-18446744073709551615", "18446744073709551615", "0"),
    ] {
        assert_eq!(within(text, number), is, "{text} {number}");
    }
}

#[test]
fn text_is_found_in_text_without_case() {
    let session = Session::new();
    let columns = "FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = 'trips' \
                   AND COLUMN_NAME = 'added_id'";
    let text =
        format!("SELECT LOCATE('AUTO', EXTRA), INSTR(COLUMN_TYPE, 'BIGINT'), POSITION('Int' IN DATA_TYPE) {columns}");
    assert_eq!(session.rows(&text), ["1|1|4"]);
    let text = "SELECT LOCATE('B', 'abAB', 3), INSTR('ÄÖ', 'ö'), INSTR(BINARY 'ab', 'B'), \
                INSTR('ab' COLLATE utf8mb4_bin, 'B') FROM (SELECT 1) x";
    assert_eq!(session.rows(text), ["4|2|0|0"]);
}

#[test]
fn text_out_of_json_compares_exactly() {
    let session = Session::new();
    let from = "FROM (SELECT CAST('{\"a\":\"x\"}' AS JSON) AS j, 'X' AS t) d";
    let text = format!(
        "SELECT j->>'$.a' = 'X', JSON_VALUE(j, '$.a') = t, JSON_UNQUOTE(JSON_EXTRACT(j, '$.a')) = t, t = 'x', \
         j->>'$.a' = 'x', j->>'$.a' COLLATE utf8mb4_general_ci = 'X', \
         JSON_TYPE(j) = 'object', JSON_QUOTE(t) = '\"x\"' {from}"
    );
    assert_eq!(session.rows(&text), ["0|0|0|1|1|1|0|0"]);
}

#[test]
fn a_date_stays_one_where_whole_days_are_added() {
    let session = Session::new();
    let text = "SELECT d + INTERVAL n DAY, SUBDATE(d, n), d + INTERVAL 24 HOUR, d + INTERVAL n HOUR, t + INTERVAL n HOUR, \
                t + INTERVAL 1.5 SECOND, d + INTERVAL n MICROSECOND, d + INTERVAL n SECOND \
                FROM (SELECT DATE '2023-01-05' AS d, TIMESTAMP '2023-01-05 10:00:00' AS t, 1 AS n) x";
    let program = session.program(text, &[]).unwrap();
    let types: Vec<_> = program.columns().iter().map(|column| (column.ty, column.decimals)).collect();
    let (date, time) = (ColumnType::Date, ColumnType::DateTime);
    let expected = [(date, 0), (date, 0), (time, 0), (time, 0), (time, 0), (time, 1), (time, 6), (time, 0)];
    assert_eq!(types, expected);
    let text = "SELECT CONCAT(d + INTERVAL n DAY), CONCAT(d + INTERVAL 24 HOUR), CONCAT(t + INTERVAL n HOUR) \
                FROM (SELECT DATE '2023-01-05' AS d, TIMESTAMP '2023-01-05 10:00:00' AS t, 1 AS n) x";
    assert_eq!(session.rows(text), ["2023-01-06|2023-01-06 00:00:00|2023-01-05 11:00:00"]);
    let text = "SELECT COALESCE(t + INTERVAL NULL MINUTE_SECOND, t), COALESCE(t + INTERVAL NULL SECOND, t), \
                COALESCE(t + INTERVAL n MINUTE_SECOND, t), CONCAT(COALESCE(t + INTERVAL NULL MINUTE_SECOND, t)) \
                FROM (SELECT TIMESTAMP '2023-01-05 10:00:00' AS t, NULLIF(1, 1) AS n) x";
    let program = session.program(text, &[]).unwrap();
    assert!(program.columns().iter().take(3).all(|column| column.decimals == 0), "{:?}", program.columns());
    assert!(session.rows(text)[0].ends_with("|2023-01-05 10:00:00"), "{:?}", session.rows(text));
}

#[test]
fn between_compares_by_types_also_where_one_of_them_is_null() {
    let session = Session::new();
    let text = "SELECT '01.50' NOT BETWEEN 'BASE10' AND NULL + 0, s NOT BETWEEN '9' AND n + 0, \
                s NOT BETWEEN '10' AND n + 0, '2023-1-5' NOT BETWEEN '2023-02-01' AND CAST(NULL AS DATETIME) \
                FROM (SELECT '9.5' AS s, NULLIF(1, 1) AS n) x";
    assert_eq!(session.rows(text), ["NULL|NULL|1|1"]);
}

#[test]
fn text_of_a_table_that_is_no_time_is_below_every_time() {
    let session = Session::new();
    let from = "FROM (SELECT 'n/a' AS v UNION ALL SELECT '2023-01-05' UNION ALL SELECT '') t";
    let day = "DATE '2023-01-05'";
    let text = format!(
        "SELECT v = {day}, v < {day}, v BETWEEN {day} AND {day}, v IN ({day}, 'x'), NULLIF(v, {day}), \
         v IN (SELECT {day}), {day} NOT IN (SELECT v) {from} ORDER BY v DESC"
    );
    assert_eq!(session.rows(&text), ["0|1|0|0|n/a|0|1", "1|0|1|1|NULL|1|0", "0|1|0|0||0|1"]);
}

#[test]
fn sums_of_distinct_text_are_of_distinct_numbers() {
    let session = Session::new();
    let from = "FROM (SELECT '10' AS s UNION ALL SELECT '10.0' UNION ALL SELECT '010' UNION ALL SELECT '4') t";
    let text = format!("SELECT SUM(DISTINCT s), AVG(DISTINCT s), COUNT(DISTINCT s), COUNT(ALL s), SUM(ALL s) {from}");
    assert_eq!(session.rows(&text), ["14|7|4|4|34"]);
}

#[test]
fn what_using_makes_one_comes_first_behind_star() {
    let session = Session::new();
    let (x, y) = ("(SELECT 1 AS a, 2 AS b) x", "(SELECT 3 AS c, 2 AS b) y");
    assert_eq!(session.columns(&format!("SELECT * FROM {x} RIGHT JOIN {y} USING (b)")), ["b", "c", "a"]);
    assert_eq!(session.columns(&format!("SELECT * FROM {x} NATURAL RIGHT JOIN {y}")), ["b", "c", "a"]);
    assert_eq!(session.columns(&format!("SELECT * FROM {x} LEFT JOIN {y} USING (b)")), ["b", "a", "c"]);
    assert_eq!(session.rows(&format!("SELECT * FROM {x} RIGHT JOIN {y} USING (b)")), ["2|3|1"]);
    assert_eq!(session.columns(&format!("SELECT * FROM {x} RIGHT JOIN {y} ON x.b = y.b")), ["a", "b", "c", "b"]);
    let nested = format!("SELECT * FROM {x} JOIN (SELECT 1 AS a, 4 AS d) z USING (a) JOIN {y} USING (b)");
    assert_eq!(session.columns(&nested), ["b", "a", "d", "c"]);
    let nested = format!("SELECT * FROM {x} JOIN ({y} RIGHT JOIN (SELECT 8 AS z, 2 AS b) z USING (b)) USING (b)");
    assert_eq!(session.columns(&nested), ["b", "a", "z", "c"]);
    let comma = format!("SELECT * FROM (SELECT 9 AS p) o, {x} JOIN {y} USING (b)");
    assert_eq!(session.columns(&comma), ["p", "b", "a", "c"]);
}

#[test]
fn what_is_not_built_says_so() {
    let session = Session::new();
    let window = "SELECT ROW_NUMBER() OVER (ORDER BY COUNT(*)) FROM (SELECT 1 AS n) t GROUP BY n";
    assert!(session.error(window).contains("an aggregate within a window function"));
    let row = "SELECT (1, 2) = (SELECT 1, 2) FROM (SELECT 1) t";
    assert!(session.error(row).contains("a comparison of a row with a subquery"));
}
