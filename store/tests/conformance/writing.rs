//! Promises of `put`.

use cellgate_schemaless::{Epoch, limits};
use cellgate_store::{PutOutcome, StoreError};

use crate::fixture::{CLUSTER, Fixture, SHARDS, log_of, shard_of, shards, stored, table, text_of, triple};

pub async fn a_new_cell_is_stored_with_its_place(fixture: Fixture) {
    let bench = fixture.open().await;
    let name = triple("a", "base", 1);
    let group = bench.group(&[(&name, "1")]);
    let outcome = bench.put(std::slice::from_ref(&group)).await.remove(0);
    let [place] = stored(&outcome) else { panic!("{outcome:?}") };
    assert!(place.new && place.added_id.0 > 0 && place.created_at.0 > 0);
    let cell = bench.get_one(&name).await.unwrap();
    assert_eq!((cell.added_id, cell.created_at, cell.token), (place.added_id, place.created_at, group.token));
}

pub async fn the_same_bytes_again_are_not_new(fixture: Fixture) {
    let bench = fixture.open().await;
    let name = triple("a", "base", 1);
    let first = bench.store(&name, r#"{"a":1}"#).await;
    let outcome = bench.put_one(&name, r#"{"a":1}"#).await;
    let again = stored(&outcome)[0];
    assert!(!again.new);
    assert_eq!((again.added_id, again.created_at), (first.added_id, first.created_at));
}

pub async fn other_bytes_conflict_and_leave_the_first(fixture: Fixture) {
    let bench = fixture.open().await;
    let name = triple("a", "base", 1);
    bench.store(&name, r#"{"a":1}"#).await;
    for other in [r#"{"a":2}"#, r#"{"a": 1}"#, r#"{"a":1} "#] {
        assert_eq!(bench.put_one(&name, other).await, PutOutcome::Conflict { cell: 0 }, "{other}");
    }
    assert_eq!(text_of(&bench.get_one(&name).await.unwrap()), r#"{"a":1}"#);
}

pub async fn appending_an_existing_triple_conflicts_even_with_the_same_bytes(fixture: Fixture) {
    let bench = fixture.open().await;
    let name = triple("a", "base", 1);
    bench.store(&name, "1").await;
    assert_eq!(bench.put(&[bench.append(&name, "1")]).await, [PutOutcome::Conflict { cell: 0 }]);
    assert_eq!(bench.put(&[bench.append(&name, "2")]).await, [PutOutcome::Conflict { cell: 0 }]);
    let next = bench.put(&[bench.append(&triple("a", "base", 2), "2")]).await;
    assert!(stored(&next[0])[0].new);
}

pub async fn a_retry_with_its_own_token_is_stored_at_the_same_place(fixture: Fixture) {
    let bench = fixture.open().await;
    let group = bench.group(&[(&triple("a", "base", 1), "1")]);
    let first = bench.put(std::slice::from_ref(&group)).await;
    let again = bench.put(std::slice::from_ref(&group)).await;
    assert_eq!(first, again);
    assert!(stored(&again[0])[0].new, "the write of this token made the cell");
}

pub async fn a_retry_of_an_append_is_stored_at_the_same_place(fixture: Fixture) {
    let bench = fixture.open().await;
    let group = bench.append(&triple("a", "base", 1), "1");
    let first = bench.put(std::slice::from_ref(&group)).await;
    bench.store(&triple("a", "base", 2), "2").await;
    assert_eq!(bench.put(std::slice::from_ref(&group)).await, first);
}

pub async fn a_retry_of_a_group_answers_what_the_first_attempt_did(fixture: Fixture) {
    let bench = fixture.open().await;
    let (old, new) = (triple("a", "base", 1), triple("b", "base", 1));
    bench.store(&old, "1").await;
    let group = bench.group(&[(&new, "2"), (&old, "1")]);
    let first = bench.put(std::slice::from_ref(&group)).await;
    assert_eq!(stored(&first[0]).iter().map(|p| p.new).collect::<Vec<_>>(), [true, false]);
    assert_eq!(bench.put(std::slice::from_ref(&group)).await, first);
}

pub async fn a_group_stands_or_falls_as_a_whole(fixture: Fixture) {
    let bench = fixture.open().await;
    let taken = triple("b", "base", 1);
    bench.store(&taken, "1").await;
    let names = [triple("a", "base", 1), taken.clone(), triple("c", "base", 1)];
    let group = bench.group(&[(&names[0], "1"), (&names[1], "2"), (&names[2], "1")]);
    assert_eq!(bench.put(&[group]).await, [PutOutcome::Conflict { cell: 1 }]);
    let found = bench.get(&names).await;
    assert!(found[0].is_none() && found[2].is_none(), "nothing of the group is there");
    assert_eq!(text_of(found[1].as_ref().unwrap()), "1");
    let group = bench.group(&[(&names[0], "1"), (&names[1], "1"), (&names[2], "1")]);
    let outcome = bench.put(&[group]).await;
    assert_eq!(stored(&outcome[0]).iter().map(|p| p.new).collect::<Vec<_>>(), [true, false, true]);
    assert!(bench.get(&names).await.iter().all(Option::is_some));
}

pub async fn a_group_may_write_to_several_tables_and_shards(fixture: Fixture) {
    let bench = fixture.open().await;
    let other = table(2);
    bench.backend().create_table(&other).await.unwrap();
    let (a, b) = (triple("a", "base", 1), triple("b", "base", 1));
    assert_ne!(shard_of(&a.row), shard_of(&b.row));
    let mut group = bench.group(&[(&a, "1"), (&b, "2"), (&a, "3")]);
    group.cells[2].table = other.clone();
    let outcome = bench.put(&[group]).await;
    assert_eq!(stored(&outcome[0]).len(), 3);
    assert_eq!(text_of(&bench.get_one(&a).await.unwrap()), "1");
    let there = bench.backend().get(&other, &[a.clone(), b.clone()]).await.unwrap();
    assert_eq!(text_of(there[0].as_ref().unwrap()), "3");
    assert!(there[1].is_none());
    // A conflict in one table keeps the group out of the other.
    let mut group = bench.group(&[(&triple("z", "base", 1), "1"), (&a, "4")]);
    group.cells[1].table = other;
    assert_eq!(bench.put(&[group]).await, [PutOutcome::Conflict { cell: 1 }]);
    assert!(bench.get_one(&triple("z", "base", 1)).await.is_none());
}

pub async fn a_failing_group_does_not_fail_its_neighbours(fixture: Fixture) {
    let bench = fixture.open().await;
    let name = |r: &str| triple(r, "base", 1);
    bench.store(&name("b"), "1").await;
    bench.store(&name("d"), "1").await;
    let groups = [
        bench.group(&[(&name("a"), "1")]),
        bench.group(&[(&name("b"), "2")]),
        bench.group(&[(&name("c"), "1"), (&name("d"), "2")]),
        bench.append(&name("d"), "1"),
        bench.group(&[(&name("e"), "1"), (&name("f"), "1")]),
        bench.group(&[(&name("d"), "1")]),
    ];
    let outcomes = bench.put(&groups).await;
    assert!(stored(&outcomes[0])[0].new);
    assert_eq!(outcomes[1], PutOutcome::Conflict { cell: 0 });
    assert_eq!(outcomes[2], PutOutcome::Conflict { cell: 1 });
    assert_eq!(outcomes[3], PutOutcome::Conflict { cell: 0 });
    assert!(stored(&outcomes[4]).iter().all(|p| p.new));
    assert!(!stored(&outcomes[5])[0].new);
    let there = bench.get(&["a", "b", "c", "d", "e", "f"].map(name)).await;
    assert_eq!(there.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false, true, true, true]);
}

pub async fn equal_triples_in_one_call_settle_first_wins(fixture: Fixture) {
    let bench = fixture.open().await;
    let (a, b) = (triple("a", "base", 1), triple("b", "base", 1));
    let groups = [
        bench.group(&[(&a, "1")]),
        bench.group(&[(&a, "1")]),
        bench.group(&[(&a, "2")]),
        bench.group(&[(&b, "1"), (&a, "1")]),
        bench.group(&[(&triple("c", "base", 1), "1"), (&b, "2")]),
    ];
    let outcomes = bench.put(&groups).await;
    let first = stored(&outcomes[0])[0];
    assert!(first.new);
    let second = stored(&outcomes[1])[0];
    assert!(!second.new && second.added_id == first.added_id);
    assert_eq!(outcomes[2], PutOutcome::Conflict { cell: 0 });
    assert_eq!(stored(&outcomes[3]).iter().map(|p| p.new).collect::<Vec<_>>(), [true, false]);
    assert_eq!(outcomes[4], PutOutcome::Conflict { cell: 1 });
    assert_eq!(text_of(&bench.get_one(&a).await.unwrap()), "1");
    assert!(bench.get_one(&triple("c", "base", 1)).await.is_none());
    assert_eq!(bench.all_log(&log_of(shards(0..SHARDS))).await.len(), 2);
}

pub async fn equal_appends_in_one_call_settle_first_wins(fixture: Fixture) {
    let bench = fixture.open().await;
    let name = triple("a", "base", 1);
    let groups = [bench.append(&name, "1"), bench.append(&name, "1"), bench.append(&name, "2")];
    let outcomes = bench.put(&groups).await;
    assert!(stored(&outcomes[0])[0].new);
    assert_eq!(outcomes[1..], [PutOutcome::Conflict { cell: 0 }, PutOutcome::Conflict { cell: 0 }]);
}

pub async fn many_groups_fit_in_one_call(fixture: Fixture) {
    let bench = fixture.open().await;
    let name = |i: usize| triple(format!("row{}", i % 400), "base", 1);
    let groups: Vec<_> = (0..500).map(|i| bench.group(&[(&name(i), "1")])).collect();
    let outcomes = bench.put(&groups).await;
    let new: Vec<bool> = outcomes.iter().map(|o| stored(o)[0].new).collect();
    assert_eq!(new, (0..500).map(|i| i < 400).collect::<Vec<_>>());
    assert_eq!(bench.all_log(&log_of(shards(0..SHARDS))).await.len(), 400);
}

pub async fn a_put_of_nothing_is_nothing(fixture: Fixture) {
    let bench = fixture.open().await;
    assert_eq!(bench.put(&[]).await, []);
}

pub async fn a_stale_epoch_writes_nothing(fixture: Fixture) {
    let bench = fixture.open().await;
    let name = triple("a", "base", 1);
    let current = Epoch(bench.epoch.0 + 5);
    assert!(bench.backend().raise_epoch(bench.epoch, current).await.unwrap());
    let groups = [bench.group(&[(&name, "1")]), bench.group(&[(&triple("b", "base", 1), "1")])];
    for planned in [bench.epoch, Epoch(current.0 + 1)] {
        match bench.backend().put(planned, &groups).await {
            Err(StoreError::StaleEpoch { planned: p, current: c }) => assert_eq!((p, c), (planned.0, current.0)),
            other => panic!("expected StaleEpoch, got {other:?}"),
        }
    }
    assert!(bench.get_one(&name).await.is_none());
    assert_eq!(bench.backend().put(current, &groups).await.unwrap().len(), 2);
    assert!(bench.get_one(&name).await.is_some());
}

pub async fn ids_ascend_and_carry_the_cluster_number(fixture: Fixture) {
    let bench = fixture.open().await;
    let mut last = 0;
    for i in 0..20 {
        let place = bench.store(&triple(format!("r{i}"), "base", 1), "1").await;
        assert!(place.added_id.0 > last, "ids ascend in commit order");
        assert_eq!(place.added_id.0 % limits::ID_STRIDE, i64::from(CLUSTER));
        last = place.added_id.0;
    }
    let names: Vec<_> = (0..10).map(|i| triple(format!("s{i}"), "base", 1)).collect();
    let group = bench.group(&names.iter().map(|n| (n, "1")).collect::<Vec<_>>());
    let mut ids: Vec<i64> = stored(&bench.put(&[group]).await[0]).iter().map(|p| p.added_id.0).collect();
    assert!(ids.iter().all(|id| *id > last && id % limits::ID_STRIDE == i64::from(CLUSTER)));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 10, "every cell has an id of its own");
}

pub async fn times_ascend_strictly_from_call_to_call(fixture: Fixture) {
    let bench = fixture.open().await;
    let mut last = 0;
    for i in 0..50 {
        let (a, b) = (triple(format!("a{i}"), "base", 1), triple(format!("b{i}"), "base", 1));
        let outcome = bench.put(&[bench.group(&[(&a, "1"), (&b, "1")])]).await.remove(0);
        let places = stored(&outcome);
        assert_eq!(places[0].created_at, places[1].created_at, "a group has one time");
        assert!(places[0].created_at.0 > last);
        last = places[0].created_at.0;
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as i64;
    assert!((now - last).abs() < 60_000_000, "{last} is the time of day in microseconds, or near it");
}
