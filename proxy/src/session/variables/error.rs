//! Why a variable was not set.

use cellgate_sql::variable_hint;
use thiserror::Error;

/// Why a variable was not set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VariableError {
    /// There is no such variable.
    #[error("Unknown system variable '{0}'{hint}", hint = variable_hint(.0))]
    Unknown(String),
    /// It cannot be set.
    #[error("Variable '{0}' is a read only variable")]
    ReadOnly(String),
    /// It cannot be set for one session.
    #[error("Variable '{0}' is a GLOBAL variable and should be set with SET GLOBAL")]
    GlobalOnly(String),
    /// It cannot be set for all sessions.
    #[error("Variable '{0}' is a SESSION variable and can't be used with SET GLOBAL")]
    SessionOnly(String),
    /// It cannot be set to this.
    #[error("Variable '{name}' can't be set to the value of '{value}'")]
    WrongValue {
        /// The variable.
        name: String,
        /// The value.
        value: String,
    },
    /// Its text is longer than it may be.
    #[error("Variable '{name}' can't be set to a text of more than {limit} bytes")]
    TooLong {
        /// The variable.
        name: String,
        /// The bound, in bytes.
        limit: usize,
    },
    /// A value of the wrong type.
    #[error("Incorrect argument type to variable '{0}'")]
    WrongType(String),
    /// A character set other than those of UTF-8.
    #[error("Unknown character set: '{0}'; Cellgate speaks utf8mb4")]
    Charset(String),
    /// A collation other than those of utf8mb4.
    #[error("Unknown collation: '{0}'; Cellgate speaks utf8mb4")]
    Collation(String),
    /// A time zone that is not known.
    #[error("Unknown or incorrect time zone: '{0}'; write a name like 'Europe/Paris' or an offset like '+02:00'")]
    TimeZone(String),
    /// A time zone by name, where no names are known.
    #[error(
        "Unknown or incorrect time zone: '{0}'; the machine Cellgate runs on has no zone files (package tzdata):          install them, or write an offset like '+02:00'"
    )]
    NoTimeZones(String),
    /// The file of a time zone is there, or may be, and cannot be read now.
    #[error("{0}")]
    TimeZoneFile(String),
    /// Setting it would change results in a way that is not built.
    #[error("Variable '{name}' cannot be set to '{value}': {reason}")]
    Refused {
        /// The variable.
        name: String,
        /// The value.
        value: String,
        /// Why, and what to do instead.
        reason: &'static str,
    },
}
