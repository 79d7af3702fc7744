//! Bounds: connections, packet sizes both ways, what a client may send before it has logged in.

mod statements;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cellgate_integration_tests::Deployment;
use cellgate_integration_tests::client::{self, Refusal, TRIPS, get, put, run, triple};
use cellgate_integration_tests::raw::{COM_PING, COM_QUERY, PACKET_BYTES, Raw, Reply};
use cellgate_integration_tests::{http, wait};
use mysql_async::prelude::Queryable;

const LIMIT: Duration = Duration::from_secs(60);
const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn one_connection_too_many_is_1040_and_a_free_place_is_given_again() {
    let users = "[[user]]\nname = \"root\"\n[[user]]\nname = \"app\"\ngrants = [\"SELECT ON *.*\"]\n";
    let proxy = Deployment::configured(&format!("[limits]\nmax_connections = 3\n{users}")).start();
    let options = |user: &'static str| client::options(proxy.mysql()).user(Some(user));
    let refused = async |user| {
        let error = client::try_connect(options(user)).await.expect_err("refused");
        let refusal = Refusal::of(&error).unwrap_or_else(|| panic!("{error}"));
        assert_eq!(refusal.code, 1040, "{refusal:?}");
    };
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(client::try_connect(options("app")).await.unwrap());
    }
    refused("app").await;
    // Somebody must be able to look, and to end others.
    let mut admin = client::try_connect(options("root")).await.unwrap();
    refused("root").await;
    refused("app").await;
    // The log says which limit it was, and not each time.
    let log = proxy.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("clients are refused (1040)")).collect();
    assert!(matches!(told[..], [line] if line.contains("limits.max_connections")), "{told:?}");
    let id = held[0].id();
    run(&mut admin, &format!("KILL {id}")).await;
    wait::until_async("a free place", LIMIT, async || client::try_connect(options("app")).await.ok()).await;
}

#[tokio::test]
async fn bodies_up_to_the_limit_go_both_ways() {
    let proxy = Deployment::configured("[limits]\nmax_allowed_packet = \"64MiB\"\n").start();
    let options = client::options(proxy.mysql()).max_allowed_packet(Some(64 * MIB));
    let mut conn = client::try_connect(options).await.unwrap();
    run(&mut conn, TRIPS).await;
    // A row of the result that is exactly one byte below, at and above the longest packet, and the longest body.
    let overhead = 4;
    let longest = 16 * MIB - 64 * 1024;
    for (reference, len) in [(1_i64, 1), (2, MIB), (3, longest - 1), (4, longest)] {
        let body = format!("\"{}\"", "x".repeat(len.max(2) - 2));
        conn.exec_drop(
            "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('big', 'BASE', ?, ?)",
            (reference, &body),
        )
        .await
        .unwrap_or_else(|error| panic!("a body of {len} bytes: {error}"));
        let found: Option<String> = conn
            .exec_first(
                "SELECT body FROM trips WHERE row_key = 'big' AND column_key = 'BASE' AND ref_key = ?",
                (reference,),
            )
            .await
            .unwrap_or_else(|error| panic!("a body of {len} bytes: {error}"));
        assert!(found.as_deref() == Some(body.as_str()), "a body of {len} bytes came back with another content");
    }
    // A literal in the reply makes packets of every size around the border.
    for len in [PACKET_BYTES - 1 - overhead, PACKET_BYTES - overhead, PACKET_BYTES + 1 - overhead, PACKET_BYTES + MIB] {
        let text = "y".repeat(len);
        let found: Option<String> = conn
            .query_first(format!("SELECT '{text}' AS t"))
            .await
            .unwrap_or_else(|error| panic!("a literal of {len} bytes: {error}"));
        assert!(found.as_deref() == Some(text.as_str()), "a literal of {len} bytes came back with another content");
    }
    let error = conn
        .exec_drop(
            "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('big', 'BASE', 9, ?)",
            (format!("\"{}\"", "x".repeat(longest - 1)),),
        )
        .await
        .expect_err("one byte too many");
    assert_eq!(Refusal::of(&error).map(|refusal| refusal.code), Some(1406), "{error}");
}

