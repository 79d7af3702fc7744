//! Promises of `log`.

use cellgate_schemaless::{Cell, ColumnFilter, LogScan, Micros, ShardId, Triple};

use crate::fixture::{Bench, Fixture, SHARDS, column, ids, log_of, row, shard_of, shards, triple, triples};

/// Cells in all shards, written one by one; answers their names in the order of writing.
async fn filled(fixture: Fixture) -> (Bench, Vec<Triple>) {
    let bench = fixture.open().await;
    let mut names = Vec::new();
    for i in 0..60_u8 {
        // Rows go up and down in the key order, so that neither it nor the order of shards is that of writing.
        let name = triple([b'a' + (i % 26 * 7) % 26, b'0' + i % 10], ["x", "y"][usize::from(i % 2)], i64::from(i));
        bench.store(&name, "1").await;
        names.push(name);
    }
    (bench, names)
}

pub async fn the_log_of_a_shard_is_in_the_order_of_writing(fixture: Fixture) {
    let (bench, names) = filled(fixture).await;
    for shard in shards(0..SHARDS) {
        let log = bench.all_log(&log_of(vec![shard])).await;
        let expected: Vec<_> = names.iter().filter(|n| shard_of(&n.row) == shard).cloned().collect();
        assert_eq!(triples(&log), expected);
        assert!(ids(&log).is_sorted_by(|a, b| a < b));
        assert!(log.iter().map(|c| c.created_at).is_sorted_by(|a, b| a < b), "ids and times agree");
    }
}

pub async fn the_log_of_several_shards_is_by_shard_then_id(fixture: Fixture) {
    let (bench, names) = filled(fixture).await;
    let log = bench.all_log(&log_of(shards(0..SHARDS))).await;
    assert_eq!(log.len(), names.len());
    assert!(log.iter().map(|c| (c.shard, c.added_id)).is_sorted_by(|a, b| a < b));
    let page = bench.log(&log_of(vec![])).await;
    assert!(page.cells.is_empty() && !page.more, "no shards, no cells");
}

pub async fn shards_that_were_not_asked_for_are_left_out(fixture: Fixture) {
    let (bench, names) = filled(fixture).await;
    let some = vec![ShardId(1), ShardId(3), ShardId(4), ShardId(12), ShardId(300)];
    let log = bench.all_log(&log_of(some.clone())).await;
    let mut expected: Vec<_> = names.iter().filter(|n| some.contains(&shard_of(&n.row))).cloned().collect();
    let mut found = triples(&log);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    assert!(!found.is_empty() && found.len() < names.len());
}

pub async fn pages_of_the_log_join_to_the_whole(fixture: Fixture) {
    let (bench, names) = filled(fixture).await;
    let row = names[0].row.clone();
    let sparse: Vec<ShardId> = shards(0..SHARDS).into_iter().step_by(2).collect();
    let many: Vec<ShardId> = shards(0..2000).into_iter().filter(|s| s.0 != 5).collect();
    for asked in [shards(0..SHARDS), sparse, vec![shard_of(&row)], many] {
        let whole = bench.all_log(&log_of(asked.clone())).await;
        for limit in [1, 2, 5, 59, 60, 61] {
            let scan = LogScan { limit: Some(limit), ..log_of(asked.clone()) };
            assert_eq!(bench.all_log(&scan).await, whole, "{limit} a page of {} shards", asked.len());
        }
    }
}

pub async fn added_after_leaves_out_what_is_known(fixture: Fixture) {
    let (bench, names) = filled(fixture).await;
    let sparse: Vec<ShardId> = shards(0..SHARDS).into_iter().step_by(3).collect();
    for asked in [shards(0..SHARDS), sparse, vec![shard_of(&names[0].row)]] {
        let whole = bench.all_log(&log_of(asked.clone())).await;
        let mut known = ids(&whole);
        known.sort_unstable();
        for after in [known[0], known[known.len() / 2], known[known.len() - 1]] {
            let expected: Vec<_> = whole.iter().filter(|c| c.added_id > after).cloned().collect();
            for limit in [None, Some(1), Some(4)] {
                let scan = LogScan { added_after: Some(after), limit, ..log_of(asked.clone()) };
                assert_eq!(bench.all_log(&scan).await, expected);
            }
        }
    }
}

