//! What PostgreSQL says when something fails.

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, Severity};

use crate::engine::server::driver::{Failure, no_database, no_table};
use crate::error::{Reason, StoreError};

/// A failure to open a connection to a database or to set it up.
pub(super) fn of_connecting(error: &Error, database: &str) -> StoreError {
    let detail = describe(error);
    match error.code().map(|code| code.code()) {
        // Unknown database: to whoever asks, none of its tables exists.
        Some("3D000") => no_database(database),
        // No place for one more connection.
        Some("53300") => StoreError::Unavailable { reason: Reason::Queue, detail },
        // Wrong user or password, a pg_hba.conf without a line for them, or no right to the database.
        Some(code) if code.starts_with("28") || code == "42501" => StoreError::Denied { detail },
        Some(_) | None => StoreError::Unavailable { reason: Reason::Connect, detail },
    }
}

/// A failure of a statement.
pub(super) fn of_statement(error: &Error) -> Failure {
    match error.as_db_error() {
        // The server ends the session behind a fatal error.
        Some(db) if matches!(db.parsed_severity(), Some(Severity::Fatal | Severity::Panic)) => {
            Failure::Lost { detail: describe(error) }
        }
        Some(db) => of_server(db.code().code(), describe(error), db.message()),
        None => Failure::Lost { detail: describe(error) },
    }
}

fn of_server(code: &str, detail: String, message: &str) -> Failure {
    match code {
        "23505" => Failure::Duplicate,
        "40001" | "40P01" => Failure::Again { reason: Reason::Statement, detail },
        "55P03" => Failure::Again { reason: Reason::Lock, detail },
        "57014" => Failure::Store(StoreError::Timeout { reason: Reason::Statement, detail }),
        "42P01" | "3D000" | "3F000" => Failure::Store(no_table(message)),
        // Rights that are missing.
        "42501" => Failure::Store(StoreError::Refused { detail }),
        // A standby, or a server that is read-only.
        "25006" => Failure::ReadOnly { detail },
        "53100" => Failure::Store(StoreError::DiskFull { detail }),
        "58030" if message.contains("No space left") => Failure::Store(StoreError::DiskFull { detail }),
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Failure::Lost { detail },
        code if code.starts_with("08") => Failure::Lost { detail },
        _ => Failure::Store(StoreError::Failed { detail }),
    }
}

/// The error with what it comes from; without the values the server may quote.
fn describe(error: &Error) -> String {
    match error.as_db_error() {
        Some(db) => of_db(db),
        None => match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}

fn of_db(db: &DbError) -> String {
    format!("{} ({}): {}", db.severity(), db.code().code(), db.message())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_told_apart() {
        let failure = |code: &str| of_server(code, String::new(), "");
        assert!(matches!(failure("23505"), Failure::Duplicate));
        assert!(matches!(failure("40P01"), Failure::Again { reason: Reason::Statement, .. }));
        assert!(matches!(failure("55P03"), Failure::Again { reason: Reason::Lock, .. }));
        assert!(matches!(failure("57014"), Failure::Store(StoreError::Timeout { .. })));
        assert!(matches!(failure("42P01"), Failure::Store(StoreError::NoTable { .. })));
        assert!(matches!(failure("42501"), Failure::Store(StoreError::Refused { .. })));
        assert!(matches!(failure("25006"), Failure::ReadOnly { .. }));
        assert!(matches!(failure("53100"), Failure::Store(StoreError::DiskFull { .. })));
        assert!(matches!(failure("57P01"), Failure::Lost { .. }));
        assert!(matches!(failure("08006"), Failure::Lost { .. }));
        assert!(matches!(failure("22000"), Failure::Store(StoreError::Failed { .. })));
    }
}
