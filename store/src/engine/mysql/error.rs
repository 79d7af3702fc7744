//! What MariaDB and MySQL say when something fails.

use super::read_only::is_of_read_only;
use super::wire::{LoginError, ServerError, WireError};
use crate::engine::server::driver::{Failure, no_database, no_table};
use crate::error::{Reason, StoreError};

/// The server has as many prepared statements as it takes, of all its sessions.
pub(super) const TOO_MANY_STATEMENTS: u16 = 1461;

/// A failure to open a connection to a database or to set it up.
pub(super) fn of_connecting(error: &WireError, database: &str) -> StoreError {
    let unavailable = || StoreError::Unavailable { reason: Reason::Connect, detail: error.to_string() };
    match error {
        WireError::Server(server) => match server.code {
            // Unknown database: to whoever asks, none of its tables exists.
            1049 => no_database(database),
            // No place for one more connection, of anybody or of this user.
            1040 | 1203 | 1226 => StoreError::Unavailable { reason: Reason::Queue, detail: server.to_string() },
            // Wrong user, password or rights; an account that is locked, for a while after wrong passwords too, or whose
            // password has expired.
            1044 | 1045 | 1698 | 2059 | 1820 | 1862 | 3118 | 3955 | 4150 | 4151 => {
                StoreError::Denied { detail: server.to_string() }
            }
            _ => unavailable(),
        },
        WireError::Login(LoginError::NoTls | LoginError::Random) => unavailable(),
        // MySQL asks a user that it does not have for a proof by any plugin.
        WireError::Login(LoginError::Plugin { .. } | LoginError::Key) => {
            StoreError::Denied { detail: error.to_string() }
        }
        WireError::Login(LoginError::Host { .. }) => StoreError::Refused { detail: error.to_string() },
        WireError::Io(_)
        | WireError::Closed
        | WireError::Malformed(_)
        | WireError::TooLong { .. }
        | WireError::Unsendable(_) => unavailable(),
    }
}

/// A failure of a statement.
pub(super) fn of_statement(error: &WireError) -> Failure {
    match error {
        WireError::Server(server) => of_server(server),
        WireError::Unsendable(_) => Failure::Store(StoreError::Failed { detail: error.to_string() }),
        WireError::Io(_)
        | WireError::Closed
        | WireError::Malformed(_)
        | WireError::TooLong { .. }
        | WireError::Login(_) => Failure::Lost { detail: error.to_string() },
    }
}

fn of_server(error: &ServerError) -> Failure {
    let detail = error.to_string();
    match error.code {
        // By ProxySQL: it has lost its connection to the server, or to the node, whichever statement it was at.
        2006 | 2013 | 2055 | 9001..=9020 => Failure::Lost { detail },
        // A node of a Galera cluster that is none now, as one that joins. The next connection may lead to another node.
        1047 => Failure::Store(StoreError::Unavailable { reason: Reason::Statement, detail }),
        // Shutdown, killed, aborted, gone idle for too long: the connection ends behind these.
        1053 | 1077 | 1079 | 1080 | 1152 | 1159 | 1161 | 1184 | 1927 | 3169 | 4031 => Failure::Lost { detail },
        1062 | 1586 => Failure::Duplicate,
        // The head let nothing in: there is no id to be had.
        1048 => Failure::Stale,
        1205 => Failure::Again { reason: Reason::Lock, detail },
        // A statement that has to be prepared anew, each time that the server has tried.
        1615 => {
            let detail = format!("{detail} (if it lasts, raise the server's table_definition_cache)");
            Failure::Again { reason: Reason::Statement, detail }
        }
        // A deadlock; "record has changed since last read" of MariaDB's snapshot isolation; a table that was altered.
        1213 | 1020 | 1412 => Failure::Again { reason: Reason::Statement, detail },
        1969 | 3024 | 1317 => Failure::Store(StoreError::Timeout { reason: Reason::Statement, detail }),
        1146 | 1049 | 1932 => Failure::Store(no_table(&error.message)),
        // Rights that are missing.
        1044 | 1045 | 1142 | 1143 | 1227 | 1370 | 1820 => Failure::Store(StoreError::Refused { detail }),
        // A binary log of statements: InnoDB takes no write of a session that reads what is committed.
        1665 => {
            let detail = format!("{detail} (set binlog_format to ROW or MIXED and start the proxies again)");
            Failure::Store(StoreError::Refused { detail })
        }
        code if is_of_read_only(code, &error.message) => {
            let detail =
                "the server is read-only (@@read_only), which this user could write to all the same".to_owned();
            Failure::ReadOnly { detail }
        }
        // A server or a transaction that is read-only.
        1290 | 1792 | 1836 => Failure::ReadOnly { detail },
        1021 | 1114 => Failure::Store(StoreError::DiskFull { detail }),
        1030 | 1026 | 3 if is_about_space(&error.message) => Failure::Store(StoreError::DiskFull { detail }),
        _ => Failure::Store(StoreError::Failed { detail }),
    }
}

