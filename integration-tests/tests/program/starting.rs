//! Starting, and what a start refuses: directories of others, configurations that fit nothing, meta stores that lack something.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use cellgate_integration_tests::client::{self, TRIPS, get, put, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::proxy::{self, Options};
use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::{Deployment, http};
use mysql_async::prelude::Queryable;

use super::SHORT;

#[tokio::test]
async fn the_ready_line_names_ports_that_answer() {
    let proxy = Deployment::embedded().start();
    assert_ne!(proxy.mysql().port(), 0);
    assert_ne!(proxy.http().port(), 0);
    let mut conn = client::connect(proxy.mysql()).await;
    let two: Option<i64> = conn.query_first("SELECT 1 + 1").await.unwrap();
    assert_eq!(two, Some(2));
    assert_eq!(http::get(proxy.http(), "/healthz").unwrap().status, 200);
    assert_eq!(http::get(proxy.http(), "/readyz").unwrap().status, 200);
    assert_eq!(http::get(proxy.http(), "/nothing").unwrap().status, 404);
}

#[test]
fn a_second_process_on_the_same_directory_is_refused() {
    let deployment = Deployment::embedded();
    let first = deployment.start();
    let refusal = deployment.try_start(Options::default()).expect_err("two processes share a directory");
    let status = refusal.status.expect("it ends");
    assert!(!status.success());
    assert!(refusal.log.contains("data"), "the reason is missing: {}", refusal.log);
    drop(first);
    // The lock goes with the process, however that ended.
    deployment.start();
}

#[test]
fn two_processes_with_directories_of_their_own_do_not_meet() {
    let deployment = Deployment::embedded();
    let first = deployment.start();
    let second = deployment.start_with(Options { data: "other".to_owned(), ..Options::default() });
    assert_ne!(first.mysql(), second.mysql());
}

#[test]
fn a_start_that_creates_a_deployment_says_where_whatever_is_logged() {
    let deployment = Deployment::configured("[log]\nlevel = \"error\"\n");
    let mut proxy = deployment.start();
    let created = |log: &str| log.matches("created a new deployment").count();
    let log = proxy.until_logged("what was created", |log| created(log) == 1);
    let line = log.lines().find(|line| created(line) == 1).expect("a line");
    assert!(line.contains(&deployment.directory().join("data/meta.db").display().to_string()), "{line}");
    proxy.restart();
    assert_eq!(created(&proxy.log()), 0, "{}", proxy.log());
}

#[tokio::test]
async fn files_are_nobody_elses() {
    let deployment = Deployment::embedded();
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    put(&mut conn, &triple("a", "BASE", 1), "{}").await.unwrap();
    let (mut directories, mut names) = (vec![deployment.directory().join("data")], Vec::new());
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            assert_eq!(metadata.permissions().mode() & 0o027, 0, "{}", entry.path().display());
            if metadata.is_dir() {
                directories.push(entry.path());
            }
            names.push(entry.file_name().into_string().unwrap());
        }
    }
    for ending in [".db", ".db-wal", ".db-shm", ".db.lock"] {
        assert!(names.iter().any(|name| name.ends_with(ending)), "{names:?}");
    }
    // One that is open to all, as an earlier version made them.
    drop(proxy);
    let meta = deployment.directory().join("data/meta.db");
    std::fs::set_permissions(&meta, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(deployment.start().log().contains("chmod o-rwx"));
}

#[test]
fn an_open_address_without_passwords_is_refused_with_the_reason() {
    let deployment = Deployment::embedded();
    let options = Options { listen: "0.0.0.0:0".to_owned(), ..Options::default() };
    let refusal = deployment.try_start(options).expect_err("root without a password for everybody");
    assert!(!refusal.status.expect("it ends").success());
    assert!(refusal.log.contains("password"), "the reason is missing: {}", refusal.log);
}

#[test]
fn an_unknown_key_in_the_configuration_is_refused_with_the_nearest_known() {
    let deployment = Deployment::configured("[topology]\nvirtual_shard = 16\n");
    let refusal = deployment.try_start(Options::default()).expect_err("a misspelt key");
    assert!(refusal.log.contains("virtual_shards"), "{}", refusal.log);
}

#[test]
fn the_number_of_shards_is_fixed_at_creation() {
    let deployment = Deployment::configured("[topology]\nvirtual_shards = 16\n");
    drop(deployment.start());
    std::fs::write(deployment.config().expect("configured"), "[topology]\nvirtual_shards = 32\n").unwrap();
    let refusal = deployment.try_start(Options::default()).expect_err("another number of shards");
    assert!(refusal.log.contains("16") && refusal.log.contains("32"), "{}", refusal.log);
}

