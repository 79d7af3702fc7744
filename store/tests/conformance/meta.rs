//! Promises of a meta store.

use std::any::Any;
use std::sync::Arc;

use cellgate_store::meta::sqlite::SqliteMeta;
use cellgate_store::meta::{Document, MetaStore};

use crate::databases::Engine;

/// A meta store nobody has created, as one or more proxies see it.
pub struct MetaFixture {
    /// At least one; each is a `MetaStore` of its own over the same database.
    pub peers: Vec<Arc<dyn MetaStore>>,
    /// Keeps what it lives in until the test ends.
    #[allow(dead_code, reason = "it is only dropped")]
    pub guard: Box<dyn Any + Send + Sync>,
}

impl MetaFixture {
    pub fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let meta = SqliteMeta::open(&directory.path().join("new").join("meta.db"), cellgate_store::Timeouts::default())
            .unwrap();
        Self { peers: vec![Arc::new(meta)], guard: Box::new(directory) }
    }

    /// Two proxies on a database of a server; `None` if servers are not to be tested.
    pub fn server(engine: Engine) -> Option<Self> {
        let database = engine.database()?;
        let connect = || database.connect_meta(&database.options());
        Some(Self { peers: vec![connect(), connect()], guard: Box::new(database) })
    }

    fn peer(&self, i: usize) -> &Arc<dyn MetaStore> {
        &self.peers[i % self.peers.len()]
    }

    async fn created(&self) -> &Arc<dyn MetaStore> {
        self.peer(0).create().await.unwrap();
        self.peer(0)
    }
}

pub async fn a_fresh_meta_store_does_not_exist(fixture: MetaFixture) {
    for peer in &fixture.peers {
        assert!(!peer.exists().await.unwrap());
        assert!(!peer.exists().await.unwrap(), "looking creates nothing");
    }
    fixture.created().await;
    for peer in &fixture.peers {
        assert!(peer.exists().await.unwrap());
    }
}

pub async fn creating_a_meta_store_twice_keeps_its_documents(fixture: MetaFixture) {
    let meta = fixture.created().await;
    assert!(meta.compare_and_set("a", 0, b"{}").await.unwrap());
    meta.create().await.unwrap();
    assert!(meta.load("a").await.unwrap().is_some());
    let creators = (0..4).map(|i| {
        let peer = fixture.peer(i).clone();
        tokio::spawn(async move { peer.create().await.unwrap() })
    });
    for creator in creators.collect::<Vec<_>>() {
        creator.await.unwrap();
    }
}

pub async fn a_document_comes_back_with_its_version(fixture: MetaFixture) {
    let meta = fixture.created().await;
    assert_eq!(meta.load("topology").await.unwrap(), None);
    let large = format!("{{\"shards\":\"{}\"}}", "\u{e4}".repeat(500_000)).into_bytes();
    for (version, body) in [(0, b"{ \"a\": 1 }".to_vec()), (1, large), (2, b"null".to_vec())] {
        assert!(meta.compare_and_set("topology", version, &body).await.unwrap());
        let expected = Document { name: "topology".to_owned(), version: version + 1, body };
        assert_eq!(fixture.peer(1).load("topology").await.unwrap(), Some(expected));
    }
}

pub async fn a_change_under_another_version_changes_nothing(fixture: MetaFixture) {
    let meta = fixture.created().await;
    assert!(!meta.compare_and_set("a", 1, b"1").await.unwrap(), "it does not exist");
    assert_eq!(meta.load("a").await.unwrap(), None);
    assert!(meta.compare_and_set("a", 0, b"1").await.unwrap());
    for expected in [0, 2, -1] {
        assert!(!meta.compare_and_set("a", expected, b"2").await.unwrap(), "version {expected}");
    }
    assert_eq!(meta.load("a").await.unwrap().unwrap().body, b"1");
    assert!(meta.compare_and_set("a", 1, b"1").await.unwrap(), "the same bytes are a change, too");
    assert_eq!(meta.load("a").await.unwrap().unwrap().version, 2);
}

pub async fn documents_are_listed_by_prefix_and_name(fixture: MetaFixture) {
    let meta = fixture.created().await;
    for name in ["proxy/b", "proxy/a", "proxy", "proxy0", "proxy/a.b-c_d", "catalog"] {
        assert!(meta.compare_and_set(name, 0, name.as_bytes()).await.unwrap());
    }
    let names = |documents: Vec<Document>| documents.into_iter().map(|d| d.name).collect::<Vec<_>>();
    assert_eq!(names(meta.list("proxy/").await.unwrap()), ["proxy/a", "proxy/a.b-c_d", "proxy/b"]);
    assert_eq!(names(meta.list("nope").await.unwrap()), Vec::<String>::new());
    let all = meta.list("").await.unwrap();
    assert_eq!(all.len(), 6);
    assert!(all.iter().all(|d| d.version == 1 && d.body == d.name.as_bytes()));
    assert!(names(all).is_sorted());
}

pub async fn a_document_is_removed_at_its_version_only(fixture: MetaFixture) {
    let meta = fixture.created().await;
    assert!(!meta.remove("a", 1).await.unwrap());
    assert!(meta.compare_and_set("a", 0, b"1").await.unwrap());
    assert!(!meta.remove("a", 2).await.unwrap());
    assert!(meta.load("a").await.unwrap().is_some());
    assert!(meta.compare_and_set("a", 1, b"2").await.unwrap());
    assert!(!meta.remove("a", 1).await.unwrap(), "it was changed since");
    assert!(meta.remove("a", 2).await.unwrap());
    assert_eq!(meta.load("a").await.unwrap(), None);
    assert!(meta.compare_and_set("a", 0, b"2").await.unwrap(), "it may be created again");
}

pub async fn racing_changes_have_one_winner(fixture: MetaFixture) {
    fixture.created().await;
    for version in 0..10 {
        let racers = (0..6_usize).map(|i| {
            let peer = fixture.peer(i).clone();
            tokio::spawn(async move { peer.compare_and_set("hot", version, i.to_string().as_bytes()).await.unwrap() })
        });
        let mut winners = Vec::new();
        for (i, racer) in racers.collect::<Vec<_>>().into_iter().enumerate() {
            if racer.await.unwrap() {
                winners.push(i);
            }
        }
        let document = fixture.peer(0).load("hot").await.unwrap().unwrap();
        assert_eq!(winners.len(), 1);
        assert_eq!((document.version, document.body), (version + 1, winners[0].to_string().into_bytes()));
    }
}

pub async fn the_clock_is_the_time_of_day_and_goes_on(fixture: MetaFixture) {
    let meta = fixture.created().await;
    let first = meta.now().await.unwrap();
    let here = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as i64;
    assert!((first - here).abs() < 60_000_000, "{first} is the time of day in microseconds, or near it");
    assert!(meta.now().await.unwrap() >= first);
}
