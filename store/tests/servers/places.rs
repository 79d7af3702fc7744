//! Where a store is, by its own account.

use crate::fixture::{SHORT, Store};

pub async fn a_store_is_at_one_place_for_everybody_and_another_one_elsewhere(store: Store) {
    let here = store.backend.location().await.unwrap().expect("it can be written");
    for _ in 0..3 {
        // Sessions of their own.
        let other = store.proxy(None, SHORT).location().await.unwrap().unwrap();
        assert_eq!(other, here);
    }
    // By another name of the same server.
    let mut options = store.database.options();
    options.dsn.host = "localhost".to_owned();
    let named = store.database.engine.connect(&options).location().await.unwrap().unwrap();
    assert_eq!(named.place, here.place);
    assert_ne!(named.address, here.address);
    // A database beside it, which could be its copy.
    let beside = Store::new(store.database.engine).await.unwrap();
    let elsewhere = beside.backend.location().await.unwrap().unwrap();
    assert_ne!(elsewhere.place, here.place);
    let (name, other_name) = (&store.database.dsn.database, &beside.database.dsn.database);
    assert!(here.place.contains(name) && elsewhere.place.contains(other_name), "{here:?} and {elsewhere:?}");
}
