//! Rows of a result set as packets, in both protocols.

use cellgate_sql::{CellValue, ColumnType, Value};

use super::error::{Violation, WireError};
use super::packet::{Channel, Open};
use super::reply::RowFormat;
use super::value_binary::{Unfit, room, write_cell, write_row};
use super::value_text::{MOST_DIGITS, write_cell_value, write_field};

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
    end_row(channel, open, columns, written)
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
        (RowFormat::Text, digits) => {
            let digits = |column: usize| digits.and_then(|digits| digits.get(column)).copied().unwrap_or(MOST_DIGITS);
            let mut fields = columns.iter().zip(values).enumerate();
            fields.try_for_each(|(column, (ty, value))| {
                write_field(out, *ty, value, digits(column)).ok_or(Unfit { column })
            })
        }
        (RowFormat::Binary, _) => write_row(out, columns, values),
    };
    end_row(channel, open, columns, written)
}

fn check_width(columns: &[ColumnType], found: usize) -> Result<(), WireError> {
    if found == columns.len() {
        return Ok(());
    }
    Err(WireError::Protocol(Violation::Width { expected: columns.len(), found }))
}

fn end_row(
    channel: &mut Channel,
    open: Open,
    columns: &[ColumnType],
    written: Result<(), Unfit>,
) -> Result<(), WireError> {
    match written {
        Ok(()) => {
            channel.close(open);
            Ok(())
        }
        Err(Unfit { column }) => {
            channel.abandon(open);
            let ty = columns.get(column).copied().unwrap_or(ColumnType::Null);
            Err(WireError::Protocol(Violation::Value { column, ty }))
        }
    }
}
