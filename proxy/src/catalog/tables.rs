//! Tables as wholes: CREATE, DROP, RENAME and TRUNCATE.
//!
//! What needs physical tables is done in three steps: an id is reserved, the physical table is made in every cluster,
//! the table is published. Whoever crashes between them leaves an entry in the list of unpublished ones.

use cellgate_schemaless::{NewerFields, RowColumn, TableDef, TableRef};
use cellgate_sql::{RowColumnSpec, TableName};
use cellgate_store::deployment::newest_table;

use super::change::{Changed, unpublished};
use super::columns::add_column;
use super::document::{CatalogDocument, KnownName, Unpublished, decode};
use super::{Catalog, CatalogError};

/// What a new table is made of.
#[derive(Clone, Debug)]
pub enum NewTable<'a> {
    /// CREATE TABLE: its declared columns and its comment.
    Declared {
        /// The columns of the row shape.
        columns: &'a [RowColumnSpec],
        /// `COMMENT`
        comment: &'a str,
    },
    /// CREATE TABLE .. LIKE: those of a table that exists.
    Like(&'a TableName),
}

impl Catalog {
    /// `CREATE TABLE` of a cell table: reserves an id, makes the physical table in every cluster, publishes it. A write that
    /// begins after this has returned is not lost with a table of that name that is being dropped, and does not go to one that had
    /// the name before.
    ///
    /// # Errors
    /// [`CatalogError::TableExists`], [`CatalogError::UnknownDatabase`], [`CatalogError::UnknownTable`] for that of
    /// LIKE, or what a store says: then nothing is published, and what was made is cleaned up.
    pub async fn create_table(
        &self,
        name: &TableName,
        if_not_exists: bool,
        new: NewTable<'_>,
    ) -> Result<Changed, CatalogError> {
        let now = self.deployment.meta().now().await?;
        let exists = |document: &CatalogDocument| {
            if !document.databases.contains(&name.database) {
                return Err(CatalogError::UnknownDatabase(name.database.clone()));
            }
            match (document.tables.iter().any(|t| is(t, name)), if_not_exists) {
                (false, _) => Ok(None),
                (true, true) => Ok(Some(Changed::No(vec![CatalogError::TableExists(name.table.clone()).to_string()]))),
                (true, false) => Err(CatalogError::TableExists(name.table.clone())),
            }
        };
        let known = self.refresh().await?;
        let is_new = known.has_database(&name.database) && known.table(&name.database, &name.table).is_none();
        let mut made = if is_new { Some(self.newest_made().await?) } else { None };
        let mut reserved: Option<TableDef> = None;
        let outcome = loop {
            let changed = self.change(|document| {
                reserved = None;
                // The table of LIKE must be there even if IF NOT EXISTS applies, as in MySQL.
                let mut table = define(name, &new, document, now)?;
                if let Some(there) = exists(document)? {
                    return Ok(there);
                }
                table.id = reserve(document, made.as_ref(), table.made_name(), now)?;
                reserved = Some(table);
                Ok(Changed::Yes)
            });
            match changed.await {
                // It was there a moment ago, or in a catalog that has been replaced by a backup.
                Err(CatalogError::Contended) if made.is_none() => made = Some(self.newest_made().await?),
                changed => break changed?,
            }
        };
        let Some(table) = reserved else {
            return self.change_renames(is_one_of(&[name]), |_, _| Ok(outcome.clone())).await;
        };
        self.make(&table).await?;
        let published = self
            .change_renames(is_one_of(&[name]), |document, _| {
                if let Some(there) = exists(document)? {
                    return Ok(there);
                }
                publish(document, table.id)?;
                document.tables.push(table.clone());
                Ok(Changed::Yes)
            })
            .await;
        self.remove_unpublished(&table, &published).await;
        published
    }

