//! The meta store on a server.

use crate::fixture::{SHORT, Store};
use crate::relay::{Fault, MARKER, Relay};

pub async fn a_lost_answer_to_a_change_is_settled(store: Store) {
    store.database.connect_meta(&store.database.options()).create().await.unwrap();
    let relay = Relay::start(store.server()).await;
    let mut options = store.database.options();
    options.timeouts = SHORT;
    (options.dsn.host, options.dsn.port) = ("127.0.0.1".to_owned(), relay.port);
    let meta = store.database.connect_meta(&options);
    for (version, fault) in [Fault::CutBefore, Fault::CutAfter, Fault::Freeze].into_iter().enumerate() {
        let version = version as i64;
        let body = format!("[\"{MARKER}\", {version}]");
        assert!(meta.exists().await.unwrap());
        relay.fail_next(fault);
        assert!(meta.compare_and_set("map", version, body.as_bytes()).await.unwrap(), "{fault:?}");
        assert!(relay.met(), "{fault:?}");
        let now = meta.load("map").await.unwrap().unwrap();
        assert_eq!((now.version, now.body), (version + 1, body.into_bytes()), "{fault:?}: changed once");
    }
}
