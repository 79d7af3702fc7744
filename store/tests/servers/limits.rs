//! Large cells, slow statements, few connections.

use std::time::{Duration, Instant};

use cellgate_schemaless::limits::BODY_BYTES;
use cellgate_schemaless::{ColumnFilter, Direction, LatestKey, RefKey, RefRange, RowScan, RowSet, Triple};
use cellgate_store::engine::dsn::{Password, ServerKind};
use cellgate_store::{PutMode, PutOutcome, Reason, StoreError, Timeouts};

use crate::fixture::{EPOCH, Holder, PATIENT, SHORT, Store, all_new, triple};
use crate::relay::Relay;
use crate::wait::for_some;

fn text_of(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes - 2))
}

pub async fn the_largest_body_is_stored_and_read(store: Store) {
    // Quotes are doubled in a text, which then is longer than the server's packets.
    let quotes = text_of(BODY_BYTES).replace('x', "'");
    for (row, body) in [("large", text_of(BODY_BYTES)), ("quotes", quotes.clone())] {
        let group = store.group(PutMode::Explicit, &[(row, 1, &body)]);
        assert!(all_new(&store.backend.put(EPOCH, std::slice::from_ref(&group)).await.unwrap()[0]), "{row}");
        let cell = store.backend.get(&store.table, &[triple(row, 1)]).await.unwrap().remove(0).unwrap();
        assert_eq!(cell.body, Some(group.cells[0].body.clone()), "{row}");
        // Found, it is the same.
        let outcome = store.backend.put(EPOCH, &[group]).await.unwrap().remove(0);
        assert!(matches!(outcome, PutOutcome::Stored(_)), "{row}: {outcome:?}");
    }
    if store.database.dsn.kind == ServerKind::Mysql {
        // Cells that are to be there together, or not at all, are a text.
        let group = store.group(PutMode::Explicit, &[("quotes", 2, &quotes), ("quotes", 3, "1")]);
        let error = store.backend.put(EPOCH, &[group]).await.unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { bytes, max } if bytes > max), "{error:?}");
    }
}

pub async fn a_group_of_many_megabytes_is_one_transaction(store: Store) {
    let body = text_of(700 * 1024);
    let rows: Vec<String> = (0..24).map(|n| format!("row{n:02}")).collect();
    let mut cells: Vec<(&str, i64, &str)> = rows.iter().map(|row| (row.as_str(), 1, body.as_str())).collect();
    let group = store.group(PutMode::Explicit, &cells);
    let outcome = store.backend.put(EPOCH, &[group]).await.unwrap().remove(0);
    let PutOutcome::Stored(places) = &outcome else { panic!("{outcome:?}") };
    assert!(places.iter().all(|place| place.created_at == places[0].created_at), "one transaction has one time");
    // One that meets an existing cell at its end leaves nothing of its beginning.
    for cell in &mut cells {
        cell.1 = 2;
    }
    cells.push(("row23", 1, "\"another\""));
    let group = store.group(PutMode::Explicit, &cells);
    let outcome = store.backend.put(EPOCH, &[group]).await.unwrap().remove(0);
    assert_eq!(outcome, PutOutcome::Conflict { cell: 24 });
    assert_eq!(store.log().await.len(), 24);
}

pub async fn more_names_than_a_statement_takes_are_found(store: Store) {
    let there = [0, 8191, 8192, 19_999];
    for version in there {
        let group = store.group(PutMode::Explicit, &[("many", version, &version.to_string())]);
        assert!(all_new(&store.backend.put(EPOCH, &[group]).await.unwrap()[0]));
    }
    let names: Vec<Triple> = (0..20_000).map(|version| triple("many", version)).collect();
    let found = store.backend.get(&store.table, &names).await.unwrap();
    let places: Vec<i64> = (0..).zip(&found).filter(|(_, cell)| cell.is_some()).map(|(place, _)| place).collect();
    assert_eq!(places, there);
    let chain = |n: usize| {
        let Triple { row, column, .. } = triple(if n == 15_000 { "many" } else { "none" }, 0);
        LatestKey { row, column, at_most: Some(RefKey(n as i64)) }
    };
    let chains: Vec<LatestKey> = (0..20_000).map(chain).collect();
    let found = store.backend.latest(&store.table, &chains).await.unwrap();
    let versions: Vec<(usize, i64)> =
        found.iter().enumerate().filter_map(|(n, cell)| Some((n, cell.as_ref()?.triple.ref_key.0))).collect();
    assert_eq!(versions, [(15_000, 8192)]);
    // The session is in no transaction any more.
    let group = store.group(PutMode::Explicit, &[("many", 5, "5")]);
    assert!(all_new(&store.backend.put(EPOCH, &[group]).await.unwrap()[0]));
    assert!(store.backend.get(&store.table, &[triple("many", 5)]).await.unwrap()[0].is_some());
}

