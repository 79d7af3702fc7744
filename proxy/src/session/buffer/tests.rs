//! What a transaction's buffer keeps, finds and forgets.

use cellgate_schemaless::{ColumnFilter, ColumnKey, Direction, RefRange, RowKey};

use super::*;

const ROOMY: BufferLimits = BufferLimits { cells: 1000, bytes: 1_000_000 };

fn table(id: u32) -> TableRef {
    TableRef::new("t", TableId(id), 1)
}

fn row(name: &str) -> RowKey {
    RowKey::new(name.to_owned()).unwrap()
}

fn column(name: &str) -> ColumnKey {
    ColumnKey::new(name.to_owned()).unwrap()
}

fn triple(row_key: &str, column_key: &str, version: i64) -> Triple {
    Triple { row: row(row_key), column: column(column_key), ref_key: RefKey(version) }
}

fn cell(id: u32, triple: Triple) -> Buffered {
    let body = Body::json("{}").unwrap();
    Buffered { table: table(id), triple, body, stored: false, at: Micros(5), shard: ShardId(3) }
}

fn buffer(cells: &[(u32, &str, &str, i64)]) -> Buffer {
    let mut buffer = Buffer::default();
    for (id, row, column, version) in cells {
        buffer.push(cell(*id, triple(row, column, *version)), ROOMY).unwrap();
    }
    buffer
}

fn latest(buffer: &Buffer, id: u32, row_key: &str, column_key: &str, at_most: Option<i64>) -> Option<i64> {
    let key = LatestKey { row: row(row_key), column: column(column_key), at_most: at_most.map(RefKey) };
    buffer.latest(TableId(id), &key).map(|cell| cell.triple.ref_key.0)
}

fn scan(set: RowSet) -> RowScan {
    RowScan { set, refs: RefRange::default(), direction: Direction::Ascending, after: None, up_to: None, limit: None }
}

fn found(buffer: &Buffer, id: u32, scan: &RowScan) -> Vec<Triple> {
    buffer.matching(TableId(id), scan).map(|cell| cell.triple.clone()).collect()
}

#[test]
fn what_was_written_is_read_back_by_its_name_and_its_table() {
    let buffer = buffer(&[(1, "r", "c", 1), (1, "r", "c", 2), (2, "r", "c", 9)]);
    assert!(buffer.get(TableId(1), &triple("r", "c", 2)).is_some());
    assert!(buffer.get(TableId(2), &triple("r", "c", 2)).is_none());
    assert!(buffer.get(TableId(1), &triple("r", "c", 3)).is_none());
    assert!(buffer.get(TableId(1), &triple("R", "c", 1)).is_none(), "keys are compared byte for byte");
    assert_eq!((buffer.len(), buffer.is_empty()), (3, false));
    assert_eq!(buffer.of_table(TableId(1)).count(), 2);
}

#[test]
fn the_latest_of_a_chain_is_its_highest_version_up_to_the_bound_and_of_no_neighbour() {
    let buffer = buffer(&[
        (1, "r", "c", 7),
        (1, "r", "c", -2),
        (1, "r", "b", 90),
        (1, "r", "d", 91),
        (1, "q", "c", 92),
        (1, "ra", "c", 93),
        (2, "r", "c", 94),
    ]);
    assert_eq!(latest(&buffer, 1, "r", "c", None), Some(7));
    assert_eq!(latest(&buffer, 1, "r", "c", Some(7)), Some(7));
    assert_eq!(latest(&buffer, 1, "r", "c", Some(6)), Some(-2));
    assert_eq!(latest(&buffer, 1, "r", "c", Some(-3)), None);
    assert_eq!(latest(&buffer, 1, "r", "c", Some(i64::MIN)), None);
    assert_eq!(latest(&buffer, 1, "x", "c", None), None);
    let chain = Chain { row: row("r"), column: column("c") };
    assert_eq!(buffer.highest(TableId(1), &chain), Some(RefKey(7)));
    assert_eq!(buffer.highest(TableId(2), &chain), Some(RefKey(94)));
    assert_eq!(buffer.highest(TableId(3), &chain), None);
}

