//! Changing the catalog.

use std::sync::Arc;
use std::time::Duration;

use cellgate_schemaless::{KeyForm, RowColumn, TableDef, TableKind, TableRef};
use cellgate_sql::{RowColumnSpec, TableName};
use tokio::sync::watch;

use super::document::{CATALOG, CatalogDocument, Unpublished, encode};
use super::{Catalog, CatalogError, Snapshot};
use crate::signals::told;

/// How often a change may find that another proxy's came first.
const ATTEMPTS: usize = 50;
/// How long a table may be in the making before it counts as left behind by a crash. Far above the time that creating
/// a table on every cluster may take.
const ABANDONED_AFTER: Duration = Duration::from_secs(15 * 60);
/// How often left-behind physical tables are looked for.
const CLEAN_EVERY: Duration = Duration::from_secs(60);
/// Version of [`KeyForm::Bytes`].
const BYTES_CODEC: u16 = 1;

/// Whether a statement changed something, or found that IF [NOT] EXISTS applied.
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
        self.remove_physical(&dropped.iter().map(TableDef::table_ref).collect::<Vec<_>>()).await;
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
        let mut id = 0;
        let reserved = self
            .change(|document| {
                if let Some(there) = exists(document)? {
                    return Ok(there);
                }
                id = document.last_table_id.checked_add(1).ok_or(CatalogError::TablesExhausted)?;
                document.last_table_id = id;
                let making = Unpublished { id, name: name.table.clone(), since: now, dropped: false };
                document.unpublished.push(making);
                Ok(Changed::Yes)
            })
            .await?;
        if reserved != Changed::Yes {
            return Ok(reserved);
        }
        let table = define(id, name, columns, now);
        let made = self.deployment.executor().create_table(&table.table_ref()).await;
        if let Err(error) = made {
            self.remove_physical(&[table.table_ref()]).await;
            return Err(error.into());
        }
        let published = self
            .change(|document| {
                if let Some(there) = exists(document)? {
                    return Ok(there);
                }
                let before = document.unpublished.len();
                document.unpublished.retain(|u| u.id != id);
                if document.unpublished.len() == before {
                    // Whoever cleans up took this for left behind: the physical tables may be gone.
                    return Err(CatalogError::Contended);
                }
                document.tables.push(table.clone());
                Ok(Changed::Yes)
            })
            .await;
        if !matches!(published, Ok(Changed::Yes)) {
            self.remove_physical(&[table.table_ref()]).await;
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
        self.remove_physical(&dropped.iter().map(TableDef::table_ref).collect::<Vec<_>>()).await;
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

    /// Follows the document and removes what a crash left behind, until `shutdown`.
    pub async fn run(&self, mut shutdown: watch::Receiver<bool>) {
        let mut follow = tokio::time::interval(self.poll);
        let mut clean = tokio::time::interval(CLEAN_EVERY);
        follow.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = told(&mut shutdown) => return,
                _ = follow.tick() => {
                    // A meta store that does not answer is reported, and its age watched, where the topology is followed.
                    if let Err(error) = self.refresh().await {
                        tracing::debug!(%error, "the catalog could not be read");
                    }
                }
                _ = clean.tick() => {
                    if let Err(error) = self.clean().await {
                        tracing::debug!(%error, "left-behind tables could not be looked for");
                    }
                }
            }
        }
    }

    async fn clean(&self) -> Result<(), CatalogError> {
        let (_, document) = self.load().await?;
        let now = self.deployment.meta().now().await?;
        let patience = i64::try_from(ABANDONED_AFTER.as_micros()).unwrap_or(i64::MAX / 4);
        let abandoned = document.unpublished.iter().filter(|u| u.dropped || u.since + patience < now);
        let tables: Vec<TableRef> = abandoned.map(Unpublished::table_ref).collect();
        if !tables.is_empty() {
            self.remove_physical(&tables).await;
        }
        Ok(())
    }

    /// Drops physical tables and strikes them from the list; what cannot be reached stays on it for the next time.
    async fn remove_physical(&self, tables: &[TableRef]) {
        let mut gone = Vec::new();
        for table in tables {
            match self.deployment.executor().drop_table(table).await {
                Ok(()) => gone.push(table.id.0),
                Err(error) => tracing::warn!(table = table.physical(), %error, "a dropped table is left for later"),
            }
        }
        let struck = self.change(|document| {
            document.unpublished.retain(|u| !gone.contains(&u.id));
            Ok(Changed::Yes)
        });
        if let Err(error) = struck.await {
            tracing::warn!(%error, "the list of dropped tables could not be updated");
        }
    }

    /// Applies `edit` to the newest document and stores it, again if another change came first.
    async fn change(
        &self,
        mut edit: impl FnMut(&mut CatalogDocument) -> Result<Changed, CatalogError>,
    ) -> Result<Changed, CatalogError> {
        for _ in 0..ATTEMPTS {
            let (version, stored) = self.load().await?;
            let mut document = stored.clone();
            let changed = edit(&mut document)?;
            if document == stored {
                return Ok(changed);
            }
            if self.deployment.meta().compare_and_set(CATALOG, version, &encode(&document)?).await? {
                self.current.rcu(|known| {
                    if known.version < version + 1 {
                        Arc::new(Snapshot::new(version + 1, &document))
                    } else {
                        Arc::clone(known)
                    }
                });
                return Ok(changed);
            }
        }
        Err(CatalogError::Contended)
    }
}

fn unpublished(table: &TableDef, since: i64) -> Unpublished {
    Unpublished { id: table.id, name: table.name.clone(), since, dropped: true }
}

fn define(id: u32, name: &TableName, columns: &[RowColumnSpec], now: i64) -> TableDef {
    TableDef {
        id,
        database: name.database.clone(),
        name: name.table.clone(),
        kind: TableKind::Cells,
        key_form: KeyForm::Bytes,
        codec: BYTES_CODEC,
        columns: columns
            .iter()
            .map(|c| RowColumn {
                name: c.name.clone(),
                storage_key: c.name.clone(),
                missing: c.missing.clone(),
                added_in: 1,
            })
            .collect(),
        dropped_keys: Vec::new(),
        def: 1,
        created_at: now,
    }
}

/// Adds a column under a storage key that no column of the table has ever had: the name, or `name#2`, `name#3`, ...
fn add_column(table: &mut TableDef, column: &RowColumnSpec) -> Result<(), CatalogError> {
    if table.columns.iter().any(|c| c.name.eq_ignore_ascii_case(&column.name)) {
        return Err(CatalogError::ColumnExists(column.name.clone()));
    }
    let used = |key: &str| {
        let taken = table.columns.iter().map(|c| &c.storage_key).chain(&table.dropped_keys);
        taken.into_iter().any(|k| k.eq_ignore_ascii_case(key))
    };
    let mut storage_key = column.name.clone();
    let mut count = 2;
    while used(&storage_key) {
        storage_key = format!("{}#{count}", column.name);
        count += 1;
    }
    let (name, missing, added_in) = (column.name.clone(), column.missing.clone(), table.def);
    table.columns.push(RowColumn { name, storage_key, missing, added_in });
    Ok(())
}
