//! The property everything rests on: what is read, plus what is checked per cell, is what the condition says.

use cellgate_schemaless::Cell;
use proptest::prelude::*;

use crate::testing::{Session, cell, read_with, run, shown};

const ROWS: [&str; 4] = ["a", "b", "5", "A"];
const COLUMNS: [&str; 3] = ["BASE", "STATUS", "x"];

/// Cells with distinct triples and ids.
fn cells() -> impl Strategy<Value = Vec<Cell>> {
    proptest::collection::btree_set((0..ROWS.len(), 0..COLUMNS.len(), -1_i64..5), 0..25).prop_map(|triples| {
        triples
            .into_iter()
            .enumerate()
            .map(|(i, (row, column, version))| {
                let id = i64::try_from((i * 7) % 25).unwrap() * 3 + i64::try_from(i / 25).unwrap();
                cell(ROWS[row], COLUMNS[column], version, &format!("{{\"n\":{}}}", i % 4), id)
            })
            .collect()
    })
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(&ROWS[..]).prop_map(|r| format!("'{r}'")),
        1 => Just("5".to_owned()),
        1 => Just("NULL".to_owned()),
        1 => Just("''".to_owned()),
        1 => Just("CONCAT('a', '')".to_owned()),
    ]
}

fn column() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => proptest::sample::select(&COLUMNS[..]).prop_map(|c| format!("'{c}'")),
        1 => Just("X'78'".to_owned()),
        1 => Just("'nobody'".to_owned()),
    ]
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (-2_i64..6).prop_map(|n| n.to_string()),
        1 => (-2_i64..6).prop_map(|n| format!("'{n}'")),
        1 => (-2_i64..6).prop_map(|n| format!("{n}.5")),
        1 => Just("2.0".to_owned()),
        1 => Just("1e0".to_owned()),
        1 => Just("'abc'".to_owned()),
        1 => Just("NULL".to_owned()),
        1 => Just("9223372036854775807".to_owned()),
        1 => Just("-9223372036854775808".to_owned()),
        1 => Just("99999999999999999999".to_owned()),
    ]
}

fn operator() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(&["=", "=", "=", "<", "<=", ">", ">=", "<>", "<=>"][..])
}

fn atom() -> impl Strategy<Value = String> {
    let list = |s: BoxedStrategy<String>| proptest::collection::vec(s, 1..4).prop_map(|v| v.join(", "));
    let not = proptest::sample::select(&["", "", "", "NOT "][..]);
    prop_oneof![
        4 => key().prop_map(|k| format!("row_key = {k}")),
        2 => column().prop_map(|c| format!("column_key = {c}")),
        3 => (operator(), number()).prop_map(|(o, n)| format!("ref_key {o} {n}")),
        1 => (operator(), number()).prop_map(|(o, n)| format!("{n} {o} ref_key")),
        2 => (not.clone(), list(key().boxed())).prop_map(|(n, l)| format!("row_key {n}IN ({l})")),
        2 => (not.clone(), list(column().boxed())).prop_map(|(n, l)| format!("column_key {n}IN ({l})")),
        2 => (not.clone(), list(number().boxed())).prop_map(|(n, l)| format!("ref_key {n}IN ({l})")),
        1 => (not, number(), number()).prop_map(|(n, a, b)| format!("ref_key {n}BETWEEN {a} AND {b}")),
        2 => proptest::collection::vec((key(), column()), 1..4).prop_map(|v| {
            let pairs: Vec<_> = v.into_iter().map(|(k, c)| format!("({k}, {c})")).collect();
            format!("(row_key, column_key) IN ({})", pairs.join(", "))
        }),
        2 => proptest::collection::vec((number(), column(), key()), 1..4).prop_map(|v| {
            let triples: Vec<_> = v.into_iter().map(|(n, c, k)| format!("({n}, {c}, {k})")).collect();
            format!("(ref_key, column_key, row_key) IN ({})", triples.join(", "))
        }),
        1 => (operator(), key()).prop_map(|(o, k)| format!("row_key {o} {k}")),
        1 => (proptest::sample::select(&["<", "<=", ">", ">="][..]), 0..75_i64).prop_map(|(o, n)| format!("added_id {o} {n}")),
        1 => (operator(), 0..60_i64).prop_map(|(o, n)| format!("created_at {o} '2023-11-14 22:14:{n:02}'")),
        1 => (0..9_i64).prop_map(|n| format!("shard = {n}")),
        1 => (0..4_i64).prop_map(|n| format!("body->'$.n' = {n}")),
        1 => Just("body IS NOT NULL".to_owned()),
        1 => Just("row_key IS NULL".to_owned()),
        1 => Just("1".to_owned()),
        1 => Just("NULL".to_owned()),
        1 => key().prop_map(|k| format!("row_key LIKE {k}")),
    ]
}

fn condition() -> impl Strategy<Value = String> {
    atom().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            3 => proptest::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" AND "))),
            3 => proptest::collection::vec(inner.clone(), 2..4).prop_map(|all| format!("({})", all.join(" OR "))),
            1 => inner.clone().prop_map(|e| format!("NOT ({e})")),
            1 => (inner.clone(), inner).prop_map(|(a, b)| format!("({a} XOR {b})")),
        ]
    })
}

