//! Promises of `rows`.

use cellgate_schemaless::{ColumnFilter, Direction, Micros, RefKey, RefRange, RowScan, RowSet, ShardId, Triple};

use crate::fixture::{
    Bench, Fixture, SHARDS, chain, column, log_of, row, rows_of, shard_of, shards, text_of, triple, triples,
};

/// Three rows of three columns of four versions, and a row that is not asked for.
async fn filled(fixture: Fixture) -> (Bench, Vec<Triple>) {
    let bench = fixture.open().await;
    let mut names = Vec::new();
    for r in ["a", "b", "c"] {
        for c in ["x", "y", "z"] {
            names.extend((-1..3).map(|version| triple(r, c, version)));
        }
    }
    // Written in another order than they are read in.
    let mut shuffled: Vec<&Triple> = names.iter().collect();
    shuffled.sort_by_key(|t| (t.ref_key, std::cmp::Reverse(t.column.clone()), t.row.clone()));
    for name in shuffled {
        bench.store(name, "1").await;
    }
    bench.store(&triple("bb", "x", 1), "1").await;
    (bench, names)
}

fn descending(scan: RowScan) -> RowScan {
    RowScan { direction: Direction::Descending, ..scan }
}

pub async fn rows_come_in_key_order_in_both_directions(fixture: Fixture) {
    let (bench, mut names) = filled(fixture).await;
    let scan = rows_of(&["c", "a", "b", "nowhere"]);
    assert_eq!(triples(&bench.all_rows(&scan).await), names);
    names.reverse();
    assert_eq!(triples(&bench.all_rows(&descending(scan)).await), names);
    let one = bench.all_rows(&rows_of(&["bb"])).await;
    assert_eq!(triples(&one), [triple("bb", "x", 1)]);
    assert_eq!(text_of(&one[0]), "1");
}

pub async fn rows_are_bounded_by_ref_key(fixture: Fixture) {
    let (bench, names) = filled(fixture).await;
    let bounded = |min: Option<i64>, max: Option<i64>| RowScan {
        refs: RefRange { min: min.map(RefKey), max: max.map(RefKey) },
        ..rows_of(&["a", "b"])
    };
    for (min, max) in [(Some(0), None), (None, Some(0)), (Some(0), Some(1)), (Some(2), Some(2)), (Some(2), Some(1))] {
        let within = |t: &&Triple| {
            t.row < row("bb") && min.is_none_or(|m| t.ref_key.0 >= m) && max.is_none_or(|m| t.ref_key.0 <= m)
        };
        let expected: Vec<Triple> = names.iter().filter(within).cloned().collect();
        assert_eq!(triples(&bench.all_rows(&bounded(min, max)).await), expected, "{min:?}..{max:?}");
    }
}

pub async fn rows_of_some_columns_only(fixture: Fixture) {
    let (bench, names) = filled(fixture).await;
    let set = |columns: &[&str]| {
        RowSet::Rows(vec![row("a"), row("c")], ColumnFilter::In(columns.iter().map(column).collect()))
    };
    for columns in [&["x", "z"][..], &["y"], &["nope"], &[]] {
        let scan = RowScan { set: set(columns), ..rows_of(&[]) };
        let wanted = |t: &&Triple| t.row != row("b") && columns.iter().any(|c| column(c) == t.column);
        let mut expected: Vec<Triple> = names.iter().filter(wanted).cloned().collect();
        assert_eq!(triples(&bench.all_rows(&scan).await), expected, "{columns:?}");
        expected.reverse();
        assert_eq!(triples(&bench.all_rows(&descending(scan)).await), expected, "{columns:?}");
    }
}

pub async fn rows_of_chains(fixture: Fixture) {
    let (bench, names) = filled(fixture).await;
    let chains = vec![chain("a", "z"), chain("b", "nope"), chain("b", "x"), chain("c", "y")];
    let mut sorted = chains.clone();
    sorted.sort();
    let scan = RowScan { set: RowSet::Chains(sorted), ..rows_of(&[]) };
    let wanted = |t: &&Triple| chains.iter().any(|c| c.row == t.row && c.column == t.column);
    let mut expected: Vec<Triple> = names.iter().filter(wanted).cloned().collect();
    assert_eq!(expected.len(), 12);
    assert_eq!(triples(&bench.all_rows(&scan).await), expected);
    expected.reverse();
    assert_eq!(triples(&bench.all_rows(&descending(scan)).await), expected);
}

pub async fn pages_of_rows_join_to_the_whole_in_both_directions(fixture: Fixture) {
    let (bench, names) = filled(fixture).await;
    let columns = ColumnFilter::In(vec![column("x"), column("y"), column("z")]);
    let chains = ["a", "b", "c"].iter().flat_map(|r| ["x", "y", "z"].map(|c| chain(r, c))).collect();
    let sets = [
        RowSet::Rows(vec![row("a"), row("b"), row("c")], ColumnFilter::All),
        RowSet::Rows(vec![row("a"), row("b"), row("c")], columns),
        RowSet::Chains(chains),
    ];
    for set in sets {
        for limit in [1, 3, 4, 5, 7, 36, 100] {
            let scan = RowScan { set: set.clone(), limit: Some(limit), ..rows_of(&[]) };
            assert_eq!(triples(&bench.all_rows(&scan).await), names, "{limit} a page");
            let mut backwards = triples(&bench.all_rows(&descending(scan)).await);
            backwards.reverse();
            assert_eq!(backwards, names, "{limit} a page, backwards");
        }
    }
}

