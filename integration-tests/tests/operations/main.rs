//! What RUNBOOK.md has an operator run when something is lost, moved or restored, and OPERATIONS.md when a password changes:
//! run as it is written there, after what it is written for has happened.

mod backups;
mod losses;
mod passwords;
mod places;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use cellgate_integration_tests::client::{self, run};
use cellgate_integration_tests::documents::{self, Recipe};
use cellgate_integration_tests::{Deployment, Proxy, proxy};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

const PAGE: &str = "docs/RUNBOOK.md";

const RESTORE: &str = "Restore";
const ONE_ROW: &str = "One row of cg_meta";
const LOST_CLUSTER: &str = "A cluster is lost, and there is no backup of it";
const COPY: &str = "A copy for tests";
const LOST_META_STORE: &str = "The meta store is lost";
const MISSING_TABLE: &str = "A table is missing in a cluster";
const ERASURE: &str = "Erasure";
const ERASED: &str = "What was erased";

/// Cells of a table and a version: enough that every cluster has some.
const ROWS: u64 = 64;
/// How long `check` may take.
const SHORT: Duration = Duration::from_secs(30);

/// What the page has under a heading for an engine, from top to bottom.
fn recipes(heading: &str, engine: &str) -> Vec<Recipe> {
    let mut recipes = documents::recipes(PAGE);
    recipes.retain(|recipe| recipe.heading == heading && recipe.engines.iter().any(|name| name == engine));
    assert!(!recipes.is_empty(), "{PAGE} has nothing for {engine} under {heading}");
    recipes
}

/// `cellgate check --connect`; the error is what it says.
fn check(deployment: &Deployment) -> Result<(), String> {
    let config = deployment.config().expect("configured").display().to_string();
    let (status, _, said) = proxy::run(&["check", "--connect", "--config", &config], SHORT);
    if status.success() { Ok(()) } else { Err(said) }
}

/// A proxy and a client of it.
async fn start(deployment: &Arc<Deployment>) -> (Proxy, Conn) {
    let proxy = deployment.start();
    let conn = client::connect(proxy.mysql()).await;
    (proxy, conn)
}

fn stop((mut proxy, conn): (Proxy, Conn)) {
    drop(conn);
    assert_eq!(proxy.terminate().code(), Some(0));
    proxy.assert_no_panic();
}

/// Writes a version of every row.
async fn write(conn: &mut Conn, table: &str, version: u64) {
    let cells: Vec<String> = (0..ROWS).map(|row| format!("('row{row}', 'BASE', {version}, '{row}')")).collect();
    let insert = format!("INSERT INTO {table} (row_key, column_key, ref_key, body) VALUES {}", cells.join(", "));
    run(conn, &insert).await;
}

/// How many cells a table has.
async fn count(conn: &mut Conn, table: &str) -> u64 {
    try_count(conn, table).await.unwrap_or_else(|error| panic!("{table}: {error}"))
}

async fn try_count(conn: &mut Conn, table: &str) -> Result<u64, mysql_async::Error> {
    let count = conn.query_first(format!("SELECT COUNT(*) FROM {table}")).await?;
    Ok(count.unwrap_or_default())
}

#[test]
fn every_recipe_of_the_page_is_run_here() {
    let found: BTreeSet<String> = documents::recipes(PAGE).into_iter().map(|recipe| recipe.heading).collect();
    let run = [RESTORE, ONE_ROW, LOST_CLUSTER, COPY, LOST_META_STORE, MISSING_TABLE, ERASURE, ERASED];
    assert_eq!(found, run.map(str::to_owned).into(), "a block that names engines is a recipe, and is run by a test");
    assert_eq!(documents::recipes(passwords::PAGE), [], "what is run is in {PAGE}");
}
