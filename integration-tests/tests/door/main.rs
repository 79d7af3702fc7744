//! The door: TLS, compression, certificates that change, PROXY headers, logins that fail, sessions that are told of what
//! changed or are ended, KILL, LOCK TABLES, refused COMMITs and cursors, by real clients.

mod certificates;
mod commits;
mod compression;
mod cursors;
mod going_on;
mod kill;
mod locks;
mod logins;
mod proxy_header;
mod refused;
mod sessions;

use std::path::PathBuf;
use std::time::Duration;

use cellgate_integration_tests::client::Refusal;
use cellgate_integration_tests::{Proxy, wait};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

const COM_INIT_DB: u8 = 0x02;
const COM_PROCESS_KILL: u8 = 0x0c;
const LIMIT: Duration = Duration::from_secs(60);

/// The certificate that a proxy made at its first start.
fn authority(proxy: &Proxy) -> PathBuf {
    proxy.deployment().directory().join("data/tls-certificate.pem")
}

async fn status(conn: &mut Conn, name: &str) -> String {
    let row: Option<(String, String)> = conn.query_first(format!("SHOW STATUS LIKE '{name}'")).await.unwrap();
    row.expect("there is such a status").1
}

/// The number of the one refusal there must be.
fn number<T>(outcome: Result<T, mysql_async::Error>) -> u16 {
    let error = outcome.err().expect("refused");
    Refusal::of(&error).unwrap_or_else(|| panic!("{error}")).code
}

/// Waits until a connection runs a statement that begins so.
async fn until_it_runs(root: &mut Conn, id: u32, statement: &str) {
    let running =
        format!("SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id} AND info LIKE '{statement}%'");
    wait::until_async("the statement runs", LIMIT, async || {
        let found: Option<u8> = root.query_first(&running).await.unwrap();
        found.filter(|found| *found == 1)
    })
    .await;
}