/// Whether the engine's error number in a message ("Got error 28 ..") is ENOSPC.
fn is_about_space(message: &str) -> bool {
    message.contains("No space left") || message.contains("error 28 ") || message.contains("rrcode: 28 ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16, message: &str) -> Failure {
        of_server(&ServerError { code, message: message.to_owned(), state: "HY000".to_owned() })
    }

    #[test]
    fn a_full_disk_is_told_from_other_engine_errors() {
        let full = "Got error 28 \"No space left on device\" from storage engine InnoDB";
        assert!(matches!(server(1030, full), Failure::Store(StoreError::DiskFull { .. })));
        assert!(matches!(server(1114, "The table 't' is full"), Failure::Store(StoreError::DiskFull { .. })));
        assert!(matches!(server(1030, "Got error 122 from InnoDB"), Failure::Store(StoreError::Failed { .. })));
    }

    #[test]
    fn a_login_that_is_refused_is_told_from_a_right_that_is_missing_and_from_a_database_that_is() {
        let connecting = |code| {
            let error = ServerError { code, message: "no".to_owned(), state: "28000".to_owned() };
            of_connecting(&WireError::Server(error), "cells")
        };
        for code in [1044, 1045, 1698, 3118, 3955, 4150] {
            assert!(matches!(connecting(code), StoreError::Denied { .. }), "{code}");
        }
        let unknown = WireError::Login(LoginError::Plugin { name: "sha256_password".to_owned() });
        assert!(
            matches!(of_connecting(&unknown, "cells"), StoreError::Denied { .. }),
            "as MySQL asks whom it does not know"
        );
        assert!(matches!(connecting(1049), StoreError::NoTable { .. }), "its cells are lost");
        assert!(matches!(server(1045, "no"), Failure::Store(StoreError::Refused { .. })), "behind the login");
    }

    #[test]
    fn what_an_operator_has_to_allow_is_told_from_a_failure() {
        let denied = "INSERT command denied to user 'cell'@'%' for table `cells`.`t_1`";
        assert!(matches!(server(1142, denied), Failure::Store(StoreError::Refused { .. })));
        let of_statements = server(1665, "Cannot execute statement: impossible to write to binary log since ..");
        assert!(
            matches!(of_statements, Failure::Store(StoreError::Refused { detail }) if detail.contains("binlog_format"))
        );
        for (code, message) in [
            (1290, "The MariaDB server is running with the --read-only option so it cannot execute this statement"),
            (1836, "Running in read-only mode"),
            (1690, "BIGINT UNSIGNED value is out of range in '~0 + (locate(@@read_only,'0OFF') = 0)'"),
            (1690, "BIGINT UNSIGNED value is out of range in '(~(0) + (locate(@@read_only,'0OFF') = 0))'"),
        ] {
            assert!(matches!(server(code, message), Failure::ReadOnly { .. }), "{code}");
        }
        let ids = "BIGINT value is out of range in '(@b := next) + 1024'";
        assert!(matches!(server(1690, ids), Failure::Store(StoreError::Failed { .. })));
    }

    #[test]
    fn a_killed_connection_leaves_the_outcome_open() {
        assert!(matches!(server(1927, "Connection was killed"), Failure::Lost { .. }));
        assert!(matches!(server(1053, "Server shutdown in progress"), Failure::Lost { .. }));
        assert!(matches!(server(1213, "Deadlock found"), Failure::Again { reason: Reason::Statement, .. }));
        assert!(matches!(server(1205, "Lock wait timeout"), Failure::Again { reason: Reason::Lock, .. }));
        for code in [2006, 2013, 2055, 9001, 9020] {
            assert!(matches!(server(code, "of a proxy in between"), Failure::Lost { .. }), "{code}");
        }
    }

    #[test]
    fn what_is_of_this_node_and_now_is_told_from_a_defect() {
        let node = server(1047, "WSREP has not yet prepared node for application use");
        assert!(matches!(node, Failure::Store(StoreError::Unavailable { .. })));
        for code in [1615, 1412] {
            assert!(matches!(server(code, "again"), Failure::Again { reason: Reason::Statement, .. }), "{code}");
        }
    }
}
