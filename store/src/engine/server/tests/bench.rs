//! A bench with a server that answers by a script, and the writes and rows of these tests.

use super::*;

const EPOCH: Epoch = Epoch(1);

/// Short, for the tests in which something is never known.
pub(super) const SHORT: Timeouts = Timeouts {
    connect: Duration::from_secs(1),
    statement: Duration::from_millis(40),
    lock: Duration::from_millis(10),
    queue: Duration::from_secs(1),
};

pub(super) struct Bench {
    pub(super) script: Arc<Script>,
    pub(super) core: Arc<Core<FakeDriver>>,
    pub(super) metrics: Metrics,
}

impl Bench {
    pub(super) fn new(timeouts: Timeouts) -> Self {
        let script = Arc::new(Script::default());
        let dsn = "postgres://a@localhost/b".parse().unwrap();
        let metrics = Metrics::new("0", &["a"]).unwrap();
        let options = ServerOptions { timeouts, metrics: metrics.cluster_named("a"), ..ServerOptions::new("a", dsn) };
        let core = Core::new(FakeDriver(Arc::clone(&script)), &options, Holds::Cells).unwrap();
        Self { script, core, metrics }
    }

    pub(super) async fn put(&self, groups: &[PutGroup]) -> Result<Vec<PutOutcome>, StoreError> {
        put::put(&self.core.sessions, &self.core.timeouts, EPOCH, groups).await
    }

    pub(super) async fn erase(&self) -> Result<u64, StoreError> {
        let change = Query { text: "UPDATE t SET a = 1".to_owned(), params: Vec::new() };
        Ok(self.core.change(Operation::Erase, Guard::Free, &[change]).await?.rows)
    }

    pub(super) async fn get(&self) -> Result<Vec<Option<Cell>>, StoreError> {
        self.core.find(Operation::Get, &table(), Names::Exact(&[triple(1)])).await
    }
}

pub(super) fn table() -> TableRef {
    TableRef::new("t", TableId(1), 1)
}

pub(super) fn triple(ref_key: i64) -> Triple {
    let (row, column) = (RowKey::from_store(&b"r"[..]), ColumnKey::from_store(&b"c"[..]));
    Triple { row, column, ref_key: RefKey(ref_key) }
}

fn body() -> Body {
    Body::from_store(&b"1"[..])
}

/// A write of these versions.
pub(super) fn group(token: i64, versions: std::ops::Range<i64>) -> PutGroup {
    let mode = PutMode::Append;
    let cell = |n| GroupCell { table: table(), shard: ShardId(0), triple: triple(n), body: body(), mode };
    PutGroup { token: Token(token), cells: versions.map(cell).collect() }
}

/// The row that a write has made.
pub(super) fn row(token: i64, ref_key: i64) -> Cell {
    Cell {
        triple: triple(ref_key),
        body: Some(body()),
        added_id: AddedId(ref_key),
        shard: ShardId(0),
        created_at: Micros(7),
        kind: CellKind::Cell,
        token: Token(token),
        txn: None,
    }
}

pub(super) fn places(versions: std::ops::Range<i64>) -> Vec<Option<Place>> {
    versions.map(|n| Some(Place { added_id: AddedId(n), created_at: Micros(7) })).collect()
}

/// What a write of these versions is told that has made them.
pub(super) fn stored(versions: std::ops::Range<i64>) -> PutOutcome {
    let place = |n| PlacedCell { added_id: AddedId(n), created_at: Micros(7), new: true };
    PutOutcome::Stored(versions.map(place).collect())
}
