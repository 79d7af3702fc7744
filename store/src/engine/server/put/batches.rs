//! Which groups of one cell share a transaction.
//!
//! A batch is bounded in bytes and rows, sorted, so that two batches lock their rows in one order, and names no cell twice:
//! several groups with one name go into successive batches. The first stores its cell, the later ones find it.

use crate::backend::{BATCH_BYTES, PutGroup};

/// Most rows in one coalesced transaction, for the same reason as [`BATCH_BYTES`].
const BATCH_ROWS: usize = 1024;

/// Splits groups of one cell into batches, each sorted by table and triple, bounded, and with no triple twice: of
/// groups with one name, the first comes in an earlier batch.
pub(super) fn batches(groups: &[PutGroup], mut singles: Vec<usize>) -> Vec<Vec<usize>> {
    let cell = |g: usize| &groups[g].cells[0];
    let name = |g: usize| (&cell(g).table, &cell(g).triple);
    singles.sort_by(|&a, &b| name(a).cmp(&name(b)));
    let mut batches = Vec::new();
    while !singles.is_empty() {
        let (mut batch, mut bytes, mut later) = (Vec::new(), 0, Vec::new());
        for group in singles {
            if batch.last().is_some_and(|&last| name(last) == name(group)) {
                later.push(group);
                continue;
            }
            let size = groups[group].bytes();
            if !batch.is_empty() && (bytes + size > BATCH_BYTES || batch.len() >= BATCH_ROWS) {
                batches.push(std::mem::take(&mut batch));
                bytes = 0;
            }
            bytes += size;
            batch.push(group);
        }
        batches.push(batch);
        singles = later;
    }
    batches
}

#[cfg(test)]
mod tests {
    use cellgate_schemaless::{Body, ColumnKey, RefKey, RowKey, ShardId, TableId, TableRef, Token, Triple};

    use super::*;
    use crate::backend::{GroupCell, PutMode};

    fn single(table: u32, row: &str, bytes: usize) -> PutGroup {
        let triple = Triple {
            row: RowKey::from_store(row.as_bytes().to_vec()),
            column: ColumnKey::from_store(b"c".to_vec()),
            ref_key: RefKey(1),
        };
        let body = Body::from_store(vec![b'1'; bytes]);
        let table = TableRef::new("t", TableId(table), 1);
        let cell = GroupCell { table, shard: ShardId(0), triple, body, mode: PutMode::Explicit };
        PutGroup { token: Token(1), cells: vec![cell] }
    }

    fn batches_of(groups: &[PutGroup]) -> Vec<Vec<usize>> {
        batches(groups, (0..groups.len()).collect())
    }

    #[test]
    fn a_batch_is_sorted_by_table_and_name() {
        let groups = [single(2, "a", 1), single(1, "b", 1), single(1, "a", 1)];
        assert_eq!(batches_of(&groups), [[2, 1, 0]]);
    }

    #[test]
    fn of_equal_names_the_first_comes_in_an_earlier_batch() {
        let groups = [single(1, "b", 1), single(1, "a", 1), single(1, "a", 2), single(1, "a", 3)];
        assert_eq!(batches_of(&groups), [vec![1, 0], vec![2], vec![3]]);
    }

    #[test]
    fn a_batch_is_bounded_in_bytes_and_rows() {
        let large: Vec<PutGroup> = ["a", "b", "c"].map(|row| single(1, row, 600 * 1024)).into();
        assert_eq!(batches_of(&large), [[0], [1], [2]]);
        let many: Vec<PutGroup> = (0..BATCH_ROWS + 1).map(|n| single(1, &format!("{n:05}"), 1)).collect();
        let sizes: Vec<usize> = batches_of(&many).iter().map(Vec::len).collect();
        assert_eq!(sizes, [BATCH_ROWS, 1]);
    }
}
