//! Global variables that an administrator has set for other programs do not change what Cellgate's connections do.

use std::time::Duration;

use cellgate_integration_tests::client::{self, TRIPS, get, put, rows, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::wait;
use tokio::time::timeout;

use super::BOUNDS;

/// As for the loading of a dump, and for people who must not ask for much.
const FOR_OTHERS: &str = "SET GLOBAL unique_checks = 0, sql_select_limit = 2, completion_type = 'CHAIN', \
                          max_join_size = 1, sql_big_selects = 0, sql_safe_updates = 1";

#[tokio::test]
async fn what_a_server_has_set_for_others_is_not_taken_over() {
    let server = MariaDb::private();
    server.execute(&format!("CREATE DATABASE cellgate; CREATE DATABASE meta; {FOR_OTHERS}"));
    let builder = Builder::new().topology(SHARDS, Some(&server.url("meta")));
    let deployment = builder.cluster("server", &server.url("cellgate")).text(BOUNDS).build();
    let proxies = [deployment.start(), deployment.start()];
    let mut conns = [client::connect(proxies[0].mysql()).await, client::connect(proxies[1].mysql()).await];
    run(&mut conns[0], TRIPS).await;
    let [_, other] = &mut conns;
    wait::until_async("the table to be known", wait::PATIENCE, async || get(other, &triple("a", "BASE", 1)).await.ok())
        .await;
    // A group of several cells that is there already: what is found is confirmed, and nothing stays open behind that.
    for conn in &mut conns {
        let cells: Vec<String> = (1..=50).map(|version| format!("('a', 'BASE', {version}, '{version}')")).collect();
        let insert = format!("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES {}", cells.join(", "));
        timeout(Duration::from_secs(20), run(conn, &insert)).await.expect("nobody holds the log head");
    }
    for (number, conn) in conns.iter_mut().enumerate() {
        let next = triple("b", "BASE", number as i64 + 1);
        timeout(Duration::from_secs(20), put(conn, &next, "1")).await.expect("nobody holds the log head").unwrap();
        assert_eq!(get(conn, &next).await.unwrap().as_deref(), Some("1"));
        assert_eq!(rows::<i64>(conn, "SELECT ref_key FROM trips WHERE row_key = 'a'").await.len(), 50);
        let names: Vec<String> = (1..=50).map(|version| format!("('a', 'BASE', {version})")).collect();
        let select = format!("SELECT body FROM trips WHERE (row_key, column_key, ref_key) IN ({})", names.join(", "));
        assert_eq!(rows::<String>(conn, &select).await.len(), 50);
    }
}
