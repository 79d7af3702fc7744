//! What the queues promise, on a backend whose statements wait until they are let go.

mod waiting;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use cellgate_metrics::Metrics;
use cellgate_schemaless::{Body, ClusterNo, ColumnKey, RefKey, RowKey, TableId, Token};
use tokio::task::JoinHandle;

use super::*;
use crate::backend::{FORMAT, GroupCell, PutMode};
use crate::memory::MemoryBackend;
use crate::passing::Passing;

const EPOCH: Epoch = Epoch(1);

/// From how many bytes on a body is left out of a shared read.
const LONG: usize = 100;

/// What a statement was about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Call {
    Get(String, usize),
    Latest(usize),
    Put(usize),
    Rows,
}

/// A backend whose statements wait until they are let go.
#[derive(Debug)]
struct Held {
    inner: MemoryBackend,
    calls: Mutex<Vec<Call>>,
    /// One permit per statement that has begun.
    begun: Semaphore,
    /// One permit lets one statement go on.
    go: Semaphore,
    /// Errors of the next statements, by how many items they must have to fail.
    failing: Mutex<Vec<(usize, StoreError)>>,
    /// Whether the next statement panics.
    panics: AtomicBool,
}

impl Held {
    async fn hold(&self, call: Call, items: usize) -> Result<(), StoreError> {
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

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    async fn begun(&self, statements: u32) {
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

    async fn put(&self, epoch: Epoch, groups: &[PutGroup]) -> Result<Vec<PutOutcome>, StoreError> {
        self.hold(Call::Put(groups.len()), groups.len()).await?;
        self.inner.put(epoch, groups).await
    }
}

struct Bench {
    held: Arc<Held>,
    coalescing: Arc<Coalescing>,
    metrics: Metrics,
}

/// One lane of everything, so that what waits is plain to see.
const ONE_LANE: CoalesceOptions = CoalesceOptions {
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
const NEVER: Duration = Duration::from_secs(3600);

impl Bench {
    async fn new(options: CoalesceOptions) -> Self {
        Self::with_patience(options, Duration::from_secs(60)).await
    }

    async fn with_patience(options: CoalesceOptions, queue: Duration) -> Self {
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

    fn get(&self, number: u32, rows: &[&str]) -> JoinHandle<Result<Vec<Option<Cell>>, StoreError>> {
        let keys: Vec<Triple> = rows.iter().map(|row| triple(row)).collect();
        let coalescing = Arc::clone(&self.coalescing);
        tokio::spawn(async move { coalescing.get(&table(number), &keys).await })
    }

    fn put(&self, group: PutGroup) -> JoinHandle<Result<PutOutcome, StoreError>> {
        let coalescing = Arc::clone(&self.coalescing);
        tokio::spawn(async move { coalescing.put(EPOCH, &[group]).await.map(|mut outcomes| outcomes.remove(0)) })
    }

    /// Waits until that many cells wait for reads by name, and for writes.
    async fn waiting(&self, gets: usize, puts: usize) {
        while self.coalescing.gets.waiting() != gets || self.coalescing.puts.waiting() != puts {
            tokio::task::yield_now().await;
        }
    }

    fn go(&self, statements: usize) {
        self.held.go.add_permits(statements);
    }
}

fn table(number: u32) -> TableRef {
    TableRef::new("t", TableId(number), 1)
}

fn triple(row: &str) -> Triple {
    Triple {
        row: RowKey::from_store(row.as_bytes().to_vec()),
        column: ColumnKey::from_store(b"c".to_vec()),
        ref_key: RefKey(1),
    }
}

fn group(row: &str, body: &str) -> PutGroup {
    static TOKENS: AtomicI64 = AtomicI64::new(1);
    let body = Body::from_store(body.as_bytes().to_vec());
    let cell = GroupCell { table: table(1), shard: ShardId(0), triple: triple(row), body, mode: PutMode::Explicit };
    PutGroup { token: Token(TOKENS.fetch_add(1, Ordering::Relaxed)), cells: vec![cell] }
}

fn is_stored(outcome: &Result<PutOutcome, StoreError>) -> bool {
    matches!(outcome, Ok(PutOutcome::Stored(places)) if places.iter().all(|place| place.new))
}

fn failed() -> StoreError {
    StoreError::Failed { detail: "for the test".to_owned() }
}

fn gets(sizes: &[usize]) -> Vec<Call> {
    sizes.iter().map(|size| Call::Get("t_1".to_owned(), *size)).collect()
}

#[tokio::test]
async fn a_free_lane_takes_a_request_at_once_and_the_next_one_all_that_wait() {
    let bench = Bench::new(ONE_LANE).await;
    bench.go(1);
    bench.put(group("b", "1")).await.unwrap().unwrap();
    let first = bench.get(1, &["a"]);
    bench.held.begun(2).await;
    let others: Vec<_> = ["b", "c", "b"].map(|row| bench.get(1, &[row])).into();
    bench.waiting(3, 0).await;
    bench.go(2);
    assert_eq!(first.await.unwrap().unwrap(), [None]);
    let mut found = Vec::new();
    for other in others {
        found.push(other.await.unwrap().unwrap()[0].as_ref().map(|cell| cell.triple.clone()));
    }
    assert_eq!(found, [Some(triple("b")), None, Some(triple("b"))]);
    assert_eq!(bench.held.calls()[1..], gets(&[1, 3]));
}

#[tokio::test]
async fn a_request_about_one_cell_shares_with_those_about_several_and_gets_its_own_answer() {
    let bench = Bench::new(ONE_LANE).await;
    bench.go(1);
    bench.put(group("b", "1")).await.unwrap().unwrap();
    let first = bench.coalescing.get_one(&table(1), triple("b")).unwrap();
    bench.held.begun(2).await;
    let several = bench.get(1, &["a", "b"]);
    bench.waiting(2, 0).await;
    let one = bench.coalescing.get_one(&table(1), triple("b")).unwrap();
    let missing = bench.coalescing.get_one(&table(1), triple("c")).unwrap();
    bench.go(2);
    let name = |cell: Option<Cell>| cell.map(|cell| cell.triple);
    assert_eq!(name(first.await.unwrap()), Some(triple("b")));
    assert_eq!(several.await.unwrap().unwrap().into_iter().map(name).collect::<Vec<_>>(), [None, Some(triple("b"))]);
    assert_eq!(name(one.await.unwrap()), Some(triple("b")));
    assert_eq!(name(missing.await.unwrap()), None);
    assert_eq!(bench.held.calls()[1..], gets(&[1, 4]));
}

#[tokio::test]
async fn a_request_about_one_cell_fails_by_itself() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.coalescing.get_one(&table(1), triple("a")).unwrap();
    bench.held.begun(1).await;
    let one = bench.coalescing.get_one(&table(1), triple("b")).unwrap();
    let several = bench.get(1, &["c", "d"]);
    bench.waiting(3, 0).await;
    bench.held.failing.lock().unwrap().extend([(3, failed()), (1, failed())]);
    bench.go(10);
    assert_eq!(first.await.unwrap(), None);
    assert!(matches!(one.await, Err(StoreError::Failed { .. })));
    assert_eq!(several.await.unwrap().unwrap(), [None, None]);
    assert_eq!(bench.held.calls(), gets(&[1, 3, 1, 2]));
}

#[tokio::test]
async fn as_many_requests_as_there_are_lanes_go_at_once_and_more_share_one() {
    let bench = Bench::new(CoalesceOptions { slow: NEVER, far: NEVER, ..CoalesceOptions::default() }).await;
    let few: Vec<_> = ["a", "b", "c", "d"].map(|row| bench.get(1, &[row])).into();
    bench.held.begun(4).await;
    let more: Vec<_> = ["e", "f", "g"].map(|row| bench.get(1, &[row])).into();
    bench.waiting(3, 0).await;
    bench.go(3);
    for one in few.into_iter().chain(more) {
        bench.go(1);
        one.await.unwrap().unwrap();
    }
    assert_eq!(bench.held.calls(), gets(&[1, 1, 1, 1, 3]));
}

#[tokio::test]
async fn a_second_statement_begins_with_half_of_those_outstanding() {
    let bench = Bench::new(CoalesceOptions { slow: NEVER, far: NEVER, ..CoalesceOptions::default() }).await;
    let ten = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let first = bench.get(1, &ten);
    bench.held.begun(1).await;
    let mut others: Vec<_> = ten[..9].iter().map(|row| bench.get(1, &[row])).collect();
    bench.waiting(9, 0).await;
    others.push(bench.get(1, &["j"]));
    bench.held.begun(1).await;
    // There are two as a rule, however many more come.
    others.extend(ten.iter().map(|row| bench.get(1, &[row])));
    bench.waiting(10, 0).await;
    bench.go(3);
    for one in std::iter::once(first).chain(others) {
        one.await.unwrap().unwrap();
    }
    assert_eq!(bench.held.calls(), gets(&[10, 10, 10]));
}

#[tokio::test]
async fn nobody_waits_for_a_statement_that_is_slow() {
    let bench = Bench::new(CoalesceOptions::default()).await;
    let many = ["a", "b", "c", "d", "e"];
    let slow = bench.get(1, &many);
    bench.held.begun(1).await;
    // Its time is told by the system's clock, which cannot be turned.
    let long_ago = Instant::now() + Duration::from_millis(2);
    while Instant::now() < long_ago {
        tokio::task::yield_now().await;
    }
    let quick = bench.get(1, &["b"]);
    bench.held.begun(1).await;
    bench.go(2);
    slow.await.unwrap().unwrap();
    quick.await.unwrap().unwrap();
    assert_eq!(bench.held.calls(), gets(&[5, 1]));
}

#[tokio::test]
async fn nobody_waits_long_beside_free_lanes_though_a_statement_hangs_and_nobody_else_comes() {
    let slow = Duration::from_millis(20);
    let bench = Bench::new(CoalesceOptions { slow, far: NEVER, ..CoalesceOptions::default() }).await;
    let in_time = async |statements| {
        let begun = bench.held.begun(statements);
        tokio::time::timeout(Duration::from_secs(20), begun).await.expect("it does not wait for what hangs");
    };
    let hangs = bench.get(1, &["a", "b", "c", "d", "e"]);
    bench.held.begun(1).await;
    // Less than its share.
    let waits = bench.get(1, &["f"]);
    in_time(1).await;
    let next = bench.get(1, &["g"]);
    in_time(1).await;
    bench.go(3);
    for one in [hangs, waits, next] {
        one.await.unwrap().unwrap();
    }
    assert_eq!(bench.held.calls(), gets(&[5, 1, 1]));
}

#[tokio::test]
async fn a_store_that_is_far_away_has_several_statements_under_way() {
    // However short a ping is, it is longer than nothing.
    let bench = Bench::new(CoalesceOptions { slow: NEVER, far: Duration::ZERO, ..CoalesceOptions::default() }).await;
    let first = bench.get(1, &["a", "b", "c", "d", "e"]);
    bench.held.begun(1).await;
    let near = [first, bench.get(1, &["f"])];
    bench.waiting(1, 0).await;
    bench.coalescing.ping().await.unwrap();
    let far = bench.get(1, &["g"]);
    bench.held.begun(1).await;
    bench.go(2);
    for one in near.into_iter().chain([far]) {
        one.await.unwrap().unwrap();
    }
    assert_eq!(bench.held.calls(), gets(&[5, 2]), "the second statement did not wait for the first");
    let first = bench.put(group("a", "1"));
    bench.held.begun(1).await;
    let second = bench.put(group("b", "1"));
    bench.held.begun(1).await;
    let third = bench.put(group("c", "1"));
    bench.waiting(0, 1).await;
    bench.go(3);
    for put in [first, second, third] {
        assert!(is_stored(&put.await.unwrap()));
    }
    assert_eq!(bench.held.calls()[2..], [1, 1, 1].map(Call::Put), "two at once, and no more");
}

#[tokio::test]
async fn one_that_comes_just_before_many_takes_them_along() {
    let bench =
        Bench::new(CoalesceOptions { busy_lanes: 1, slow: NEVER, far: NEVER, ..CoalesceOptions::default() }).await;
    let first = bench.get(1, &["a", "b", "c", "d", "e"]);
    bench.held.begun(1).await;
    let many: Vec<_> = (0..20).map(|n| bench.get(1, &[&format!("{n}")])).collect();
    bench.waiting(20, 0).await;
    bench.go(2);
    first.await.unwrap().unwrap();
    for one in many {
        one.await.unwrap().unwrap();
    }
    // All of them come back at once, and the first to come is not sent alone.
    let again: Vec<_> = (0..20).map(|n| bench.get(1, &[&format!("{n}")])).collect();
    bench.go(2);
    for one in again {
        one.await.unwrap().unwrap();
    }
    assert_eq!(bench.held.calls(), gets(&[5, 20, 20]));
}

#[tokio::test]
async fn a_scan_beside_gets_has_short_pages_and_misses_nothing() {
    let bench = Bench::new(CoalesceOptions { slow: NEVER, far: NEVER, ..CoalesceOptions::default() }).await;
    let cells: Vec<String> = (0..300).map(|n| format!("{n:03}")).collect();
    for cell in &cells {
        let stored = bench.held.inner.put(EPOCH, &[group(cell, "1")]).await;
        assert!(stored.is_ok(), "{stored:?}");
    }
    bench.go(1000);
    let mut scan = RowScan {
        set: cellgate_schemaless::RowSet::Rows(
            cells.iter().map(|cell| RowKey::from_store(cell.as_bytes().to_vec())).collect(),
            cellgate_schemaless::ColumnFilter::All,
        ),
        refs: cellgate_schemaless::RefRange::default(),
        direction: cellgate_schemaless::Direction::Ascending,
        after: None,
        limit: Some(1000),
    };
    let (mut pages, mut found) = (Vec::new(), Vec::new());
    loop {
        bench.get(1, &["000"]).await.unwrap().unwrap();
        let page = bench.coalescing.rows(&table(1), &scan).await.unwrap();
        scan.after = page.cells.last().map(|cell| cell.triple.clone());
        pages.push(page.cells.len());
        found.extend(page.cells.into_iter().map(|cell| cell.triple.row));
        if !page.more {
            break;
        }
    }
    assert_eq!(found.len(), 300, "{pages:?}");
    assert_eq!(pages[0], 64, "{pages:?}");
    // Scans of a few rows leave the pages of others as they are.
    let few = RowScan { after: None, limit: Some(2), ..scan };
    let length = bench.coalescing.row_pages.rows();
    for _ in 0..10 {
        bench.get(1, &["000"]).await.unwrap().unwrap();
        assert_eq!(bench.coalescing.rows(&table(1), &few).await.unwrap().cells.len(), 2);
    }
    assert_eq!(bench.coalescing.row_pages.rows(), length);
}

#[tokio::test]
async fn a_full_batch_takes_another_lane() {
    let bench = Bench::new(CoalesceOptions { batch_reads: 8, lanes: 2, ..ONE_LANE }).await;
    let first = bench.get(1, &["a", "b", "c"]);
    bench.held.begun(1).await;
    let more: Vec<_> = (0..8).map(|n| bench.get(1, &[&format!("{n}")])).collect();
    // The first is still under way.
    bench.held.begun(1).await;
    bench.go(2);
    first.await.unwrap().unwrap();
    for one in more {
        one.await.unwrap().unwrap();
    }
    assert_eq!(bench.held.calls(), gets(&[3, 8]));
}

#[tokio::test]
async fn the_keys_of_one_call_are_read_by_one_statement() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let calls: Vec<_> = (0..3).map(|_| bench.get(1, &["a", "b", "c"])).collect();
    bench.waiting(9, 0).await;
    bench.go(3);
    assert_eq!(first.await.unwrap().unwrap(), [None]);
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), [None, None, None]);
    }
    // Eight keys fit, and yet the third call goes with none of its keys before the others.
    assert_eq!(bench.held.calls(), gets(&[1, 6, 3]));
}