pub async fn created_from_leaves_out_what_is_older(fixture: Fixture) {
    let (bench, _) = filled(fixture).await;
    let whole = bench.all_log(&log_of(shards(0..SHARDS))).await;
    let mut times: Vec<i64> = whole.iter().map(|c| c.created_at.0).collect();
    times.sort_unstable();
    for from in [times[0], times[30], times[30] + 1, times[59], times[59] + 1] {
        let expected: Vec<_> = whole.iter().filter(|c| c.created_at.0 >= from).cloned().collect();
        for limit in [None, Some(3)] {
            let scan = LogScan { created_from: Some(Micros(from)), limit, ..log_of(shards(0..SHARDS)) };
            assert_eq!(bench.all_log(&scan).await, expected);
        }
    }
}

pub async fn the_log_of_some_columns_only(fixture: Fixture) {
    let (bench, names) = filled(fixture).await;
    let all = log_of(shards(0..SHARDS));
    let scan = LogScan { columns: ColumnFilter::In(vec![column("x")]), limit: Some(7), ..all.clone() };
    let log = bench.all_log(&scan).await;
    assert_eq!(log.len(), names.len() / 2);
    assert!(log.iter().all(|c| c.triple.column == column("x")));
    let scan = LogScan { columns: ColumnFilter::In(vec![column("x"), column("xx"), column("y")]), ..all.clone() };
    assert_eq!(bench.all_log(&scan).await, bench.all_log(&all).await);
    let scan = LogScan { columns: ColumnFilter::In(vec![column("nope")]), ..all };
    assert_eq!(bench.all_log(&scan).await, []);
}

pub async fn a_duplicate_is_not_in_the_log_twice(fixture: Fixture) {
    let bench = fixture.open().await;
    let name = triple("a", "base", 1);
    let group = bench.group(&[(&name, "1")]);
    bench.put(std::slice::from_ref(&group)).await;
    bench.put(std::slice::from_ref(&group)).await;
    bench.put_one(&name, "1").await;
    bench.put_one(&name, "2").await;
    bench.store(&triple("a", "base", 2), "2").await;
    let log = bench.all_log(&log_of(shards(0..SHARDS))).await;
    assert_eq!(triples(&log), [name, triple("a", "base", 2)]);
}

pub async fn a_time_is_found_in_a_long_log(fixture: Fixture) {
    let bench = fixture.open().await;
    // More cells in a shard than a search leaves to be filtered, and another shard behind it.
    for batch in 0..6 {
        let names: Vec<Triple> = (0..60).map(|n| triple("a", "base", batch * 100 + n)).collect();
        bench.put(&[bench.group(&names.iter().map(|name| (name, "1")).collect::<Vec<_>>())]).await;
        bench.store(&triple("b", "base", batch), "2").await;
    }
    let both = vec![shard_of(&row("a")), shard_of(&row("b"))];
    let whole = bench.all_log(&log_of(both.clone())).await;
    assert_eq!(whole.len(), 366);
    let mut times: Vec<i64> = whole.iter().map(|c| c.created_at.0).collect();
    times.dedup();
    for from in times.iter().flat_map(|time| [time - 1, *time, time + 1]) {
        for (shards, limit) in [(both.clone(), None), (both[..1].to_vec(), Some(50)), (both.clone(), Some(7))] {
            let matches = |c: &&Cell| c.created_at.0 >= from && shards.contains(&c.shard);
            let expected: Vec<Cell> = whole.iter().filter(matches).cloned().collect();
            let scan = LogScan { created_from: Some(Micros(from)), limit, ..log_of(shards.clone()) };
            assert_eq!(bench.all_log(&scan).await, expected, "from {from}");
        }
    }
}
