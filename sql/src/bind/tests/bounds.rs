//! How much a statement may name, compute, read and collect.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cellgate_schemaless::Request;

use super::{cells, noted, request};
use crate::error::SqlError;
use crate::testing::{Session, bound, bound_with, cell, computed, read, read_with, rows, run, shown};
use crate::value::Value;

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

#[test]
fn collecting_is_bounded() {
    let mut env = Session::new();
    env.collect_rows = 3;
    let over = |text: &str| run(&read_with(&env, text, &[]), &cells());
    for text in [
        "SELECT row_key FROM trips ORDER BY created_at DESC",
        "SELECT DISTINCT added_id FROM trips",
        "SELECT added_id, COUNT(*) FROM trips GROUP BY added_id",
    ] {
        assert!(matches!(over(text), Err(SqlError::Limit { name: "limits.collect_rows", .. })), "{text}");
    }
    assert_eq!(over("SELECT row_key FROM trips").unwrap().len(), 6, "what streams is not bounded");
    assert_eq!(over("SELECT COUNT(*) FROM trips").unwrap().len(), 1);
    // A row that is sorted and compared with all others is one.
    assert_eq!(over("SELECT DISTINCT row_key FROM trips ORDER BY row_key DESC").unwrap().len(), 3);
    let distinct = "SELECT DISTINCT added_id FROM trips ORDER BY added_id DESC LIMIT 1";
    assert!(matches!(over(distinct), Err(SqlError::Limit { name: "limits.collect_rows", .. })));
}

#[test]
fn the_start_of_a_body_does_not_hold_the_body() {
    let body = format!("\"{}\"{}", "x".repeat(1_000), " ".repeat(2_000));
    let cells: Vec<_> = (1..4).map(|n| cell("a", "BASE", n, &body, n)).collect();
    for (start, length) in [("CAST(body AS CHAR(20))", 20), ("TRIM(body)", 1_002), ("LTRIM(RTRIM(body))", 1_002)] {
        let read = read(&format!("SELECT {start} AS h FROM trips ORDER BY h"));
        for mut row in run(&read, &cells).unwrap() {
            match row.remove(0) {
                Value::Text(h) => assert!(h.len() == length && h.is_unique(), "{start}: {} bytes", h.len()),
                other => panic!("{start}: {other:?}"),
            }
        }
    }
}
