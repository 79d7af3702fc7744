//! Connections that are lost in the middle of a write, and servers that go away.

use super::wait::{for_some, passes, until};
use std::time::{Duration, Instant};

use cellgate_schemaless::{TableId, TableRef};
use cellgate_store::engine::dsn::ServerKind;
use cellgate_store::{Identity, PutMode, PutOutcome, Reason, StoreError, Timeouts};

use crate::databases::{Engine, has_mysql};
use crate::fixture::{EPOCH, Holder, PATIENT, SHORT, Store, all_new, identity, triple};
use crate::relay::{Fault, MARKER, Relay};

fn marked(n: i64) -> String {
    format!("{{\"n\": {n}, \"why\": \"{MARKER}\"}}")
}

/// Puts marked cells through every fault and expects them in the log exactly once.
async fn put_through(store: Store, mode: PutMode, cells: i64) {
    let relay = Relay::start(store.server()).await;
    let proxy = store.proxy(Some(relay.port), SHORT);
    for (i, fault) in [Fault::CutBefore, Fault::CutAfter, Fault::Freeze].into_iter().enumerate() {
        let rows: Vec<(String, String)> = (0..cells).map(|c| (format!("row{c}"), marked(c))).collect();
        let version = i as i64 + 1;
        let named: Vec<(&str, i64, &str)> = rows.iter().map(|(r, b)| (r.as_str(), version, b.as_str())).collect();
        let group = store.group(mode, &named);
        // A session is open, so that the fault meets a statement and not a login.
        proxy.ping().await.unwrap();
        relay.fail_next(fault);
        let outcomes = proxy.put(EPOCH, std::slice::from_ref(&group)).await.unwrap();
        assert!(relay.met(), "{fault:?}: the fault was not met");
        assert!(all_new(&outcomes[0]), "{fault:?}: {outcomes:?}");
        let log = store.log().await;
        let there = log.iter().filter(|cell| cell.triple.ref_key.0 == version).count();
        assert_eq!(there as i64, cells, "{fault:?}: each cell exactly once");
        let PutOutcome::Stored(places) = &outcomes[0] else { unreachable!() };
        for (cell, place) in group.cells.iter().zip(places) {
            let row = log.iter().find(|row| row.triple == cell.triple).unwrap();
            assert_eq!((row.added_id, row.created_at), (place.added_id, place.created_at), "{fault:?}");
        }
    }
}

pub async fn a_put_whose_answer_is_lost_is_applied_once(store: Store) {
    put_through(store, PutMode::Explicit, 1).await;
}

pub async fn an_append_whose_answer_is_lost_is_applied_once(store: Store) {
    put_through(store, PutMode::Append, 1).await;
}

pub async fn a_group_whose_answer_is_lost_is_applied_once(store: Store) {
    put_through(store, PutMode::Append, 3).await;
}

/// Bytes between two places at which a connection is cut: less than any message takes, so that each is cut once at least.
const STEP: usize = 8;

/// Whatever of a write, and of its answers, gets through: every statement of its transaction and the COMMIT among them.
pub async fn a_write_that_is_cut_off_anywhere_is_applied_once(store: Store) {
    let relay = Relay::start(store.server()).await;
    let mut expected = Vec::new();
    for (mode, cells) in [(PutMode::Explicit, 1), (PutMode::Append, 2)] {
        for fault in [Fault::CutAsked as fn(usize) -> Fault, Fault::CutAnswered] {
            let (proxy, before) = (store.proxy(Some(relay.port), SHORT), relay.cut());
            loop {
                let version = expected.len() as i64 + 1;
                let (fault, cuts) = (fault((relay.cut() - before) * STEP), relay.cut());
                let rows: Vec<(String, String)> = (0..cells).map(|c| (format!("row{c}"), marked(c))).collect();
                let named: Vec<(&str, i64, &str)> =
                    rows.iter().map(|(r, b)| (r.as_str(), version, b.as_str())).collect();
                let group = store.group(mode, &named);
                proxy.ping().await.unwrap();
                relay.fail_next(fault);
                let outcomes = proxy.put(EPOCH, std::slice::from_ref(&group)).await.unwrap();
                assert!(relay.met(), "{fault:?}");
                assert!(all_new(&outcomes[0]), "{fault:?}: {outcomes:?}");
                let PutOutcome::Stored(places) = &outcomes[0] else { unreachable!() };
                let of_cell = group.cells.iter().zip(places).map(|(cell, place)| (cell.triple.clone(), place.added_id));
                expected.push(of_cell.collect::<Vec<_>>());
                if relay.cut() == cuts {
                    break;
                }
            }
            // A statement is longer than that, and so are the answers to a transaction.
            assert!(relay.cut() - before > 10, "{mode:?}: {}", relay.cut() - before);
        }
    }
    let mut log: Vec<_> = store.log().await.into_iter().map(|cell| (cell.triple, cell.added_id)).collect();
    let mut expected = expected.concat();
    log.sort();
    expected.sort();
    assert_eq!(log, expected, "what was told is there, once, and nothing else");
}

