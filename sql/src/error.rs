//! What can be wrong with a statement, as outcomes; the proxy turns each into MySQL's number.

use cellgate_schemaless::{ErrorKind, Invalid};
use thiserror::Error;

use crate::environment::SessionCall;
use crate::relational::RelationalError;
use crate::value::Value;

/// Digits a decimal cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecimalError {
    /// So many behind the point (1425).
    #[error("Too big scale {0} specified for DECIMAL. Maximum is 30.")]
    Scale(u32),
    /// So many altogether (1426).
    #[error("Too big precision {0} specified for DECIMAL. Maximum is 65.")]
    Precision(u32),
    /// More behind the point than altogether (1427).
    #[error("For DECIMAL(M,D), M must be >= D")]
    ScaleAbovePrecision,
}

/// What has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// A database.
    Database,
    /// A table.
    Table,
    /// A declared column.
    Column,
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Database => "database",
            Self::Table => "table",
            Self::Column => "column",
        })
    }
}

/// A statement that cannot be run.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum SqlError {
    /// Not SQL (1064).
    #[error("You have an error in your SQL syntax; {detail} near '{near}' at line {line}")]
    Syntax {
        /// What was expected.
        detail: String,
        /// The text from the place on, at most 80 characters.
        near: String,
        /// The line of the place, from 1.
        line: u64,
    },
    /// A character set that is none of UTF-8 (1115).
    #[error("Unknown character set: '{0}'; text is utf8mb4: use utf8mb4 or binary")]
    Charset(String),
    /// A collation that does not exist (1273).
    #[error("Unknown collation: '{0}'")]
    Collation(String),
    /// A collation of another character set than text has (1253).
    #[error("COLLATION '{collation}' is not valid for CHARACTER SET '{charset}'")]
    OtherCollation {
        /// Its name.
        collation: String,
        /// The character set.
        charset: String,
    },
    /// A name that stands for two tables of one statement (1066).
    #[error("Not unique table/alias: '{0}'")]
    NotUnique(String),
    /// Nothing but white space and comments (1065).
    #[error("Query was empty")]
    Empty,
    /// SQL that is refused on purpose (1235): what, and what to write instead.
    #[error("{what} is not supported; {instead}")]
    Unsupported {
        /// What was refused.
        what: String,
        /// What to write instead, or why there is no substitute.
        instead: String,
    },
    /// A write that immutable cells cannot take (1235): UPDATE, REPLACE, ON DUPLICATE KEY UPDATE.
    #[error("{what} is not supported: cells are immutable; {instead}")]
    Immutable {
        /// What was refused.
        what: String,
        /// What to write instead.
        instead: String,
    },
    /// A password hash that is none (1827).
    #[error("The password hash doesn't have the expected format: '*' and 40 hexadecimal digits.")]
    PasswordHash,
    /// A way to log in that does not exist here (1524).
    #[error(
        "Plugin '{0}' is not loaded; users are identified with mysql_native_password or caching_sha2_password, whichever \
         the client asks for"
    )]
    UnknownPlugin(String),
    /// A name that is too long for what it names (1470).
    #[error("String '{name}' is too long for {what} (should be no longer than {limit})")]
    NameTooLong {
        /// The name.
        name: String,
        /// `user name`, `host name`.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The name of a database, table, column, savepoint or prepared statement is too long (1059).
    #[error("Identifier name '{0}' is too long")]
    IdentifierTooLong(String),
    /// A name with a blank at its end, of what is to be made or is not there (1102, 1103, 1166).
    #[error("Incorrect {what} name '{name}'")]
    IncorrectName {
        /// Of what.
        what: Named,
        /// The name.
        name: String,
    },
    /// Writing to `information_schema` and its like, whoever asks (1044).
    #[error("Access denied for user {user} to database '{database}'")]
    SystemDatabase {
        /// Who asks, as MySQL writes it.
        user: String,
        /// The database.
        database: String,
    },
    /// No database selected (1046).
    #[error("No database selected")]
    NoDatabase,
    /// Unknown database (1049).
    #[error("Unknown database '{0}'")]
    UnknownDatabase(String),
    /// Unknown table (1146).
    #[error("Table '{database}.{table}' doesn't exist")]
    UnknownTable {
        /// The database.
        database: String,
        /// The table.
        table: String,
    },
    /// Unknown column (1054); `hint` says how to declare one, if that would help.
    #[error("Unknown column '{column}' in '{clause}'{hint}")]
    UnknownColumn {
        /// The column.
        column: String,
        /// `field list`, `where clause`, `order clause`, `group statement`.
        clause: &'static str,
        /// Empty, or starts with `; `.
        hint: String,
    },
    /// Unknown system variable (1193).
    #[error("Unknown system variable '{0}'{hint}", hint = variable_hint(.0))]
    UnknownVariable(String),
    /// A system variable of another scope (1238).
    #[error("Variable '{name}' is a {scope} variable")]
    OtherScope {
        /// Its name.
        name: String,
        /// `GLOBAL`, `SESSION`.
        scope: &'static str,
    },
    /// Unknown function (1305).
    #[error("FUNCTION {0} does not exist")]
    UnknownFunction(String),
    /// A value a key or body column cannot hold.
    #[error("{invalid} (column '{column}', row {row})")]
    Value {
        /// What is wrong.
        invalid: Invalid,
        /// The column.
        column: String,
        /// The row of the statement, from 1.
        row: usize,
    },
    /// NULL for a column that cannot hold it (1048).
    #[error("Column '{0}' cannot be null")]
    NullColumn(String),
    /// A column without default that got no value (1364).
    #[error("Field '{0}' doesn't have a default value")]
    NoDefault(String),
    /// A value of the wrong type for a column (1366) or number out of range (1264).
    #[error("{message}")]
    BadValue {
        /// Whether it is out of range (1264) rather than of the wrong type (1366).
        out_of_range: bool,
        /// The message.
        message: String,
    },
    /// A row of values, or a subquery, of another number of columns than is needed (1241).
    #[error("Operand should contain {0} column(s)")]
    OperandColumns(usize),
    /// Text that is compared with a time and is none (1525).
    #[error("Incorrect DATETIME value: '{0}'")]
    WrongTime(String),
    /// The text of a TIME literal that is none (1525).
    #[error("Incorrect TIME value: '{0}'")]
    WrongClock(String),
    /// Text for a number in a DELETE, which is no number or has more behind it (1292).
    #[error("Truncated incorrect INTEGER value: '{0}'; nothing was erased: give {1} a number")]
    WrongNumber(String, &'static str),
    /// A double as written that is beyond all there are (1367).
    #[error("Illegal double '{0}' value found during parsing")]
    IllegalDouble(String),
    /// Arithmetic beyond what a type holds (1690).
    #[error("{0} value is out of range")]
    OutOfRange(&'static str),
    /// A division by zero (1365): of a value that is stored an error, else a warning.
    #[error("Division by 0")]
    DivisionByZero,
    /// Text that is not all of what is read out of it (1292): of a value that is stored an error, else a warning.
    #[error("Truncated incorrect {ty} value: '{text}'")]
    Truncated {
        /// What is read, as MySQL names it: `INTEGER`, `DOUBLE`, `CHAR(2)`.
        ty: String,
        /// The text, or the start of it.
        text: String,
    },
    /// Text or a number that is read as a time and is none (1292): of a value that is stored an error, else a warning.
    #[error("Incorrect datetime value: '{0}'")]
    NoTime(String),
    /// DECIMAL with digits there cannot be (1425, 1426, 1427).
    #[error(transparent)]
    Decimal(DecimalError),
    /// A value of an expression is longer than max_allowed_packet (1301).
    #[error("Result of {function}() was larger than max_allowed_packet ({limit})")]
    ResultTooLong {
        /// The function, as it is written in lower case.
        function: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// GROUP_CONCAT was cut at group_concat_max_len (1260): the row it was cut in, from 1 over all groups.
    #[error("Row {0} was cut by GROUP_CONCAT()")]
    Cut(u64),
    /// JSON_CONTAINS_PATH is asked for something else than 'one' or 'all' (3154).
    #[error("The oneOrAll argument to json_contains_path may take these values: 'one' or 'all'.")]
    OneOrAll,
    /// The work was given up: nobody waits for it any more, or the statement is late (3024).
    #[error("the statement took too long")]
    GivenUp,
    /// The values of a row are longer than max_allowed_packet together (1153).
    #[error("Got a packet bigger than 'max_allowed_packet' bytes: a row of more than {0} bytes; select less of it")]
    RowTooLong(usize),
    /// Number of columns and values differ (1136).
    #[error("Column count doesn't match value count at row {0}")]
    ColumnCount(usize),
    /// The same column named twice (1110).
    #[error("Column '{0}' specified twice")]
    ColumnTwice(String),
    /// More columns than a result may have (1117); so many are allowed.
    #[error("Too many columns: a SELECT has at most {0}")]
    TooManyColumns(usize),
    /// A table with two columns of one name (1060).
    #[error("Duplicate column name '{0}'")]
    DuplicateColumn(String),
    /// JSON function over text that is not JSON (3141), or a bad path (3143).
    #[error("{message}")]
    Json {
        /// Whether it is the path that is bad (3143).
        path: bool,
        /// The message.
        message: String,
    },
    /// A key column too long at CREATE TABLE (1071).
    #[error("Specified key was too long; max key length is {bytes} bytes; write {instead}")]
    KeyTooLong {
        /// Most bytes.
        bytes: usize,
        /// What may be written.
        instead: &'static str,
    },
    /// A named limit exceeded (1104): the statement asks for too much.
    #[error("{what} exceeds {limit} ({name})")]
    Limit {
        /// What was too much.
        what: String,
        /// The limit.
        limit: u64,
        /// Its name in the configuration.
        name: &'static str,
    },
    /// A wrong number of arguments or parameters (1210).
    #[error("Incorrect arguments to {0}")]
    Arguments(String),
    /// What only a relational SELECT can get wrong.
    #[error(transparent)]
    Relational(RelationalError),
    /// A mixture of aggregates and plain columns (1140, with GROUP BY 1055).
    #[error(
        "{} contains nonaggregated column '{column}'; this is incompatible with sql_mode=only_full_group_by",
        if *.grouped { "Expression is not in GROUP BY clause and" } else { "In aggregated query without GROUP BY, expression" }
    )]
    MixedAggregate {
        /// The column.
        column: String,
        /// Whether there is a GROUP BY.
        grouped: bool,
    },
    /// A statement about prepared statements that is to be prepared (1295).
    #[error("This command is not supported in the prepared statement protocol yet")]
    NotPreparable,
    /// INTO with another number of variables than columns (1222).
    #[error("The used SELECT statements have a different number of columns")]
    IntoCount,
    /// The session has to do this first ([`crate::Environment::call`]). Never seen by a client.
    #[error("{} is pending", .0.name())]
    Pending(SessionCall, Vec<Value>),
    /// What a time zone's name stands for cannot be read now (1815).
    #[error("{0}")]
    TimeZoneFile(String),
    /// A defect of the dialect.
    #[error("internal error: {0}")]
    Internal(String),
}

/// What to set instead of a variable that there is not: empty, or begins with `; `.
pub fn variable_hint(name: &str) -> &'static str {
    if name.eq_ignore_ascii_case("max_statement_time") {
        "; set max_execution_time, in milliseconds: it bounds SELECT"
    } else {
        ""
    }
}

