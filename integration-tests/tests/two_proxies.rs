//! Two proxies of one deployment: what one of them erases or drops, the other does not go on with, however long it was
//! away and whatever it knew before.

use std::pin::pin;
use std::time::{Duration, Instant};

use cellgate_integration_tests::client::{self, Refusal, TRIPS, get, put, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::process::Signal;
use cellgate_integration_tests::servers::{MariaDb, Postgres};
use cellgate_integration_tests::{Proxy, http, wait};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts};

/// How long a proxy may answer from its cache without having asked whether something was erased (docs/ARCHITECTURE.md, C9).
const LEASE: Duration = Duration::from_secs(2);
/// What a statement is refused with that was planned for a table that is gone.
const TABLE_GONE: &[u16] = &[1146, 1412];

/// Two proxies over one MariaDB, which learn of each other's changes only when they must.
fn two(more: &str) -> (Proxy, Proxy) {
    let mut builder = Builder::new();
    let meta = builder.shared_mariadb_database();
    let text = format!("[meta]\npoll = \"1m\"\nmax_stale = \"2m\"\n{more}");
    let deployment = builder.text(&text).topology(SHARDS, Some(&meta)).shared_mariadb("m").build();
    (deployment.start(), deployment.start())
}

fn hits(proxy: &Proxy) -> f64 {
    proxy.metric("cellgate_cache_hits_total")
}

#[tokio::test]
async fn a_proxy_that_was_away_answers_no_cell_that_was_erased_meanwhile() {
    let (one, two) = two("");
    let (mut eraser, mut reader) = (client::connect(one.mysql()).await, client::connect(two.mysql()).await);
    run(&mut eraser, TRIPS).await;
    let (erased, kept) = (triple("erased", "BASE", 1), triple("kept", "BASE", 1));
    for cell in [&erased, &kept] {
        put(&mut eraser, cell, "\"private\"").await.unwrap();
    }
    // In the cache of the one that is to be away.
    wait::until_async("an answer from the cache", wait::PATIENCE, async || {
        let before = hits(&two);
        for cell in [&erased, &kept] {
            // The table may not be known here yet.
            get(&mut reader, cell).await.ok()??;
        }
        (hits(&two) >= before + 2.0).then_some(())
    })
    .await;
    two.signal(Signal::Stop);
    let began = Instant::now();
    run(&mut eraser, "DELETE FROM trips WHERE row_key = 'erased'").await;
    let took = began.elapsed();
    two.signal(Signal::Cont);
    assert_eq!(get(&mut reader, &erased).await.unwrap(), None, "erased while it was away");
    assert!(took >= LEASE - LEASE / 4, "the DELETE was answered after {took:?}, before the other's lease was over");
    assert_eq!(get(&mut reader, &kept).await.unwrap().as_deref(), Some("\"private\""));
    // And the name stays taken, through either.
    for conn in [&mut eraser, &mut reader] {
        let refusal = put(conn, &erased, "\"private\"").await.unwrap_err();
        assert_eq!(Refusal::of(&refusal).map(|refusal| refusal.code), Some(1062));
        assert_eq!(get(conn, &erased).await.unwrap(), None);
    }
}

/// What a statement that was planned for the old table came to.
async fn executed(conn: &mut Conn, statement: &mysql_async::Statement, values: (&str, &str)) -> Result<(), u16> {
    match conn.exec_drop(statement, values).await {
        Ok(()) => Ok(()),
        Err(error) => Err(Refusal::of(&error).unwrap_or_else(|| panic!("connection broke: {error}")).code),
    }
}