/// A deployment whose meta store and cluster `m` are databases of the shared MariaDB, and the name of the meta store's.
fn on_the_shared_mariadb() -> (Arc<Deployment>, String) {
    let mut databases = Builder::new();
    let meta = databases.shared_mariadb_database();
    let schema = meta.rsplit('/').next().unwrap().to_owned();
    (databases.topology(SHARDS, Some(&meta)).shared_mariadb("m").build(), schema)
}

#[tokio::test]
async fn a_start_without_the_catalog_is_refused_until_it_is_restored() {
    let (deployment, schema) = on_the_shared_mariadb();
    let (mut proxy, server) = (deployment.start(), MariaDb::shared());
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    put(&mut conn, &triple("a", "BASE", 1), "1").await.unwrap();
    drop(conn);
    assert_eq!(proxy.terminate().code(), Some(0));
    let row = "cg_meta WHERE name = 'catalog'";
    server.execute(&format!("USE {schema}; CREATE TABLE kept AS SELECT * FROM {row}; DELETE FROM {row}"));
    let refused = deployment.try_start(Options::default()).expect_err("its table ids would be given out again");
    assert!(refused.log.contains("no document \"catalog\", but cluster m was created before"), "{refused}");
    let found = server.execute(&format!("SELECT COUNT(*) FROM {schema}.{row}"));
    assert_eq!(found.trim(), "0", "and none is made");
    server.execute(&format!("USE {schema}; INSERT INTO cg_meta SELECT * FROM kept"));
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    assert_eq!(get(&mut conn, &triple("a", "BASE", 1)).await.unwrap().as_deref(), Some("1"));
}

#[tokio::test]
async fn behind_an_older_meta_store_nothing_starts_or_is_made_before_the_last_id_is_raised() {
    let (deployment, schema) = on_the_shared_mariadb();
    let (mut proxy, server) = (deployment.start(), MariaDb::shared());
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    put(&mut conn, &triple("a", "BASE", 1), "1").await.unwrap();
    server.execute(&format!("USE {schema}; CREATE TABLE backup AS SELECT * FROM cg_meta WHERE name = 'catalog'"));
    run(&mut conn, &TRIPS.replace("trips", "later")).await;
    // Above the version that the proxy knows, so that it reads it.
    let restore = "UPDATE cg_meta m JOIN backup b ON m.name = b.name SET m.body = b.body, m.version = m.version + 1";
    server.execute(&format!("USE {schema}; {restore}"));
    let number = "last_table_id in the document 'catalog' of the meta store is 2 or higher";
    for statement in [&*TRIPS.replace("trips", "later"), &*TRIPS.replace("trips", "more"), "TRUNCATE trips"] {
        let refused = client::refused(&mut conn, statement).await;
        assert_eq!(refused.code, 1815, "{statement}: {refused:?}");
        assert!(refused.message.contains("later_2") && refused.message.contains(number), "{statement}: {refused:?}");
    }
    assert_eq!(get(&mut conn, &triple("a", "BASE", 1)).await.unwrap().as_deref(), Some("1"), "what it knows is served");
    drop(conn);
    assert_eq!(proxy.terminate().code(), Some(0));
    let refused = deployment.try_start(Options::default()).expect_err("an id would be given out again");
    assert!(refused.log.contains("later_2") && refused.log.contains("set last_table_id"), "{refused}");
    let config = deployment.config().expect("configured").display().to_string();
    let check = || proxy::run(&["check", "--connect", "--config", &config], SHORT);
    let (status, out, err) = check();
    assert!(!status.success() && err.contains("later_2") && err.contains("set last_table_id"), "{out}{err}");
    let raise = "UPDATE cg_meta SET body = REPLACE(body, '\"last_table_id\":1,', '\"last_table_id\":2,'), \
                 version = version + 1 WHERE name = 'catalog'";
    server.execute(&format!("USE {schema}; {raise}"));
    let (status, out, err) = check();
    assert!(status.success(), "{out}{err}");
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, &TRIPS.replace("trips", "more")).await;
    run(&mut conn, "TRUNCATE trips").await;
    assert_eq!(get(&mut conn, &triple("a", "BASE", 1)).await.unwrap(), None);
}
