//! Users and grants as their clients meet them: logins, refusals, what is shown, and two proxies.

use std::time::Duration;

use cellgate_integration_tests::client::{self, Refusal, TRIPS, refused, rows, run};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::{Deployment, Proxy, wait};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, SslOpts};

const LIMIT: Duration = Duration::from_secs(60);
const PUT: &str = "INSERT INTO shop.trips (row_key, column_key, ref_key, body) VALUES";
const GET: &str = "SELECT body FROM shop.trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1";

fn options(proxy: &Proxy, user: &str, password: &str) -> OptsBuilder {
    client::options(proxy.mysql()).user(Some(user)).pass(Some(password)).db_name(None::<String>)
}

async fn login(proxy: &Proxy, user: &str, password: &str) -> Conn {
    client::try_connect(options(proxy, user, password)).await.unwrap_or_else(|error| panic!("{user}: {error}"))
}

/// The number a login is refused with.
async fn turned_away(options: OptsBuilder) -> Refusal {
    let error = client::try_connect(options).await.expect_err("refused");
    Refusal::of(&error).unwrap_or_else(|| panic!("{error}"))
}

/// Two databases of one table each, with a cell.
async fn shops(root: &mut Conn) {
    for database in ["shop", "safe"] {
        run(root, &format!("CREATE DATABASE {database}")).await;
        run(root, &TRIPS.replace("trips", &format!("{database}.trips"))).await;
    }
    run(root, &format!("{PUT} ('a', 'BASE', 1, '{{}}')")).await;
}

async fn codes(conn: &mut Conn, cases: &[(&str, u16)]) {
    for (statement, code) in cases {
        let refusal = refused(conn, statement).await;
        assert_eq!(refusal.code, *code, "{statement}: {refusal:?}");
    }
}