fn tail() -> impl Strategy<Value = String> {
    let item = (
        proptest::sample::select(&["row_key", "column_key", "ref_key", "shard", "added_id", "created_at"][..]),
        proptest::sample::select(&["", " DESC"][..]),
    );
    let order = proptest::collection::vec(item, 0..4);
    let all = proptest::sample::select(&["", "", " DESC"][..]);
    let limit = proptest::option::of((0..6_u64, 0..3_u64));
    (order, all, limit, any::<bool>()).prop_map(|(order, all, limit, natural)| {
        let order: Vec<String> = if natural {
            ["row_key", "column_key", "ref_key"].iter().map(|c| format!("{c}{all}")).collect()
        } else {
            order.into_iter().map(|(column, direction)| format!("{column}{direction}")).collect()
        };
        let mut tail = String::new();
        if !order.is_empty() {
            tail = format!(" ORDER BY {}", order.join(", "));
        }
        if let Some((count, offset)) = limit {
            tail += &format!(" LIMIT {count} OFFSET {offset}");
        }
        tail
    })
}

fn shown_rows(text: &str, cells: &[Cell]) -> Vec<String> {
    let rows = run(&read_with(&Session::new(), text, &[]), cells).unwrap_or_else(|e| panic!("{text}: {e}"));
    rows.iter().map(shown).collect()
}

/// The same, with the condition evaluated on every cell: `IF(condition, 1, 0)` says nothing about keys.
fn reference(condition: &str, cells: &[Cell]) -> Vec<String> {
    let text = format!(
        "SELECT row_key, column_key, ref_key, added_id FROM trips WHERE IF({condition}, 1, 0) \
         ORDER BY row_key, column_key, ref_key"
    );
    shown_rows(&text, cells)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_lowered_condition_holds_for_the_same_cells(condition in condition(), cells in cells()) {
        let text = format!(
            "SELECT row_key, column_key, ref_key, added_id FROM trips WHERE {condition} \
             ORDER BY row_key, column_key, ref_key"
        );
        prop_assert_eq!(shown_rows(&text, &cells), reference(&condition, &cells), "{}", text);
    }

    #[test]
    fn order_and_limit_are_those_of_the_statement(condition in condition(), tail in tail(), cells in cells()) {
        let items = "row_key, column_key, ref_key, shard, added_id, created_at";
        let lowered = shown_rows(&format!("SELECT {items} FROM trips WHERE {condition}{tail}"), &cells);
        let plain = shown_rows(&format!("SELECT {items} FROM trips WHERE IF({condition}, 1, 0){tail}"), &cells);
        // Rows that the order leaves equal may come in any order, and LIMIT may choose any of them: what must agree
        // is the number of rows and the columns ordered by.
        prop_assert_eq!(lowered.len(), plain.len(), "{}{}", condition, tail);
        let places: Vec<usize> = items
            .split(", ")
            .enumerate()
            .filter(|(_, c)| tail.contains(c))
            .map(|(i, _)| i)
            .collect();
        let ordered = |rows: &[String]| -> Vec<Vec<String>> {
            rows.iter()
                .map(|r| {
                    let values: Vec<&str> = r.split('|').collect();
                    places.iter().map(|i| values[*i].to_owned()).collect()
                })
                .collect()
        };
        prop_assert_eq!(ordered(&lowered), ordered(&plain), "{}{}", condition, tail);
        let all = shown_rows(&format!("SELECT {items} FROM trips WHERE IF({condition}, 1, 0)"), &cells);
        prop_assert!(lowered.iter().all(|r| all.contains(r)));
    }

    #[test]
    fn aggregates_do_not_depend_on_what_is_read(condition in condition(), cells in cells()) {
        let items = "COUNT(*), COUNT(DISTINCT row_key), SUM(ref_key), MIN(added_id), MAX(created_at)";
        let lowered = shown_rows(&format!("SELECT {items} FROM trips WHERE {condition}"), &cells);
        let plain = shown_rows(&format!("SELECT {items} FROM trips WHERE IF({condition}, 1, 0)"), &cells);
        prop_assert_eq!(lowered, plain, "{}", condition);
    }

    #[test]
    fn partitions_choose_among_the_same_cells(condition in condition(), shards in proptest::collection::btree_set(0..8_u16, 1..5), cells in cells()) {
        let names: Vec<String> = shards.iter().map(|s| format!("p{s}")).collect();
        let list: Vec<String> = shards.iter().map(u16::to_string).collect();
        let order = "ORDER BY row_key, column_key, ref_key";
        let text = format!(
            "SELECT row_key, column_key, ref_key, added_id FROM trips PARTITION ({}) WHERE {condition} {order}",
            names.join(", ")
        );
        let expected = reference(&format!("({condition}) AND shard IN ({})", list.join(", ")), &cells);
        prop_assert_eq!(shown_rows(&text, &cells), expected, "{}", text);
    }
}
