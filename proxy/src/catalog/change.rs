//! Changing the catalog: one document, read, edited and set again until nobody else was faster; and its databases.

use std::time::Instant;

use cellgate_schemaless::{NewerFields, TableDef};
use cellgate_store::deployment::Edition;

use super::document::{CATALOG, CatalogDocument, KnownName, Unpublished, decode, encode};
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
        let mut tables = 0;
        let changed = self
            .change_names(
                |known| known.database == name,
                |document, now| {
                    tables = 0;
                    if !document.databases.iter().any(|d| d == name) {
                        let error = CatalogError::NoDatabaseToDrop(name.to_owned());
                        return if if_exists { Ok(Changed::No(vec![error.to_string()])) } else { Err(error) };
                    }
                    document.databases.retain(|d| d != name);
                    document.database_options.remove(name);
                    let before = document.unpublished.len();
                    let dropped = document.tables.extract_if(.., |t| t.database == name);
                    document.unpublished.extend(dropped.map(|t| unpublished(&t, now)));
                    tables = document.unpublished.len() - before;
                    Ok(Changed::Yes)
                },
            )
            .await?;
        Ok((changed, tables))
    }

    /// A change behind which some names have no table, or another one; `edit` is told the time by the meta store's clock.
    ///
    /// Answers when nobody can write under these names to a table that was dropped, be it by this change or by one that is
    /// still waiting for that or gave up half-way ([`Catalog::remove_used`]).
    pub(super) async fn change_names(
        &self,
        is_meant: impl Fn(&KnownName) -> bool,
        mut edit: impl FnMut(&mut CatalogDocument, i64) -> Result<Changed, CatalogError>,
    ) -> Result<Changed, CatalogError> {
        let now = self.deployment.meta().now().await?;
        // The time of a change is that before it is tried: twice as long ago no proxy may use a catalog from before it.
        let longest = self.ask_longest_stale().await;
        let recent = now.saturating_sub(i64::try_from(longest.as_micros() * 2).unwrap_or(i64::MAX));
        let mut used: Vec<u32> = Vec::new();
        let changed = self
            .change(|document| {
                let changed = edit(document, now)?;
                used = document.unpublished.iter().filter(|e| e.was(&is_meant, recent)).map(|e| e.id).collect();
                Ok(changed)
            })
            .await?;
        self.remove_used(&used).await;
        Ok(changed)
    }

    /// A change behind which a name may stand for another table than in an older catalog: as [`Catalog::change_names`], and answers
    /// when no proxy uses a name that was taken from a table that stays ([`Catalog::names_followed`]).
    pub(super) async fn change_renames(
        &self,
        is_meant: impl Fn(&KnownName) -> bool,
        edit: impl FnMut(&mut CatalogDocument, i64) -> Result<Changed, CatalogError>,
    ) -> Result<Changed, CatalogError> {
        let changed = self.change_names(is_meant, edit).await?;
        self.names_followed().await;
        Ok(changed)
    }

    /// Answers when no proxy uses a name that a table or a column had once, be it taken by a change of this proxy or by one that
    /// is still waiting for that or gave up half-way.
    pub(super) async fn names_followed(&self) {
        // Of a document that was put back by hand under a lower version, nobody can follow a higher one.
        let version = self.current().names_moved_in.min(self.known().version);
        self.all_follow(version).await;
    }

    /// Applies `edit` to the newest document and stores it, again if another change came first.
    pub(super) async fn change(
        &self,
        mut edit: impl FnMut(&mut CatalogDocument) -> Result<Changed, CatalogError>,
    ) -> Result<Changed, CatalogError> {
        // Changes of this proxy take turns, so that each lost race is another proxy's win.
        let _turn = self.changing.lock().await;
        for _ in 0..ATTEMPTS {
            // What is found is what its session sees next, whether it is changed or not.
            let (found, body) = self.load().await?;
            let stored = decode(&body)?;
            let mut document = stored.clone();
            let changed = edit(&mut document)?;
            if document == stored {
                return Ok(changed);
            }
            if document.takes_names(&stored) {
                document.names_moved_in = found.version + 1;
            }
            let (body, began) = (encode(&document)?, Instant::now());
            if self.deployment.meta().compare_and_set(CATALOG, found.version, &body).await? {
                self.know(Edition::of(found.version + 1, &body), &document, began);
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
    // Which names one had before it was renamed is not written down.
    let was_renamed = table.made_as.is_some();
    let known_as = KnownName { database: table.database.clone(), table: table.name.clone() };
    let known_as = if was_renamed { None } else { Some(vec![known_as]) };
    Unpublished { id: table.id, name, since, dropped: true, known_as, newer: NewerFields::new() }
}
