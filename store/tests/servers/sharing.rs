//! Writes of several callers in one statement, when the statement's fate is not known at once.

use std::sync::Arc;
use std::time::Duration;

use cellgate_metrics::Metrics;
use cellgate_schemaless::limits;
use cellgate_store::coalesce::{CoalesceOptions, Coalescing};
use cellgate_store::engine::dsn::ServerKind;
use cellgate_store::{Backend, PutGroup, PutMode, PutOutcome, StoreError, Timeouts};
use futures_util::future::join_all;

use crate::fixture::{EPOCH, Holder, SHORT, Store, all_new};
use crate::relay::{Fault, MARKER, Relay};
use crate::wait::until;

/// A proxy with queues, by way of a relay.
fn sharing(store: &Store, port: u16, timeouts: Timeouts) -> Arc<dyn Backend> {
    let metrics = Metrics::new("test", &["c"]).unwrap().cluster_named("c").unwrap();
    let proxy = store.proxy(Some(port), timeouts);
    Arc::new(Coalescing::new(proxy, CoalesceOptions::default(), 8, timeouts, &metrics))
}

async fn put(proxy: &Arc<dyn Backend>, group: PutGroup) -> Result<PutOutcome, StoreError> {
    proxy.put(EPOCH, &[group]).await.map(|mut outcomes| outcomes.remove(0))
}

/// Has these groups written by one statement: while another one waits for the log head, they queue.
async fn together(store: &Store, proxy: &Arc<dyn Backend>, groups: &[PutGroup]) -> Vec<Result<PutOutcome, StoreError>> {
    let holder = Holder::run(store, "UPDATE cg_head SET next = next WHERE head = 0").await;
    let mut first = Box::pin(put(proxy, store.group(PutMode::Explicit, &[("first", 1, "1")])));
    assert!(futures_util::poll!(&mut first).is_pending());
    let mut others = Box::pin(join_all(groups.iter().map(|group| put(proxy, group.clone()))));
    assert!(futures_util::poll!(&mut others).is_pending());
    holder.release().await;
    assert!(all_new(&first.await.unwrap()));
    others.await
}

pub async fn a_shared_write_whose_answer_is_lost_settles_each_by_its_token(store: Store) {
    let relay = Relay::start(store.server()).await;
    // The lock must be waited for longer than the test holds it.
    let proxy = sharing(&store, relay.port, Timeouts { lock: SHORT.lock * 3, ..SHORT });
    let marked = |n: i64| format!("{{\"n\": {n}, \"why\": \"{MARKER}\"}}");
    for (version, fault) in (1..).zip([Fault::CutBefore, Fault::CutAfter]) {
        let taken = store.group(PutMode::Explicit, &[("taken", version, "0")]);
        assert!(all_new(&put(&proxy, taken).await.unwrap()));
        let mut groups: Vec<PutGroup> =
            (0..5).map(|n| store.group(PutMode::Explicit, &[(&format!("row{n}"), version, &marked(n))])).collect();
        groups.push(store.group(PutMode::Explicit, &[("taken", version, &marked(9))]));
        relay.fail_next(fault);
        let first = format!("first{version}");
        let outcomes = {
            let mut all = vec![store.group(PutMode::Explicit, &[(&first, 1, "1")])];
            all.extend(groups.iter().cloned());
            join_all(all.into_iter().map(|group| put(&proxy, group))).await
        };
        assert!(relay.met(), "{fault:?}: the fault was not met");
        for outcome in &outcomes[..6] {
            assert!(all_new(outcome.as_ref().unwrap()), "{fault:?}: {outcomes:?}");
        }
        assert_eq!(outcomes[6].as_ref().unwrap(), &PutOutcome::Conflict { cell: 0 }, "{fault:?}");
        let log = store.log().await;
        for (group, outcome) in groups[..5].iter().zip(&outcomes[1..]) {
            let rows: Vec<_> = log.iter().filter(|row| row.triple == group.cells[0].triple).collect();
            let [row] = rows.as_slice() else { panic!("{fault:?}: {} times", rows.len()) };
            let Ok(PutOutcome::Stored(places)) = outcome else { unreachable!() };
            assert_eq!(
                (row.added_id, row.created_at, row.token),
                (places[0].added_id, places[0].created_at, group.token)
            );
        }
    }
}

