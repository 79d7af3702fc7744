//! What shares a transaction.

use super::*;

#[tokio::test]
async fn the_groups_of_one_call_are_one_transaction() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let groups: Vec<PutGroup> = (0..64).map(|n| group(n, 10)).collect();
    assert_eq!(transactions(&backend.put(epoch, &groups).await.unwrap()), 1);
}

#[tokio::test]
async fn calls_that_wait_together_are_one_transaction() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let backend = Arc::new(backend);
    let (release, blocker) = block(&backend).await;
    let mut calls: Vec<_> = (0..64)
        .map(|n| {
            let groups = [group(n, 10)];
            let backend = backend.clone();
            Box::pin(async move { backend.put(epoch, &groups).await.unwrap().remove(0) })
        })
        .collect();
    for call in &mut calls {
        assert!(futures_util::poll!(call).is_pending(), "queued, and waiting for its answer");
    }
    release.send(()).unwrap();
    blocker.await.unwrap();
    let mut outcomes = Vec::new();
    for call in calls {
        outcomes.push(call.await);
    }
    assert_eq!(transactions(&outcomes), 1);
}

#[tokio::test]
async fn the_groups_of_one_call_may_be_of_several_tables() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let other = TableRef::new("other", TableId(2), 1);
    backend.create_table(&other).await.unwrap();
    let mut groups: Vec<PutGroup> = (0..8).map(|n| group(n, 10)).collect();
    for group in groups.iter_mut().skip(1).step_by(2) {
        group.cells[0].table = other.clone();
    }
    let outcomes = backend.put(epoch, &groups).await.unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, PutOutcome::Stored(_))), "{outcomes:?}");
    for (table, first) in [(table(), 0), (other, 1)] {
        let names: Vec<Triple> = (0..8).map(|n| triple("row", n)).collect();
        let found = backend.get(&table, &names).await.unwrap();
        let there: Vec<bool> = found.iter().map(Option::is_some).collect();
        assert_eq!(there, (0..8).map(|n| n % 2 == first).collect::<Vec<bool>>());
    }
}

#[tokio::test]
async fn a_call_that_fails_does_not_fail_those_it_shares_a_transaction_with() {
    let directory = tempfile::tempdir().unwrap();
    let (backend, epoch) = open(directory.path(), SqliteOptions::default()).await;
    let backend = Arc::new(backend);
    backend.put(epoch, &[group(1, 8)]).await.unwrap();
    // No kind there is.
    let spoil = |sqlite: &rusqlite::Connection| Ok(sqlite.execute("UPDATE trips_1 SET kind = 77", [])?);
    backend.live().unwrap().writer.alone(spoil).await.unwrap();
    let (release, blocker) = block(&backend).await;
    let call = |number| {
        let (backend, groups) = (backend.clone(), [group(number, 10)]);
        Box::pin(async move { backend.put(epoch, &groups).await })
    };
    let mut calls = [call(2), call(1), call(3), call(4)];
    for call in &mut calls {
        assert!(futures_util::poll!(call).is_pending());
    }
    let [before, spoilt, behind, given_up] = calls;
    drop(given_up);
    release.send(()).unwrap();
    blocker.await.unwrap();
    assert!(matches!(before.await.unwrap().as_slice(), [PutOutcome::Stored(_)]));
    assert!(matches!(spoilt.await, Err(StoreError::Corrupt { .. })));
    assert!(matches!(behind.await.unwrap().as_slice(), [PutOutcome::Stored(_)]));
    // Behind all of them.
    backend.put(epoch, &[group(5, 10)]).await.unwrap();
    assert_eq!(backend.get(&table(), &[triple("row", 4)]).await.unwrap(), [None], "nobody waited for it");
}