#[test]
fn the_ends_of_the_numbers_are_versions_like_any_other() {
    let buffer = buffer(&[(1, "r", "c", i64::MAX), (1, "r", "c", i64::MIN)]);
    assert_eq!(latest(&buffer, 1, "r", "c", None), Some(i64::MAX));
    assert_eq!(latest(&buffer, 1, "r", "c", Some(i64::MAX - 1)), Some(i64::MIN));
    assert_eq!(latest(&buffer, 1, "r", "c", Some(i64::MIN)), Some(i64::MIN));
}

#[test]
fn a_scan_finds_its_rows_columns_and_versions_only() {
    let buffer = buffer(&[(1, "a", "c", 1), (1, "a", "d", 2), (1, "b", "c", 3), (1, "c", "c", 4), (2, "a", "c", 5)]);
    let rows = |names: &[&str], columns| RowSet::Rows(names.iter().map(|name| row(name)).collect(), columns);
    let all = scan(rows(&["a", "b"], ColumnFilter::All));
    assert_eq!(found(&buffer, 1, &all), [triple("a", "c", 1), triple("a", "d", 2), triple("b", "c", 3)]);
    let some = scan(rows(&["a", "b"], ColumnFilter::In(vec![column("d")])));
    assert_eq!(found(&buffer, 1, &some), [triple("a", "d", 2)]);
    let chains = vec![Chain { row: row("a"), column: column("x") }, Chain { row: row("c"), column: column("c") }];
    assert_eq!(found(&buffer, 1, &scan(RowSet::Chains(chains))), [triple("c", "c", 4)]);
    let refs = RefRange { min: Some(RefKey(2)), max: Some(RefKey(3)) };
    let bounded = RowScan { refs, ..all };
    assert_eq!(found(&buffer, 1, &bounded), [triple("a", "d", 2), triple("b", "c", 3)]);
    assert_eq!(found(&buffer, 3, &bounded), []);
}

#[test]
fn truncating_forgets_the_newest_cells_by_every_way_of_asking() {
    let mut buffer = buffer(&[(1, "r", "c", 1), (1, "r", "c", 2), (1, "s", "c", 1)]);
    buffer.truncate(1);
    assert_eq!(buffer.len(), 1);
    assert!(buffer.get(TableId(1), &triple("r", "c", 2)).is_none());
    assert!(buffer.get(TableId(1), &triple("s", "c", 1)).is_none());
    assert_eq!(latest(&buffer, 1, "r", "c", None), Some(1));
    buffer.push(cell(1, triple("s", "c", 1)), ROOMY).unwrap();
    assert!(buffer.get(TableId(1), &triple("s", "c", 1)).is_some());
    let names: Vec<Triple> = buffer.into_cells().into_iter().map(|cell| cell.triple).collect();
    assert_eq!(names, [triple("r", "c", 1), triple("s", "c", 1)], "in the order they were written");
}

#[test]
fn a_transaction_is_bounded_in_cells() {
    let limits = BufferLimits { cells: 2, ..ROOMY };
    let mut buffer = Buffer::default();
    for version in 1..=2 {
        buffer.push(cell(1, triple("r", "c", version)), limits).unwrap();
    }
    let error = buffer.push(cell(1, triple("r", "c", 3)), limits).unwrap_err();
    assert!(
        matches!(error, StatementError::TransactionTooLarge { limit: 2, name: "limits.transaction_cells" }),
        "{error}"
    );
    assert_eq!(buffer.len(), 2);
    assert!(buffer.get(TableId(1), &triple("r", "c", 3)).is_none(), "what was refused is not there");
    buffer.truncate(1);
    buffer.push(cell(1, triple("r", "c", 3)), limits).unwrap();
}

