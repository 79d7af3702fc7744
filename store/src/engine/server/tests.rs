//! What becomes of a write and of a read when sessions are lost, wait and fail, on a server that answers by a script.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use cellgate_metrics::{Metrics, Operation};
use cellgate_schemaless::{
    AddedId, Body, Cell, CellKind, ColumnKey, Epoch, LatestKey, Micros, RefKey, RowKey, ShardId, TableId, TableRef,
    Token, Triple,
};

use super::core::Core;
use super::driver::{Failure, Guard, Holds, Names, PassOver, Place, Session as _, Start, Value};
use super::fake::{Asked, FakeDriver, Script, failed, lost};
use super::pool::Starts;
use super::{Server, ServerOptions, put};
use crate::backend::{ANSWER_BYTES, Backend, GroupCell, PlacedCell, PutGroup, PutMode, PutOutcome, Timeouts};
use crate::closing::wait_until;
use crate::error::{Reason, StoreError};
use crate::meta::MetaStore;
use crate::meta::server::ServerMeta;
use crate::sql::Query;
use crate::sync::lock;

const EPOCH: Epoch = Epoch(1);

/// Short, for the tests in which something is never known.
const SHORT: Timeouts = Timeouts {
    connect: Duration::from_secs(1),
    statement: Duration::from_millis(40),
    lock: Duration::from_millis(10),
    queue: Duration::from_secs(1),
};

struct Bench {
    script: Arc<Script>,
    core: Arc<Core<FakeDriver>>,
    metrics: Metrics,
}

impl Bench {
    fn new(timeouts: Timeouts) -> Self {
        let script = Arc::new(Script::default());
        let dsn = "postgres://a@localhost/b".parse().unwrap();
        let metrics = Metrics::new("0", &["a"]).unwrap();
        let options = ServerOptions { timeouts, metrics: metrics.cluster_named("a"), ..ServerOptions::new("a", dsn) };
        let core = Core::new(FakeDriver(Arc::clone(&script)), &options, Holds::Cells).unwrap();
        Self { script, core, metrics }
    }

    async fn put(&self, groups: &[PutGroup]) -> Result<Vec<PutOutcome>, StoreError> {
        put::put(&self.core.sessions, &self.core.timeouts, EPOCH, groups).await
    }

    async fn erase(&self) -> Result<u64, StoreError> {
        let change = Query { text: "UPDATE t SET a = 1".to_owned(), params: Vec::new() };
        Ok(self.core.change(Operation::Erase, Guard::Free, &[change]).await?.rows)
    }

    async fn get(&self) -> Result<Vec<Option<Cell>>, StoreError> {
        self.core.find(Operation::Get, &table(), Names::Exact(&[triple(1)])).await
    }
}

fn table() -> TableRef {
    TableRef::new("t", TableId(1), 1)
}

fn triple(ref_key: i64) -> Triple {
    let (row, column) = (RowKey::from_store(&b"r"[..]), ColumnKey::from_store(&b"c"[..]));
    Triple { row, column, ref_key: RefKey(ref_key) }
}

fn body() -> Body {
    Body::from_store(&b"1"[..])
}

/// A write of these versions.
fn group(token: i64, versions: std::ops::Range<i64>) -> PutGroup {
    let mode = PutMode::Append;
    let cell = |n| GroupCell { table: table(), shard: ShardId(0), triple: triple(n), body: body(), mode };
    PutGroup { token: Token(token), cells: versions.map(cell).collect() }
}

