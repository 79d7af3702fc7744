//! Where the stores of a deployment are, and what its operator has at hand there: a shell whose clients reach the server without
//! being told where it is, and a prompt.

use std::path::{Path, PathBuf};
use std::process::Command;

use cellgate_integration_tests::documents;
use cellgate_integration_tests::process;
use cellgate_integration_tests::scratch::Scratch;
use cellgate_integration_tests::servers::{MariaDb, Mysql, Postgres};

use super::{ONE_ROW, PAGE, RESTORE, recipes};

/// The stores of the page's examples: two clusters and the meta store.
pub(super) const A: &str = "ca";
pub(super) const B: &str = "cb";
pub(super) const META: &str = "cellgate_meta";
/// A backup of the meta store, where it can be read by statements.
const OLD: &str = "old";

/// A kind of backend.
pub(super) trait Place {
    /// What the page calls it.
    fn engine(&self) -> &'static str;

    /// The shell.
    fn shell(&self) -> &Shell;

    /// The address of a store.
    fn url(&self, store: &str) -> String;

    /// Makes the database of a store; a file is made by who opens it.
    fn create(&self, store: &str);

    /// Removes a store with all that is in it.
    fn remove(&self, store: &str);

    /// Runs statements at the prompt; answers the rows.
    fn sql(&self, store: &str, statements: &str) -> String;

    /// A text as the bytes of a column, in a statement.
    fn bytes(&self, text: &str) -> String;

    /// The bytes of a column as a text, in a statement.
    fn text(&self, column: &str) -> String;

    /// A document of the meta store.
    fn document(&self, name: &str) -> String {
        let (body, name) = (self.text("body"), self.bytes(name));
        self.sql(META, &format!("SELECT {body} FROM cg_meta WHERE name = {name};"))
    }

    /// Backs the meta store up.
    fn back_up_meta(&self);

    /// Puts the backup in the place of the meta store.
    fn restore_meta(&self);

    /// Takes the row of the catalog out of the backup, as the page says.
    fn restore_row(&self, is_gone: bool) {
        let recipes = recipes(ONE_ROW, self.engine());
        self.sql(META, &recipes[usize::from(is_gone)].text);
    }

    /// Whether nobody may touch a store while a proxy runs.
    fn is_file(&self) -> bool {
        false
    }
}

/// The shell of an operator.
#[derive(Debug)]
pub(super) struct Shell {
    home: PathBuf,
    environment: Vec<(&'static str, String)>,
    /// Its directory, if it has one of its own.
    _own: Option<Scratch>,
}

impl Shell {
    /// In a directory of its own.
    fn new(environment: &[(&'static str, String)]) -> Self {
        let own = Scratch::new();
        Self { home: own.path().to_owned(), environment: environment.to_vec(), _own: Some(own) }
    }

    /// In a directory of somebody else's.
    pub(super) fn at(home: &Path) -> Self {
        Self { home: home.to_owned(), environment: Vec::new(), _own: None }
    }

    /// With MariaDB's clients.
    pub(super) fn of_mariadb(port: u16) -> Self {
        let this = Self::new(&[]);
        this.write(".my.cnf", &format!("[client]\nprotocol=tcp\nhost=127.0.0.1\nport={port}\nuser=root\n"));
        this
    }

    /// With PostgreSQL's.
    pub(super) fn of_postgres(port: u16) -> Self {
        let host = ("PGHOST", "127.0.0.1".to_owned());
        Self::new(&[host, ("PGPORT", port.to_string()), ("PGUSER", "postgres".to_owned())])
    }

    /// Its directory.
    pub(super) fn home(&self) -> String {
        self.home.display().to_string()
    }

    /// Puts a file into its directory.
    pub(super) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.home.join(name), text).expect("a file in a directory of ours");
    }

    /// Runs lines, and answers what they print. What fails fails the test, also before a pipe.
    pub(super) fn run(&self, lines: &str) -> String {
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", lines]).current_dir(&self.home).env("HOME", &self.home);
        shell.envs(self.environment.iter().cloned());
        process::output(&mut shell)
    }
}

/// The line of the page that backs up a database of a MariaDB or a MySQL.
pub(super) fn mariadb_backup(database: &str) -> String {
    documents::inline(PAGE, "umask 077; mariadb-dump ").replace("DATABASE", database)
}

/// The line of the page that backs up a file of SQLite while Cellgate runs, into `backup` of the current directory.
pub(super) fn sqlite_backup(file: &str) -> String {
    documents::inline(PAGE, "umask 077; sqlite3 ").replace("c1.db", file).replace("/backup/", "backup/")
}

/// The lines of the page that put a backup in the place of a file, but for the owner: there need not be such a user.
pub(super) fn sqlite_restore(file: &str) -> String {
    let text = recipes(RESTORE, "sqlite").remove(0).text;
    assert!(text.contains("-o cellgate -g cellgate /backup/"), "{text}");
    text.replace("-o cellgate -g cellgate ", "").replace("c1.db", file).replace("/backup/", "backup/")
}

/// A server that MariaDB's clients speak to.
pub(super) struct OfMariaDb<S> {
    server: S,
    port: u16,
    execute: fn(&S, &str) -> String,
    shell: Shell,
}

impl OfMariaDb<MariaDb> {
    pub(super) fn new() -> Self {
        let server = MariaDb::private();
        let (port, execute) = (server.port(), MariaDb::execute as fn(&MariaDb, &str) -> String);
        Self { server, port, execute, shell: Shell::of_mariadb(port) }
    }
}

impl OfMariaDb<Mysql> {
    /// A MySQL, if there is one.
    pub(super) fn mysql() -> Option<Self> {
        let server = Mysql::private()?;
        let (port, execute) = (server.port(), Mysql::execute as fn(&Mysql, &str) -> String);
        Some(Self { server, port, execute, shell: Shell::of_mariadb(port) })
    }
}

impl<S> OfMariaDb<S> {
    fn load(&self, store: &str) {
        self.remove(store);
        self.create(store);
        self.shell.run(&format!("mariadb {store} < {META}.sql"));
    }
}

impl<S> Place for OfMariaDb<S> {
    fn engine(&self) -> &'static str {
        "mariadb"
    }

    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn url(&self, store: &str) -> String {
        format!("mysql://root@127.0.0.1:{}/{store}", self.port)
    }

