//! The queue against what it promises, whatever comes in which order.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What happens.
#[derive(Clone, Debug)]
enum Event {
    /// A session wants these, or nothing happens if it waits already.
    Wants(u32, Vec<(Key, Mode)>),
    /// It stops waiting.
    Leaves(u32),
    /// It lets go of everything.
    LetsGo(u32),
}

/// Longer than anything here takes.
fn far() -> Instant {
    Instant::now() + std::time::Duration::from_secs(3600)
}

fn keys() -> impl Strategy<Value = Key> {
    prop_oneof![
        "[ab]".prop_map(Key::Name),
        "[st]".prop_map(|table| Key::Table("d".to_owned(), table)),
        Just(Key::Tables),
    ]
}

fn modes() -> impl Strategy<Value = Mode> {
    prop_oneof![Just(Mode::Read), Just(Mode::Write)]
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..6_u32, vec((keys(), modes()), 1..3)).prop_map(|(session, wanted)| Event::Wants(session, wanted)),
        1 => (0..6_u32).prop_map(Event::Leaves),
        2 => (0..6_u32).prop_map(Event::LetsGo),
    ]
}

fn owner(connection: u32) -> Owner {
    Owner { proxy: "p".to_owned(), connection, user: String::new() }
}

fn conflict(some: &[(Key, Mode)], others: &[(Key, Mode)]) -> bool {
    some.iter().any(|(key, mode)| {
        others.iter().any(|(other, how)| overlap(key, other) && (*mode == Mode::Write || *how == Mode::Write))
    })
}

struct Wait {
    session: u32,
    ticket: u64,
    wanted: Vec<(Key, Mode)>,
    told: oneshot::Receiver<Told>,
}

proptest! {
    #[test]
    fn who_came_first_is_served_first_and_nobody_waits_for_nothing(events in vec(events(), 1..40)) {
        let (mut queue, mut table) = (Queue::default(), LockTable::default());
        // In the order in which they came.
        let mut waits: Vec<Wait> = Vec::new();
        for event in events {
            match event {
                Event::Wants(session, wanted) => {
                    if waits.iter().any(|wait| wait.session == session) {
                        continue;
                    }
                    let (ticket, told) = queue.join(&owner(session), &wanted, far());
                    waits.push(Wait { session, ticket, wanted, told });
                }
                Event::Leaves(session) => {
                    if let Some(place) = waits.iter().position(|wait| wait.session == session) {
                        let gone = waits.remove(place);
                        prop_assert!(queue.leave(gone.ticket));
                        prop_assert!(!queue.leave(gone.ticket), "it has left");
                    }
                }
                Event::LetsGo(session) => {
                    let _ = table.release_all(&owner(session), super::super::Which::All);
                }
            }
            let held_before = table.clone();
            queue.serve(&mut table, 7);
            let mut still: Vec<Wait> = Vec::new();
            for mut wait in waits {
                let Ok(told) = wait.told.try_recv() else {
                    still.push(wait);
                    continue;
                };
                let acquired = told.map_err(|error| TestCaseError::fail(error.to_string()))?;
                prop_assert_eq!(acquired.losses, 7);
                // Passed are only those it may not wait for.
                let passed = still.iter().any(|ahead| conflict(&ahead.wanted, &wait.wanted));
                prop_assert!(!passed || held_before.holds(&owner(wait.session)), "{:?}", wait.wanted);
                for (key, _) in &wait.wanted {
                    prop_assert!(table.holds_of_all().any(|(of, held, _)| *of == owner(wait.session) && held == key));
                }
            }
            waits = still;
            prop_assert_eq!(queue.is_empty(), waits.is_empty());
            let held: Vec<_> = table.holds_of_all().map(|(of, key, mode)| (of.clone(), key.clone(), mode)).collect();
            for (place, (of, key, mode)) in held.iter().enumerate() {
                for (other, other_key, how) in &held[place + 1..] {
                    let excluded = overlap(key, other_key) && (*mode == Mode::Write || *how == Mode::Write);
                    prop_assert!(of == other || !excluded, "{:?} and {:?} hold {:?} and {:?}", of, other, key, other_key);
                }
            }
            for (place, wait) in waits.iter().enumerate() {
                let behind = waits[..place].iter().any(|ahead| conflict(&ahead.wanted, &wait.wanted));
                let held = table.in_the_way(&owner(wait.session), &wait.wanted).next().is_some();
                prop_assert!(held || behind, "it waits for nothing: {:?}", wait.wanted);
            }
        }
    }
}

#[test]
fn who_holds_what_the_first_waits_for_is_not_behind_it() {
    let (mut queue, mut table) = (Queue::default(), LockTable::default());
    let table_read = [(Key::Table("d".to_owned(), "t".to_owned()), Mode::Read)];
    let table_write = [(Key::Table("d".to_owned(), "t".to_owned()), Mode::Write)];
    assert!(table.acquire(&owner(1), &[(Key::Tables, Mode::Read)]));
    let _writer = queue.join(&owner(2), &table_write, far());
    let (_, mut reads) = queue.join(&owner(1), &table_read, far());
    let (_, mut behind) = queue.join(&owner(3), &table_read, far());
    queue.serve(&mut table, 0);
    assert!(matches!(reads.try_recv(), Ok(Ok(Acquired { waited: false, .. }))), "the writer waits for it");
    assert!(behind.try_recv().is_err());
}

#[test]
fn a_meta_store_that_fails_is_told_to_all_that_wait() {
    let mut queue = Queue::default();
    let wanted = [(Key::Name("a".to_owned()), Mode::Write)];
    let (_, mut one) = queue.join(&owner(1), &wanted, far());
    let (ticket, _) = queue.join(&owner(2), &wanted, far());
    let error = StoreError::Failed { detail: "it does not answer".to_owned() };
    queue.refuse(&error);
    assert_eq!(one.try_recv().unwrap(), Err(error));
    assert!(queue.is_empty() && !queue.leave(ticket));
}
