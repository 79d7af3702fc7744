//! What shapes make of cells.

use cellgate_schemaless::{Cell, ColumnKey};

use super::Bounds;
use super::input::{RowInput, Rows, Together};
use crate::testing::{cell, read, rows, shown};
use crate::value::Row;

#[test]
fn rows_of_a_whole_table_stream_a_shard_at_a_time() {
    let mut cells: Vec<Cell> = (0..40).map(|n| cell(&format!("r{n:02}"), "STATUS", 1, "\"old\"", n + 1)).collect();
    cells.extend((0..40).map(|n| cell(&format!("r{n:02}"), "STATUS", 2, "\"new\"", n + 101)));
    // As a log comes.
    cells.sort_by_key(|cell| (cell.shard, cell.added_id));
    let in_first = cells.iter().take_while(|cell| cell.shard == cells[0].shard).count();
    assert!(in_first < cells.len(), "several shards");
    let mut shaping = read("SELECT row_key, STATUS FROM trips").shape.start();
    let mut made: Vec<Row> = Vec::new();
    for cell in &cells[..in_first] {
        shaping.push(cell, &mut made).unwrap();
    }
    assert!(made.is_empty(), "a version that counts more may follow");
    shaping.push(&cells[in_first], &mut made).unwrap();
    assert_eq!(made.len(), in_first / 2, "the first shard is over");
    assert!(made.iter().all(|row| shown(row).ends_with("|\"new\"")), "{made:?}");
    for cell in &cells[in_first + 1..] {
        shaping.push(cell, &mut made).unwrap();
    }
    made.extend(shaping.finish().unwrap());
    let mut keys: Vec<String> = made.iter().map(shown).collect();
    keys.sort();
    assert_eq!(keys, (0..40).map(|n| format!("r{n:02}|\"new\"")).collect::<Vec<_>>());

    let mut shaping = read("SELECT row_key, STATUS FROM trips LIMIT 1").shape.start();
    let mut made: Vec<Row> = Vec::new();
    let pushed = cells.iter().take_while(|cell| !shaping.is_full() && shaping.push(cell, &mut made).is_ok()).count();
    assert_eq!((pushed, made.len()), (in_first + 1, 1), "what follows is not read");
    // How drivers write an OFFSET without a LIMIT.
    let all = rows(
        "SELECT row_key FROM trips WHERE body = 'new' ORDER BY created_at DESC LIMIT 39, 18446744073709551615",
        &cells,
    );
    assert_eq!(all.len(), 1);
    let sorted = rows("SELECT row_key, STATUS FROM trips ORDER BY row_key DESC LIMIT 2", &cells);
    assert_eq!(sorted, ["r39|\"new\"", "r38|\"new\""]);
}

#[test]
fn a_version_that_takes_the_place_of_another_counts_for_itself() {
    let bounds = Bounds { rows: 10, bytes: 3_000, value: 1_000 };
    let input = RowInput { columns: vec![(ColumnKey::new("BASE").unwrap(), None)], together: Together::Shard };
    let mut rows = Rows::default();
    let body = format!("\"{}\"", "x".repeat(1_000));
    for version in 1..=100 {
        assert!(rows.push(&input, &cell("a", "BASE", version, &body, version), bounds).unwrap().is_empty());
    }
    let held = rows.collected().bytes;
    assert!((1_000..2_000).contains(&held), "{held}");
}
