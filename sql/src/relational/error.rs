//! What can be wrong with a relational SELECT and with no other.

use cellgate_schemaless::ErrorKind;
use thiserror::Error;

/// A relational SELECT that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RelationalError {
    /// A system database has no such table (1109).
    #[error("Unknown table '{table}' in {database}")]
    UnknownTable {
        /// The system database.
        database: String,
        /// The table.
        table: String,
    },
    /// A name that several tables have (1052).
    #[error("Column '{column}' in {clause} is ambiguous")]
    Ambiguous {
        /// The column.
        column: String,
        /// `field list`, `where clause`, ..
        clause: &'static str,
    },
    /// `t.*` of a table that is not read (1051).
    #[error("Unknown table '{0}'")]
    UnknownQualifier(String),
    /// Two tables of one name (1066).
    #[error("Not unique table/alias: '{0}'")]
    NotUnique(String),
    /// A derived table without a name (1248).
    #[error("Every derived table must have its own alias")]
    NoAlias,
    /// A subquery that is a value has several rows (1242).
    #[error("Subquery returns more than 1 row")]
    SeveralRows,
    /// Set operands of different numbers of columns (1222).
    #[error("The used SELECT statements have a different number of columns")]
    Widths,
    /// An aggregate where there are no groups (1111).
    #[error("Invalid use of group function")]
    GroupFunction,
    /// `*` without FROM (1096).
    #[error("No tables used")]
    NoTables,
    /// A list of column names that is longer or shorter than the columns (1353).
    #[error(
        "In definition of view, derived table or common table expression, SELECT list and column names list have \
             different column counts"
    )]
    NameCount,
}

impl RelationalError {
    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownTable { .. } | Self::UnknownQualifier(_) => ErrorKind::NotFound,
            Self::SeveralRows => ErrorKind::Value,
            Self::Ambiguous { .. }
            | Self::NotUnique(_)
            | Self::NoAlias
            | Self::Widths
            | Self::GroupFunction
            | Self::NoTables
            | Self::NameCount => ErrorKind::Syntax,
        }
    }
}