pub async fn a_group_whose_answer_is_lost_is_stored_though_one_of_its_tables_is_gone_since(store: Store) {
    let gone = TableRef::new("gone", TableId(8), 1);
    store.backend.create_table(&gone).await.unwrap();
    let relay = Relay::start(store.server()).await;
    let proxy = store.proxy(Some(relay.port), SHORT);
    proxy.ping().await.unwrap();
    let mut group = store.group(PutMode::Append, &[("row", 1, &marked(1)), ("row", 2, &marked(2))]);
    group.cells[1].table = gone.clone();
    relay.fail_next(Fault::Freeze);
    let put = tokio::spawn(async move { proxy.put(EPOCH, &[group]).await });
    for_some("the write", || async { store.log().await.pop() }).await;
    store.backend.drop_table(&gone).await.unwrap();
    let outcomes = put.await.unwrap().unwrap();
    assert!(relay.met() && all_new(&outcomes[0]), "{outcomes:?}");
    assert_eq!(store.log().await.len(), 1, "the cell of the other table is there once");
}

pub async fn a_write_that_cannot_be_settled_says_so(store: Store) {
    let relay = Relay::start(store.server()).await;
    let proxy = store.proxy(Some(relay.port), SHORT);
    proxy.ping().await.unwrap();
    relay.fail_next(Fault::Freeze);
    let group = store.group(PutMode::Explicit, &[("row", 1, &marked(1))]);
    let put = tokio::spawn({
        let (proxy, group) = (proxy.clone(), group.clone());
        async move { proxy.put(EPOCH, &[group]).await }
    });
    until("the fault", || relay.met()).await;
    relay.down();
    let error = put.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::MaybeWritten { .. }), "{error:?}");
    relay.up();
    let again = proxy.put(EPOCH, &[group]).await.unwrap();
    assert!(all_new(&again[0]), "the same write again settles it: {again:?}");
    assert_eq!(store.log().await.len(), 1);
}

pub async fn a_server_that_is_down_is_said_so_at_once_and_used_again_when_it_is_back(store: Store) {
    let relay = Relay::start(store.server()).await;
    relay.down();
    let proxy = store.proxy(Some(relay.port), SHORT);
    let group = store.group(PutMode::Explicit, &[("row", 1, "1")]);
    let began = Instant::now();
    let error = proxy.put(EPOCH, std::slice::from_ref(&group)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { reason: Reason::Connect, .. }), "{error:?}");
    assert!(proxy.get(&store.table, &[triple("row", 1)]).await.is_err());
    assert!(began.elapsed() < SHORT.connect * 5, "it took {:?}", began.elapsed());
    relay.up();
    assert!(all_new(&proxy.put(EPOCH, std::slice::from_ref(&group)).await.unwrap()[0]));
    // All sessions are lost while idle: a read and a write find out and go on.
    let cut_all = || {
        relay.down();
        relay.up();
        relay.made()
    };
    let made = cut_all();
    assert!(proxy.get(&store.table, &[triple("row", 1)]).await.unwrap()[0].is_some());
    assert!(relay.made() > made, "the read had another connection");
    let made = cut_all();
    let next = store.group(PutMode::Append, &[("row", 2, "2")]);
    assert!(all_new(&proxy.put(EPOCH, &[next]).await.unwrap()[0]));
    assert!(relay.made() > made, "the write had another connection");
    assert_eq!(store.log().await.len(), 2);
}

