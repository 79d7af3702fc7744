//! How users that do not exist are asked for a proof.

use std::sync::Arc;

use cellgate_store::meta::MetaStore as _;
use cellgate_store::meta::memory::MemoryMeta;

use super::{proxy, run};
use crate::access::Accounts;

/// Which of 100 users that do not exist are asked for `mysql_native_password`.
fn asked(accounts: &Accounts) -> Vec<u32> {
    (0..100).filter(|n| accounts.asks_for_native(&format!("made up {n}"))).collect()
}

#[tokio::test]
async fn users_that_do_not_exist_are_asked_like_those_of_whom_only_one_hash_is_known() {
    let meta = Arc::new(MemoryMeta::created());
    let accounts = proxy(&meta).await;
    assert_eq!(asked(&accounts), [0; 0], "nobody is asked for it");
    run(
        &accounts,
        "CREATE USER old IDENTIFIED WITH mysql_native_password AS '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'",
    )
    .await;
    let some = asked(&accounts);
    assert!(!some.is_empty() && some.len() < 100, "{some:?}");
    assert_eq!(asked(&accounts), some, "always the same");
    assert_eq!(asked(&proxy(&meta).await), some, "and the same at every proxy");
    run(&accounts, "CREATE USER more").await;
    assert_eq!(asked(&accounts), some, "whatever becomes of other accounts");
    let elsewhere = Arc::new(MemoryMeta::created());
    let others = proxy(&elsewhere).await;
    run(
        &others,
        "CREATE USER old IDENTIFIED WITH mysql_native_password AS '*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19'",
    )
    .await;
    assert_ne!(asked(&others), some, "nobody can tell who does not know the number");
}

#[tokio::test]
async fn nothing_that_is_stored_but_a_random_number_says_how_users_that_do_not_exist_are_asked() {
    let meta = Arc::new(MemoryMeta::created());
    // As an earlier version wrote it.
    let before = r#"{"accounts":[{"user":"old","host":"%","sha1":"2470c0c06dee42fd1618bb99005adca2ec9d1e19"}]}"#;
    assert!(meta.compare_and_set("users", 0, before.as_bytes()).await.unwrap());
    let (one, two) = (proxy(&meta).await, proxy(&meta).await);
    assert_ne!(asked(&one), asked(&two), "it follows from the hashes");
    // A look that finds nothing new changes nothing.
    let some = asked(&one);
    one.refresh().await.unwrap();
    assert_eq!(asked(&one), some);
    run(&one, "CREATE USER more").await;
    two.refresh().await.unwrap();
    assert_eq!(asked(&one), asked(&two), "the change stored a number");
    assert_eq!(asked(&proxy(&meta).await), asked(&two));
}