pub async fn pages_of_large_cells_ask_for_no_more_than_they_take(store: Store) {
    let cells = 40;
    for version in 0..cells {
        let group = store.group(PutMode::Explicit, &[("large", version, &text_of(1024 * 1024))]);
        assert!(all_new(&store.backend.put(EPOCH, &[group]).await.unwrap()[0]));
    }
    let relay = Relay::start(store.server()).await;
    let proxy = store.proxy(Some(relay.port), SHORT);
    let mut scan = RowScan {
        set: RowSet::Rows(vec![triple("large", 0).row], ColumnFilter::All),
        refs: RefRange { min: None, max: None },
        direction: Direction::Ascending,
        after: None,
        up_to: None,
        limit: None,
    };
    let (mut found, mut pages) = (0, 0);
    loop {
        let page = proxy.rows(&store.table, &scan).await.unwrap();
        (found, pages) = (found + page.cells.len(), pages + 1);
        scan.after = page.cells.last().map(|cell| cell.triple.clone());
        if !page.more {
            break;
        }
    }
    assert_eq!(found, usize::try_from(cells).unwrap());
    assert!(pages >= 10, "{pages}");
    // The first page asks for more than it takes, and its connection is lost.
    assert!(relay.made() <= 3, "{} connections for {pages} pages", relay.made());
}

pub async fn a_statement_that_takes_too_long_is_a_timeout(store: Store) {
    let timeouts = Timeouts { statement: Duration::from_secs(20), ..SHORT };
    let quick = store.proxy(None, timeouts);
    quick.ping().await.unwrap();
    // Somebody works on the whole table for longer than a lock is waited for.
    let holder = Holder::run(&store, store.lock_table()).await;
    let began = Instant::now();
    let error = quick.get(&store.table, &[triple("row", 1)]).await.unwrap_err();
    assert!(matches!(error, StoreError::Timeout { .. }), "{error:?}");
    assert!(began.elapsed() < timeouts.statement / 2, "{:?}", began.elapsed());
    holder.release().await;
    assert_eq!(quick.get(&store.table, &[triple("row", 1)]).await.unwrap(), [None]);
}

pub async fn reads_that_are_given_up_leave_no_more_sessions_than_connections(store: Store) {
    let mut options = store.database.options();
    (options.pool_size, options.timeouts) = (2, PATIENT);
    let narrow = store.database.engine.connect(&options);
    let holder = Holder::run(&store, store.lock_table()).await;
    let before = store.sessions().await;
    // Somebody who looks after the others, and one that is just about to be gone from the server's list.
    let most = before + options.pool_size + 2;
    let key = [triple("row", 1)];
    for _ in 0..16 {
        let read = narrow.get(&store.table, &key);
        tokio::time::timeout(Duration::from_millis(150), read).await.expect_err("the table is locked");
        let sessions = store.sessions().await;
        assert!(sessions <= most, "{sessions} sessions, {before} of them others'");
        assert!(narrow.pool().unwrap().size <= options.pool_size);
    }
    for_some("the end of what was given up", async || (narrow.pool().unwrap().size == 0).then_some(())).await;
    holder.release().await;
    assert_eq!(narrow.get(&store.table, &key).await.unwrap(), [None]);
}

pub async fn more_callers_than_connections_wait_for_their_turn(store: Store) {
    let mut options = store.database.options();
    options.pool_size = 2;
    let narrow = store.database.engine.connect(&options);
    let callers: Vec<_> = (0..40)
        .map(|n| {
            let (narrow, group) = (narrow.clone(), store.group(PutMode::Explicit, &[("row", n, "1")]));
            tokio::spawn(async move { narrow.put(EPOCH, &[group]).await.unwrap() })
        })
        .collect();
    for caller in callers {
        assert!(all_new(&caller.await.unwrap()[0]));
    }
    options.timeouts.queue = Duration::from_millis(50);
    options.pool_size = 1;
    let narrow = store.database.engine.connect(&options);
    narrow.ping().await.unwrap();
    // The one connection waits for somebody else's lock.
    let holder = Holder::run(&store, "UPDATE cg_head SET at = at").await;
    let waits = store.group(PutMode::Explicit, &[("waits", 1, "1")]);
    let busy = tokio::spawn({
        let narrow = narrow.clone();
        async move { narrow.put(EPOCH, &[waits]).await }
    });
    let refused = for_some("the refusal", async || narrow.shards().await.err()).await;
    assert!(matches!(refused, StoreError::Timeout { reason: Reason::Queue, .. }), "{refused:?}");
    // The server answers all the same.
    narrow.ping().await.unwrap();
    holder.release().await;
    assert!(all_new(&busy.await.unwrap().unwrap()[0]));
    narrow.ping().await.unwrap();
}

pub async fn a_wrong_password_is_refused_and_not_shown(store: Store) {
    let mut options = store.database.options();
    options.dsn.user = "nobody_of_this_name".to_owned();
    options.dsn.password = Some(Password::new("hunter2-secret"));
    let stranger = store.database.engine.connect(&options);
    let error = stranger.ping().await.unwrap_err();
    assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
    assert!(!format!("{error:?} {error} {stranger:?} {options:?}").contains("hunter2"));
}
