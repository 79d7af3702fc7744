//! Options of tables and databases.
//!
//! Accepted are those that could not change what a statement answers here, whatever they say; the comment is kept.

use super::charset::folds;
use super::reader::Reader;
use super::tokens::Symbol;
use crate::error::{SqlError, unsupported};

/// Longest comment of a table, in characters; MySQL's own bound.
const COMMENT_CHARS: usize = 2048;
/// The same of a column.
const COLUMN_COMMENT_CHARS: usize = 1024;

/// The options of a table that matter.
#[derive(Debug, Default)]
pub(super) struct TableOptions {
    /// `ENGINE=CELLS`
    pub cells: bool,
    /// `COMMENT='..'`
    pub comment: Option<String>,
    /// Whether there was an option at all.
    pub any: bool,
}

/// Options that are about files, buffers and counters, of which a cell table has none.
const WITHOUT_EFFECT: [&str; 17] = [
    "AUTOEXTEND_SIZE",
    "AUTO_INCREMENT",
    "AVG_ROW_LENGTH",
    "CHECKSUM",
    "COMPRESSION",
    "DELAY_KEY_WRITE",
    "INSERT_METHOD",
    "KEY_BLOCK_SIZE",
    "MAX_ROWS",
    "MIN_ROWS",
    "PACK_KEYS",
    "PAGE_CHECKSUM",
    "ROW_FORMAT",
    "STATS_AUTO_RECALC",
    "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES",
    "TRANSACTIONAL",
];

/// The options of CREATE TABLE and ALTER TABLE, as far as they go.
pub(super) fn table(reader: &mut Reader<'_>) -> Result<TableOptions, SqlError> {
    let mut options = TableOptions::default();
    loop {
        if options.any && reader.sees_symbol(Symbol::Comma) && option_follows(reader, 1) {
            reader.next();
        }
        let default = reader.take(&["DEFAULT"]);
        if reader.take(&["ENGINE"]) {
            reader.take_symbol(Symbol::Equal);
            let engine = reader.name_or_string()?.to_uppercase();
            match engine.as_str() {
                "CELLS" => options.cells = true,
                "INNODB" => {}
                other => return Err(unsupported(&format!("ENGINE={other}"), "use ENGINE=CELLS")),
            }
        } else if reader.take(&["CHARACTER", "SET"]) || reader.take(&["CHARSET"]) {
            charset(reader)?;
        } else if reader.take(&["COLLATE"]) {
            collation(reader)?;
        } else if reader.take(&["COMMENT"]) {
            reader.take_symbol(Symbol::Equal);
            options.comment = Some(comment(reader)?);
        } else if reader.sees(&["DATA", "DIRECTORY"]) || reader.sees(&["INDEX", "DIRECTORY"]) {
            return Err(unsupported("DATA DIRECTORY and INDEX DIRECTORY", "the stores have their own places"));
        } else if let Some(word) = reader.take_any(&["TABLESPACE", "UNION", "CONNECTION", "PASSWORD", "ENCRYPTION"]) {
            return Err(unsupported(&format!("the table option {word}"), "leave it out"));
        } else if reader.take_any(&WITHOUT_EFFECT).is_some() {
            reader.take_symbol(Symbol::Equal);
            reader.next();
        } else if default {
            return Err(reader.error("expected CHARACTER SET or COLLATE"));
        } else {
            return Ok(options);
        }
        options.any = true;
    }
}

/// Whether an option of a table stands so many tokens ahead.
fn option_follows(reader: &Reader<'_>, ahead: usize) -> bool {
    let words = ["DEFAULT", "ENGINE", "CHARACTER", "CHARSET", "COLLATE", "COMMENT", "DATA", "TABLESPACE", "ENCRYPTION"];
    let mut all = words.iter().chain(&WITHOUT_EFFECT);
    reader.peek_at(ahead).is_some_and(|token| all.any(|word| token.is(reader.text, word)))
}

