//! The meta store on a server.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use cellgate_store::engine::dsn::ServerKind;
use cellgate_store::engine::server::ServerOptions;
use cellgate_store::meta::mysql::MysqlMeta;
use cellgate_store::meta::postgres::PostgresMeta;
use cellgate_store::meta::{Document, MetaStore};

use crate::relay::{Fault, MARKER, Relay};
use crate::support::{SHORT, Store};

fn connect(options: &ServerOptions) -> Arc<dyn MetaStore> {
    match options.dsn.kind {
        ServerKind::Mysql => Arc::new(MysqlMeta::connect(options).unwrap()),
        ServerKind::Postgres => Arc::new(PostgresMeta::connect(options).unwrap()),
    }
}

/// A meta store beside the cells.
async fn created(store: &Store) -> Arc<dyn MetaStore> {
    let meta = connect(&store.database.options());
    meta.create().await.unwrap();
    meta
}

pub async fn nothing_is_there_before_it_is_created(store: Store) {
    let other = store.database.engine.database().unwrap();
    let meta = connect(&other.options());
    assert!(!meta.exists().await.unwrap(), "not even the database is there");
    assert!(!meta.exists().await.unwrap(), "looking creates nothing");
    let creators = (0..4).map(|_| {
        let meta = connect(&other.options());
        tokio::spawn(async move { meta.create().await.unwrap() })
    });
    for creator in creators.collect::<Vec<_>>() {
        creator.await.unwrap();
    }
    assert!(meta.exists().await.unwrap());
    assert_eq!(meta.list("").await.unwrap(), []);
}

pub async fn documents_change_by_compare_and_set(store: Store) {
    let meta = created(&store).await;
    assert_eq!(meta.load("map").await.unwrap(), None);
    assert!(!meta.compare_and_set("map", 1, b"{}").await.unwrap(), "it does not exist");
    assert!(meta.compare_and_set("map", 0, b"{\"a\": \"it's\"}").await.unwrap());
    assert!(!meta.compare_and_set("map", 0, b"{}").await.unwrap(), "it exists");
    assert!(meta.compare_and_set("map", 1, b"[2]").await.unwrap());
    assert!(!meta.compare_and_set("map", 1, b"[3]").await.unwrap(), "it is at 2");
    let now = Document { name: "map".to_owned(), version: 2, body: b"[2]".to_vec() };
    assert_eq!(meta.load("map").await.unwrap(), Some(now));
    assert_eq!(meta.load("Map").await.unwrap(), None, "names are compared byte for byte");
    assert!(!meta.remove("map", 1).await.unwrap());
    assert!(meta.remove("map", 2).await.unwrap());
    assert_eq!(meta.load("map").await.unwrap(), None);
    // Of many who race for a version, one gets it.
    let racers = (0..8u8).map(|n| {
        let meta = connect(&store.database.options());
        tokio::spawn(async move { meta.compare_and_set("race", 0, &[b'0' + n]).await.unwrap() })
    });
    let mut won = 0;
    for racer in racers.collect::<Vec<_>>() {
        won += u32::from(racer.await.unwrap());
    }
    assert_eq!(won, 1);
}

pub async fn documents_are_listed_by_prefix_in_order(store: Store) {
    let meta = created(&store).await;
    for name in ["table/b", "table/a", "tables", "user/a"] {
        assert!(meta.compare_and_set(name, 0, b"1").await.unwrap());
    }
    let names = |documents: Vec<Document>| documents.into_iter().map(|d| d.name).collect::<Vec<_>>();
    assert_eq!(names(meta.list("table/").await.unwrap()), ["table/a", "table/b"]);
    assert_eq!(names(meta.list("").await.unwrap()), ["table/a", "table/b", "tables", "user/a"]);
}

pub async fn a_lost_answer_to_a_change_is_settled(store: Store) {
    drop(created(&store).await);
    let relay = Relay::start(store.server()).await;
    let mut options = store.database.options();
    options.timeouts = SHORT;
    (options.dsn.host, options.dsn.port) = ("127.0.0.1".to_owned(), relay.port);
    let meta = connect(&options);
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

pub async fn the_clock_is_in_microseconds(store: Store) {
    let meta = created(&store).await;
    let ours = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
    let (first, second) = (meta.now().await.unwrap(), meta.now().await.unwrap());
    assert!(first <= second);
    assert!((first - ours).abs() < 60_000_000, "{first} and {ours} are of the same machine");
}
