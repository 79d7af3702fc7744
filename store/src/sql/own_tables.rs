//! Statements about the store itself: who it is, its log head, its shards, and the documents of a meta store.

use cellgate_schemaless::{AddedId, ClusterNo, Epoch, ShardId};

use super::{Dialect, InsertIfAbsent, KeyLists, Param, Query, Sql};
use crate::{Identity, ShardState, StoreError};

/// The one log head a cluster starts with.
pub(crate) const FIRST_HEAD: i64 = 0;

/// `cg_shard.state` of a shard that is here.
pub(crate) const SHARD_OWNED: i64 = 0;

/// `cg_shard.state` of a shard that went to the cluster in `moved_to`.
pub(crate) const SHARD_MOVED: i64 = 1;

/// The epoch a store is claimed at.
pub(crate) const FIRST_EPOCH: Epoch = Epoch(1);

/// Most shards one INSERT names.
const SHARDS_PER_INSERT: usize = 256;

/// The first id a cluster hands out; all others are a multiple of the stride above it.
pub(crate) fn first_id(cluster: ClusterNo) -> i64 {
    i64::from(cluster.get())
}

/// The highest id that may have been given out, by the one that is next.
pub(crate) fn highest_id(next: i64) -> AddedId {
    AddedId(next.saturating_sub(1))
}

impl ShardState {
    /// A row of `cg_shard`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] for numbers out of bounds.
    pub(crate) fn from_columns(shard: i64, state: i64, moved_to: Option<i64>) -> Result<Self, StoreError> {
        let corrupt = || StoreError::Corrupt { detail: format!("cg_shard has ({shard}, {state}, {moved_to:?})") };
        let target = match (state, moved_to) {
            (SHARD_OWNED, None) => None,
            (SHARD_MOVED, Some(number)) => {
                let number = u16::try_from(number).map_err(|_| corrupt())?;
                Some(ClusterNo::new(number).map_err(|_| corrupt())?)
            }
            _ => return Err(corrupt()),
        };
        Ok(Self { shard: ShardId(u16::try_from(shard).map_err(|_| corrupt())?), moved_to: target })
    }
}

impl Dialect {
    /// Reads the identity: `deployment, cluster_no, incarnation, virtual_shards, hash, seed, format`. Fails if the
    /// store was never claimed (no such table).
    pub(crate) fn select_identity(&self) -> Query {
        let columns = ["deployment", "cluster_no", "incarnation", "virtual_shards", "hash", "seed", "format"];
        let mut sql = Sql::new(self);
        sql.push("SELECT ").names("", &columns).push(" FROM ").name("cg_cluster").push(" WHERE ").name("one");
        sql.push(" = 1").finish()
    }

    /// Reads the names of the tables that have a column of cells: of others, which are not ours, nobody knows what they are
    /// called.
    pub(crate) fn select_cell_tables(&self) -> Query {
        let text = match self.keys {
            KeyLists::TupleIn => {
                "SELECT c.table_name FROM information_schema.columns AS c JOIN information_schema.tables AS t \
                 ON t.table_schema = c.table_schema AND t.table_name = c.table_name WHERE c.table_schema = DATABASE() AND \
                 c.column_name = 'ref_key' AND t.table_type = 'BASE TABLE'"
            }
            KeyLists::Unnest => {
                "SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a \
                 ON a.attrelid = c.oid WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND \
                 a.attname = 'ref_key'"
            }
            KeyLists::Single => "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%ref_key%'",
        };
        Query { text: text.to_owned(), params: Vec::new() }
    }

    /// Writes the identity unless there is one.
    pub(crate) fn insert_identity(&self, identity: &Identity) -> Query {
        let columns = ["one", "deployment", "cluster_no", "incarnation", "virtual_shards", "hash", "seed", "format"];
        let row = vec![
            Param::Int(1),
            Param::Text(identity.deployment.clone()),
            Param::Int(i64::from(identity.cluster.get())),
            Param::Int(identity.incarnation),
            Param::Int(i64::from(identity.virtual_shards)),
            Param::Text(identity.hash.clone()),
            Param::Int(identity.seed),
            Param::Int(identity.format),
        ];
        self.insert_if_absent("cg_cluster", &columns, vec![row])
    }

    /// Writes the log head unless there is one. Its time starts at 0: the first write takes the clock's.
    pub(crate) fn insert_head(&self, cluster: ClusterNo) -> Query {
        let row = vec![Param::Int(FIRST_HEAD), Param::Int(FIRST_EPOCH.0), Param::Int(first_id(cluster)), Param::Int(0)];
        self.insert_if_absent("cg_head", &["head", "epoch", "next", "at"], vec![row])
    }

    /// Writes the shards that are not there yet, as owned; several statements if there are many.
    pub(crate) fn insert_shards(&self, shards: &[ShardId]) -> Vec<Query> {
        let columns = ["shard", "state", "epoch", "moved_to"];
        let row = |shard: &ShardId| {
            vec![Param::Int(i64::from(shard.0)), Param::Int(SHARD_OWNED), Param::Int(FIRST_EPOCH.0), Param::NullInt]
        };
        shards
            .chunks(SHARDS_PER_INSERT)
            .map(|chunk| self.insert_if_absent("cg_shard", &columns, chunk.iter().map(row).collect()))
            .collect()
    }