/// The row that a write has made.
fn row(token: i64, ref_key: i64) -> Cell {
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

fn places(versions: std::ops::Range<i64>) -> Vec<Option<Place>> {
    versions.map(|n| Some(Place { added_id: AddedId(n), created_at: Micros(7) })).collect()
}

/// What a write of these versions is told that has made them.
fn stored(versions: std::ops::Range<i64>) -> PutOutcome {
    let place = |n| PlacedCell { added_id: AddedId(n), created_at: Micros(7), new: true };
    PutOutcome::Stored(versions.map(place).collect())
}

#[tokio::test]
async fn behind_a_lost_attempt_it_is_ended_and_looked_for_before_anything_is_sent_again() {
    for count in [1, 3] {
        let bench = Bench::new(Timeouts::default());
        let all = 1..1 + count;
        bench.script.inserts.are([Err(lost()), Ok(places(all.clone()))]);
        bench.script.cells.are([Ok((Vec::new(), false))]);
        assert_eq!(bench.put(&[group(9, all.clone())]).await.unwrap(), [stored(all)]);
        let rows = count as usize;
        let asked = [Asked::Insert(1, rows), Asked::End(1), Asked::Cells(2), Asked::Insert(2, rows)];
        assert_eq!(bench.script.asked(), asked, "{count} cells");
    }
}

#[tokio::test]
async fn what_a_lost_attempt_has_made_is_confirmed_and_not_sent_again() {
    for count in [1, 3] {
        let bench = Bench::new(Timeouts::default());
        let all = 1..1 + count;
        bench.script.inserts.are([Err(lost())]);
        let found: Vec<Cell> = all.clone().map(|n| row(9, n)).collect();
        bench.script.cells.are([Ok((found.clone(), false)), Ok((found, false))]);
        // The first time it cannot be said whether the standbys have it.
        bench.script.confirms.are([Err(failed()), Ok(())]);
        assert_eq!(bench.put(&[group(9, all.clone())]).await.unwrap(), [stored(all)]);
        let asked = [
            Asked::Insert(1, count as usize),
            Asked::End(1),
            Asked::Cells(2),
            Asked::Confirm(2),
            Asked::End(1),
            Asked::Cells(2),
            Asked::Confirm(2),
        ];
        assert_eq!(bench.script.asked(), asked, "{count} cells");
    }
}

#[tokio::test]
async fn a_lost_attempt_that_does_not_end_may_be_written_and_what_is_behind_it_is_not_begun() {
    let bench = Bench::new(SHORT);
    bench.script.inserts.are([Err(lost()), Ok(places(3..5))]);
    bench.script.ends.are((0..1000).map(|_| Ok(false)));
    let outcomes = bench.put(&[group(8, 1..3), group(9, 3..5)]).await.unwrap();
    assert!(matches!(&outcomes[0], PutOutcome::Failed(StoreError::MaybeWritten { .. })), "{outcomes:?}");
    let not_begun = matches!(&outcomes[1], PutOutcome::Failed(error) if !error.may_be_written());
    assert!(not_begun, "{outcomes:?}");
    let asked = bench.script.asked();
    assert_eq!(asked[0], Asked::Insert(1, 2));
    assert!(asked[1..].iter().all(|asked| *asked == Asked::End(1)), "{asked:?}");
}

#[tokio::test]
async fn attempts_that_are_lost_one_after_the_other_have_one_time_together() {
    let bench = Bench::new(SHORT);
    // Thousands of times longer than it may take.
    bench.script.inserts.are((0..100_000).map(|_| Err(lost())));
    bench.script.cells.are((0..100_000).map(|_| Ok((Vec::new(), false))));
    let error = bench.put(&[group(9, 1..2)]).await.unwrap_err();
    assert!(matches!(error, StoreError::MaybeWritten { .. }), "{error:?}");
}

#[tokio::test]
async fn what_becomes_of_lost_writes_is_counted_once_per_write() {
    let three: Vec<PutGroup> = (1..4).map(|n| group(n, n..n + 1)).collect();
    let settles = |bench: &Bench| {
        let text = bench.metrics.render().unwrap();
        ["written", "absent", "unknown"].map(|outcome| {
            let series = format!("cellgate_cluster_settles_total{{cluster=\"a\",outcome=\"{outcome}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse::<u64>().unwrap()
        })
    };
    let bench = Bench::new(SHORT);
    bench.script.inserts.are([Err(lost())]);
    bench.script.cells.are((0..1000).map(|_| Err(failed())));
    assert!(bench.put(&three).await.unwrap_err().may_be_written());
    assert_eq!(settles(&bench), [0, 0, 3]);
    // One was written; of the other two nothing is known behind a second loss.
    let bench = Bench::new(SHORT);
    bench.script.inserts.are([Err(lost()), Err(lost())]);
    bench.script.cells.are([Ok((vec![row(2, 2)], false))]);
    bench.script.cells.are((0..1000).map(|_| Err(failed())));
    let outcomes = bench.put(&three).await.unwrap();
    assert_eq!(outcomes[1], stored(2..3));
    assert_eq!(settles(&bench), [1, 2, 2]);
}

#[tokio::test]
async fn rows_whose_places_are_not_told_may_be_written_until_they_are_looked_up() {
    // The server goes away behind the insert, or says what it cannot do.
    for failure in [lost, failed] {
        let bench = Bench::new(SHORT);
        bench.script.untold.store(true, Ordering::SeqCst);
        bench.script.inserts.are([Ok(vec![None])]);
        bench.script.cells.are((0..1000).map(|_| Err(failure())));
        let error = bench.put(&[group(9, 1..2)]).await.unwrap_err();
        assert!(matches!(error, StoreError::MaybeWritten { .. }), "{error:?}");
        assert_eq!(bench.script.asked()[0], Asked::Insert(1, 1));
        assert!(bench.script.asked()[1..].iter().all(|asked| matches!(asked, Asked::Cells(_))), "it is not sent again");
    }
    let bench = Bench::new(Timeouts::default());
    bench.script.untold.store(true, Ordering::SeqCst);
    bench.script.inserts.are([Ok(vec![None])]);
    bench.script.cells.are([Err(lost()), Ok((vec![row(9, 1)], false))]);
    assert_eq!(bench.put(&[group(9, 1..2)]).await.unwrap(), [stored(1..2)]);
}

#[tokio::test]
async fn no_session_that_was_idle_when_another_was_lost_is_used_again() {
    let bench = Bench::new(Timeouts::default());
    let (used, idle) = (bench.core.sessions.lease().await.unwrap(), bench.core.sessions.lease().await.unwrap());
    idle.give_back();
    used.give_back();
    bench.script.inserts.are([Err(lost()), Ok(places(1..2))]);
    bench.script.cells.are([Ok((Vec::new(), false))]);
    bench.put(&[group(9, 1..2)]).await.unwrap();
    assert_eq!(bench.script.asked()[2..], [Asked::Cells(3), Asked::Insert(3, 1)]);
}

#[tokio::test]
async fn a_row_that_exists_and_is_not_there_again_and_again_is_a_head_that_gives_out_ids_twice() {
    for count in [1, 2] {
        let bench = Bench::new(Timeouts::default());
        // As often as anybody would try.
        bench.script.inserts.are((0..100).map(|_| if count == 1 { Ok(vec![None]) } else { Err(Failure::Duplicate) }));
        bench.script.cells.are((0..100).map(|_| Ok((Vec::new(), false))));
        let error = bench.put(&[group(9, 1..1 + count)]).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn who_waits_for_a_lock_in_vain_or_is_in_deadlocks_all_the_time_is_told_so() {
    for (reason, attempts) in [(Reason::Lock, 3), (Reason::Statement, 10)] {
        let bench = Bench::new(Timeouts::default());
        bench.script.inserts.are((0..100).map(|_| Err(Failure::Again { reason, detail: String::new() })));
        let error = bench.put(&[group(9, 1..2)]).await.unwrap_err();
        assert!(matches!(error, StoreError::Timeout { reason: Reason::Lock, .. }), "{error:?}");
        assert_eq!(bench.script.asked().len(), attempts, "{reason:?}");
    }
}

#[tokio::test]
async fn a_change_that_fails_behind_a_lost_attempt_may_be_done() {
    let bench = Bench::new(Timeouts::default());
    bench.script.executes.are([Ok(1)]);
    // The first COMMIT is lost; the second attempt fails at its BEGIN.
    bench.script.runs.are([Ok(()), Err(lost()), Err(failed()), Ok(())]);
    let error = bench.erase().await.unwrap_err();
    assert!(matches!(error, StoreError::MaybeWritten { .. }), "{error:?}");
}

#[tokio::test]
async fn of_a_commit_that_fails_nobody_knows_what_became_and_of_a_statement_that_fails_nothing_stays() {
    let bench = Bench::new(Timeouts::default());
    bench.script.executes.are([Ok(1), Ok(1)]);
    bench.script.runs.are([Ok(()), Err(failed()), Ok(()), Ok(())]);
    assert_eq!(bench.erase().await.unwrap(), 1);
    let run = |session, text: &str| Asked::Run(session, text.to_owned());
    let asked = [run(1, "BEGIN"), run(1, "COMMIT"), Asked::End(1), run(2, "BEGIN"), run(2, "COMMIT")];
    assert_eq!(bench.script.asked(), asked);

    let bench = Bench::new(Timeouts::default());
    bench.script.executes.are([Err(failed())]);
    bench.script.runs.are([Ok(()), Ok(())]);
    assert!(matches!(bench.erase().await, Err(StoreError::Failed { .. })));
    assert_eq!(bench.script.asked(), [run(1, "BEGIN"), run(1, "ROLLBACK")]);
}

#[tokio::test]
async fn a_read_whose_session_is_lost_is_read_again_once() {
    let bench = Bench::new(Timeouts::default());
    bench.script.cells.are([Err(lost()), Ok((vec![row(9, 1)], false)), Err(lost()), Err(lost())]);
    assert_eq!(bench.get().await.unwrap(), [Some(row(9, 1))]);
    let error = bench.get().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    assert_eq!(bench.script.asked(), [Asked::Cells(1), Asked::Cells(2), Asked::Cells(2), Asked::Cells(3)]);
}

#[tokio::test]
async fn a_session_with_an_answer_that_was_not_read_to_its_end_is_not_used_again() {
    let bench = Bench::new(Timeouts::default());
    bench.script.cells.are([Ok((vec![row(9, 1)], true)), Ok((vec![row(9, 1)], true)), Ok((Vec::new(), false))]);
    let error = bench.get().await.unwrap_err();
    assert!(matches!(error, StoreError::AnswerTooLarge { .. }), "{error:?}");
    let query = |_| std::iter::once(Query { text: "SELECT 1".to_owned(), params: Vec::new() });
    assert!(bench.core.page(Operation::Rows, &table(), query, 10, 1).await.unwrap().more);
    bench.get().await.unwrap();
    assert_eq!(bench.script.asked(), [Asked::Cells(1), Asked::Cells(2), Asked::Cells(3)]);
}

#[tokio::test]
async fn what_pages_say_of_large_cells_is_of_their_table_and_pages_of_few_rows_say_nothing() {
    let bench = Bench::new(Timeouts::default());
    let (large, other) = (table(), TableRef::new("other", TableId(2), 1));
    // Answers for how many rows it asks if it may have so many, and is answered some of so many bytes each.
    let page = async |table: &TableRef, limit: u64, rows: usize, bytes: usize| {
        let cell = Cell { body: Some(Body::from_store(vec![b'1'; bytes - 2])), ..row(9, 1) };
        bench.script.cells.are([Ok((vec![cell; rows], false))]);
        let asked = std::sync::Mutex::new(0);
        let query = |rows| {
            *lock(&asked) = rows;
            std::iter::once(Query { text: "SELECT 1".to_owned(), params: Vec::new() })
        };
        bench.core.page(Operation::Rows, table, query, limit, 8000).await.unwrap();
        asked.into_inner().unwrap()
    };
    assert_eq!(page(&large, 100, 8, 1000).await, 100);
    assert_eq!(page(&large, 100, 7, 1000).await, 7, "it fits in a page");
    assert_eq!(page(&other, 100, 100, 10).await, 100);
    assert_eq!(page(&large, 1, 1, 10).await, 1);
    assert_eq!(page(&large, 100, 7, 10).await, 7, "nobody has shown that they are small");
    // Somebody has, but these may be the small ones among large ones.
    for rows in [14, 28, 56, 100] {
        assert_eq!(page(&large, 100, rows, 10).await, rows as u64, "twice as many as before");
    }
}

#[tokio::test]
async fn a_lease_that_is_not_given_back_ends_its_session() {
    let bench = Bench::new(Timeouts::default());
    drop(bench.core.sessions.lease().await.unwrap());
    assert_eq!(bench.core.sessions.state().size, 0);
    bench.core.sessions.lease().await.unwrap().give_back();
    assert_eq!(bench.core.sessions.state().size, 1);
}

#[tokio::test]
async fn a_read_that_was_given_up_keeps_its_place_until_the_server_has_ended_it() {
    let bench = Bench::new(Timeouts::default());
    bench.script.hangs.store(true, Ordering::SeqCst);
    bench.script.ends.are([Ok(false), Err(lost()), Ok(true)]);
    tokio::time::timeout(Duration::from_millis(10), bench.get()).await.expect_err("it is not answered");
    assert_eq!(bench.core.sessions.state().size, 1);
    wait_until(|| bench.core.sessions.state().size == 0, Duration::from_secs(30)).await;
    assert_eq!(bench.core.sessions.state().size, 0);
    assert_eq!(bench.script.asked(), [Asked::Cells(1), Asked::End(1), Asked::End(1), Asked::End(1)]);
}

#[tokio::test(start_paused = true)]
async fn a_session_for_which_the_server_waits_is_lost_and_one_for_which_it_is_at_work_is_not() {
    let bench = Bench::new(Timeouts::default());
    bench.script.hangs.store(true, Ordering::SeqCst);
    // At work, not to be asked, idle for less than the answer is waited for; and then for longer.
    let idle = |seconds| Ok(Some(Duration::from_secs(seconds)));
    bench.script.idles.are([Ok(None), Err(lost()), idle(2), idle(3), idle(4)]);
    let error = bench.get().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { reason: Reason::Statement, .. }), "{error:?}");
    let idles = bench.script.asked().iter().filter(|asked| matches!(asked, Asked::Idle(_))).count();
    assert_eq!(idles, 5, "four of the first attempt, one of the second");
    // As long as a statement may take.
    let error = bench.get().await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { reason: Reason::Statement, .. }), "{error:?}");
}

