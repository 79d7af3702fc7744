//! Clients that cost: many that do nothing, and some that take without reading or ask without end.

use std::time::Duration;

use cellgate_integration_tests::Deployment;
use cellgate_integration_tests::client;
use cellgate_integration_tests::proxy::Proxy;
use cellgate_integration_tests::raw::{COM_QUERY, Raw, Reply, frame};
use cellgate_integration_tests::wait;
use cellgate_integration_tests::{process, settings};
use mysql_async::prelude::Queryable;

const LIMIT: Duration = Duration::from_secs(60);
const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
/// What an idle connection may cost, in bytes of the proxy's memory.
const IDLE_BYTES: u64 = 20 * KIB;
const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;
const COM_STMT_CLOSE: u8 = 0x19;
const COM_PROCESS_KILL: u8 = 0x0c;
const COM_RESET_CONNECTION: u8 = 0x1f;

/// Opens connections that have run a statement each.
fn idle(proxy: &Proxy, count: u64) -> Vec<Raw> {
    let connect = |_| {
        let mut raw = Raw::login(proxy.mysql(), LIMIT).expect("a place");
        assert_eq!(raw.query(b"SELECT 1").unwrap(), Reply::Rows(1));
        raw
    };
    (0..count).map(connect).collect()
}

#[test]
fn idle_connections_cost_little() {
    // Here and in the proxy each is an open file, beside some others.
    let count = (1000 * settings::rounds(1)).min(process::open_files().saturating_sub(400));
    assert!(count >= 500, "`ulimit -n` is too low to say anything about idle connections: {count} of them");
    let proxy = Deployment::configured("[limits]\nmax_connections = 100000\n").start();
    // The allocator and the first connection of each kind are not what an idle connection costs.
    let first = idle(&proxy, count / 10);
    let before = proxy.resident_bytes();
    let mut all = idle(&proxy, count - count / 10);
    let after = proxy.resident_bytes();
    let each = after.saturating_sub(before) / all.len() as u64;
    println!("{count} idle connections: {} MiB, {each} bytes each", after / MIB);
    assert!(each <= IDLE_BYTES, "{each} bytes each");
    assert!(after <= 300 * MIB, "{after} bytes");
    all.extend(first);
    for raw in &mut all {
        assert_eq!(raw.query(b"SELECT 1").unwrap(), Reply::Rows(1), "each of them still works");
    }
}

#[test]
fn prepared_statements_are_bounded_and_room_is_given_back() {
    let proxy = Deployment::configured("[limits]\nprepared_statements = 500\n").start();
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    let prepare = |raw: &mut Raw| {
        raw.command(COM_STMT_PREPARE, b"COMMIT").unwrap();
        raw.reply().unwrap()
    };
    for _ in 0..500 {
        assert_eq!(prepare(&mut raw), Reply::Ok);
    }
    let before = proxy.resident_bytes();
    for _ in 0..10_000 {
        assert_eq!(prepare(&mut raw), Reply::Error(1461));
    }
    let grown = proxy.resident_bytes().saturating_sub(before);
    assert!(grown < 8 * MIB, "{grown} bytes");
    raw.command(COM_STMT_CLOSE, &[1, 0, 0, 0]).unwrap();
    assert_eq!(prepare(&mut raw), Reply::Ok);
}

#[tokio::test]
async fn statements_prepared_by_name_are_bounded_as_well() {
    let proxy = Deployment::configured("[limits]\nprepared_statements = 20\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    for name in 0..20 {
        client::run(&mut conn, &format!("PREPARE s{name} FROM 'SELECT {name}'")).await;
    }
    assert_eq!(client::refused(&mut conn, "PREPARE one_more FROM 'SELECT 1'").await.code, 1461);
    // One that takes the place of another needs no more room, and what is let go of makes room.
    client::run(&mut conn, "PREPARE s7 FROM 'SELECT 70'").await;
    client::run(&mut conn, "DEALLOCATE PREPARE s8").await;
    client::run(&mut conn, "PREPARE one_more FROM 'SELECT 1'").await;
    let found: Option<u64> = mysql_async::prelude::Queryable::query_first(&mut conn, "EXECUTE s7").await.unwrap();
    assert_eq!(found, Some(70));
}

