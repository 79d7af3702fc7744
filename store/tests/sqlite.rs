//! What a SQLite file promises beside the suite: one process, nothing by looking, and what a kill leaves behind.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use cellgate_schemaless::{
    Body, ClusterNo, ColumnFilter, ColumnKey, LogScan, RefKey, RowKey, ShardId, TableId, TableRef, Token, Triple,
};
use cellgate_store::meta::MetaStore;
use cellgate_store::meta::sqlite::SqliteMeta;
use cellgate_store::sqlite::{SqliteBackend, SqliteOptions};
use cellgate_store::{Backend, FORMAT, GroupCell, Identity, PutGroup, PutMode, PutOutcome, StoreError};
use skipped::skipped;

#[path = "support/skipped.rs"]
mod skipped;

fn table() -> TableRef {
    TableRef::new("trips", TableId(1), 1)
}

fn name(number: i64) -> Triple {
    let row = RowKey::new(format!("row{}", number % 7)).unwrap();
    Triple { row, column: ColumnKey::new("base").unwrap(), ref_key: RefKey(number) }
}

/// A write of two cells that stand or fall together.
fn pair(number: i64) -> PutGroup {
    let cell = |number: i64| GroupCell {
        table: table(),
        shard: ShardId(3),
        triple: name(number),
        body: Body::json(format!("{{\"n\":{number}}}")).unwrap(),
        mode: PutMode::Explicit,
    };
    PutGroup { token: Token(number), cells: vec![cell(2 * number), cell(2 * number + 1)] }
}

async fn open(path: &Path) -> SqliteBackend {
    let backend = SqliteBackend::open(path, SqliteOptions::default()).unwrap();
    let identity = Identity {
        deployment: "d".repeat(32),
        cluster: ClusterNo::new(1).unwrap(),
        incarnation: 1,
        virtual_shards: 4096,
        hash: "xxh3".to_owned(),
        seed: 0,
        format: FORMAT,
    };
    backend.claim(&identity, &[ShardId(3)]).await.unwrap();
    backend.create_table(&table()).await.unwrap();
    backend
}

async fn put(backend: &SqliteBackend, group: PutGroup) -> PutOutcome {
    let (epoch, _) = backend.shards().await.unwrap();
    backend.put(epoch, &[group]).await.unwrap().remove(0)
}

fn entries(directory: &Path) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

#[tokio::test]
async fn opening_a_file_that_is_not_there_creates_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data").join("cells.db");
    let backend = SqliteBackend::open(&path, SqliteOptions::default()).unwrap();
    assert_eq!(backend.identity().await.unwrap(), None);
    backend.ping().await.unwrap();
    assert!(matches!(backend.get(&table(), &[name(1)]).await, Err(StoreError::Refused { .. })));
    backend.close().await;
    let meta = SqliteMeta::open(&directory.path().join("meta.db"), cellgate_store::Timeouts::default()).unwrap();
    assert!(!meta.exists().await.unwrap());
    assert!(meta.load("topology").await.is_err());
    assert_eq!(entries(directory.path()), 0);
}

#[tokio::test]
async fn times_go_on_from_the_last_one_though_the_clock_went_back() {
    const AHEAD: i64 = 3_600_000_000;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells.db");
    let backend = open(&path).await;
    let time = |outcome: PutOutcome| match outcome {
        PutOutcome::Stored(places) => places[0].created_at.0,
        other => panic!("{other:?}"),
    };
    let first = time(put(&backend, pair(1)).await);
    backend.close().await;
    let file = rusqlite::Connection::open(&path).unwrap();
    assert_eq!(file.execute("UPDATE cg_head SET at = at + ?", [AHEAD]).unwrap(), 1);
    drop(file);
    let backend = open(&path).await;
    for later in 1..=3 {
        assert_eq!(time(put(&backend, pair(1 + later)).await), first + AHEAD + later, "whatever the clock says");
    }
}

#[tokio::test]
async fn a_second_opening_of_a_file_is_refused_and_told_why() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells.db");
    let waiting = SqliteBackend::open(&path, SqliteOptions::default()).unwrap();
    let first = open(&path).await;
    let refused = |result: Result<(), StoreError>| match result {
        Err(StoreError::Refused { detail }) => {
            assert!(detail.contains("cells.db is in use by another process"), "{detail}");
        }
        other => panic!("expected a refusal, got {other:?}"),
    };
    refused(SqliteBackend::open(&path, SqliteOptions::default()).map(drop));
    let identity = first.identity().await.unwrap().unwrap();
    refused(waiting.claim(&identity, &[]).await.map(drop));
    first.close().await;
    let second = SqliteBackend::open(&path, SqliteOptions::default()).unwrap();
    assert_eq!(second.identity().await.unwrap(), Some(identity));
    drop(second);
    SqliteBackend::open(&path, SqliteOptions::default()).unwrap();

    let path = directory.path().join("meta.db");
    let meta = SqliteMeta::open(&path, cellgate_store::Timeouts::default()).unwrap();
    meta.create().await.unwrap();
    assert!(matches!(SqliteMeta::open(&path, cellgate_store::Timeouts::default()), Err(StoreError::Refused { .. })));
    drop(meta);
    SqliteMeta::open(&path, cellgate_store::Timeouts::default()).unwrap();
}

