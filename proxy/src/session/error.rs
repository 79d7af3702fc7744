//! Why a statement was not run, or only in part.

use std::time::Duration;

use cellgate_schemaless::ErrorKind;
use cellgate_sql::{SessionCall, SqlError, Value};
use cellgate_store::StoreError;
use cellgate_store::executor::RunError;
use thiserror::Error;

use super::variables::VariableError;
use crate::access::AccessError;
use crate::catalog::CatalogError;

/// The end of every message that says that nothing of a transaction was written, and that it is over.
pub const ROLLED_BACK: &str = "; the transaction is rolled back";

/// Why a statement was not run.
#[derive(Clone, Debug, Error)]
pub enum StatementError {
    /// The text or its values.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A function that waits: what it stands for is done, and the statement bound again.
    #[error("{} was not called", call.name())]
    Pending {
        /// Which.
        call: SessionCall,
        /// The values of its arguments.
        arguments: Vec<Value>,
        /// How long its statement may take, if it is bounded.
        limit: Option<Duration>,
    },
    /// The stores.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A SET.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// The text is not UTF-8.
    #[error(
        "Invalid utf8mb4 character string at byte {offset} of the statement; write other bytes as X'..' or as a parameter"
    )]
    NotUtf8 {
        /// Where.
        offset: usize,
    },
    /// Several statements in one text from a client that did not say it would send them.
    #[error("several statements in one text need the capability CLIENT_MULTI_STATEMENTS (SET_OPTION 0)")]
    MultiStatementsOff,
    /// A triple exists with another body. `stored` says which rows of the statement are in all the same.
    #[error("{}{stored}", duplicate_entry(entry))]
    Duplicate {
        /// `row-column-version`.
        entry: String,
        /// Empty, or which rows are stored.
        stored: Box<Stored>,
    },
    /// A cluster failed during a write; `stored` says which rows are in all the same. If several failed, it is one whose
    /// part may be stored, if there is such a one.
    #[error("{error}{stored}")]
    Write {
        /// What failed.
        error: RunError,
        /// Which rows are stored, and which may be.
        stored: Box<Stored>,
    },
    /// A COMMIT was not done: another writer came first. Nothing of it was written, in no cluster.
    #[error("Deadlock found when trying to get lock; try restarting transaction (cell {entry} was written by another)")]
    LostRace {
        /// `row-column-version`.
        entry: String,
    },
    /// A COMMIT was not done: a table it writes to was dropped or emptied since. Nothing of it was written, in no cluster.
    #[error(
        "Table definition has changed, please retry transaction: a table it writes to was dropped or emptied meanwhile; \
         nothing of the transaction was written"
    )]
    TableGone,
    /// A COMMIT over several clusters was done in some of them, or may be.
    #[error("{detail}: {cause}")]
    PartlyCommitted {
        /// What is in, what is not, and of what it is not known.
        detail: String,
        /// The same by clusters, without the names of cells.
        clusters: String,
        /// Why the rest is not.
        cause: Box<StatementError>,
    },
    /// A COMMIT that was not done, of a transaction that is over all the same. Nothing of it was written, in no cluster.
    #[error("{0}{end}", end = ROLLED_BACK)]
    RolledBack(Box<StatementError>),
    /// A write in a READ ONLY transaction.
    #[error("Cannot execute statement in a READ ONLY transaction.")]
    ReadOnlyTransaction,
    /// SET TRANSACTION inside one.
    #[error("Transaction characteristics can't be changed while a transaction is in progress")]
    TransactionInProgress,
    /// No such savepoint.
    #[error("SAVEPOINT {0} does not exist")]
    NoSavepoint(String),
    /// The transaction holds more than it may.
    #[error("the transaction holds more than {limit} ({name}); commit in smaller parts")]
    TransactionTooLarge {
        /// The bound.
        limit: u64,
        /// Its name in the configuration.
        name: &'static str,
    },
    /// The statement ran out of time.
    #[error("Query execution was interrupted, maximum statement execution time exceeded{detail}")]
    Timeout {
        /// Empty, or what is known of a write.
        detail: &'static str,
    },
    /// The statement ran out of the time that its client gave it, by `max_execution_time`.
    #[error("Query execution was interrupted, maximum statement execution time exceeded")]
    OwnTimeout,
    /// KILL or KILL QUERY ended the statement.
    #[error("Query execution was interrupted")]
    Interrupted,
    /// KILL or KILL QUERY ended the waiting for a change of the catalog, which goes on.
    #[error("Query execution was interrupted; the change goes on")]
    GoesOn,
    /// KILL of a connection that is not there.
    #[error("Unknown thread id: {0}")]
    NoSuchConnection(u32),
    /// KILL of another user's connection.
    #[error("You are not owner of thread {0}")]
    NotOwner(u32),
    /// The user may not.
    #[error("{command} command denied to user '{user}'@'{host}' for table '{table}'")]
    Denied {
        /// What.
        command: &'static str,
        /// Who.
        user: String,
        /// From where.
        host: String,
        /// On what.
        table: String,
    },
    /// A table that the session's own LOCK TABLES did not name.
    #[error("Table '{0}' was not locked with LOCK TABLES")]
    NotLocked(String),
    /// A write to a table that the session locked for reading.
    #[error("Table '{0}' was locked with a READ lock and can't be updated")]
    LockedForReading(String),
    /// CREATE, ALTER or DROP DATABASE, or FLUSH TABLES WITH READ LOCK, under the session's own LOCK TABLES.
    #[error("Can't execute the given command because you have active locked tables or an active transaction")]
    TablesLocked,
    /// A write under the session's own FLUSH TABLES WITH READ LOCK.
    #[error("Can't execute the query because you have a conflicting read lock")]
    ReadLock,
    /// Another session held a lock for too long.
    #[error("Lock wait timeout exceeded; try restarting transaction ({0} is locked by another session)")]
    LockTimeout(String),
    /// The session's locks are gone: the meta store was away for longer than a lease.
    #[error(
        "The locks of this session were lost, because the meta store could not be reached{}; take them again",
        if *rolled_back { ", and its transaction is rolled back" } else { "" }
    )]
    LocksLost {
        /// It had a transaction, which is rolled back: to be repeated is that, not the statement.
        rolled_back: bool,
    },
    /// A name that GET_LOCK does not take.
    #[error("Incorrect user-level lock name '{0}': it must have 1 to 64 characters")]
    LockName(String),
    /// SELECT .. INTO with several rows.
    #[error("Result consisted of more than one row")]
    TooManyRows,
    /// The user may not use the database.
    #[error("Access denied for user '{user}'@'{host}' to database '{database}'")]
    DeniedDatabase {
        /// The account's user.
        user: String,
        /// The account's host.
        host: String,
        /// The database.
        database: String,
    },
    /// Accounts and privileges.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// No database selected.
    #[error("No database selected")]
    NoDatabase,
    /// The meta store has not been read for too long, so that the catalog may be out of date.
    #[error("the meta store has not been reached for {seconds} s, longer than meta.max_stale allows")]
    Stale {
        /// For how long.
        seconds: u64,
    },
    /// A document of the meta store is none, so that what is known may be out of date.
    #[error("the {document} in the meta store has been corrupt for {seconds} s, longer than meta.max_stale allows")]
    Unreadable {
        /// Which.
        document: &'static str,
        /// For how long.
        seconds: u64,
    },
    /// There is no statement prepared by that name.
    #[error("Unknown prepared statement handler ({name}) given to {given_to}")]
    UnknownPrepared {
        /// The name.
        name: String,
        /// What it was given to.
        given_to: &'static str,
    },
    /// No room for another statement prepared by name.
    #[error(
        "Can't create more than max_prepared_stmt_count statements (current value: {0}); limits.prepared_statements of a \
         connection: close some"
    )]
    TooManyPrepared(usize),
    /// No room for the text of another prepared statement: they would have more than so many bytes together.
    #[error(
        "The texts of a session's prepared statements exceed {0} bytes together (limits.prepared_bytes): close some, or \
         send values as parameters"
    )]
    PreparedTooLong(usize),
    /// What the protocol cannot carry out here.
    #[error("{what} is not supported; {instead}")]
    Unsupported {
        /// What.
        what: &'static str,
        /// What to do instead.
        instead: &'static str,
    },
}