    /// `TRUNCATE`: the table goes on with new, empty physical tables, from one moment to the next; the old ones are
    /// removed. Cells that another client writes meanwhile are either there before and gone, or there afterwards; those
    /// of a write that begins after this has returned are there, whatever catalog its proxy has.
    ///
    /// # Errors
    /// [`CatalogError::UnknownTable`], also if it is dropped meanwhile, or what a store says: then the table is as it
    /// was.
    pub async fn truncate(&self, name: &TableName) -> Result<(), CatalogError> {
        let now = self.deployment.meta().now().await?;
        let is_there = self.refresh().await?.table(&name.database, &name.table).is_some();
        let mut made = if is_there { Some(self.newest_made().await?) } else { None };
        let mut planned: Option<(u32, TableDef)> = None;
        loop {
            let changed = self.change(|document| {
                let mut table = find(document, name)?.clone();
                let old = table.id;
                table.made_as = TableRef::name_to_make(&name.table);
                table.id = reserve(document, made.as_ref(), table.made_name(), now)?;
                planned = Some((old, table));
                Ok(Changed::Yes)
            });
            match changed.await {
                // It was renamed or made a moment ago.
                Err(CatalogError::Contended) if made.is_none() => made = Some(self.newest_made().await?),
                changed => {
                    changed?;
                    break;
                }
            }
        }
        let Some((old, empty)) = planned else { return Ok(()) };
        self.make(&empty).await?;
        let published = self
            .change_names(is_one_of(&[name]), |document, now| {
                // By id: it may have been renamed or altered meanwhile, and it may be another one of the same name.
                let Some(place) = document.tables.iter().position(|table| table.id == old) else {
                    // Somebody else emptied it meanwhile, which was all that was asked for; or it is gone.
                    return find(document, name).map(|_| Changed::No(Vec::new()));
                };
                publish(document, empty.id)?;
                let table = &mut document.tables[place];
                let gone = unpublished(table, now);
                // The physical table has the name that it was made under.
                table.made_as = Some(empty.made_name().to_owned()).filter(|made_as| *made_as != table.name);
                table.id = empty.id;
                table.def += 1;
                table.created_at = now;
                document.unpublished.push(gone);
                Ok(Changed::Yes)
            })
            .await;
        self.remove_unpublished(&empty, &published).await;
        published.map(|_| ())
    }

    /// `DROP TABLE`: all of the names or, if one does not exist and IF EXISTS is not given, none.
    ///
    /// # Errors
    /// [`CatalogError::NoTableToDrop`] with all the names that do not exist, or what the meta store says.
    pub async fn drop_tables(&self, names: &[TableName], if_exists: bool) -> Result<Changed, CatalogError> {
        let meant: Vec<&TableName> = names.iter().collect();
        self.change_names(is_one_of(&meant), |document, now| {
            let missing: Vec<String> = names
                .iter()
                .filter(|n| !document.tables.iter().any(|t| is(t, n)))
                .map(|n| format!("{}.{}", n.database, n.table))
                .collect();
            if !missing.is_empty() && !if_exists {
                return Err(CatalogError::NoTableToDrop(missing.join(",")));
            }
            let dropped = document.tables.extract_if(.., |t| names.iter().any(|n| is(t, n)));
            document.unpublished.extend(dropped.map(|t| unpublished(&t, now)));
            let notes: Vec<String> =
                missing.into_iter().map(|name| CatalogError::NoTableToDrop(name).to_string()).collect();
            Ok(if notes.is_empty() { Changed::Yes } else { Changed::No(notes) })
        })
        .await
    }

    /// `RENAME TABLE`: all pairs, from left to right, or none. Physical tables keep the names they were made under. A write that
    /// begins after this has returned goes by the new names, whatever proxy it is sent to.
    ///
    /// # Errors
    /// [`CatalogError::UnknownTable`], [`CatalogError::UnknownDatabase`], [`CatalogError::TableExists`].
    pub async fn rename_tables(&self, pairs: &[(TableName, TableName)]) -> Result<Changed, CatalogError> {
        let named: Vec<&TableName> = pairs.iter().map(|(_, to)| to).collect();
        self.change_renames(is_one_of(&named), |document, _| {
            for (from, to) in pairs {
                rename(document, from, to)?;
            }
            Ok(Changed::Yes)
        })
        .await
    }

    /// What the clusters have, before the catalog is read that gives out the next id.
    async fn newest_made(&self) -> Result<NewestMade, CatalogError> {
        let clusters = self.deployment.executor().tables().await?;
        let newest = clusters.into_iter().filter_map(|(cluster, names)| {
            let (id, table) = newest_table(&names)?;
            Some((id.0, cluster, table.to_owned()))
        });
        Ok(NewestMade(newest.max()))
    }

    /// Removes what was made of a table, unless it was published.
    async fn remove_unpublished(&self, table: &TableDef, published: &Result<Changed, CatalogError>) {
        if matches!(published, Ok(Changed::Yes)) {
            return;
        }
        self.remove_now(&[table.id]).await;
        if matches!(published, Err(CatalogError::Contended)) {
            // Whoever took it for left behind has struck it from the list, perhaps before it was made in every cluster.
            // Unless its id belongs to another by now, in a meta store that went back.
            let Ok(document) = self.load().await.and_then(|(_, body)| decode(&body)) else { return };
            let (mut tables, mut listed) = (document.tables.iter(), document.unpublished.iter());
            if tables.any(|there| there.id == table.id) || listed.any(|entry| entry.id == table.id) {
                return;
            }
            if let Err(error) = self.deployment.executor().drop_table(&table.table_ref()).await {
                tracing::warn!(table = table.table_ref().physical(), %error, "a table that was not published is left behind");
            }
        }
    }

