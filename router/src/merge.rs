//! Putting the answers of several clusters together again.

use std::cmp::Ordering;
use std::collections::VecDeque;

use cellgate_schemaless::{Cell, Direction};

use crate::plan::Part;

/// Answers of [`crate::Plan::Get`] and [`crate::Plan::Latest`] parts, back in the order of the request's keys.
pub fn gather<K, A>(keys: usize, parts: impl IntoIterator<Item = (Part<K>, Vec<Option<A>>)>) -> Vec<Option<A>> {
    let mut answers: Vec<Option<A>> = (0..keys).map(|_| None).collect();
    for (part, found) in parts {
        for (position, answer) in part.positions.into_iter().zip(found) {
            answers[position] = answer;
        }
    }
    answers
}

/// The order of a row scan.
pub fn row_order(direction: Direction) -> impl Fn(&Cell, &Cell) -> Ordering + Copy {
    move |a, b| match direction {
        Direction::Ascending => a.triple.cmp(&b.triple),
        Direction::Descending => b.triple.cmp(&a.triple),
    }
}

/// The order of a log scan: by shard, then in the order in which its cells were committed.
pub fn log_order(a: &Cell, b: &Cell) -> Ordering {
    (a.shard, a.added_id).cmp(&(b.shard, b.added_id))
}

/// Merges sorted inputs that arrive in pages.
///
/// It gives a cell out only when no input can still deliver a smaller one, and says which inputs it needs a page of.
#[derive(Debug)]
pub struct Merge<F> {
    order: F,
    inputs: Vec<Input>,
}

#[derive(Debug)]
struct Input {
    page: VecDeque<Cell>,
    /// Whether another page can be asked for.
    open: bool,
}

impl<F: Fn(&Cell, &Cell) -> Ordering> Merge<F> {
    /// A merge of so many inputs, all of them still to be asked for their first page.
    pub fn new(inputs: usize, order: F) -> Self {
        Self { order, inputs: (0..inputs).map(|_| Input { page: VecDeque::new(), open: true }).collect() }
    }

    /// The inputs that must deliver a page before anything more can be given out.
    pub fn wanting(&self) -> impl Iterator<Item = usize> + '_ {
        self.inputs.iter().enumerate().filter(|(_, input)| input.open && input.page.is_empty()).map(|(index, _)| index)
    }

    /// A page of an input; `more` says whether another may follow.
    pub fn deliver(&mut self, input: usize, cells: Vec<Cell>, more: bool) {
        self.inputs[input].page.extend(cells);
        self.inputs[input].open = more;
    }

    /// Everything that can be given out now, in order.
    pub fn drain(&mut self) -> Vec<Cell> {
        let mut out = Vec::new();
        while self.wanting().next().is_none() {
            let Some(best) = self.smallest() else { break };
            out.extend(self.inputs[best].page.pop_front());
        }
        out
    }

    /// About how many bytes the cells have that are not given out yet.
    pub fn held(&self) -> usize {
        let body = |cell: &Cell| cell.body.as_ref().map_or(0, |body| body.as_bytes().len());
        let keys = |cell: &Cell| cell.triple.row.as_bytes().len() + cell.triple.column.as_bytes().len();
        let cells = self.inputs.iter().flat_map(|input| &input.page);
        cells.map(|cell| size_of::<Cell>() + keys(cell) + body(cell)).sum()
    }

    /// Whether all inputs have delivered everything and it has been given out.
    pub fn is_done(&self) -> bool {
        self.inputs.iter().all(|input| !input.open && input.page.is_empty())
    }

    fn smallest(&self) -> Option<usize> {
        let heads = self.inputs.iter().enumerate().filter_map(|(index, input)| Some((index, input.page.front()?)));
        heads.min_by(|(_, a), (_, b)| (self.order)(a, b)).map(|(index, _)| index)
    }
}

#[cfg(test)]
mod tests {
    use cellgate_schemaless::{AddedId, Body, CellKind, ColumnKey, Micros, RefKey, RowKey, ShardId, Token, Triple};
    use proptest::prelude::*;

    use super::*;

    fn cell(shard: u16, id: i64) -> Cell {
        Cell {
            triple: Triple {
                row: RowKey::new(format!("{shard}-{id}")).unwrap(),
                column: ColumnKey::new("c").unwrap(),
                ref_key: RefKey(1),
            },
            body: Some(Body::json("1").unwrap()),
            added_id: AddedId(id),
            shard: ShardId(shard),
            created_at: Micros(id),
            kind: CellKind::Cell,
            token: Token(1),
            txn: None,
        }
    }

    proptest! {
        #[test]
        fn pages_of_any_size_merge_into_one_sorted_log(
            inputs in proptest::collection::vec(proptest::collection::vec((0u16..8, 0i64..100), 0..30), 1..5),
            page in 1usize..7,
        ) {
            let sorted: Vec<Vec<Cell>> = inputs
                .iter()
                .map(|i| {
                    let mut cells: Vec<_> = i.iter().map(|(s, id)| cell(*s, *id)).collect();
                    cells.sort_by(log_order);
                    cells
                })
                .collect();
            let mut merge = Merge::new(sorted.len(), log_order);
            let mut sent = vec![0; sorted.len()];
            let mut out = Vec::new();
            while !merge.is_done() {
                let wanting: Vec<_> = merge.wanting().collect();
                for input in wanting {
                    let end = (sent[input] + page).min(sorted[input].len());
                    merge.deliver(input, sorted[input][sent[input]..end].to_vec(), end < sorted[input].len());
                    sent[input] = end;
                }
                out.extend(merge.drain());
            }
            let mut expected: Vec<Cell> = sorted.concat();
            expected.sort_by(log_order);
            prop_assert_eq!(
                out.iter().map(|c| (c.shard, c.added_id)).collect::<Vec<_>>(),
                expected.iter().map(|c| (c.shard, c.added_id)).collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn what_waits_for_another_input_is_held_with_its_bytes() {
        let mut merge = Merge::new(2, log_order);
        assert_eq!(merge.held(), 0);
        let long = Cell { body: Some(Body::json(format!("\"{}\"", "x".repeat(5000))).unwrap()), ..cell(1, 2) };
        merge.deliver(0, vec![cell(1, 1), long], false);
        assert!(merge.drain().is_empty());
        assert!((5000..6000).contains(&merge.held()), "{}", merge.held());
        merge.deliver(1, Vec::new(), false);
        assert_eq!((merge.drain().len(), merge.held()), (2, 0));
    }

    #[test]
    fn a_log_is_by_shard_and_then_by_commit() {
        let mut cells = [cell(2, 1), cell(1, 9), cell(1, 2)];
        cells.sort_by(log_order);
        assert_eq!(cells.map(|c| (c.shard.0, c.added_id.0)), [(1, 2), (1, 9), (2, 1)]);
    }

    #[test]
    fn answers_come_back_in_the_order_of_the_keys() {
        let part = |cluster: u16, positions: Vec<usize>| Part {
            cluster: cellgate_schemaless::ClusterNo::new(cluster).unwrap(),
            items: positions.clone(),
            positions,
        };
        let parts = [(part(1, vec![2, 0]), vec![Some('c'), Some('a')]), (part(2, vec![1]), vec![None])];
        assert_eq!(gather(3, parts), [Some('a'), None, Some('c')]);
    }
}
