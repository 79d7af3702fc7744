//! The character sets and collations that expressions may name: those of UTF-8, and bytes.

use crate::error::SqlError;

/// The other character sets of MySQL 8.0.
const OTHERS: [&str; 37] = [
    "armscii8", "ascii", "big5", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "cp932", "dec8",
    "eucjpms", "euckr", "gb18030", "gb2312", "gbk", "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u",
    "latin1", "latin2", "latin5", "latin7", "macce", "macroman", "sjis", "swe7", "tis620", "ucs2", "ujis", "utf16",
    "utf32",
];

/// Whether this is the character set of bytes.
///
/// # Errors
/// [`SqlError::Charset`] for one whose text is not UTF-8.
pub(super) fn is_binary(name: &str) -> Result<bool, SqlError> {
    match name.to_ascii_lowercase().as_str() {
        "binary" => Ok(true),
        "utf8mb4" | "utf8mb3" | "utf8" => Ok(false),
        _ => Err(SqlError::Charset(name.to_owned())),
    }
}

/// Whether text compares without case in this collation.
///
/// # Errors
/// [`SqlError::Collation`] for one that does not exist, [`SqlError::OtherCollation`] for one of another character set.
pub(super) fn folds(name: &str) -> Result<bool, SqlError> {
    let lower = name.to_ascii_lowercase();
    let (charset, rest) = lower.split_once('_').unwrap_or((&lower, ""));
    match charset {
        "binary" if rest.is_empty() => Ok(false),
        "utf8mb4" | "utf8mb3" | "utf8" => match rest.rsplit('_').next() {
            Some("bin" | "cs") => Ok(false),
            Some("ci") => Ok(true),
            _ => Err(SqlError::Collation(name.to_owned())),
        },
        other if OTHERS.contains(&other) => Err(SqlError::OtherCollation(name.to_owned())),
        _ => Err(SqlError::Collation(name.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_other_than_those_of_utf_8_are_refused() {
        assert_eq!(is_binary("BINARY"), Ok(true));
        assert_eq!(is_binary("utf8mb4"), Ok(false));
        for other in ["latin1", "ascii", "nosuch"] {
            assert_eq!(is_binary(other), Err(SqlError::Charset(other.into())));
        }
        assert_eq!(folds("utf8mb4_0900_bin"), Ok(false));
        assert_eq!(folds("binary"), Ok(false));
        assert_eq!(folds("UTF8_general_ci"), Ok(true));
        assert_eq!(folds("utf8mb4_0900_as_cs"), Ok(false));
        assert_eq!(folds("latin1_bin"), Err(SqlError::OtherCollation("latin1_bin".into())));
        for unknown in ["nosuch", "utf8mb4", "utf8mb4_nosuch", "binary_ci"] {
            assert_eq!(folds(unknown), Err(SqlError::Collation(unknown.into())));
        }
    }
}
