//! A MariaDB that is demoted, under load and as a meta store, whatever its user may do, and promoted again.

use std::time::Duration;

use cellgate_integration_tests::client::{self, Refusal, TRIPS, get, put, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::load::{Load, everything};
use cellgate_integration_tests::random::Random;
use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::{Proxy, settings, wait};

use super::BOUNDS;

/// Refused by the store.
const REFUSED: u16 = 1290;

/// For how long the server is demoted.
const DEMOTED: Duration = Duration::from_millis(1500);

/// What is changed of whoever writes: the log head and the cells.
fn written(server: &MariaDb) -> String {
    server.execute("SELECT next, at FROM cellgate.cg_head WHERE head = 0; SELECT COUNT(*) FROM cellgate.trips_1")
}

/// Demotes it under load: nothing is written meanwhile, nothing that was acknowledged is lost, and then writes go on.
async fn demoted_under_load(server: &MariaDb, cluster: &str) {
    let builder = Builder::new().topology(SHARDS, None).cluster("server", cluster).text(BOUNDS);
    let proxy: Proxy = builder.build().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let load = Load::start(&[proxy.mysql()], 8, &mut Random::new(settings::seed()));
    load.progress(100).await;
    server.execute("SET GLOBAL read_only = 1");
    // What was being committed at that moment.
    load.each_answered().await;
    let (before, acknowledged) = (written(server), load.acknowledged());
    wait::under_load(DEMOTED).await;
    assert_eq!(written(server), before, "a server that was demoted is written to");
    assert_eq!(load.acknowledged(), acknowledged);
    let refused = put(&mut conn, &triple("demoted", "BASE", 1), "1").await.expect_err("it is read-only");
    assert_eq!(Refusal::of(&refused).map(|refusal| refusal.code), Some(REFUSED), "{refused}");
    run(&mut conn, "SELECT row_key FROM trips WHERE row_key = 'demoted'").await;
    for statement in ["CREATE TABLE others ENGINE=CELLS", "DELETE FROM trips WHERE row_key = 'row-1'"] {
        let refused = client::refused(&mut conn, statement).await;
        assert_eq!(refused.code, REFUSED, "{statement}: {refused:?}");
    }
    server.execute("SET GLOBAL read_only = 0");
    load.progress(200).await;
    let mut ledger = load.stop().await;
    assert!(ledger.errors.remove(&REFUSED).is_some(), "{ledger:?}");
    ledger.check(everything(proxy.mysql()).await);
    proxy.assert_no_panic();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mariadb_that_is_demoted_under_load_is_not_written_to_and_loses_nothing() {
    let server = MariaDb::private();
    server
        .execute("CREATE DATABASE cellgate; CREATE USER cell@'127.0.0.1'; GRANT ALL ON cellgate.* TO cell@'127.0.0.1'");
    demoted_under_load(&server, &server.url("cellgate").replace("root@", "cell@")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nor_is_it_written_to_by_a_user_whom_the_server_would_let() {
    let server = MariaDb::private();
    server.execute("CREATE DATABASE cellgate");
    demoted_under_load(&server, &server.url("cellgate")).await;
    server.execute("SET GLOBAL read_only = 1; UPDATE cellgate.cg_head SET at = at + 1");
}

#[tokio::test]
async fn cells_and_documents_of_a_server_that_is_demoted_are_read_and_not_changed_and_it_is_written_to_again() {
    let server = MariaDb::private();
    server.execute("CREATE DATABASE cellgate; CREATE DATABASE meta; CREATE USER cell@'127.0.0.1'");
    server.execute("GRANT ALL ON cellgate.* TO cell@'127.0.0.1'; GRANT ALL ON meta.* TO cell@'127.0.0.1'");
    let url = |database: &str| server.url(database).replace("root@", "cell@");
    let builder = Builder::new().topology(SHARDS, Some(&url("meta"))).cluster("server", &url("cellgate")).text(BOUNDS);
    let proxy = builder.build().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let (kept, new) = (triple("kept", "BASE", 1), triple("new", "BASE", 1));
    put(&mut conn, &kept, "1").await.expect("it is written to");
    let append = "INSERT INTO trips (row_key, column_key, body) VALUES ('kept', 'BASE', '2')";
    let delete = "DELETE FROM trips WHERE row_key = 'kept'";
    let changes = [append, delete, "CREATE TABLE others ENGINE=CELLS", "DROP TABLE trips", "CREATE DATABASE d"];

    server.execute("SET GLOBAL read_only = 1");
    let refused = put(&mut conn, &new, "1").await.expect_err("it is read-only");
    assert_eq!(Refusal::of(&refused).map(|refusal| refusal.code), Some(REFUSED), "{refused}");
    for statement in changes {
        let refused = client::refused(&mut conn, statement).await;
        assert!(refused.code == REFUSED && !refused.message.contains("in part"), "{statement}: {refused:?}");
    }
    assert_eq!(get(&mut conn, &kept).await.unwrap().as_deref(), Some("1"));
    assert_eq!(get(&mut conn, &new).await.unwrap(), None);

    server.execute("SET GLOBAL read_only = 0");
    put(&mut conn, &new, "1").await.expect("it is written to again");
    assert_eq!(everything(proxy.mysql()).await.len(), 2);
    for statement in changes {
        run(&mut conn, statement).await;
    }
    proxy.assert_no_panic();
}
