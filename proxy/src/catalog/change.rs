//! Changing the catalog.

use cellgate_schemaless::limits::COLUMN_KEY_BYTES;
use cellgate_schemaless::{KeyForm, RowColumn, TableDef, TableKind};
use cellgate_sql::{RowColumnSpec, TableName};

use super::document::{CATALOG, CatalogDocument, Unpublished, encode};
use super::{Catalog, CatalogError};

/// How often a change may find that another proxy's came first.
const ATTEMPTS: usize = 50;
/// Version of [`KeyForm::Bytes`].
const BYTES_CODEC: u16 = 1;

/// Whether a statement changed something, or found that `IF [NOT] EXISTS` applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It did.
    Yes,
    /// Nothing to do; the text is that of MySQL's note.
    No(Vec<String>),
}

impl Catalog {
    /// `CREATE DATABASE`.
    ///
    /// # Errors
    /// [`CatalogError::DatabaseExists`], or what the meta store says.
    pub async fn create_database(&self, name: &str, if_not_exists: bool) -> Result<Changed, CatalogError> {
        self.change(|document| {
            if document.databases.iter().any(|d| d == name) {
                let error = CatalogError::DatabaseExists(name.to_owned());
                return if if_not_exists { Ok(Changed::No(vec![error.to_string()])) } else { Err(error) };
            }
            document.databases.push(name.to_owned());
            Ok(Changed::Yes)
        })
        .await
    }

    /// `DROP DATABASE`, with its tables. Answers how many tables there were.
    ///
    /// # Errors
    /// [`CatalogError::NoDatabaseToDrop`], or what the meta store says.
    pub async fn drop_database(&self, name: &str, if_exists: bool) -> Result<(Changed, usize), CatalogError> {
        let now = self.deployment.meta().now().await?;
        let mut dropped = Vec::new();
        let changed = self
            .change(|document| {
                dropped.clear();
                if !document.databases.iter().any(|d| d == name) {
                    let error = CatalogError::NoDatabaseToDrop(name.to_owned());
                    return if if_exists { Ok(Changed::No(vec![error.to_string()])) } else { Err(error) };
                }
                document.databases.retain(|d| d != name);
                dropped = document.tables.extract_if(.., |t| t.database == name).collect();
                document.unpublished.extend(dropped.iter().map(|t| unpublished(t, now)));
                Ok(Changed::Yes)
            })
            .await?;
        self.remove_now(&dropped.iter().map(|t| t.id).collect::<Vec<_>>()).await;
        Ok((changed, dropped.len()))
    }

    /// `CREATE TABLE` of a cell table: reserves an id, makes the physical table in every cluster, publishes it.
    ///
    /// # Errors
    /// [`CatalogError::TableExists`], [`CatalogError::UnknownDatabase`], or what a store says: then nothing is
    /// published, and what was made is cleaned up.
    pub async fn create_table(
        &self,
        name: &TableName,
        if_not_exists: bool,
        columns: &[RowColumnSpec],
    ) -> Result<Changed, CatalogError> {
        let now = self.deployment.meta().now().await?;
        let exists = |document: &CatalogDocument| {
            if !document.databases.contains(&name.database) {
                return Err(CatalogError::UnknownDatabase(name.database.clone()));
            }
            let exists = document.tables.iter().any(|t| t.database == name.database && t.name == name.table);
            match (exists, if_not_exists) {
                (false, _) => Ok(None),
                (true, true) => Ok(Some(Changed::No(vec![CatalogError::TableExists(name.table.clone()).to_string()]))),
                (true, false) => Err(CatalogError::TableExists(name.table.clone())),
            }
        };
        let mut table = define(name, columns, now)?;
        let reserved = self
            .change(|document| {
                if let Some(there) = exists(document)? {
                    return Ok(there);
                }
                let id = document.last_table_id.checked_add(1).ok_or(CatalogError::TablesExhausted)?;
                document.last_table_id = id;
                table.id = id;
                let making = Unpublished { id, name: name.table.clone(), since: now, dropped: false };
                document.unpublished.push(making);
                Ok(Changed::Yes)
            })
            .await?;
        if reserved != Changed::Yes {
            return Ok(reserved);
        }
        let id = table.id;
        let made = self.deployment.executor().create_table(&table.table_ref()).await;
        if let Err(error) = made {
            self.remove_now(&[id]).await;
            return Err(error.into());
        }
        let published = self
            .change(|document| {
                if let Some(there) = exists(document)? {
                    return Ok(there);
                }
                if document.unpublished.extract_if(.., |u| u.id == id && !u.dropped).count() == 0 {
                    // Whoever cleans up took this for left behind: the physical tables may be gone.
                    return Err(CatalogError::Contended);
                }
                document.tables.push(table.clone());
                Ok(Changed::Yes)
            })
            .await;
        if !matches!(published, Ok(Changed::Yes)) {
            self.remove_now(&[id]).await;
        }
        published
    }