#[tokio::test]
async fn the_time_in_which_a_client_reads_is_not_the_statements() {
    let proxy = Deployment::configured("[timeouts]\nstatement = \"5s\"\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    let mut watch = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    // More than the buffers of both sides hold.
    let rows = 48_i64;
    let body = format!("\"{}\"", "x".repeat(MIB));
    let insert = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('big', 'BASE', ?, ?)";
    for version in 1..=rows {
        conn.exec_drop(insert, (version, &body)).await.unwrap();
    }
    let read = "SELECT ref_key, body FROM trips WHERE row_key = 'big' ORDER BY ref_key DESC";
    let mut result = conn.query_iter(read).await.unwrap();
    let mut found = Vec::new();
    while let Some(row) = result.next().await.unwrap() {
        let (version, text): (i64, String) = mysql_async::from_row(row);
        assert_eq!(text.len(), body.len());
        found.push(version);
        if found.len() == 1 {
            // Longer than a statement may take, which those here are, too.
            for _ in 0..3 {
                run(&mut watch, "DO SLEEP(2.5)").await;
            }
        }
    }
    assert_eq!(found, (1..=rows).rev().collect::<Vec<_>>());
    // What the client said is about all of it.
    let limited = "SELECT /*+ MAX_EXECUTION_TIME(4000) */ ref_key, body FROM trips WHERE row_key = 'big'";
    let mut result = conn.query_iter(limited).await.unwrap();
    assert!(result.next().await.unwrap().is_some());
    for _ in 0..2 {
        run(&mut watch, "DO SLEEP(2.5)").await;
    }
    let ended = loop {
        match result.next().await {
            Ok(Some(_)) => {}
            ended => break ended,
        }
    };
    let refusal = Refusal::of(&ended.expect_err("its time was over")).map(|refusal| refusal.code);
    assert_eq!(refusal, Some(3024));
}

#[test]
fn a_statement_of_exactly_the_longest_packet_is_one_statement() {
    let proxy = Deployment::configured("[limits]\nmax_allowed_packet = \"64MiB\"\n").start();
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    for payload in [PACKET_BYTES - 1, PACKET_BYTES, PACKET_BYTES + 1, 2 * PACKET_BYTES] {
        let head = "SELECT 1 /*";
        let statement = format!("{head}{}*/", "z".repeat(payload - 1 - head.len() - 2));
        assert_eq!(statement.len() + 1, payload);
        assert_eq!(raw.query(statement.as_bytes()).unwrap(), Reply::Rows(1), "payload of {payload} bytes");
    }
}

#[test]
fn a_packet_over_max_allowed_packet_is_1153() {
    let proxy = Deployment::configured("[limits]\nmax_allowed_packet = \"1MiB\"\n").start();
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    let statement = format!("SELECT 1 /*{}*/", "z".repeat(2 * MIB));
    // The server may close while we are still writing; its answer comes first.
    let _ = raw.command(COM_QUERY, statement.as_bytes());
    assert_eq!(raw.reply().unwrap(), Reply::Error(1153));
    assert_eq!(http::metrics(proxy.http()).unwrap()["cellgate_queries_failed_total{kind=\"limit\"}"], 1.0);
    // Others are not harmed.
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    raw.command(COM_PING, b"").unwrap();
    assert_eq!(raw.reply().unwrap(), Reply::Ok);
}

#[test]
fn a_stranger_cannot_make_the_proxy_hold_a_big_packet() {
    let proxy = Deployment::embedded().start();
    let before = proxy.resident_bytes();
    let mut strangers = Vec::new();
    for _ in 0..20 {
        let mut raw = Raw::connect(proxy.mysql(), LIMIT).unwrap();
        raw.read_packet().unwrap();
        // A login that says it has 16 MiB, and sends four of them.
        // It may be sent away before it has sent them all.
        let _ = raw.write_bytes(&[0xff, 0xff, 0xff, 0x01]);
        let _ = raw.write_bytes(&vec![0x41; 4 * MIB]);
        strangers.push(raw);
    }
    // Each was answered or sent away: nothing of what they sent is still to be read.
    let left =
        strangers.iter_mut().filter_map(|stranger| stranger.read_packet().ok()).filter(|answer| answer[0] != 0xff);
    assert_eq!(left.count(), 0, "a stranger was let in");
    let grown = proxy.resident_bytes().saturating_sub(before);
    assert!(grown < 32 * MIB as u64, "20 strangers cost {grown} bytes");
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    assert_eq!(raw.query(b"SELECT 1").unwrap(), Reply::Rows(1));
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let proxy = Deployment::embedded().start();
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    let mut expected = Vec::new();
    for turn in 0..50_u64 {
        match turn % 3 {
            0 => {
                raw.command(COM_PING, b"").unwrap();
                expected.push(Reply::Ok);
            }
            1 => {
                raw.command(COM_QUERY, b"SELECT 1").unwrap();
                expected.push(Reply::Rows(1));
            }
            _ => {
                raw.command(COM_QUERY, b"SELECT nothing FROM missing").unwrap();
                expected.push(Reply::Error(1146));
            }
        }
    }
    let found: Vec<Reply> = expected.iter().map(|_| raw.reply().unwrap()).collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn what_an_expression_makes_is_bounded_by_the_longest_packet() {
    let proxy = Deployment::configured("[limits]\nmax_allowed_packet = \"1MiB\"\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let body = format!("\"{}\"", "x".repeat(600 * 1024));
    let insert = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('r', 'c', 1, ?)";
    conn.exec_drop(insert, (&body,)).await.unwrap();
    let of_it = |expression: &str| format!("SELECT {expression} FROM trips WHERE row_key = 'r'");
    for expression in [
        "CONCAT(body, body)",
        "JSON_ARRAY(body, body)",
        "JSON_OBJECT('a', body, 'b', body)",
        "HEX(body)",
        "REPLACE(body->>'$', 'x', 'xx')",
        "LENGTH(CONCAT_WS(',', body, 'and', body))",
    ] {
        let value: Vec<Option<String>> = conn.query(of_it(expression)).await.unwrap();
        assert_eq!((value, conn.get_warnings()), (vec![None], 1), "{expression}");
        let warnings: Vec<(String, u16, String)> = conn.query("SHOW WARNINGS").await.unwrap();
        assert!(matches!(&warnings[..], [(level, 1301, _)] if level == "Warning"), "{expression}: {warnings:?}");
    }
    // A row, whether it is found by its key alone or looked through.
    for condition in ["row_key = 'r' AND column_key = 'c' AND ref_key = 1", "row_key = 'r'", "row_key = 'r' AND 1 = 1"]
    {
        let row = |columns: &str| format!("SELECT {columns} FROM trips WHERE {condition}");
        for _ in 0..2 {
            let error = conn.query_drop(row("body, body")).await.unwrap_err();
            assert!(matches!(&error, mysql_async::Error::Server(error) if error.code == 1153), "{condition}: {error}");
            let error = conn.exec_drop(row("body, body"), ()).await.unwrap_err();
            assert!(matches!(&error, mysql_async::Error::Server(error) if error.code == 1153), "{condition}: {error}");
            let one: Vec<String> = conn.query(row("body")).await.unwrap();
            assert_eq!(one, [body.as_str()]);
        }
    }
    // In a variable, prepared, and in the relational engine.
    conn.exec_drop("SET @half = ?", (&body,)).await.unwrap();
    for statement in [
        "SELECT CONCAT(@half, @half)",
        "SELECT CONCAT(@half, x.more) FROM (SELECT @half AS more) AS x",
        "SELECT CONCAT(@half, @half, x.more) FROM (SELECT 'a' AS more) AS x",
    ] {
        assert_eq!(conn.query_first::<Option<String>, _>(statement).await.unwrap(), Some(None), "{statement}");
        assert_eq!(conn.get_warnings(), 1, "{statement}");
    }
    for (statement, code) in [
        (of_it("body, body"), 1153),
        ("SET @whole = CONCAT(@half, @half)".to_owned(), 1301),
        (insert.replace('?', "JSON_ARRAY(@half, @half)").replace(" 1,", " 2,"), 1301),
    ] {
        let error = conn.query_drop(&statement).await.expect_err(&statement);
        let refusal = Refusal::of(&error).unwrap_or_else(|| panic!("{statement}: {error}"));
        assert_eq!(refusal.code, code, "{statement}: {refusal:?}");
    }
    let length: Option<usize> = conn.query_first(of_it("LENGTH(JSON_ARRAY(body))")).await.unwrap();
    assert_eq!(length, Some(body.len() + 2));
}

#[tokio::test]
async fn heavy_expressions_over_cells_keep_nobody_else_waiting() {
    let proxy = Deployment::configured("[timeouts]\nstatement = \"10m\"\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let insert = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (?, 'c', 1, ?)";
    conn.exec_drop(insert, ("heavy", format!("\"{}\"", "a".repeat(MIB)))).await.unwrap();
    conn.exec_drop(insert, ("light", "{\"n\":1}")).await.unwrap();
    // Hundreds of comparisons at each of a million places: nearly what a match may take, and a hundred of them.
    let pattern = format!("body LIKE '%{}b'", "a".repeat(400));
    let patterns = vec![pattern; 100].join(" OR ");
    let heavy = format!("SELECT ref_key FROM trips WHERE row_key = 'heavy' AND ({patterns})");
    let mut busy = Vec::new();
    for _ in 0..8 {
        busy.push(client::connect(proxy.mysql()).await);
    }
    let ids: Vec<u32> = busy.iter().map(mysql_async::Conn::id).collect();
    let mut running = tokio::task::JoinSet::new();
    for mut conn in busy {
        let heavy = heavy.clone();
        running.spawn(async move { conn.query_drop(heavy).await });
    }
    let all_run = async || {
        let shown: Vec<mysql_async::Row> = conn.query("SHOW PROCESSLIST").await.ok()?;
        let busy = shown.iter().filter(|row| row.get::<String, _>("Command").is_some_and(|c| c == "Query")).count();
        (busy > ids.len()).then_some(())
    };
    wait::until_async("the heavy statements", LIMIT, all_run).await;
    let light = "SELECT body->'$.n' AS n FROM trips WHERE row_key = 'light'";
    for _ in 0..100 {
        let n: Option<i64> = conn.query_first(light).await.unwrap();
        assert_eq!(n, Some(1));
    }
    // What is long to parse, and what is long to bind, is not done where the rows of the others are made.
    let values = |version: usize| format!("('a', 'c', {version}, '\"{}\"')", "x".repeat(200));
    let many = (0..400).map(values).collect::<Vec<_>>().join(", ");
    conn.query_drop(format!("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES {many}")).await.unwrap();
    for bytes in [64 << 10, 2 * MIB] {
        conn.exec_drop(insert, (format!("long-{bytes}"), format!("\"{}\"", "x".repeat(bytes)))).await.unwrap();
    }
    assert!(running.try_join_next().is_none(), "a hundred light statements took longer than one heavy one");
    for id in ids {
        conn.query_drop(format!("KILL QUERY {id}")).await.unwrap();
    }
    while let Some(ended) = running.join_next().await {
        let error = ended.unwrap().expect_err("it was killed");
        assert_eq!(Refusal::of(&error).map(|refusal| refusal.code), Some(1317), "{error}");
    }
}

#[tokio::test]
async fn groups_and_sorts_of_more_than_a_page_are_answered() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    // Pages that are worked on elsewhere, and little that is left behind them.
    for chunk in (0..2000).collect::<Vec<_>>().chunks(500) {
        let rows: Vec<String> =
            chunk.iter().map(|n| format!("('r{n:04}', 'c{}', 1, '\"{}\"')", n % 2, "x".repeat(100))).collect();
        let insert = format!("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES {}", rows.join(","));
        run(&mut conn, &insert).await;
    }
    let grouped: Vec<(String, i64)> =
        conn.query("SELECT column_key, COUNT(*) FROM trips GROUP BY column_key ORDER BY column_key").await.unwrap();
    assert_eq!(grouped, [("c0".to_owned(), 1000), ("c1".to_owned(), 1000)]);
    let distinct: Vec<String> = conn.query("SELECT DISTINCT column_key FROM trips ORDER BY column_key").await.unwrap();
    assert_eq!(distinct, ["c0", "c1"]);
    let liked: Option<i64> = conn.query_first("SELECT COUNT(*) FROM trips WHERE body LIKE '%x%'").await.unwrap();
    assert_eq!(liked, Some(2000));
    let last: Option<String> = conn
        .query_first("SELECT row_key FROM trips WHERE ref_key > 0 ORDER BY body, row_key DESC LIMIT 1")
        .await
        .unwrap();
    assert_eq!(last.as_deref(), Some("r1999"));
}

#[tokio::test]
async fn a_function_in_every_row_of_an_insert_is_called_once_for_each() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    // As many rows as a transaction may have cells. Each of them bound again for every call: fifty million.
    let rows = vec!["(UUID(), 'BASE', 1, CONCAT('', LAST_INSERT_ID(7)))"; 10_000].join(",");
    let insert = format!("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES {rows}");
    tokio::time::timeout(LIMIT, conn.query_drop(insert)).await.expect("in time").unwrap();
    assert_eq!(conn.affected_rows(), 10_000);
    let keys: Vec<String> = conn.query("SELECT row_key FROM trips LIMIT 20000").await.unwrap();
    assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), 10_000, "a new value for each row");
    let set: Option<(i64, i64, i64, i64)> =
        conn.query_first("SELECT LAST_INSERT_ID(), LAST_INSERT_ID(9), LAST_INSERT_ID(), SLEEP(0)").await.unwrap();
    assert_eq!(set, Some((7, 9, 9, 0)));
    assert_eq!(conn.query_first("SELECT LAST_INSERT_ID()").await.unwrap(), Some(9));
    // What has to be waited for is called between one binding and the next, and so no more than this often.
    let calls = |n: usize| format!("DO {}", vec!["SLEEP(0)"; n].join(", "));
    run(&mut conn, &calls(64)).await;
    let error = conn.query_drop(calls(65)).await.expect_err("too many");
    assert_eq!(Refusal::of(&error).map(|r| r.code), Some(1104), "{error}");
}

