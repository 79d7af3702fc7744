//! Numbers and SQLSTATEs of errors, as clients and ORMs key on them.

use cellgate_integration_tests::client::{self, Refusal, TRIPS, get, put, refused, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::proxy::Options;
use cellgate_integration_tests::raw::Raw;
use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::{Deployment, http};
use mysql_async::prelude::Queryable;

const PUT: &str = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES";

#[tokio::test]
async fn statements_are_refused_with_mysqls_numbers() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    run(&mut conn, &format!("{PUT} ('a', 'BASE', 1, '{{}}')")).await;
    let long_key = "k".repeat(1021);
    let long_column = "c".repeat(65);
    let cases: Vec<(String, u16, &str)> = vec![
        (format!("{PUT} ('a', 'BASE', 1, '{{\"other\":1}}')"), 1062, "23000"),
        (TRIPS.to_owned(), 1050, "42S01"),
        ("DROP TABLE missing".to_owned(), 1051, "42S02"),
        ("SELECT body FROM missing WHERE row_key = 'a'".to_owned(), 1146, "42S02"),
        (
            "INSERT INTO missing (row_key, column_key, ref_key, body) VALUES ('a', 'b', 1, '1')".to_owned(),
            1146,
            "42S02",
        ),
        ("SELECT nothing FROM trips WHERE row_key = 'a'".to_owned(), 1054, "42S22"),
        ("SELECT body FROM trips WHERE nothing = 'a'".to_owned(), 1054, "42S22"),
        ("SELECT FROM WHERE".to_owned(), 1064, "42000"),
        ("nonsense".to_owned(), 1064, "42000"),
        ("USE missing".to_owned(), 1049, "42000"),
        ("SELECT @@no_such_variable".to_owned(), 1193, "HY000"),
        ("SET SESSION no_such_variable = 1".to_owned(), 1193, "HY000"),
        (format!("{PUT} ('a', 'BASE', 2, 'not json')"), 3140, "22032"),
        (format!("{PUT} ('a', 'BASE', 2, NULL)"), 1048, "23000"),
        (format!("{PUT} (NULL, 'BASE', 2, '1')"), 1048, "23000"),
        (format!("{PUT} ('{long_key}', 'BASE', 2, '1')"), 1406, "22001"),
        (format!("{PUT} ('a', '{long_column}', 2, '1')"), 1406, "22001"),
        (format!("{PUT} ('a', 'BASE', 9223372036854775808, '1')"), 1264, "22003"),
        (format!("{PUT} ('a', 'BASE', 'many', '1')"), 1366, "HY000"),
        (format!("{PUT} ('a', 'BASE', 2)"), 1136, "21S01"),
        ("UPDATE trips SET body = '2' WHERE row_key = 'a'".to_owned(), 1235, "42000"),
        (
            "REPLACE INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '2')".to_owned(),
            1235,
            "42000",
        ),
        (format!("{PUT} ('a', 'BASE', 1, '2') ON DUPLICATE KEY UPDATE body = '2'"), 1235, "42000"),
        ("SELECT body FROM trips WHERE added_id = 1".to_owned(), 1235, "42000"),
        ("LOCK TABLES missing WRITE".to_owned(), 1146, "42S02"),
        ("KILL 4000000000".to_owned(), 1094, "HY000"),
        ("CREATE FULLTEXT INDEX i ON trips (body)".to_owned(), 1235, "42000"),
        (String::new(), 1065, "42000"),
    ];
    let mut wrong = Vec::new();
    for (statement, code, state) in &cases {
        let shown: String = statement.chars().take(90).collect();
        match conn.query_drop(statement).await {
            Ok(()) => wrong.push(format!("{shown}: accepted, not {code} ({state})")),
            Err(error) => match Refusal::of(&error) {
                Some(refusal) if (refusal.code, refusal.state.as_str()) == (*code, *state) => {}
                Some(refusal) => wrong.push(format!("{shown}: {refusal:?}, not {code} ({state})")),
                None => panic!("{shown}: {error}"),
            },
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // After all that the connection is as good as new.
    let two: Option<i64> = conn.query_first("SELECT 1 + 1").await.unwrap();
    assert_eq!(two, Some(2));
}

#[tokio::test]
async fn an_error_names_what_was_refused_and_what_to_write_instead() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    run(&mut conn, &format!("{PUT} ('key-of-it', 'BASE', 1, '1')")).await;
    let duplicate = refused(&mut conn, &format!("{PUT} ('key-of-it', 'BASE', 1, '2')")).await;
    assert!(duplicate.message.starts_with("Duplicate entry '"), "{duplicate:?}");
    assert!(duplicate.message.contains("key-of-it"), "{duplicate:?}");
    let update = refused(&mut conn, "UPDATE trips SET body = '2' WHERE row_key = 'a'").await;
    assert!(update.message.contains("UPDATE") && update.message.contains("ref_key"), "{update:?}");
    let syntax = refused(&mut conn, "SELECT body FROM trips WHERE row_key ==== 'a'").await;
    assert!(syntax.message.starts_with("You have an error in your SQL syntax"), "{syntax:?}");
}

#[tokio::test]
async fn without_a_database_a_table_is_1046() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::try_connect(client::options(proxy.mysql()).db_name(None::<String>)).await.unwrap();
    let refusal = refused(&mut conn, "SELECT body FROM trips WHERE row_key = 'a'").await;
    assert_eq!((refusal.code, refusal.state.as_str()), (1046, "3D000"));
}