#[tokio::test]
async fn a_user_may_do_what_was_granted_and_nothing_else() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    shops(&mut root).await;
    run(&mut root, "CREATE USER 'app'@'%' IDENTIFIED BY 'pw'").await;
    let mut app = login(&proxy, "app", "pw").await;

    // Nothing: not even that there is something.
    codes(
        &mut app,
        &[
            (GET, 1142),
            ("SELECT * FROM shop.missing", 1142),
            ("SELECT * FROM missing.t", 1142),
            ("USE shop", 1044),
            ("USE missing", 1044),
            ("SHOW TABLES FROM shop", 1044),
            ("SHOW COLUMNS FROM shop.trips", 1142),
            ("SHOW CREATE TABLE shop.trips", 1142),
            ("SHOW CREATE DATABASE shop", 1044),
            ("DESCRIBE shop.trips", 1142),
            ("EXPLAIN SELECT body FROM shop.trips WHERE row_key = 'a'", 1142),
            ("CREATE DATABASE mine", 1044),
            ("DROP DATABASE shop", 1044),
            ("DROP TABLE shop.trips", 1142),
            ("SET GLOBAL sql_mode = ''", 1227),
            ("CREATE USER other", 1227),
            ("GRANT SELECT ON shop.* TO app", 1227),
            ("SHOW GRANTS FOR root", 1227),
            ("DROP USER app", 1227),
        ],
    )
    .await;
    assert_eq!(app.prep(GET).await.err().and_then(|e| Refusal::of(&e)).map(|r| r.code), Some(1142));
    let refusal = refused(&mut app, GET).await;
    assert_eq!(refusal.message, "SELECT command denied to user 'app'@'localhost' for table 'trips'");
    let refusal = refused(&mut app, "USE shop").await;
    assert_eq!(refusal.message, "Access denied for user 'app'@'%' to database 'shop'");
    assert!(!rows::<String>(&mut app, "SHOW DATABASES").await.contains(&"shop".to_owned()));

    // Grants reach a session that is open, whatever it prepared, and whatever plans others left behind.
    let warm = root.prep(GET).await.unwrap();
    root.exec_first::<String, _, _>(&warm, ()).await.unwrap();
    run(&mut root, "GRANT SELECT ON shop.* TO app").await;
    assert_eq!(rows::<String>(&mut app, GET).await, ["{}"]);
    run(&mut app, "USE shop").await;
    let prepared = app.prep(GET).await.unwrap();
    assert_eq!(app.exec_first(&prepared, ()).await.unwrap(), Some("{}".to_owned()));
    assert_eq!(rows::<String>(&mut app, "SHOW TABLES").await, ["trips"]);
    let seen = rows::<String>(&mut app, "SHOW DATABASES").await;
    assert!(seen.contains(&"shop".to_owned()) && !seen.contains(&"safe".to_owned()), "{seen:?}");
    codes(
        &mut app,
        &[
            ("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('b', 'BASE', 1, '1')", 1142),
            ("INSERT INTO trips (row_key, column_key, body) VALUES ('b', 'BASE', '1'), ('c', 'BASE', '1')", 1142),
            ("DELETE FROM trips WHERE row_key = 'a'", 1142),
            ("ALTER TABLE trips ADD COLUMN c JSON", 1142),
            ("CREATE TABLE shop.own ENGINE=CELLS", 1142),
            ("SELECT body FROM safe.trips WHERE row_key = 'a'", 1142),
            ("SELECT body FROM shop.missing WHERE row_key = 'a'", 1146),
        ],
    )
    .await;
    run(&mut root, "GRANT INSERT, ERASE ON shop.trips TO app").await;
    run(&mut app, &format!("{PUT} ('b', 'BASE', 1, '1')")).await;
    run(&mut app, "DELETE FROM trips WHERE row_key = 'b'").await;
    assert_eq!(
        rows::<String>(&mut app, "SHOW GRANTS").await,
        [
            "GRANT USAGE ON *.* TO `app`@`%`",
            "GRANT SELECT ON `shop`.* TO `app`@`%`",
            "GRANT INSERT, ERASE ON `shop`.`trips` TO `app`@`%`",
        ]
    );
    assert_eq!(rows::<String>(&mut app, "SELECT CURRENT_USER()").await, ["app@%"]);

    // So does taking them away, down to the account itself.
    run(&mut root, "REVOKE SELECT ON shop.* FROM app").await;
    codes(&mut app, &[(GET, 1142)]).await;
    let again = app.exec_first::<String, _, _>(&prepared, ()).await.expect_err("refused");
    assert_eq!(Refusal::of(&again).map(|r| r.code), Some(1142));
    run(&mut root, "DROP USER app").await;
    codes(&mut app, &[(&format!("{PUT} ('c', 'BASE', 1, '1')"), 1142), ("USE shop", 1044)]).await;
    assert_eq!(turned_away(options(&proxy, "app", "pw")).await.code, 1045);
    assert_eq!(root.query_first::<String, _>(GET).await.unwrap().as_deref(), Some("{}"));
}

#[tokio::test]
async fn other_users_processes_and_accounts_are_hidden() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    run(&mut root, "CREATE USER app IDENTIFIED BY 'pw'").await;
    let mut app = login(&proxy, "app", "pw").await;
    let users = |list: Vec<mysql_async::Row>| -> Vec<String> {
        list.iter().filter_map(|row| row.get::<String, _>("User")).collect()
    };
    assert_eq!(users(rows(&mut app, "SHOW PROCESSLIST").await), ["app"]);
    assert_eq!(users(rows(&mut root, "SHOW PROCESSLIST").await), ["root", "app"]);
    let shown = rows::<String>(&mut root, "SHOW CREATE USER app").await;
    assert!(shown[0].contains("AS '<secret>'"), "{shown:?}");
    codes(&mut app, &[("SHOW CREATE USER root", 1227)]).await;
}

