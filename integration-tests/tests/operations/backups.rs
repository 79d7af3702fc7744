//! A whole deployment is backed up, lost and restored, by the lines of the page.

use std::sync::Arc;

use cellgate_integration_tests::client::{TRIPS, rows, run};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::servers::{MariaDb, Postgres};
use cellgate_integration_tests::{Deployment, Proxy};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::places::{Shell, mariadb_backup, sqlite_backup, sqlite_restore};
use super::{RESTORE, ROWS, check, count, recipes, start, stop, write};

/// The page's names: a cluster, and the meta store.
const STORES: [&str; 2] = ["cellgate", "cellgate_meta"];

/// Bytes of a body that has no room in a packet of 16 MiB, MariaDB's default, as the dump writes it.
const LONG: usize = 15 << 20;

/// One cluster and the meta store, at these addresses.
fn deployment(url: impl Fn(&str) -> String) -> Arc<Deployment> {
    let [cluster, meta] = STORES;
    Builder::new().topology(SHARDS, Some(&url(meta))).cluster("a", &url(cluster)).build()
}

/// Serves it, with a table that has a version of every row, and a cell of another column with a long body.
async fn fill(deployment: &Arc<Deployment>) -> (Proxy, Conn) {
    let (proxy, mut conn) = start(deployment).await;
    run(&mut conn, TRIPS).await;
    write(&mut conn, "trips", 1).await;
    let insert = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('row0', 'LONG', 1, ?)";
    conn.exec_drop(insert, (format!("\"{}\"", "x".repeat(LONG - 2)),)).await.expect("stored");
    (proxy, conn)
}

/// What is restored fits, has the cells of the backup, and takes new ones.
async fn expect_restored(deployment: &Arc<Deployment>) {
    if deployment.config().is_some() {
        assert_eq!(check(deployment), Ok(()));
    }
    let (proxy, mut conn) = start(deployment).await;
    let long = "SELECT LENGTH(body) FROM trips WHERE row_key = 'row0' AND column_key = 'LONG' AND ref_key = 1";
    assert_eq!(rows::<usize>(&mut conn, long).await, [LONG]);
    assert_eq!(count(&mut conn, "trips").await, ROWS + 1);
    write(&mut conn, "trips", 3).await;
    assert_eq!(count(&mut conn, "trips").await, 2 * ROWS + 1);
    stop((proxy, conn));
}

#[tokio::test]
async fn a_mariadb_is_backed_up_beside_the_proxy_and_restored_with_its_user() {
    let server = MariaDb::private();
    let shell = Shell::of_mariadb(server.port());
    server.execute("CREATE USER 'cell'@'%' IDENTIFIED BY '..'");
    for store in STORES {
        server.execute(&format!("CREATE DATABASE {store}; GRANT ALL ON {store}.* TO 'cell'@'%'"));
    }
    let deployment = deployment(|store| server.url(store).replace("root@", "cell:..@"));
    let (proxy, mut conn) = fill(&deployment).await;
    for store in STORES {
        shell.run(&mariadb_backup(store));
    }
    write(&mut conn, "trips", 2).await;
    stop((proxy, conn));
    server.execute("DROP USER 'cell'@'%'");
    for store in STORES {
        server.execute(&format!("DROP DATABASE {store}"));
    }
    shell.run(&recipes(RESTORE, "mariadb")[0].text);
    expect_restored(&deployment).await;
}

#[tokio::test]
async fn a_postgresql_is_backed_up_beside_the_proxy_and_restored_with_its_role() {
    let server = Postgres::private();
    let shell = Shell::of_postgres(server.port());
    server.execute("postgres", "CREATE ROLE cell LOGIN");
    for store in STORES {
        server.execute("postgres", &format!("CREATE DATABASE {store} OWNER cell"));
    }
    let deployment = deployment(|store| server.url(store).replace("postgres@", "cell@"));
    let (proxy, mut conn) = fill(&deployment).await;
    for store in STORES {
        shell.run(&format!("pg_dump {store} > {store}.sql"));
    }
    write(&mut conn, "trips", 2).await;
    stop((proxy, conn));
    for store in STORES {
        server.drop_database(store);
    }
    server.execute("postgres", "DROP ROLE cell");
    let [cluster, meta] = STORES;
    // Nobody is there to type a password.
    let restore = recipes(RESTORE, "postgresql").remove(0).text.replace("--pwprompt ", "");
    shell.run(&restore);
    assert!(restore.contains(&format!("createdb --owner=cell {meta}, and the same with {meta}.sql")), "{restore}");
    let load = restore.lines().find(|line| line.starts_with("psql ")).expect("a line that loads");
    shell.run(&format!("createdb --owner=cell {meta}\n{}", load.replace(cluster, meta)));
    expect_restored(&deployment).await;
}

#[tokio::test]
async fn sqlite_files_are_backed_up_beside_the_proxy_and_replaced() {
    let deployment = Deployment::embedded();
    let (proxy, mut conn) = fill(&deployment).await;
    let shell = Shell::at(&deployment.directory().join("data"));
    shell.run("mkdir backup");
    let files = ["c1.db", "c2.db", "c3.db", "c4.db", "meta.db"];
    for file in files {
        shell.run(&sqlite_backup(file));
    }
    write(&mut conn, "trips", 2).await;
    stop((proxy, conn));
    for file in files {
        shell.run(&sqlite_restore(file));
    }
    expect_restored(&deployment).await;
}
