//! A backend whose statements wait until they are let go, and queues in front of it.

use super::*;

pub(super) const EPOCH: Epoch = Epoch(1);

/// From how many bytes on a body is left out of a shared read.
pub(super) const LONG: usize = 100;

/// What a statement was about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Get(String, usize),
    Latest(usize),
    Put(usize),
    Rows,
    DropTable,
}

/// A backend whose statements wait until they are let go.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) inner: MemoryBackend,
    pub(super) calls: Mutex<Vec<Call>>,
    /// One permit per statement that has begun.
    pub(super) begun: Semaphore,
    /// One permit lets one statement go on.
    pub(super) go: Semaphore,
    /// Errors of the next statements, by how many items they must have to fail.
    pub(super) failing: Mutex<Vec<(usize, StoreError)>>,
    /// Whether the next statement panics.
    pub(super) panics: AtomicBool,
}

impl Held {
    pub(super) async fn hold(&self, call: Call, items: usize) -> Result<(), StoreError> {
        self.calls.lock().unwrap().push(call);
        self.begun.add_permits(1);
        self.go.acquire().await.unwrap().forget();
        assert!(!self.panics.swap(false, Ordering::SeqCst), "for the test");
        let mut failing = self.failing.lock().unwrap();
        match failing.first() {
            Some((size, _)) if *size == items => Err(failing.remove(0).1),
            Some(_) | None => Ok(()),
        }
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(super) async fn begun(&self, statements: u32) {
        self.begun.acquire_many(statements).await.unwrap().forget();
    }
}

#[async_trait]
impl Passing for Held {
    fn inner(&self) -> &dyn Backend {
        &self.inner
    }

    async fn get(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        self.hold(Call::Get(table.physical().to_owned(), keys.len()), keys.len()).await?;
        self.inner.get(table, keys).await
    }

    async fn get_shared(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        let mut cells = Passing::get(self, table, keys).await?;
        for cell in cells.iter_mut().flatten() {
            drop(cell.body.take_if(|body| body.as_bytes().len() >= LONG));
        }
        Ok(cells)
    }

    async fn latest(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        self.hold(Call::Latest(keys.len()), keys.len()).await?;
        self.inner.latest(table, keys).await
    }

    async fn rows(&self, table: &TableRef, scan: &RowScan) -> Result<RowPage, StoreError> {
        self.hold(Call::Rows, 1).await?;
        self.inner.rows(table, scan).await
    }

    async fn drop_table(&self, table: &TableRef) -> Result<(), StoreError> {
        self.hold(Call::DropTable, 1).await?;
        self.inner.drop_table(table).await
    }

    async fn put(&self, epoch: Epoch, groups: &[PutGroup]) -> Result<Vec<PutOutcome>, StoreError> {
        self.hold(Call::Put(groups.len()), groups.len()).await?;
        self.inner.put(epoch, groups).await
    }
}

pub(super) struct Bench {
    pub(super) held: Arc<Held>,
    pub(super) coalescing: Arc<Coalescing>,
    pub(super) metrics: Metrics,
}

/// One lane of everything, so that what waits is plain to see.
pub(super) const ONE_LANE: CoalesceOptions = CoalesceOptions {
    batch_reads: 8,
    batch_writes: 8,
    per_request: 4,
    lanes: 1,
    busy_lanes: 1,
    write_lanes: 1,
    slow: NEVER,
    far: NEVER,
    queue_cells: 16,
    queue_bytes: 8 << 20,
};

/// No statement of a test is slow unless it is about that, however long the machine takes for it.
pub(super) const NEVER: Duration = Duration::from_secs(3600);

impl Bench {
    pub(super) async fn new(options: CoalesceOptions) -> Self {
        Self::with_patience(options, Duration::from_secs(60)).await
    }

    pub(super) async fn with_patience(options: CoalesceOptions, queue: Duration) -> Self {
        let inner = MemoryBackend::new();
        let identity = Identity {
            deployment: "0123456789abcdef0123456789abcdef".to_owned(),
            cluster: ClusterNo::new(5).unwrap(),
            incarnation: 1,
            virtual_shards: 4,
            hash: "xxh3".to_owned(),
            seed: -7,
            format: FORMAT,
        };
        inner.claim(&identity, &[ShardId(0)]).await.unwrap();
        for number in [1, 2] {
            inner.create_table(&table(number)).await.unwrap();
        }
        let held = Arc::new(Held {
            inner,
            calls: Mutex::default(),
            begun: Semaphore::new(0),
            go: Semaphore::new(0),
            failing: Mutex::default(),
            panics: AtomicBool::new(false),
        });
        let metrics = Metrics::new("test", &["c"]).unwrap();
        let of_cluster = metrics.cluster_named("c").unwrap();
        let timeouts = Timeouts { queue, ..Timeouts::default() };
        let coalescing = Arc::new(Coalescing::new(Arc::clone(&held) as _, options, 16, timeouts, &of_cluster));
        Self { held, coalescing, metrics }
    }

    pub(super) fn get(&self, number: u32, rows: &[&str]) -> JoinHandle<Result<Vec<Option<Cell>>, StoreError>> {
        let keys: Vec<Triple> = rows.iter().map(|row| triple(row)).collect();
        let coalescing = Arc::clone(&self.coalescing);
        tokio::spawn(async move { coalescing.get(&table(number), &keys).await })
    }

    pub(super) fn put(&self, group: PutGroup) -> JoinHandle<Result<PutOutcome, StoreError>> {
        let coalescing = Arc::clone(&self.coalescing);
        tokio::spawn(async move { coalescing.put(EPOCH, &[group]).await.map(|mut outcomes| outcomes.remove(0)) })
    }

    /// Waits until that many cells wait for reads by name, and for writes.
    pub(super) async fn waiting(&self, gets: usize, puts: usize) {
        while self.coalescing.gets.waiting() != gets || self.coalescing.puts.waiting() != puts {
            tokio::task::yield_now().await;
        }
    }

    pub(super) fn go(&self, statements: usize) {
        self.held.go.add_permits(statements);
    }
}

pub(super) fn table(number: u32) -> TableRef {
    TableRef::new("t", TableId(number), 1)
}

pub(super) fn triple(row: &str) -> Triple {
    Triple {
        row: RowKey::from_store(row.as_bytes().to_vec()),
        column: ColumnKey::from_store(b"c".to_vec()),
        ref_key: RefKey(1),
    }
}

pub(super) fn group(row: &str, body: &str) -> PutGroup {
    static TOKENS: AtomicI64 = AtomicI64::new(1);
    let body = Body::from_store(body.as_bytes().to_vec());
    let cell = GroupCell { table: table(1), shard: ShardId(0), triple: triple(row), body, mode: PutMode::Explicit };
    PutGroup { token: Token(TOKENS.fetch_add(1, Ordering::Relaxed)), cells: vec![cell] }
}

pub(super) fn is_stored(outcome: &Result<PutOutcome, StoreError>) -> bool {
    matches!(outcome, Ok(PutOutcome::Stored(places)) if places.iter().all(|place| place.new))
}

pub(super) fn failed() -> StoreError {
    StoreError::Failed { detail: "for the test".to_owned() }
}

pub(super) fn gets(sizes: &[usize]) -> Vec<Call> {
    sizes.iter().map(|size| Call::Get("t_1".to_owned(), *size)).collect()
}
