//! A server that was demoted, under the address of the primary it was.

use cellgate_integration_tests::client::{self, Refusal, TRIPS, get, put, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::servers::Postgres;
use cellgate_integration_tests::wait;
use mysql_async::Conn;

/// Row keys tried: with this many either cluster has some.
const KEYS: u32 = 30;

/// No cache, which would answer in the server's stead.
const CONFIGURATION: &str = "[timeouts]\nconnect = \"2s\"\n\n[cache]\nsize = \"0\"\n";

/// How many cells are read, and the errors of the others.
async fn read_all(conn: &mut Conn) -> (usize, Vec<Refusal>) {
    let (mut read, mut refused) = (0, Vec::new());
    for number in 0..KEYS {
        match get(conn, &triple(&format!("key-{number}"), "BASE", 1)).await {
            Ok(found) => {
                assert_eq!(found.as_deref(), Some("1"));
                read += 1;
            }
            Err(error) => refused.push(Refusal::of(&error).unwrap_or_else(|| panic!("connection broke: {error}"))),
        }
    }
    (read, refused)
}

#[tokio::test]
async fn a_standby_is_not_read_from_before_it_is_promoted() {
    let mut server = Postgres::private();
    let builder = Builder::new().topology(SHARDS, None).cluster("server", &server.url("postgres")).sqlite("file");
    let proxy = builder.text(CONFIGURATION).build().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    for number in 0..KEYS {
        put(&mut conn, &triple(&format!("key-{number}"), "BASE", 1), "1").await.unwrap();
    }
    server.restart_as_standby();
    let (read, refused) = read_all(&mut conn).await;
    assert!(read > 0, "the other cluster goes on: {refused:?}");
    assert!(!refused.is_empty() && refused.iter().all(|refusal| refusal.code == 1429), "{refused:?}");
    wait::until("its reason in the log", wait::PATIENCE, || proxy.log().contains("is a standby").then_some(()));
    server.execute("postgres", "SELECT pg_promote()");
    wait::until_async("all of them again", wait::PATIENCE, async || {
        (read_all(&mut conn).await.0 == KEYS as usize).then_some(())
    })
    .await;
    proxy.assert_no_panic();
}