    fn create(&self, store: &str) {
        (self.execute)(&self.server, &format!("CREATE DATABASE {store}"));
    }

    fn remove(&self, store: &str) {
        (self.execute)(&self.server, &format!("DROP DATABASE IF EXISTS {store}"));
    }

    fn sql(&self, store: &str, statements: &str) -> String {
        (self.execute)(&self.server, &format!("USE {store};\n{statements}"))
    }

    fn bytes(&self, text: &str) -> String {
        format!("'{text}'")
    }

    fn text(&self, column: &str) -> String {
        format!("CONVERT({column} USING utf8mb4)")
    }

    fn back_up_meta(&self) {
        self.shell.run(&mariadb_backup(META));
        self.load(OLD);
    }

    fn restore_meta(&self) {
        self.load(META);
    }
}

/// A PostgreSQL.
pub(super) struct OfPostgres {
    server: Postgres,
    shell: Shell,
}

impl OfPostgres {
    pub(super) fn new() -> Self {
        let server = Postgres::private();
        let shell = Shell::of_postgres(server.port());
        Self { server, shell }
    }

    fn load(&self, store: &str) {
        self.remove(store);
        self.create(store);
        self.shell.run(&format!("psql --quiet --set=ON_ERROR_STOP=1 --dbname={store} --file={META}.sql"));
    }
}

impl Place for OfPostgres {
    fn engine(&self) -> &'static str {
        "postgresql"
    }

    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn url(&self, store: &str) -> String {
        self.server.url(store)
    }

    fn create(&self, store: &str) {
        self.server.execute("postgres", &format!("CREATE DATABASE {store}"));
    }

    fn remove(&self, store: &str) {
        self.server.drop_database(store);
    }

    fn sql(&self, store: &str, statements: &str) -> String {
        // From a file each statement is a transaction of its own, as at the prompt.
        self.shell.write("statements.sql", statements);
        let psql = "psql --quiet --tuples-only --no-align --set=ON_ERROR_STOP=1";
        self.shell.run(&format!("{psql} --dbname={store} --file=statements.sql"))
    }

    fn bytes(&self, text: &str) -> String {
        format!("'{text}'::bytea")
    }

    fn text(&self, column: &str) -> String {
        format!("convert_from({column}, 'UTF8')")
    }

    fn back_up_meta(&self) {
        self.shell.run(&format!("pg_dump {META} > {META}.sql"));
        self.load(OLD);
    }

    fn restore_meta(&self) {
        self.load(META);
    }

    fn restore_row(&self, _: bool) {
        for recipe in recipes(ONE_ROW, self.engine()).iter().rev() {
            match recipe.language.as_str() {
                "sql" => self.shell.write("one.sql", &recipe.text),
                _ => drop(self.shell.run(&recipe.text)),
            }
        }
    }
}

/// Files of SQLite in the shell's directory.
pub(super) struct OfSqlite {
    shell: Shell,
}

impl OfSqlite {
    pub(super) fn new() -> Self {
        let shell = Shell::new(&[]);
        shell.run("mkdir backup");
        Self { shell }
    }

    fn file(store: &str) -> &str {
        match store {
            A => "a.db",
            B => "b.db",
            _ => "meta.db",
        }
    }
}

impl Place for OfSqlite {
    fn engine(&self) -> &'static str {
        "sqlite"
    }

    fn shell(&self) -> &Shell {
        &self.shell
    }

    fn url(&self, store: &str) -> String {
        format!("sqlite:{}/{}", self.shell.home(), Self::file(store))
    }

    fn create(&self, _: &str) {}

    fn remove(&self, store: &str) {
        let file = Self::file(store);
        self.shell.run(&format!("rm -f {file} {file}-wal {file}-shm"));
    }

    fn sql(&self, store: &str, statements: &str) -> String {
        self.shell.write("statements.sql", &statements.replace("'/backup/", "'backup/"));
        self.shell.run(&format!("sqlite3 -bail {} '.read statements.sql'", Self::file(store)))
    }

    fn bytes(&self, text: &str) -> String {
        format!("CAST('{text}' AS BLOB)")
    }

    fn text(&self, column: &str) -> String {
        format!("CAST({column} AS TEXT)")
    }

    fn back_up_meta(&self) {
        self.shell.run("rm -f backup/meta.db");
        self.shell.run(&sqlite_backup(Self::file(META)));
    }

    fn restore_meta(&self) {
        self.shell.run(&sqlite_restore(Self::file(META)));
    }

    fn is_file(&self) -> bool {
        true
    }
}