#[test]
fn a_transaction_is_bounded_in_bytes_and_a_rollback_gives_them_back() {
    // Each cell: row key, column key and body.
    let size = 1 + 1 + 2;
    let limits = BufferLimits { bytes: 3 * size, ..ROOMY };
    let mut buffer = Buffer::default();
    for version in 1..=3 {
        buffer.push(cell(1, triple("r", "c", version)), limits).unwrap();
    }
    let error = buffer.push(cell(1, triple("r", "c", 4)), limits).unwrap_err();
    assert!(matches!(error, StatementError::TransactionTooLarge { name: "limits.transaction_bytes", .. }), "{error}");
    buffer.truncate(2);
    buffer.push(cell(1, triple("r", "c", 4)), limits).unwrap();
    buffer.push(cell(1, triple("r", "c", 5)), limits).unwrap_err();
}

#[test]
fn its_own_cells_look_like_stored_ones_without_a_place_in_the_log() {
    let seen = cell(1, triple("r", "c", 4)).as_cell();
    assert!(seen.is_visible());
    assert_eq!((seen.added_id, seen.created_at, seen.shard), (AddedId(0), Micros(5), ShardId(3)));
    assert_eq!(seen.triple, triple("r", "c", 4));
}

#[test]
fn a_buffered_cell_does_not_keep_the_packet_it_came_in() {
    let packet = bytes::Bytes::from(vec![b'1'; 1 << 20]);
    let (row, column) = (RowKey::new(packet.slice(0..3)).unwrap(), ColumnKey::new(packet.slice(3..5)).unwrap());
    let body = Body::json(packet.slice(5..7)).unwrap();
    let mut buffer = Buffer::default();
    buffer.push(Buffered { body, ..cell(1, Triple { row, column, ref_key: RefKey(1) }) }, ROOMY).unwrap();
    assert!(packet.is_unique());
    assert_eq!(buffer.get(TableId(1), &triple("111", "11", 1)).unwrap().body.as_bytes(), "11");
}

#[test]
fn many_chains_are_looked_for_among_many_cells() {
    let roomy = BufferLimits { cells: 20_000, bytes: 100_000_000 };
    let mut buffer = Buffer::default();
    for n in 0..20_000 {
        buffer.push(cell(1, triple(&format!("r{n:05}"), "c", 1)), roomy).unwrap();
    }
    // One of two rows, and as many columns that no cell has.
    let chain = |n, name: &str| Chain { row: row(&format!("r{n:05}")), column: column(name) };
    let chains = (0..20_000).flat_map(|n| [chain(n, if n % 2 == 0 { "c" } else { "d" }), chain(n, "e")]).collect();
    let began = std::time::Instant::now();
    assert_eq!(found(&buffer, 1, &scan(RowSet::Chains(chains))).len(), 10_000);
    assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn what_was_stored_already_is_written_once_more_and_not_read_back() {
    let mut buffer = buffer(&[(1, "r", "c", 1)]);
    let name = triple("r", "c", 2);
    for _ in 0..2 {
        buffer.push(Buffered { stored: true, ..cell(1, name.clone()) }, ROOMY).unwrap();
    }
    assert_eq!(buffer.len(), 2, "once, however often it was inserted");
    // It is read from its store, where it has a place in the log.
    assert!(buffer.get(TableId(1), &name).is_none());
    assert_eq!(latest(&buffer, 1, "r", "c", None), Some(1));
    assert_eq!(buffer.of_table(TableId(1)).count(), 1);
    buffer.truncate(1);
    buffer.push(Buffered { stored: true, ..cell(1, name.clone()) }, ROOMY).unwrap();
    let names: Vec<Triple> = buffer.into_cells().into_iter().map(|cell| cell.triple).collect();
    assert_eq!(names, [triple("r", "c", 1), name], "for COMMIT to answer for");
}
