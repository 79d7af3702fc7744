//! CREATE, DROP, ALTER, RENAME, TRUNCATE: the catalog does it; the session commits first and passes on notes.

use std::sync::Arc;

use cellgate_sql::Ddl;

use super::error::StatementError;
use super::to_the_end::carried_or;
use super::warnings::Level;
use super::{Answer, Done, Session};
use crate::catalog::{Catalog, CatalogError, Changed, NewTable};
use crate::errors::notes;
use crate::locks::Entered;

impl Session {
    /// A change of the catalog. An open transaction has been ended, as in MySQL.
    ///
    /// It goes on to its end even if nobody waits for it any more, and until then whoever locks its tables waits for it. KILL
    /// ends no more than the waiting: it may be for other proxies, for longer than any statement.
    pub(super) async fn ddl(&mut self, ddl: Ddl, entered: Vec<Entered>) -> Result<Answer, StatementError> {
        self.refuse_read_only()?;
        let dropped = if let Ddl::DropDatabase { name, .. } = &ddl { Some(name.clone()) } else { None };
        let (catalog, server) = (Arc::clone(self.server.catalog()), Arc::clone(&self.server));
        let changing = async move {
            let outcome = change(&catalog, ddl).await;
            drop(entered);
            outcome.map_err(StatementError::from)
        };
        let (connection, user) = (self.process.id(), self.user.clone());
        let changing = carried_or(changing, move |outcome| {
            if let Err(error) = outcome {
                // Its client was told that it goes on: also of a table that is there already somebody is to know.
                tracing::warn!(connection, user, %error, "a change of the catalog that nobody waited for any more has failed");
                server.unheard(error);
            }
        });
        let kill = self.process.kill_switch().clone();
        let changed = kill.interruptible_within(&kill.shield(), changing).await;
        let (changed, affected, code) = changed.unwrap_or(Err(StatementError::GoesOn))?;
        if dropped.is_some() && self.database.as_deref() == dropped.as_deref() {
            self.database = None;
        }
        match changed {
            Changed::Yes => Ok(Answer::Done(Done { affected, ..Done::default() })),
            Changed::No(notes) => {
                for note in notes {
                    self.warn(Level::Note, code, note);
                }
                Ok(Answer::Done(Done::default()))
            }
        }
    }
}

/// Has the catalog changed; answers whether it was, how many rows that is for the client, and the number of the notes.
async fn change(catalog: &Catalog, ddl: Ddl) -> Result<(Changed, u64, u16), CatalogError> {
    Ok(match ddl {
        Ddl::CreateDatabase { name, if_not_exists, collation } => {
            (catalog.create_database(&name, if_not_exists, collation.as_deref()).await?, 1, notes::DATABASE_EXISTS)
        }
        Ddl::AlterDatabase { name, collation } => (catalog.alter_database(&name, collation.as_deref()).await?, 1, 0),
        Ddl::DropDatabase { name, if_exists } => {
            let (changed, tables) = catalog.drop_database(&name, if_exists).await?;
            (changed, tables as u64, notes::NO_DATABASE)
        }
        Ddl::CreateTable { name, if_not_exists, columns, comment } => {
            let new = NewTable::Declared { columns: &columns, comment: &comment };
            (catalog.create_table(&name, if_not_exists, new).await?, 0, notes::TABLE_EXISTS)
        }
        Ddl::CreateTableLike { name, if_not_exists, like } => {
            (catalog.create_table(&name, if_not_exists, NewTable::Like(&like)).await?, 0, notes::TABLE_EXISTS)
        }
        Ddl::DropTable { names, if_exists } => (catalog.drop_tables(&names, if_exists).await?, 0, notes::NO_TABLE),
        Ddl::AlterTable { name, changes, rename } => {
            (catalog.alter_table(&name, &changes, rename.as_ref()).await?, 0, 0)
        }
        Ddl::RenameTables(pairs) => (catalog.rename_tables(&pairs).await?, 0, 0),
        Ddl::Truncate(name) => {
            catalog.truncate(&name).await?;
            (Changed::Yes, 0, 0)
        }
    })
}
