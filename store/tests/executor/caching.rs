//! What reads leave in the cache of exact cells.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use cellgate_metrics::Metrics;
use cellgate_schemaless::{Erasure, RowKey, TableRef};
use cellgate_store::StoreError;
use cellgate_store::cache::{CellCache, Erasures};
use cellgate_store::executor::{ErasureFence, Executor};

use crate::fixture::{Fixture, exact, put_all, row_in, table, triple};

/// Tells nobody: the tests say themselves what the cache learns.
#[derive(Debug)]
struct Nobody;

#[async_trait]
impl ErasureFence for Nobody {
    async fn erased(&self, _table: &TableRef) -> Result<(), StoreError> {
        Ok(())
    }
}

fn with_cache(fixture: &Fixture) -> (Arc<Executor>, Arc<CellCache>) {
    let cache = Arc::new(CellCache::new(1 << 20, Arc::new(Metrics::new::<&str>("0", &[]).unwrap())));
    cache.trust();
    (fixture.proxy_with_cache(Some(Arc::clone(&cache)), Arc::new(Nobody)), cache)
}

fn is_cached(proxy: &Executor, row: &RowKey) -> bool {
    proxy.cached_of(&table(), &[triple(row, 1)]) == Some(1)
}

/// Reads all of these, as one cell or as several.
async fn read(proxy: &Executor, rows: &[RowKey], alone: bool) {
    if alone {
        for row in rows {
            assert!(proxy.cell(&table(), &triple(row, 1)).await.unwrap().is_some());
        }
        return;
    }
    let found = proxy.get(&table(), rows.iter().map(|row| triple(row, 1)).collect()).await.unwrap();
    assert!(found.iter().all(Option::is_some));
}

#[tokio::test]
async fn what_was_read_before_an_erasure_and_comes_behind_it_is_not_kept() {
    let fixture = Fixture::memory().await;
    let (proxy, cache) = with_cache(&fixture);
    let (row, known) = (row_in(1, 0), row_in(1, 1));
    put_all(&proxy, vec![exact(&row, 1, 1), exact(&known, 1, 1)]).await;
    let mut erasures = Erasures::default();
    let others: [(&[RowKey], bool); 3] = [(&[], true), (&[], false), (std::slice::from_ref(&known), false)];
    for (others, alone) in others {
        // The others are in memory; this one is asked for.
        read(&proxy, others, false).await;
        fixture.backend(1).hold_gets(1);
        let reading = {
            let (proxy, rows) = (Arc::clone(&proxy), [std::slice::from_ref(&row), others].concat());
            tokio::spawn(async move { read(&proxy, &rows, alone).await })
        };
        fixture.backend(1).entered.acquire().await.unwrap().forget();
        erasures.note(table().id, 0);
        cache.learn(Instant::now(), &erasures);
        fixture.backend(1).release.add_permits(1);
        reading.await.unwrap();
        assert!(!is_cached(&proxy, &row), "beside {others:?}, alone: {alone}");
    }
    read(&proxy, std::slice::from_ref(&row), true).await;
    assert!(is_cached(&proxy, &row));
}

#[tokio::test]
async fn what_was_read_before_a_promotion_is_not_answered() {
    let fixture = Fixture::memory().await;
    let (proxy, _) = with_cache(&fixture);
    let (row, elsewhere) = (row_in(1, 0), row_in(2, 0));
    put_all(&proxy, vec![exact(&row, 1, 1), exact(&elsewhere, 1, 1)]).await;
    read(&proxy, &[row.clone(), elsewhere.clone()], false).await;
    assert!(is_cached(&proxy, &row));
    proxy.clusters().next().unwrap().set_verified(2);
    assert!(!is_cached(&proxy, &row) && is_cached(&proxy, &elsewhere));
}

#[tokio::test]
async fn an_erasure_that_a_read_meets_is_seen_of_all_its_cells() {
    let fixture = Fixture::memory().await;
    let ((proxy, _), other) = (with_cache(&fixture), fixture.proxy());
    let row = row_in(1, 0);
    let both = || vec![triple(&row, 1), triple(&row, 2)];
    put_all(&proxy, vec![exact(&row, 1, 1), exact(&row, 2, 2)]).await;
    read(&proxy, std::slice::from_ref(&row), true).await;
    // The first version is in memory, which is told of the erasure later.
    assert_eq!(other.erase(&table(), vec![Erasure::Row(row.clone())]).await.unwrap(), 2);
    assert!(is_cached(&proxy, &row));
    assert_eq!(proxy.get(&table(), both()).await.unwrap(), [None, None]);
    // What was never there is no reason to ask twice.
    let before = fixture.backend(1).calls();
    let found = proxy.get(&table(), vec![triple(&row, 1), triple(&row, 3)]).await.unwrap();
    assert_eq!((found[0].is_some(), found[1].is_some()), (true, false));
    assert_eq!(fixture.backend(1).calls(), before + 1);
}

#[tokio::test]
async fn a_cluster_that_changes_under_a_read_is_read_once_more() {
    let fixture = Fixture::memory().await;
    let ((proxy, _), other) = (with_cache(&fixture), fixture.proxy());
    let (row, known) = (row_in(1, 0), row_in(1, 1));
    put_all(&proxy, vec![exact(&row, 1, 1), exact(&known, 1, 1)]).await;
    read(&proxy, std::slice::from_ref(&known), true).await;
    fixture.backend(1).hold_gets(1);
    let reading = {
        let (proxy, keys) = (Arc::clone(&proxy), vec![triple(&known, 1), triple(&row, 1)]);
        tokio::spawn(async move { proxy.get(&table(), keys).await })
    };
    fixture.backend(1).entered.acquire().await.unwrap().forget();
    // As a promotion or a crash may lose it.
    other.erase(&table(), vec![Erasure::Row(known)]).await.unwrap();
    proxy.clusters().next().unwrap().set_verified(2);
    fixture.backend(1).release.add_permits(1);
    let found = reading.await.unwrap().unwrap();
    assert_eq!((found[0].is_some(), found[1].is_some()), (false, true));
}
