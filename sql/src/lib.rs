//! The dialect: statement text to [`Statement`], a statement with its parameters to a [`Command`], and cells to rows.
//!
//! No IO in here, and nothing of sqlparser gets out of [`parse`]. What a session knows (database, variables, the
//! catalog) comes in through [`Environment`].

mod command;
mod environment;
mod error;
mod value;

pub use command::{
    Aspect, Command, Ddl, Erase, Explain, Filter, Put, Read, RowColumnSpec, Setting, SettingScope, SettingValue, Show,
    Source, TableName, Transaction,
};
pub use environment::{Environment, SessionFunction, SqlMode};
pub use error::SqlError;
pub use value::{ColumnMeta, ColumnType, Row, Value};
mod expression {
    /// Replaced by the dialect.
    #[derive(Clone, Debug)]
    pub struct Expression;
}
mod shape {
    /// Replaced by the dialect.
    #[derive(Clone, Debug)]
    pub struct Shape;
}
