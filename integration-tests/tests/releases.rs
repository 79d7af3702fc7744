//! Stores that an earlier release wrote: this program opens them, finds everything, and goes on with them.
//!
//! `releases/<version>` has the files of a deployment of one SQLite cluster on which that release ran
//! `releases/deployment.sql`. integration-tests/README.md says how a further one is made.

use std::path::{Path, PathBuf};

use cellgate_integration_tests::client::{self, Triple, get, put, refused, rows, run, triple};
use cellgate_integration_tests::{Deployment, Proxy};
use mysql_async::{Conn, OptsBuilder};

const CONFIG: &str = "[topology]\nmeta = \"sqlite:meta.db\"\n[[cluster]]\nname = \"c1\"\nprimary = \"sqlite:c1.db\"\n";

fn releases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("releases")
}

fn versions() -> Vec<String> {
    let entries = std::fs::read_dir(releases()).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    let mut versions: Vec<String> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    versions.sort();
    versions
}

/// A proxy of today on a copy of what a release left.
fn start(version: &str) -> Proxy {
    let deployment = Deployment::configured(CONFIG);
    for file in ["meta.db", "c1.db"] {
        std::fs::copy(releases().join(version).join(file), deployment.directory().join(file)).unwrap();
    }
    deployment.start()
}

fn user(proxy: &Proxy, name: &str, password: &str) -> OptsBuilder {
    client::options(proxy.mysql()).user(Some(name)).pass(Some(password)).db_name(Some("shop"))
}

/// Of table `trips`, which the session's database has.
async fn body(conn: &mut Conn, name: &Triple) -> Option<String> {
    get(conn, name).await.unwrap()
}

#[tokio::test]
async fn what_a_release_wrote_is_found_and_gone_on_with() {
    assert!(!versions().is_empty());
    for version in versions() {
        println!("release {version}");
        let mut proxy = start(&version);
        finds_all_of_it(&proxy).await;
        goes_on(&proxy).await;
        // What was gone on with is read again, too.
        proxy.terminate();
        proxy.restart();
        let mut conn = client::connect(proxy.mysql()).await;
        run(&mut conn, "USE shop").await;
        assert_eq!(body(&mut conn, &triple("trip-1", "BASE", 3)).await.as_deref(), Some(r#"{"fare":13}"#), "{version}");
        assert_eq!(rows::<String>(&mut conn, "SELECT ROUTE FROM people").await, [r#"["a"]"#], "{version}");
    }
}

async fn finds_all_of_it(proxy: &Proxy) {
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, "USE shop").await;
    let tables: Vec<String> = rows(&mut conn, "SHOW TABLES").await;
    assert_eq!(tables, ["emptied", "renamed", "riders", "trips"]);
    let cells: Vec<(String, String, i64, String)> =
        rows(&mut conn, "SELECT row_key, column_key, ref_key, body FROM trips ORDER BY row_key, column_key, ref_key")
            .await;
    let cell = |row: &str, column: &str, reference, body: &str| (row.into(), column.into(), reference, body.into());
    assert_eq!(
        cells,
        [
            cell("trip-1", "BASE", 1, r#"{"fare":10}"#),
            cell("trip-1", "BASE", 2, r#"{"fare":12}"#),
            cell("trip-2", "BASE", 1, r#"{"fare":20}"#),
            cell("trip-2", "NOTE", 1, r#""late""#),
        ]
    );
    let riders: Vec<(String, String, String, Option<String>)> =
        rows(&mut conn, "SELECT row_key, PROFILE, STATE, CITY FROM riders").await;
    assert_eq!(riders, [("ann".into(), r#"{"name":"Ann"}"#.into(), r#""new""#.into(), None)]);
    assert_eq!(rows::<i64>(&mut conn, "SELECT COUNT(*) FROM emptied").await, [0]);
    assert_eq!(rows::<(i64, String)>(&mut conn, "SELECT ref_key, body FROM renamed").await, [(7, "[7]".into())]);
    let comment = "SELECT table_comment FROM information_schema.tables WHERE table_name = 'trips'";
    assert_eq!(rows::<String>(&mut conn, comment).await, ["one row per trip"]);
}

async fn goes_on(proxy: &Proxy) {
    let mut app = client::try_connect(user(proxy, "app", "app-password")).await.unwrap();
    let wrong = client::try_connect(user(proxy, "app", "another")).await;
    assert!(wrong.is_err_and(|error| error.to_string().contains("1045")));
    let before: i64 = rows(&mut app, "SELECT MAX(added_id) FROM trips").await[0];
    // The same bytes are done already, others are taken for what they are, and an erased name stays taken.
    assert_eq!(put(&mut app, &triple("trip-1", "BASE", 2), r#"{"fare":12}"#).await.unwrap(), 0);
    for name in [triple("trip-1", "BASE", 2), triple("erased", "BASE", 1)] {
        let error = put(&mut app, &name, r#"{"fare":99}"#).await.unwrap_err();
        assert!(error.to_string().contains("1062"), "{name:?}: {error}");
    }
    run(&mut app, r#"INSERT INTO trips (row_key, column_key, body) VALUES ('trip-1', 'BASE', '{"fare":13}')"#).await;
    assert_eq!(body(&mut app, &triple("trip-1", "BASE", 3)).await.as_deref(), Some(r#"{"fare":13}"#));
    let after: i64 = rows(&mut app, "SELECT MAX(added_id) FROM trips").await[0];
    assert!(after > before, "{after} comes after {before} in the log");
    assert_eq!(refused(&mut app, "DROP TABLE trips").await.code, 1142);
    let mut cleaner = client::try_connect(user(proxy, "cleaner", "cleaner-password")).await.unwrap();
    run(&mut cleaner, "DELETE FROM trips WHERE row_key = 'trip-2' AND column_key = 'NOTE' AND ref_key = 1").await;
    assert_eq!(body(&mut app, &triple("trip-2", "NOTE", 1)).await, None);
    let mut root = client::connect(proxy.mysql()).await;
    run(&mut root, "USE shop").await;
    run(&mut root, "ALTER TABLE riders ADD COLUMN ROUTE JSON").await;
    run(&mut root, "RENAME TABLE riders TO people").await;
    run(&mut root, r#"INSERT INTO people (row_key, ROUTE) VALUES ('ann', '["a"]')"#).await;
    run(&mut root, "CREATE TABLE gone ENGINE=CELLS").await;
    assert_eq!(rows::<i64>(&mut root, "SELECT COUNT(*) FROM gone").await, [0]);
    run(&mut root, "DROP TABLE renamed").await;
    run(&mut root, "TRUNCATE TABLE emptied").await;
}

/// A release that is made without its stores here is one whose upgrade nobody tries.
#[test]
fn every_release_of_the_changelog_has_its_stores_here() {
    let changelog = std::fs::read_to_string(releases().join("../../CHANGELOG.md")).unwrap();
    let titles = changelog.lines().filter_map(|line| line.strip_prefix("## "));
    let mut released: Vec<&str> =
        titles.filter(|title| title.starts_with(|first: char| first.is_ascii_digit())).collect();
    released.sort_unstable();
    assert_eq!(versions(), released);
}
