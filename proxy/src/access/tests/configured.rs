//! Users of the configuration beside stored accounts of the same name.

use std::sync::Arc;

use cellgate_store::meta::memory::MemoryMeta;

use super::{name, proxy, run, run_as, users, verifier};
use crate::access::{AccessError, AccessNote};
use crate::auth::Verifier;

#[tokio::test]
async fn the_configuration_wins_over_a_stored_account_of_the_same_name() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    run(&accounts, "CREATE USER app IDENTIFIED BY 'stored'").await;
    run(&accounts, "GRANT ALL ON *.* TO app").await;
    accounts.configure(&users("[[user]]\nname = \"app\"\npassword = \"configured\"\ngrants = [\"SELECT ON shop.*\"]"));
    assert_eq!(verifier(&accounts, "app"), Verifier::from_password("configured"));
    assert!(!accounts.snapshot().access(&name("app", "%")).may_administer());
    assert!(accounts.snapshot().matching("root", "localhost").is_none(), "root is gone from the configuration");
}

#[tokio::test]
async fn a_stored_account_with_a_narrower_host_does_not_shut_the_way_back_in() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    accounts.configure(&users("[[user]]\nname = \"root\"\npassword = \"configured\""));
    let (local, other) = (name("root", "localhost"), name("root", "10.%"));
    let notes = run(&accounts, "CREATE USER 'root'@'localhost' IDENTIFIED BY 'stored', 'a'@'10.%'").await;
    assert_eq!(notes, [AccessNote::Shadowed(local.clone())]);
    let notes = run(&accounts, "RENAME USER 'a'@'10.%' TO 'root'@'10.%'").await;
    assert_eq!(notes, [AccessNote::Shadowed(other)]);
    let snapshot = accounts.snapshot();
    for host in ["localhost", "10.1.2.3"] {
        let meant = snapshot.matching("root", host).unwrap();
        assert_eq!((meant.name.host.as_str(), &meant.verifier), ("%", &Verifier::from_password("configured")));
    }
    assert!(snapshot.named(&local).is_some(), "it is there for proxies whose configuration has no such user");
    // A user without a password, as the built-in one, is shut out by one with a password.
    accounts.configure(&users("[[user]]\nname = \"root\""));
    let snapshot = accounts.snapshot();
    let meant = snapshot.matching("root", "localhost").unwrap();
    assert_eq!((meant.name.host.as_str(), &meant.verifier), ("localhost", &Verifier::from_password("stored")));
    assert_eq!(run(&accounts, "CREATE USER 'root'@'11.%'").await, []);
    assert_eq!(snapshot.matching("root", "127.0.0.1").unwrap().name.host, "%");
}

#[tokio::test]
async fn an_account_that_nobody_logs_in_to_is_no_administrator() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    run(&accounts, "CREATE USER 'ops'@'localhost' IDENTIFIED BY 'x', dba IDENTIFIED BY 'y'").await;
    run(&accounts, "GRANT ALL ON *.* TO 'ops'@'localhost', dba").await;
    accounts.configure(&users("[[user]]\nname = \"ops\"\npassword = \"z\"\ngrants = [\"SELECT ON *.*\"]"));
    let refused = run_as(&accounts, &name("dba", "%"), "DROP USER dba").await.unwrap_err();
    assert!(matches!(refused, AccessError::LastAdmin { .. }), "{refused}");
}
