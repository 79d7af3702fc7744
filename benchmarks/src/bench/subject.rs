//! Who is measured, and the servers it takes.

use serde::{Deserialize, Serialize};

/// Clients and what is between them and their cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Subject {
    /// Clients on a MariaDB server with a thread per connection.
    Direct,
    /// The same with MariaDB's thread pool.
    DirectPool,
    /// The first through HAProxy.
    HaProxy,
    /// Cellgate over the first server.
    Cellgate,
    /// Cellgate over the server with the thread pool.
    CellgatePool,
    /// Cellgate over the first server, every cell in its cache.
    CellgateCached,
    /// Clients on a PostgreSQL server.
    DirectPostgres,
    /// Cellgate over that server.
    CellgatePostgres,
    /// Spider over four MariaDB servers.
    Spider,
    /// Cellgate over the same four.
    CellgateFour,
    /// Cellgate over its four SQLite files.
    Embedded,
    /// Cellgate over one SQLite file.
    EmbeddedOne,
    /// Cellgate over eight SQLite files.
    EmbeddedEight,
    /// Clients on the first MariaDB server, a relay with delay between.
    DirectDelayed,
    /// Cellgate over that server, the same relay between the two.
    CellgateDelayed,
    /// An echo of the sizes of a get.
    Echo,
}

impl Subject {
    /// What it is called in tables and plots.
    pub fn label(self) -> &'static str {
        match self {
            Self::Direct => "MariaDB",
            Self::DirectPool => "MariaDB, thread pool",
            Self::HaProxy => "HAProxy, MariaDB",
            Self::Cellgate => "Cellgate, MariaDB",
            Self::CellgatePool => "Cellgate, MariaDB, thread pool",
            Self::CellgateCached => "Cellgate, from its cache",
            Self::DirectPostgres => "PostgreSQL",
            Self::CellgatePostgres => "Cellgate, PostgreSQL",
            Self::Spider => "Spider, 4 MariaDB",
            Self::CellgateFour => "Cellgate, 4 MariaDB",
            Self::Embedded => "Cellgate, 4 SQLite files",
            Self::EmbeddedOne => "Cellgate, 1 SQLite file",
            Self::EmbeddedEight => "Cellgate, 8 SQLite files",
            Self::DirectDelayed => "MariaDB, 1 ms away",
            Self::CellgateDelayed => "Cellgate, MariaDB 1 ms away",
            Self::Echo => "TCP echo",
        }
    }
}