#[tokio::test]
async fn a_table_that_was_dropped_and_made_anew_takes_nothing_from_who_knew_the_old_one() {
    let (one, two) = two("");
    let (mut maker, mut other) = (client::connect(one.mysql()).await, client::connect(two.mysql()).await);
    run(&mut maker, TRIPS).await;
    put(&mut maker, &triple("old", "BASE", 1), "1").await.unwrap();
    // Answered through the other, prepared and as text, so that it has plans of the old table.
    let insert = other
        .prep("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (?, 'BASE', 1, ?)")
        .await
        .expect("the name makes it look again");
    let select = other.prep("SELECT body FROM trips WHERE row_key = ? AND column_key = 'BASE' AND ref_key = 1").await;
    let select = select.unwrap();
    for round in 0..3 {
        let (before, after) = (format!("before-{round}"), format!("after-{round}"));
        assert_eq!(executed(&mut other, &insert, (&before, "1")).await, Ok(()));
        let found: Option<String> = other.exec_first(&select, (&before,)).await.unwrap();
        assert_eq!(found.as_deref(), Some("1"));
        run(&mut maker, "DROP TABLE trips").await;
        run(&mut maker, TRIPS).await;
        let outcome = executed(&mut other, &insert, (&after, "2")).await;
        // Of the old table nothing is read, through either and by either protocol.
        for key in ["old", before.as_str()] {
            assert_eq!(get(&mut maker, &triple(key, "BASE", 1)).await.unwrap(), None);
            assert_eq!(get(&mut other, &triple(key, "BASE", 1)).await.unwrap(), None, "{key} is of the old table");
            let found: Option<String> = other.exec_first(&select, (key,)).await.unwrap();
            assert_eq!(found, None, "{key} is of the old table");
        }
        // Acknowledged is in the new table; refused is nowhere.
        let stored = get(&mut maker, &triple(&after, "BASE", 1)).await.unwrap();
        match outcome {
            Ok(()) => assert_eq!(stored.as_deref(), Some("2"), "acknowledged and lost"),
            Err(code) => {
                assert!(TABLE_GONE.contains(&code), "{code}");
                assert_eq!(stored, None, "refused and stored");
            }
        }
    }
    // That is how the other notices it, and no fault of the cluster.
    let not_found = "cellgate_cluster_errors_total{cluster=\"m\",kind=\"not_found\"}";
    assert_eq!(http::metrics(two.http()).unwrap()[not_found], 0.0);
}

#[tokio::test]
async fn no_cell_of_a_table_that_was_emptied_or_dropped_is_answered_from_the_cache_of_another_proxy() {
    let (one, two) = two("");
    let (mut maker, mut reader) = (client::connect(one.mysql()).await, client::connect(two.mysql()).await);
    run(&mut maker, TRIPS).await;
    for (round, statements) in [&["TRUNCATE TABLE trips"][..], &["DROP TABLE trips", TRIPS]].into_iter().enumerate() {
        let (cell, old, new) = (triple("key", "BASE", round as i64), "\"old\"", "\"new\"");
        put(&mut maker, &cell, old).await.unwrap();
        // In the cache of the one that hears of nothing before it must.
        wait::until_async("an answer from the cache", wait::PATIENCE, async || {
            let before = hits(&two);
            let found = get(&mut reader, &cell).await.ok()??;
            (found == old && hits(&two) > before).then_some(())
        })
        .await;
        for statement in statements {
            run(&mut maker, statement).await;
        }
        put(&mut maker, &cell, new).await.unwrap();
        assert_eq!(get(&mut reader, &cell).await.unwrap().as_deref(), Some(new), "{statements:?}");
    }
}

/// Two statements about a table: the second begins while the physical table that the first dropped is still there.
const OVERTAKING: [(&str, &[&str]); 3] = [
    ("DROP TABLE trips", &["DROP TABLE IF EXISTS trips", TRIPS]),
    ("DROP TABLE trips", &[TRIPS]),
    ("TRUNCATE TABLE trips", &["TRUNCATE TABLE trips"]),
];

/// Waits until so many DROPs wait for somebody else in this database of a store.
async fn drops(store: &mut Conn, count: usize) {
    let ask = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE 'DROP TABLE%'";
    wait::until_async("DROPs that wait", wait::PATIENCE, async || {
        let found: Option<usize> = store.query_first(ask).await.unwrap();
        found.filter(|found| *found == count)
    })
    .await;
}

