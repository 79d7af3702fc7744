//! The clients.

use super::steps::{ADMIN, CHECK, COMMAND_LINE, DUMP, EXPORTER, Family, INTERACTIVE, MYCLI, Step};

/// A stock client.
#[derive(Clone, Copy, Debug)]
pub struct StockClient {
    /// Its name, as on the page.
    pub name: &'static str,
    /// The heading under which the page shows it.
    pub group: &'static str,
    /// What it does.
    pub family: Family,
    /// What does it.
    pub program: Program,
}

/// A program in `clients/<language>`; a script has one argument.
#[derive(Clone, Copy, Debug)]
pub enum Program {
    /// A script in `python`.
    Python(&'static str, &'static str),
    /// The same with the older mysql-connector-python, whose C library runs on this system.
    PythonOlderConnector(&'static str, &'static str),
    /// A module in `node`.
    Node(&'static str, &'static str),
    /// A script in `php`.
    Php(&'static str, &'static str),
    /// A script in `perl`.
    Perl(&'static str, &'static str),
    /// A script in `ruby`.
    Ruby(&'static str, &'static str),
    /// `java/Client.java` with this argument.
    Java(&'static str),
    /// The program of `rust` with this argument.
    Rust(&'static str),
    /// The program of `go`.
    Go,
}

const fn driver(name: &'static str, group: &'static str, program: Program) -> StockClient {
    StockClient { name, group, family: Family::Driver, program }
}

const fn mapper(name: &'static str, program: Program) -> StockClient {
    StockClient { name, group: "Mappers", family: Family::Mapper, program }
}

const fn tool(name: &'static str, steps: &'static [Step], argument: &'static str) -> StockClient {
    let program = Program::Python("tools.py", argument);
    StockClient { name, group: "Tools", family: Family::Tool(steps), program }
}

/// All of them.
pub const CLIENTS: &[StockClient] = &[
    driver("PyMySQL", "Python", Program::Python("client.py", "pymysql")),
    driver("mysqlclient", "Python", Program::Python("client.py", "mysqlclient")),
    driver("connector (pure)", "Python", Program::Python("client.py", "connector")),
    driver("connector (C)", "Python", Program::PythonOlderConnector("client.py", "connector-c")),
    driver("connector (prepared)", "Python", Program::Python("client.py", "connector-prepared")),
    driver("aiomysql", "Python", Program::Python("client.py", "aiomysql")),
    driver("asyncmy", "Python", Program::Python("client.py", "asyncmy")),
    driver("mysql", "Node.js", Program::Node("client.mjs", "mysql")),
    driver("mysql2 query", "Node.js", Program::Node("client.mjs", "mysql2-query")),
    driver("mysql2 execute", "Node.js", Program::Node("client.mjs", "mysql2-execute")),
    driver("mariadb", "Node.js", Program::Node("client.mjs", "mariadb")),
    driver("go-sql-driver", "Go and Rust", Program::Go),
    driver("sqlx", "Go and Rust", Program::Rust("sqlx")),
    driver("mysql_async", "Go and Rust", Program::Rust("mysql_async")),
    driver("diesel", "Go and Rust", Program::Rust("diesel")),
    StockClient {
        name: "Connector/J text",
        group: "Java",
        family: Family::BrowsingDriver,
        program: Program::Java("text"),
    },
    StockClient {
        name: "Connector/J server-prepared",
        group: "Java",
        family: Family::BrowsingDriver,
        program: Program::Java("server-prepared"),
    },
    driver("mysqli", "PHP", Program::Php("client.php", "mysqli")),
    driver("PDO emulated", "PHP", Program::Php("client.php", "pdo-emulated")),
    driver("PDO native", "PHP", Program::Php("client.php", "pdo-native")),
    driver("DBD::mysql", "Perl and Ruby", Program::Perl("client.pl", "mysql")),
    driver("DBD::MariaDB", "Perl and Ruby", Program::Perl("client.pl", "MariaDB")),
    driver("mysql2 (Ruby)", "Perl and Ruby", Program::Ruby("client.rb", "mysql2")),
    mapper("SQLAlchemy", Program::Python("mappers.py", "sqlalchemy")),
    mapper("Django", Program::Python("mappers.py", "django")),
    mapper("peewee", Program::Python("mappers.py", "peewee")),
    mapper("Doctrine DBAL", Program::Php("mappers.php", "doctrine")),
    mapper("Knex", Program::Node("mappers.mjs", "knex")),
    mapper("Sequelize", Program::Node("mappers.mjs", "sequelize")),
    mapper("TypeORM", Program::Node("mappers.mjs", "typeorm")),
    mapper("Sequel", Program::Ruby("mappers.rb", "sequel")),
    mapper("ActiveRecord", Program::Ruby("mappers.rb", "activerecord")),
    tool("mariadb (batch)", COMMAND_LINE, "command-line"),
    tool("mariadb (prompt)", INTERACTIVE, "interactive"),
    tool("mariadb-admin", ADMIN, "admin"),
    tool("mariadb-dump", DUMP, "dump"),
    tool("mariadb-check", CHECK, "check"),
    tool("mycli", MYCLI, "mycli"),
    tool("mysqld_exporter", EXPORTER, "exporter"),
];