#[tokio::test]
async fn a_call_about_many_keys_leaves_the_batch_to_others() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let greedy = bench.get(1, &["a", "b", "c", "d", "e"]);
    bench.held.begun(1).await;
    let small = bench.get(1, &["b"]);
    bench.waiting(1, 0).await;
    bench.go(3);
    for one in [first, greedy, small] {
        one.await.unwrap().unwrap();
    }
    assert_eq!(bench.held.calls(), gets(&[1, 5, 1]));
}

#[tokio::test]
async fn a_scan_is_on_no_lane() {
    let bench = Bench::new(ONE_LANE).await;
    let scan = RowScan {
        set: cellgate_schemaless::RowSet::Rows(Vec::new(), cellgate_schemaless::ColumnFilter::All),
        refs: cellgate_schemaless::RefRange::default(),
        direction: cellgate_schemaless::Direction::Ascending,
        after: None,
        limit: None,
    };
    let coalescing = Arc::clone(&bench.coalescing);
    let scanning = tokio::spawn(async move { coalescing.rows(&table(1), &scan).await });
    bench.held.begun(1).await;
    let get = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    assert_eq!(bench.held.calls(), [Call::Rows, Call::Get("t_1".to_owned(), 1)]);
    bench.go(2);
    get.await.unwrap().unwrap();
    scanning.await.unwrap().unwrap();
}

