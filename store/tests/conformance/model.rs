//! An engine and the model are asked the same random questions and must give the same answers.
//!
//! Ids and times are an engine's own: the comparison keeps for each cell what each side called it. Within one call of
//! `put` the contract leaves the order of ids open, so that the log's order is judged by the engine's own ids.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use cellgate_schemaless::{
    AddedId, Cell, Chain, ColumnFilter, ColumnKey, Direction, Erasure, LatestKey, LogScan, RefKey, RefRange, RowKey,
    RowScan, RowSet, ShardId, TableRef, Token, Triple,
};
use cellgate_store::memory::MemoryBackend;
use cellgate_store::{Backend, EraseStep, GroupCell, PutGroup, PutMode, PutOutcome};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::fixture::{CLUSTER, Fixture, SHARDS, body, column, identity, log_of, row, shard_of, shards, table};

/// Few keys, so that operations meet; the ones that stores confuse.
const ROWS: [&[u8]; 5] = [b"a", b"A", b"a ", b"a\0", b"\xff"];
const COLUMNS: [&str; 3] = ["x", "X", "y"];
const VERSIONS: [i64; 6] = [i64::MIN, -1, 0, 1, 2, i64::MAX];
const BODIES: [&str; 3] = ["1", " 1", "{\"a\":null}"];

/// A cell to write: indexes into the tables above, and whether it is appended.
type Spec = (usize, usize, usize, usize, bool);

#[derive(Clone, Debug)]
enum Op {
    Put(Vec<Vec<Spec>>),
    /// Repeats an earlier group with its token.
    Retry(prop::sample::Index),
    Get(Vec<(usize, usize, usize)>),
    Latest(Vec<(usize, usize, Option<usize>)>),
    Rows(Box<RowScan>),
    Log {
        shards: Vec<ShardId>,
        columns: ColumnFilter,
        added_after: Option<prop::sample::Index>,
        limit: Option<u64>,
    },
    Erase(Erasure),
}

fn rows() -> impl Strategy<Value = Vec<RowKey>> {
    prop::sample::subsequence(ROWS.to_vec(), 0..=ROWS.len()).prop_map(|keys| {
        let mut rows: Vec<RowKey> = keys.into_iter().map(row).collect();
        rows.sort();
        rows
    })
}

fn columns() -> impl Strategy<Value = ColumnFilter> {
    let some = prop::sample::subsequence(COLUMNS.to_vec(), 0..=COLUMNS.len()).prop_map(|keys| {
        let mut columns: Vec<ColumnKey> = keys.into_iter().map(column).collect();
        columns.sort();
        ColumnFilter::In(columns)
    });
    prop_oneof![Just(ColumnFilter::All), some]
}

fn any_triple() -> impl Strategy<Value = Triple> {
    (0..ROWS.len(), 0..COLUMNS.len(), 0..VERSIONS.len()).prop_map(name)
}

fn name((r, c, v): (usize, usize, usize)) -> Triple {
    Triple { row: row(ROWS[r]), column: column(COLUMNS[c]), ref_key: RefKey(VERSIONS[v]) }
}

fn scan() -> impl Strategy<Value = RowScan> {
    let chains = prop::collection::btree_set(any_triple().prop_map(|t| Chain { row: t.row, column: t.column }), 0..6);
    let set = prop_oneof![
        (rows(), columns()).prop_map(|(rows, columns)| RowSet::Rows(rows, columns)),
        chains.prop_map(|chains| RowSet::Chains(chains.into_iter().collect())),
    ];
    let bound = || option::of(prop::sample::select(VERSIONS.to_vec()).prop_map(RefKey));
    let refs = (bound(), bound()).prop_map(|(min, max)| RefRange { min, max });
    let direction = prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)];
    (set, refs, direction, option::of(any_triple()), option::of(1..8_u64))
        .prop_map(|(set, refs, direction, after, limit)| RowScan { set, refs, direction, after, up_to: None, limit })
}