#[test]
fn the_texts_of_prepared_statements_are_bounded_whichever_way_they_are_prepared() {
    let proxy = Deployment::configured("[limits]\nprepared_bytes = \"1MiB\"\n").start();
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    // Its OK, its column and the end of them; or an error.
    let prepare = |raw: &mut Raw, text: &str| {
        raw.command(COM_STMT_PREPARE, text.as_bytes()).unwrap();
        let first = raw.read_packet().unwrap();
        if first[0] == 0xff {
            return Some(u16::from_le_bytes([first[1], first[2]]));
        }
        raw.read_packet().unwrap();
        raw.read_packet().unwrap();
        None
    };
    let long = format!("SELECT '{}'", "x".repeat(300 * KIB as usize));
    assert_eq!([prepare(&mut raw, &long), prepare(&mut raw, &long)], [None; 2]);
    assert_eq!(raw.query(format!("SET @text = \"{long}\"").as_bytes()).unwrap(), Reply::Ok);
    assert_eq!(raw.query(b"PREPARE one FROM @text").unwrap(), Reply::Ok);
    // Three of them, and no room for a fourth of either kind.
    assert_eq!(raw.query(b"PREPARE two FROM @text").unwrap(), Reply::Error(1461));
    assert_eq!(prepare(&mut raw, &long), Some(1461));
    // One that takes the place of another needs no more room; a short one has room beside them.
    assert_eq!(raw.query(b"PREPARE one FROM @text").unwrap(), Reply::Ok);
    assert_eq!(prepare(&mut raw, "SELECT 1"), None);
    // What is closed of one kind makes room for the other, and so does what is refused for something else.
    raw.command(COM_STMT_CLOSE, &[1, 0, 0, 0]).unwrap();
    assert_eq!(prepare(&mut raw, &format!("{long} FROM missing")), Some(1146));
    assert_eq!(raw.query(b"PREPARE two FROM @text").unwrap(), Reply::Ok);
    assert_eq!(raw.query(b"DEALLOCATE PREPARE one").unwrap(), Reply::Ok);
    assert_eq!(prepare(&mut raw, &long), None);
    assert_eq!(prepare(&mut raw, &long), Some(1461));
    // All are closed.
    raw.command(COM_RESET_CONNECTION, &[]).unwrap();
    assert_eq!(raw.reply().unwrap(), Reply::Ok);
    assert_eq!([prepare(&mut raw, &long), prepare(&mut raw, &long), prepare(&mut raw, &long)], [None; 3]);
}

#[tokio::test]
async fn what_is_answered_is_sent_before_a_command_behind_it_waits_for_another_client() {
    const MULTI_STATEMENTS: u32 = 0x1_0000;
    let proxy = Deployment::embedded().start();
    let mut holder = client::connect(proxy.mysql()).await;
    client::run(&mut holder, "CREATE TABLE trips ENGINE=CELLS").await;
    let connect = || {
        let raw = Raw::connect(proxy.mysql(), Duration::from_secs(20)).unwrap();
        raw.log_in_with(MULTI_STATEMENTS).unwrap()
    };
    let command = |code: u8, argument: &[u8]| frame(&[&[code], argument].concat(), &mut 0);
    let wait = b"SELECT GET_LOCK('x', -1)";
    let execute = |cursor: u8| command(COM_STMT_EXECUTE, &[1, 0, 0, 0, cursor, 1, 0, 0, 0]);
    for (row, behind) in [command(COM_QUERY, wait), execute(0), execute(1)].iter().enumerate() {
        let mut raw = connect();
        raw.command(COM_STMT_PREPARE, wait).unwrap();
        assert_eq!(raw.read_packet().unwrap()[0], 0);
        // Its column, and the end of them.
        raw.read_packet().unwrap();
        raw.read_packet().unwrap();
        let held: Option<i64> = holder.query_first("SELECT GET_LOCK('x', 0)").await.unwrap();
        assert_eq!(held, Some(1));
        let insert =
            format!("INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('r{row}', 'BASE', 1, '1')");
        raw.write_bytes(&[command(COM_QUERY, insert.as_bytes()), behind.clone()].concat()).unwrap();
        assert_eq!(raw.reply().unwrap(), Reply::Ok, "the answer of the INSERT");
        client::run(&mut holder, "DO RELEASE_LOCK('x')").await;
        assert_eq!(raw.read_packet().unwrap(), [1], "one column");
        drop(raw);
        wait::until_async("the lock to be free", LIMIT, async || {
            let free: Option<i64> = holder.query_first("SELECT IS_FREE_LOCK('x')").await.unwrap();
            (free == Some(1)).then_some(())
        })
        .await;
    }
    // The same of statements in one text.
    let mut raw = connect();
    client::run(&mut holder, "DO GET_LOCK('x', 0)").await;
    let both = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('s', 'BASE', 1, '1'); \
                SELECT GET_LOCK('x', -1)";
    raw.command(COM_QUERY, both.as_bytes()).unwrap();
    assert_eq!(raw.reply().unwrap(), Reply::Ok, "the answer of the INSERT");
    client::run(&mut holder, "DO RELEASE_LOCK('x')").await;
    assert_eq!(raw.reply().unwrap(), Reply::Rows(1));
}