#[tokio::test]
async fn tables_do_not_share_a_statement() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let mut others = Vec::new();
    for (n, number) in [1, 2, 1, 2].into_iter().enumerate() {
        others.push(bench.get(number, &["a"]));
        bench.waiting(n + 1, 0).await;
    }
    bench.go(3);
    first.await.unwrap().unwrap();
    for other in others {
        other.await.unwrap().unwrap();
    }
    let call = |name: &str, size| Call::Get(name.to_owned(), size);
    assert_eq!(bench.held.calls(), [call("t_1", 1), call("t_1", 2), call("t_2", 2)]);
}

#[tokio::test]
async fn writes_go_one_batch_at_a_time_and_equal_triples_settle_first_wins() {
    let bench = Bench::new(CoalesceOptions { lanes: 4, ..ONE_LANE }).await;
    let first = bench.put(group("a", "1"));
    bench.held.begun(1).await;
    let mut others = Vec::new();
    for (n, (row, body)) in [("b", "1"), ("b", "2"), ("b", "1"), ("c", "1")].into_iter().enumerate() {
        others.push(bench.put(group(row, body)));
        bench.waiting(0, n + 1).await;
    }
    bench.go(2);
    assert!(is_stored(&first.await.unwrap()));
    let mut outcomes = Vec::new();
    for other in others {
        outcomes.push(other.await.unwrap());
    }
    assert!(is_stored(&outcomes[0]) && is_stored(&outcomes[3]), "{outcomes:?}");
    assert_eq!(outcomes[1].as_ref().unwrap(), &PutOutcome::Conflict { cell: 0 });
    assert!(matches!(&outcomes[2], Ok(PutOutcome::Stored(places)) if !places[0].new), "{outcomes:?}");
    assert_eq!(bench.held.calls(), [Call::Put(1), Call::Put(4)]);
}