    /// Reads the epoch of the head.
    pub(crate) fn select_epoch(&self) -> Query {
        let mut sql = Sql::new(self);
        sql.push("SELECT ").name("epoch").push(" FROM ").name("cg_head").push(" WHERE ").name("head").push(" = ");
        sql.int(FIRST_HEAD).finish()
    }

    /// Reads the id that the head gives out next. Every lower one has been committed or never will be (C1 of
    /// docs/ARCHITECTURE.md).
    pub(crate) fn select_next(&self) -> Query {
        let mut sql = Sql::new(self);
        sql.push("SELECT ").name("next").push(" FROM ").name("cg_head").push(" WHERE ").name("head").push(" = ");
        sql.int(FIRST_HEAD).finish()
    }

    /// Reads `shard, state, moved_to` of all shards, by shard.
    pub(crate) fn select_shards(&self) -> Query {
        let mut sql = Sql::new(self);
        sql.push("SELECT ").names("", &["shard", "state", "moved_to"]).push(" FROM ").name("cg_shard");
        sql.push(" ORDER BY ").name("shard").finish()
    }

    /// Raises the epoch of all heads; no row changes if it is not `from`.
    pub(crate) fn raise_epoch(&self, from: Epoch, to: Epoch) -> Query {
        let mut sql = Sql::new(self);
        sql.push("UPDATE ").name("cg_head").push(" SET ").name("epoch").push(" = ").int(to.0);
        sql.push(" WHERE ").name("epoch").push(" = ").int(from.0).finish()
    }

    /// Reads `version, body` of a document.
    pub(crate) fn select_document(&self, name: &str) -> Query {
        let mut sql = Sql::new(self);
        sql.push("SELECT ").names("", &["version", "body"]).push(" FROM ").name("cg_meta");
        sql.push(" WHERE ").name("name").push(" = ").param(document_name(name)).finish()
    }

    /// Reads `name, version, body` of the documents whose name starts with `prefix`, by name.
    pub(crate) fn select_documents(&self, prefix: &str) -> Query {
        let mut sql = Sql::new(self);
        sql.push("SELECT ").names("", &["name", "version", "body"]).push(" FROM ").name("cg_meta");
        sql.push(" WHERE ").name("name").push(" >= ").param(document_name(prefix));
        // Names are ASCII, so that everything with this prefix is below the prefix and a byte no name contains.
        sql.push(" AND ").name("name").push(" < ");
        sql.param(Param::Bytes([prefix.as_bytes(), &[0xff]].concat().into()));
        sql.push(" ORDER BY ").name("name").finish()
    }

    /// Creates a document at version 1 unless there is one of that name.
    pub(crate) fn insert_document(&self, name: &str, body: &[u8]) -> Query {
        let row = vec![document_name(name), Param::Int(1), Param::Bytes(body.to_vec().into())];
        self.insert_if_absent("cg_meta", &["name", "version", "body"], vec![row])
    }

    /// Replaces a document if it is at version `expected`; the new one has the next.
    pub(crate) fn update_document(&self, name: &str, expected: i64, body: &[u8]) -> Query {
        let mut sql = Sql::new(self);
        sql.push("UPDATE ").name("cg_meta").push(" SET ").name("version").push(" = ").name("version").push(" + 1, ");
        sql.name("body").push(" = ").param(Param::Bytes(body.to_vec().into()));
        sql.push(" WHERE ").name("name").push(" = ").param(document_name(name));
        sql.push(" AND ").name("version").push(" = ").int(expected).finish()
    }

    /// Removes a document if it is at version `expected`.
    pub(crate) fn delete_document(&self, name: &str, expected: i64) -> Query {
        let mut sql = Sql::new(self);
        sql.push("DELETE FROM ").name("cg_meta").push(" WHERE ").name("name").push(" = ").param(document_name(name));
        sql.push(" AND ").name("version").push(" = ").int(expected).finish()
    }

    /// An INSERT that leaves rows alone whose key (the first column) exists.
    fn insert_if_absent(&self, table: &str, columns: &[&str], rows: Vec<Vec<Param>>) -> Query {
        let mut sql = Sql::new(self);
        sql.push("INSERT INTO ").name(table).push(" (").names("", columns).push(") VALUES ");
        for (i, row) in rows.into_iter().enumerate() {
            sql.push(if i > 0 { ", (" } else { "(" });
            for (j, value) in row.into_iter().enumerate() {
                sql.push(if j > 0 { ", " } else { "" }).param(value);
            }
            sql.push(")");
        }
        match self.insert_if_absent {
            InsertIfAbsent::OnConflict => sql.push(" ON CONFLICT DO NOTHING"),
            InsertIfAbsent::OnDuplicateKey => {
                sql.push(" ON DUPLICATE KEY UPDATE ").name(columns[0]).push(" = ").name(columns[0])
            }
        };
        sql.finish()
    }
}

/// Names are bound as bytes: no engine then compares them by a collation.
fn document_name(name: &str) -> Param {
    Param::Bytes(name.as_bytes().to_vec().into())
}