#[tokio::test]
async fn logins_are_refused_with_mysqls_numbers() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    run(&mut root, "CREATE USER app IDENTIFIED BY 'pw', small IDENTIFIED BY 'pw', safe IDENTIFIED BY 'pw'").await;
    assert_eq!(turned_away(options(&proxy, "app", "wrong")).await.code, 1045);
    assert_eq!(turned_away(options(&proxy, "nobody", "pw")).await.code, 1045);
    assert_eq!(turned_away(options(&proxy, "app", "pw").db_name(Some("test"))).await.code, 1044);

    run(&mut root, "ALTER USER app ACCOUNT LOCK").await;
    let refusal = turned_away(options(&proxy, "app", "pw")).await;
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (3118, "Access denied for user 'app'@'localhost'. Account is locked.")
    );
    assert_eq!(turned_away(options(&proxy, "app", "wrong")).await.code, 1045, "the lock is no oracle for passwords");
    run(&mut root, "ALTER USER app ACCOUNT UNLOCK").await;
    login(&proxy, "app", "pw").await;

    run(&mut root, "ALTER USER safe REQUIRE SSL").await;
    assert_eq!(turned_away(options(&proxy, "safe", "pw")).await.code, 1045);
    let encrypted = SslOpts::default().with_danger_accept_invalid_certs(true);
    let mut safe = client::try_connect(options(&proxy, "safe", "pw").ssl_opts(encrypted.clone())).await.unwrap();
    assert_eq!(rows::<String>(&mut safe, "SELECT CURRENT_USER()").await, ["safe@%"]);
    assert_eq!(turned_away(options(&proxy, "safe", "wrong").ssl_opts(encrypted)).await.code, 1045);

    run(&mut root, "ALTER USER small WITH MAX_USER_CONNECTIONS 2").await;
    let held = [login(&proxy, "small", "pw").await, login(&proxy, "small", "pw").await];
    assert_eq!(turned_away(options(&proxy, "small", "pw")).await.code, 1226);
    for conn in held {
        conn.disconnect().await.unwrap();
    }
    wait::until_async("a free place", LIMIT, async || client::try_connect(options(&proxy, "small", "pw")).await.ok())
        .await;
}

#[tokio::test]
async fn a_changed_password_counts_from_the_next_login_on() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    run(&mut root, "CREATE USER app IDENTIFIED BY 'old'").await;
    let mut open = login(&proxy, "app", "old").await;
    run(&mut open, "SET PASSWORD = 'new'").await;
    run(&mut open, "SELECT 1").await;
    assert_eq!(turned_away(options(&proxy, "app", "old")).await.code, 1045);
    login(&proxy, "app", "new").await;
    run(&mut root, "RENAME USER app TO other").await;
    login(&proxy, "other", "new").await;
    // Only the hash of the older plugin: a client that begins with the newer one is asked again.
    run(&mut root, "ALTER USER other IDENTIFIED BY PASSWORD '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'").await;
    login(&proxy, "other", "password").await;
    assert_eq!(turned_away(options(&proxy, "other", "new")).await.code, 1045);
}

#[tokio::test]
async fn a_password_is_in_no_log() {
    let config = "[log]\nslow_query = \"0s\"\nliterals = \"shown\"\n";
    let proxy = Deployment::configured(config).start();
    let mut root = client::connect(proxy.mysql()).await;
    run(&mut root, "CREATE USER app IDENTIFIED BY 'hidden-1'").await;
    run(&mut root, "ALTER USER app IDENTIFIED BY 'hidden-2'").await;
    refused(&mut root, "ALTER USER nobody IDENTIFIED BY 'hidden-3'").await;
    refused(&mut root, "GRANT ALL ON *.* TO app IDENTIFIED BY 'hidden-4'").await;
    let mut app = login(&proxy, "app", "hidden-2").await;
    run(&mut app, "SET PASSWORD = 'hidden-5'").await;
    // What is no statement is not known to have no password in it.
    refused(&mut root, "CREATE USER b IDENTIFIED WITH sha256_password BY 'hidden-6'").await;
    refused(&mut root, "CREATE USER b IDENTIFIED BY 'hidden-7' FOO").await;
    refused(&mut root, "CREATE USER b IDENTIFIED BY 'hidden-8'; SELEC 1").await;
    refused(&mut root, "CREATE USER b IDENTIFIED BY `hidden-9`").await;
    let kept = ["CREATE USER b IDENTIFIED ?", "IDENTIFIED BY '<secret>'", "a statement about accounts"];
    let log = proxy.until_logged("the statements", |log| kept.iter().all(|text| log.contains(text)));
    assert!(!log.contains("hidden"), "{log}");
}