#[tokio::test]
async fn a_read_that_is_never_answered_ends() {
    let bench = Bench::new(SHORT);
    bench.script.hangs.store(true, Ordering::SeqCst);
    let error = tokio::time::timeout(Duration::from_secs(30), bench.get()).await.expect("it ends").unwrap_err();
    assert!(matches!(error, StoreError::Timeout { reason: Reason::Statement, .. }), "{error:?}");
}

#[tokio::test]
async fn more_names_than_a_statement_takes_are_read_in_one_snapshot_and_bounded_together() {
    let bench = Bench::new(Timeouts::default());
    bench.script.lists.store(true, Ordering::SeqCst);
    let (table, keys) = (table(), (0..10_000).map(triple).collect::<Vec<Triple>>());
    let read = || bench.core.find(Operation::Get, &table, Names::Exact(&keys));
    bench.script.runs.are([Ok(()), Ok(()), Ok(())]);
    bench.script.cells.are([Ok((vec![row(9, 1)], false)), Ok((vec![row(9, 9_999)], false))]);
    let found = read().await.unwrap();
    assert_eq!(found.iter().flatten().map(|cell| cell.triple.ref_key.0).collect::<Vec<_>>(), [1, 9_999]);
    let run = |text: &str| Asked::Run(1, text.to_owned());
    let begin = [
        run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"),
        run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"),
    ];
    let reads = [Asked::Cells(1), Asked::Cells(1), run("COMMIT")];
    assert_eq!(bench.script.asked(), [&begin[..], &reads[..]].concat());

    // Each statement has less than an answer may have, and both of them have more.
    let large = Body::from_store(vec![b'1'; ANSWER_BYTES / 2]);
    let of = |ref_key| Ok((vec![Cell { body: Some(large.clone()), ..row(9, ref_key) }], false));
    bench.script.runs.are([Ok(()), Ok(())]);
    bench.script.cells.are([of(1), of(9_999)]);
    assert!(matches!(read().await, Err(StoreError::AnswerTooLarge { .. })));
}

