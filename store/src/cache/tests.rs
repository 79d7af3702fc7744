//! What the cache answers, and what it must not.

use cellgate_schemaless::{ColumnKey, RowKey, TxnId};

use super::*;

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new::<&str>("test", &[]).unwrap())
}

/// A cache that nobody else erases under.
fn alone(bytes: usize) -> CellCache {
    let cache = CellCache::new(bytes, metrics());
    cache.trust();
    cache
}

fn source(table: u32) -> Source {
    Source { table: TableId(table), cluster: ClusterNo::new(1).unwrap(), incarnation: 1, start: 0 }
}

fn cell(row: &str, ref_key: i64) -> Cell {
    let triple = Triple {
        row: RowKey::from_store(row.as_bytes().to_vec()),
        column: ColumnKey::from_store(&b"base"[..]),
        ref_key: RefKey(ref_key),
    };
    Cell {
        triple,
        body: Some(Body::from_store(format!("\"{row} {ref_key}\"").into_bytes())),
        added_id: AddedId(7),
        shard: ShardId(3),
        created_at: Micros(9),
        kind: CellKind::Cell,
        token: Token(-1),
        txn: None,
    }
}

#[test]
fn a_cell_that_was_filled_in_is_found_by_its_whole_name_only() {
    let cache = alone(1 << 20);
    let kept = cell("a", 1);
    cache.fill(cache.ticket(), source(1), &kept);
    assert_eq!(cache.get(source(1), &kept.triple).as_ref(), Some(&kept));
    assert_eq!(cache.get(source(1), &cell("a", 2).triple), None);
    assert_eq!(cache.get(source(1), &cell("b", 1).triple), None);
    assert_eq!(cache.get(source(2), &kept.triple), None);
    // The same bytes, divided elsewhere.
    let (row, column) = (RowKey::from_store(&b"ab"[..]), ColumnKey::from_store(&b"ase"[..]));
    assert_eq!(cache.get(source(1), &Triple { row, column, ref_key: RefKey(1) }), None);
    let promoted = Source { incarnation: 2, ..source(1) };
    assert_eq!(cache.get(promoted, &kept.triple), None);
    let other = Source { cluster: ClusterNo::new(2).unwrap(), ..source(1) };
    assert_eq!(cache.get(other, &kept.triple), None);
}

#[test]
fn only_settled_cells_are_kept() {
    let cache = alone(1 << 20);
    let undecided = Cell { txn: Some(TxnId(1)), ..cell("a", 1) };
    let erased = Cell { kind: CellKind::Erased, body: None, ..cell("b", 1) };
    let tombstone = Cell { kind: CellKind::Tombstone, ..cell("c", 1) };
    for other in [undecided, erased, tombstone] {
        cache.fill(cache.ticket(), source(1), &other);
        assert_eq!(cache.get(source(1), &other.triple), None);
    }
}

#[test]
fn the_cache_is_bounded_in_bytes() {
    let bytes = 256 * 1024;
    let cache = alone(bytes);
    for n in 0..10_000 {
        cache.fill(cache.ticket(), source(1), &cell("row", n));
    }
    assert!(cache.cells.weight() <= bytes as u64, "{}", cache.cells.weight());
    assert!(cache.cells.len() > 100, "{}", cache.cells.len());
}

#[test]
fn what_would_push_out_thousands_of_others_is_not_kept() {
    let cache = alone(64 << 20);
    let of = |row: &str, bytes: usize| {
        let keys = row.len() + b"base".len();
        Cell { body: Some(Body::from_store(vec![b'1'; bytes - keys])), ..cell(row, 1) }
    };
    let (largest, larger) = (of("a", LARGEST), of("b", LARGEST + 1));
    for cell in [&largest, &larger] {
        cache.fill(cache.ticket(), source(1), cell);
    }
    assert_eq!(cache.get(source(1), &larger.triple), None);
    assert_eq!(cache.get(source(1), &largest.triple), Some(largest));
}

#[test]
fn an_erasure_ends_what_was_read_before_it_in_its_table() {
    let cache = alone(1 << 20);
    let (kept, late) = (cell("a", 1), cell("b", 1));
    let before = cache.ticket();
    for table in [1, 2] {
        cache.fill(before, source(table), &kept);
    }
    let mut erasures = Erasures::default();
    erasures.note(TableId(1), 0);
    cache.learn(Instant::now(), &erasures);
    assert_eq!(cache.get(source(1), &kept.triple), None);
    assert_eq!(cache.get(source(2), &kept.triple).as_ref(), Some(&kept), "another table's");
    // The read began before the erasure, and ends after it.
    cache.fill(before, source(1), &late);
    assert_eq!(cache.get(source(1), &late.triple), None);
    cache.fill(cache.ticket(), source(1), &late);
    assert_eq!(cache.get(source(1), &late.triple), Some(late));
}