fn comment(reader: &mut Reader<'_>) -> Result<String, SqlError> {
    bounded(reader.string()?, COMMENT_CHARS, "the length of a table's comment")
}

/// The comment of a column, from behind the word.
///
/// # Errors
/// A syntax error if no text is next; [`SqlError::Limit`] if it is too long.
pub(super) fn column_comment(reader: &mut Reader<'_>) -> Result<String, SqlError> {
    bounded(reader.string()?, COLUMN_COMMENT_CHARS, "the length of a column's comment")
}

fn bounded(comment: String, most: usize, what: &str) -> Result<String, SqlError> {
    if comment.chars().count() > most {
        return Err(SqlError::Limit { what: what.into(), limit: most as u64, name: "comment" });
    }
    Ok(comment)
}

/// The options of CREATE DATABASE and ALTER DATABASE: the default collation, if they say one.
pub(super) fn database(reader: &mut Reader<'_>) -> Result<Option<String>, SqlError> {
    let (mut set, mut chosen): (Option<&str>, Option<String>) = (None, None);
    loop {
        let default = reader.take(&["DEFAULT"]);
        if reader.take(&["CHARACTER", "SET"]) || reader.take(&["CHARSET"]) {
            set = Some(match charset(reader)?.as_str() {
                "utf8mb4" => "utf8mb4",
                "utf8mb3" | "utf8" => "utf8mb3",
                "binary" => "binary",
                other => return Err(unsupported(&format!("the character set {other} of a database"), "use utf8mb4")),
            });
        } else if reader.take(&["COLLATE"]) {
            reader.take_symbol(Symbol::Equal);
            let name = reader.name_or_string()?.to_lowercase();
            match folds(&name) {
                Err(SqlError::OtherCollation { .. }) => {
                    return Err(unsupported(&format!("the collation {name}"), "use one of utf8mb4"));
                }
                known => known?,
            };
            chosen = Some(name.strip_prefix("utf8_").map_or(name.clone(), |rest| format!("utf8mb3_{rest}")));
        } else if reader.take(&["ENCRYPTION"]) {
            reader.take_symbol(Symbol::Equal);
            if !reader.string()?.eq_ignore_ascii_case("N") {
                return Err(unsupported("ENCRYPTION", "encrypt the disks of the stores"));
            }
        } else if default {
            return Err(reader.error("expected CHARACTER SET, COLLATE or ENCRYPTION"));
        } else {
            break;
        }
    }
    match (set, chosen) {
        (Some(set), Some(collation)) if collation.split('_').next() != Some(set) => {
            Err(SqlError::OtherCollation { collation, charset: set.to_owned() })
        }
        (_, Some(collation)) => Ok(Some(collation)),
        (Some("binary"), None) => Ok(Some("binary".to_owned())),
        (Some("utf8mb3"), None) => Ok(Some("utf8mb3_general_ci".to_owned())),
        (Some(_), None) => Ok(Some("utf8mb4_0900_ai_ci".to_owned())),
        (None, None) => Ok(None),
    }
}

/// The character set that is next, if it is one of those whose text is UTF-8.
pub(super) fn charset(reader: &mut Reader<'_>) -> Result<String, SqlError> {
    reader.take_symbol(Symbol::Equal);
    let name = reader.name_or_string()?.to_lowercase();
    if ["utf8mb4", "utf8mb3", "utf8", "ascii", "binary"].contains(&name.as_str()) {
        return Ok(name);
    }
    Err(unsupported(&format!("the character set {name}"), "use utf8mb4"))
}

/// The collation of a table or column that is next, if it compares bytes.
pub(super) fn collation(reader: &mut Reader<'_>) -> Result<(), SqlError> {
    reader.take_symbol(Symbol::Equal);
    let name = reader.name_or_string()?.to_lowercase();
    if name.ends_with("_bin") || name == "binary" {
        return Ok(());
    }
    Err(unsupported(&format!("the collation {name}"), "keys compare byte by byte: use utf8mb4_bin, or leave it out"))
}
