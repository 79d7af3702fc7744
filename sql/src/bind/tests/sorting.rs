//! What rows are sorted by, and the type of what a choice gives.

use crate::error::SqlError;
use crate::testing::{Session, cell, read, read_with, rows, run, shown};
use crate::value::Value;

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
fn a_choice_of_several_kinds_is_sorted_as_text() {
    let cells: Vec<_> = (1..200).map(|version| cell("a", "BASE", version, "{}", version)).collect();
    let text =
        "SELECT ref_key FROM trips ORDER BY IF(ref_key % 3 = 0, ?, IF(ref_key % 3 = 1, body, created_at)), ref_key";
    let sorted = run(&read_with(&Session::new(), text, &[Value::Int(5)]), &cells).unwrap();
    assert_eq!(sorted.len(), cells.len());
    // By a time, 5 and {}.
    assert_eq!(sorted.iter().take(3).map(shown).collect::<Vec<_>>(), ["2", "5", "8"]);
    assert_eq!(sorted.iter().skip(66).take(3).map(shown).collect::<Vec<_>>(), ["3", "6", "9"]);
}

#[test]
fn a_choice_of_json_and_something_else_is_grouped_and_sorted_as_the_text_that_is_shown() {
    let bodies = [r#"{"fare":0,"city":"Paris"}"#, r#"{"fare":-5,"city":"none"}"#, "{}", r#"{"fare":10,"city":"zz"}"#];
    let cells: Vec<_> = (1..5).map(|n| cell("a", "BASE", n, bodies[n as usize - 1], n)).collect();
    for (text, expected) in [
        (
            "SELECT COALESCE(body->'$.fare', 0) AS fare, COUNT(*) FROM trips GROUP BY fare ORDER BY fare",
            &["-5|1", "0|2", "10|1"][..],
        ),
        ("SELECT COALESCE(body->'$.fare', 0) AS fare FROM trips GROUP BY fare HAVING fare = 0", &["0"]),
        ("SELECT DISTINCT IFNULL(body->'$.fare', 0) FROM trips ORDER BY 1 DESC", &["10", "0", "-5"]),
        ("SELECT DISTINCT IF(ref_key = 3, 0e0, body->'$.fare') AS f FROM trips ORDER BY f LIMIT 2", &["-5", "0"]),
        ("SELECT MIN(IFNULL(body->'$.fare', 0)), MAX(IFNULL(body->'$.fare', 0)) FROM trips", &["-5|10"]),
        ("SELECT COUNT(DISTINCT IFNULL(body->'$.fare', 0)), COUNT(IFNULL(body->'$.fare', 0)) FROM trips", &["3|4"]),
        ("SELECT ref_key FROM trips ORDER BY COALESCE(body->'$.fare', 0), ref_key", &["2", "1", "3", "4"]),
        (
            "SELECT MIN(COALESCE(body->'$.city', 'none')), MAX(COALESCE(body->'$.city', 'none')) FROM trips",
            &["\"Paris\"|none"],
        ),
        ("SELECT ref_key FROM trips ORDER BY COALESCE(body->'$.city', 'none')", &["1", "2", "4", "3"]),
        ("SELECT ref_key FROM trips WHERE COALESCE(body->'$.city', 'none') = 'Paris'", &["1"]),
        ("SELECT ref_key FROM trips ORDER BY body->'$.fare' DESC LIMIT 1", &["4"]),
        ("SELECT ref_key FROM trips ORDER BY COALESCE(body->'$.fare', NULL) DESC LIMIT 1", &["4"]),
    ] {
        assert_eq!(rows(text, &cells), expected, "{text}");
    }
}