fn op() -> impl Strategy<Value = Op> {
    let keys = (0..ROWS.len(), 0..COLUMNS.len(), 0..VERSIONS.len());
    let spec = (0..ROWS.len(), 0..COLUMNS.len(), 0..VERSIONS.len(), 0..BODIES.len(), prop::bool::weighted(0.3));
    let group = vec(spec, 1..4).prop_map(|mut specs| {
        // A group never names a triple twice.
        let mut named = Vec::new();
        specs.retain(|(r, c, v, ..)| {
            let fresh = !named.contains(&(*r, *c, *v));
            named.push((*r, *c, *v));
            fresh
        });
        specs
    });
    let log = (
        prop::sample::subsequence(shards(0..SHARDS), 0..=usize::from(SHARDS)),
        columns(),
        option::of(any::<prop::sample::Index>()),
        option::of(1..5_u64),
    )
        .prop_map(|(shards, columns, added_after, limit)| Op::Log { shards, columns, added_after, limit });
    let erase = any_triple().prop_flat_map(|t| {
        prop_oneof![
            1 => Just(Erasure::Row(t.row.clone())),
            1 => Just(Erasure::Column(t.row.clone(), t.column.clone())),
            3 => Just(Erasure::Cell(t)),
        ]
    });
    prop_oneof![
        8 => vec(group, 1..4).prop_map(Op::Put),
        1 => any::<prop::sample::Index>().prop_map(Op::Retry),
        2 => vec(keys, 0..8).prop_map(Op::Get),
        3 => vec((0..ROWS.len(), 0..COLUMNS.len(), option::of(0..VERSIONS.len())), 0..8).prop_map(Op::Latest),
        3 => scan().prop_map(|scan| Op::Rows(Box::new(scan))),
        2 => log,
        1 => erase.prop_map(Op::Erase),
    ]
}

/// Runs the comparison on a new store of the engine; `None` means that it is not at hand.
pub fn compare(make: impl Future<Output = Option<Fixture>>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let Some(fixture) = runtime.block_on(make) else {
        return crate::skipped::skipped("no server");
    };
    let engine = fixture.backend().clone();
    runtime.block_on(engine.claim(&identity(CLUSTER), &shards(0..SHARDS))).unwrap();
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    let case = std::cell::Cell::new(0);
    let result = runner.run(&vec(op(), 1..40), |ops| {
        // A table of its own for every case: stores of servers are dear to make.
        case.set(case.get() + 1);
        runtime.block_on(async {
            let mut sides = Sides::new(engine.clone(), table(case.get())).await;
            for op in &ops {
                sides.step(op).await?;
            }
            engine.drop_table(&sides.table).await.unwrap();
            Ok(())
        })
    });
    runtime.block_on(engine.close());
    if let Err(e) = result {
        panic!("{e}");
    }
}

/// The engine and the model, and what each calls the other's cells.
struct Sides {
    engine: Arc<dyn Backend>,
    model: MemoryBackend,
    table: TableRef,
    tokens: i64,
    sent: Vec<PutGroup>,
    /// The engine's ids by the model's.
    ids: HashMap<AddedId, AddedId>,
}

impl Sides {
    async fn new(engine: Arc<dyn Backend>, table: TableRef) -> Self {
        let model = MemoryBackend::new();
        model.claim(&identity(CLUSTER), &shards(0..SHARDS)).await.unwrap();
        model.create_table(&table).await.unwrap();
        engine.create_table(&table).await.unwrap();
        Self { engine, model, table, tokens: 0, sent: Vec::new(), ids: HashMap::new() }
    }

    async fn step(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match op {
            Op::Put(groups) => {
                let groups: Vec<PutGroup> = groups.iter().map(|specs| self.group(specs)).collect();
                self.put(&groups).await
            }
            Op::Retry(index) if !self.sent.is_empty() => {
                let group = index.get(&self.sent).clone();
                self.put(&[group]).await
            }
            Op::Retry(_) => Ok(()),
            Op::Get(keys) => {
                let keys: Vec<Triple> = keys.iter().copied().map(name).collect();
                let (engine, model) =
                    (self.engine.get(&self.table, &keys).await, self.model.get(&self.table, &keys).await);
                self.same_answers(&engine.unwrap(), &model.unwrap())
            }
            Op::Latest(keys) => {
                let key = |(r, c, v): &(usize, usize, Option<usize>)| LatestKey {
                    row: row(ROWS[*r]),
                    column: column(COLUMNS[*c]),
                    at_most: v.map(|v| RefKey(VERSIONS[v])),
                };
                let keys: Vec<LatestKey> = keys.iter().map(key).collect();
                let engine = self.engine.latest(&self.table, &keys).await.unwrap();
                let model = self.model.latest(&self.table, &keys).await.unwrap();
                self.same_answers(&engine, &model)
            }
            Op::Rows(scan) => self.rows(scan).await,
            Op::Log { shards, columns, added_after, limit } => {
                let scan = LogScan { columns: columns.clone(), ..log_of(shards.clone()) };
                self.log(&scan, added_after.as_ref(), *limit).await
            }
            Op::Erase(what) => {
                let (epoch, _) = self.engine.shards().await.unwrap();
                let (model_epoch, _) = self.model.shards().await.unwrap();
                let mut step = EraseStep { after: None, up_to: None, slots: 2 };
                loop {
                    let engine = self.engine.erase(epoch, &self.table, what, &step).await.unwrap();
                    let model = self.model.erase(model_epoch, &self.table, what, &step).await.unwrap();
                    prop_assert_eq!(&engine, &model);
                    if engine.last.is_none() {
                        return Ok(());
                    }
                    step.after = engine.last;
                }
            }
        }
    }

