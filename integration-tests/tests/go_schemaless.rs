//! The calls of go-schemaless, each in its SQL spelling: Get, GetLatest, PartitionRead, Put, FindPartition, ResetConnection, and
//! the steps of its own tests.

use cellgate_integration_tests::client::{self, TRIPS, get, put, rows, run, triple};
use cellgate_integration_tests::{Deployment, Proxy};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

const ROW: &str = "4f1e9c2a-row";
const BODIES: [&str; 3] = [r#"{"value":"The shaved yak"}"#, r#"{"value":"An old yak"}"#, r#"{"value":"No yak"}"#];

/// A proxy with three versions of one cell.
async fn three_versions() -> (Proxy, Conn) {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    for (body, reference) in BODIES.iter().zip(1..) {
        assert_eq!(put(&mut conn, &triple(ROW, "BASE", reference), body).await.unwrap(), 1);
    }
    (proxy, conn)
}

async fn shard_of(conn: &mut Conn, row: &str) -> u32 {
    conn.exec_first("SELECT SHARD_OF(?)", (row,)).await.unwrap().expect("one row")
}

async fn latest(conn: &mut Conn, row: &str, column: &str) -> Option<(i64, String)> {
    let statement =
        "SELECT ref_key, body FROM trips WHERE row_key = ? AND column_key = ? ORDER BY ref_key DESC LIMIT 1";
    conn.exec_first(statement, (row, column)).await.unwrap()
}

#[tokio::test]
async fn put_stores_a_cell_once() {
    let (_proxy, mut conn) = three_versions().await;
    // The same cell again is done already; another body is a duplicate.
    assert_eq!(put(&mut conn, &triple(ROW, "BASE", 1), BODIES[0]).await.unwrap(), 0);
    let error = put(&mut conn, &triple(ROW, "BASE", 1), BODIES[1]).await.unwrap_err();
    assert_eq!(client::Refusal::of(&error).map(|refusal| refusal.code), Some(1062));
    assert_eq!(get(&mut conn, &triple(ROW, "BASE", 1)).await.unwrap().as_deref(), Some(BODIES[0]));
}

#[tokio::test]
async fn get_returns_exactly_the_first_version() {
    let (_proxy, mut conn) = three_versions().await;
    assert_eq!(get(&mut conn, &triple(ROW, "BASE", 1)).await.unwrap().as_deref(), Some(BODIES[0]));
}

#[tokio::test]
async fn get_of_a_missing_cell_is_empty() {
    let (_proxy, mut conn) = three_versions().await;
    for missing in [triple(ROW, "BASE", 4), triple(ROW, "base", 1), triple("other", "BASE", 1)] {
        assert_eq!(get(&mut conn, &missing).await.unwrap(), None, "{missing:?}");
    }
}

#[tokio::test]
async fn get_latest_returns_the_third_version() {
    let (_proxy, mut conn) = three_versions().await;
    assert_eq!(latest(&mut conn, ROW, "BASE").await, Some((3, BODIES[2].to_owned())));
    assert_eq!(latest(&mut conn, ROW, "STATUS").await, None);
    assert_eq!(latest(&mut conn, "other", "BASE").await, None);
}

#[tokio::test]
async fn find_partition_is_shard_of_and_stays_the_same() {
    let (mut proxy, mut conn) = three_versions().await;
    let before = shard_of(&mut conn, ROW).await;
    assert!(before < 4096);
    // Keys are spread, not all in one shard.
    let mut shards = std::collections::BTreeSet::new();
    for key in 0..32 {
        shards.insert(shard_of(&mut conn, &format!("key-{key}")).await);
    }
    assert!(shards.len() > 20, "{shards:?}");
    drop(conn);
    proxy.terminate();
    proxy.restart();
    let mut conn = client::connect(proxy.mysql()).await;
    assert_eq!(shard_of(&mut conn, ROW).await, before);
}

#[tokio::test]
async fn partition_read_by_offset_gives_what_was_added_after_it() {
    let (_proxy, mut conn) = three_versions().await;
    let shard = shard_of(&mut conn, ROW).await;
    let read = async |conn: &mut Conn, after: u64, limit: u64| -> Vec<(u64, String, i64, String)> {
        let statement = format!(
            "SELECT added_id, row_key, ref_key, body FROM trips PARTITION (p{shard}) WHERE added_id > {after} \
             ORDER BY added_id LIMIT {limit}"
        );
        rows(conn, &statement).await
    };
    let all = read(&mut conn, 0, 10).await;
    assert_eq!(all.iter().map(|cell| cell.2).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(all.windows(2).all(|pair| pair[0].0 < pair[1].0), "{all:?}");
    assert!(all.iter().all(|cell| cell.1 == ROW));
    assert_eq!(all[2].3, BODIES[2]);
    // Page by page is the same as at once.
    let first = read(&mut conn, 0, 2).await;
    let rest = read(&mut conn, first[1].0, 2).await;
    assert_eq!([first, rest].concat(), all);
    assert_eq!(read(&mut conn, all[2].0, 10).await, []);
    // Another shard has none of it.
    let other = if shard == 0 { 1 } else { shard - 1 };
    let elsewhere: Vec<u64> = rows(
        &mut conn,
        &format!("SELECT added_id FROM trips PARTITION (p{other}) WHERE added_id > 0 ORDER BY added_id LIMIT 10"),
    )
    .await;
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}

#[tokio::test]
async fn partition_read_by_time_gives_what_was_created_since() {
    let (_proxy, mut conn) = three_versions().await;
    let shard = shard_of(&mut conn, ROW).await;
    let times: Vec<String> = rows(
        &mut conn,
        &format!("SELECT created_at FROM trips WHERE row_key = '{ROW}' AND column_key = 'BASE' ORDER BY ref_key"),
    )
    .await;
    assert_eq!(times.len(), 3);
    // Times of a shard's log grow strictly, so a time names a place in it.
    assert!(times[0] < times[1] && times[1] < times[2], "{times:?}");
    for (place, time) in times.iter().enumerate() {
        let since: Vec<i64> = rows(
            &mut conn,
            &format!(
                "SELECT ref_key FROM trips PARTITION (p{shard}) WHERE created_at >= '{time}' ORDER BY added_id LIMIT 10"
            ),
        )
        .await;
        assert_eq!(since, (place as i64 + 1..=3).collect::<Vec<_>>(), "since {time}");
    }
    let later: Vec<i64> = rows(
        &mut conn,
        &format!(
            "SELECT ref_key FROM trips PARTITION (p{shard}) WHERE created_at >= '2100-01-01 00:00:00' \
             ORDER BY added_id LIMIT 10"
        ),
    )
    .await;
    assert!(later.is_empty(), "{later:?}");
}

#[tokio::test]
async fn reset_connection_forgets_the_session_and_keeps_the_cells() {
    let (_proxy, mut conn) = three_versions().await;
    run(&mut conn, "SET autocommit=0").await;
    put(&mut conn, &triple(ROW, "BASE", 4), "4").await.unwrap();
    assert!(conn.reset().await.unwrap(), "the server knows COM_RESET_CONNECTION");
    let autocommit: Vec<i64> = rows(&mut conn, "SELECT @@autocommit").await;
    assert_eq!(autocommit, [1]);
    assert_eq!(latest(&mut conn, ROW, "BASE").await, Some((3, BODIES[2].to_owned())));
}
