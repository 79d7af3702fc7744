//! The physical tables of clusters, compared with what the catalog says of them.
//!
//! A table id is written into the catalog before a table is made under it. So a cluster that has a table with a higher one
//! than the catalog has ever given is newer than the catalog: the meta store was restored from a backup, and would give that
//! id out again, to a table that finds the cells of the other one (C2 of docs/ARCHITECTURE.md). One that has a table with an id that
//! was given out, and that the catalog does not know any more, was restored from a backup itself: no statement reaches that table.

use std::collections::BTreeSet;

use cellgate_schemaless::{TableId, TableRef};
use futures_util::future::join_all;

use super::error::OpenError;
use super::setup::FirstDocument;
use crate::backend::Backend;
use crate::engine::sqlite;
use crate::error::StoreError;
use crate::meta::MetaStore;

/// What the catalog says of physical tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownTables {
    /// The highest id that was ever given to one.
    pub last_id: u32,
    /// Those that every cluster with shards has.
    pub tables: Vec<TableRef>,
    /// Those that a cluster may have: being made, or dropped and yet to be removed.
    pub unpublished: Vec<TableRef>,
}

/// Reads what a document says of physical tables.
pub type ReadTables = fn(&[u8]) -> Result<KnownTables, StoreError>;

/// A cluster that is to be compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compared<'a> {
    pub(super) name: &'a str,
    pub(super) backend: &'a dyn Backend,
    /// Whether it owns shards: others are given their tables when they run.
    pub(super) has_shards: bool,
}

/// What does not keep a deployment from being opened, by cluster.
#[derive(Debug, Default)]
pub(super) struct Differences {
    /// Tables of the catalog that are not there.
    pub(super) missing: Vec<MissingTables>,
    /// Tables that no catalog has.
    pub(super) surplus: Vec<SurplusTables>,
    /// Why the tables could not be listed.
    pub(super) unlisted: Vec<(String, StoreError)>,
}

/// Tables of the catalog that a cluster does not have: its store was restored from before they were made, or somebody
/// dropped them there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingTables {
    /// The cluster's name.
    pub cluster: String,
    /// The names of the physical tables.
    pub tables: Vec<String>,
}

/// Tables of a cluster with ids that were given out, which the catalog does not have: its store was restored from before they were
/// dropped or emptied, or their removal broke off there. Nobody removes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurplusTables {
    /// The cluster's name.
    pub cluster: String,
    /// The names of the physical tables.
    pub tables: Vec<String>,
}

/// What a comparison has found that keeps no start from serving.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What clusters lack.
    pub missing: Vec<MissingTables>,
    /// What they have that no statement reaches.
    pub surplus: Vec<SurplusTables>,
}

/// The newest of these physical tables: its id and its name.
pub fn newest_table(names: &[String]) -> Option<(TableId, &str)> {
    names.iter().filter_map(|name| Some((TableRef::id_in(name)?, name.as_str()))).max()
}

/// Compares clusters that can be reached with the catalog.
///
/// # Errors
/// [`OpenError::CatalogOlder`], or what the meta store says.
pub(super) async fn compare_tables(
    meta: &dyn MetaStore,
    documents: &[FirstDocument],
    clusters: &[Compared<'_>],
) -> Result<Differences, OpenError> {
    let mut differences = Differences::default();
    if clusters.is_empty() {
        return Ok(differences);
    }
    // What another proxy makes or drops meanwhile is in one of the two catalogs only, and its id in the later one.
    let Some(before) = known_tables(meta, documents).await? else { return Ok(differences) };
    let listed = join_all(clusters.iter().map(|cluster| cluster.backend.tables())).await;
    let Some(known) = known_tables(meta, documents).await? else { return Ok(differences) };
    let catalogs = [&before, &known].into_iter();
    let listed_ids =
        catalogs.flat_map(|catalog| catalog.tables.iter().chain(&catalog.unpublished)).map(|table| table.id);
    let listed_ids: BTreeSet<TableId> = listed_ids.collect();
    let is_surplus = |name: &&String| {
        let id = TableRef::id_in(name).or_else(|| sqlite::id_of_set_aside(name));
        id.is_some_and(|id| id.0 <= known.last_id && !listed_ids.contains(&id))
    };
    let mut newest: Option<(TableId, String, String)> = None;
    for (cluster, listed) in clusters.iter().zip(listed) {
        let names = match listed {
            Ok(names) => names,
            Err(error) => {
                differences.unlisted.push((cluster.name.to_owned(), error));
                continue;
            }
        };
        if let Some((id, table)) = newest_table(&names) {
            newest = newest.max(Some((id, cluster.name.to_owned(), table.to_owned())));
        }
        let is_missing =
            |table: &&TableRef| before.tables.contains(table) && !names.iter().any(|name| name == table.physical());
        let missing = known.tables.iter().filter(is_missing).map(|table| table.physical().to_owned());
        let tables: Vec<String> = missing.collect();
        if cluster.has_shards && !tables.is_empty() {
            differences.missing.push(MissingTables { cluster: cluster.name.to_owned(), tables });
        }
        let tables: Vec<String> = names.iter().filter(is_surplus).cloned().collect();
        if !tables.is_empty() {
            differences.surplus.push(SurplusTables { cluster: cluster.name.to_owned(), tables });
        }
    }
    match newest {
        Some((id, cluster, table)) if id.0 > known.last_id => {
            Err(OpenError::CatalogOlder { cluster, table, id: id.0, last: known.last_id })
        }
        Some(_) | None => Ok(differences),
    }
}

async fn known_tables(meta: &dyn MetaStore, documents: &[FirstDocument]) -> Result<Option<KnownTables>, OpenError> {
    for document in documents {
        let Some(tables) = document.tables else { continue };
        let stored = meta.load(document.name).await.map_err(OpenError::Meta)?;
        return stored.map(|stored| tables(&stored.body)).transpose().map_err(OpenError::Meta);
    }
    Ok(None)
}

impl Differences {
    /// Tells the log.
    pub(super) fn tell(&self) {
        for MissingTables { cluster, tables } in &self.missing {
            let tables = tables.join(", ");
            tracing::error!(
                cluster,
                tables,
                "the cluster lacks tables of the catalog: statements over them fail with 1146"
            );
        }
        for SurplusTables { cluster, tables } in &self.surplus {
            let tables = tables.join(", ");
            tracing::warn!(
                cluster,
                tables,
                "the cluster has tables that the catalog does not know: no statement reaches them, and nobody removes them"
            );
        }
        for (cluster, error) in &self.unlisted {
            tracing::warn!(cluster, %error, "the tables of the cluster cannot be listed: CREATE TABLE is refused until they can");
        }
    }
}
