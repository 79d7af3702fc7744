//! Once per start of a server, its log head passes over ids.

use super::*;

#[tokio::test]
async fn the_head_passes_over_ids_once_per_start_of_the_server_and_before_the_first_write() {
    let bench = Bench::new(Timeouts::default());
    bench.script.inserts.are((1..5).map(|n| Ok(places(n..n + 1))));
    bench.script.passes.are([Err(Failure::Again { reason: Reason::Lock, detail: String::new() })]);
    let start = |n| *lock(&bench.script.start) = Some(Start(n));
    start(1);
    for n in 1..3 {
        bench.put(&[group(9, n..n + 1)]).await.unwrap();
    }
    let starts = bench.core.sessions.starts();
    let first = starts.life();
    bench.core.sessions.forget_idle();
    start(2);
    for n in 3..5 {
        bench.put(&[group(9, n..n + 1)]).await.unwrap();
    }
    assert_ne!(starts.life(), first);
    // Of a MySQL whose clock went back, sessions that were told the start of before may still be at work.
    assert_eq!([1, 2].map(|n| starts.to_pass(Start(n))), [None, None]);
    let (pass, insert) = (|session| Asked::PassOver(session, PassOver::Once), |session| Asked::Insert(session, 1));
    let asked = [pass(1), pass(1), insert(1), insert(1), pass(2), insert(2), insert(2)];
    assert_eq!(bench.script.asked(), asked);
}

#[tokio::test]
async fn a_server_that_is_back_behind_another_one_is_one_more_start_though_it_was_not_started() {
    let bench = Bench::new(Timeouts::default());
    bench.script.inserts.are((1..6).map(|n| Ok(places(n..n + 1))));
    let starts = bench.core.sessions.starts();
    let mut lives = Vec::new();
    for (n, start) in [(1, 1), (2, 2), (3, 1), (4, 1), (5, 2)] {
        *lock(&bench.script.start) = Some(Start(start));
        bench.core.sessions.forget_idle();
        bench.put(&[group(9, n..n + 1)]).await.unwrap();
        lives.push(starts.life());
    }
    assert_eq!(lives[2], lives[3], "it is the same as long as it is there");
    lives.sort_unstable();
    lives.dedup();
    assert_eq!(lives.len(), 4, "what was cached before is never answered again");
    let (pass, insert) = (Asked::PassOver, |session| Asked::Insert(session, 1));
    let (once, again) = (PassOver::Once, PassOver::Again);
    let asked = [
        &[pass(1, once), insert(1), pass(2, once), insert(2)][..],
        &[pass(3, again), insert(3), insert(4), pass(5, again), insert(5)],
    ];
    assert_eq!(bench.script.asked(), asked.concat());
}

#[tokio::test]
async fn of_writes_that_come_together_one_has_the_head_pass_over() {
    let bench = Bench::new(Timeouts::default());
    bench.script.inserts.are((1..3).map(|n| Ok(places(n..n + 1))));
    *lock(&bench.script.start) = Some(Start(1));
    let groups = [[group(9, 1..2)], [group(9, 2..3)]];
    let (one, other) = tokio::join!(bench.put(&groups[0]), bench.put(&groups[1]));
    one.unwrap();
    other.unwrap();
    let asked = bench.script.asked();
    let passes = asked.iter().filter(|asked| matches!(asked, Asked::PassOver(..))).count();
    assert_eq!((passes, asked.len()), (1, 3), "{asked:?}");
}

#[test]
fn ids_passed_over_before_a_server_was_taken_over_from_do_not_count_once_it_is_back() {
    let starts = Starts::default();
    starts.seen(Some(Start(1)));
    let (_, before) = starts.to_pass(Start(1)).unwrap();
    for start in [2, 1] {
        starts.seen(Some(Start(start)));
    }
    starts.passed(Start(1), before);
    let (passing, now) = starts.to_pass(Start(1)).expect("it is to be done again");
    assert_eq!(passing, PassOver::Again);
    starts.passed(Start(1), now);
    assert_eq!(starts.to_pass(Start(1)), None);
}
