//! Time zones by name: what a session in Berlin sees is what a real MariaDB shows it, also where a clock is changed.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use cellgate_integration_tests::random::Random;
use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::{Deployment, client, golden, process, settings};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row, Value};

/// Zones whose clocks are changed in ways of their own: by an hour, by half of one and by two, in the south, backwards,
/// by decree, by a day, and not at all.
const ZONES: [&str; 12] = [
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Africa/Casablanca",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Pacific/Apia",
    "Pacific/Chatham",
];
/// Years asked for in each zone, beside this one.
const YEARS: usize = 2;
const THIS_YEAR: u64 = 2026;
/// How many expressions go in one statement.
const AT_ONCE: usize = 120;

async fn answers(conn: &mut Conn, statement: &str) -> Vec<String> {
    let rows: Vec<Row> = conn.query(statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
    let text = |value: Value| match value {
        Value::NULL => "NULL".to_owned(),
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        other => other.as_sql(true),
    };
    rows.into_iter().flat_map(|row| row.unwrap().into_iter().map(text)).collect()
}

/// A MariaDB that knows [`ZONES`] from the same files.
fn mariadb() -> MariaDb {
    let server = MariaDb::private();
    server.execute("SET GLOBAL time_zone = '+00:00'");
    for zone in ZONES {
        let file = format!("/usr/share/zoneinfo/{zone}");
        let statements = process::output(Command::new("mariadb-tzinfo-to-sql").args([&file, zone]));
        server.execute(&format!("USE mysql; {statements}"));
    }
    server
}

#[tokio::test]
async fn every_zone_is_what_mariadb_says_it_is() {
    let seed = settings::seed_or(20_261_128);
    let mut random = Random::new(seed);
    let proxy = Deployment::embedded().start();
    let server = mariadb();
    let mut ours = golden::connect(proxy.mysql(), "test").await;
    let mut theirs = golden::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, server.port())), "mysql").await;
    let mut wrong = Vec::new();
    for zone in ZONES {
        let set = format!("SET time_zone = '{}'", zone.to_lowercase());
        client::run(&mut ours, &set).await;
        client::run(&mut theirs, &set).await;
        let mut expressions = vec![
            format!("CONVERT_TZ('1969-12-31 23:00:00', '+00:00', '{zone}')"),
            format!("CONVERT_TZ('3500-01-01', '{zone}', '+00:00')"),
            format!("CONVERT_TZ(NULL, '{zone}', '+00:00')"),
            format!("CONVERT_TZ('2024-05-05 05:05:05', '{zone}', NULL)"),
            format!("CONVERT_TZ('2024-05-05 05:05:05', '{zone}', 'No/Where')"),
        ];
        let years = (0..YEARS).map(|_| 1971 + random.below(66)).chain([THIS_YEAR]).collect::<Vec<_>>();
        for (year, month, day) in
            years.iter().flat_map(|y| (1..=12).flat_map(move |m| (1..=28).map(move |d| (y, m, d))))
        {
            // Clocks are changed at night, mostly on Sundays towards the end of a month.
            for minutes in [5, 65, 125, 155, 185] {
                let (hour, minute, second) = (minutes / 60, minutes % 60, random.below(60));
                let local = format!("'{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}'");
                expressions.push(match random.below(3) {
                    0 => format!("FROM_UNIXTIME({})", random.below(2_145_000_000)),
                    1 => format!("UNIX_TIMESTAMP({local})"),
                    _ => format!("CONVERT_TZ({local}, '{zone}', '{}')", random.pick(&ZONES)),
                });
            }
        }
        for expressions in expressions.chunks(AT_ONCE) {
            let statement = format!("SELECT {}", expressions.join(", "));
            let (ours, theirs) = (answers(&mut ours, &statement).await, answers(&mut theirs, &statement).await);
            assert_eq!((ours.len(), theirs.len()), (expressions.len(), expressions.len()));
            for ((ours, theirs), expression) in ours.iter().zip(&theirs).zip(expressions) {
                if ours != theirs {
                    wrong.push(format!("{zone}: {expression}\n  ours {ours}, MariaDB's {theirs}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ (SEED={seed})\n{}", wrong.len(), wrong[..wrong.len().min(15)].join("\n"));
}

#[tokio::test]
async fn a_session_sees_every_time_in_its_zone() {
    let proxy = Deployment::embedded().start();
    let mut conn = golden::connect(proxy.mysql(), "test").await;
    client::run(&mut conn, "CREATE TABLE places ENGINE=CELLS").await;
    client::run(&mut conn, "INSERT INTO places (row_key, column_key, ref_key, body) VALUES ('a', 'b', 1, '{}')").await;
    let utc: String = conn.query_first("SELECT CAST(created_at AS CHAR) FROM places").await.unwrap().unwrap();
    client::run(&mut conn, "SET time_zone = 'asia/kathmandu'").await;
    let zone: Option<String> = conn.query_first("SELECT @@time_zone").await.unwrap();
    assert_eq!(zone.as_deref(), Some("Asia/Kathmandu"), "the name as its file has it");
    let shown = format!("SELECT CAST(CONVERT_TZ('{utc}', 'UTC', '+05:45') AS CHAR)");
    let shown: String = conn.query_first(shown).await.unwrap().unwrap();
    for statement in [
        "SELECT CAST(created_at AS CHAR) FROM places".to_owned(),
        format!("SELECT CONVERT_TZ(t.at, 'UTC', 'asia/kathmandu') FROM (SELECT '{utc}' AS at) AS t"),
        format!("SELECT FROM_UNIXTIME(t.at) FROM (SELECT UNIX_TIMESTAMP('{shown}') AS at) AS t"),
        "SELECT CAST(MAX(created_at) AS CHAR) FROM places GROUP BY row_key".to_owned(),
        format!("SELECT CAST(created_at AS CHAR) FROM places WHERE created_at >= '{shown}'"),
        format!("SELECT CAST(created_at AS CHAR) FROM places WHERE shard >= 0 AND created_at = '{shown}'"),
        format!("SELECT '{shown}' FROM places WHERE UNIX_TIMESTAMP(created_at) = UNIX_TIMESTAMP('{shown}')"),
        "SELECT CAST(CONVERT_TZ(CONVERT_TZ(created_at, @@time_zone, 'Europe/Berlin'), 'europe/berlin', \
         'Asia/Kathmandu') AS CHAR) FROM places"
            .to_owned(),
    ] {
        let found: Vec<String> = conn.query(&statement).await.unwrap_or_else(|e| panic!("{statement}: {e}"));
        assert_eq!(found, [shown.as_str()], "{statement}");
    }
    let later: Option<String> =
        conn.exec_first("SELECT row_key FROM places WHERE created_at > ?", (&shown,)).await.unwrap();
    assert_eq!(later, None);
    let converted: Option<String> = conn
        .exec_first("SELECT CAST(CONVERT_TZ(?, ?, ?) AS CHAR)", ("2024-07-01 12:00:00", "UTC", "America/New_York"))
        .await
        .unwrap();
    assert_eq!(converted.as_deref(), Some("2024-07-01 08:00:00"));
    let now = "SELECT NOW() = CONVERT_TZ(UTC_TIMESTAMP(), '+00:00', @@time_zone), CURRENT_TIMESTAMP = LOCALTIMESTAMP()";
    assert_eq!(conn.query_first::<(u8, u8), _>(now).await.unwrap(), Some((1, 1)));
}

#[tokio::test]
async fn what_is_no_zone_is_refused_by_name() {
    let proxy = Deployment::embedded().start();
    let mut conn = golden::connect(proxy.mysql(), "test").await;
    for name in
        ["Mars/Olympus", "../../../etc/passwd", "/usr/share/zoneinfo/UTC", "tzdata.zi", "Europe", "right/UTC", ""]
    {
        let refusal = client::refused(&mut conn, &format!("SET time_zone = '{name}'")).await;
        assert_eq!(refusal.code, 1298, "{name}");
        let converted = format!("SELECT CONVERT_TZ('2024-01-01', 'UTC', '{name}') IS NULL");
        assert_eq!(conn.query_first::<u8, _>(converted).await.unwrap(), Some(1), "{name}");
    }
    // A global zone is the next session's.
    client::run(&mut conn, "SET GLOBAL time_zone = 'Europe/Berlin'").await;
    let mut next = golden::connect(proxy.mysql(), "test").await;
    let zone = "SELECT @@time_zone, UNIX_TIMESTAMP('2024-07-01 02:00:00')";
    let found: Option<(String, u64)> = next.query_first(zone).await.unwrap();
    assert_eq!(found, Some(("Europe/Berlin".to_owned(), 1_719_792_000)));
    // By a zone that each row names: offsets only.
    client::run(&mut next, "CREATE TABLE zoned ENGINE=CELLS").await;
    client::run(&mut next, "INSERT INTO zoned (row_key, column_key, ref_key, body) VALUES ('+02:00', 'b', 1, '{}')")
        .await;
    let by_row = "SELECT CAST(CONVERT_TZ('2024-01-01 00:00:00', 'UTC', row_key) AS CHAR) FROM zoned";
    assert_eq!(next.query_first::<String, _>(by_row).await.unwrap().as_deref(), Some("2024-01-01 02:00:00"));
    client::run(
        &mut next,
        "INSERT INTO zoned (row_key, column_key, ref_key, body) VALUES ('Asia/Tokyo', 'b', 1, '{}')",
    )
    .await;
    assert_eq!(client::refused(&mut next, by_row).await.code, 1235);
}