/// Which rows of a failed statement are stored all the same, because they live in other clusters, and of which it is not
/// known. Rows are counted from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// These are.
    pub rows: Vec<usize>,
    /// These may be. Empty if it is all of the statement: then the error says so.
    pub unknown: Vec<usize>,
    /// The same by clusters, for the log.
    pub clusters: String,
}

impl Stored {
    /// Whether nothing is to be said beside the error.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.unknown.is_empty()
    }
}

/// What is said of a name that is taken, as an error or, by INSERT IGNORE, as a warning.
pub(super) fn duplicate_entry(entry: &str) -> String {
    format!("Duplicate entry '{entry}' for key 'PRIMARY'")
}

/// How many rows are listed one by one.
const LISTED: usize = 20;

impl std::fmt::Display for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.rows.is_empty() {
            write!(f, "; stored in other clusters all the same: row {} of the statement", listed(&self.rows))?;
        }
        if !self.unknown.is_empty() {
            write!(f, "; may be stored: row {} of the statement", listed(&self.unknown))?;
        }
        Ok(())
    }
}

fn listed(rows: &[usize]) -> String {
    let listed: Vec<String> = rows.iter().take(LISTED).map(usize::to_string).collect();
    let rest = rows.len().saturating_sub(LISTED);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{more}", listed.join(", "))
}