#[tokio::test]
async fn no_length_keeps_a_statement_out_of_the_log() {
    let config = "[log]\nslow_query = \"0s\"\nliterals = \"shown\"\n";
    let proxy = Deployment::configured(config).start();
    let mut root = client::connect(proxy.mysql()).await;
    let long = "x".repeat(9 << 20);
    run(&mut root, "CREATE USER app").await;
    run(&mut root, &format!("GRANT SELECT /*{long}*/ ON mine.* TO app")).await;
    refused(&mut root, &format!("GRANT SELECT ON `{long}`.* TO app")).await;
    refused(&mut root, &format!("REVOKE SELECT ON `{long}`.* FROM app")).await;
    run(&mut root, &format!("SELECT LENGTH('{long}')")).await;
    let whole = ["SELECT ON `mine`.*", "bytes)", "SELECT LENGTH(", "REVOKE"];
    let log = proxy.until_logged("the long ones", |log| whole.iter().all(|text| log.contains(text)));
    assert!(!log.contains("lines of the log were lost"), "lost");
    assert!(log.lines().all(|line| line.len() < 100_000));
}

#[tokio::test]
async fn users_of_the_configuration_have_its_grants_and_cannot_be_changed() {
    let config = "[[user]]\nname = \"root\"\nerase = true\n\n[[user]]\nname = \"reader\"\npassword = \"pw\"\n\
                  grants = [\"SELECT ON shop.*\"]\nmax_connections = 1\n";
    let proxy = Deployment::configured(config).start();
    let mut root = client::connect(proxy.mysql()).await;
    shops(&mut root).await;
    let mut reader = login(&proxy, "reader", "pw").await;
    assert_eq!(rows::<String>(&mut reader, GET).await, ["{}"]);
    codes(&mut reader, &[("DROP TABLE shop.trips", 1142), ("SELECT * FROM safe.trips", 1142)]).await;
    assert_eq!(turned_away(options(&proxy, "reader", "pw")).await.code, 1226);
    codes(
        &mut root,
        &[
            ("ALTER USER reader IDENTIFIED BY 'x'", 1396),
            ("GRANT ALL ON *.* TO reader", 1396),
            ("DROP USER reader", 1396),
            ("CREATE USER reader", 1396),
            ("GRANT SELECT ON *.* TO nobody", 1410),
            ("SHOW GRANTS FOR nobody", 1141),
        ],
    )
    .await;
}

#[tokio::test]
async fn who_was_dropped_writes_nothing_behind_a_lock_or_at_commit() {
    let proxy = Deployment::embedded().start();
    let (mut root, mut admin) = (client::connect(proxy.mysql()).await, client::connect(proxy.mysql()).await);
    shops(&mut root).await;
    run(&mut root, "CREATE USER app IDENTIFIED BY 'pw'").await;
    run(&mut root, "GRANT SELECT, INSERT ON shop.* TO app").await;
    let (mut waiting, mut committing) = (login(&proxy, "app", "pw").await, login(&proxy, "app", "pw").await);
    run(&mut committing, "BEGIN").await;
    run(&mut committing, &format!("{PUT} ('b', 'BASE', 1, '1')")).await;

    run(&mut root, "LOCK TABLES shop.trips WRITE").await;
    let writing = tokio::spawn(async move {
        let refusal = refused(&mut waiting, &format!("{PUT} ('c', 'BASE', 1, '1')")).await;
        (waiting, refusal)
    });
    let list = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'INSERT%'";
    wait::until_async("the INSERT waits", LIMIT, async || (rows::<i64>(&mut root, list).await == [1]).then_some(()))
        .await;
    run(&mut admin, "DROP USER app").await;
    run(&mut root, "UNLOCK TABLES").await;
    assert_eq!(writing.await.unwrap().1.code, 1142);
    assert_eq!(refused(&mut committing, "COMMIT").await.code, 1142);
    let written = "SELECT COUNT(*) FROM shop.trips WHERE row_key IN ('b', 'c')";
    assert_eq!(rows::<i64>(&mut root, written).await, [0]);

    // The transaction is over, also if the right comes back.
    run(&mut root, "CREATE USER app").await;
    run(&mut root, "GRANT INSERT ON shop.trips TO app").await;
    run(&mut committing, "COMMIT").await;
    assert_eq!(rows::<i64>(&mut root, written).await, [0]);
}