#[tokio::test]
async fn the_user_variables_of_a_session_are_bounded_together() {
    let proxy = Deployment::configured("[limits]\nuser_variables = \"64KiB\"\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    let of = |length: usize| format!("'{}'", "x".repeat(length));
    run(&mut conn, &format!("SET @a = {}", of(40_000))).await;
    for refused in [
        format!("SET @b = {}", of(40_000)),
        format!("SET @a = 1, autocommit = 0, @b = {}", of(70_000)),
        format!("SELECT 1, {} INTO @a, @b", of(70_000)),
    ] {
        let error = conn.query_drop(refused).await.expect_err("too much");
        assert_eq!(Refusal::of(&error).map(|r| r.code), Some(1104), "{error}");
    }
    let kept: Option<(String, Option<String>, i64)> = conn.query_first("SELECT @a, @b, @@autocommit").await.unwrap();
    assert_eq!(kept, Some(("x".repeat(40_000), None, 1)), "nothing of what was refused");
    run(&mut conn, &format!("SET @a = 1, @b = {}", of(60_000))).await;
    assert!(conn.reset().await.unwrap());
    run(&mut conn, &format!("SET @c = {}", of(60_000))).await;
}

#[tokio::test]
async fn rows_of_a_table_stream_beyond_what_may_be_collected() {
    let proxy = Deployment::configured("[limits]\ncollect_rows = 50\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, "CREATE TABLE riders (P JSON) ENGINE=CELLS").await;
    let values: Vec<String> = (0..400).map(|n| format!("('r{n:03}', '{n}')")).collect();
    run(&mut conn, &format!("INSERT INTO riders (row_key, P) VALUES {}", values.join(", "))).await;
    let sum = "SELECT COUNT(P), SUM(P) FROM riders";
    assert_eq!(client::rows::<(u64, f64)>(&mut conn, sum).await, [(400, 79_800.0)]);
    assert_eq!(client::rows::<(String, String)>(&mut conn, "SELECT row_key, P FROM riders LIMIT 3").await.len(), 3);
    let last = "SELECT row_key FROM riders WHERE P >= 0 ORDER BY row_key DESC LIMIT 2";
    assert_eq!(client::rows::<String>(&mut conn, last).await, ["r399", "r398"]);
    assert_eq!(client::refused(&mut conn, "SELECT row_key, P FROM riders ORDER BY P").await.code, 1104);
    // A transaction's own versions, and rows, are among them once.
    run(&mut conn, "BEGIN").await;
    run(&mut conn, "INSERT INTO riders (row_key, P) VALUES ('r007', '1000007'), ('r399', '1000399'), ('own', '1')")
        .await;
    let mut rows: Vec<(String, i64)> = client::rows(&mut conn, "SELECT row_key, P FROM riders").await;
    rows.sort();
    let own = |n: i64| if n == 7 || n == 399 { 1_000_000 + n } else { n };
    let mut expected: Vec<(String, i64)> = (0..400).map(|n| (format!("r{n:03}"), own(n))).collect();
    expected.insert(0, ("own".to_owned(), 1));
    assert_eq!(rows, expected);
    run(&mut conn, "ROLLBACK").await;
}

#[tokio::test]
async fn work_outside_of_rows_ends_within_the_time_of_a_statement() {
    let proxy = Deployment::configured("[timeouts]\nstatement = \"2s\"\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    // Each LIKE compares some hundred million characters.
    run(&mut conn, &format!("SET @t = '{}', @p = '%{}b'", "a".repeat(40_000), "a".repeat(12_000))).await;
    let many = vec!["@t LIKE @p"; 200].join(", ");
    let insert = "INSERT INTO trips (row_key, column_key, body) VALUES ('a', 'BASE', '1') RETURNING";
    for text in [format!("DO {many}"), format!("{insert} {many}"), "SHOW COLLATION WHERE @t LIKE @p".to_owned()] {
        let began = std::time::Instant::now();
        let refusal = conn.query_drop(&text).await.map_err(|error| Refusal::of(&error).map(|refusal| refusal.code));
        assert_eq!(refusal, Err(Some(3024)), "{}", &text[..20]);
        assert!(began.elapsed() < Duration::from_secs(20), "{} took {:?}", &text[..20], began.elapsed());
    }
}

#[tokio::test]
async fn long_texts_and_long_work_on_short_ones_keep_nobody_else_waiting() {
    let proxy = Deployment::configured("[limits]\nthreads = 1\n").start();
    let (text, pattern) = ("a".repeat(40_000), "a".repeat(12_000));
    let hostile = [
        format!("PREPARE p FROM {}", client::quote(&format!("SELECT 1 UNION SELECT '{text}' LIKE '%{pattern}b'"))),
        "DO @t LIKE @p, @t LIKE @p, @t LIKE @p, @t LIKE @p".to_owned(),
        "SHOW COLLATION WHERE @t LIKE @p".to_owned(),
        format!("DO 1 IN (1{})", ", 1".repeat(90_000)),
    ];
    let over = AtomicBool::new(false);
    let attack = async {
        let attack = async |statement: &String| {
            let mut conn = client::connect(proxy.mysql()).await;
            run(&mut conn, &format!("SET @t = '{text}', @p = '%{pattern}b'")).await;
            for _ in 0..2 {
                let outcome = conn.query_drop(statement).await;
                let refusal = outcome.err().map(|error| Refusal::of(&error).unwrap_or_else(|| panic!("{error}")).code);
                assert!(
                    matches!(refusal, None | Some(3024)),
                    "done, or not in time: {refusal:?}, {}",
                    &statement[..20]
                );
            }
        };
        let [a, b, c, d] = &hostile;
        tokio::join!(attack(a), attack(b), attack(c), attack(d));
        over.store(true, Ordering::Relaxed);
    };
    let others = async {
        let mut conn = client::connect(proxy.mysql()).await;
        run(&mut conn, TRIPS).await;
        put(&mut conn, &triple("a", "BASE", 1), "1").await.unwrap();
        let (mut slowest, mut count) = (Duration::ZERO, 0);
        // Reads from the cache: a disk that is busy with other tests keeps none of them waiting.
        while !over.load(Ordering::Relaxed) {
            let began = std::time::Instant::now();
            assert!(get(&mut conn, &triple("a", "BASE", 1)).await.unwrap().is_some());
            slowest = slowest.max(began.elapsed());
            count += 1;
        }
        (slowest, count)
    };
    let ((), (slowest, count)) = tokio::join!(attack, others);
    println!("the slowest of {count} statements took {slowest:?}");
    assert!(count > 10, "only {count} statements beside it");
    assert!(slowest < Duration::from_secs(2), "{slowest:?} of {count}");
}
