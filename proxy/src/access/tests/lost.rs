//! Accounts in a meta store that went back under running proxies.

use std::sync::Arc;

use cellgate_store::meta::memory::MemoryMeta;

use super::{proxy, run};

#[tokio::test]
async fn a_change_under_the_number_of_one_that_the_meta_store_has_lost_is_in_force_everywhere() {
    let meta = Arc::new(MemoryMeta::created());
    let (one, two) = (proxy(&meta).await, proxy(&meta).await);
    run(&one, "CREATE USER eve, ann").await;
    let copy = meta.all("users");
    run(&one, "GRANT SELECT ON *.* TO eve").await;
    two.refresh().await.unwrap();
    meta.restore(copy);
    run(&two, "DROP USER eve").await;
    one.refresh().await.unwrap();
    for accounts in [&one, &two] {
        let snapshot = accounts.current();
        let users: Vec<&str> = snapshot.accounts().map(|account| account.name.user.as_str()).collect();
        assert!(!users.contains(&"eve") && users.contains(&"ann"), "{users:?}");
    }
}