#[tokio::test]
async fn a_second_write_begins_with_half_of_those_outstanding_and_none_beside_a_full_batch() {
    // However slow they are.
    for slow in [NEVER, Duration::ZERO] {
        let bench = Bench::new(CoalesceOptions { write_lanes: 2, slow, ..ONE_LANE }).await;
        let puts = |names: &[&str]| names.iter().map(|name| bench.put(group(name, "1"))).collect::<Vec<_>>();
        let first = bench.put(group("first", "1"));
        bench.held.begun(1).await;
        let second = bench.put(group("second", "1"));
        bench.held.begun(1).await;
        let mut others = puts(&["a", "b", "c"]);
        bench.waiting(0, 3).await;
        bench.go(1);
        assert!(is_stored(&first.await.unwrap()));
        bench.held.begun(1).await;
        others.extend(puts(&["1", "2", "3", "4", "5", "6", "7", "8"]));
        bench.waiting(0, 8).await;
        bench.go(1);
        assert!(is_stored(&second.await.unwrap()));
        bench.waiting(0, 8).await;
        bench.go(2);
        for put in others {
            assert!(is_stored(&put.await.unwrap()));
        }
        assert_eq!(bench.held.calls(), [1, 1, 3, 8].map(Call::Put));
    }
}

#[tokio::test]
async fn an_oversized_request_fails_alone_before_it_is_queued() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.put(group("a", "1"));
    bench.held.begun(1).await;
    let good = bench.put(group("b", "1"));
    let bad = bench.put(group(&"x".repeat(limits::STORED_ROW_KEY_BYTES + 1), "1"));
    let error = bad.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { max: limits::STORED_ROW_KEY_BYTES, .. }), "{error:?}");
    bench.waiting(0, 1).await;
    bench.go(2);
    assert!(is_stored(&first.await.unwrap()) && is_stored(&good.await.unwrap()));
}

