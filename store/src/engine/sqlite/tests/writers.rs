//! A writer that has died or hangs.

use super::*;

#[tokio::test]
async fn a_writer_that_has_died_is_seen_and_nobody_else_gets_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    backend.ping().await.unwrap();
    let die = |_: &mut writer::WriteSide| -> Result<(), StoreError> { panic!("for the test") };
    assert!(backend.live().unwrap().writer.side(die).await.is_err());
    let ended = async {
        while backend.ping().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it is seen");
    assert!(backend.ping().await.unwrap_err().to_string().contains("its writer has ended"));
    assert!(backend.put(epoch, &[group(1, 8)]).await.is_err());
    let again = SqliteBackend::open(&directory.path().join("cells.db"), SqliteOptions::default());
    assert!(matches!(again, Err(StoreError::Refused { .. })), "it is still read from here");
}

#[tokio::test]
async fn what_waits_for_a_writer_is_bounded_in_bytes_and_what_was_given_up_is_not_written() {
    let directory = tempfile::tempdir().unwrap();
    let timeouts = Timeouts { queue: Duration::from_millis(50), ..Timeouts::default() };
    let options = SqliteOptions { timeouts, queue_bytes: 1000, ..SqliteOptions::default() };
    let (backend, epoch) = reopen(directory.path(), options).await;
    let backend = Arc::new(backend);
    let (release, blocked) = block(&backend).await;
    let put = |number: i64, bytes: usize| {
        let owned = Arc::clone(&backend);
        tokio::spawn(async move { owned.put(epoch, &[group(number, bytes)]).await })
    };
    let (first, given_up) = (put(1, 700), put(2, 100));
    while backend.live().unwrap().writer.room() > 200 {
        tokio::task::yield_now().await;
    }
    let full = put(3, 400).await.unwrap();
    assert!(matches!(full, Err(StoreError::Timeout { reason: Reason::Queue, .. })), "{full:?}");
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    release.send(()).unwrap();
    blocked.await.unwrap();
    assert_eq!(transactions(&first.await.unwrap().unwrap()), 1);
    put(4, 5000).await.unwrap().unwrap();
    let found = backend.get(&table(), &[1, 2, 3, 4].map(|number| triple("row", number))).await.unwrap();
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, false, true]);
}

#[tokio::test]
async fn a_writer_that_hangs_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    let timeouts =
        Timeouts { statement: Duration::from_millis(20), lock: Duration::from_millis(20), ..Timeouts::default() };
    let options = SqliteOptions { timeouts, ..SqliteOptions::default() };
    let backend = Arc::new(reopen(directory.path(), options).await.0);
    let begin = channel::<()>();
    let hang = move |_: &mut writer::WriteSide| {
        let _ = begin.1.recv();
        Ok(())
    };
    let hanging = tokio::spawn({
        let backend = backend.clone();
        async move { backend.live().unwrap().writer.side(hang).await }
    });
    let seen = async {
        while backend.ping().await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), seen).await.expect("it is seen");
    assert!(backend.ping().await.unwrap_err().to_string().contains("its writer hangs"));
    drop(begin.0);
    let _ = hanging.await.unwrap();
    let well = async {
        while backend.ping().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), well).await.expect("and that it goes on");
}
