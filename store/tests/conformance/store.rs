//! Promises about the store itself.

use cellgate_schemaless::{Epoch, ShardId};
use cellgate_store::{Identity, PutOutcome};

use crate::fixture::{Bench, CLUSTER, Fixture, SHARDS, identity, is_no_table, shards, stored, table, triple};

pub async fn a_fresh_store_has_no_identity(fixture: Fixture) {
    for _ in 0..2 {
        assert_eq!(fixture.backend().identity().await.unwrap(), None, "looking creates nothing");
    }
    for peer in &fixture.peers {
        assert_eq!(peer.identity().await.unwrap(), None);
    }
}

pub async fn a_claim_is_idempotent_and_the_first_wins(fixture: Fixture) {
    let backend = fixture.backend();
    let (first, second) = (identity(CLUSTER), Identity { deployment: "f".repeat(32), ..identity(9) });
    assert_eq!(backend.claim(&first, &shards(0..4)).await.unwrap(), first);
    assert_eq!(backend.claim(&first, &shards(0..4)).await.unwrap(), first);
    assert_eq!(backend.claim(&second, &shards(4..8)).await.unwrap(), first);
    for peer in &fixture.peers {
        assert_eq!(peer.identity().await.unwrap(), Some(first.clone()));
    }
    let (_, owned) = backend.shards().await.unwrap();
    assert_eq!(owned.iter().map(|s| s.shard).collect::<Vec<_>>(), shards(0..4));
}

pub async fn racing_claims_agree(fixture: Fixture) {
    let claims = (1..=6_u16).map(|cluster| {
        let peer = fixture.peers[usize::from(cluster) % fixture.peers.len()].clone();
        tokio::spawn(async move { peer.claim(&identity(cluster), &shards(cluster..cluster + 1)).await.unwrap() })
    });
    let mut answers = Vec::new();
    for claim in claims.collect::<Vec<_>>() {
        answers.push(claim.await.unwrap());
    }
    let standing = fixture.backend().identity().await.unwrap().unwrap();
    assert!(answers.iter().all(|answer| *answer == standing), "{answers:?}");
    let (_, owned) = fixture.backend().shards().await.unwrap();
    assert_eq!(owned.iter().map(|s| s.shard.0).collect::<Vec<_>>(), [standing.cluster.get()]);
}

pub async fn a_claimed_store_says_what_it_owns(fixture: Fixture) {
    let bench = fixture.open().await;
    let (epoch, owned) = bench.backend().shards().await.unwrap();
    assert_eq!(epoch, bench.epoch);
    assert_eq!(owned.iter().map(|s| s.shard).collect::<Vec<_>>(), shards(0..SHARDS));
    assert!(owned.iter().all(|s| s.moved_to.is_none()));
}

pub async fn many_shards_can_be_claimed(fixture: Fixture) {
    let all = shards(0..4096);
    fixture.backend().claim(&identity(CLUSTER), &all).await.unwrap();
    let (_, owned) = fixture.backend().shards().await.unwrap();
    assert_eq!(owned.iter().map(|s| s.shard).collect::<Vec<ShardId>>(), all);
}

pub async fn raise_epoch_is_compare_and_set(fixture: Fixture) {
    let bench = fixture.open().await;
    let backend = bench.backend();
    let (old, new) = (bench.epoch, Epoch(bench.epoch.0 + 1));
    assert!(!backend.raise_epoch(new, Epoch(new.0 + 1)).await.unwrap(), "it is not there yet");
    assert!(backend.raise_epoch(old, new).await.unwrap());
    assert!(!backend.raise_epoch(old, new).await.unwrap(), "it was raised already");
    assert_eq!(backend.shards().await.unwrap().0, new);
}

pub async fn creating_a_table_twice_keeps_its_cells(fixture: Fixture) {
    let bench = fixture.open().await;
    let name = triple("a", "base", 1);
    bench.store(&name, "1").await;
    bench.backend().create_table(&bench.table).await.unwrap();
    assert!(bench.get_one(&name).await.is_some());
    let creators = (0..4).map(|i| {
        let peer = bench.fixture.peers[i % bench.fixture.peers.len()].clone();
        tokio::spawn(async move { peer.create_table(&table(50)).await.unwrap() })
    });
    for creator in creators.collect::<Vec<_>>() {
        creator.await.unwrap();
    }
}

pub async fn its_tables_of_cells_are_listed(fixture: Fixture) {
    let bench = fixture.open().await;
    bench.backend().create_table(&table(50)).await.unwrap();
    for expected in [vec![&bench.table, &table(50)], vec![&bench.table]] {
        let mut expected: Vec<_> = expected.into_iter().map(|table| table.physical().to_owned()).collect();
        expected.sort();
        for peer in &bench.fixture.peers {
            let mut found = peer.tables().await.unwrap();
            found.sort();
            assert_eq!(found, expected, "and none of the store's own");
        }
        bench.backend().drop_table(&table(50)).await.unwrap();
    }
}

pub async fn dropping_a_table_twice_is_one_drop(fixture: Fixture) {
    let bench = fixture.open().await;
    let name = triple("a", "base", 1);
    bench.store(&name, "1").await;
    bench.backend().drop_table(&bench.table).await.unwrap();
    bench.backend().drop_table(&bench.table).await.unwrap();
    is_no_table(bench.backend().get(&bench.table, std::slice::from_ref(&name)).await, &bench.table);
    let group = bench.group(&[(&name, "1")]);
    is_no_table(bench.backend().put(bench.epoch, &[group]).await, &bench.table);
}

pub async fn a_table_created_again_under_another_id_is_empty(fixture: Fixture) {
    let bench = fixture.open().await;
    let name = triple("a", "base", 1);
    let first = bench.store(&name, "1").await;
    bench.backend().drop_table(&bench.table).await.unwrap();
    let bench = Bench { table: table(2), ..bench };
    bench.backend().create_table(&bench.table).await.unwrap();
    assert!(bench.get_one(&name).await.is_none());
    let outcome: PutOutcome = bench.put_one(&name, "2").await;
    assert!(stored(&outcome)[0].added_id > first.added_id);
}

pub async fn a_ping_comes_back(fixture: Fixture) {
    let bench = fixture.open().await;
    bench.backend().ping().await.unwrap();
}