#[tokio::test]
async fn nothing_is_lost_behind_a_statement_that_repeats_a_drop_or_truncate_under_way() {
    let mut builder = Builder::new();
    let (meta, store) = (builder.shared_mariadb_database(), builder.shared_mariadb_database());
    let builder =
        builder.text("[meta]\npoll = \"1m\"\nmax_stale = \"2m\"\n").topology(SHARDS, Some(&meta)).cluster("m", &store);
    let deployment = builder.build();
    let (one, two) = (deployment.start(), deployment.start());
    let (mut first, mut again) = (client::connect(one.mysql()).await, client::connect(one.mysql()).await);
    let mut other = client::connect(two.mysql()).await;
    let opts = || Opts::from_url(&store).unwrap();
    let (mut holder, mut observer) = (Conn::new(opts()).await.unwrap(), Conn::new(opts()).await.unwrap());
    run(&mut first, TRIPS).await;
    for (round, (statement, repeated)) in OVERTAKING.into_iter().enumerate() {
        put(&mut other, &triple("before", "BASE", round as i64), "1").await.unwrap();
        // Somebody reads the physical table, as a dump does.
        let physical: Vec<String> = observer.query("SHOW TABLES LIKE 'trips%'").await.unwrap();
        assert_eq!(physical.len(), 1, "{physical:?}");
        run(&mut holder, "BEGIN").await;
        run(&mut holder, &format!("SELECT COUNT(*) FROM {}", physical[0])).await;
        let after = triple("after", "BASE", round as i64);
        let behind = async {
            drops(&mut observer, 1).await;
            let mut repeating = pin!(async {
                for statement in repeated {
                    run(&mut again, statement).await;
                }
            });
            let early = tokio::select! {
                () = &mut repeating => true,
                () = drops(&mut observer, 2) => false,
            };
            if !early {
                run(&mut holder, "COMMIT").await;
                repeating.await;
            }
            let outcome = put(&mut other, &after, "2").await;
            run(&mut holder, "COMMIT").await;
            (early, outcome)
        };
        let ((), (early, outcome)) = tokio::join!(run(&mut first, statement), behind);
        let stored = get(&mut again, &after).await.unwrap();
        match outcome {
            Ok(_) => assert_eq!(stored.as_deref(), Some("2"), "{statement}, {repeated:?}: acknowledged and lost"),
            Err(error) => {
                let code = Refusal::of(&error).unwrap_or_else(|| panic!("connection broke: {error}")).code;
                assert!(TABLE_GONE.contains(&code), "{statement}, {repeated:?}: {error}");
                assert_eq!(stored, None, "refused and stored");
            }
        }
        assert!(!early, "{statement}, {repeated:?}: answered while the old table took writes");
        assert_eq!(get(&mut again, &triple("before", "BASE", round as i64)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_proxy_that_hears_nothing_of_the_meta_store_stops_serving_and_begins_again() {
    let mut server = cellgate_integration_tests::servers::MariaDb::private();
    server.execute("CREATE DATABASE meta");
    let mut builder = Builder::new().topology(SHARDS, Some(&server.url("meta"))).shared_mariadb("m");
    builder = builder.text("[meta]\npoll = \"200ms\"\nmax_stale = \"5s\"\n[timeouts]\nconnect = \"1s\"\n");
    let proxy = builder.build().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let cell = triple("key", "BASE", 1);
    put(&mut conn, &cell, "1").await.unwrap();
    assert_eq!(get(&mut conn, &cell).await.unwrap().as_deref(), Some("1"), "in the cache from here on");
    let prepared =
        conn.prep("SELECT body FROM trips WHERE row_key = ? AND column_key = ? AND ref_key = ?").await.unwrap();
    // What a transaction has is written by the catalog there is when it commits.
    let mut committing = client::connect(proxy.mysql()).await;
    let held = triple("held", "BASE", 1);
    run(&mut committing, "BEGIN").await;
    put(&mut committing, &held, "1").await.unwrap();

    server.kill();
    wait::until_async("reads to be refused", wait::PATIENCE, async || get(&mut conn, &cell).await.err()).await;
    let (row, column, version) = &cell;
    let refused: Vec<mysql_async::Error> = vec![
        get(&mut conn, &cell).await.unwrap_err(),
        put(&mut conn, &triple("other", "BASE", 1), "1").await.unwrap_err(),
        conn.exec_first::<String, _, _>(&prepared, (row, column, version)).await.unwrap_err(),
        conn.query_drop("SELECT COUNT(*) FROM trips").await.unwrap_err(),
        conn.query_drop("DELETE FROM trips WHERE row_key = 'key'").await.unwrap_err(),
        conn.query_drop("CREATE TABLE riders ENGINE=CELLS").await.unwrap_err(),
        committing.query_drop("COMMIT").await.unwrap_err(),
    ];
    for error in &refused {
        let refusal = Refusal::of(error).unwrap_or_else(|| panic!("connection broke: {error}"));
        assert!(refusal.code == 1429 && refusal.message.contains("meta store"), "{refusal:?}");
    }
    let ready = http::get(proxy.http(), "/readyz").unwrap();
    assert_eq!(ready.status, 503, "{}", ready.text);

    server.start();
    wait::until_async("service again", wait::PATIENCE, async || get(&mut conn, &cell).await.ok().flatten()).await;
    put(&mut conn, &triple("other", "BASE", 1), "1").await.unwrap();
    // The transaction is over: what its connection writes next is stored at once.
    put(&mut committing, &triple("next", "BASE", 1), "1").await.unwrap();
    assert_eq!(get(&mut conn, &triple("next", "BASE", 1)).await.unwrap().as_deref(), Some("1"));
    run(&mut committing, "COMMIT").await;
    assert_eq!(get(&mut conn, &held).await.unwrap(), None, "refused and stored");
    let found: Option<String> = conn.exec_first(&prepared, (row, column, version)).await.unwrap();
    assert_eq!(found.as_deref(), Some("1"));
    wait::until("readiness", wait::PATIENCE, || {
        http::get(proxy.http(), "/readyz").ok().filter(|ready| ready.status == 200)
    });
}

#[tokio::test]
async fn a_commit_that_waits_for_a_lock_when_the_program_stops_is_told_so() {
    let (mut one, two) = two("[timeouts]\nshutdown = \"1s\"\n");
    let (mut writer, mut holder) = (client::connect(one.mysql()).await, client::connect(two.mysql()).await);
    let mut root = client::connect(one.mysql()).await;
    run(&mut holder, TRIPS).await;
    run(&mut writer, "BEGIN").await;
    put(&mut writer, &triple("a", "BASE", 1), "1").await.unwrap();
    run(&mut holder, "LOCK TABLES trips READ").await;
    // Who asks for a lock learns of the others.
    run(&mut root, "DO GET_LOCK('job', 0)").await;
    let waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE info = 'COMMIT' AND state LIKE 'Waiting%'";
    let stopping = async {
        wait::until_async("it waits", wait::PATIENCE, async || {
            (client::rows::<u8>(&mut root, waiting).await == [1]).then_some(())
        })
        .await;
        one.signal(Signal::Term);
    };
    let (refused, ()) = tokio::join!(client::refused(&mut writer, "COMMIT"), stopping);
    let told = "Server shutdown in progress; the transaction is rolled back";
    assert_eq!((refused.code, refused.message.as_str()), (1053, told));
    assert_eq!(one.wait().code(), Some(0), "{}", one.log());
    assert_eq!(get(&mut holder, &triple("a", "BASE", 1)).await.unwrap(), None);
}

#[tokio::test]
async fn sessions_that_wait_for_locks_cost_nobody_the_locks_it_holds() {
    let (one, two) = two("");
    let mut holder = client::connect(one.mysql()).await;
    run(&mut holder, "DO GET_LOCK('job', 0)").await;
    for statement in 0..10 {
        let calls: Vec<String> = (0..60).map(|n| format!("GET_LOCK('{statement}-{n}', 0)")).collect();
        run(&mut holder, &format!("DO {}", calls.join(", "))).await;
    }
    // Longer than a lease lasts.
    let patience = Duration::from_secs(20);
    let mut waiters = tokio::task::JoinSet::new();
    for n in 0..120 {
        let mut conn = client::connect(if n % 3 == 0 { two.mysql() } else { one.mysql() }).await;
        waiters.spawn(async move {
            let asked = Instant::now();
            let got: Option<u8> = conn.query_first("SELECT GET_LOCK('job', 20)").await.unwrap();
            (got, asked.elapsed())
        });
    }
    for n in 0..60 {
        let asked = Instant::now();
        assert_eq!(client::rows::<u8>(&mut holder, &format!("SELECT RELEASE_LOCK('0-{n}')")).await, [1]);
        assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    }
    while let Some(waiter) = waiters.join_next().await {
        let (got, took) = waiter.unwrap();
        assert_eq!(got, Some(0), "it is held all the time");
        assert!(took >= patience && took < patience + Duration::from_secs(8), "{took:?}");
    }
    let id: u32 = client::rows(&mut holder, "SELECT CONNECTION_ID()").await[0];
    assert_eq!(client::rows::<u32>(&mut holder, "SELECT IS_USED_LOCK('job')").await, [id]);
    // To the other proxy it is a number that none of its own connections has.
    let mut stranger = client::connect(two.mysql()).await;
    let elsewhere: Vec<u64> = client::rows(&mut stranger, "SELECT IS_USED_LOCK('job')").await;
    assert_eq!(elsewhere, [(1 << 32) + u64::from(id)]);
    assert_eq!(client::refused(&mut stranger, &format!("KILL {}", elsewhere[0])).await.code, 1094);
    assert!(!one.log().contains("were lost"), "{}", one.log());
    // In the order in which they came, and by whichever proxy.
    let mut waiting = client::connect(two.mysql()).await;
    let (got, released) = tokio::join!(
        client::rows::<u8>(&mut waiting, "SELECT GET_LOCK('job', 60)"),
        client::rows::<u8>(&mut holder, "SELECT RELEASE_LOCK('job')")
    );
    assert_eq!((got, released), (vec![1], vec![1]));
}

/// A proxy of the deployment whose meta store and cluster `c` are at these addresses.
fn of(meta: &str, cluster: &str) -> Result<Proxy, String> {
    let deployment = Builder::new().topology(SHARDS, Some(meta)).cluster("c", cluster).build();
    deployment.try_start(Default::default()).map_err(|not_ready| not_ready.log)
}

#[tokio::test]
async fn a_proxy_whose_cluster_is_a_copy_of_what_another_one_uses_is_refused() {
    let (maria, postgres) = (MariaDb::shared(), Postgres::shared());
    let mut databases = Builder::new();
    let meta = databases.shared_mariadb_database();
    let (original, copy) = (databases.shared_mariadb_database(), databases.shared_mariadb_database());
    let one = of(&meta, &original).unwrap();
    let mut conn = client::connect(one.mysql()).await;
    run(&mut conn, TRIPS).await;
    put(&mut conn, &triple("key", "BASE", 1), "1").await.unwrap();
    let name = |url: &str| url.rsplit('/').next().unwrap().to_owned();
    let (from, to) = (name(&original), name(&copy));
    for table in maria.execute(&format!("SHOW TABLES FROM {from}")).lines() {
        maria.execute(&format!(
            "CREATE TABLE {to}.{table} LIKE {from}.{table}; INSERT INTO {to}.{table} SELECT * FROM {from}.{table}"
        ));
    }
    let log = of(&meta, &copy).expect_err("it must not serve a copy");
    assert!(log.contains(&format!("cluster c is database {to}")), "{log}");
    assert!(log.contains(&format!("it is database {from}")), "{log}");
    assert!(log.contains("the same `primary` everywhere"), "{log}");
    // By another name of the same server it is the same store.
    let mut again = of(&meta, &original.replace("127.0.0.1", "localhost")).unwrap();
    assert_eq!(again.terminate().code(), Some(0));
    drop((conn, one));

    // The same of PostgreSQL, whose cluster was moved while all were stopped.
    let meta = databases.shared_mariadb_database();
    let from = postgres.create_database();
    let mut first = of(&meta, &postgres.url(&from)).unwrap();
    assert_eq!(first.terminate().code(), Some(0));
    let to = format!("{from}_moved");
    postgres.execute("postgres", &format!("CREATE DATABASE {to} TEMPLATE {from}"));
    let mut moved = of(&meta, &postgres.url(&to)).unwrap();
    let log = of(&meta, &postgres.url(&from)).expect_err("its primary was forgotten");
    assert!(log.contains(&format!("cluster c is database {from}")), "{log}");
    assert!(log.contains(&format!("it is database {to}")), "{log}");
    assert_eq!(moved.terminate().code(), Some(0));
    [from, to].iter().for_each(|name| postgres.drop_database(name));
    drop(databases.build());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_proxies_that_are_first_started_at_once_with_a_store_each_one_serves() {
    let mut databases = Builder::new();
    let meta = databases.shared_mariadb_database();
    let stores = [databases.shared_mariadb_database(), databases.shared_mariadb_database()];
    let starting = stores.map(|store| {
        let meta = meta.clone();
        tokio::task::spawn_blocking(move || of(&meta, &store))
    });
    let mut served = Vec::new();
    for start in starting {
        match start.await.unwrap() {
            Ok(proxy) => served.push(proxy),
            Err(log) => assert!(log.contains("was created before, but its store is empty"), "{log}"),
        }
    }
    assert_eq!(served.len(), 1);
    let mut conn = client::connect(served[0].mysql()).await;
    run(&mut conn, TRIPS).await;
    put(&mut conn, &triple("key", "BASE", 1), "1").await.unwrap();
    drop((conn, served));
    drop(databases.build());
}