pub async fn a_page_may_start_behind_a_cell_that_is_not_there(fixture: Fixture) {
    let (bench, names) = filled(fixture).await;
    for after in [triple("b", "xx", 7), triple("b", "y", 100), triple("aa", "x", 0), triple("b", "y", i64::MIN)] {
        let scan = RowScan { after: Some(after.clone()), ..rows_of(&["a", "b", "c"]) };
        let behind: Vec<Triple> = names.iter().filter(|t| **t > after).cloned().collect();
        assert_eq!(triples(&bench.all_rows(&scan).await), behind, "{after:?}");
        let before: Vec<Triple> = names.iter().filter(|t| **t < after).rev().cloned().collect();
        assert_eq!(triples(&bench.all_rows(&descending(scan)).await), before, "{after:?}");
    }
}

pub async fn a_scan_without_limit_ends(fixture: Fixture) {
    let bench = fixture.open().await;
    for chunk in 0..5 {
        let names: Vec<Triple> = (0..500).map(|i| triple("long", "base", chunk * 500 + i)).collect();
        let groups: Vec<_> = names.iter().map(|n| bench.group(&[(n, "1")])).collect();
        bench.put(&groups).await;
    }
    let all = bench.all_rows(&rows_of(&["long"])).await;
    assert_eq!(all.iter().map(|c| c.triple.ref_key.0).collect::<Vec<_>>(), (0..2500).collect::<Vec<_>>());
}

pub async fn large_bodies_are_paged(fixture: Fixture) {
    let bench = fixture.open().await;
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    for version in 0..12 {
        bench.store(&triple("large", "base", version), &large).await;
    }
    let all = bench.all_rows(&rows_of(&["large"])).await;
    assert_eq!(all.iter().map(|c| c.triple.ref_key.0).collect::<Vec<_>>(), (0..12).collect::<Vec<_>>());
    assert!(all.iter().all(|c| text_of(c) == large));
}

/// Whoever writes a next version of each cell it reads reads what was there when the second page was asked for.
pub async fn a_scan_up_to_the_head_ends_though_each_of_its_cells_is_followed_by_another(fixture: Fixture) {
    let bench = fixture.open().await;
    for version in 0..6 {
        bench.store(&triple("a", "x", version), "1").await;
    }
    let mut next = 6;
    let chains = RowSet::Chains(vec![chain("a", "x")]);
    for set in [RowSet::Rows(vec![row("a")], ColumnFilter::All), chains] {
        let there = next;
        let mut scan = RowScan { set, limit: Some(4), ..rows_of(&[]) };
        let mut found = Vec::new();
        loop {
            let page = bench.rows(&scan).await;
            for cell in &page.cells {
                assert_eq!(cell.triple.ref_key.0, found.len() as i64);
                found.push(cell.added_id);
                bench.store(&triple("a", "x", next), "1").await;
                next += 1;
            }
            scan.after = page.cells.last().map(|cell| cell.triple.clone()).or(scan.after);
            if !page.more {
                break;
            }
            scan.up_to = Some(scan.up_to.unwrap_or(bench.backend().head().await.unwrap()));
        }
        assert_eq!(found.len() as i64, there + 4);
    }
    let shard = shard_of(&row("a"));
    for mut scan in [log_of(vec![shard]), log_of(shards(0..SHARDS)), log_of(vec![ShardId(0), shard, ShardId(15)])] {
        (scan.limit, scan.created_from) = (Some(4), (shard != scan.shards[0]).then_some(Micros(0)));
        let (there, mut found) = (next, 0);
        loop {
            let page = bench.log(&scan).await;
            for cell in &page.cells {
                assert_eq!(cell.triple.ref_key.0, found);
                found += 1;
                bench.store(&triple("a", "x", next), "1").await;
                next += 1;
            }
            scan.after = page.cells.last().map(|cell| (cell.shard, cell.added_id)).or(scan.after);
            if !page.more {
                break;
            }
            scan.up_to = Some(scan.up_to.unwrap_or(bench.backend().head().await.unwrap()));
        }
        assert_eq!(found, there + 4);
    }
}

pub async fn an_empty_set_has_no_rows(fixture: Fixture) {
    let (bench, _) = filled(fixture).await;
    for set in [RowSet::Rows(vec![], ColumnFilter::All), RowSet::Chains(vec![])] {
        let page = bench.rows(&RowScan { set, ..rows_of(&[]) }).await;
        assert!(page.cells.is_empty() && !page.more);
    }
}
