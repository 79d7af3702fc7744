//! Rows of a result set as packets, in both protocols.

use cellgate_sql::{CellValue, ColumnType, Value};

use super::error::{Violation, WireError};
use super::packet::{Channel, Open};
use super::reply::RowFormat;
use super::value_binary::{Unfit, room, write_cell, write_row};
use super::value_text::{write_cell_value, write_timed, write_value};

/// The row of a cell; nothing of it, if it is an error.
pub(super) fn write_cell_values(
    channel: &mut Channel,
    format: RowFormat,
    columns: &[ColumnType],
    values: &[CellValue],
) -> Result<(), WireError> {
    check_width(columns, values.len())?;
    let open = channel.open();
    let out = channel.payload();
    let written = match format {
        RowFormat::Text => {
            out.reserve(room(values));
            values.iter().for_each(|value| write_cell_value(out, *value));
            Ok(())
        }
        RowFormat::Binary => write_cell(out, columns, values),
    };
    end_row(channel, open, written)
}

/// A row; nothing of it, if it is an error.
pub(super) fn write_values(
    channel: &mut Channel,
    format: RowFormat,
    columns: &[ColumnType],
    digits: Option<&[u8]>,
    values: &[Value],
) -> Result<(), WireError> {
    check_width(columns, values.len())?;
    let open = channel.open();
    let out = channel.payload();
    let written = match (format, digits) {
        (RowFormat::Text, None) => {
            values.iter().for_each(|value| write_value(out, value));
            Ok(())
        }
        (RowFormat::Text, Some(digits)) => {
            values.iter().zip(digits).for_each(|(value, digits)| write_timed(out, value, *digits));
            Ok(())
        }
        (RowFormat::Binary, _) => write_row(out, columns, values),
    };
    end_row(channel, open, written)
}

fn check_width(columns: &[ColumnType], found: usize) -> Result<(), WireError> {
    if found == columns.len() {
        return Ok(());
    }
    Err(WireError::Protocol(Violation::Width { expected: columns.len(), found }))
}

fn end_row(channel: &mut Channel, open: Open, written: Result<(), Unfit>) -> Result<(), WireError> {
    match written {
        Ok(()) => {
            channel.close(open);
            Ok(())
        }
        Err(Unfit { column }) => {
            channel.abandon(open);
            Err(WireError::Protocol(Violation::Value { column }))
        }
    }
}