pub async fn one_request_a_store_does_not_take_fails_alone(store: Store) {
    let relay = Relay::start(store.server()).await;
    let proxy = sharing(&store, relay.port, Timeouts { lock: SHORT.lock * 3, ..SHORT });
    // The store knows nothing of its table.
    let mut bad = store.group(PutMode::Explicit, &[("bad", 1, "1")]);
    bad.cells[0].table = cellgate_schemaless::TableRef::new("other", cellgate_schemaless::TableId(99), 1);
    let mut long = store.group(PutMode::Explicit, &[("long", 1, "1")]);
    let body = format!("\"{}\"", "x".repeat(limits::BODY_BYTES));
    long.cells[0].body = cellgate_schemaless::Body::from_store(body.into_bytes());
    let good = |row: &str| store.group(PutMode::Explicit, &[(row, 1, "2")]);
    let outcomes = together(&store, &proxy, &[good("a"), bad, good("b"), long, good("c")]).await;
    for at in [0, 2, 4] {
        assert!(all_new(outcomes[at].as_ref().unwrap()), "{outcomes:?}");
    }
    assert!(matches!(outcomes[1], Err(StoreError::NoTable { .. })), "{outcomes:?}");
    assert!(matches!(outcomes[3], Err(StoreError::TooLarge { .. })), "{outcomes:?}");
}

pub async fn of_equal_names_in_two_lanes_one_is_stored(store: Store) {
    const NAMES: i64 = 20;
    let relay = Relay::start(store.server()).await;
    let metrics = Metrics::new("test", &["c"]).unwrap().cluster_named("c").unwrap();
    // However short a ping is, the store is far away; and a name is in several batches.
    let options = CoalesceOptions { far: Duration::ZERO, batch_writes: 4, ..CoalesceOptions::default() };
    let timeouts = Timeouts::default();
    let proxy = Coalescing::new(store.proxy(Some(relay.port), timeouts), options, 8, timeouts, &metrics);
    let proxy: Arc<dyn Backend> = Arc::new(proxy);
    proxy.ping().await.unwrap();
    let groups: Vec<PutGroup> = (0..NAMES * 10)
        .map(|n| store.group(PutMode::Explicit, &[("row", n % NAMES, &format!("{{\"body\": {}}}", n / NAMES % 3))]))
        .collect();
    let outcomes = join_all(groups.iter().map(|group| put(&proxy, group.clone()))).await;
    assert!(relay.made() >= 2, "both lanes were used");
    let log = store.log().await;
    assert_eq!(log.len() as i64, NAMES);
    for cell in log {
        let of_name = groups.iter().zip(&outcomes).filter(|(group, _)| group.cells[0].triple == cell.triple);
        let mut new = 0;
        for (group, outcome) in of_name {
            match outcome.as_ref().unwrap() {
                PutOutcome::Stored(places) => {
                    assert_eq!(Some(&group.cells[0].body), cell.body.as_ref());
                    assert_eq!((places[0].added_id, places[0].new), (cell.added_id, group.token == cell.token));
                    new += usize::from(places[0].new);
                }
                conflict => {
                    assert_eq!(*conflict, PutOutcome::Conflict { cell: 0 });
                    assert_ne!(Some(&group.cells[0].body), cell.body.as_ref());
                }
            }
        }
        assert_eq!(new, 1, "{:?}", cell.triple);
    }
}

pub async fn of_a_shared_write_in_several_transactions_each_is_told_its_own_fate(store: Store) {
    let relay = Relay::start(store.server()).await;
    let proxy = store.proxy(Some(relay.port), SHORT);
    // Two of them are more than one transaction takes.
    let long = |row: &str, version, what: &str| {
        let body = format!("{{\"why\": \"{what}\", \"long\": \"{}\"}}", "x".repeat(600 * 1024));
        store.group(PutMode::Explicit, &[(row, version, &body)])
    };
    // The second transaction is lost, and the server with it.
    let groups = [long("c", 1, "-"), long("b", 1, MARKER), long("a", 1, "-")];
    proxy.ping().await.unwrap();
    relay.fail_next(Fault::Freeze);
    let put = tokio::spawn({
        let (proxy, groups) = (Arc::clone(&proxy), groups.clone());
        async move { proxy.put(EPOCH, &groups).await }
    });
    until("the fault", || relay.met()).await;
    relay.down();
    let outcomes = put.await.unwrap().unwrap();
    assert!(matches!(outcomes[0], PutOutcome::Failed(StoreError::Unavailable { .. })), "not sent: {outcomes:?}");
    assert!(matches!(outcomes[1], PutOutcome::Failed(StoreError::MaybeWritten { .. })), "{outcomes:?}");
    assert!(all_new(&outcomes[2]), "{outcomes:?}");
    relay.up();
    // What is too long for the server fails alone, wherever it is.
    if store.database.dsn.kind == ServerKind::Mysql {
        let mut longer = store.group(PutMode::Explicit, &[("b", 2, "1")]);
        let body = format!("\"{}\"", "x".repeat(limits::BODY_BYTES + 64 * 1024));
        longer.cells[0].body = cellgate_schemaless::Body::from_store(body.into_bytes());
        let outcomes = proxy.put(EPOCH, &[long("a", 2, "-"), longer, long("c", 2, "-")]).await.unwrap();
        assert!(all_new(&outcomes[0]) && all_new(&outcomes[2]), "{outcomes:?}");
        assert!(matches!(outcomes[1], PutOutcome::Failed(StoreError::TooLarge { .. })), "{outcomes:?}");
    }
}
