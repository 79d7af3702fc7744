//! The password of a backend changes under a proxy that runs, or before one starts.

use std::sync::Arc;

use cellgate_integration_tests::client::{Refusal, TRIPS, get, put, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::documents;
use cellgate_integration_tests::proxy::Options;
use cellgate_integration_tests::servers::{MariaDb, Postgres};
use cellgate_integration_tests::{Deployment, http, wait};

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

/// A start with a password that the server does not take serves the other cluster, and this one when `mend` has run.
async fn served_when_mended(deployment: &Arc<Deployment>, change: impl FnOnce(), said: &str, mend: impl FnOnce()) {
    let (proxy, mut conn) = start(deployment).await;
    run(&mut conn, TRIPS).await;
    write(&mut conn, "trips", 1).await;
    stop((proxy, conn));
    change();
    let checked = check(deployment).expect_err("the password is wrong");
    assert!(checked.contains(said), "{checked}");

    let (proxy, mut conn) = start(deployment).await;
    let log = proxy.until_logged("why", |log| log.contains("the cluster is not used: it refuses the login"));
    let line = log.lines().find(|line| line.contains("the cluster refuses the login at the start")).expect(&log);
    assert!(line.contains("ERROR") && line.contains("server") && line.contains(said), "{line}");
    let (mut served, mut refused) = (0, None);
    for row in 0..ROWS {
        let name = triple(&format!("row{row}"), "BASE", 1);
        match get(&mut conn, &name).await {
            Ok(body) => {
                assert_eq!(body, Some(row.to_string()));
                put(&mut conn, &triple(&format!("row{row}"), "BASE", 2), "2").await.expect("its cluster serves");
                served += 1;
            }
            Err(error) => {
                let refusal = Refusal::of(&error).expect("an answer");
                assert_eq!(refusal.code, 1429, "{refusal:?}");
                assert!(refusal.message.contains("cluster 'server' cannot be reached"), "{refusal:?}");
                assert!(!refusal.message.contains("denied") && !refusal.message.contains("127.0.0.1"), "{refusal:?}");
                refused = Some(name);
            }
        }
    }
    let refused = refused.expect("some rows are on the server");
    assert!(served > 0, "the others are served");
    wait::until("the alerts' metrics", wait::PATIENCE, || {
        let samples = http::metrics(proxy.http()).ok()?;
        let refusals = samples["cellgate_cluster_errors_total{cluster=\"server\",kind=\"access\"}"];
        (refusals > 0.0 && samples["cellgate_cluster_up{cluster=\"server\"}"] == 0.0).then_some(())
    });

    mend();
    wait::until_async("the server to be used without a restart", wait::PATIENCE, async || {
        get(&mut conn, &refused).await.ok().flatten()
    })
    .await;
    put(&mut conn, &(refused.0, refused.1, 2), "2").await.expect("and written to");
    stop((proxy, conn));
}

#[tokio::test]
async fn a_start_with_a_wrong_password_of_one_mariadb_serves_the_others_and_that_one_once_it_is_right() {
    let server = MariaDb::private();
    server.execute("CREATE DATABASE cellgate; CREATE USER cell IDENTIFIED BY 'one'; GRANT ALL ON cellgate.* TO cell");
    let url = server.url("cellgate").replace("root@", "cell:one@");
    let build = || Builder::new().topology(SHARDS, None).cluster("server", &url).sqlite("file").build();
    let password = |password: &str| server.execute(&format!("ALTER USER cell IDENTIFIED BY '{password}'"));
    password("two");
    let refused = build().try_start(Options::default()).expect_err("a first start needs every cluster");
    assert!(refused.log.contains("cluster server: ") && refused.log.contains("Access denied"), "{refused}");
    password("one");
    served_when_mended(&build(), || drop(password("two")), "Access denied", || drop(password("one"))).await;
}

#[tokio::test]
async fn a_start_with_a_role_that_one_postgresql_does_not_let_in_serves_the_others_and_that_one_once_it_does() {
    let server = Postgres::private();
    server.execute("postgres", "CREATE ROLE cell LOGIN");
    server.execute("postgres", "CREATE DATABASE cellgate OWNER cell");
    let url = server.url("cellgate").replace("postgres@", "cell@");
    let deployment = Builder::new().topology(SHARDS, None).cluster("server", &url).sqlite("file").build();
    let role = |may: &str| drop(server.execute("postgres", &format!("ALTER ROLE cell {may}")));
    served_when_mended(&deployment, || role("NOLOGIN"), "not permitted to log in", || role("LOGIN")).await;
}
