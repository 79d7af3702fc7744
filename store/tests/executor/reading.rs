//! Point reads over several clusters.

use cellgate_schemaless::{Erasure, LatestKey, RefKey};
use cellgate_store::StoreError;
use cellgate_store::executor::RunError;

use crate::fixture::{Fixture, body, exact, latest, put_all, row_in, table, triple, versions};

#[tokio::test]
async fn exact_cells_are_answered_in_the_order_of_the_keys_whatever_cluster_has_them() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::mixed(directory.path()).await;
    let proxy = fixture.proxy();
    let rows: Vec<_> = [3, 1, 2, 1, 3, 2].into_iter().zip(0..).map(|(cluster, n)| row_in(cluster, n)).collect();
    put_all(&proxy, rows.iter().zip(10..).map(|(row, n)| exact(row, 1, n)).collect()).await;

    let mut keys: Vec<_> = rows.iter().rev().map(|row| triple(row, 1)).collect();
    keys.insert(2, triple(&rows[0], 2));
    keys.push(keys[0].clone());
    let found = proxy.get(&table(), keys).await.unwrap();

    let bodies: Vec<_> = found.iter().map(|c| c.as_ref().and_then(|c| c.body.clone())).collect();
    let expected = [Some(15), Some(14), None, Some(13), Some(12), Some(11), Some(10), Some(15)];
    assert_eq!(bodies, expected.map(|n| n.map(body)));
}

#[tokio::test]
async fn latest_cells_are_answered_in_the_order_of_the_keys_whatever_cluster_has_them() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::mixed(directory.path()).await;
    let proxy = fixture.proxy();
    let rows: Vec<_> = [2, 3, 1].into_iter().map(|cluster| row_in(cluster, 0)).collect();
    for (row, newest) in rows.iter().zip([7, 8, 9]) {
        put_all(&proxy, vec![exact(row, newest, 1), exact(row, -4, 1)]).await;
    }
    let mut keys: Vec<_> = rows.iter().map(latest).collect();
    keys.push(latest(&row_in(1, 1)));
    keys.push(LatestKey { at_most: Some(RefKey(6)), ..latest(&rows[0]) });
    let found = proxy.latest(&table(), keys).await.unwrap();
    assert_eq!(versions(&found), [Some(7), Some(8), Some(9), None, Some(-4)]);
}

#[tokio::test]
async fn latest_is_the_highest_version_that_is_not_erased() {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::mixed(directory.path()).await;
    let proxy = fixture.proxy();
    let rows: Vec<_> = [1, 2, 3, 2].into_iter().zip(0..).map(|(cluster, n)| row_in(cluster, n)).collect();
    for row in &rows {
        put_all(&proxy, (1..=4).map(|n| exact(row, n, n)).collect()).await;
    }
    for (row, erased) in [(0, 4), (1, 4), (1, 3), (1, 1)] {
        let cell = Erasure::Cell(triple(&rows[row], erased));
        assert_eq!(proxy.erase(&table(), vec![cell.clone()]).await.unwrap(), 1);
    }
    let whole = Erasure::Row(rows[2].clone());
    assert_eq!(proxy.erase(&table(), vec![whole.clone()]).await.unwrap(), 4);

    let found = proxy.latest(&table(), rows.iter().map(latest).collect()).await.unwrap();
    assert_eq!(versions(&found), [Some(3), Some(2), None, Some(4)]);
    let below = LatestKey { at_most: Some(RefKey(3)), ..latest(&rows[1]) };
    assert_eq!(versions(&proxy.latest(&table(), vec![below]).await.unwrap()), [Some(2)]);
    let slots = proxy.latest_slots(&table(), rows.iter().map(latest).collect()).await.unwrap();
    assert!(slots.into_values().all(|slot| slot == RefKey(4)), "an erased number stays taken");
}

#[tokio::test]
async fn latest_below_many_erased_versions_takes_one_more_read() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(1, 0);
    put_all(&proxy, (1..=200).map(|n| exact(&row, n, n)).collect()).await;
    for n in 2..=200 {
        proxy.erase(&table(), vec![Erasure::Cell(triple(&row, n))]).await.unwrap();
    }
    let before = fixture.backend(1).calls();
    let found = proxy.latest(&table(), vec![latest(&row)]).await.unwrap();
    assert_eq!(versions(&found), [Some(1)]);
    assert_eq!(fixture.backend(1).calls() - before, 2);
}

#[tokio::test]
async fn the_lowest_version_there_is_has_nothing_below_it() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let row = row_in(2, 0);
    put_all(&proxy, vec![exact(&row, i64::MIN, 1)]).await;
    assert_eq!(versions(&proxy.latest(&table(), vec![latest(&row)]).await.unwrap()), [Some(i64::MIN)]);
    proxy.erase(&table(), vec![Erasure::Row(row.clone())]).await.unwrap();
    assert_eq!(versions(&proxy.latest(&table(), vec![latest(&row)]).await.unwrap()), [None]);
}

#[tokio::test]
async fn an_undecided_cell_is_an_error_and_never_not_there() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let (held, free) = (row_in(1, 0), row_in(1, 1));
    put_all(&proxy, vec![exact(&held, 1, 1), exact(&held, 2, 2), exact(&free, 1, 1)]).await;
    fixture.backend(1).undecide(triple(&held, 2));

    let error = proxy.get(&table(), vec![triple(&free, 1), triple(&held, 2)]).await.unwrap_err();
    assert!(matches!(&error, RunError::Undecided { cluster } if cluster == "c1"), "{error}");
    let error = proxy.latest(&table(), vec![latest(&held)]).await.unwrap_err();
    assert!(matches!(error, RunError::Undecided { .. }), "{error}");
    let found = proxy.get(&table(), vec![triple(&free, 1), triple(&held, 1)]).await.unwrap();
    assert_eq!(versions(&found), [Some(1), Some(1)], "its neighbours are read as ever");
}

#[tokio::test]
async fn a_cluster_that_is_down_fails_only_what_needs_it() {
    let fixture = Fixture::memory().await;
    let proxy = fixture.proxy();
    let (here, there) = (row_in(1, 0), row_in(2, 0));
    put_all(&proxy, vec![exact(&here, 1, 1), exact(&there, 1, 1)]).await;
    fixture.backend(2).set_down(true);

    let error = proxy.get(&table(), vec![triple(&here, 1), triple(&there, 1)]).await.unwrap_err();
    let RunError::Cluster { cluster, error: StoreError::Unavailable { .. } } = error else { panic!("{error}") };
    assert_eq!(cluster, "c2");
    assert_eq!(versions(&proxy.get(&table(), vec![triple(&here, 1)]).await.unwrap()), [Some(1)]);
    fixture.backend(2).set_down(false);
    assert_eq!(versions(&proxy.latest(&table(), vec![latest(&there)]).await.unwrap()), [Some(1)]);
}