#[tokio::test]
async fn an_unknown_database_at_login_is_1049_and_a_wrong_user_1045() {
    let proxy = Deployment::embedded().start();
    let connect = async |options| match client::try_connect(options).await {
        Ok(_) => panic!("accepted"),
        Err(error) => Refusal::of(&error).unwrap_or_else(|| panic!("{error}")),
    };
    let refusal = connect(client::options(proxy.mysql()).db_name(Some("missing"))).await;
    assert_eq!((refusal.code, refusal.state.as_str()), (1049, "42000"));
    let refusal = connect(client::options(proxy.mysql()).user(Some("nobody"))).await;
    assert_eq!((refusal.code, refusal.state.as_str()), (1045, "28000"));
    let refusal = connect(client::options(proxy.mysql()).pass(Some("wrong"))).await;
    assert_eq!((refusal.code, refusal.state.as_str()), (1045, "28000"));
}

#[tokio::test]
async fn a_user_with_a_password_gets_in_with_it_and_not_without() {
    let deployment = Deployment::configured("[[user]]\nname = \"app\"\npassword_file = \"app.pw\"\n");
    std::fs::write(deployment.directory().join("app.pw"), "s3cret\n").unwrap();
    let proxy = deployment.start();
    let app = || client::options(proxy.mysql()).user(Some("app"));
    let mut conn = client::try_connect(app().pass(Some("s3cret"))).await.unwrap();
    let two: Option<i64> = conn.query_first("SELECT 1 + 1").await.unwrap();
    assert_eq!(two, Some(2));
    for wrong in [None, Some("S3cret"), Some("s3cret ")] {
        let error = client::try_connect(app().pass(wrong)).await.expect_err("refused");
        assert_eq!(Refusal::of(&error).map(|refusal| refusal.code), Some(1045), "{wrong:?}");
    }
}

#[test]
fn an_unknown_command_is_1047_and_the_connection_goes_on() {
    let proxy = Deployment::embedded().start_with(Options::default());
    let mut raw = Raw::login(proxy.mysql(), std::time::Duration::from_secs(20)).unwrap();
    for command in [0x05, 0x1d, 0x77, 0xff] {
        raw.command(command, b"?").unwrap();
        assert_eq!(raw.reply().unwrap(), cellgate_integration_tests::raw::Reply::Error(1047), "command {command:#x}");
    }
    raw.command(cellgate_integration_tests::raw::COM_PING, b"").unwrap();
    assert_eq!(raw.reply().unwrap(), cellgate_integration_tests::raw::Reply::Ok);
}