pub async fn a_proxy_stopped_in_the_middle_of_a_batch_holds_others_up_for_a_lock_wait_at_most(store: Store) {
    let relay = Relay::start(store.server()).await;
    let (stopped, other) = (store.proxy(Some(relay.port), SHORT), store.proxy(None, SHORT));
    let first = store.group(PutMode::Explicit, &[("taken", 1, "1")]);
    other.put(EPOCH, &[first]).await.unwrap();
    stopped.ping().await.unwrap();
    // Met by an existing cell, the server stops in the middle and waits for a ROLLBACK that does not come.
    relay.fail_next(Fault::Freeze);
    let group = store.group(PutMode::Explicit, &[("free", 1, &marked(1)), ("taken", 1, "2")]);
    let stuck = tokio::spawn(async move { stopped.put(EPOCH, &[group]).await });
    until("the fault", || relay.met()).await;
    let began = Instant::now();
    let next = store.group(PutMode::Explicit, &[("other", 1, "3")]);
    // A MySQL ends sessions that are idle for 30 s, in a transaction or not, and knows no other limit.
    let mysql = store.database.engine == Engine::Mysql && has_mysql();
    let bound = if mysql { Duration::from_secs(40) } else { SHORT.lock * 10 };
    let outcomes = loop {
        match other.put(EPOCH, std::slice::from_ref(&next)).await {
            Err(StoreError::Timeout { reason: Reason::Lock, .. }) if mysql && began.elapsed() < bound => {}
            outcomes => break outcomes.unwrap(),
        }
    };
    assert!(all_new(&outcomes[0]));
    assert!(began.elapsed() < bound, "it took {:?}", began.elapsed());
    let outcome = stuck.await.unwrap().unwrap();
    assert_eq!(outcome, [PutOutcome::Conflict { cell: 1 }]);
    assert_eq!(store.log().await.len(), 2, "nothing of the group");
}

pub async fn a_caller_that_goes_away_neither_stops_a_write_nor_spoils_a_session(store: Store) {
    let mut expected = 0;
    for n in 0..60 {
        let body = format!("{{\"n\": {n}}}");
        let group = store.group(PutMode::Explicit, &[("row", n, &body)]);
        let mut put = store.backend.put(EPOCH, std::slice::from_ref(&group));
        // Polled once: it has begun.
        if futures_util::poll!(&mut put).is_pending() {
            drop(put);
        }
        expected += 1;
        let (key, table) = ([triple("row", n)], store.table.clone());
        let mut read = store.backend.get(&table, &key);
        for _ in 0..n % 7 {
            if futures_util::poll!(&mut read).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    // Whatever was left half done, an answer is the answer to its own question.
    for n in 0..60 {
        let key = [triple("row", n)];
        let get = || async { store.backend.get(&store.table, &key).await.unwrap().remove(0) };
        assert_eq!(for_some("the write", get).await.triple, key[0]);
    }
    assert_eq!(store.log().await.len(), expected);
}

pub async fn a_lock_that_is_never_let_go_of_is_a_timeout_and_nothing_is_written(store: Store) {
    let proxy = store.proxy(None, SHORT);
    // Its session has had ids before: those behind them are nobody's.
    assert!(all_new(&proxy.put(EPOCH, &[store.group(PutMode::Explicit, &[("row", 0, "0")])]).await.unwrap()[0]));
    let holder = Holder::run(&store, "UPDATE cg_head SET next = next WHERE head = 0").await;
    let began = Instant::now();
    let groups = [1, 2].map(|n| store.group(PutMode::Explicit, &[("row", n, "1")]));
    let error = proxy.put(EPOCH, &groups).await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { reason: Reason::Lock, .. }), "{error:?}");
    assert!(began.elapsed() < SHORT.lock * 10, "it took {:?}", began.elapsed());
    holder.release().await;
    assert_eq!(store.log().await.len(), 1, "what was there before");
    let outcomes = proxy.put(EPOCH, &groups).await.unwrap();
    assert!(outcomes.iter().all(all_new), "and it goes on when the lock is free");
}

