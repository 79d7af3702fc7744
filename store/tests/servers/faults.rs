//! Connections that are lost in the middle of a write, and servers that go away.

use std::time::{Duration, Instant};

use cellgate_store::{PutMode, PutOutcome, Reason, StoreError};

use crate::relay::{Fault, MARKER, Relay};
use crate::support::{ENGINES, EPOCH, SHORT, Store, token, triple};

fn marked(n: i64) -> String {
    format!("{{\"n\": {n}, \"why\": \"{MARKER}\"}}")
}

fn all_new(outcome: &PutOutcome) -> bool {
    match outcome {
        PutOutcome::Stored(places) => places.iter().all(|place| place.new),
        PutOutcome::Conflict { .. } | PutOutcome::Undecided { .. } => false,
    }
}

/// Puts marked cells through the fault and expects them in the log exactly once.
async fn put_through(name: &str, mode: PutMode, cells: i64) {
    for engine in ENGINES {
        let Some(store) = Store::new(engine, name).await else { return };
        let relay = Relay::start((store.dsn.host.clone(), store.dsn.port)).await;
        let proxy = store.proxy(Some(relay.port), SHORT);
        for (i, fault) in [Fault::CutBefore, Fault::CutAfter, Fault::Freeze].into_iter().enumerate() {
            let rows: Vec<(String, String)> = (0..cells).map(|c| (format!("row{c}"), marked(c))).collect();
            let version = i as i64 + 1;
            let named: Vec<(&str, i64, &str)> = rows.iter().map(|(r, b)| (r.as_str(), version, b.as_str())).collect();
            let group = store.group(token(), mode, &named);
            // A session is open, so that the fault meets a statement and not a login.
            proxy.ping().await.unwrap();
            relay.fail_next(fault);
            let outcomes = proxy.put(EPOCH, std::slice::from_ref(&group)).await.unwrap();
            assert!(relay.met(), "{engine:?} {fault:?}: the fault was not met");
            assert!(all_new(&outcomes[0]), "{engine:?} {fault:?}: {outcomes:?}");
            let log = store.log().await;
            let there = log.iter().filter(|cell| cell.triple.ref_key.0 == version).count();
            assert_eq!(there as i64, cells, "{engine:?} {fault:?}: each cell exactly once");
            let PutOutcome::Stored(places) = &outcomes[0] else { unreachable!() };
            for (cell, place) in group.cells.iter().zip(places) {
                let row = log.iter().find(|row| row.triple == cell.triple).unwrap();
                assert_eq!((row.added_id, row.created_at), (place.added_id, place.created_at), "{engine:?} {fault:?}");
            }
        }
        store.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_whose_answer_is_lost_is_applied_once() {
    put_through("lost_put", PutMode::Explicit, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_whose_answer_is_lost_is_applied_once() {
    put_through("lost_append", PutMode::Append, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_whose_answer_is_lost_is_applied_once() {
    put_through("lost_group", PutMode::Append, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_cannot_be_settled_says_so() {
    for engine in ENGINES {
        let Some(store) = Store::new(engine, "unsettled").await else { return };
        let relay = Relay::start((store.dsn.host.clone(), store.dsn.port)).await;
        let proxy = store.proxy(Some(relay.port), SHORT);
        proxy.ping().await.unwrap();
        relay.fail_next(Fault::Freeze);
        let group = store.group(token(), PutMode::Explicit, &[("row", 1, &marked(1))]);
        let put = tokio::spawn({
            let (proxy, group) = (proxy.clone(), group.clone());
            async move { proxy.put(EPOCH, &[group]).await }
        });
        while !relay.met() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        relay.down();
        let error = put.await.unwrap().unwrap_err();
        assert!(matches!(error, StoreError::MaybeWritten { .. }), "{engine:?}: {error:?}");
        relay.up();
        let again = proxy.put(EPOCH, &[group]).await.unwrap();
        assert!(all_new(&again[0]), "{engine:?}: the same write again settles it: {again:?}");
        assert_eq!(store.log().await.len(), 1, "{engine:?}");
        store.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_down_is_said_so_at_once_and_used_again_when_it_is_back() {
    for engine in ENGINES {
        let Some(store) = Store::new(engine, "down").await else { return };
        let relay = Relay::start((store.dsn.host.clone(), store.dsn.port)).await;
        relay.down();
        let proxy = store.proxy(Some(relay.port), SHORT);
        let group = store.group(token(), PutMode::Explicit, &[("row", 1, "1")]);
        let began = Instant::now();
        let error = proxy.put(EPOCH, std::slice::from_ref(&group)).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { reason: Reason::Connect, .. }), "{engine:?}: {error:?}");
        assert!(proxy.get(&store.table, &[triple("row", 1)]).await.is_err());
        assert!(began.elapsed() < SHORT.connect * 2, "{engine:?}: it took {:?}", began.elapsed());
        relay.up();
        assert!(all_new(&proxy.put(EPOCH, std::slice::from_ref(&group)).await.unwrap()[0]));
        // All sessions are lost while idle: a read and a write find out and go on.
        relay.down();
        relay.up();
        assert!(proxy.get(&store.table, &[triple("row", 1)]).await.unwrap()[0].is_some(), "{engine:?}");
        relay.down();
        relay.up();
        let next = store.group(token(), PutMode::Append, &[("row", 2, "2")]);
        assert!(all_new(&proxy.put(EPOCH, &[next]).await.unwrap()[0]), "{engine:?}");
        assert_eq!(store.log().await.len(), 2, "{engine:?}");
        store.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_stopped_in_the_middle_of_a_batch_holds_others_up_for_a_lock_wait_at_most() {
    for engine in ENGINES {
        let Some(store) = Store::new(engine, "stopped").await else { return };
        let relay = Relay::start((store.dsn.host.clone(), store.dsn.port)).await;
        let (stopped, other) = (store.proxy(Some(relay.port), SHORT), store.proxy(None, SHORT));
        let first = store.group(token(), PutMode::Explicit, &[("taken", 1, "1")]);
        other.put(EPOCH, &[first]).await.unwrap();
        stopped.ping().await.unwrap();
        // Met by an existing cell, the server stops in the middle and waits for a ROLLBACK that does not come.
        relay.fail_next(Fault::Freeze);
        let group = store.group(token(), PutMode::Explicit, &[("free", 1, &marked(1)), ("taken", 1, "2")]);
        let stuck = tokio::spawn(async move { stopped.put(EPOCH, &[group]).await });
        while !relay.met() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let began = Instant::now();
        let next = store.group(token(), PutMode::Explicit, &[("other", 1, "3")]);
        assert!(all_new(&other.put(EPOCH, &[next]).await.unwrap()[0]), "{engine:?}");
        assert!(began.elapsed() < SHORT.lock * 4, "{engine:?}: it took {:?}", began.elapsed());
        let outcome = stuck.await.unwrap().unwrap();
        assert_eq!(outcome, [PutOutcome::Conflict { cell: 1 }], "{engine:?}");
        assert_eq!(store.log().await.len(), 2, "{engine:?}: nothing of the group");
        store.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_neither_stops_a_write_nor_spoils_a_session() {
    for engine in ENGINES {
        let Some(store) = Store::new(engine, "gone").await else { return };
        let mut expected = 0;
        for n in 0..60 {
            let body = format!("{{\"n\": {n}}}");
            let group = store.group(token(), PutMode::Explicit, &[("row", n, &body)]);
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
            loop {
                if let Some(cell) = store.backend.get(&store.table, &key).await.unwrap().remove(0) {
                    assert_eq!(cell.triple, key[0], "{engine:?}");
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        assert_eq!(store.log().await.len(), expected, "{engine:?}");
        store.finish().await;
    }
}