#[tokio::test]
async fn a_write_that_is_cut_off_by_its_time_says_what_may_be_done() {
    let mut builder = Builder::new();
    let url = builder.shared_mariadb_database();
    let (_, database) = url.rsplit_once('/').unwrap();
    let times = "[timeouts]\nstatement = \"3s\"\nlock = \"20s\"\n";
    let proxy = builder.text(times).topology(SHARDS, None).cluster("m", &url).build().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    put(&mut conn, &triple("a", "BASE", 1), "1").await.unwrap();
    // Somebody holds the log head: writes wait.
    let address = (std::net::Ipv4Addr::LOCALHOST, MariaDb::shared().port()).into();
    let mut holder = client::try_connect(client::options(address).db_name(Some(database))).await.unwrap();
    run(&mut holder, "BEGIN").await;
    run(&mut holder, "SELECT * FROM cg_head FOR UPDATE").await;
    // `max_execution_time` is about reads.
    run(&mut conn, "SET max_execution_time = 1").await;
    let timeouts =
        || http::metrics(proxy.http()).unwrap()["cellgate_cluster_errors_total{cluster=\"m\",kind=\"timeout\"}"];
    let counted = timeouts();
    let insert = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 2, '2')";
    let refusal = refused(&mut conn, insert).await;
    assert!(refusal.code == 3024 && refusal.message.contains("may be stored"), "{refusal:?}");
    assert!(refusal.message.contains("it waited for cluster 'm'"), "{refusal:?}");
    // Of that nobody is shown more afterwards.
    let shown: Option<(String, u16, String)> = conn.query_first("SHOW WARNINGS").await.unwrap();
    assert_eq!(shown, Some(("Error".to_owned(), refusal.code, refusal.message)));
    let refusal =
        refused(&mut conn, "DELETE FROM trips WHERE row_key = 'a' AND column_key = 'BASE' AND ref_key = 1").await;
    assert!(refusal.code == 3024 && refusal.message.contains("may be erased"), "{refusal:?}");
    assert!(refusal.message.contains("it waited for cluster 'm'"), "{refusal:?}");
    // The same of several rows, of one by its template, and of one that waits behind those several.
    let rows = "INSERT INTO trips (row_key, column_key, body) VALUES ('a', 'BASE', '3'), ('b', 'BASE', '3')";
    let behind = "INSERT INTO trips (row_key, column_key, body) VALUES ('b', 'BASE', '4')";
    for statement in [rows, &insert.replace("'a', 'BASE', 2", "'c', 'BASE', 1"), behind] {
        let refusal = refused(&mut conn, statement).await;
        assert!(refusal.code == 3024 && refusal.message.contains("it waited for cluster 'm' (log id "), "{refusal:?}");
        let id = refusal.message.split("log id ").nth(1).and_then(|rest| rest.split(')').next()).expect("an id");
        let log = proxy.log();
        let line = log.lines().find(|line| line.contains(id)).expect(&log);
        assert!(line.contains("a statement ran out of time") && line.contains("cluster 'm'"), "{line}");
    }
    // Each once, whatever becomes of what goes on.
    assert_eq!(timeouts(), counted + 5.0);
    // That is none of a statement that waits for something else.
    run(&mut conn, "SET max_execution_time = 100").await;
    let refusal = refused(&mut conn, "SELECT SLEEP(20)").await;
    assert!(refusal.code == 3024 && !refusal.message.contains("cluster"), "{refusal:?}");
    run(&mut holder, "ROLLBACK").await;
    // What was cut off goes on: a repetition settles it.
    run(&mut conn, "SET max_execution_time = 0").await;
    run(&mut conn, insert).await;
    assert_eq!(get(&mut conn, &triple("a", "BASE", 2)).await.unwrap().as_deref(), Some("2"));
}

#[tokio::test]
async fn max_execution_time_bounds_selects_and_nothing_else() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, "PREPARE hinted FROM 'SELECT /*+ MAX_EXECUTION_TIME(1) */ SLEEP(20)'").await;
    assert_eq!(refused(&mut conn, "EXECUTE hinted").await.code, 3024, "the hint is the prepared statement's");
    run(&mut conn, "PREPARE slept FROM 'DO SLEEP(0.1)'").await;
    run(&mut conn, "SET max_execution_time = 1").await;
    assert_eq!(refused(&mut conn, "SELECT SLEEP(20)").await.code, 3024);
    for other in ["DO SLEEP(0.1)", "SET @slept = SLEEP(0.1)", "EXECUTE slept"] {
        run(&mut conn, other).await;
    }
    run(&mut conn, "SET max_execution_time = 0").await;
    assert_eq!(client::rows::<i64>(&mut conn, "SELECT @slept").await, [0]);
}

#[tokio::test]
async fn a_clients_own_limit_and_anothers_lock_count_as_no_failure_of_the_server() {
    let proxy = Deployment::embedded().start();
    let (mut conn, mut holder) = (client::connect(proxy.mysql()).await, client::connect(proxy.mysql()).await);
    let failed =
        |kind: &str| http::metrics(proxy.http()).unwrap()[&format!("cellgate_queries_failed_total{{kind=\"{kind}\"}}")];
    run(&mut holder, TRIPS).await;
    run(&mut holder, "LOCK TABLES trips READ").await;
    run(&mut holder, "DO GET_LOCK('taken', 0)").await;
    run(&mut conn, "SET lock_wait_timeout = 1").await;
    assert_eq!(refused(&mut conn, &format!("{PUT} ('a', 'BASE', 1, '1')")).await.code, 1205);
    let hint = "SELECT /*+ MAX_EXECUTION_TIME(1) */";
    for late in ["SLEEP(20)", "GET_LOCK('taken', 20)"] {
        assert_eq!(refused(&mut conn, &format!("{hint} {late}")).await.code, 3024, "{late}");
    }
    // Behind the others: they are counted by now.
    run(&mut conn, "DO 1").await;
    assert_eq!(["timeout", "conflict", "killed"].map(failed), [0.0, 1.0, 2.0]);
}

#[tokio::test]
async fn the_text_of_an_error_is_bounded() {
    let proxy = Deployment::embedded().start_with(Options::default());
    let mut conn = client::connect(proxy.mysql()).await;
    let refusal = refused(&mut conn, &format!("SELECT `{}`", "ä".repeat(1 << 20))).await;
    assert_eq!(refusal.code, 1054);
    assert!((1000..=2048).contains(&refusal.message.len()) && refusal.message.ends_with("ä..."), "{refusal:?}");
}
