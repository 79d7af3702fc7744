//! How a connection ends other than by QUIT, and the ERR packets the wire itself answers with.

use std::io;

use cellgate_sql::ColumnType;
use thiserror::Error;

/// An ERR packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReply {
    /// MySQL's error number.
    pub code: u16,
    /// SQLSTATE: five characters.
    pub state: &'static str,
    /// The text.
    pub message: String,
}

impl ErrorReply {
    /// The number of most refusals of a login.
    pub(super) const ACCESS_DENIED: u16 = 1045;

    /// An ERR packet.
    pub fn new(code: u16, state: &'static str, message: impl Into<String>) -> Self {
        Self { code, state, message: message.into() }
    }

    pub(super) fn bad_handshake() -> Self {
        Self::new(1043, "08S01", "Bad handshake")
    }

    pub(super) fn unknown_command() -> Self {
        Self::new(1047, "08S01", "Unknown command")
    }

    /// The server stops.
    pub fn shutting_down() -> Self {
        Self::new(1053, "08S01", "Server shutdown in progress")
    }

    pub(super) fn too_many_columns() -> Self {
        Self::new(1117, "HY000", "Too many columns")
    }

    pub(super) fn packet_too_large() -> Self {
        Self::new(1153, "08S01", "Got a packet bigger than 'max_allowed_packet' bytes")
    }

    pub(super) fn out_of_order() -> Self {
        Self::new(1156, "08S01", "Got packets out of order")
    }

    pub(super) fn read_timeout() -> Self {
        Self::new(1159, "08S01", "Got timeout reading communication packets")
    }

    pub(super) fn wrong_arguments() -> Self {
        Self::new(1210, "HY000", "Incorrect arguments to mysqld_stmt_execute")
    }

    /// The error of a computed value that its column's type cannot carry.
    pub fn unfit(ty: ColumnType) -> Self {
        let name = match ty {
            ColumnType::Null => "NULL",
            ColumnType::BigInt => "BIGINT",
            ColumnType::UnsignedBigInt => "BIGINT UNSIGNED",
            ColumnType::Double => "DOUBLE",
            ColumnType::Decimal => "DECIMAL",
            ColumnType::Text => "VARCHAR",
            ColumnType::Bytes => "VARBINARY",
            ColumnType::Json => "JSON",
            ColumnType::Date => "DATE",
            ColumnType::DateTime => "DATETIME",
            ColumnType::Time => "TIME",
        };
        Self::new(1690, "22003", format!("{name} value is out of range"))
    }

    pub(super) fn unknown_statement(id: u32, function: &str) -> Self {
        Self::new(1243, "HY000", format!("Unknown prepared statement handler ({id}) given to {function}"))
    }

    pub(super) fn no_cursor(id: u32) -> Self {
        Self::new(1421, "HY000", format!("The statement ({id}) has no open cursor."))
    }

    pub(super) fn too_many_statements(limit: usize) -> Self {
        Self::new(
            1461,
            "42000",
            format!(
                "Can't create more than max_prepared_stmt_count statements (current value: {limit}); \
                 limits.prepared_statements of a connection: close some"
            ),
        )
    }

    pub(super) fn long_data_too_long() -> Self {
        Self::new(
            1105,
            "HY000",
            "Parameter of prepared statement which is set through mysql_send_long_data() is longer than \
             'max_allowed_packet' bytes",
        )
    }

    pub(super) fn malformed() -> Self {
        Self::new(1835, "HY000", "Malformed communication packet.")
    }

    pub(super) fn idle() -> Self {
        Self::new(
            4031,
            "HY000",
            "The client was disconnected by the server because of inactivity. See wait_timeout and \
             interactive_timeout for configuring this behavior.",
        )
    }
}

/// Why a connection cannot go on.
#[derive(Debug, Error)]
pub enum WireError {
    /// The stream failed.
    #[error("connection lost: {0}")]
    Io(#[from] io::Error),
    /// The client was too slow.
    #[error("timed out: {0}")]
    Timeout(Wait),
    /// A packet over the limit.
    #[error("packet bigger than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// One of the two sides broke the protocol.
    #[error("protocol violated: {0}")]
    Protocol(Violation),
    /// Another session ended it (KILL), and it did not end by itself.
    #[error("killed")]
    Killed,
    /// The client closed in the midst of a packet or of the login.
    #[error("closed by the client")]
    Closed,
}

/// What was waited for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Wait {
    /// The login.
    #[error("login")]
    Handshake,
    /// The next command.
    #[error("next command")]
    Idle,
    /// The rest of a command.
    #[error("rest of a command")]
    Read,
    /// The client to take a part of a reply.
    #[error("client to take a reply")]
    Write,
}

/// How the protocol was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    /// By the client: a packet with the wrong sequence number.
    #[error("packet number {found} instead of {expected}")]
    OutOfOrder {
        /// The number that was due.
        expected: u8,
        /// The number that came.
        found: u8,
    },
    /// By the client: a login that cannot be read.
    #[error("malformed login")]
    BadHandshake,
    /// By who passes the connection on: no PROXY header, or one that cannot be read.
    #[error("malformed PROXY header")]
    BadProxyHeader,
    /// By the client: a CHANGE_USER that cannot be read.
    #[error("malformed CHANGE_USER")]
    BadChangeUser,
    /// By the handler: a result set without columns, or a row of another width than its columns.
    #[error("a row of {found} values in a result of {expected} columns")]
    Width {
        /// How many columns were announced.
        expected: usize,
        /// How many values the row has.
        found: usize,
    },
    /// By the handler: a value that its column's type cannot carry. Nothing of its row was sent, and the result can be
    /// ended with an error ([`ErrorReply::unfit`]).
    #[error("the value of column {column} does not fit the column's type")]
    Value {
        /// The column, from 0.
        column: usize,
        /// Its type.
        ty: ColumnType,
    },
    /// By the handler: the last part of a reply is missing.
    #[error("a reply ended with more results announced")]
    Unfinished,
}

impl WireError {
    /// What the client is told before the connection is closed, if it can be told anything.
    pub(super) fn farewell(&self) -> Option<ErrorReply> {
        match self {
            Self::Io(_) | Self::Closed | Self::Killed | Self::Timeout(Wait::Write) => None,
            Self::Timeout(Wait::Handshake | Wait::Read) => Some(ErrorReply::read_timeout()),
            Self::Timeout(Wait::Idle) => Some(ErrorReply::idle()),
            Self::TooLarge { .. } => Some(ErrorReply::packet_too_large()),
            Self::Protocol(violation) => match violation {
                Violation::OutOfOrder { .. } => Some(ErrorReply::out_of_order()),
                Violation::BadHandshake | Violation::BadProxyHeader => Some(ErrorReply::bad_handshake()),
                Violation::BadChangeUser => Some(ErrorReply::malformed()),
                // A reply is under way: an ERR packet of our own could be taken for a part of it.
                Violation::Width { .. } | Violation::Value { .. } | Violation::Unfinished => None,
            },
        }
    }
}
