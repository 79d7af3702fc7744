//! What a SQLite file promises when the process that has it is killed, or its disk is full.
//!
//! A new process has copies of all open files of the one that starts it, until it has become its own program, and with them
//! the locks on them. So tests that start processes are not in the suite `sqlite`, which opens files again that it has just
//! closed, and take turns.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use cellgate_schemaless::{ColumnFilter, LogScan, ShardId};
use cellgate_store::{Backend, PutOutcome, StoreError};
use pairs::{name, open, pair, put, table};
use skipped::skipped;
use tokio::sync::Mutex;

#[path = "support/pairs.rs"]
mod pairs;
#[path = "support/skipped.rs"]
mod skipped;

static ALONE: Mutex<()> = Mutex::const_new(());

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
    let _alone = ALONE.lock().await;
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
    let _alone = ALONE.blocking_lock();
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
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "it was all on the small disk");
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
        up_to: None,
        limit: None,
    }
}
