//! What takes long is given up, while it is bound and within one row.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::environment::SqlMode;
use crate::error::SqlError;
use crate::parse::parse;
use crate::shape::Patience;
use crate::testing::{Session, bound, bound_with, cell, read, read_with};
use crate::value::Value;

/// A session that is given up at the look after so many, and how often it was looked.
fn impatient(looks: usize) -> (Session, Arc<AtomicUsize>) {
    let looked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&looked);
    let patience = Patience::new(move || counted.fetch_add(1, Ordering::Relaxed) >= looks);
    let mut session = Session::new();
    session.patience = patience;
    (session, looked)
}

/// A text and a pattern that take some hundred million steps to compare.
fn slow_to_compare() -> [Value; 2] {
    [Value::Text("a".repeat(40_000).into()), Value::Text(format!("%{}b", "a".repeat(12_000)).into())]
}

#[test]
fn what_takes_long_while_it_is_bound_is_given_up() {
    for text in ["DO ? LIKE ?", "SET @a = ? LIKE ?", "SELECT 1 UNION SELECT ? LIKE ?"] {
        let (session, looked) = impatient(20);
        assert_eq!(bound_with(&session, text, &slow_to_compare()).err(), Some(SqlError::GivenUp), "{text}");
        let looked = looked.load(Ordering::Relaxed);
        assert!((21..=25).contains(&looked), "{text}: {looked}");
    }
}

#[test]
fn where_a_call_is_come_to_is_found_in_one_pass_and_given_up_too() {
    let coalesce = |n| format!("SELECT COALESCE({}SLEEP(0))", "NULL, ".repeat(n));
    let and = |n| format!("DO {}SLEEP(0)", "1 AND ".repeat(n));
    let case = |n| format!("SELECT CASE 2 {} WHEN SLEEP(0) THEN 1 END", "WHEN 1 THEN 1 ".repeat(n));
    let searched = |n| format!("SELECT CASE {} ELSE SLEEP(0) END", "WHEN 0 THEN 1 ".repeat(n));
    for text in [coalesce(99_000), and(1_000), case(49_000), searched(1_000)] {
        let asked = bound(&text);
        assert!(matches!(asked, Err(SqlError::Pending(..))), "{asked:?}");
    }
    for text in [coalesce(1_000), and(1_000), case(1_000), searched(1_000)] {
        let (session, looked) = impatient(20);
        assert_eq!(bound_with(&session, &text, &[]).err(), Some(SqlError::GivenUp), "{text}");
        let looked = looked.load(Ordering::Relaxed);
        assert!((21..=22).contains(&looked), "{text}: {looked}");
    }
}

#[test]
fn what_a_case_compares_is_computed_once_to_find_its_calls() {
    // Functions may make 256 MiB for a statement, and this is 40 MB.
    let [text, _] = slow_to_compare();
    let large = format!("REPLACE(?, 'a', '{}')", "a".repeat(1_000));
    let case = format!("SELECT CASE {large} {} ELSE SLEEP(0) END", "WHEN 1 THEN 1 ".repeat(100));
    let asked = bound_with(&Session::new(), &case, &[text]);
    assert!(matches!(asked, Err(SqlError::Pending(..))), "{asked:?}");
}

#[test]
fn what_is_prepared_is_computed_as_long_and_as_large_as_what_runs() {
    let prepared = |item: &str, items: usize, looks: usize| {
        let text = format!("SELECT {} FROM (SELECT 1) x", vec![item; items].join(", "));
        let statement = parse(&text, SqlMode::default()).unwrap().remove(0);
        crate::describe(&statement, &impatient(looks).0).err()
    };
    let slow = format!("'{}' LIKE '%{}b'", "a".repeat(40_000), "a".repeat(12_000));
    assert_eq!(prepared(&slow, 1, 20), Some(SqlError::GivenUp));
    // Eight million bytes each.
    let hundredfold = |e: String| format!("REPLACE({e}, 'a', '{}')", "a".repeat(100));
    let large = hundredfold(hundredfold(hundredfold("'aaaaaaaa'".to_owned())));
    assert_eq!(prepared(&large, 10, usize::MAX), None);
    let refused = prepared(&large, 100, usize::MAX);
    assert!(matches!(refused, Some(SqlError::Limit { name: "bind_bytes", .. })), "{refused:?}");
}

#[test]
fn casts_are_work() {
    let document = [Value::Text(format!("[0{}]", ",0".repeat(10_000)).into())];
    let text = format!("DO {}", vec!["CAST(? AS JSON)"; 1_000].join(", "));
    let params = vec![document[0].clone(); 1_000];
    let (session, _) = impatient(20);
    assert_eq!(bound_with(&session, &text, &params).err(), Some(SqlError::GivenUp));
}

#[test]
fn what_takes_long_is_not_folded_and_not_tried_again_in_its_parts() {
    for text in ["SELECT ? LIKE ?".to_owned(), format!("SELECT {} (? LIKE ?)", "NOT ".repeat(100))] {
        let (session, looked) = impatient(usize::MAX);
        let read = read_with(&session, &text, &slow_to_compare());
        assert!(read.shape.start().rest() > 1 << 20, "left to the rows: {text}");
        let looked = looked.load(Ordering::Relaxed);
        assert!((1..=60).contains(&looked), "{text}: {looked}");
    }
}

