//! The password of a backend changes under a proxy that runs.

use cellgate_integration_tests::client::{TRIPS, run};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::documents;
use cellgate_integration_tests::proxy::Options;
use cellgate_integration_tests::servers::Postgres;

use super::{ROWS, check, count, start, stop, write};

pub(super) const PAGE: &str = "docs/OPERATIONS.md";

#[tokio::test]
async fn a_postgresql_gets_a_second_role_while_proxies_serve() {
    let server = Postgres::private();
    server.execute("postgres", "CREATE ROLE cell LOGIN");
    for store in ["cellgate", "cellgate_meta"] {
        server.execute("postgres", &format!("CREATE DATABASE {store} OWNER cell"));
    }
    let as_role = |role: &str| {
        let url = |store: &str| server.url(store).replace("postgres@", &format!("{role}@"));
        Builder::new().topology(SHARDS, Some(&url("cellgate_meta"))).cluster("a", &url("cellgate")).build()
    };
    let (first, second) = (as_role("cell"), as_role("cell2"));
    let (one, mut conn) = start(&first).await;
    run(&mut conn, TRIPS).await;
    write(&mut conn, "trips", 1).await;
    server.execute("postgres", &documents::inline(PAGE, "CREATE ROLE cell2"));
    // "Without it the proxy does not start."
    let said = check(&second).expect_err("cell does not see the sessions of cell2");
    assert!(said.contains("pg_read_all_stats"), "{said}");
    second.try_start(Options::default()).expect_err("nor does a start");
    server.execute("postgres", &documents::inline(PAGE, "GRANT pg_read_all_stats"));
    assert_eq!(check(&second), Ok(()));
    let (mut two, mut other) = start(&second).await;
    run(&mut other, &TRIPS.replace("trips", "later")).await;
    write(&mut other, "later", 1).await;
    let owners = server.execute("cellgate", "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename LIKE '%\\__'");
    assert_eq!(owners.trim(), "cell", "tables stay cell's");
    for table in ["trips", "later"] {
        assert_eq!(count(&mut conn, table).await, ROWS);
        assert_eq!(count(&mut other, table).await, ROWS);
    }
    stop((one, conn));
    server.execute("postgres", &documents::inline(PAGE, "ALTER ROLE cell NOLOGIN"));
    drop(other);
    assert_eq!(two.terminate().code(), Some(0));
    let (two, mut other) = start(&second).await;
    write(&mut other, "trips", 2).await;
    assert_eq!(count(&mut other, "trips").await, 2 * ROWS);
    stop((two, other));
}
