//! The dialect: statement text to [`Statement`], a statement with its parameters to a [`Command`], and cells to rows.
//!
//! No IO in here, and nothing of sqlparser gets out of [`parse()`]. What a session knows (database, variables, the
//! catalog) comes in through [`Environment`].

mod account;
mod ast;
mod bind;
mod columns;
mod command;
mod environment;
mod error;
mod expression;
mod filter;
#[cfg(test)]
mod fuzz;
mod mask;
mod parameters;
mod parse;
pub mod relational;
mod shape;
mod template;
#[cfg(test)]
mod testing;
mod value;
mod zone;

pub use account::{
    AccountName, AccountOptions, AccountRef, AccountSpec, AccountStatement, Credential, Grant, Level, Listed, Lock,
    Password, Privilege, Privileges, TlsNeed,
};
pub use bind::{Description, bind, describe};
pub use command::{
    Absent, Aspect, Command, Cut, Ddl, Erase, Explain, Flush, KillScope, LockMode, Prepared, Put, Read, ReadKind,
    RowColumnSpec, Setting, SettingScope, SettingValue, Show, Source, TableChange, TableLock, TableName, Transaction,
};
pub use environment::{CALLS, Environment, SessionCall, SessionFunction, SqlMode};
pub use error::{DecimalError, Named, SqlError, variable_hint};
pub use expression::clock_micros;
pub use filter::Filter;
pub use mask::{mask, mask_unparsed};
pub use parameters::{Parameters, TimeType};
pub use parse::{RESERVED_WORDS, Statement, StatementKind, grant, is_collation, parse, spell_bytes};
pub use shape::{Notes, Patience, Shape, Shaping, Skipped};
pub use template::normal::Normal;
pub use template::{CellValue, Filled, TEMPLATE_COLUMNS, Template, TemplateRow};
pub use value::{ColumnMeta, ColumnType, Row, Value};
pub use zone::{TimeZone, Zone, ZoneError};
