//! Rows that are the same on every server: character sets, collations, engines.

use cellgate_sql::Row;

use super::{number, text};

/// A collation: name, character set, number, whether it is its character set's default, pad attribute.
pub type Collation = (&'static str, &'static str, i64, bool, &'static str);

/// The collations a client can name.
pub const COLLATIONS: [Collation; 5] = [
    ("binary", "binary", 63, true, "NO PAD"),
    ("utf8mb4_0900_ai_ci", "utf8mb4", 255, true, "NO PAD"),
    ("utf8mb4_bin", "utf8mb4", 46, false, "PAD SPACE"),
    ("utf8mb4_general_ci", "utf8mb4", 45, false, "PAD SPACE"),
    ("utf8mb4_unicode_ci", "utf8mb4", 224, false, "PAD SPACE"),
];

/// The character sets: name, default collation, description, bytes of a character.
pub const CHARACTER_SETS: [(&str, &str, &str, i64); 2] =
    [("binary", "binary", "Binary pseudo charset", 1), ("utf8mb4", "utf8mb4_0900_ai_ci", "UTF-8 Unicode", 4)];

/// The one engine: name, support, comment, transactions, XA, savepoints.
pub const ENGINES: [[&str; 6]; 1] =
    [["CELLS", "DEFAULT", "Immutable, versioned JSON cells on sharded stores", "YES", "NO", "YES"]];

pub(super) fn character_sets() -> Vec<Row> {
    let row = |(name, collation, description, length): (&str, &str, &str, i64)| {
        vec![text(name), text(collation), text(description), number(length)]
    };
    CHARACTER_SETS.into_iter().map(row).collect()
}

pub(super) fn collations() -> Vec<Row> {
    let row = |(name, charset, id, default, pad): Collation| {
        let is_default = if default { "Yes" } else { "" };
        vec![text(name), text(charset), number(id), text(is_default), text("Yes"), number(1), text(pad)]
    };
    COLLATIONS.into_iter().map(row).collect()
}

pub(super) fn applicability() -> Vec<Row> {
    COLLATIONS.into_iter().map(|(name, charset, ..)| vec![text(name), text(charset)]).collect()
}

pub(super) fn engines() -> Vec<Row> {
    ENGINES.into_iter().map(|row| row.map(text).to_vec()).collect()
}