#[tokio::test]
async fn a_meta_store_that_was_taken_away_answers_and_takes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.db");
    let meta = SqliteMeta::open(&path, cellgate_store::Timeouts::default()).unwrap();
    meta.create().await.unwrap();
    assert!(meta.compare_and_set("a", 0, b"1").await.unwrap());
    for name in ["meta.db", "meta.db-wal"] {
        let (there, away) = (directory.path().join(name), directory.path().join("away"));
        std::fs::rename(&there, &away).unwrap();
        for another in [false, true] {
            if another {
                std::fs::write(&there, "").unwrap();
            }
            let error = meta.load("a").await.unwrap_err();
            assert!(error.to_string().contains("taken away"), "{name}: {error}");
            assert!(matches!(meta.compare_and_set("a", 1, b"2").await, Err(StoreError::Unavailable { .. })), "{name}");
        }
        std::fs::rename(&away, &there).unwrap();
        assert_eq!(meta.load("a").await.unwrap().unwrap().version, 1, "{name}");
    }
}

#[tokio::test]
async fn a_file_that_is_not_sqlite_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    let text = "these are notes, not a database. ".repeat(100);
    std::fs::write(&path, &text).unwrap();
    let opened = SqliteBackend::open(&path, SqliteOptions::default());
    assert!(matches!(opened, Err(StoreError::Corrupt { .. })), "{opened:?}");
    assert!(matches!(SqliteMeta::open(&path, cellgate_store::Timeouts::default()), Err(StoreError::Corrupt { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn a_closed_store_holds_everything_in_its_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells.db");
    let backend = open(&path).await;
    let first = put(&backend, pair(1)).await;
    backend.close().await;
    let closed = backend.put(cellgate_schemaless::Epoch(1), &[pair(2)]).await;
    assert!(matches!(closed, Err(StoreError::Unavailable { .. })), "{closed:?}");
    assert!(matches!(backend.get(&table(), &[name(2)]).await, Err(StoreError::Unavailable { .. })));
    let log = std::fs::metadata(directory.path().join("cells.db-wal")).map_or(0, |m| m.len());
    assert_eq!(log, 0, "the write-ahead log is empty");
    // A copy of the one file is a whole backup.
    let copy = directory.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    let copy = open(&copy).await;
    assert_eq!(put(&copy, pair(1)).await, first);
}

#[tokio::test]
async fn a_restart_goes_on_counting_where_it_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells.db");
    let mut last = 0;
    for start in 0..3 {
        let backend = open(&path).await;
        let PutOutcome::Stored(places) = put(&backend, pair(start)).await else { panic!("not stored") };
        for place in places {
            assert!(place.added_id.0 > last);
            last = place.added_id.0;
        }
        backend.close().await;
    }
}

/// The variable that turns [`writes_until_killed`] from a test of nothing into the victim.
const VICTIM: &str = "CELLGATE_TEST_VICTIM_FILE";

#[tokio::test]
async fn writes_until_killed() {
    let Some(path) = std::env::var_os(VICTIM) else { return };
    let backend = std::sync::Arc::new(open(Path::new(&path)).await);
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let backend = backend.clone();
            tokio::spawn(async move {
                for i in 0.. {
                    let number = i * 8 + writer;
                    assert!(matches!(put(&backend, pair(number)).await, PutOutcome::Stored(_)));
                    // Told only after it was acknowledged.
                    println!("acknowledged {number}");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn a_kill_at_any_time_loses_nothing_acknowledged_and_leaves_nothing_half_done() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cells.db");
    for round in 0..4 {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["writes_until_killed", "--exact", "--nocapture", "--test-threads=1"])
            .env(VICTIM, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = Vec::new();
        for line in BufReader::new(victim.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if let Some((_, number)) = line.split_once("acknowledged ") {
                acknowledged.push(number.parse::<i64>().unwrap());
            }
            if acknowledged.len() == 200 + 137 * round {
                victim.kill().unwrap();
            }
        }
        victim.wait().unwrap();
        assert!(acknowledged.len() >= 200, "the victim has written");

        // The lock went with the process.
        let backend = open(&path).await;
        for number in acknowledged {
            let found = backend.get(&table(), &[name(2 * number), name(2 * number + 1)]).await.unwrap();
            assert!(found.iter().all(Option::is_some), "acknowledged and gone: {number}");
        }
        let (mut scan, mut halves) = (log(), std::collections::HashMap::new());
        let mut places = Vec::new();
        loop {
            let page = backend.log(&table(), &scan).await.unwrap();
            scan.after = page.cells.last().map(|c| (c.shard, c.added_id));
            for cell in page.cells {
                *halves.entry(cell.triple.ref_key.0 / 2).or_insert(0) += 1;
                places.push(cell.added_id);
            }
            if !page.more {
                break;
            }
        }
        assert!(places.is_sorted_by(|a, b| a < b), "no id was handed out twice");
        assert!(halves.values().all(|cells| *cells == 2), "a group is half there");
        backend.close().await;
    }
}

/// The variable that turns [`fills_a_small_disk`] from a test of nothing into what its name says.
const SMALL_DISK: &str = "CELLGATE_TEST_SMALL_DISK";

#[test]
fn on_a_small_disk_the_log_leaves_room_and_a_little_room_is_enough_to_go_on() {
    let directory = tempfile::tempdir().unwrap();
    // A file system in memory that only a process of its own sees: it is gone with the process, however that ends.
    let mounted = |options: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(options).args(["--mount", "--", "sh", "-c"]);
        command.arg("mount -t tmpfs -o size=40m tmpfs \"$0\" && exec \"$@\"").arg(directory.path());
        command
    };
    // As root, or as the root of a namespace of users.
    let ways: [&[&str]; 2] = [&[], &["--map-root-user"]];
    let may = |options: &&&[&str]| mounted(options).arg("true").output().is_ok_and(|output| output.status.success());
    let Some(options) = ways.iter().find(may) else {
        return skipped("it needs the right to mount a file system");
    };
    let output = mounted(options)
        .arg(std::env::current_exe().unwrap())
        .args(["fills_a_small_disk", "--exact", "--test-threads=1"])
        .env(SMALL_DISK, directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(entries(directory.path()), 0, "it was all on the small disk");
}

#[tokio::test]
async fn fills_a_small_disk() {
    let Some(disk) = std::env::var_os(SMALL_DISK).map(std::path::PathBuf::from) else { return };
    let path = disk.join("cells.db");
    let bytes = |name: &str| std::fs::metadata(disk.join(name)).unwrap().len();
    let backend = open(&path).await;
    let (epoch, _) = backend.shards().await.unwrap();
    // Some 20 MiB of log.
    for number in 0..1500 {
        assert!(matches!(put(&backend, pair(number)).await, PutOutcome::Stored(_)));
    }
    assert!(bytes("cells.db-wal") < 12 << 20, "{} bytes", bytes("cells.db-wal"));

    let filler = std::fs::File::create(disk.join("filler")).unwrap();
    let mut filled = 0;
    while std::io::Write::write_all(&mut &filler, &[1; 4096]).is_ok() {
        filled += 4096;
    }
    let mut number = 1500;
    let full = loop {
        number += 1;
        match backend.put(epoch, &[pair(number)]).await {
            Ok(_) => assert!(number < 20_000, "it never gets full"),
            Err(error) => break error,
        }
    };
    assert!(matches!(full, StoreError::DiskFull { .. }), "{full:?}");
    let found = backend.get(&table(), &[name(2)]).await.unwrap();
    assert!(found[0].is_some(), "reads go on");

    // A megabyte is less than the log has by now.
    filler.set_len(filled - (1 << 20)).unwrap();
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while backend.put(epoch, &[pair(number)]).await.is_err() {
        assert!(std::time::Instant::now() < until, "it does not go on");
        tokio::task::yield_now().await;
    }
    assert!(bytes("cells.db-wal") < 1 << 20, "it was emptied: {} bytes", bytes("cells.db-wal"));
    for number in (0..1500).chain([number]) {
        let found = backend.get(&table(), &[name(2 * number), name(2 * number + 1)]).await.unwrap();
        assert!(found.iter().all(Option::is_some), "acknowledged and gone: {number}");
    }
    backend.close().await;
}

fn log() -> LogScan {
    LogScan {
        shards: vec![ShardId(3)],
        added_after: None,
        created_from: None,
        columns: ColumnFilter::All,
        after: None,
        limit: None,
    }
}
