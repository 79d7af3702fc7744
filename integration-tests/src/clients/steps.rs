//! What the clients do, and what of it Cellgate refuses on purpose.

/// A step and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name, as the programs print it.
    pub name: &'static str,
    /// What it does, for the page.
    pub meaning: &'static str,
}

const fn step(name: &'static str, meaning: &'static str) -> Step {
    Step { name, meaning }
}

/// What kind of client it is, which says what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// A library that speaks the protocol.
    Driver,
    /// A driver that reads a schema by calls of its own.
    BrowsingDriver,
    /// A mapper from objects to tables, on top of a driver.
    Mapper,
    /// A program with steps of its own.
    Tool(&'static [Step]),
}

impl Family {
    /// What its clients do, in this order.
    pub fn steps(self) -> Vec<Step> {
        match self {
            Self::Driver => DRIVER.to_vec(),
            Self::BrowsingDriver => [DRIVER, BROWSING].concat(),
            Self::Mapper => MAPPER.to_vec(),
            Self::Tool(steps) => steps.to_vec(),
        }
    }
}

/// What every driver does.
const DRIVER: &[Step] = &[
    step("connect", "with nothing but an address, and compute"),
    step("create", "CREATE TABLE of the cell shape, DROP TABLE IF EXISTS"),
    step("put", "INSERT, one affected row each"),
    step("get", "one cell, and one that is not there"),
    step("latest", "the highest version"),
    step("list", "all cells of a row, in order"),
    step("multi-put", "one INSERT of 20 rows; IN of 20 keys"),
    step("duplicate", "1062, SQLSTATE 23000; the first cell stands"),
    step("prepared", "prepared once by the server, executed twice"),
    step("limit", "LIMIT ? OFFSET ? with bound numbers"),
    step("quoted", "numbers written and bound as texts"),
    step("null", "NULL as a value and as a parameter"),
    step("text", "utf8mb4 in keys and bodies"),
    step("binary", "bytes that are no text, literal and bound"),
    step("large", "a body of 3 MiB, there and back"),
    step("too-large", "a body of 17 MiB is refused, the server goes on"),
    step("types", "names and types of the columns of a result"),
    step("errors", "1064, 1054, 1146, 1051, 1050, 1049"),
    step("warnings", "INSERT IGNORE, then SHOW WARNINGS"),
    step("update", "UPDATE, and CLIENT_FOUND_ROWS in its count"),
    step("commit", "others see it after COMMIT, not before"),
    step("rollback", "nothing is left"),
    step("savepoint", "back to a savepoint, and release it"),
    step("autocommit", "off and on, as set and as shown"),
    step("isolation", "set and read back (Go: a READ ONLY transaction cannot write)"),
    step("multi-statement", "three statements in one packet, three results"),
    step("stream", "300 rows read as they arrive"),
    step("cursor", "300 rows by COM_STMT_FETCH"),
    step("ping", "COM_PING"),
    step("select-db", "into information_schema and back"),
    step("statistics", "COM_STATISTICS"),
    step("password", "log in as a user with a password"),
    step("wrong-password", "1045"),
    step("change-user", "COM_CHANGE_USER forgets the session"),
    step("reset", "COM_RESET_CONNECTION forgets the session"),
    step("tls", "encrypted, by the server's own certificate"),
    step("compression", "compressed both ways"),
    step("reconnect", "close, connect, read"),
    step("drop", "DROP TABLE, then 1146"),
];

const BROWSING: &[Step] = &[step("metadata", "catalogs, tables, columns, keys, indexes, privileges, types")];

/// What every mapper does.
const MAPPER: &[Step] = &[
    step("connect", "with the mapper's own set-up of a session"),
    step("create", "CREATE TABLE as it is written by hand"),
    step("reflect", "the columns, and their types, from the server"),
    step("insert", "by the mapper's own statements"),
    step("select", "by key, in order, with a limit"),
    step("raw", "a statement as text with parameters"),
    step("duplicate", "1062, as the mapper's own error"),
    step("transaction", "committed as a whole, rolled back as a whole"),
    step("savepoint", "a transaction within a transaction"),
    step("update", "an UPDATE or a save of a changed object"),
    step("drop", "and the table is gone from the catalog"),
];

