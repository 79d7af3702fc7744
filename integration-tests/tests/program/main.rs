//! The program as its user meets it: `check`, starting, refusing to, reloading, stopping, health, metrics.

mod checking;
mod observing;
mod reloading;
mod starting;
mod stopping;

use std::time::Duration;

use cellgate_integration_tests::wait;
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

const SHORT: Duration = Duration::from_secs(30);

/// Waits until one of the statements at work sleeps.
async fn until_a_statement_sleeps(conn: &mut Conn) {
    wait::until_async("a statement at work", SHORT, async || {
        let running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'";
        conn.query_first::<u8, _>(running).await.unwrap().filter(|running| *running == 1)
    })
    .await;
}