#[tokio::test]
async fn a_batch_that_fails_of_one_member_is_run_one_by_one() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.put(group("a", "1"));
    bench.held.begun(1).await;
    let others: Vec<_> = ["b", "c", "d"].map(|row| bench.put(group(row, "1"))).into();
    bench.waiting(0, 3).await;
    // The batch of three fails, then the second of them alone; scripted from the batch on, by size.
    bench.held.failing.lock().unwrap().push((3, failed()));
    bench.go(3);
    bench.held.begun(3).await;
    bench.held.failing.lock().unwrap().push((1, failed()));
    bench.go(2);
    assert!(is_stored(&first.await.unwrap()));
    let mut outcomes = Vec::new();
    for other in others {
        outcomes.push(other.await.unwrap());
    }
    assert!(is_stored(&outcomes[0]) && is_stored(&outcomes[2]), "{outcomes:?}");
    assert!(matches!(outcomes[1], Err(StoreError::Failed { .. })), "{outcomes:?}");
    assert_eq!(bench.held.calls(), [1, 3, 1, 1, 1].map(Call::Put));
}

#[tokio::test]
async fn a_store_that_is_down_is_not_asked_once_per_request() {
    let bench = Bench::new(ONE_LANE).await;
    let down = || StoreError::Unavailable { reason: Reason::Connect, detail: "for the test".to_owned() };
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let others: Vec<_> = ["b", "c"].map(|row| bench.get(1, &[row])).into();
    bench.waiting(2, 0).await;
    bench.held.failing.lock().unwrap().push((2, down()));
    bench.go(2);
    first.await.unwrap().unwrap();
    for other in others {
        assert!(matches!(other.await.unwrap(), Err(StoreError::Unavailable { .. })));
    }
    assert_eq!(bench.held.calls(), gets(&[1, 2]));
}

#[tokio::test]
async fn what_fails_one_by_one_again_and_again_is_not_asked_once_per_request() {
    let most = super::lanes::IN_VAIN;
    let options = CoalesceOptions { batch_reads: 2 * most, per_request: 1, ..ONE_LANE };
    let bench = Bench::new(options).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let others: Vec<_> = (0..most + 3).map(|_| bench.get(1, &["b"])).collect();
    bench.waiting(most + 3, 0).await;
    // One was too large, and then the store is gone.
    let down = StoreError::Unavailable { reason: Reason::Connect, detail: "for the test".to_owned() };
    let one_by_one = std::iter::repeat_n((1, down), most);
    let large = StoreError::AnswerTooLarge { max: 7 };
    bench.held.failing.lock().unwrap().extend(std::iter::once((most + 3, large)).chain(one_by_one));
    bench.go(2 + 2 * most);
    first.await.unwrap().unwrap();
    for other in others {
        let answer = other.await.unwrap();
        assert!(matches!(answer, Err(StoreError::Unavailable { .. })), "{answer:?}");
    }
    let calls = [1, most + 3].into_iter().chain(std::iter::repeat_n(1, most)).collect::<Vec<_>>();
    assert_eq!(bench.held.calls(), gets(&calls));
}

#[tokio::test]
async fn requests_that_are_too_large_take_no_other_along() {
    let (many, large) = (2 * super::lanes::IN_VAIN, StoreError::AnswerTooLarge { max: 7 });
    let options = CoalesceOptions { batch_reads: 2 * many + 2, queue_cells: 2 * many + 2, per_request: 2, ..ONE_LANE };
    let bench = Bench::new(options).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    // More of them than may fail in vain, each about two cells; who asks for one comes last.
    let others: Vec<_> = (0..many).map(|_| bench.get(1, &["b", "c"])).collect();
    bench.waiting(2 * many, 0).await;
    let small = [bench.get(1, &["d"]), bench.get(1, &["e"])];
    bench.waiting(2 * many + 2, 0).await;
    let again = std::iter::repeat_n((2, large.clone()), many).chain([(1, failed())]);
    bench.held.failing.lock().unwrap().extend([(2 * many + 2, large)].into_iter().chain(again));
    bench.go(2 + many + 2);
    first.await.unwrap().unwrap();
    for other in others {
        let answer = other.await.unwrap();
        assert!(matches!(answer, Err(StoreError::AnswerTooLarge { max: 7 })), "{answer:?}");
    }
    let [failing, well] = small;
    assert!(matches!(failing.await.unwrap(), Err(StoreError::Failed { .. })), "its own error");
    assert_eq!(well.await.unwrap().unwrap(), [None]);
}

