//! Promises of `erase`.

use cellgate_schemaless::{CellKind, Epoch, Erasure};
use cellgate_store::{EraseStep, PutOutcome, StoreError};

use crate::fixture::{
    Bench, Fixture, SHARDS, column, latest_key, log_of, row, rows_of, shards, stored, triple, triples, whole,
};

async fn erase(bench: &Bench, what: Erasure) -> u64 {
    let erased = bench.backend().erase(bench.epoch, &bench.table, &what, &whole()).await.unwrap();
    assert_eq!(erased.last, None, "it was the last step");
    assert!(!erased.perhaps_more, "no answer was lost");
    erased.cells
}

pub async fn an_erased_cell_has_no_body_and_is_in_no_scan(fixture: Fixture) {
    let bench = fixture.open().await;
    let (gone, kept) = (triple("a", "base", 1), triple("a", "base", 2));
    let place = bench.store(&gone, r#""secret""#).await;
    bench.store(&kept, "2").await;
    assert_eq!(erase(&bench, Erasure::Cell(gone.clone())).await, 1);
    let slot = bench.get_one(&gone).await.unwrap();
    assert_eq!((slot.kind, &slot.body), (CellKind::Erased, &None));
    assert_eq!((slot.added_id, slot.created_at), (place.added_id, place.created_at));
    assert!(!slot.is_visible());
    assert_eq!(triples(&bench.all_rows(&rows_of(&["a"])).await), std::slice::from_ref(&kept));
    assert_eq!(triples(&bench.all_log(&log_of(shards(0..SHARDS))).await), std::slice::from_ref(&kept));
    assert_eq!(bench.latest(&[latest_key("a", "base", None)]).await[0].as_ref().unwrap().triple, kept);
}

pub async fn an_erased_slot_can_never_be_written_again(fixture: Fixture) {
    let bench = fixture.open().await;
    let name = triple("a", "base", 1);
    bench.store(&name, "1").await;
    erase(&bench, Erasure::Cell(name.clone())).await;
    for text in ["1", "2"] {
        assert_eq!(bench.put_one(&name, text).await, PutOutcome::Conflict { cell: 0 });
        assert_eq!(bench.put(&[bench.append(&name, text)]).await, [PutOutcome::Conflict { cell: 0 }]);
    }
    let group = bench.group(&[(&triple("b", "base", 1), "1"), (&name, "1")]);
    assert_eq!(bench.put(&[group]).await, [PutOutcome::Conflict { cell: 1 }]);
    assert!(bench.get_one(&triple("b", "base", 1)).await.is_none());
    assert_eq!(bench.get_one(&name).await.unwrap().kind, CellKind::Erased);
}

pub async fn an_erased_newest_version_does_not_free_its_ref_key(fixture: Fixture) {
    let bench = fixture.open().await;
    bench.store(&triple("a", "base", 1), "1").await;
    bench.store(&triple("a", "base", 2), "2").await;
    erase(&bench, Erasure::Cell(triple("a", "base", 2))).await;
    let latest = bench.latest(&[latest_key("a", "base", None)]).await.remove(0).unwrap();
    assert_eq!((latest.triple.ref_key.0, latest.kind), (2, CellKind::Erased), "who appends sees the slot");
    let below = bench.latest(&[latest_key("a", "base", Some(1))]).await.remove(0).unwrap();
    assert_eq!((below.triple.ref_key.0, below.kind), (1, CellKind::Cell));
    let append = bench.put(&[bench.append(&triple("a", "base", 2), "3")]).await;
    assert_eq!(append, [PutOutcome::Conflict { cell: 0 }]);
}

pub async fn ids_are_not_reused_after_the_newest_is_erased(fixture: Fixture) {
    let bench = fixture.open().await;
    let name = triple("a", "base", 1);
    let place = bench.store(&name, "1").await;
    erase(&bench, Erasure::Row(row("a"))).await;
    let next = bench.store(&triple("a", "base", 2), "1").await;
    assert!(next.added_id > place.added_id && next.created_at > place.created_at);
}

pub async fn a_column_or_a_row_is_erased_as_a_whole_and_nothing_else(fixture: Fixture) {
    let bench = fixture.open().await;
    let mut names = Vec::new();
    for r in ["a", "b"] {
        for c in ["x", "y"] {
            names.extend((1..=3).map(|version| triple(r, c, version)));
        }
    }
    for name in &names {
        bench.store(name, "1").await;
    }
    assert_eq!(erase(&bench, Erasure::Column(row("a"), column("x"))).await, 3);
    names.retain(|n| n.row != row("a") || n.column != column("x"));
    assert_eq!(triples(&bench.all_rows(&rows_of(&["a", "b"])).await), names);
    assert_eq!(erase(&bench, Erasure::Row(row("b"))).await, 6);
    names.retain(|n| n.row != row("b"));
    assert_eq!(triples(&bench.all_rows(&rows_of(&["a", "b"])).await), names);
    assert_eq!(erase(&bench, Erasure::Row(row("nowhere"))).await, 0);
    assert_eq!(erase(&bench, Erasure::Cell(triple("a", "y", 9))).await, 0);
}

pub async fn erasing_twice_counts_once(fixture: Fixture) {
    let bench = fixture.open().await;
    bench.store(&triple("a", "base", 1), "1").await;
    assert_eq!(erase(&bench, Erasure::Row(row("a"))).await, 1);
    assert_eq!(erase(&bench, Erasure::Row(row("a"))).await, 0);
    assert_eq!(erase(&bench, Erasure::Cell(triple("a", "base", 1))).await, 0);
}

pub async fn a_retry_of_an_erased_write_is_still_stored(fixture: Fixture) {
    let bench = fixture.open().await;
    let group = bench.group(&[(&triple("a", "base", 1), "1")]);
    let first = bench.put(std::slice::from_ref(&group)).await;
    erase(&bench, Erasure::Row(row("a"))).await;
    let again = bench.put(std::slice::from_ref(&group)).await;
    assert_eq!(again, first, "the write happened; what happened to it later is no conflict of its");
    assert_eq!(stored(&again[0]).len(), 1);
    assert_eq!(bench.get_one(&triple("a", "base", 1)).await.unwrap().kind, CellKind::Erased);
}

pub async fn an_erasure_under_a_stale_epoch_erases_nothing(fixture: Fixture) {
    let bench = fixture.open().await;
    let name = triple("a", "base", 1);
    bench.store(&name, "1").await;
    assert!(bench.backend().raise_epoch(bench.epoch, Epoch(bench.epoch.0 + 1)).await.unwrap());
    let erased = bench.backend().erase(bench.epoch, &bench.table, &Erasure::Row(row("a")), &whole()).await;
    assert!(matches!(erased, Err(StoreError::StaleEpoch { .. })), "{erased:?}");
    assert!(bench.get_one(&name).await.unwrap().is_visible());
}

/// The chains of two rows: columns with so many versions each.
const CHAINS: [(&str, &str, i64); 4] = [("a", "x", 5), ("a", "y", 1), ("a", "z", 4), ("b", "x", 3)];

async fn fill(bench: &Bench) {
    for (row, column, versions) in CHAINS {
        for version in 1..=versions {
            bench.store(&triple(row, column, version), "1").await;
        }
    }
}

pub async fn an_erasure_in_steps_goes_on_behind_the_last_and_erases_all(fixture: Fixture) {
    let bench = fixture.open().await;
    fill(&bench).await;
    // What is erased already is passed by.
    assert_eq!(erase(&bench, Erasure::Column(row("a"), column("y"))).await, 1);
    assert_eq!(erase(&bench, Erasure::Cell(triple("a", "x", 2))).await, 1);
    for (what, steps, cells, left) in [
        // As of somebody who stops waiting in the middle.
        (Erasure::Row(row("a")), 1, 2, 9),
        (Erasure::Column(row("a"), column("x")), 9, 2, 7),
        (Erasure::Row(row("a")), 9, 4, 3),
        (Erasure::Row(row("a")), 9, 0, 3),
        (Erasure::Row(row("b")), 9, 3, 0),
    ] {
        let (mut step, mut erased) = (EraseStep { after: None, up_to: None, slots: 2 }, 0);
        for number in 0..steps {
            let done = bench.backend().erase(bench.epoch, &bench.table, &what, &step).await.unwrap();
            assert!(done.cells <= 2 && !done.perhaps_more, "{done:?}");
            assert!(done.last > step.after || done.last.is_none(), "{done:?} behind {step:?}");
            erased += done.cells;
            // Others have the log head in between.
            bench.put_one(&triple("other", "x", number), "1").await;
            step.after = done.last;
            if step.after.is_none() {
                break;
            }
        }
        assert_eq!(step.after.is_some(), steps == 1, "{what:?}");
        assert_eq!((erased, bench.all_rows(&rows_of(&["a", "b"])).await.len()), (cells, left), "{what:?}");
    }
    let of_others = bench.all_rows(&rows_of(&["other"])).await;
    assert!(!of_others.is_empty() && of_others.iter().all(|cell| cell.is_visible()));
}

pub async fn an_erasure_up_to_an_id_leaves_what_was_written_later(fixture: Fixture) {
    let bench = fixture.open().await;
    fill(&bench).await;
    let up_to = Some(bench.backend().head().await.unwrap());
    let later = [triple("a", "x", 6), triple("a", "y", 2), triple("a", "zz", 1)];
    for name in &later {
        bench.store(name, "1").await;
    }
    for (what, cells, left) in [
        (Erasure::Cell(later[0].clone()), 0, 16),
        (Erasure::Column(row("a"), column("x")), 5, 11),
        (Erasure::Row(row("a")), 5, 6),
        (Erasure::Row(row("b")), 3, 3),
    ] {
        let (mut step, mut erased) = (EraseStep { after: None, up_to, slots: 2 }, 0);
        loop {
            let done = bench.backend().erase(bench.epoch, &bench.table, &what, &step).await.unwrap();
            erased += done.cells;
            step.after = done.last;
            if step.after.is_none() {
                break;
            }
        }
        assert_eq!((erased, bench.all_rows(&rows_of(&["a", "b"])).await.len()), (cells, left), "{what:?}");
    }
    assert_eq!(triples(&bench.all_rows(&rows_of(&["a", "b"])).await), later);
}

pub async fn a_step_passes_by_what_is_erased_already(fixture: Fixture) {
    let bench = fixture.open().await;
    for version in 1..=40 {
        bench.store(&triple("a", "x", version), "1").await;
    }
    let (what, mut step) = (Erasure::Column(row("a"), column("x")), EraseStep { after: None, up_to: None, slots: 2 });
    assert_eq!(erase(&bench, what.clone()).await, 40);
    for version in 41..=43 {
        bench.store(&triple("a", "x", version), "1").await;
    }
    // Sixteen slots for each cell, then eight more and two cells, then the rest.
    for (cells, last) in [(0, Some(32)), (2, Some(42)), (1, None)] {
        let done = bench.backend().erase(bench.epoch, &bench.table, &what, &step).await.unwrap();
        assert_eq!((done.cells, &done.last), (cells, &last.map(|version| triple("a", "x", version))));
        step.after = done.last;
    }
}

pub async fn a_step_under_a_stale_epoch_erases_nothing(fixture: Fixture) {
    let bench = fixture.open().await;
    fill(&bench).await;
    let (what, mut step) = (Erasure::Row(row("a")), EraseStep { after: None, up_to: None, slots: 2 });
    step.after = bench.backend().erase(bench.epoch, &bench.table, &what, &step).await.unwrap().last;
    assert_eq!(step.after, Some(triple("a", "x", 2)));
    assert!(bench.backend().raise_epoch(bench.epoch, Epoch(bench.epoch.0 + 1)).await.unwrap());
    let erased = bench.backend().erase(bench.epoch, &bench.table, &what, &step).await;
    assert!(matches!(erased, Err(StoreError::StaleEpoch { .. })), "{erased:?}");
    assert_eq!(bench.all_rows(&rows_of(&["a"])).await.len(), 8);
}