/// The refusal of `what`, with what to write instead.
pub(crate) fn unsupported(what: &str, instead: &str) -> SqlError {
    SqlError::Unsupported { what: what.into(), instead: instead.into() }
}

/// The error of a limit of the dialect, by its name.
pub(crate) fn limit(what: &str, limit: usize, name: &'static str) -> SqlError {
    SqlError::Limit { what: what.into(), limit: limit as u64, name }
}

impl SqlError {
    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Syntax { .. }
            | Self::Empty
            | Self::IntoCount
            | Self::ColumnCount(_)
            | Self::ColumnTwice(_)
            | Self::DuplicateColumn(_)
            | Self::Arguments(_) => ErrorKind::Syntax,
            Self::Unsupported { .. } | Self::Immutable { .. } | Self::MixedAggregate { .. } | Self::NotPreparable => {
                ErrorKind::Unsupported
            }
            Self::NoDatabase
            | Self::UnknownDatabase(_)
            | Self::UnknownTable { .. }
            | Self::UnknownColumn { .. }
            | Self::UnknownVariable(_)
            | Self::OtherScope { .. }
            | Self::Charset(_)
            | Self::Collation(_)
            | Self::OtherCollation { .. }
            | Self::NotUnique(_)
            | Self::UnknownFunction(_) => ErrorKind::NotFound,
            Self::UnknownPlugin(_) => ErrorKind::NotFound,
            Self::SystemDatabase { .. } => ErrorKind::Unsupported,
            Self::Value { .. }
            | Self::PasswordHash
            | Self::NullColumn(_)
            | Self::NoDefault(_)
            | Self::BadValue { .. }
            | Self::OperandColumns(_)
            | Self::WrongTime(_)
            | Self::WrongClock(_)
            | Self::WrongNumber(..)
            | Self::IllegalDouble(_)
            | Self::IncorrectName { .. }
            | Self::OutOfRange(_)
            | Self::DivisionByZero
            | Self::Truncated { .. }
            | Self::NoTime(_)
            | Self::Decimal(_)
            | Self::Json { .. } => ErrorKind::Value,
            Self::KeyTooLong { .. }
            | Self::NameTooLong { .. }
            | Self::ResultTooLong { .. }
            | Self::Cut(_)
            | Self::IdentifierTooLong(_)
            | Self::OneOrAll
            | Self::RowTooLong(_)
            | Self::TooManyColumns(_)
            | Self::Limit { .. } => ErrorKind::Limit,
            Self::Relational(error) => error.kind(),
            Self::GivenUp => ErrorKind::Timeout,
            Self::TimeZoneFile(_) => ErrorKind::Unavailable,
            Self::Pending(..) | Self::Internal(_) => ErrorKind::Internal,
        }
    }
}