#[tokio::test]
async fn who_asks_for_a_long_body_waits_for_it_alone() {
    let bench = Bench::new(ONE_LANE).await;
    let long = "x".repeat(LONG);
    bench.go(2);
    for (row, body) in [("long", &*long), ("short", "1")] {
        assert!(is_stored(&bench.put(group(row, body)).await.unwrap()));
    }
    let first = bench.get(1, &["a"]);
    bench.held.begun(3).await;
    let long_ones = [bench.get(1, &["long"]), bench.get(1, &["short", "long"])];
    bench.waiting(3, 0).await;
    let short = bench.get(1, &["short", "nowhere"]);
    bench.waiting(5, 0).await;
    bench.go(2);
    first.await.unwrap().unwrap();
    let bytes = |cells: &[Option<Cell>]| -> Vec<usize> {
        cells.iter().flatten().map(|cell| cell.body.as_ref().map_or(0, |body| body.as_bytes().len())).collect()
    };
    // Nobody has let the next statement go on.
    let answered = tokio::time::timeout(Duration::from_secs(20), short).await.expect("it does not wait for long ones");
    assert_eq!(bytes(&answered.unwrap().unwrap()), [1]);
    bench.go(2);
    let [one, several] = long_ones;
    assert_eq!(bytes(&one.await.unwrap().unwrap()), [LONG]);
    assert_eq!(bytes(&several.await.unwrap().unwrap()), [1, LONG]);
    assert_eq!(bench.held.calls()[2..], gets(&[1, 5, 1, 2]));
}

