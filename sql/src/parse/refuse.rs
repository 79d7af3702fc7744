//! Statements the dialect refuses by name, with what to write instead.

use super::reader::Reader;
use crate::error::{SqlError, unsupported};

/// A refusal of what would change a cell.
pub(crate) fn immutable(what: &str) -> SqlError {
    SqlError::Immutable {
        what: what.into(),
        instead: "insert the next version: INSERT .. (row_key, column_key, body) without ref_key makes it latest+1"
            .into(),
    }
}

/// The refusal of a statement that begins with these words, if there is one.
pub(crate) fn refusal(reader: &Reader<'_>) -> Option<SqlError> {
    if reader.sees(&["UPDATE"]) {
        return Some(immutable("UPDATE"));
    }
    if reader.sees(&["REPLACE"]) {
        return Some(immutable("REPLACE"));
    }
    STATEMENTS
        .iter()
        .find(|(words, _)| reader.sees(words))
        .map(|(words, instead)| unsupported(&words.join(" "), instead))
}

const STATEMENTS: [(&[&str], &str); 64] = [
    (&["LOCK"], "use LOCK TABLES, or back up the stores with their own tools"),
    (&["UNLOCK"], "use UNLOCK TABLES"),
    (&["ANALYZE"], "there are no statistics to refresh; for a statement's plan use EXPLAIN ANALYZE"),
    (&["OPTIMIZE"], "run it on the clusters' own servers"),
    (&["CHECK"], "run it on the clusters' own servers"),
    (&["CHECKSUM"], "run it on the clusters' own servers"),
    (&["REPAIR"], "run it on the clusters' own servers"),
    (&["CREATE", "ROLE"], "grant privileges to the users themselves"),
    (&["DROP", "ROLE"], "there are no roles"),
    (&["CALL"], "there are no stored procedures"),
    (&["LOAD"], "use multi-row INSERT"),
    (&["XA"], "use BEGIN and COMMIT"),
    (&["HANDLER"], "use SELECT"),
    (&["CREATE", "VIEW"], "there are no views; read the table"),
    (&["CREATE", "ALGORITHM"], "there are no views; read the table"),
    (&["CREATE", "DEFINER"], "there are no views and no stored programs"),
    (&["CREATE", "SQL"], "there are no views; read the table"),
    (&["CREATE", "OR"], "there are no views and no triggers; read the table, poll its log"),
    (&["CREATE", "INDEX"], "cells are found by row_key, column_key and ref_key"),
    (&["CREATE", "FULLTEXT"], "there is no full-text search; filter on JSON values"),
    (&["CREATE", "SPATIAL"], "there are no spatial indexes"),
    (&["CREATE", "UNIQUE"], "cells are unique by row_key, column_key and ref_key"),
    (&["CREATE", "TRIGGER"], "poll the log: SELECT .. PARTITION (p0) WHERE added_id > n"),
    (&["CREATE", "PROCEDURE"], "there are no stored procedures"),
    (&["CREATE", "FUNCTION"], "there are no stored functions"),
    (&["CREATE", "EVENT"], "there is no scheduler"),
    (&["CREATE", "TEMPORARY"], "there are no temporary tables; create an ordinary one, and drop it"),
    (&["DROP", "TEMPORARY"], "there are no temporary tables; create an ordinary one, and drop it"),
    (&["DROP", "VIEW"], "there are no views"),
    (&["DROP", "INDEX"], "there are no secondary indexes"),
    (&["DROP", "TRIGGER"], "there are no triggers"),
    (&["WITH"], "common table expressions need more than one table; select from the table itself"),
    (&["VALUES"], "use SELECT"),
    (&["TABLE"], "use SELECT * FROM"),
    (&["CREATE", "SERVER"], "clusters are in the configuration file"),
    (&["CREATE", "TABLESPACE"], "the stores have their own places"),
    (&["ALTER", "VIEW"], "there are no views; read the table"),
    (&["ALTER", "EVENT"], "there is no scheduler"),
    (&["ALTER", "PROCEDURE"], "there are no stored procedures"),
    (&["ALTER", "FUNCTION"], "there are no stored functions"),
    (&["ALTER", "TABLESPACE"], "the stores have their own places"),
    (&["ALTER", "INSTANCE"], "send SIGHUP to reload the configuration"),
    (&["DROP", "PROCEDURE"], "there are no stored procedures"),
    (&["DROP", "FUNCTION"], "there are no stored functions"),
    (&["DROP", "EVENT"], "there are no events"),
    (&["UNINSTALL"], "there are no plugins"),
    (&["IMPORT"], "use multi-row INSERT"),
    (&["CACHE"], "there are no key caches"),
    (&["RESET"], "there are no binary logs; poll a table's log instead"),
    (&["PURGE"], "there are no binary logs; poll a table's log instead"),
    (&["CHANGE"], "replication is the business of the clusters' own servers"),
    (&["START", "SLAVE"], "replication is the business of the clusters' own servers"),
    (&["START", "REPLICA"], "replication is the business of the clusters' own servers"),
    (&["START", "ALL"], "replication is the business of the clusters' own servers"),
    (&["START", "GROUP_REPLICATION"], "replication is the business of the clusters' own servers"),
    (&["STOP"], "replication is the business of the clusters' own servers"),
    (&["BINLOG"], "there are no binary logs; poll a table's log instead"),
    (&["SIGNAL"], "there are no stored programs"),
    (&["GET", "DIAGNOSTICS"], "use SHOW WARNINGS"),
    (&["SHUTDOWN"], "send the process SIGTERM"),
    (&["RESTART"], "send the process SIGTERM, and start it again"),
    (&["CLONE"], "copy the stores with their own tools"),
    (&["HELP"], "see the dialect's page, DIALECT.md"),
    (&["INSTALL"], "there are no plugins"),
];
