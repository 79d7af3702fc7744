//! Commits that a synchronous standby does not confirm are never said to be done.

use cellgate_integration_tests::client::{self, Refusal, put, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::servers::Postgres;
use cellgate_integration_tests::wait;
use mysql_async::prelude::Queryable;

use super::{BOUNDS, KEYS, Server, UNREACHABLE, key, proxy_over, try_all};

/// Changes a setting of the server, and has it read.
fn alter_system(server: &Postgres, change: &str) {
    server.execute("postgres", &format!("ALTER SYSTEM {change}"));
    server.execute("postgres", "SELECT pg_reload_conf()");
}

#[tokio::test]
async fn a_commit_that_a_standby_did_not_confirm_is_never_said_to_be_stored() {
    let server = <Postgres as Server>::private();
    let (proxy, mut conn) = proxy_over(&server).await;
    let (served, _) = try_all(&mut conn, 1).await;
    assert_eq!(served.len(), KEYS as usize);
    alter_system(&server, "SET synchronous_standby_names = 'nobody'");
    let mut reference = 1;
    let refused = wait::until_async("a write to meet it", wait::PATIENCE, async || {
        reference += 1;
        let held = triple(&key(u32::try_from(reference).unwrap() % KEYS), "BASE", reference);
        // A COMMIT is not cut off by its statement's deadline.
        run(&mut conn, "BEGIN").await;
        put(&mut conn, &held, "1").await.unwrap();
        let error = conn.query_drop("COMMIT").await.err()?;
        Some(Refusal::of(&error).expect("an answer"))
    })
    .await;
    assert_eq!(refused.code, UNREACHABLE, "{refused:?}");
    assert!(refused.message.contains("may be stored"), "{refused:?}");
    alter_system(&server, "RESET synchronous_standby_names");
    wait::until_async("the proxy to write again", wait::PATIENCE, async || {
        (try_all(&mut conn, 500).await.0.len() == KEYS as usize).then_some(())
    })
    .await;
    proxy.assert_no_panic();
}

#[tokio::test]
async fn a_change_of_the_catalog_that_a_standby_did_not_confirm_is_never_said_to_be_done() {
    let server = <Postgres as Server>::private();
    let builder = Builder::new().topology(SHARDS, Some(&server.address())).shared_mariadb("m").text(BOUNDS);
    let proxy = builder.build().start();
    let mut conn = client::connect(proxy.mysql()).await;
    alter_system(&server, "SET synchronous_standby_names = 'nobody'");
    // A session that is ended while it waits for its standbys leaves a commit that all can see.
    let ended = wait::until_async("nothing", wait::PATIENCE * 2, async || {
        let waiting = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        server.execute("postgres", waiting);
        None::<()>
    });
    let mut number = 0;
    let refused = wait::until_async("a change to meet it", wait::PATIENCE, async || {
        number += 1;
        conn.query_drop(format!("CREATE DATABASE d{number}")).await.err()
    });
    let refused = tokio::select! { refused = refused => refused, () = ended => unreachable!() };
    let refusal = Refusal::of(&refused).expect("an answer");
    assert!(refusal.message.contains("meta store"), "{refusal:?}");
    alter_system(&server, "RESET synchronous_standby_names");
    wait::until_async("changes again", wait::PATIENCE, async || {
        conn.query_drop("CREATE DATABASE IF NOT EXISTS again").await.ok()
    })
    .await;
    proxy.assert_no_panic();
}
