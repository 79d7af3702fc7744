//! Cells that are written two by two into a SQLite file.

use std::path::Path;

use cellgate_schemaless::{Body, ClusterNo, ColumnKey, RefKey, RowKey, ShardId, TableId, TableRef, Token, Triple};
use cellgate_store::sqlite::{SqliteBackend, SqliteOptions};
use cellgate_store::{Backend, FORMAT, GroupCell, Identity, PutGroup, PutMode, PutOutcome};

pub fn table() -> TableRef {
    TableRef::new("trips", TableId(1), 1)
}

pub fn name(number: i64) -> Triple {
    let row = RowKey::new(format!("row{}", number % 7)).unwrap();
    Triple { row, column: ColumnKey::new("base").unwrap(), ref_key: RefKey(number) }
}

/// A write of two cells that stand or fall together.
pub fn pair(number: i64) -> PutGroup {
    let cell = |number: i64| GroupCell {
        table: table(),
        shard: ShardId(3),
        triple: name(number),
        body: Body::json(format!("{{\"n\":{number}}}")).unwrap(),
        mode: PutMode::Explicit,
    };
    PutGroup { token: Token(number), cells: vec![cell(2 * number), cell(2 * number + 1)] }
}

pub async fn open(path: &Path) -> SqliteBackend {
    let backend = SqliteBackend::open(path, SqliteOptions::default()).unwrap();
    let identity = Identity {
        deployment: "d".repeat(32),
        cluster: ClusterNo::new(1).unwrap(),
        incarnation: 1,
        virtual_shards: 4096,
        hash: "xxh3".to_owned(),
        seed: 0,
        format: FORMAT,
    };
    backend.claim(&identity, &[ShardId(3)]).await.unwrap();
    backend.create_table(&table()).await.unwrap();
    backend
}

pub async fn put(backend: &SqliteBackend, group: PutGroup) -> PutOutcome {
    let (epoch, _) = backend.shards().await.unwrap();
    backend.put(epoch, &[group]).await.unwrap().remove(0)
}