#[tokio::test]
async fn a_commit_needs_rights_on_what_it_writes_by_the_names_of_then() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    shops(&mut root).await;
    run(&mut root, "CREATE USER app IDENTIFIED BY 'pw'").await;
    for database in ["shop", "safe"] {
        run(&mut root, &format!("GRANT SELECT, INSERT ON {database}.trips TO app")).await;
    }
    let (mut app, mut again) = (login(&proxy, "app", "pw").await, login(&proxy, "app", "pw").await);
    for app in [&mut app, &mut again] {
        run(app, "BEGIN").await;
        run(app, &format!("{PUT} ('b', 'BASE', 1, '1')")).await;
        run(app, "SAVEPOINT s").await;
        run(app, &format!("{} ('b', 'BASE', 1, '1')", PUT.replace("shop", "safe"))).await;
        run(app, "ROLLBACK TO s").await;
    }
    // They write nothing there any more.
    run(&mut root, "REVOKE INSERT ON safe.trips FROM app").await;
    run(&mut root, "RENAME TABLE shop.trips TO shop.moved").await;
    let refusal = refused(&mut app, "COMMIT").await;
    assert!(refusal.code == 1142 && refusal.message.contains("'moved'"), "{refusal:?}");
    run(&mut root, "REVOKE INSERT ON shop.trips FROM app").await;
    run(&mut root, "GRANT INSERT ON shop.moved TO app").await;
    run(&mut again, "COMMIT").await;
    assert_eq!(rows::<i64>(&mut root, "SELECT COUNT(*) FROM shop.moved WHERE row_key = 'b'").await, [1]);
}