    /// Makes the physical table in every cluster; removes it again if that fails.
    async fn make(&self, table: &TableDef) -> Result<(), CatalogError> {
        let made = self.deployment.executor().create_table(&table.table_ref()).await;
        if let Err(error) = made {
            self.remove_now(&[table.id]).await;
            return Err(error.into());
        }
        Ok(())
    }
}

pub(super) fn is(table: &TableDef, name: &TableName) -> bool {
    table.database == name.database && table.name == name.table
}

/// Whether a name is among these.
pub(super) fn is_one_of(names: &[&TableName]) -> impl Fn(&KnownName) -> bool {
    |known| names.iter().any(|name| known.database == name.database && known.table == name.table)
}

pub(super) fn find<'a>(document: &'a mut CatalogDocument, name: &TableName) -> Result<&'a mut TableDef, CatalogError> {
    document.tables.iter_mut().find(|t| is(t, name)).ok_or_else(|| unknown(name))
}

fn unknown(name: &TableName) -> CatalogError {
    CatalogError::UnknownTable { database: name.database.clone(), table: name.table.clone() }
}

/// Gives a table another name, in a document.
pub(super) fn rename(document: &mut CatalogDocument, from: &TableName, to: &TableName) -> Result<(), CatalogError> {
    if from == to {
        return find(document, from).map(|_| ());
    }
    find(document, from)?;
    if !document.databases.contains(&to.database) {
        return Err(CatalogError::UnknownDatabase(to.database.clone()));
    }
    if document.tables.iter().any(|t| is(t, to)) {
        return Err(CatalogError::TableExists(to.table.clone()));
    }
    let table = find(document, from)?;
    let old = std::mem::replace(&mut table.name, to.table.clone());
    table.database.clone_from(&to.database);
    table.made_as.get_or_insert(old);
    Ok(())
}

/// The physical table with the highest id that any cluster had at one time: the id, the cluster, the table.
struct NewestMade(Option<(u32, String, String)>);

/// Takes an id for a physical table that is about to be made, which no table has that is there: ids are written into the
/// catalog before tables are made, so that those that were `made` before it was read are not above its last one, unless it is
/// from an older backup. Without a look at them it is [`CatalogError::Contended`]: there was nothing to make a moment ago.
fn reserve(
    document: &mut CatalogDocument,
    made: Option<&NewestMade>,
    name: &str,
    since: i64,
) -> Result<u32, CatalogError> {
    let NewestMade(newest) = made.ok_or(CatalogError::Contended)?;
    if let Some((id, cluster, table)) = newest.as_ref().filter(|(id, ..)| *id > document.last_table_id) {
        let (cluster, table, last) = (cluster.clone(), table.clone(), document.last_table_id);
        return Err(CatalogError::Older { cluster, table, id: *id, last });
    }
    let id = document.last_table_id.checked_add(1).ok_or(CatalogError::TablesExhausted)?;
    document.last_table_id = id;
    document.unpublished.push(Unpublished {
        id,
        name: name.to_owned(),
        since,
        dropped: false,
        known_as: Some(Vec::new()),
        newer: NewerFields::new(),
    });
    Ok(id)
}

/// Strikes an id from the list of what is no table.
fn publish(document: &mut CatalogDocument, id: u32) -> Result<(), CatalogError> {
    if document.unpublished.extract_if(.., |u| u.id == id && !u.dropped).count() == 0 {
        // Whoever cleans up took this for left behind: the physical tables may be gone.
        return Err(CatalogError::Contended);
    }
    Ok(())
}

/// A table without an id.
fn define(
    name: &TableName,
    new: &NewTable<'_>,
    document: &mut CatalogDocument,
    now: i64,
) -> Result<TableDef, CatalogError> {
    let mut table = TableDef::new(0, name.database.clone(), name.table.clone(), now);
    table.made_as = TableRef::name_to_make(&name.table);
    match new {
        NewTable::Declared { columns, comment } => {
            (*comment).clone_into(&mut table.comment);
            for column in *columns {
                add_column(&mut table, column)?;
            }
        }
        NewTable::Like(like) => {
            let like = find(document, like)?;
            table.comment.clone_from(&like.comment);
            for RowColumn { name, missing, comment, .. } in &like.columns {
                let (name, missing, comment) = (name.clone(), missing.clone(), comment.clone());
                add_column(&mut table, &RowColumnSpec { name, missing, comment })?;
            }
        }
    }
    Ok(table)
}
