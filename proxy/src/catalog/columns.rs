//! ALTER TABLE: the declared columns of the row shape, and what else a table has beside its cells.
//!
//! Cells are not touched: a dropped column's cells stay readable in the cell shape, and a column added again under the
//! same name gets a storage key of its own (C10 of docs/ARCHITECTURE.md).

use std::collections::HashSet;

use cellgate_schemaless::limits::{COLUMN_KEY_BYTES, DECLARED_COLUMNS};
use cellgate_schemaless::{NewerFields, RowColumn, TableDef};
use cellgate_sql::{RowColumnSpec, TableChange, TableName};

use super::change::Changed;
use super::document::CatalogDocument;
use super::tables::{find, is_one_of, rename};
use super::{Catalog, CatalogError};

impl Catalog {
    /// `ALTER TABLE`: all of the changes or none.
    ///
    /// What is dropped goes first, so that a column can be replaced by one of its name; other names are those from before, so that
    /// two columns can swap theirs. A write that begins after this has returned does not go to a column that had its name before,
    /// whatever proxy it is sent to.
    ///
    /// # Errors
    /// [`CatalogError::UnknownTable`], [`CatalogError::ColumnExists`], [`CatalogError::NoColumnToDrop`],
    /// [`CatalogError::UnknownColumn`], those of a rename.
    pub async fn alter_table(
        &self,
        name: &TableName,
        changes: &[TableChange],
        to: Option<&TableName>,
    ) -> Result<Changed, CatalogError> {
        let edit = |document: &mut CatalogDocument| {
            let table = find(document, name)?;
            if !changes.is_empty() {
                table.def += 1;
            }
            for change in changes {
                if let TableChange::Drop(column) = change {
                    drop_column(table, column)?;
                }
            }
            // Names mean the columns as they were, so that two can be swapped.
            let named = changes.iter().map(|change| named(table, change)).collect::<Result<Vec<_>, _>>()?;
            let mut renamed = HashSet::new();
            for (change, place) in changes.iter().zip(&named) {
                let (Some((from, to)), Some(place)) = (new_name(change), *place) else { continue };
                // The second time there is no column of that name any more.
                if !renamed.insert(place) {
                    return Err(CatalogError::UnknownColumn { column: from.to_owned(), table: table.name.clone() });
                }
                to.clone_into(&mut table.columns[place].name);
            }
            distinct(table)?;
            for (change, place) in changes.iter().zip(named) {
                apply(table, change, place)?;
            }
            if let Some(to) = to {
                rename(document, name, to)?;
            }
            Ok(Changed::Yes)
        };
        let changed = match to {
            Some(to) => self.change_names(is_one_of(&[to]), |document, _| edit(document)).await?,
            None => self.change(edit).await?,
        };
        self.names_followed().await;
        Ok(changed)
    }
}

/// The name a change takes from a column, and the one it gives it.
fn new_name(change: &TableChange) -> Option<(&str, &str)> {
    match change {
        TableChange::Rename { from, to } => Some((from, to)),
        TableChange::Redefine { from, column } => Some((from, &column.name)),
        TableChange::Drop(_) | TableChange::Add(_) | TableChange::SetDefault { .. } | TableChange::Comment(_) => None,
    }
}

/// The place of the column a change is about.
fn named(table: &TableDef, change: &TableChange) -> Result<Option<usize>, CatalogError> {
    Ok(match change {
        TableChange::Rename { from, .. } | TableChange::Redefine { from, .. } => Some(place(table, from)?),
        TableChange::SetDefault { column, .. } => Some(place(table, column)?),
        TableChange::Drop(_) | TableChange::Add(_) | TableChange::Comment(_) => None,
    })
}

/// What is left of a change when columns have been dropped and have their names.
fn apply(table: &mut TableDef, change: &TableChange, place: Option<usize>) -> Result<(), CatalogError> {
    match change {
        TableChange::Drop(_) | TableChange::Rename { .. } => {}
        TableChange::Add(column) => add_column(table, column)?,
        TableChange::Redefine { column, .. } => {
            if let Some(place) = place {
                table.columns[place].missing.clone_from(&column.missing);
                table.columns[place].comment.clone_from(&column.comment);
            }
        }
        TableChange::SetDefault { missing, .. } => {
            if let Some(place) = place {
                table.columns[place].missing.clone_from(missing);
            }
        }
        TableChange::Comment(comment) => table.comment.clone_from(comment),
    }
    Ok(())
}

fn place(table: &TableDef, column: &str) -> Result<usize, CatalogError> {
    let place = table.columns.iter().position(|c| c.name.eq_ignore_ascii_case(column));
    place.ok_or_else(|| CatalogError::UnknownColumn { column: column.to_owned(), table: table.name.clone() })
}

/// No two columns have one name.
fn distinct(table: &TableDef) -> Result<(), CatalogError> {
    let mut seen = HashSet::new();
    match table.columns.iter().find(|column| !seen.insert(column.name.to_ascii_lowercase())) {
        Some(column) => Err(CatalogError::ColumnExists(column.name.clone())),
        None => Ok(()),
    }
}

fn drop_column(table: &mut TableDef, column: &str) -> Result<(), CatalogError> {
    let gone: Vec<RowColumn> = table.columns.extract_if(.., |c| c.name.eq_ignore_ascii_case(column)).collect();
    if gone.is_empty() {
        return Err(CatalogError::NoColumnToDrop(column.to_owned()));
    }
    table.dropped_keys.extend(gone.into_iter().map(|c| c.storage_key));
    Ok(())
}

/// Adds a column under a storage key that no column of the table has ever had: the name, or `name#2`, `name#3`, ..., the
/// name cut so that it is a column key.
pub(super) fn add_column(table: &mut TableDef, column: &RowColumnSpec) -> Result<(), CatalogError> {
    if table.columns.iter().any(|c| c.name.eq_ignore_ascii_case(&column.name)) {
        return Err(CatalogError::ColumnExists(column.name.clone()));
    }
    if table.columns.len() >= DECLARED_COLUMNS {
        return Err(CatalogError::TooManyColumns);
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
    let (name, missing, comment) = (column.name.clone(), column.missing.clone(), column.comment.clone());
    let (added_in, newer) = (table.def, NewerFields::new());
    table.columns.push(RowColumn { name, storage_key, missing, added_in, comment, newer });
    Ok(())
}

fn suffixed(name: &str, suffix: &str) -> String {
    let end = name.floor_char_boundary(COLUMN_KEY_BYTES.saturating_sub(suffix.len()));
    format!("{}{suffix}", &name[..end])
}
