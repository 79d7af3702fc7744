//! Hostile text, and the limits it meets.

use std::time::Duration;

use crate::environment::SqlMode;
use crate::error::SqlError;
use crate::parse::parse;
use crate::testing::{computed, rows, value};

/// Hostile text is an error or a statement, on a stack as small as a runtime's worker threads have.
#[test]
fn hostile_text_never_overflows_the_stack() {
    let repeat = |before: &str, n: usize, after: &str| format!("SELECT {}1{}", before.repeat(n), after.repeat(n));
    let mut texts = Vec::new();
    for n in [10, 60, 199, 201, 3_000, 60_000] {
        for (before, after) in [
            ("(", ")"),
            ("(", ""),
            ("", ")"),
            ("NOT ", ""),
            ("- ", ""),
            ("~", ""),
            ("!", ""),
            ("BINARY ", ""),
            ("CASE WHEN ", " THEN 1 END"),
            ("CASE ", ""),
            ("CAST(", " AS CHAR)"),
            ("CAST(", ""),
            ("IF(1,", ",1)"),
            ("CONCAT(", ")"),
            ("1 + (", ")"),
            ("1 OR 1 AND NOT 1 = 1 | 1 & 1 << 1 + 1 * 1 ^ - (", ")"),
            ("(1,", ")"),
            ("1 IN (", ")"),
            ("1 BETWEEN 1 AND (", ")"),
            ("INTERVAL(", ""),
            ("INTERVAL ", " DAY"),
            ("EXISTS(SELECT ", ")"),
            ("(SELECT ", ")"),
            ("[", "]"),
            ("{", "}"),
            ("/*", "*/"),
            ("/*! ", "*/"),
            ("COUNT(", ")"),
            ("x -> ", ""),
            ("@a := ", ""),
            ("_utf8mb4 ", ""),
            ("TRIM(", ")"),
            ("a.", ""),
            ("ARRAY[", "]"),
            ("STRUCT<", ">"),
            ("TIMESTAMP(", ")"),
            ("ROW(", ")"),
        ] {
            texts.push(repeat(before, n, after));
        }
        for joined in [
            " AND 1",
            " OR 1",
            " XOR 1",
            " + 1",
            " = 1",
            " IS NULL",
            " LIKE 1",
            " IN (1)",
            " BETWEEN 1 AND 1",
            " -> '$'",
            " || 1",
            " COLLATE utf8mb4_bin",
            " UNION SELECT 1",
            " 'x'",
            ", 1",
            " DIV 1",
            " NOT IN (1)",
            " - INTERVAL 1 DAY",
        ] {
            texts.push(format!("SELECT 'x'{}", joined.repeat(n)));
        }
        texts.push(format!("SELECT * FROM t {}", "JOIN t ".repeat(n)));
        texts.push(format!("SELECT * FROM {}", "(".repeat(n)));
        texts.push(format!("EXPLAIN {} SELECT 1", "EXPLAIN ".repeat(n)));
        texts.push(format!("SET {}", "@@x = ".repeat(n)));
        texts.push(";".repeat(n).to_string());
        texts.push(format!("INSERT INTO t VALUES {}", "(".repeat(n)));
        texts.push("SELECT 1;".repeat(n.min(3_000)));
    }
    for n in [10, 199, 3_000, 9_999, 60_000] {
        // Chains of SELECTs and tables, and of operators that names of other things hide.
        for (before, joined, after) in [
            ("SELECT (SELECT 1", " UNION SELECT 1", ")"),
            ("SET @a = (SELECT 1, 1", " EXCEPT SELECT 1, 1", ")"),
            ("DO 1 IN (SELECT 1", " INTERSECT SELECT 1", ")"),
            ("DO EXISTS (SELECT 1", " MINUS SELECT 1", ")"),
            ("SHOW TABLES WHERE 1 IN ((SELECT 1)", " UNION ALL (SELECT 1)", ")"),
            ("DO 1 IN (VALUES (1)", " UNION VALUES (1)", ")"),
            ("SELECT (SELECT 1 AS case", " UNION SELECT 1 AS case END", ")"),
            ("SELECT (SELECT 1 FROM t", " PIVOT(COUNT(a) FOR b IN (c))", ")"),
            ("SELECT (SELECT 1 FROM t", " UNPIVOT(a FOR b IN (c))", ")"),
            ("SELECT (SELECT 1 FROM t", " JOIN t ON 1", ")"),
            ("SELECT (SELECT 1 FROM t", " JOIN t", ")"),
            ("SELECT 1", " + f(end, t.case)", ""),
            ("SELECT 1", " + 1 COLLATE case + 1 COLLATE end", ""),
        ] {
            texts.push(format!("{before}{}{after}", joined.repeat(n)));
        }
    }
    // As deep as is allowed, where each level is given the type of all.
    for (open, close) in [("IF(1, ", ", 0.5)"), ("COALESCE(", ", 'x')"), ("CASE WHEN 1 THEN ", " ELSE 0.5 END")] {
        texts.push(format!("SELECT {}1{}", open.repeat(199), close.repeat(199)));
    }
    // Times that each function reads as text, below branches.
    let (open, close) = ("IF(1, ".repeat(99), ", 0)".repeat(99));
    texts.push(format!("SELECT {open}{}NOW(){}{close}", "CONCAT(1, ".repeat(99), ")".repeat(99)));
    texts.push(format!("SELECT {open}CONCAT({}NOW()){close}", "1, ".repeat(20_000)));
    let worker = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(move || {
        for text in texts {
            let start = computed();
            crate::fuzz::fuzz_statement(text.as_bytes());
            let took = computed() - start;
            assert!(took < Duration::from_secs(5), "{} ..: {took:?}", &text[..30]);
        }
    });
    worker.unwrap().join().unwrap();
}

