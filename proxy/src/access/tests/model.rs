//! GRANT and REVOKE against a model: sets of triples (account, level, privilege).

use std::collections::BTreeSet;
use std::sync::Arc;

use cellgate_sql::Privilege;
use cellgate_store::meta::memory::MemoryMeta;
use proptest::prelude::*;

use super::{name, proxy, run, run_as};

/// Levels as GRANT writes them, with the tables of `TABLES` that they cover.
const LEVELS: [(&str, &[(&str, &str)]); 8] = [
    ("*.*", &TABLES),
    ("a.*", &[("a", "t"), ("a", "u")]),
    ("ab.*", &[("ab", "t")]),
    ("`a%`.*", &[("a", "t"), ("a", "u"), ("ab", "t"), ("a_c", "t"), ("axc", "t")]),
    ("`a_c`.*", &[("a_c", "t"), ("axc", "t")]),
    ("`a\\_c`.*", &[("a_c", "t")]),
    ("a.t", &[("a", "t")]),
    ("a_c.t", &[("a_c", "t")]),
];
const TABLES: [(&str, &str); 6] = [("a", "t"), ("a", "u"), ("ab", "t"), ("a_c", "t"), ("axc", "t"), ("b", "t")];
const PRIVILEGES: [Privilege; 4] = [Privilege::Select, Privilege::Insert, Privilege::Erase, Privilege::Drop];
const USERS: [&str; 2] = ["x", "y"];

#[derive(Clone, Debug)]
enum Step {
    Grant { user: usize, level: usize, privileges: Vec<usize> },
    Revoke { user: usize, level: usize, privileges: Vec<usize> },
    RevokeAll { user: usize },
    Recreate { user: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let privileges = || proptest::collection::vec(0..PRIVILEGES.len(), 1..3);
    let place = || (0..USERS.len(), 0..LEVELS.len());
    prop_oneof![
        4 => (place(), privileges())
            .prop_map(|((user, level), privileges)| Step::Grant { user, level, privileges }),
        3 => (place(), privileges())
            .prop_map(|((user, level), privileges)| Step::Revoke { user, level, privileges }),
        1 => (0..USERS.len()).prop_map(|user| Step::RevokeAll { user }),
        1 => (0..USERS.len()).prop_map(|user| Step::Recreate { user }),
    ]
}

fn names(privileges: &[usize]) -> String {
    privileges.iter().map(|p| PRIVILEGES[*p].name()).collect::<Vec<_>>().join(", ")
}

type Held = BTreeSet<(usize, usize, usize)>;

async fn check(steps: Vec<Step>) {
    let meta = Arc::new(MemoryMeta::created());
    let (accounts, other) = (proxy(&meta).await, proxy(&meta).await);
    run(&accounts, "CREATE USER x, y").await;
    let mut held = Held::new();
    for step in steps {
        match step {
            Step::Grant { user, level, privileges } => {
                let text = format!("GRANT {} ON {} TO {}", names(&privileges), LEVELS[level].0, USERS[user]);
                run(&accounts, &text).await;
                held.extend(privileges.iter().map(|p| (user, level, *p)));
            }
            Step::Revoke { user, level, privileges } => {
                let text = format!("REVOKE {} ON {} FROM {}", names(&privileges), LEVELS[level].0, USERS[user]);
                let any = held.iter().any(|(u, l, _)| (*u, *l) == (user, level));
                let done = run_as(&accounts, &super::root(), &text).await;
                assert_eq!(done.is_ok(), any || level == 0, "{text}");
                held.retain(|(u, l, p)| (*u, *l) != (user, level) || !privileges.contains(p));
            }
            Step::RevokeAll { user } => {
                run(&accounts, &format!("REVOKE ALL PRIVILEGES, GRANT OPTION FROM {}", USERS[user])).await;
                held.retain(|(u, _, _)| *u != user);
            }
            Step::Recreate { user } => {
                run(&accounts, &format!("DROP USER {}", USERS[user])).await;
                run(&accounts, &format!("CREATE USER {}", USERS[user])).await;
                held.retain(|(u, _, _)| *u != user);
            }
        }
    }
    other.refresh().await.unwrap();
    for known in [accounts.snapshot(), other.snapshot()] {
        for (user, written) in USERS.iter().enumerate() {
            let access = known.access(&name(written, "%"));
            for (database, table) in TABLES {
                let here = |(u, level, _): &&(usize, usize, usize)| {
                    *u == user && LEVELS[*level].1.contains(&(database, table))
                };
                for (number, privilege) in PRIVILEGES.into_iter().enumerate() {
                    let expected = held.iter().filter(here).any(|(_, _, p)| *p == number);
                    let may = access.may(privilege, database, Some(table));
                    assert_eq!(may, expected, "{written} {privilege:?} {database}.{table}: {held:?}");
                }
                assert_eq!(access.may_see_table(database, table), held.iter().any(|h| here(&h)), "{database}.{table}");
                let seen = TABLES.iter().filter(|(d, _)| *d == database).any(|(d, t)| access.may_see_table(d, t));
                assert!(!seen || access.may_see_database(database), "{database}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_may_be_done_is_what_was_granted_and_not_revoked(steps in proptest::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(steps));
    }
}
