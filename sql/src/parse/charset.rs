//! The character sets and collations that expressions may name: those of UTF-8, and bytes.

use crate::error::SqlError;

/// The other character sets of MySQL 8.0.
const OTHERS: [&str; 37] = [
    "armscii8", "ascii", "big5", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "cp932", "dec8",
    "eucjpms", "euckr", "gb18030", "gb2312", "gbk", "geostd8", "greek", "hebrew", "hp8", "keybcs2", "koi8r", "koi8u",
    "latin1", "latin2", "latin5", "latin7", "macce", "macroman", "sjis", "swe7", "tis620", "ucs2", "ujis", "utf16",
    "utf32",
];

/// What stands behind the character set in the name of a collation, but for those of languages.
const GENERAL: [&str; 5] = ["bin", "general_ci", "general_mysql500_ci", "unicode_ci", "unicode_520_ci"];
/// The same of utf8mb4 alone.
const GENERAL_0900: [&str; 5] = ["0900_ai_ci", "0900_as_ci", "0900_as_cs", "0900_bin", "ja_0900_as_cs_ks"];
/// Languages with a collation `.._ci`.
const LANGUAGES: [&str; 22] = [
    "croatian",
    "czech",
    "danish",
    "esperanto",
    "estonian",
    "german2",
    "hungarian",
    "icelandic",
    "latvian",
    "lithuanian",
    "persian",
    "polish",
    "roman",
    "romanian",
    "sinhala",
    "slovak",
    "slovenian",
    "spanish",
    "spanish2",
    "swedish",
    "turkish",
    "vietnamese",
];
/// Languages with collations `.._0900_ai_ci` and `.._0900_as_cs` of utf8mb4.
const LANGUAGES_0900: [&str; 30] = [
    "bg", "bs", "cs", "da", "de_pb", "eo", "es", "es_trad", "et", "gl", "hr", "hu", "is", "ja", "la", "lt", "lv",
    "mn_cyrl", "nb", "nn", "pl", "ro", "ru", "sk", "sl", "sr_latn", "sv", "tr", "vi", "zh",
];

/// The same of MariaDB alone. Databases that come from there name them.
const OF_MARIADB: [&str; 4] = ["nopad_bin", "general_nopad_ci", "unicode_nopad_ci", "unicode_520_nopad_ci"];

/// Whether this is one of MariaDB's collations by UCA 14.0.0, which are its default since 11.5: `uca1400_ai_ci`, and with a
/// language or `nopad` within. Behind the character set.
fn is_uca1400(rest: &str) -> bool {
    let Some(rest) = rest.strip_prefix("uca1400_") else { return false };
    let ending = ["ai_ci", "ai_cs", "as_ci", "as_cs"].iter().find_map(|ending| rest.strip_suffix(ending));
    ending.is_some_and(|within| {
        within.split('_').all(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
            && (within.is_empty() || within.ends_with('_'))
    })
}

/// Whether MySQL or MariaDB has such a collation of utf8mb4, utf8mb3 (or utf8) or bytes, in lower case.
pub fn is_collation(lower: &str) -> bool {
    let Some((charset, rest)) = lower.split_once('_') else { return lower == "binary" };
    let of_language = rest.strip_suffix("_ci").is_some_and(|l| LANGUAGES.contains(&l));
    let old = GENERAL.contains(&rest) || OF_MARIADB.contains(&rest) || is_uca1400(rest) || of_language;
    let new = || {
        let language = ["_0900_ai_ci", "_0900_as_cs"].iter().find_map(|ending| rest.strip_suffix(ending));
        GENERAL_0900.contains(&rest) || language.is_some_and(|language| LANGUAGES_0900.contains(&language))
    };
    match charset {
        "utf8mb4" => old || new(),
        "utf8mb3" | "utf8" => old,
        _ => false,
    }
}

/// Refuses a collation of another character set. Names that are not known here pass: setting them is refused.
///
/// # Errors
/// [`SqlError::OtherCollation`].
pub(super) fn check_pair(charset: &str, collation: &str) -> Result<(), SqlError> {
    let own = |name: &str| match name.to_ascii_lowercase().as_str() {
        "utf8" => "utf8mb3".to_owned(),
        name => name.to_owned(),
    };
    let of = own(collation.split('_').next().unwrap_or_default());
    let known = is_binary(charset).is_ok() && is_collation(&collation.to_ascii_lowercase());
    if known && of != own(charset) {
        return Err(SqlError::OtherCollation { collation: collation.to_owned(), charset: charset.to_owned() });
    }
    Ok(())
}

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
    if is_collation(&lower) {
        return Ok(rest.ends_with("_ci"));
    }
    match charset {
        other if OTHERS.contains(&other) => {
            Err(SqlError::OtherCollation { collation: name.to_owned(), charset: "utf8mb4".to_owned() })
        }
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
        let other = SqlError::OtherCollation { collation: "latin1_bin".into(), charset: "utf8mb4".into() };
        assert_eq!(folds("latin1_bin"), Err(other));
        for of_mariadb in ["utf8mb4_uca1400_ai_ci", "utf8mb3_uca1400_swedish_nopad_as_ci", "utf8mb4_general_nopad_ci"] {
            assert_eq!(folds(of_mariadb), Ok(true), "{of_mariadb}");
        }
        assert_eq!((folds("utf8mb4_uca1400_as_cs"), folds("utf8mb4_nopad_bin")), (Ok(false), Ok(false)));
        for unknown in ["utf8mb4_uca1400_nosuch", "utf8mb4_uca1400_xai_ci", "latin1_uca1400_ai_ci"] {
            assert!(folds(unknown).is_err(), "{unknown}");
        }
        for unknown in ["nosuch", "utf8mb4", "utf8mb4_nosuch", "utf8mb4_nosuch_ci", "utf8mb3_0900_ai_ci", "binary_ci"] {
            assert_eq!(folds(unknown), Err(SqlError::Collation(unknown.into())));
        }
    }
}