    /// `DROP TABLE`: all of the names or, if one does not exist and IF EXISTS is not given, none.
    ///
    /// # Errors
    /// [`CatalogError::NoTableToDrop`] with all the names that do not exist, or what the meta store says.
    pub async fn drop_tables(&self, names: &[TableName], if_exists: bool) -> Result<Changed, CatalogError> {
        let now = self.deployment.meta().now().await?;
        let mut dropped: Vec<TableDef> = Vec::new();
        let changed = self
            .change(|document| {
                dropped.clear();
                let is = |t: &TableDef, n: &TableName| t.database == n.database && t.name == n.table;
                let missing: Vec<String> = names
                    .iter()
                    .filter(|n| !document.tables.iter().any(|t| is(t, n)))
                    .map(|n| format!("{}.{}", n.database, n.table))
                    .collect();
                if !missing.is_empty() && !if_exists {
                    return Err(CatalogError::NoTableToDrop(missing.join(",")));
                }
                dropped = document.tables.extract_if(.., |t| names.iter().any(|n| is(t, n))).collect();
                document.unpublished.extend(dropped.iter().map(|t| unpublished(t, now)));
                let notes: Vec<String> =
                    missing.into_iter().map(|name| CatalogError::NoTableToDrop(name).to_string()).collect();
                Ok(if notes.is_empty() { Changed::Yes } else { Changed::No(notes) })
            })
            .await?;
        self.remove_now(&dropped.iter().map(|t| t.id).collect::<Vec<_>>()).await;
        Ok(changed)
    }

    /// `ALTER TABLE`: adds and drops row-shape columns. Cells are not touched: a dropped column's cells stay readable in
    /// the cell shape, and a column added again under the same name gets a storage key of its own (CORRECTNESS C10).
    ///
    /// # Errors
    /// [`CatalogError::UnknownTable`], [`CatalogError::ColumnExists`], [`CatalogError::NoColumnToDrop`].
    pub async fn alter_table(
        &self,
        name: &TableName,
        add: &[RowColumnSpec],
        drop: &[String],
    ) -> Result<Changed, CatalogError> {
        self.change(|document| {
            let found = document.tables.iter_mut().find(|t| t.database == name.database && t.name == name.table);
            let Some(table) = found else {
                return Err(CatalogError::UnknownTable { database: name.database.clone(), table: name.table.clone() });
            };
            for column in drop {
                let before = table.columns.len();
                let gone = table.columns.extract_if(.., |c| c.name.eq_ignore_ascii_case(column)).collect::<Vec<_>>();
                table.dropped_keys.extend(gone.into_iter().map(|c| c.storage_key));
                if table.columns.len() == before {
                    return Err(CatalogError::NoColumnToDrop(column.clone()));
                }
            }
            table.def += 1;
            for column in add {
                add_column(table, column)?;
            }
            Ok(Changed::Yes)
        })
        .await
    }

    /// Applies `edit` to the newest document and stores it, again if another change came first.
    pub(super) async fn change(
        &self,
        mut edit: impl FnMut(&mut CatalogDocument) -> Result<Changed, CatalogError>,
    ) -> Result<Changed, CatalogError> {
        // Changes of this proxy take turns, so that each lost race is another proxy's win.
        let _turn = self.changing.lock().await;
        for _ in 0..ATTEMPTS {
            let (version, stored) = self.load().await?;
            let mut document = stored.clone();
            let changed = edit(&mut document)?;
            if document == stored {
                return Ok(changed);
            }
            if self.deployment.meta().compare_and_set(CATALOG, version, &encode(&document)?).await? {
                self.know(version + 1, &document);
                return Ok(changed);
            }
        }
        Err(CatalogError::Contended)
    }
}

fn unpublished(table: &TableDef, since: i64) -> Unpublished {
    Unpublished { id: table.id, name: table.name.clone(), since, dropped: true }
}

/// A table without an id.
fn define(name: &TableName, columns: &[RowColumnSpec], now: i64) -> Result<TableDef, CatalogError> {
    let mut table = TableDef {
        id: 0,
        database: name.database.clone(),
        name: name.table.clone(),
        kind: TableKind::Cells,
        key_form: KeyForm::Bytes,
        codec: BYTES_CODEC,
        columns: Vec::new(),
        dropped_keys: Vec::new(),
        def: 1,
        created_at: now,
    };
    for column in columns {
        add_column(&mut table, column)?;
    }
    Ok(table)
}

/// Adds a column under a storage key that no column of the table has ever had: the name, or `name#2`, `name#3`, ..., the
/// name cut so that it is a column key.
fn add_column(table: &mut TableDef, column: &RowColumnSpec) -> Result<(), CatalogError> {
    if table.columns.iter().any(|c| c.name.eq_ignore_ascii_case(&column.name)) {
        return Err(CatalogError::ColumnExists(column.name.clone()));
    }
    let used = |key: &str| {
        let taken = table.columns.iter().map(|c| &c.storage_key).chain(&table.dropped_keys);
        taken.into_iter().any(|k| k.eq_ignore_ascii_case(key))
    };
    let mut storage_key = suffixed(&column.name, "");
    let mut count = 2;
    while used(&storage_key) {
        storage_key = suffixed(&column.name, &format!("#{count}"));
        count += 1;
    }
    let (name, missing, added_in) = (column.name.clone(), column.missing.clone(), table.def);
    table.columns.push(RowColumn { name, storage_key, missing, added_in });
    Ok(())
}

fn suffixed(name: &str, suffix: &str) -> String {
    let end = name.floor_char_boundary(COLUMN_KEY_BYTES.saturating_sub(suffix.len()));
    format!("{}{suffix}", &name[..end])
}
