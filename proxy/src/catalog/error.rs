//! Why the catalog was not changed.

use cellgate_schemaless::ErrorKind;
use cellgate_schemaless::limits::DECLARED_COLUMNS;
use cellgate_store::StoreError;
use cellgate_store::executor::RunError;
use thiserror::Error;

/// Why the catalog was not changed.
#[derive(Clone, Debug, Error)]
pub enum CatalogError {
    /// The database exists.
    #[error("Can't create database '{0}'; database exists")]
    DatabaseExists(String),
    /// There is no such database to drop.
    #[error("Can't drop database '{0}'; database doesn't exist")]
    NoDatabaseToDrop(String),
    /// There is no such database.
    #[error("Unknown database '{0}'")]
    UnknownDatabase(String),
    /// The table exists.
    #[error("Table '{0}' already exists")]
    TableExists(String),
    /// There are no such tables to drop.
    #[error("Unknown table '{0}'")]
    NoTableToDrop(String),
    /// There is no such table.
    #[error("Table '{database}.{table}' doesn't exist")]
    UnknownTable {
        /// Its database.
        database: String,
        /// Its name.
        table: String,
    },
    /// The column exists.
    #[error("Duplicate column name '{0}'")]
    ColumnExists(String),
    /// There is no such column to drop.
    #[error("Can't DROP '{0}'; check that column/key exists")]
    NoColumnToDrop(String),
    /// There is no such column to change.
    #[error("Unknown column '{column}' in '{table}'")]
    UnknownColumn {
        /// Its name.
        column: String,
        /// The table.
        table: String,
    },
    /// The meta store failed.
    #[error("the meta store: {0}")]
    Meta(#[from] StoreError),
    /// A cluster failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Other proxies changed the catalog too often meanwhile.
    #[error("other changes of the catalog came first too often")]
    Contended,
    /// A cluster has a table with an id that the catalog has not given out: its document is from an older backup.
    #[error(
        "Cluster '{cluster}' has the table '{table}', but the catalog has given out table ids up to {last} only: it is older than \
         the cluster; no table is created before last_table_id in the document 'catalog' of the meta store is {id} or higher, or, if the table is a copy made beside \
         Cellgate, before it is renamed or dropped"
    )]
    Older {
        /// The cluster.
        cluster: String,
        /// The physical table.
        table: String,
        /// Its id.
        id: u32,
        /// The highest one of the catalog.
        last: u32,
    },
    /// All table ids are used up.
    #[error("all table ids are used up")]
    TablesExhausted,
    /// More columns than a table may declare.
    #[error("Too many columns; a table can declare {most} (declared_columns)", most = DECLARED_COLUMNS)]
    TooManyColumns,
}

impl CatalogError {
    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::DatabaseExists(_) | Self::TableExists(_) | Self::ColumnExists(_) | Self::Contended => {
                ErrorKind::Conflict
            }
            Self::NoDatabaseToDrop(_)
            | Self::UnknownDatabase(_)
            | Self::NoTableToDrop(_)
            | Self::UnknownTable { .. }
            | Self::UnknownColumn { .. }
            | Self::NoColumnToDrop(_) => ErrorKind::NotFound,
            Self::Meta(error) => error.kind(),
            Self::Run(error) => error.kind(),
            Self::Older { .. } => ErrorKind::Corrupt,
            Self::TablesExhausted | Self::TooManyColumns => ErrorKind::Limit,
        }
    }
}
