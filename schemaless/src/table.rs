//! Tables as the catalog knows them. Everything here is stored as JSON in the meta store, so fields are only ever added.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::keys::TableId;

/// Fields of a document in the meta store that this version does not know. A newer one wrote them; they are written back as
/// they are, so that proxies of both versions can serve a deployment while it is upgraded.
pub type NewerFields = serde_json::Map<String, serde_json::Value>;

/// A table in the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDef {
    /// Its id, never reused.
    pub id: u32,
    /// The database it is in.
    pub database: String,
    /// Its name, as written in CREATE TABLE.
    pub name: String,
    /// What its rows are.
    pub kind: TableKind,
    /// How a row key is made from SQL values.
    pub key_form: KeyForm,
    /// Version of the encoding of `key_form`; pinned by golden vectors.
    pub codec: u16,
    /// Declared row-shape columns, in order.
    pub columns: Vec<RowColumn>,
    /// Storage keys of dropped columns: never used again in this table.
    #[serde(default)]
    pub dropped_keys: Vec<String>,
    /// The definition number cells are written under; raised by every ALTER.
    pub def: u32,
    /// When it was created, microseconds UTC.
    pub created_at: i64,
    /// `COMMENT`
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// The name its physical tables have in place of its own: that before it was renamed, or one a store takes
    /// ([`TableRef::name_to_make`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_as: Option<String>,
    /// What a newer version wrote: kept.
    #[serde(flatten)]
    pub newer: NewerFields,
}

impl TableDef {
    /// Version of the encoding of [`KeyForm::Bytes`].
    const BYTES_CODEC: u16 = 1;

    /// A table of cells as it is first created: without declared columns or comment, under definition 1.
    /// `created_at` is microseconds UTC.
    pub fn new(id: u32, database: impl Into<String>, name: impl Into<String>, created_at: i64) -> Self {
        Self {
            id,
            database: database.into(),
            name: name.into(),
            kind: TableKind::Cells,
            key_form: KeyForm::Bytes,
            codec: Self::BYTES_CODEC,
            columns: Vec::new(),
            dropped_keys: Vec::new(),
            def: 1,
            created_at,
            comment: String::new(),
            made_as: None,
            newer: NewerFields::new(),
        }
    }

    /// What a store needs to know of the table.
    pub fn table_ref(&self) -> TableRef {
        TableRef::new(self.made_name(), TableId(self.id), self.def)
    }

    /// The name its physical tables were made under.
    pub fn made_name(&self) -> &str {
        self.made_as.as_deref().unwrap_or(&self.name)
    }
}

/// What the rows of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// Schemaless cells: `row_key, column_key, ref_key, body, added_id, created_at`.
    Cells,
}

/// How row keys are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyForm {
    /// The bytes given; a number is its decimal text.
    Bytes,
}

/// A declared column of the row shape: its latest body is the column's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowColumn {
    /// The name SQL uses, compared without case.
    pub name: String,
    /// The column key its cells are stored under (the name at creation, unique for the table's life).
    pub storage_key: String,
    /// The value of a row that has no such cell, as JSON text; `None` is NULL.
    pub missing: Option<String>,
    /// The table's definition number when the column was added.
    pub added_in: u32,
    /// `COMMENT`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
    /// What a newer version wrote: kept.
    #[serde(flatten)]
    pub newer: NewerFields,
}

impl RowColumn {
    /// A column as it is first declared, in definition 1: its cells are stored under its own name.
    pub fn new(name: impl Into<String>, missing: Option<String>) -> Self {
        let name = name.into();
        Self {
            storage_key: name.clone(),
            name,
            missing,
            added_in: 1,
            comment: String::new(),
            newer: NewerFields::new(),
        }
    }
}

/// The physical side of a table: the name it has in every cluster, and the definition number cells carry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableRef {
    /// The table's id.
    pub id: TableId,
    /// The definition number to write cells under.
    pub def: u32,
    /// Shared: a reference is cloned with every request.
    physical: Arc<str>,
}

impl TableRef {
    /// Longest part of the logical name kept in the physical one, so that `<name>_<id>` fits PostgreSQL's 63 bytes.
    const NAME_BYTES: usize = 48;

    /// What the physical names of no new table begin with: SQLite keeps such names for itself.
    const RESERVED: &str = "sqlite_";

    /// The name under which to make the physical tables of a new table `name`, if not under its own. It is to be kept with
    /// the table: what has been made on other engines under such a name goes on with it.
    pub fn name_to_make(name: &str) -> Option<String> {
        Self::new(name, TableId(0), 0).physical().starts_with(Self::RESERVED).then(|| format!("t_{name}"))
    }

    /// The reference of table `name` with this id.
    pub fn new(name: &str, id: TableId, def: u32) -> Self {
        // Letters, digits and `_` only: the name is for people who read a shard with the engine's own client; the id
        // alone makes it unique.
        let readable: String = name
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .take(Self::NAME_BYTES)
            .collect();
        Self { id, def, physical: format!("{readable}_{id}").into() }
    }

    /// The id in the name of a physical table; `None` if no table of ours has such a name.
    pub fn id_in(physical: &str) -> Option<TableId> {
        let (name, id) = physical.rsplit_once('_')?;
        let is_ours = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let is_number = !id.is_empty() && !id.starts_with('0') && id.bytes().all(|b| b.is_ascii_digit());
        if name.is_empty() || !name.chars().all(is_ours) || !is_number {
            return None;
        }
        id.parse().ok().map(TableId)
    }

    /// The table's name in every cluster: `[a-z0-9_]+`, safe to quote in any engine.
    pub fn physical(&self) -> &str {
        &self.physical
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn physical_names_are_plain_and_differ_by_id() {
        assert_eq!(TableRef::new("Trips", TableId(17), 1).physical(), "trips_17");
        assert_eq!(TableRef::new("a`b;ü", TableId(3), 1).physical(), "a_b___3");
        assert!(TableRef::new(&"x".repeat(64), TableId(u32::MAX), 1).physical().len() <= 63);
    }

    #[test]
    fn an_id_is_found_in_the_names_of_our_tables_only() {
        for (name, id) in [
            (TableRef::new("Trips", TableId(17), 1).physical(), Some(17)),
            (TableRef::new("a`b;ü_", TableId(u32::MAX), 1).physical(), Some(u32::MAX)),
            ("log_2024_3", Some(3)),
            ("cg_head", None),
            ("Trips_17", None),
            ("trips_07", None),
            ("trips_4294967296", None),
            ("_3", None),
            ("trips3", None),
        ] {
            assert_eq!(TableRef::id_in(name).map(|id| id.0), id, "{name}");
        }
    }

    #[test]
    fn no_new_table_has_a_physical_name_sqlite_keeps_for_itself() {
        for (name, made_as) in [
            ("sqlite_orders", Some("t_sqlite_orders")),
            ("SQLite-x", Some("t_SQLite-x")),
            ("sqlite", Some("t_sqlite")),
            ("sqliteorders", None),
            ("my_sqlite_", None),
        ] {
            assert_eq!(TableRef::name_to_make(name).as_deref(), made_as, "{name}");
        }
        assert_eq!(TableRef::new("t_SQLite-x", TableId(4), 1).physical(), "t_sqlite_x_4");
    }
}
