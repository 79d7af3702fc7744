//! The data set: what every cell holds follows from its name, so that an answer can be checked without keeping the cells.
//!
//! Row `n` has the key `mix(n)` in 16 hexadecimal digits, one column, and two versions. `mix` is a bijection: rows that
//! were loaded and rows that are put later never have the same key.

use cellgate_integration_tests::random::mix;

/// Length of every body.
pub const BODY_BYTES: usize = 300;
/// The one column.
pub const COLUMN: &str = "BASE";
/// Versions of each row that is loaded.
pub const VERSIONS: u64 = 2;
/// Cells that are loaded unless something else is asked for.
pub const CELLS: u64 = 200_000;
/// Rows below this number may be loaded; those that are put later start here.
pub const FIRST_PUT: u64 = 1 << 40;

/// The table that all of it is in.
pub const TABLE: &str = "cells";

/// The name of a cell, without its column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// The row key as a number.
    pub key: u64,
    /// The version.
    pub version: i64,
}

impl Name {
    /// Version `version` of the row with this number.
    pub fn of_row(row: u64, version: i64) -> Self {
        Self { key: mix(row), version }
    }

    /// The row key as it is stored.
    pub fn row_key(self) -> [u8; 16] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 16];
        for (place, digit) in text.iter_mut().enumerate() {
            *digit = DIGITS[(self.key >> (60 - 4 * place)) as usize & 15];
        }
        text
    }

    /// The name that a stored row key has, with this version.
    pub fn of_key(row_key: &[u8], version: i64) -> Option<Self> {
        if row_key.len() != 16 {
            return None;
        }
        let key = u64::from_str_radix(std::str::from_utf8(row_key).ok()?, 16).ok()?;
        Some(Self { key, version })
    }

    /// Appends the body: JSON of [`BODY_BYTES`], with the name in it and letters that follow from it.
    pub fn write_body(self, out: &mut Vec<u8>) {
        let start = out.len();
        self.write_head(out);
        let mut state = self.key ^ (self.version as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let letters = start + BODY_BYTES - 2;
        while out.len() < letters {
            state = mix(state);
            let room = letters - out.len();
            out.extend(state.to_le_bytes().iter().take(room).map(|byte| b'a' + (byte & 15)));
        }
        out.extend_from_slice(b"\"}");
    }

    fn write_head(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"key\":\"");
        out.extend_from_slice(&self.row_key());
        out.extend_from_slice(b"\",\"version\":");
        out.extend_from_slice(self.version.to_string().as_bytes());
        out.extend_from_slice(b",\"letters\":\"");
    }

    /// Whether this is its body: its length and the name in it, or every byte.
    pub fn has_body(self, body: &[u8], care: Care) -> bool {
        let mut expected = Vec::with_capacity(BODY_BYTES);
        match care {
            Care::Name => self.write_head(&mut expected),
            Care::EveryByte => self.write_body(&mut expected),
        }
        body.len() == BODY_BYTES && body.starts_with(&expected)
    }
}

/// How closely a body is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Care {
    /// Its length and the name in it.
    Name,
    /// Every byte.
    EveryByte,
}

/// All cells of a data set of `cells` cells.
pub fn all(cells: u64) -> impl Iterator<Item = Name> {
    (0..cells).map(|cell| Name::of_row(cell / VERSIONS, 1 + (cell % VERSIONS) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_json_of_its_length_that_names_its_cell() {
        for name in all(1000) {
            let mut body = Vec::new();
            name.write_body(&mut body);
            assert_eq!(body.len(), BODY_BYTES);
            let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(json["key"].as_str().unwrap().as_bytes(), name.row_key());
            assert_eq!(json["version"].as_i64(), Some(name.version));
            assert!(name.has_body(&body, Care::EveryByte) && name.has_body(&body, Care::Name));
        }
    }

    #[test]
    fn the_body_of_another_cell_is_noticed() {
        let mut body = Vec::new();
        Name::of_row(7, 1).write_body(&mut body);
        for other in [Name::of_row(7, 2), Name::of_row(8, 1)] {
            assert!(!other.has_body(&body, Care::Name));
        }
        let last = body.len() - 3;
        body[last] ^= 1;
        assert!(Name::of_row(7, 1).has_body(&body, Care::Name));
        assert!(!Name::of_row(7, 1).has_body(&body, Care::EveryByte));
    }

    #[test]
    fn a_row_key_leads_back_to_its_name() {
        let name = Name::of_row(FIRST_PUT + 5, 1);
        assert_eq!(Name::of_key(&name.row_key(), 1), Some(name));
        assert_eq!(Name::of_key(b"short", 1), None);
    }
}
