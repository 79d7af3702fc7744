//! Changing the catalog: one document, read, edited and set again until nobody else was faster; and its databases.

use cellgate_schemaless::{NewerFields, TableDef};

use super::document::{CATALOG, CatalogDocument, Unpublished, encode};
use super::{Catalog, CatalogError};

/// How often a change may find that another proxy's came first.
const ATTEMPTS: usize = 50;

/// Whether a statement changed something, or found that `IF [NOT] EXISTS` applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It did.
    Yes,
    /// Nothing to do; the text is that of MySQL's note.
    No(Vec<String>),
}

impl Catalog {
    /// `CREATE DATABASE`; `collation` is its default one, if it was named.
    ///
    /// # Errors
    /// [`CatalogError::DatabaseExists`], or what the meta store says.
    pub async fn create_database(
        &self,
        name: &str,
        if_not_exists: bool,
        collation: Option<&str>,
    ) -> Result<Changed, CatalogError> {
        self.change(|document| {
            if document.databases.iter().any(|d| d == name) {
                let error = CatalogError::DatabaseExists(name.to_owned());
                return if if_not_exists { Ok(Changed::No(vec![error.to_string()])) } else { Err(error) };
            }
            document.databases.push(name.to_owned());
            set_collation(document, name, collation);
            Ok(Changed::Yes)
        })
        .await
    }

    /// `ALTER DATABASE`.
    ///
    /// # Errors
    /// [`CatalogError::UnknownDatabase`], or what the meta store says.
    pub async fn alter_database(&self, name: &str, collation: Option<&str>) -> Result<Changed, CatalogError> {
        self.change(|document| {
            if !document.databases.iter().any(|d| d == name) {
                return Err(CatalogError::UnknownDatabase(name.to_owned()));
            }
            set_collation(document, name, collation);
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
                document.database_options.remove(name);
                dropped = document.tables.extract_if(.., |t| t.database == name).collect();
                document.unpublished.extend(dropped.iter().map(|t| unpublished(t, now)));
                Ok(Changed::Yes)
            })
            .await?;
        self.remove_used(&dropped.iter().map(|t| t.id).collect::<Vec<_>>()).await;
        Ok((changed, dropped.len()))
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

fn set_collation(document: &mut CatalogDocument, database: &str, collation: Option<&str>) {
    if let Some(collation) = collation {
        document.database_options.entry(database.to_owned()).or_default().collation = collation.to_owned();
    }
}

/// The physical side of a table that is one no more.
pub(super) fn unpublished(table: &TableDef, since: i64) -> Unpublished {
    let name = table.made_name().to_owned();
    Unpublished { id: table.id, name, since, dropped: true, newer: NewerFields::new() }
}