#[tokio::test]
async fn who_does_not_read_is_not_read_from_and_can_be_killed() {
    let proxy = Deployment::configured("[timeouts]\nwrite = \"1h\"\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    let own: u32 = conn.query_first("SELECT CONNECTION_ID()").await.unwrap().unwrap();
    let before = proxy.resident_bytes();
    let mut greedy = Raw::login(proxy.mysql(), Duration::from_secs(5)).unwrap();
    let statement = format!("SELECT '{}' AS t", "x".repeat(MIB as usize));
    // It goes on until nothing more is taken.
    let sent = (0..2000).take_while(|_| greedy.command(COM_QUERY, statement.as_bytes()).is_ok()).count();
    assert!(sent < 1000, "{sent} MiB were taken of who reads nothing");
    let grown = proxy.resident_bytes().saturating_sub(before);
    println!("{sent} MiB taken, {} KiB held", grown / KIB);
    assert!(grown < 64 * MIB, "{grown} bytes");
    let ids: Vec<u32> = conn.query_map("SHOW PROCESSLIST", |row: mysql_async::Row| row.get(0).unwrap()).await.unwrap();
    let stuck: Vec<u32> = ids.into_iter().filter(|id| *id != own).collect();
    assert_eq!(stuck.len(), 1);
    let mut killer = Raw::login(proxy.mysql(), LIMIT).unwrap();
    killer.command(COM_PROCESS_KILL, &stuck[0].to_le_bytes()).unwrap();
    assert_eq!(killer.reply().unwrap(), Reply::Ok);
    wait::until_async("the killed connection to be gone", LIMIT, async || {
        let ids: Vec<u32> =
            conn.query_map("SHOW PROCESSLIST", |row: mysql_async::Row| row.get(0).unwrap()).await.unwrap();
        (!ids.contains(&stuck[0])).then_some(())
    })
    .await;
    killer.command(COM_PROCESS_KILL, &stuck[0].to_le_bytes()).unwrap();
    assert_eq!(killer.reply().unwrap(), Reply::Error(1094));
    proxy.assert_no_panic();
}

#[tokio::test]
async fn who_stops_in_the_middle_of_a_result_or_of_a_command_holds_nothing_for_longer_than_its_time() {
    let proxy = Deployment::configured("[timeouts]\nwrite = \"1s\"\nread = \"1s\"\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    client::run(&mut conn, client::TRIPS).await;
    let body = "x".repeat(MIB as usize);
    for row in 0..32 {
        let insert = "INSERT INTO trips (row_key, column_key, body) VALUES";
        client::run(&mut conn, &format!("{insert} ('{row}', 'BASE', '\"{body}\"')")).await;
    }
    let command = |text: &str| frame(&[&[COM_QUERY], text.as_bytes()].concat(), &mut 0);
    let long = command(&format!("SELECT '{}'", "x".repeat(20 * MIB as usize)));
    let results = command("SELECT row_key, body FROM test.trips");
    for (what, bytes) in [("a result", &results[..]), ("a command", &long[..long.len() / 2])] {
        let mut stuck = Raw::login(proxy.mysql(), LIMIT).unwrap();
        assert_eq!(stuck.query(b"SELECT GET_LOCK('x', 0)").unwrap(), Reply::Rows(1));
        assert_eq!(stuck.query(b"LOCK TABLES test.trips READ").unwrap(), Reply::Ok);
        stuck.write_bytes(bytes).unwrap();
        let began = std::time::Instant::now();
        let insert = "INSERT INTO trips (row_key, column_key, body) VALUES ('a', 'BASE', '1')";
        let (locked, inserted): (u8, ()) = {
            let mut other = client::connect(proxy.mysql()).await;
            let locked = conn.query_first("SELECT GET_LOCK('x', 30)");
            let (locked, inserted) = tokio::join!(locked, other.query_drop(insert));
            (locked.unwrap().unwrap(), inserted.unwrap())
        };
        assert_eq!((locked, inserted), (1, ()), "{what}");
        assert!(began.elapsed() < Duration::from_secs(15), "{what}: {:?}", began.elapsed());
        client::run(&mut conn, "DO RELEASE_LOCK('x')").await;
        // The other one has just left.
        wait::until_async("the stuck one to be gone", LIMIT, async || {
            let connected: Vec<u32> = client::rows(&mut conn, "SELECT id FROM information_schema.processlist").await;
            (connected.len() == 1).then_some(())
        })
        .await;
        // It was there until now.
        drop(stuck);
    }
    proxy.assert_no_panic();
}