#[tokio::test]
async fn who_is_asked_for_again_waits_no_longer_than_for_a_statement() {
    let bench = Bench::with_patience(ONE_LANE, Duration::from_millis(300)).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let others: Vec<_> = ["b", "c", "d"].map(|row| bench.get(1, &[row])).into();
    bench.waiting(3, 0).await;
    bench.held.failing.lock().unwrap().push((3, failed()));
    bench.go(2);
    // Two at a time are asked for again, and hang.
    bench.held.begun(3).await;
    // So long is told to one who comes now.
    let queued = tokio::time::timeout(Duration::from_secs(20), bench.get(1, &["e"])).await.expect("it is told");
    assert!(matches!(queued.unwrap(), Err(StoreError::Timeout { reason: Reason::Queue, .. })));
    bench.go(2);
    first.await.unwrap().unwrap();
    let mut late = 0;
    for other in others {
        match other.await.unwrap() {
            Ok(cells) => assert_eq!(cells, [None]),
            Err(StoreError::Timeout { reason: Reason::Queue, .. }) => late += 1,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(late, 1);
}

#[tokio::test]
async fn a_shared_write_is_bounded_in_bytes_and_waits_for_none_with_a_large_body() {
    let bench = Bench::new(ONE_LANE).await;
    let (large, half) = ("x".repeat(super::BATCH_BYTES), "x".repeat(super::BATCH_BYTES / 2));
    let huge: Vec<_> = ["a", "b"].map(|row| bench.put(group(row, &large))).into();
    bench.held.begun(1).await;
    // Two halves of what a batch may have do not go with the row keys beside them.
    let halves: Vec<_> = ["c", "d"].map(|row| bench.put(group(row, &half))).into();
    let small = bench.put(group("e", "1"));
    bench.held.begun(1).await;
    assert_eq!(bench.held.calls(), [1, 1].map(Call::Put), "beside the large one");
    while bench.coalescing.large_puts.waiting() != 3 {
        tokio::task::yield_now().await;
    }
    bench.go(5);
    assert!(is_stored(&small.await.unwrap()));
    for put in huge.into_iter().chain(halves) {
        assert!(is_stored(&put.await.unwrap()));
    }
    assert_eq!(bench.held.calls(), [1, 1, 1, 1, 1].map(Call::Put), "each by itself");
}

#[tokio::test]
async fn a_write_to_several_tables_is_on_no_lane() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.put(group("a", "1"));
    bench.held.begun(1).await;
    // One of its tables is gone: who writes to the other one must not be told so.
    let mut gone = group("b", "1");
    gone.cells[0].table = table(3);
    let both = {
        let (coalescing, groups) = (Arc::clone(&bench.coalescing), [group("c", "1"), gone]);
        tokio::spawn(async move { coalescing.put(EPOCH, &groups).await })
    };
    bench.held.begun(1).await;
    assert_eq!(bench.held.calls(), [Call::Put(1), Call::Put(2)], "beside the first one");
    bench.go(2);
    assert!(is_stored(&first.await.unwrap()));
    assert!(matches!(both.await.unwrap(), Err(StoreError::NoTable { .. })));
}

#[tokio::test]
async fn what_runs_beside_the_lanes_leaves_connections_for_them_and_waits_as_long_as_others() {
    let bench = Bench::with_patience(ONE_LANE, Duration::from_millis(500)).await;
    let long = ["a", "b", "c", "d", "e"];
    // Of 16 connections each kind of read has one, writes have two, and large ones one.
    let beside: Vec<_> = (0..11).map(|_| bench.get(1, &long)).collect();
    bench.held.begun(11).await;
    let refused = tokio::time::timeout(Duration::from_secs(20), bench.get(1, &long)).await.expect("it is told");
    let error = refused.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Timeout { reason: Reason::Queue, .. }), "{error:?}");
    let short = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    bench.go(12);
    short.await.unwrap().unwrap();
    for read in beside {
        read.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn no_read_waits_for_writes_that_wait_for_the_log_head() {
    // As many connections as a pool may have at least, and as many as it has as a rule.
    for connections in [1, 16] {
        let bench = Bench::new(ONE_LANE).await;
        let (held, timeouts) = (Arc::clone(&bench.held), Timeouts::default());
        let of_cluster = bench.metrics.cluster_named("c").unwrap();
        let coalescing = Arc::new(Coalescing::new(held as _, ONE_LANE, connections, timeouts, &of_cluster));
        let bench = Bench { coalescing, ..bench };
        // Of two tables: on no lane.
        let writes: Vec<_> = (0..20)
            .map(|n| {
                let mut groups = [group(&format!("{n}"), "1"), group(&format!("{n}"), "1")];
                groups[1].cells[0].table = table(2);
                let coalescing = Arc::clone(&bench.coalescing);
                tokio::spawn(async move { coalescing.put(EPOCH, &groups).await })
            })
            .collect();
        let at_once = bench.coalescing.beside_writes.available_permits();
        bench.held.begun(u32::try_from(at_once).unwrap()).await;
        let long = bench.get(1, &["a", "b", "c", "d", "e"]);
        let begun = tokio::time::timeout(Duration::from_secs(20), bench.held.begun(1));
        begun.await.expect("it does not wait for the writes");
        assert_eq!(bench.held.calls().len(), at_once + 1, "{connections} connections");
        bench.go(21);
        long.await.unwrap().unwrap();
        for write in writes {
            write.await.unwrap().unwrap();
        }
    }
}

#[test]
fn a_runtime_ends_though_a_statement_hangs_and_others_wait() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bench = Bench::new(ONE_LANE).await;
        let _first = bench.put(group("a", "1"));
        bench.held.begun(1).await;
        let _waiting = bench.put(group("b", "1"));
        bench.waiting(0, 1).await;
    });
    // The lane is dropped, and no task takes it on any more.
    drop(runtime);
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let others: Vec<_> = (0..4).map(|_| bench.get(1, &["a", "b", "c", "d"])).collect();
    bench.waiting(16, 0).await;
    let refused = bench.get(1, &["a"]).await.unwrap().unwrap_err();
    assert!(matches!(refused, StoreError::Overloaded { waiting: 16, bytes: 0 }), "{refused:?}");
    let text = bench.metrics.render().unwrap();
    let counted = "cellgate_queue_refused_total{cluster=\"c\",queue=\"get\"} 1";
    assert!(text.lines().any(|line| line == counted), "no line {counted} in {text}");
    bench.go(3);
    first.await.unwrap().unwrap();
    for other in others {
        other.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn who_waits_longer_than_the_limit_is_told_so_though_the_lane_hangs() {
    let bench = Bench::with_patience(ONE_LANE, Duration::from_millis(500)).await;
    let stuck = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let waiting = bench.get(1, &["b"]);
    let error = waiting.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Timeout { reason: Reason::Queue, .. }), "{error:?}");
    bench.go(2);
    stuck.await.unwrap().unwrap();
    // The lane is free again.
    bench.get(1, &["c"]).await.unwrap().unwrap();
    assert_eq!(bench.held.calls(), gets(&[1, 1]));
}

#[tokio::test]
async fn a_limit_on_waiting_is_counted_from_the_arrival_however_many_statements_go_before() {
    // Long, so that a busy machine is in time for the tenths.
    let patience = Duration::from_secs(5);
    let bench = Bench::with_patience(ONE_LANE, patience).await;
    let began = tokio::time::Instant::now();
    let until = async |parts: u32| {
        let nothing = std::future::pending::<()>();
        tokio::time::timeout_at(began + patience * parts / 10, nothing).await.unwrap_err();
    };
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let others: Vec<_> = (0..2).map(|_| bench.get(1, &["b", "c", "d", "e"])).collect();
    let last = bench.get(1, &["f"]);
    bench.waiting(9, 0).await;
    // Two statements, each shorter than the limit.
    until(6).await;
    bench.go(1);
    first.await.unwrap().unwrap();
    bench.held.begun(1).await;
    until(12).await;
    bench.go(2);
    let error = last.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Timeout { reason: Reason::Queue, .. }), "{error:?}");
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(bench.held.calls(), gets(&[1, 8]), "nothing is sent for who was told");
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_its_lane_to_those_who_wait() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.get(1, &["a"]);
    bench.held.begun(1).await;
    let (gone, waiting) = (bench.get(1, &["b"]), bench.get(1, &["c"]));
    bench.waiting(2, 0).await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    bench.go(1);
    assert_eq!(waiting.await.unwrap().unwrap(), [None]);
    assert!(bench.held.calls().len() == 2, "{:?}", bench.held.calls());
}

