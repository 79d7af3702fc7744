//! The pieces of the wire that are measured by themselves: micro-benchmarks and instruction counts call these, and
//! nothing else does.

use bytes::Bytes;
use cellgate_sql::{CellValue, ColumnType, Parameters, Value};
use mysql_common::constants::CapabilityFlags;

use super::command::Command;
use super::error::ErrorReply;
use super::execute::{Declared, Naming, params};
use super::statements::LongData;
use super::value_binary;

/// A prepared statement of a client, as its executions are read.
#[derive(Debug)]
pub struct Executions {
    params: u16,
    declared: Declared,
}

impl Executions {
    /// Of a statement with so many parameters.
    pub fn new(params: u16) -> Self {
        Self { params, declared: Declared::default() }
    }

    /// Reads an EXECUTE packet, without its header: its statement's number and its parameters.
    ///
    /// # Errors
    /// What the client would be told.
    pub fn read(&mut self, packet: Bytes) -> Result<(u32, Parameters), ErrorReply> {
        // Attributes of queries are for clients that ask for them.
        match Command::read(packet, CapabilityFlags::empty()) {
            Ok(Command::Execute { statement, rest, .. }) => {
                let bound = params(rest, self.params, &mut self.declared, LongData::default(), Naming::Bare)?;
                Ok((statement, bound.values))
            }
            Ok(_) | Err(_) => Err(ErrorReply::malformed()),
        }
    }
}

/// Appends the row of a cell; `false` for values that do not fit their columns.
pub fn write_cell(out: &mut Vec<u8>, columns: &[ColumnType], values: &[CellValue]) -> bool {
    value_binary::write_cell(out, columns, values).is_ok()
}

/// Appends a row of the binary protocol; `false` for values that do not fit their columns.
pub fn write_row(out: &mut Vec<u8>, columns: &[ColumnType], values: &[Value]) -> bool {
    value_binary::write_row(out, columns, values).is_ok()
}