#[test]
fn end_is_a_name_where_no_case_is_open() {
    for text in [
        "CREATE TABLE rides (START JSON, END JSON) ENGINE=CELLS",
        "INSERT INTO rides (row_key, END) VALUES ('a', '1')",
        "SELECT COUNT(end) FROM rides",
        "SELECT (end), r.end, r.case FROM rides r WHERE (r.end = 1)",
    ] {
        let parsed = parse(text, SqlMode::default());
        assert!(parsed.is_ok(), "{text}: {:?}", parsed.err());
    }
    assert_eq!(value("(CASE WHEN (CASE 1 WHEN 1 THEN 1 END) THEN (2) END)"), "2");
    assert!(parse("SELECT (CASE WHEN 1) THEN 1 END", SqlMode::default()).is_err());
    // What is named like that hides no operators.
    let hidden = parse(&format!("SELECT 1{}", " + f(end, t.case)".repeat(10_001)), SqlMode::default());
    assert!(matches!(hidden, Err(SqlError::Limit { name: "operators", .. })), "{hidden:?}");
}

#[test]
fn limits_have_names() {
    let limited = |text: String| match parse(&text, SqlMode::default()) {
        Err(SqlError::Limit { name, .. }) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(limited(format!("SELECT {}1{}", "(".repeat(201), ")".repeat(201))), "nesting");
    assert_eq!(limited(format!("SELECT 1{}", " + 1".repeat(10_001))), "operators");
    assert_eq!(limited(format!("SELECT {} 1", "NOT ".repeat(201))), "operators");
    assert_eq!(limited(format!("DO {}SLEEP(0)", "GET_LOCK('a', 0), ".repeat(64))), "calls");
    assert_eq!(limited(format!("DO {}1", "`sleep`(0), ".repeat(65))), "calls");
    assert!(parse(&format!("DO {}SLEEP (0)", "GET_LOCK('a', 0), ".repeat(63)), SqlMode::default()).is_ok());
    assert_eq!(limited(format!("SELECT (SELECT 1, 1{})", " UNION SELECT 1, 1".repeat(10_001))), "operators");
    assert_eq!(limited(format!("SELECT {}1{}", "CASE WHEN 1 THEN ".repeat(201), " END".repeat(201))), "nesting");
    assert_eq!(limited(format!("SELECT {}1", "1,".repeat(500_001))), "tokens");
    assert_eq!(value(&format!("1{}", " + 1".repeat(9_999))), "10000");
    assert_eq!(value(&format!("{}1{}", "(1 + ".repeat(199), ")".repeat(199))), "200");
    let list = (0..5_000).map(|n| format!("'{n}'")).collect::<Vec<_>>().join(",");
    assert_eq!(
        rows(
            &format!("SELECT row_key FROM trips WHERE row_key IN ({list})"),
            &[crate::testing::cell("7", "x", 1, "1", 1)]
        ),
        ["7"]
    );
}
