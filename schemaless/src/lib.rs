//! The vocabulary of Cellgate: what a cell is, what can be asked of cells, and what can go wrong.
//!
//! This crate is the waist of the hourglass: SQL and the wire live above [`Request`], database
//! engines below it, and neither side names the other. Nothing in here performs IO, knows SQL, or
//! knows where a cell lives.

pub mod calendar;
mod cell;
mod error;
mod json;
mod keys;
pub mod limits;
mod request;
mod stored;
mod table;

pub use cell::{Body, Cell, CellKind, Micros, NewCell, Version};
pub use error::{ErrorKind, Invalid};
pub use json::validate as validate_json;
pub use keys::{AddedId, ClusterNo, ColumnKey, Epoch, RefKey, RowKey, ShardId, TableId, Token, Triple, TxnId};
pub use request::{
    Chain, ColumnFilter, Direction, Erasure, LatestKey, LogScan, RefRange, Request, RowScan, RowSet, Written,
};
pub use table::{KeyForm, NewerFields, RowColumn, TableDef, TableKind, TableRef};
