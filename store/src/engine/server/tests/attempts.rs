//! What becomes of a write whose attempts are lost or fail.

use super::*;

#[tokio::test]
async fn behind_a_lost_attempt_it_is_ended_and_looked_for_before_anything_is_sent_again() {
    for count in [1, 3] {
        let bench = Bench::new(Timeouts::default());
        let all = 1..1 + count;
        bench.script.inserts.are([Err(lost()), Ok(places(all.clone()))]);
        bench.script.cells.are([Ok((Vec::new(), false))]);
        assert_eq!(bench.put(&[group(9, all.clone())]).await.unwrap(), [stored(all)]);
        let rows = count as usize;
        let asked = [Asked::Insert(1, rows), Asked::End(1), Asked::Cells(2), Asked::Insert(2, rows)];
        assert_eq!(bench.script.asked(), asked, "{count} cells");
    }
}

#[tokio::test]
async fn what_a_lost_attempt_has_made_is_confirmed_and_not_sent_again() {
    for count in [1, 3] {
        let bench = Bench::new(Timeouts::default());
        let all = 1..1 + count;
        bench.script.inserts.are([Err(lost())]);
        let found: Vec<Cell> = all.clone().map(|n| row(9, n)).collect();
        bench.script.cells.are([Ok((found.clone(), false)), Ok((found, false))]);
        // The first time it cannot be said whether the standbys have it.
        bench.script.confirms.are([Err(failed()), Ok(())]);
        assert_eq!(bench.put(&[group(9, all.clone())]).await.unwrap(), [stored(all)]);
        let asked = [
            Asked::Insert(1, count as usize),
            Asked::End(1),
            Asked::Cells(2),
            Asked::Confirm(2),
            Asked::End(1),
            Asked::Cells(2),
            Asked::Confirm(2),
        ];
        assert_eq!(bench.script.asked(), asked, "{count} cells");
    }
}

#[tokio::test]
async fn a_lost_attempt_that_does_not_end_may_be_written_and_what_is_behind_it_is_not_begun() {
    let bench = Bench::new(SHORT);
    bench.script.inserts.are([Err(lost()), Ok(places(3..5))]);
    bench.script.ends.are((0..1000).map(|_| Ok(false)));
    let outcomes = bench.put(&[group(8, 1..3), group(9, 3..5)]).await.unwrap();
    assert!(matches!(&outcomes[0], PutOutcome::Failed(StoreError::MaybeWritten { .. })), "{outcomes:?}");
    let not_begun = matches!(&outcomes[1], PutOutcome::Failed(error) if !error.may_be_written());
    assert!(not_begun, "{outcomes:?}");
    let asked = bench.script.asked();
    assert_eq!(asked[0], Asked::Insert(1, 2));
    assert!(asked[1..].iter().all(|asked| *asked == Asked::End(1)), "{asked:?}");
}

#[tokio::test]
async fn attempts_that_are_lost_one_after_the_other_have_one_time_together() {
    let bench = Bench::new(SHORT);
    // Thousands of times longer than it may take.
    bench.script.inserts.are((0..100_000).map(|_| Err(lost())));
    bench.script.cells.are((0..100_000).map(|_| Ok((Vec::new(), false))));
    let error = bench.put(&[group(9, 1..2)]).await.unwrap_err();
    assert!(matches!(error, StoreError::MaybeWritten { .. }), "{error:?}");
}