#[test]
fn a_fill_that_lands_behind_the_news_is_not_answered() {
    let cache = alone(1 << 20);
    let kept = cell("a", 1);
    let before = cache.ticket();
    let mut erasures = Erasures::default();
    erasures.note(TableId(1), 0);
    // As when the fill's own check came just before the news: the entry itself carries its ticket.
    cache.fill(before, source(1), &kept);
    cache.learn(Instant::now(), &erasures);
    assert_eq!(cache.get(source(1), &kept.triple), None);
}

#[test]
fn without_a_look_within_the_lease_nothing_is_answered() {
    let cache = CellCache::new(1 << 20, metrics());
    let kept = cell("a", 1);
    cache.fill(cache.ticket(), source(1), &kept);
    assert_eq!(cache.get(source(1), &kept.triple), None, "no look yet");
    cache.learn(Instant::now(), &Erasures::default());
    assert_eq!(cache.get(source(1), &kept.triple).as_ref(), Some(&kept));
    // The same with a look that began a lease ago.
    let old = CellCache { started: Instant::now() - 3 * LEASE, ..CellCache::new(1 << 20, metrics()) };
    old.fill(old.ticket(), source(1), &kept);
    old.learn(Instant::now() - LEASE, &Erasures::default());
    assert_eq!(old.get(source(1), &kept.triple), None);
    old.learn(Instant::now(), &Erasures::default());
    assert_eq!(old.get(source(1), &kept.triple), Some(kept));
}

#[test]
fn a_slow_look_does_not_bring_back_older_news() {
    let cache = alone(1 << 20);
    let mut erasures = Erasures::default();
    erasures.note(TableId(1), 0);
    let before = Instant::now() - LEASE;
    cache.learn(Instant::now(), &erasures);
    cache.learn(before, &Erasures::default());
    assert_eq!(cache.ticket(), Ticket(1));
}

#[test]
fn erasures_that_went_back_end_all_that_was_read_before() {
    let cache = alone(1 << 20);
    let (kept, late) = (cell("a", 1), cell("b", 1));
    let mut erasures = Erasures::default();
    for _ in 0..5 {
        erasures.note(TableId(1), 0);
    }
    cache.learn(Instant::now(), &erasures);
    let before = cache.ticket();
    cache.fill(before, source(2), &kept);
    assert_eq!(cache.get(source(2), &kept.triple).as_ref(), Some(&kept));
    // The meta store was restored from a backup.
    let mut restored = Erasures::default();
    restored.note(TableId(3), 0);
    cache.learn(Instant::now(), &restored);
    answers_nothing_read_before(&cache, before, &kept, &late);
    // What is erased from now on counts, although its number is lower than the one known before.
    restored.note(TableId(2), 0);
    cache.learn(Instant::now(), &restored);
    assert_eq!(cache.get(source(2), &late.triple), None);
    assert_eq!(cache.get(source(2), &kept.triple), None);
}

/// `kept` is in no answer any more, and `late` in none that was filled in by a read from `before`.
fn answers_nothing_read_before(cache: &CellCache, before: Ticket, kept: &Cell, late: &Cell) {
    assert_eq!(cache.get(source(2), &kept.triple), None);
    cache.fill(before, source(2), late);
    assert_eq!(cache.get(source(2), &late.triple), None, "it was read before");
    cache.fill(cache.ticket(), source(2), late);
    assert_eq!(cache.get(source(2), &late.triple).as_ref(), Some(late));
}

#[test]
fn erasures_that_went_back_and_on_beyond_the_known_number_end_all_that_was_read_before() {
    let cache = alone(1 << 20);
    let (kept, late) = (cell("a", 1), cell("b", 1));
    let noted = |tables: &[u32]| {
        let mut erasures = Erasures::default();
        tables.iter().for_each(|table| erasures.note(TableId(*table), u64::from(*table)));
        erasures
    };
    cache.learn(Instant::now(), &noted(&[1, 1, 1, 1, 1]));
    let before = cache.ticket();
    cache.fill(before, source(2), &kept);
    assert_eq!(cache.get(source(2), &kept.triple).as_ref(), Some(&kept));
    // Restored as it was after three, and then there were three in other tables before anybody looked: the fourth erased what
    // is kept.
    let mut restored = noted(&[1, 1, 1, 2, 3, 1]);
    cache.learn(Instant::now(), &restored);
    answers_nothing_read_before(&cache, before, &kept, &late);
    // Another look at the same finds nothing new, and later erasures count for their tables.
    cache.learn(Instant::now(), &restored);
    assert_eq!(cache.get(source(2), &late.triple).as_ref(), Some(&late));
    restored.note(TableId(1), 0);
    cache.learn(Instant::now(), &restored);
    assert_eq!(cache.get(source(2), &late.triple).as_ref(), Some(&late));
    restored.note(TableId(2), 0);
    cache.learn(Instant::now(), &restored);
    assert_eq!(cache.get(source(2), &late.triple), None);
    assert_eq!(cache.get(source(2), &kept.triple), None);
}
