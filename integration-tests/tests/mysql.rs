//! What is MySQL's own: its server as a store, its clients at our door. Where it cannot be had (`xtask/src/mysql.rs`), these say so
//! and pass.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use cellgate_integration_tests::client::{self, TRIPS, get, put, run, triple};
use cellgate_integration_tests::deployment::{Builder, Deployment, SHARDS};
use cellgate_integration_tests::servers::Mysql;
use cellgate_integration_tests::{Proxy, process, settings};

/// A program of MySQL's, unless there is none.
fn program(name: &str) -> Option<PathBuf> {
    let program = settings::of_mysql(name);
    if program.is_none() {
        settings::skipped(&format!("there is no `{name}` of MySQL's here"));
    }
    program
}

/// One cluster at this address, written to and read from.
async fn use_a_cluster_at(address: &str) {
    let proxy = Builder::new().topology(SHARDS, None).cluster("y", address).build().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    for version in 1..=3 {
        let cell = triple("a", "BASE", version);
        assert_eq!(put(&mut conn, &cell, &version.to_string()).await.unwrap(), 1);
        assert_eq!(get(&mut conn, &cell).await.unwrap(), Some(version.to_string()));
    }
}

#[tokio::test]
async fn a_mysql_that_asks_for_a_password_is_logged_in_to_with_its_key_and_over_tls() {
    let Some(server) = Mysql::shared() else {
        settings::skipped("there is no MySQL here");
        return;
    };
    let (user, password) = ("cellgate_login", "pass word'ü");
    server.execute(&format!(
        "CREATE USER {user}@'127.0.0.1' IDENTIFIED WITH caching_sha2_password BY 'pass word''ü'; \
         GRANT ALL ON *.* TO {user}@'127.0.0.1'"
    ));
    let encoded = "pass%20word%27%C3%BC";
    // The first login needs the whole password, encrypted with the server's key; the next ones a proof of it. Over TLS the
    // password goes as it is, once the server has forgotten.
    for (mode, forget) in [("", true), ("", false), ("?sslmode=require", true), ("?sslmode=require", false)] {
        if forget {
            server.execute("FLUSH PRIVILEGES");
        }
        let database = server.create_database();
        use_a_cluster_at(&format!("mysql://{user}:{encoded}@127.0.0.1:{}/{database}{mode}", server.port())).await;
        server.drop_database(&database);
    }
    let database = server.create_database();
    let wrong = format!("mysql://{user}:wrong@127.0.0.1:{}/{database}", server.port());
    let refused = Builder::new().topology(SHARDS, None).cluster("y", &wrong).build().try_start(Default::default());
    let refused = refused.expect_err("a wrong password").to_string();
    assert!(refused.contains("1045") && !refused.contains(password), "{refused}");
    server.drop_database(&database);
    server.execute(&format!("DROP USER {user}@'127.0.0.1'"));
}

#[tokio::test]
async fn thousands_of_names_are_looked_up_and_the_table_is_not_read() {
    const ROWS: u32 = 60_000;
    let Some(server) = Mysql::private() else {
        settings::skipped("there is no MySQL here");
        return;
    };
    server.execute("CREATE DATABASE cells");
    let proxy = Builder::new().topology(SHARDS, None).cluster("y", &server.url("cells")).build().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    server.execute(&format!(
        "SET cte_max_recursion_depth = {ROWS}; USE cells; INSERT INTO trips_1 (added_id, shard, kind, def, ref_key, \
         created_at, token, row_key, column_key, body) WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 \
         FROM n WHERE i < {ROWS}) SELECT i, 0, 0, 1, 1, 1, 1, CONCAT('row-', i), 'BASE', \
         CONCAT('\"', REPEAT('x', 600), '\"') FROM n; ANALYZE TABLE trips_1"
    ));
    let names: Vec<String> = (1..=8000).map(|i| format!("('row-{}', 'BASE', 1)", i * 7)).collect();
    let select = format!("SELECT row_key FROM trips WHERE (row_key, column_key, ref_key) IN ({})", names.join(", "));
    let scanned = || -> u32 {
        let status = server.execute("SHOW GLOBAL STATUS LIKE 'Handler_read_rnd_next'");
        status.split_whitespace().last().and_then(|rows| rows.parse().ok()).expect("a number")
    };
    let before = scanned();
    assert_eq!(client::rows::<String>(&mut conn, &select).await.len(), names.len());
    let rows = scanned() - before;
    assert!(rows < ROWS / 2, "{rows} rows were read one after the other");
}

/// A client of MySQL's, for a proxy.
fn ask(program: &PathBuf, proxy: &Proxy) -> Command {
    let mut command = Command::new(program);
    command.args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--user=root"]);
    command.arg(format!("--port={}", proxy.mysql().port()));
    command
}

#[tokio::test]
async fn the_prompt_of_mysql_works() {
    let Some(mysql) = program("mysql") else { return };
    let proxy = Deployment::embedded().start();
    let batch = |statements: &str| {
        let mut command = ask(&mysql, &proxy);
        command.args(["--batch", "--raw", "--skip-column-names", "test", "--execute", statements]);
        command
    };
    let put = "CREATE TABLE trips ENGINE=CELLS; \
               INSERT INTO trips (row_key, column_key, body) VALUES ('Zürich', 'BASE', '{\"n\": 1}'); \
               SELECT row_key, column_key, ref_key, body FROM trips";
    assert_eq!(process::output(&mut batch(put)), "Zürich\tBASE\t1\t{\"n\": 1}\n");
    // Encrypted, as it asks for by itself.
    assert!(process::output(&mut batch("SHOW STATUS LIKE 'Ssl_cipher'")).contains("TLS_"));
    let refused = batch("SELECT * FROM nowhere").output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("ERROR 1146 (42S02)"), "{said}");
    let mut table = ask(&mysql, &proxy);
    let table = process::output(table.args(["--table", "test", "--execute", "SELECT MAX(ref_key) FROM trips"]));
    assert!(table.contains("|            1 |"), "{table}");
}

#[tokio::test]
async fn mysqldump_writes_what_mysql_restores() {
    let (Some(mysql), Some(dump)) = (program("mysql"), program("mysqldump")) else { return };
    let (proxy, fresh) = (Deployment::embedded().start(), Deployment::embedded().start());
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    for (version, body) in [(1, r#"{"quote": "'\\\n", "text": "日本"}"#), (2, "[1, 2.50]"), (5, "null")] {
        assert_eq!(put(&mut conn, &triple("a'\\", "BASE", version), body).await.unwrap(), 1);
    }
    let cells = |proxy: &Proxy| {
        let select = "SELECT row_key, column_key, ref_key, body FROM trips";
        process::output(ask(&mysql, proxy).args(["--batch", "--raw", "test", "--execute", select]))
    };
    let before = cells(&proxy);
    assert_eq!(before.lines().count(), 4, "{before}");
    for options in [&["--single-transaction"][..], &["--databases"], &["--hex-blob", "--complete-insert"]] {
        let text = process::output(ask(&dump, &proxy).args(options).arg("test"));
        let mut command = ask(&mysql, &fresh);
        let mut restore = command.arg("test").stdin(Stdio::piped()).spawn().unwrap();
        std::io::Write::write_all(restore.stdin.as_mut().unwrap(), text.as_bytes()).unwrap();
        assert!(restore.wait().unwrap().success(), "{options:?}");
        assert_eq!(cells(&fresh), before, "{options:?}");
    }
}