#[tokio::test]
async fn what_becomes_of_lost_writes_is_counted_once_per_write() {
    let three: Vec<PutGroup> = (1..4).map(|n| group(n, n..n + 1)).collect();
    let settles = |bench: &Bench| {
        let text = bench.metrics.render().unwrap();
        ["written", "absent", "unknown"].map(|outcome| {
            let series = format!("cellgate_cluster_settles_total{{cluster=\"a\",outcome=\"{outcome}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&series)).unwrap().parse::<u64>().unwrap()
        })
    };
    let bench = Bench::new(SHORT);
    bench.script.inserts.are([Err(lost())]);
    bench.script.cells.are((0..1000).map(|_| Err(failed())));
    assert!(bench.put(&three).await.unwrap_err().may_be_written());
    assert_eq!(settles(&bench), [0, 0, 3]);
    // One was written; of the other two nothing is known behind a second loss.
    let bench = Bench::new(SHORT);
    bench.script.inserts.are([Err(lost()), Err(lost())]);
    bench.script.cells.are([Ok((vec![row(2, 2)], false))]);
    bench.script.cells.are((0..1000).map(|_| Err(failed())));
    let outcomes = bench.put(&three).await.unwrap();
    assert_eq!(outcomes[1], stored(2..3));
    assert_eq!(settles(&bench), [1, 2, 2]);
}

#[tokio::test]
async fn rows_whose_places_are_not_told_may_be_written_until_they_are_looked_up() {
    // The server goes away behind the insert, or says what it cannot do.
    for failure in [lost, failed] {
        let bench = Bench::new(SHORT);
        bench.script.untold.store(true, Ordering::SeqCst);
        bench.script.inserts.are([Ok(vec![None])]);
        bench.script.cells.are((0..1000).map(|_| Err(failure())));
        let error = bench.put(&[group(9, 1..2)]).await.unwrap_err();
        assert!(matches!(error, StoreError::MaybeWritten { .. }), "{error:?}");
        assert_eq!(bench.script.asked()[0], Asked::Insert(1, 1));
        assert!(bench.script.asked()[1..].iter().all(|asked| matches!(asked, Asked::Cells(_))), "it is not sent again");
    }
    let bench = Bench::new(Timeouts::default());
    bench.script.untold.store(true, Ordering::SeqCst);
    bench.script.inserts.are([Ok(vec![None])]);
    bench.script.cells.are([Err(lost()), Ok((vec![row(9, 1)], false))]);
    assert_eq!(bench.put(&[group(9, 1..2)]).await.unwrap(), [stored(1..2)]);
}

#[tokio::test]
async fn a_row_that_exists_and_is_not_there_again_and_again_is_a_head_that_gives_out_ids_twice() {
    for count in [1, 2] {
        let bench = Bench::new(Timeouts::default());
        // As often as anybody would try.
        bench.script.inserts.are((0..100).map(|_| if count == 1 { Ok(vec![None]) } else { Err(Failure::Duplicate) }));
        bench.script.cells.are((0..100).map(|_| Ok((Vec::new(), false))));
        let error = bench.put(&[group(9, 1..1 + count)]).await.unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn who_waits_for_a_lock_in_vain_or_is_in_deadlocks_all_the_time_is_told_so() {
    for (reason, attempts) in [(Reason::Lock, 3), (Reason::Statement, 10)] {
        let bench = Bench::new(Timeouts::default());
        bench.script.inserts.are((0..100).map(|_| Err(Failure::Again { reason, detail: String::new() })));
        let error = bench.put(&[group(9, 1..2)]).await.unwrap_err();
        assert!(matches!(error, StoreError::Timeout { reason: Reason::Lock, .. }), "{error:?}");
        assert_eq!(bench.script.asked().len(), attempts, "{reason:?}");
    }
}

#[tokio::test]
async fn a_change_that_fails_behind_a_lost_attempt_may_be_done() {
    let bench = Bench::new(Timeouts::default());
    bench.script.executes.are([Ok(1)]);
    // The first COMMIT is lost; the second attempt fails at its BEGIN.
    bench.script.runs.are([Ok(()), Err(lost()), Err(failed()), Ok(())]);
    let error = bench.erase().await.unwrap_err();
    assert!(matches!(error, StoreError::MaybeWritten { .. }), "{error:?}");
}

#[tokio::test]
async fn of_a_commit_that_fails_nobody_knows_what_became_and_of_a_statement_that_fails_nothing_stays() {
    let bench = Bench::new(Timeouts::default());
    bench.script.executes.are([Ok(1), Ok(1)]);
    bench.script.runs.are([Ok(()), Err(failed()), Ok(()), Ok(())]);
    assert_eq!(bench.erase().await.unwrap(), 1);
    let run = |session, text: &str| Asked::Run(session, text.to_owned());
    let asked = [run(1, "BEGIN"), run(1, "COMMIT"), Asked::End(1), run(2, "BEGIN"), run(2, "COMMIT")];
    assert_eq!(bench.script.asked(), asked);

    let bench = Bench::new(Timeouts::default());
    bench.script.executes.are([Err(failed())]);
    bench.script.runs.are([Ok(()), Ok(())]);
    assert!(matches!(bench.erase().await, Err(StoreError::Failed { .. })));
    assert_eq!(bench.script.asked(), [run(1, "BEGIN"), run(1, "ROLLBACK")]);
}

#[tokio::test]
async fn a_group_that_is_there_already_is_confirmed_before_it_is_said_to_be_stored() {
    let bench = Bench::new(Timeouts::default());
    bench.script.inserts.are([Err(Failure::Duplicate), Err(Failure::Duplicate)]);
    // By another write, whose commit may be visible before it is on disk.
    let found = || Ok((vec![row(8, 1), row(8, 2)], false));
    bench.script.cells.are([found(), found()]);
    bench.script.confirms.are([Err(lost()), Ok(())]);
    let mut group = group(9, 1..3);
    group.cells.iter_mut().for_each(|cell| cell.mode = PutMode::Explicit);
    let outcomes = bench.put(&[group]).await.unwrap();
    assert!(matches!(&outcomes[0], PutOutcome::Stored(places) if places.iter().all(|p| !p.new)), "{outcomes:?}");
    let asked = [
        Asked::Insert(1, 2),
        Asked::Cells(1),
        Asked::Confirm(1),
        Asked::Insert(2, 2),
        Asked::Cells(2),
        Asked::Confirm(2),
    ];
    assert_eq!(bench.script.asked(), asked);
}