#[tokio::test]
async fn a_new_user_works_at_every_proxy_at_once() {
    let mut builder = Builder::new();
    let meta = builder.shared_mariadb_database();
    // Nobody sees anything by polling.
    let deployment = builder
        .text("[meta]\npoll = \"1m\"\nmax_stale = \"2m\"\n")
        .topology(SHARDS, Some(&meta))
        .shared_mariadb("m")
        .build();
    let (one, two) = (deployment.start(), deployment.start());
    let mut root = client::connect(one.mysql()).await;
    shops(&mut root).await;
    run(&mut root, "CREATE USER app IDENTIFIED BY 'first'").await;
    let mut app = login(&two, "app", "first").await;
    run(&mut root, "ALTER USER app IDENTIFIED BY 'second'").await;
    login(&two, "app", "second").await;
    assert_eq!(turned_away(options(&two, "app", "first")).await.code, 1045);
    // A statement that is refused makes a proxy look again, too.
    run(&mut root, "GRANT SELECT ON shop.* TO app").await;
    assert_eq!(rows::<String>(&mut app, GET).await, ["{}"]);
    // And so does one that is prepared, for tables and for rights.
    run(&mut root, "CREATE DATABASE late").await;
    run(&mut root, &TRIPS.replace("trips", "late.trips")).await;
    let mut admin = client::connect(two.mysql()).await;
    for text in ["SHOW COLUMNS FROM late.trips", "SHOW TABLES FROM late"] {
        admin.prep(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    run(&mut root, &TRIPS.replace("trips", "late.again")).await;
    admin.prep("EXPLAIN SELECT * FROM late.again").await.unwrap();
    run(&mut root, "GRANT SELECT ON late.* TO app").await;
    app.prep("SHOW COLUMNS FROM late.trips").await.unwrap();
    // Changes of both proxies are kept.
    let mut other = client::connect(two.mysql()).await;
    run(&mut other, "CREATE USER second").await;
    run(&mut root, "CREATE USER third").await;
    assert_eq!(refused(&mut root, "CREATE USER second").await.code, 1396);
}

#[tokio::test]
async fn who_may_only_read_keeps_nobody_from_writing() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    shops(&mut root).await;
    run(&mut root, "CREATE USER app IDENTIFIED BY 'pw'").await;
    run(&mut root, "GRANT SELECT ON shop.* TO app").await;
    let mut app = login(&proxy, "app", "pw").await;
    codes(&mut app, &[("LOCK TABLES shop.trips READ", 1142), ("LOCK TABLES shop.trips WRITE", 1142)]).await;
    for privilege in ["LOCK TABLES", "INSERT"] {
        run(&mut root, &format!("GRANT {privilege} ON shop.* TO app")).await;
        run(&mut app, "LOCK TABLES shop.trips READ").await;
        run(&mut app, "UNLOCK TABLES").await;
        run(&mut root, &format!("REVOKE {privilege} ON shop.* FROM app")).await;
        codes(&mut app, &[("LOCK TABLES shop.trips READ", 1142)]).await;
    }
}

/// Statements, the rights that each needs and on which database, and what undoes it.
type Needy = (&'static str, &'static [(&'static str, &'static str)], Option<&'static str>);

/// A table that is called otherwise is dropped by one name and filled by another.
const RENAMING: &[(&str, &str)] = &[("ALTER", "shop"), ("DROP", "shop"), ("CREATE", "safe"), ("INSERT", "safe")];
const RENAMED_BACK: Option<&str> = Some("RENAME TABLE safe.moved TO shop.trips");
const NEEDY: [Needy; 9] = [
    ("TRUNCATE TABLE shop.trips", &[("DROP", "shop")], None),
    ("DROP TABLE shop.trips", &[("DROP", "shop")], Some("CREATE TABLE shop.trips ENGINE=CELLS")),
    ("RENAME TABLE shop.trips TO safe.moved", RENAMING, RENAMED_BACK),
    ("ALTER TABLE shop.trips RENAME TO safe.moved", RENAMING, RENAMED_BACK),
    ("ALTER TABLE shop.trips COMMENT='journeys'", &[("ALTER", "shop")], None),
    ("CREATE TABLE safe.copy ENGINE=CELLS", &[("CREATE", "safe")], Some("DROP TABLE safe.copy")),
    ("CREATE TABLE safe.copy LIKE shop.trips", &[("CREATE", "safe"), ("SELECT", "shop")], Some("DROP TABLE safe.copy")),
    (
        "INSERT INTO shop.trips (row_key, column_key, body) VALUES ('r', 'BASE', '1') RETURNING ref_key",
        &[("INSERT", "shop"), ("SELECT", "shop")],
        None,
    ),
    ("ALTER DATABASE shop CHARACTER SET utf8mb4", &[("ALTER", "shop")], None),
];

#[tokio::test]
async fn a_statement_is_refused_to_who_may_all_but_one_of_what_it_needs() {
    let proxy = Deployment::embedded().start();
    let mut root = client::connect(proxy.mysql()).await;
    shops(&mut root).await;
    run(&mut root, "CREATE USER app IDENTIFIED BY 'pw'").await;
    let mut app = login(&proxy, "app", "pw").await;
    for database in ["shop", "safe"] {
        run(&mut root, &format!("GRANT ALL ON {database}.* TO app")).await;
        run(&mut root, &format!("GRANT ERASE ON {database}.* TO app")).await;
    }
    for (statement, needs, undo) in NEEDY {
        for (privilege, database) in needs {
            run(&mut root, &format!("REVOKE {privilege} ON {database}.* FROM app")).await;
            let refusal = refused(&mut app, statement).await;
            if statement.starts_with("ALTER DATABASE") {
                assert_eq!(refusal.code, 1044, "{statement} without {privilege}: {refusal:?}");
            } else {
                assert_eq!(refusal.code, 1142, "{statement} without {privilege}: {refusal:?}");
                assert!(
                    refusal.message.starts_with(&format!("{privilege} command denied")),
                    "{statement}: {refusal:?}"
                );
            }
            run(&mut root, &format!("GRANT {privilege} ON {database}.* TO app")).await;
        }
        app.query_drop(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        if let Some(undo) = undo {
            run(&mut root, undo).await;
        }
    }
}