pub(super) const COMMAND_LINE: &[Step] = &[
    step("put-and-get", "statements of `--execute`"),
    step("table-output", "as boxes"),
    step("vertical", "`\\G`"),
    step("errors", "ERROR with number and SQLSTATE"),
    step("force", "a script goes on after an error"),
    step("transaction", "several statements on one connection"),
    step("warnings", "`--show-warnings`"),
    step("tls", "`--ssl`, with a password"),
    step("safe-updates", "its set-up of a careful session"),
    step("drop", "DROP TABLE"),
];

pub(super) const INTERACTIVE: &[Step] = &[
    step("start", "on a terminal, reading names to complete"),
    step("statement", "a table and its footer"),
    step("insert", "Query OK, 1 row affected"),
    step("status", "`status`"),
    step("rehash", "`rehash`, then a column completed by the tabulator key"),
    step("use", "`use`, and one that is not there"),
    step("show", "SHOW TABLES, SHOW DATABASES, DESCRIBE"),
    step("error", "1064"),
    step("kill", "KILL of itself, then it connects again"),
    step("exit", "Bye"),
];

pub(super) const ADMIN: &[Step] = &[
    step("ping", "is alive"),
    step("status", "one line"),
    step("version", "version and uptime"),
    step("processlist", "itself"),
    step("variables", "SHOW VARIABLES"),
    step("extended-status", "SHOW STATUS"),
    step("create-and-drop", "a database"),
    step("flush", "`refresh`, `reload` and what of `flush-*` Cellgate has"),
    step("password", "a user changes its own"),
    step("kill", "a connection that sleeps"),
    step("wrong-password", "access denied"),
];

pub(super) const DUMP: &[Step] = &[
    step("fill", "31 cells"),
    step("dump", "with locks"),
    step("restore", "into a fresh server: the same cells"),
    step("single-transaction", "`--single-transaction`"),
    step("restore-single-transaction", "the same cells"),
    step("no-data", "`--no-data`"),
    step("drop", "DROP TABLE"),
];

pub(super) const CHECK: &[Step] = &[step("fill", "31 cells"), step("check", "CHECK TABLE"), step("drop", "DROP TABLE")];

pub(super) const MYCLI: &[Step] = &[
    step("execute", "`--execute`"),
    step("csv", "`--csv`"),
    step("error", "1146"),
    step("start", "on a terminal, reading names to complete"),
    step("statement", "a table"),
    step("exit", "and it is gone"),
];

pub(super) const EXPORTER: &[Step] = &[
    step("start", "and the first scrape"),
    step("up", "`mysql_up 1`"),
    step("status", "SHOW GLOBAL STATUS"),
    step("variables", "SHOW GLOBAL VARIABLES, the version"),
    step("collectors", "no error of the collectors that are on"),
    step("stop", "and it is gone"),
];

/// Why a step does not pass on Cellgate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is refused on purpose. If it passes, the test fails: the page would say what is not so.
    OnPurpose,
    /// It is not built yet. It may pass.
    NotYet,
}

/// A step that does not pass on Cellgate.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// The step.
    pub step: &'static str,
    /// The client, if only one.
    pub client: Option<&'static str>,
    /// What the error says.
    pub error: &'static str,
    /// Whether that is meant.
    pub standing: Standing,
    /// Why, for the page.
    pub why: &'static str,
}

/// All of them.
pub const REFUSALS: &[Refusal] = &[
    Refusal {
        step: "update",
        client: None,
        error: "UPDATE is not supported",
        standing: Standing::OnPurpose,
        why: "a cell is immutable: 1235, which says to insert the next version",
    },
    Refusal {
        step: "check",
        client: Some("mariadb-check"),
        error: "CHECK is not supported",
        standing: Standing::OnPurpose,
        why: "CHECK TABLE looks at files, and those are of the clusters' own servers: 1235 says so",
    },
];