#[test]
fn what_takes_long_within_one_row_is_given_up() {
    let row = |items: &str, body: &str, most: usize| {
        let mut shaping = read(&format!("SELECT {items} FROM trips WHERE row_key = 'a'")).shape.start();
        let looks = AtomicUsize::new(0);
        shaping.give_up_when(move || looks.fetch_add(1, Ordering::Relaxed) >= most);
        shaping.push(&cell("a", "BASE", 1, body, 11), &mut Vec::new()).err()
    };
    let given_up = Some(SqlError::GivenUp);
    assert_eq!(row(&vec!["body"; 1000].join(","), "1", 20), given_up);
    assert_eq!(row(&vec!["JSON_LENGTH(body)"; 1000].join(","), "[1]", 20), given_up);
    // What is long is looked at before each function of it.
    let long = format!("[{}1]", "1, ".repeat(1 << 19));
    for item in [
        "JSON_LENGTH(body)",
        "body->'$[0]'",
        "body = 1",
        "body BETWEEN 1 AND 2",
        "body LIKE '%2%'",
        "CAST(body AS SIGNED)",
        "JSON_CONTAINS(body, '2')",
    ] {
        assert_eq!(row(item, &long, 0), given_up, "{item}");
        assert_eq!(row(item, "[1]", 0), None, "{item}");
    }
    // And so is a document of which there is little, by how much is done with it.
    let paths = format!("JSON_EXTRACT(body{})", ",'$**.a'".repeat(1_000));
    assert_eq!(row(&paths, &long[long.len() - 10_000..].replacen(", ", "[", 1), 0), given_up);
}

#[test]
fn paths_are_work() {
    let work = |paths: usize| {
        read(&format!("SELECT JSON_EXTRACT(body{}) FROM trips WHERE row_key = 'a'", ",'$**.a'".repeat(paths)))
            .shape
            .start()
            .work(1, 20_000)
    };
    assert!(work(1_000) > 100 * work(1));
}

/// A relational SELECT of a condition over `a`, which is 1.
fn where_(condition: &str) -> String {
    format!("SELECT 1 FROM (SELECT 1 AS a) d WHERE {condition}")
}

/// EXISTS of a subquery of many columns, which are written in a few bytes.
fn wide_subquery() -> String {
    let columns = (0..1_000).map(|n| format!("1 c{n}")).collect::<Vec<_>>().join(",");
    format!("EXISTS(SELECT * FROM (SELECT {columns}) w)")
}

#[test]
fn a_relational_select_is_given_up_while_its_names_are_looked_up() {
    let sum = |operand: &str, n| format!("{operand} + {}", vec![operand; n].join(" + "));
    let list = |item: &str, n| vec![item; n].join(",");
    let names = (0..500).map(|n| format!("c{n}")).collect::<Vec<_>>().join(",");
    let columns = names.replace('c', "1 c");
    for text in [
        where_(&format!("({}, a) IN ({})", wide_subquery(), list("(a,a)", 100))),
        where_(&format!("a IN ({})", list("a", 5_000))),
        where_(&sum("a", 300)),
        format!("SELECT {} FROM (SELECT 1 AS a) d", list("a", 1_500)),
        format!("SELECT {} FROM (SELECT 1 AS a) d", list("*", 1_900)),
        format!("SELECT 1 {}", "UNION ALL SELECT * FROM (SELECT 1) d ".repeat(300)),
        format!("SELECT 1 FROM (SELECT {columns}) d JOIN (SELECT {columns}) e USING ({names})"),
    ] {
        let (session, _) = impatient(5);
        assert_eq!(bound_with(&session, &text, &[]).err(), Some(SqlError::GivenUp), "{}", &text[..100]);
    }
}

#[test]
fn what_is_printed_is_bounded_while_it_is_printed() {
    // Each pair is as long as the left side, of some 30 KB: all of them would be 600 MB.
    let text = where_(&format!("({}, a) IN ({})", wide_subquery(), vec!["(a,a)"; 20_000].join(",")));
    let (session, looked) = impatient(usize::MAX);
    let refused = bound_with(&session, &text, &[]).err();
    assert!(matches!(refused, Some(SqlError::Limit { name: "bytes", .. })), "{refused:?}");
    // The names of a thousand columns, and then the pairs until there is no more room.
    let looked = looked.load(Ordering::Relaxed);
    assert!((50..3_000).contains(&looked), "{looked}");
}

#[test]
fn copies_of_bytes_are_bounded_where_text_is_shared() {
    let items = |n| format!("SELECT {} FROM (SELECT 1) d", vec!["?"; n].join(","));
    let copies = |value: Value, n| bound_with(&Session::new(), &items(n), &vec![value; n]).err();
    let megabyte = "a".repeat(1 << 20);
    assert_eq!(copies(Value::Text(megabyte.clone().into()), 1_000), None);
    assert_eq!(copies(Value::Bytes(megabyte.clone().into()), 100), None);
    let refused = copies(Value::Bytes(megabyte.into()), 1_000);
    assert!(matches!(refused, Some(SqlError::Limit { name: "bind_bytes", .. })), "{refused:?}");
}
