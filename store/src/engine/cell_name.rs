//! How a cell that cannot be read is named in the log.

use std::fmt;

use cellgate_schemaless::Cell;

use crate::error::StoreError;

/// Most bytes of a key that are written: it is written for people, and escaped may be four times as long.
const KEY_BYTES: usize = 256;

/// What is known of a cell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CellName<'a> {
    pub(crate) row: Option<&'a [u8]>,
    pub(crate) column: Option<&'a [u8]>,
    pub(crate) ref_key: Option<i64>,
    pub(crate) added_id: Option<i64>,
}

impl<'a> CellName<'a> {
    /// That of a cell whose row was read.
    pub(crate) fn of(cell: &'a Cell) -> Self {
        Self {
            row: Some(cell.triple.row.as_bytes()),
            column: Some(cell.triple.column.as_bytes()),
            ref_key: Some(cell.triple.ref_key.0),
            added_id: Some(cell.added_id.0),
        }
    }

    /// The error of this cell.
    pub(crate) fn corrupt(&self, what: impl fmt::Display) -> StoreError {
        StoreError::Corrupt { detail: format!("{self}: {what}") }
    }
}

impl fmt::Display for CellName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the cell with")?;
        let mut before = " ";
        for (what, key) in [("row_key", self.row), ("column_key", self.column)] {
            if let Some(key) = key {
                let shown = key.get(..KEY_BYTES).unwrap_or(key);
                let more = if shown.len() < key.len() { ".." } else { "" };
                write!(f, "{before}{what} '{}{more}'", shown.escape_ascii())?;
                before = ", ";
            }
        }
        for (what, number) in [("ref_key", self.ref_key), ("added_id", self.added_id)] {
            if let Some(number) = number {
                write!(f, "{before}{what} {number}")?;
                before = ", ";
            }
        }
        if before == " " { f.write_str(" an unknown name") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_escaped_and_short() {
        let mut name = CellName { row: Some(b"it's\n"), ref_key: Some(-3), ..CellName::default() };
        assert_eq!(name.to_string(), r"the cell with row_key 'it\'s\n', ref_key -3");
        let long = [0xff; 10_000];
        (name.row, name.column, name.added_id) = (Some(&long[..]), Some(&b"c"[..]), Some(7));
        let text = name.to_string();
        assert!(text.len() < 1200 && text.ends_with("..', column_key 'c', ref_key -3, added_id 7"), "{text}");
        assert_eq!(CellName::default().to_string(), "the cell with an unknown name");
    }
}
