//! The catalog's document in the meta store. Fields are only ever added, and those of a newer version are kept.

use std::collections::BTreeMap;

use cellgate_schemaless::{NewerFields, RowColumn, TableDef, TableId, TableRef};
use cellgate_store::StoreError;
use cellgate_store::deployment::KnownTables;
use serde::{Deserialize, Serialize};

/// Its name.
pub(super) const CATALOG: &str = "catalog";

/// Databases and tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogDocument {
    /// The databases.
    pub databases: Vec<String>,
    /// The tables.
    pub tables: Vec<TableDef>,
    /// The highest table id ever given; ids are never reused.
    pub last_table_id: u32,
    /// Physical tables that exist, wholly or in part, without being a table: not published yet, or dropped.
    #[serde(default)]
    pub unpublished: Vec<Unpublished>,
    /// The last version of this document in which a table or a column has lost its name and stayed (`takes_names`): a proxy with
    /// an older one may write there under that name. 0 is none that is known.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub names_moved_in: i64,
    /// What databases were given beside their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub database_options: BTreeMap<String, DatabaseOptions>,
    /// What a newer version wrote: kept.
    #[serde(flatten)]
    pub newer: NewerFields,
}

/// The options of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatabaseOptions {
    /// Its default collation.
    pub collation: String,
    /// What a newer version wrote: kept.
    #[serde(flatten)]
    pub newer: NewerFields,
}

/// A physical table that is no table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpublished {
    /// Its id.
    pub id: u32,
    /// The logical name it was made for.
    pub name: String,
    /// Since when, microseconds UTC by the meta store's clock.
    pub since: i64,
    /// Whether it was a table once (to be dropped now) rather than one being created.
    pub dropped: bool,
    /// The names under which a proxy with an older catalog may still write to it; without them it may be any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_as: Option<Vec<KnownName>>,
    /// What a newer version wrote: kept.
    #[serde(flatten)]
    pub newer: NewerFields,
}

/// A name of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownName {
    /// Its database.
    pub database: String,
    /// Its name there.
    pub table: String,
}

impl CatalogDocument {
    /// Whether a table of the document before is here under another name, or without a column that it had under that name.
    pub(super) fn takes_names(&self, before: &Self) -> bool {
        let tables: BTreeMap<u32, &TableDef> = self.tables.iter().map(|table| (table.id, table)).collect();
        before.tables.iter().any(|was| {
            let Some(is) = tables.get(&was.id) else { return false };
            let has = |column: &RowColumn| {
                is.columns.iter().any(|c| c.name == column.name && c.storage_key == column.storage_key)
            };
            (&was.database, &was.name) != (&is.database, &is.name) || !was.columns.iter().all(has)
        })
    }
}

fn is_zero(version: &i64) -> bool {
    *version == 0
}

impl Unpublished {
    /// Whether it was a table, still after this time, that a proxy may know by one of these names.
    pub(super) fn was(&self, is_meant: impl Fn(&KnownName) -> bool, since: i64) -> bool {
        let names = self.known_as.as_ref();
        self.dropped && self.since >= since && names.is_none_or(|names| names.iter().any(is_meant))
    }

    /// What a store needs to know of it.
    pub fn table_ref(&self) -> TableRef {
        TableRef::new(&self.name, TableId(self.id), 1)
    }
}

pub(super) fn decode(body: &[u8]) -> Result<CatalogDocument, StoreError> {
    serde_json::from_slice(body).map_err(|error| StoreError::Corrupt { detail: format!("the catalog: {error}") })
}

/// What it says of physical tables.
pub(super) fn known_tables(body: &[u8]) -> Result<KnownTables, StoreError> {
    let document = decode(body)?;
    Ok(KnownTables {
        last_id: document.last_table_id,
        tables: document.tables.iter().map(TableDef::table_ref).collect(),
        unpublished: document.unpublished.iter().map(Unpublished::table_ref).collect(),
    })
}

pub(super) fn encode(document: &CatalogDocument) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(document)
        .map_err(|error| StoreError::Failed { detail: format!("the catalog cannot be written: {error}") })
}
