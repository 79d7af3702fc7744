//! `sql_mode`: names, numbers, and what is done with each mode.

use cellgate_sql::{SqlMode, Value};

use super::{VariableError, text_of};

/// A mode: its name and its bit.
struct Mode {
    name: &'static str,
    bit: u32,
}

const fn mode(name: &'static str, bit: u32) -> Mode {
    Mode { name, bit }
}

/// The modes in the order MySQL prints them.
const MODES: &[Mode] = &[
    mode("REAL_AS_FLOAT", 0),
    mode("PIPES_AS_CONCAT", 1),
    mode("ANSI_QUOTES", 2),
    mode("IGNORE_SPACE", 3),
    mode("ONLY_FULL_GROUP_BY", 5),
    mode("NO_UNSIGNED_SUBTRACTION", 6),
    mode("NO_DIR_IN_CREATE", 7),
    mode("ANSI", 18),
    mode("NO_AUTO_VALUE_ON_ZERO", 19),
    mode("NO_BACKSLASH_ESCAPES", 20),
    mode("STRICT_TRANS_TABLES", 21),
    mode("STRICT_ALL_TABLES", 22),
    mode("NO_ZERO_IN_DATE", 23),
    mode("NO_ZERO_DATE", 24),
    mode("ALLOW_INVALID_DATES", 25),
    mode("ERROR_FOR_DIVISION_BY_ZERO", 26),
    mode("TRADITIONAL", 27),
    mode("HIGH_NOT_PRECEDENCE", 29),
    mode("NO_ENGINE_SUBSTITUTION", 30),
    mode("PAD_CHAR_TO_FULL_LENGTH", 31),
    mode("TIME_TRUNCATE_FRACTIONAL", 32),
];

/// Modes of MySQL before 8.0 and of MariaDB, and those that they bring with them. They are not kept: what else they do
/// is to leave options out of SHOW CREATE TABLE, which `mariadb-dump` asks for, or nothing.
const GONE: &[(&str, &[&str])] = &[
    ("NO_KEY_OPTIONS", &[]),
    ("NO_TABLE_OPTIONS", &[]),
    ("NO_FIELD_OPTIONS", &[]),
    ("NO_AUTO_CREATE_USER", &[]),
    ("MYSQL323", &["HIGH_NOT_PRECEDENCE"]),
    ("MYSQL40", &["HIGH_NOT_PRECEDENCE"]),
    ("POSTGRESQL", OF_OTHERS),
    ("MSSQL", OF_OTHERS),
    ("DB2", OF_OTHERS),
    ("MAXDB", OF_OTHERS),
];

/// What the names of other servers bring with them.
const OF_OTHERS: &[&str] = &["PIPES_AS_CONCAT", "ANSI_QUOTES", "IGNORE_SPACE"];

/// Modes that would change results in a way that is not built.
const REFUSED: &[(&str, &str)] = &[
    ("NO_UNSIGNED_SUBTRACTION", "cast the operands to SIGNED instead"),
    ("ALLOW_INVALID_DATES", "dates are checked"),
    ("TIME_TRUNCATE_FRACTIONAL", "fractions of a second are rounded"),
];

/// The modes a name stands for.
fn spelled_out(name: &'static str) -> &'static [&'static str] {
    match name {
        "ANSI" => &["REAL_AS_FLOAT", "PIPES_AS_CONCAT", "ANSI_QUOTES", "IGNORE_SPACE", "ONLY_FULL_GROUP_BY"],
        "TRADITIONAL" => &[
            "STRICT_TRANS_TABLES",
            "STRICT_ALL_TABLES",
            "NO_ZERO_IN_DATE",
            "NO_ZERO_DATE",
            "ERROR_FOR_DIVISION_BY_ZERO",
            "NO_ENGINE_SUBSTITUTION",
        ],
        _ => &[],
    }
}

/// The value of a SET, checked and in MySQL's order.
///
/// # Errors
/// 1231 for what is no mode, 1232 for what is neither text nor a number, a refusal.
pub(super) fn convert(name: &str, value: &Value) -> Result<Value, VariableError> {
    let wrong = |value: &str| VariableError::WrongValue { name: name.to_owned(), value: value.to_owned() };
    let mut modes: Vec<&'static str> = match value {
        Value::Int(_) | Value::UInt(_) => {
            let bits = match value {
                Value::UInt(bits) => Some(*bits),
                Value::Int(bits) => u64::try_from(*bits).ok(),
                _ => None,
            };
            let known = MODES.iter().fold(0, |all, mode| all | 1_u64 << mode.bit);
            let bits = bits.filter(|bits| bits & !known == 0).ok_or_else(|| wrong(&text_of(value)))?;
            MODES.iter().filter(|mode| bits >> mode.bit & 1 == 1).map(|mode| mode.name).collect()
        }
        Value::Text(_) | Value::Bytes(_) => {
            let written = text_of(value);
            let words = written.split(',').map(str::trim).filter(|word| !word.is_empty());
            let mut modes = Vec::new();
            for word in words {
                let known = MODES.iter().find(|mode| mode.name.eq_ignore_ascii_case(word));
                let gone = || GONE.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
                match known {
                    Some(mode) => modes.push(mode.name),
                    None => modes.extend(gone().ok_or_else(|| wrong(word))?.1),
                }
            }
            modes
        }
        Value::Null => return Err(wrong("NULL")),
        Value::Double(_) | Value::Decimal(_) | Value::Json(_) | Value::DateTime(_) => {
            return Err(VariableError::WrongType(name.to_owned()));
        }
    };
    let more: Vec<&'static str> = modes.iter().flat_map(|mode| spelled_out(mode)).copied().collect();
    modes.extend(more);
    for (refused, reason) in REFUSED {
        if modes.contains(refused) {
            return Err(VariableError::Refused { name: name.to_owned(), value: (*refused).to_owned(), reason });
        }
    }
    let ordered: Vec<&str> = MODES.iter().map(|mode| mode.name).filter(|name| modes.contains(name)).collect();
    Ok(Value::Text(ordered.join(",").into()))
}

/// The modes that change what a statement answers.
pub(super) fn sql_mode(modes: &str) -> SqlMode {
    let has = |mode: &str| modes.split(',').any(|m| m == mode);
    SqlMode {
        ansi_quotes: has("ANSI_QUOTES"),
        no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
        pipes_as_concat: has("PIPES_AS_CONCAT"),
        high_not_precedence: has("HIGH_NOT_PRECEDENCE"),
        any_of_group: !has("ONLY_FULL_GROUP_BY"),
        divides_by_zero: !has("ERROR_FOR_DIVISION_BY_ZERO"),
    }
}