pub async fn a_connection_that_is_lost_without_a_word_is_not_waited_for(store: Store) {
    let relay = Relay::start(store.server()).await;
    let proxy = store.proxy(Some(relay.port), PATIENT);
    // What is asked does not arrive; its answer does not.
    for (version, fault) in [(1, Fault::Stall), (2, Fault::Freeze)] {
        let began = Instant::now();
        proxy.ping().await.unwrap();
        relay.fail_next(fault);
        let group = store.group(PutMode::Append, &[("row", version, &marked(version))]);
        assert!(all_new(&proxy.put(EPOCH, &[group]).await.unwrap()[0]));
        assert!(relay.met(), "{fault:?}");
        proxy.ping().await.unwrap();
        relay.fail_next(fault);
        assert_eq!(proxy.get(&store.table, &[triple(MARKER, version)]).await.unwrap(), [None]);
        assert!(relay.met(), "{fault:?}");
        assert!(began.elapsed() < PATIENT.statement / 2, "{fault:?}: it took {:?}", began.elapsed());
    }
    assert_eq!(store.log().await.len(), 2);
}

pub async fn a_server_that_takes_long_is_waited_for(store: Store) {
    let proxy = store.proxy(None, Timeouts { connect: SHORT.connect / 2, ..PATIENT });
    let (key, table) = ([triple("row", 1)], store.table.clone());
    assert_eq!(proxy.get(&table, &key).await.unwrap(), [None]);
    let holder = Holder::run(&store, store.lock_table()).await;
    let read = tokio::spawn(async move { proxy.get(&table, &key).await });
    // A read that is taken for lost is tried once more, and then fails.
    passes("several looks at what it does", Duration::from_secs(3)).await;
    assert!(!read.is_finished());
    holder.release().await;
    assert_eq!(read.await.unwrap().unwrap(), [None]);
}

pub async fn of_a_database_that_is_gone_no_more_than_names_are_told(store: Store) {
    let proxy = store.proxy(None, SHORT);
    let name = triple("row", 1);
    let read = async || proxy.get(&store.table, std::slice::from_ref(&name)).await.unwrap_err();
    store.backend.drop_table(&store.table).await.unwrap();
    assert_eq!(read().await, StoreError::NoTable { table: store.table.physical().to_owned() });
    let (proxy, database) = (store.proxy(None, SHORT), &store.database.dsn.database);
    let force = if store.database.dsn.kind == ServerKind::Postgres { " WITH (FORCE)" } else { "" };
    store.database.admin(&format!("DROP DATABASE {database}{force}")).await;
    let error = proxy.get(&store.table, std::slice::from_ref(&name)).await.unwrap_err();
    assert_eq!(error, StoreError::NoTable { table: format!("{database}.*") });
}

pub async fn another_store_under_the_address_is_not_used(store: Store) {
    let (group, name) = (store.group(PutMode::Explicit, &[("row", 1, "1")]), triple("row", 1));
    // What answers there was restored from another deployment, or promoted, since this proxy checked it.
    let others = [Identity { deployment: "f".repeat(32), ..identity() }, Identity { incarnation: 2, ..identity() }];
    for other in others {
        let proxy = store.proxy(None, SHORT);
        proxy.expect_identity(&other);
        let error = proxy.put(EPOCH, std::slice::from_ref(&group)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { reason: Reason::Connect, .. }), "{error:?}");
        assert!(error.to_string().contains("the store at this address is cluster 5 of deployment 0123"), "{error}");
        proxy.get(&store.table, std::slice::from_ref(&name)).await.unwrap_err();
    }
    assert!(store.log().await.is_empty());
    let proxy = store.proxy(None, SHORT);
    proxy.expect_identity(&identity());
    assert!(all_new(&proxy.put(EPOCH, &[group]).await.unwrap()[0]));
}

pub async fn a_table_that_is_gone_behind_a_lost_connection_is_told_at_once(store: Store) {
    let relay = Relay::start(store.server()).await;
    // A look-up that is repeated until the time is over takes all of it.
    let timeouts = Timeouts { statement: Duration::from_secs(20), ..SHORT };
    let proxy = store.proxy(Some(relay.port), timeouts);
    let put = async |version| {
        let group = store.group(PutMode::Explicit, &[("row", version, &marked(version))]);
        proxy.put(EPOCH, &[group]).await
    };
    // Its statements are prepared.
    assert!(all_new(&put(1).await.unwrap()[0]));
    store.backend.drop_table(&store.table).await.unwrap();
    relay.fail_next(Fault::CutBefore);
    let began = Instant::now();
    let error = put(2).await.unwrap_err();
    assert!(relay.met());
    assert!(matches!(error, StoreError::NoTable { .. }), "{error:?}");
    assert!(began.elapsed() < timeouts.statement / 2, "{:?}", began.elapsed());
}