#[tokio::test]
async fn the_latest_is_looked_for_below_locks_and_closed_rows() {
    let script = Arc::new(Script::default());
    let options = ServerOptions::new("a", "postgres://a@localhost/b".parse().unwrap());
    let server = Server::with_driver(FakeDriver(Arc::clone(&script)), &options).unwrap();
    let of = |ref_key, kind| Ok((vec![Cell { kind, body: None, ..row(9, ref_key) }], false));
    script.cells.are([of(3, CellKind::Closed), of(2, CellKind::Lock), Ok((vec![row(9, 1)], false))]);
    let Triple { row: chain, column, .. } = triple(1);
    let key = [LatestKey { row: chain, column, at_most: None }];
    assert_eq!(server.latest(&table(), &key).await.unwrap(), [Some(row(9, 1))]);
    script.cells.are([of(1, CellKind::Lock), Ok((Vec::new(), false))]);
    assert_eq!(server.latest(&table(), &key).await.unwrap(), [None]);
}

/// A meta store in which the answer to the first attempt of a change is lost, the second one changes nothing, and the
/// document is then this; and what it was asked.
fn meta_behind_a_loss(now: Option<(i64, &'static [u8])>) -> (ServerMeta<FakeDriver>, Arc<Script>) {
    let script = Arc::new(Script::default());
    script.executes.are([Ok(1), Ok(0)]);
    script.runs.are([Ok(()), Err(lost()), Ok(()), Ok(())]);
    let document = now.map(|(version, body)| vec![Value::Int(version), Value::Bytes(Bytes::from_static(body))]);
    script.fetches.are([Ok(document.into_iter().collect())]);
    let options = ServerOptions::new("a", "postgres://a@localhost/b".parse().unwrap());
    (ServerMeta::with_driver(FakeDriver(Arc::clone(&script)), &options).unwrap(), script)
}

#[tokio::test]
async fn a_change_of_a_document_whose_answer_is_lost_was_done_if_the_document_says_so() {
    for (now, done) in [
        (Some((3, &b"ours"[..])), Some(true)),
        (Some((3, b"theirs")), Some(false)),
        (Some((2, b"before")), Some(false)),
        // Whether ours was in between is hidden.
        (Some((4, b"later")), None),
        (None, None),
    ] {
        let (meta, script) = meta_behind_a_loss(now);
        match meta.compare_and_set("map", 2, b"ours").await {
            Err(StoreError::MaybeWritten { .. }) => assert_eq!(done, None, "{now:?}"),
            answer => assert_eq!(answer.ok(), done, "{now:?}"),
        }
        // The lost attempt's commit may be visible before the standbys it waited for have it.
        assert!(script.asked().contains(&Asked::Confirm(2)), "{now:?}: {:?}", script.asked());
    }
    assert!(meta_behind_a_loss(None).0.remove("map", 2).await.unwrap());
    assert!(!meta_behind_a_loss(Some((3, b"theirs"))).0.remove("map", 2).await.unwrap());
    let (meta, script) = meta_behind_a_loss(Some((3, b"ours")));
    script.confirms.are((0..1000).map(|_| Err(failed())));
    assert!(meta.compare_and_set("map", 2, b"ours").await.is_err(), "not known to be safe is not done");
}

#[tokio::test]
async fn nobody_goes_by_a_version_of_a_document_that_may_not_be_on_disk() {
    let script = Arc::new(Script::default());
    *lock(&script.start) = Some(Start(1));
    let options = ServerOptions::new("a", "postgres://a@localhost/b".parse().unwrap());
    let meta = ServerMeta::with_driver(FakeDriver(Arc::clone(&script)), &options).unwrap();
    let confirmed = || script.asked().iter().filter(|asked| matches!(asked, Asked::Confirm(_))).count();
    let load = async |version| {
        script.fetches.are([Ok(vec![vec![Value::Int(version), Value::Bytes(Bytes::from_static(b"1"))]])]);
        (meta.load("map").await.map(|document| document.unwrap().version), confirmed())
    };
    assert_eq!(load(1).await, (Ok(1), 0), "who only looks changes nothing");
    script.executes.are([Ok(1)]);
    script.runs.are([Ok(()), Ok(())]);
    assert!(meta.compare_and_set("map", 1, b"ours").await.unwrap());
    assert_eq!(load(2).await, (Ok(2), 0), "our own");
    for _ in 0..2 {
        assert_eq!(load(3).await, (Ok(3), 1), "another's, once");
    }
    script.confirms.are([Err(failed())]);
    assert_eq!(load(4).await.0, Err(StoreError::Failed { detail: "for the test".to_owned() }));
}

#[tokio::test]
async fn a_group_that_is_there_already_is_confirmed_before_it_is_said_to_be_stored() {
    let bench = Bench::new(Timeouts::default());
    bench.script.inserts.are([Err(Failure::Duplicate), Err(Failure::Duplicate)]);
    // By another write, whose commit may be visible before it is on disk.
    let found = || Ok((vec![row(8, 1), row(8, 2)], false));
    bench.script.cells.are([found(), found()]);
    bench.script.confirms.are([Err(lost()), Ok(())]);
    let mut group = group(9, 1..3);
    group.cells.iter_mut().for_each(|cell| cell.mode = PutMode::Explicit);
    let outcomes = bench.put(&[group]).await.unwrap();
    assert!(matches!(&outcomes[0], PutOutcome::Stored(places) if places.iter().all(|p| !p.new)), "{outcomes:?}");
    let asked = [
        Asked::Insert(1, 2),
        Asked::Cells(1),
        Asked::Confirm(1),
        Asked::Insert(2, 2),
        Asked::Cells(2),
        Asked::Confirm(2),
    ];
    assert_eq!(bench.script.asked(), asked);
}

#[tokio::test]
async fn the_head_passes_over_ids_once_per_start_of_the_server_and_before_the_first_write() {
    let bench = Bench::new(Timeouts::default());
    bench.script.inserts.are((1..5).map(|n| Ok(places(n..n + 1))));
    bench.script.passes.are([Err(Failure::Again { reason: Reason::Lock, detail: String::new() })]);
    let start = |n| *lock(&bench.script.start) = Some(Start(n));
    start(1);
    for n in 1..3 {
        bench.put(&[group(9, n..n + 1)]).await.unwrap();
    }
    let starts = bench.core.sessions.starts();
    let first = starts.life();
    bench.core.sessions.forget_idle();
    start(2);
    for n in 3..5 {
        bench.put(&[group(9, n..n + 1)]).await.unwrap();
    }
    assert_ne!(starts.life(), first);
    // Of a MySQL whose clock went back, sessions that were told the start of before may still be at work.
    assert_eq!([1, 2].map(|n| starts.to_pass(Start(n))), [None, None]);
    let (pass, insert) = (|session| Asked::PassOver(session, PassOver::Once), |session| Asked::Insert(session, 1));
    let asked = [pass(1), pass(1), insert(1), insert(1), pass(2), insert(2), insert(2)];
    assert_eq!(bench.script.asked(), asked);
}

#[tokio::test]
async fn a_server_that_is_back_behind_another_one_is_one_more_start_though_it_was_not_started() {
    let bench = Bench::new(Timeouts::default());
    bench.script.inserts.are((1..6).map(|n| Ok(places(n..n + 1))));
    let starts = bench.core.sessions.starts();
    let mut lives = Vec::new();
    for (n, start) in [(1, 1), (2, 2), (3, 1), (4, 1), (5, 2)] {
        *lock(&bench.script.start) = Some(Start(start));
        bench.core.sessions.forget_idle();
        bench.put(&[group(9, n..n + 1)]).await.unwrap();
        lives.push(starts.life());
    }
    assert_eq!(lives[2], lives[3], "it is the same as long as it is there");
    lives.sort_unstable();
    lives.dedup();
    assert_eq!(lives.len(), 4, "what was cached before is never answered again");
    let (pass, insert) = (Asked::PassOver, |session| Asked::Insert(session, 1));
    let (once, again) = (PassOver::Once, PassOver::Again);
    let asked = [
        &[pass(1, once), insert(1), pass(2, once), insert(2)][..],
        &[pass(3, again), insert(3), insert(4), pass(5, again), insert(5)],
    ];
    assert_eq!(bench.script.asked(), asked.concat());
}

#[tokio::test]
async fn of_writes_that_come_together_one_has_the_head_pass_over() {
    let bench = Bench::new(Timeouts::default());
    bench.script.inserts.are((1..3).map(|n| Ok(places(n..n + 1))));
    *lock(&bench.script.start) = Some(Start(1));
    let groups = [[group(9, 1..2)], [group(9, 2..3)]];
    let (one, other) = tokio::join!(bench.put(&groups[0]), bench.put(&groups[1]));
    one.unwrap();
    other.unwrap();
    let asked = bench.script.asked();
    let passes = asked.iter().filter(|asked| matches!(asked, Asked::PassOver(..))).count();
    assert_eq!((passes, asked.len()), (1, 3), "{asked:?}");
}

#[test]
fn ids_passed_over_before_a_server_was_taken_over_from_do_not_count_once_it_is_back() {
    let starts = Starts::default();
    starts.seen(Some(Start(1)));
    let (_, before) = starts.to_pass(Start(1)).unwrap();
    for start in [2, 1] {
        starts.seen(Some(Start(start)));
    }
    starts.passed(Start(1), before);
    let (passing, now) = starts.to_pass(Start(1)).expect("it is to be done again");
    assert_eq!(passing, PassOver::Again);
    starts.passed(Start(1), now);
    assert_eq!(starts.to_pass(Start(1)), None);
}

#[tokio::test]
async fn a_session_of_another_start_than_the_last_one_is_not_used_again() {
    let bench = Bench::new(Timeouts::default());
    let start = |n| *lock(&bench.script.start) = Some(Start(n));
    start(1);
    let (old, busy) = (bench.core.sessions.lease().await.unwrap(), bench.core.sessions.lease().await.unwrap());
    old.give_back();
    bench.core.sessions.forget_idle();
    start(2);
    let new = bench.core.sessions.lease().await.unwrap();
    // It was at work meanwhile.
    busy.give_back();
    let mut next = bench.core.sessions.lease().await.unwrap();
    assert_eq!((next.session().unwrap().mark().number, *lock(&bench.script.opened)), (4, 4));
    next.give_back();
    drop(new);
    let mut again = bench.core.sessions.lease().await.unwrap();
    assert_eq!(again.session().unwrap().mark().number, 4);
}

/// Four idle sessions that do not answer any more.
async fn with_idle_sessions_that_hang() -> Bench {
    let bench = Bench::new(Timeouts { connect: Duration::from_millis(1500), ..SHORT });
    let mut leases = Vec::new();
    for _ in 0..4 {
        leases.push(bench.core.sessions.lease().await.unwrap());
    }
    leases.into_iter().for_each(super::pool::Lease::give_back);
    bench.script.idle_hang.store(true, Ordering::SeqCst);
    bench
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_one_within_the_time_for_connecting() {
    let bench = with_idle_sessions_that_hang().await;
    bench.script.opens_none.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let began = std::time::Instant::now();
        let error = bench.core.sessions.lease().await.err().unwrap();
        assert!(matches!(error, StoreError::Unavailable { reason: Reason::Connect, .. }), "{error}");
        assert!(error.to_string().contains("timeouts.connect"), "{error}");
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(1400) && took < Duration::from_millis(5600), "{took:?}");
    }
}

#[tokio::test]
async fn idle_sessions_that_were_lost_unnoticed_are_replaced_within_that_time() {
    let bench = with_idle_sessions_that_hang().await;
    bench.core.sessions.lease().await.unwrap().give_back();
    assert_eq!(*lock(&bench.script.opened), 5);
}

#[tokio::test]
async fn a_server_is_asked_for_a_sign_of_life_though_every_session_is_in_use() {
    let bench = Bench::new(Timeouts { connect: Duration::from_millis(100), ..SHORT });
    let mut leases = Vec::new();
    for _ in 0..ServerOptions::POOL_SIZE {
        leases.push(bench.core.sessions.lease().await.unwrap());
    }
    bench.script.runs.are([Ok(())]);
    bench.core.ping().await.unwrap();
    let beside = ServerOptions::POOL_SIZE as i64 + 1;
    assert_eq!(bench.script.asked(), [Asked::Run(beside, "SELECT 1".to_owned())]);
    // One that answers nobody is found to be down.
    bench.script.runs.are([Err(lost())]);
    let error = bench.core.ping().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    bench.script.opens_none.store(true, Ordering::SeqCst);
    let error = bench.core.ping().await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
}
