//! Reads that go on in a snapshot, and those that are answered at once.

use super::*;

#[tokio::test]
async fn reads_go_on_in_one_snapshot_until_something_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions { readers: 1, ..SqliteOptions::default() }).await;
    backend.put(epoch, &[group(1, 10)]).await.unwrap();
    let keys = [triple("row", 1), triple("row", 2)];
    let there = async || {
        let found = backend.get(&table(), &keys).await.unwrap();
        found.iter().map(Option::is_some).collect::<Vec<bool>>()
    };
    let in_snapshot = async || {
        let readers = &backend.live().unwrap().readers;
        readers.inline(|sqlite| Ok(!sqlite.is_autocommit())).await.unwrap()
    };
    assert_eq!(there().await, [true, false]);
    assert_eq!(in_snapshot().await, Some(true));
    backend.put(epoch, &[group(2, 10)]).await.unwrap();
    assert_eq!(there().await, [true, true], "what was written is read");
}

#[tokio::test]
async fn what_is_known_at_once_is_what_asking_answers() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let latest = LatestKey { row: triple("row", 1).row, column: triple("row", 1).column, at_most: None };
    for number in 1..50 {
        let name = triple("row", number);
        assert!(matches!(backend.get_at_once(&table(), &name), AtOnce::Row(None)), "not there yet");
        backend.put(epoch, &[group(number, 10)]).await.unwrap();
        let asked = backend.get(&table(), std::slice::from_ref(&name)).await.unwrap().remove(0).unwrap();
        for known in [backend.get_at_once(&table(), &name), backend.latest_at_once(&table(), &latest)] {
            let AtOnce::Row(Some(cell)) = known else { panic!("not known: {known:?}") };
            assert_eq!((cell.triple, cell.body, cell.added_id), (name.clone(), asked.body.clone(), asked.added_id));
        }
    }
    let below = LatestKey { at_most: Some(RefKey(7)), ..latest };
    let AtOnce::Row(Some(cell)) = backend.latest_at_once(&table(), &below) else { panic!("not known") };
    assert_eq!(cell.triple.ref_key, RefKey(7));
}

#[tokio::test]
async fn what_cannot_be_read_at_once_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = SqliteBackend::open(&directory.path().join("none.db"), SqliteOptions::default()).unwrap();
    assert!(matches!(nowhere.get_at_once(&table(), &triple("row", 1)), AtOnce::Ask), "no file");
    let (backend, _) = open(directory.path(), SqliteOptions::default()).await;
    let other = TableRef::new("other", TableId(2), 1);
    assert!(matches!(backend.get_at_once(&other, &triple("row", 1)), AtOnce::Ask), "no table: asking says so");
    backend.close().await;
    assert!(matches!(backend.get_at_once(&table(), &triple("row", 1)), AtOnce::Ask), "closed");
}
