//! The pieces of the wire that are measured by themselves: micro-benchmarks and instruction counts call these, and
//! nothing else does.

use bytes::Bytes;
use cellgate_sql::{ColumnType, Value};

use super::command::Command;
use super::error::ErrorReply;
use super::execute::{ParamType, params};
use super::statements::LongData;
use super::value_binary;

/// A prepared statement of a client, as its executions are read.
#[derive(Debug)]
pub struct Executions {
    params: u16,
    types: Vec<ParamType>,
}

impl Executions {
    /// Of a statement with so many parameters.
    pub fn new(params: u16) -> Self {
        Self { params, types: Vec::new() }
    }

    /// Reads an EXECUTE packet, without its header: its statement's number and its parameters.
    ///
    /// # Errors
    /// What the client would be told.
    pub fn read(&mut self, packet: Bytes) -> Result<(u32, Vec<Value>), ErrorReply> {
        match Command::read(packet) {
            Ok(Command::Execute { statement, rest }) => {
                Ok((statement, params(rest, self.params, &mut self.types, LongData::default())?))
            }
            Ok(_) | Err(_) => Err(ErrorReply::malformed()),
        }
    }
}

/// Appends a row of the binary protocol; `false` for values that do not fit their columns.
pub fn write_row(out: &mut Vec<u8>, columns: &[ColumnType], values: &[Value]) -> bool {
    value_binary::write_row(out, columns, values).is_ok()
}