    fn group(&mut self, specs: &[Spec]) -> PutGroup {
        self.tokens += 1;
        let cell = |(r, c, v, b, append): &Spec| GroupCell {
            table: self.table.clone(),
            shard: shard_of(&row(ROWS[*r])),
            triple: name((*r, *c, *v)),
            body: body(BODIES[*b]),
            mode: if *append { PutMode::Append } else { PutMode::Explicit },
        };
        let token = Token(self.tokens.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let group = PutGroup { token, cells: specs.iter().map(cell).collect() };
        self.sent.push(group.clone());
        group
    }

    async fn put(&mut self, groups: &[PutGroup]) -> Result<(), TestCaseError> {
        let (epoch, _) = self.engine.shards().await.unwrap();
        let engine = self.engine.put(epoch, groups).await.unwrap();
        let (epoch, _) = self.model.shards().await.unwrap();
        let model = self.model.put(epoch, groups).await.unwrap();
        prop_assert_eq!(engine.len(), model.len());
        for (engine, model) in engine.iter().zip(&model) {
            let (PutOutcome::Stored(ours), PutOutcome::Stored(theirs)) = (engine, model) else {
                prop_assert_eq!(engine, model);
                continue;
            };
            prop_assert_eq!(ours.len(), theirs.len());
            for (our, their) in ours.iter().zip(theirs) {
                prop_assert_eq!(our.new, their.new);
                let known = *self.ids.entry(their.added_id).or_insert(our.added_id);
                prop_assert_eq!(known, our.added_id);
            }
        }
        Ok(())
    }

    async fn rows(&self, scan: &RowScan) -> Result<(), TestCaseError> {
        let (mut scan, mut engine, mut rounds) = (scan.clone(), Vec::new(), 0);
        let model = self.model.rows(&self.table, &RowScan { limit: None, ..scan.clone() }).await.unwrap();
        loop {
            let page = self.engine.rows(&self.table, &scan).await.unwrap();
            prop_assert!(scan.limit.is_none_or(|limit| page.cells.len() as u64 <= limit));
            prop_assert!(!page.more || !page.cells.is_empty());
            scan.after = page.cells.last().map(|c| c.triple.clone()).or(scan.after);
            engine.extend(page.cells.into_iter().map(Some));
            rounds += 1;
            if !page.more {
                break;
            }
            prop_assert!(rounds < 1000, "pages never end");
        }
        let model: Vec<Option<Cell>> = model.cells.into_iter().map(Some).collect();
        self.same_answers(&engine, &model)
    }

    async fn log(
        &self,
        scan: &LogScan,
        added_after: Option<&prop::sample::Index>,
        limit: Option<u64>,
    ) -> Result<(), TestCaseError> {
        // The model's whole log, by the engine's ids.
        let whole = self.model.log(&self.table, scan).await.unwrap();
        let mut expected: Vec<Cell> = whole.cells.into_iter().map(|c| self.as_engine(c)).collect();
        expected.sort_by_key(|c| (c.shard, c.added_id));
        let added_after = added_after.filter(|_| !expected.is_empty()).map(|i| i.get(&expected).added_id);
        expected.retain(|c| added_after.is_none_or(|after| c.added_id > after));
        let (mut scan, mut found, mut rounds) = (LogScan { added_after, limit, ..scan.clone() }, Vec::new(), 0);
        loop {
            let page = self.engine.log(&self.table, &scan).await.unwrap();
            prop_assert!(scan.limit.is_none_or(|limit| page.cells.len() as u64 <= limit));
            prop_assert!(!page.more || !page.cells.is_empty());
            scan.after = page.cells.last().map(|c| (c.shard, c.added_id)).or(scan.after);
            found.extend(page.cells);
            rounds += 1;
            if !page.more {
                break;
            }
            prop_assert!(rounds < 1000, "pages never end");
        }
        let found: Vec<Cell> = found.into_iter().map(timeless).collect();
        prop_assert_eq!(found, expected);
        Ok(())
    }

    fn same_answers(&self, engine: &[Option<Cell>], model: &[Option<Cell>]) -> Result<(), TestCaseError> {
        let engine: Vec<Option<Cell>> = engine.iter().cloned().map(|c| c.map(timeless)).collect();
        let model: Vec<Option<Cell>> = model.iter().cloned().map(|c| c.map(|c| self.as_engine(c))).collect();
        prop_assert_eq!(engine, model);
        Ok(())
    }

    /// A cell of the model as the engine calls it.
    fn as_engine(&self, cell: Cell) -> Cell {
        timeless(Cell { added_id: self.ids[&cell.added_id], ..cell })
    }
}

fn timeless(cell: Cell) -> Cell {
    Cell { created_at: cellgate_schemaless::Micros(0), ..cell }
}