#[tokio::test]
async fn a_write_goes_on_though_its_caller_goes_away() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.put(group("a", "1"));
    bench.held.begun(1).await;
    let second = bench.put(group("b", "1"));
    bench.waiting(0, 1).await;
    for gone in [first, second] {
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
    }
    bench.go(3);
    bench.coalescing.close().await;
    let found = bench.held.inner.get(&table(1), &[triple("a"), triple("b")]).await.unwrap();
    assert!(found.iter().all(Option::is_some), "{found:?}");
}

#[tokio::test]
async fn a_statement_that_panics_is_an_error_to_its_own_and_its_lane_goes_on() {
    let bench = Bench::new(ONE_LANE).await;
    let first = bench.put(group("a", "1"));
    bench.held.begun(1).await;
    let shared: Vec<_> = ["b", "c"].map(|row| bench.put(group(row, "1"))).into();
    bench.waiting(0, 2).await;
    bench.go(1);
    assert!(is_stored(&first.await.unwrap()));
    bench.held.begun(1).await;
    let behind = bench.put(group("d", "1"));
    bench.waiting(0, 1).await;
    bench.held.panics.store(true, Ordering::SeqCst);
    bench.go(2);
    for one in shared {
        let outcome = one.await.unwrap();
        assert!(
            matches!(outcome, Err(StoreError::MaybeWritten { .. })),
            "whether it was done is not known: {outcome:?}"
        );
    }
    assert!(is_stored(&behind.await.unwrap()));
    assert_eq!(bench.held.calls(), [1, 2, 1].map(Call::Put));
    // With nobody behind it, the lane ends.
    bench.held.panics.store(true, Ordering::SeqCst);
    bench.go(1);
    let alone = bench.put(group("e", "1")).await.unwrap();
    assert!(matches!(alone, Err(StoreError::MaybeWritten { .. })), "{alone:?}");
    tokio::time::timeout(Duration::from_secs(20), bench.coalescing.close()).await.expect("nothing is under way");
}

#[tokio::test]
async fn of_two_callers_with_lanes_of_their_own_who_go_away_the_others_get_both() {
    let bench = Bench::new(CoalesceOptions { slow: NEVER, far: NEVER, lanes: 2, ..CoalesceOptions::default() }).await;
    let own = [bench.get(1, &["a"]), bench.get(1, &["b"])];
    bench.held.begun(2).await;
    let waiting: Vec<_> = (0..6).map(|n| bench.get(1, &[&format!("{n}")])).collect();
    bench.waiting(6, 0).await;
    for one in own {
        one.abort();
        assert!(one.await.unwrap_err().is_cancelled());
    }
    bench.go(2);
    for one in waiting {
        assert_eq!(one.await.unwrap().unwrap(), [None]);
    }
    tokio::time::timeout(Duration::from_secs(20), bench.coalescing.close()).await.expect("no lane is left over");
    assert_eq!(bench.coalescing.gets.under_way(), 0);
    assert_eq!(bench.held.calls()[..3], gets(&[1, 1, 6]));
}

/// Clients that ask and leave as they like, on several threads.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_stays_gets_its_own_answer_and_nothing_is_left_under_way() {
    const CLIENTS: usize = 32;
    const TURNS: usize = 60;
    for far in [NEVER, Duration::ZERO] {
        let bench = Arc::new(Bench::new(CoalesceOptions { far, ..CoalesceOptions::default() }).await);
        bench.go(1_000_000);
        bench.coalescing.ping().await.unwrap();
        let client = |client: usize| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move {
                for turn in 0..TURNS {
                    let row = format!("{client}-{turn}");
                    let put = bench.put(group(&row, &row));
                    if turn % 5 == client % 5 {
                        // Whether it had been taken in or not.
                        put.abort();
                        continue;
                    }
                    assert!(is_stored(&put.await.unwrap()));
                    let read = bench.get(1, &[&row, "nowhere"]);
                    if turn % 7 == client % 7 {
                        read.abort();
                        continue;
                    }
                    let found = read.await.unwrap().unwrap();
                    let bodies: Vec<_> =
                        found.iter().map(|cell| cell.as_ref().and_then(|cell| cell.body.clone())).collect();
                    assert_eq!(bodies, [Some(Body::from_store(row.into_bytes())), None]);
                }
            })
        };
        let clients: Vec<_> = (0..CLIENTS).map(client).collect();
        for client in clients {
            client.await.unwrap();
        }
        let coalescing = &bench.coalescing;
        let over = async {
            while !(coalescing.gets.is_idle() && coalescing.puts.is_idle()) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), over).await.expect("nothing is left under way");
        assert_eq!((coalescing.gets.under_way(), coalescing.puts.under_way()), (0, 0));
    }
}