impl StatementError {
    /// An INSERT whose time is over while it goes on.
    pub(super) fn put_timeout() -> Self {
        Self::Timeout { detail: "; the rows may be stored: repeating an insert of explicit versions settles it" }
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Sql(error) => error.kind(),
            Self::RolledBack(cause) => cause.kind(),
            Self::Run(error) | Self::Write { error, .. } => error.kind(),
            Self::Catalog(error) => error.kind(),
            Self::Variable(error) => match error {
                VariableError::Unknown(_) => ErrorKind::NotFound,
                VariableError::ReadOnly(_) | VariableError::GlobalOnly(_) | VariableError::SessionOnly(_) => {
                    ErrorKind::Access
                }
                VariableError::TimeZoneFile(_) => ErrorKind::Unavailable,
                VariableError::WrongValue { .. } | VariableError::WrongType(_) => ErrorKind::Value,
                VariableError::TooLong { .. } => ErrorKind::Limit,
                VariableError::Charset(_)
                | VariableError::Collation(_)
                | VariableError::TimeZone(_)
                | VariableError::NoTimeZones(_)
                | VariableError::Refused { .. } => ErrorKind::Unsupported,
            },
            Self::NotUtf8 { .. } | Self::TooManyRows => ErrorKind::Value,
            Self::MultiStatementsOff => ErrorKind::Syntax,
            Self::Duplicate { .. } | Self::LostRace { .. } | Self::TableGone | Self::PartlyCommitted { .. } => {
                ErrorKind::Conflict
            }
            Self::Access(error) => error.kind(),
            Self::ReadOnlyTransaction
            | Self::TransactionInProgress
            | Self::Denied { .. }
            | Self::DeniedDatabase { .. }
            | Self::NotOwner(_) => ErrorKind::Access,
            Self::NoSavepoint(_) | Self::NoDatabase | Self::NoSuchConnection(_) | Self::UnknownPrepared { .. } => {
                ErrorKind::NotFound
            }
            Self::TransactionTooLarge { .. } | Self::TooManyPrepared(_) | Self::PreparedTooLong(_) => ErrorKind::Limit,
            Self::NotLocked(_) | Self::LockedForReading(_) | Self::TablesLocked | Self::ReadLock => ErrorKind::Access,
            // Another client's doing, and no fault of the server.
            Self::LockTimeout(_) => ErrorKind::Conflict,
            Self::LocksLost { .. } => ErrorKind::Unavailable,
            Self::LockName(_) => ErrorKind::Value,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::Interrupted | Self::GoesOn | Self::OwnTimeout => ErrorKind::Killed,
            Self::Stale { .. } => ErrorKind::Unavailable,
            Self::Unreadable { .. } => ErrorKind::Corrupt,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::Pending { .. } => ErrorKind::Internal,
        }
    }

    /// The cluster that lacks a table which the newest catalog has, if that is what the client is told.
    pub fn lacks_table(&self) -> Option<&str> {
        self.lacking().map(|(cluster, _)| cluster)
    }

    /// A cluster and the physical table that it lacks.
    pub fn lacking(&self) -> Option<(&str, &str)> {
        match self {
            Self::Run(error) | Self::Write { error, .. } | Self::Catalog(CatalogError::Run(error)) => match error {
                RunError::Cluster { cluster, error: StoreError::NoTable { table } }
                | RunError::PartlyErased { cluster, error: StoreError::NoTable { table } } => Some((cluster, table)),
                _ => None,
            },
            Self::PartlyCommitted { cause, .. } | Self::RolledBack(cause) => cause.lacking(),
            _ => None,
        }
    }

    /// Whether the privileges this proxy knows may be out of date, so that the statement, of which nothing has run,
    /// should be judged once more.
    pub fn suspects_access(&self) -> bool {
        matches!(self, Self::Denied { .. } | Self::DeniedDatabase { .. } | Self::Access(AccessError::NeedsPrivilege(_)))
    }

    /// Whether the catalog this proxy knows may be out of date, so that the statement should be bound once more.
    pub fn suspects_catalog(&self) -> bool {
        matches!(
            self,
            Self::Sql(SqlError::UnknownTable { .. } | SqlError::UnknownDatabase(_) | SqlError::UnknownColumn { .. })
                | Self::Run(RunError::Cluster { error: StoreError::NoTable { .. }, .. })
                // What is erased may be erased once more.
                | Self::Run(RunError::PartlyErased { error: StoreError::NoTable { .. }, .. })
        ) || matches!(
            self,
            // What is stored in a part, or may be, must not be written once more.
            Self::Write { error: RunError::Cluster { error: StoreError::NoTable { .. }, .. }, stored }
                if stored.is_empty()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erasure_that_met_the_end_of_its_table_is_bound_once_more_and_no_other_is() {
        let partly = |error| StatementError::Run(RunError::PartlyErased { cluster: "a".to_owned(), error });
        let dropped = partly(StoreError::NoTable { table: "t_1".to_owned() });
        assert_eq!(dropped.lacking(), Some(("a", "t_1")));
        assert!(dropped.suspects_catalog());
        let failed = partly(StoreError::Failed { detail: "for the test".to_owned() });
        assert!(failed.lacking().is_none() && !failed.suspects_catalog());
    }
}
