//! MariaDB.

use std::path::{Path, PathBuf};
use std::process::Command;

use cellgate_integration_tests::process::{self, Process};
use cellgate_integration_tests::servers::mariadb::{self, TEMPORARY, cli, program};
use cellgate_integration_tests::servers::start_on_free_port;

use super::{ready, service};

/// The table of the clients that use the server directly: what its users would create, with bytes as keys.
const TABLE: &str = "CREATE TABLE cells (added_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, \
     row_key VARBINARY(255) NOT NULL, column_key VARBINARY(64) NOT NULL, ref_key BIGINT NOT NULL, \
     body MEDIUMBLOB NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), \
     UNIQUE KEY cell (row_key, column_key, ref_key)) ENGINE=InnoDB";

/// How the server runs its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// A thread for each: its default.
    PerConnection,
    /// A pool of as many groups as there are cores.
    Pool,
}

/// A running server.
#[derive(Debug)]
pub struct MariaDb {
    process: Process,
    port: u16,
    dir: PathBuf,
}

impl MariaDb {
    /// Starts one with its data in `dir`, which does not exist yet; `more` are further options.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(dir: &Path, threads: Threads, buffer_pool_mb: u32, more: &[String]) -> Self {
        let user = process::existing_user(&["mysql"]);
        std::fs::create_dir_all(dir).expect("a directory in the run's directory");
        process::give_directory(dir, user);
        mariadb::install(dir, user);
        let (log, pid_file) = (dir.join("log"), dir.join("pid"));
        let (port, process) = start_on_free_port(|port| {
            let mut command = service(program(), Some(user));
            command
                .args(["--no-defaults", "--skip-name-resolve", "--bind-address=127.0.0.1", "--max-connections=3000"])
                .args(["--innodb-flush-log-at-trx-commit=1", "--skip-log-bin", "--innodb-log-file-size=512M"])
                .args(["--secure-file-priv=", "--max-allowed-packet=64M", "--table-open-cache=4000"])
                .arg(format!("--innodb-buffer-pool-size={buffer_pool_mb}M"))
                .arg(format!("--port={port}"))
                .arg(format!("--datadir={}", dir.join("data").display()))
                .arg(format!("--socket={}", dir.join("socket").display()))
                .arg(format!("--pid-file={}", pid_file.display()))
                .arg(format!("--init-file={}", dir.join("init.sql").display()))
                .env(TEMPORARY, dir)
                .args(more);
            if threads == Threads::Pool {
                command.args(["--thread-handling=pool-of-threads", "--thread-pool-size=2"]);
            }
            let answers = || mariadb::answers(port, &[], &pid_file);
            Ok((port, ready("MariaDB", &mut command, &log, answers)?))
        });
        Self { process, port, dir: dir.to_owned() }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its directory, which it may read and write.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// An address for Cellgate's configuration; the database is created.
    ///
    /// # Panics
    /// If it cannot be created.
    pub fn database(&self, name: &str) -> String {
        self.execute(&format!("CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4"));
        format!("mysql://root@127.0.0.1:{}/{name}", self.port)
    }

    /// Creates the table of direct clients in the database `bench`, and loads it from a file of lines.
    ///
    /// # Panics
    /// If that fails.
    pub fn load_table(&self, lines: &Path) {
        self.database("bench");
        self.execute(&format!("USE bench; {TABLE}; {}; ANALYZE TABLE cells", load_lines(lines)));
    }

    /// Runs statements with the server's own client; answers the rows, tab separated, without column names.
    ///
    /// # Panics
    /// If one fails.
    pub fn execute(&self, statements: &str) -> String {
        process::output(cli(self.port, &[]).args(["--batch", "--skip-column-names", "--execute", statements]))
    }
}

/// The statement that loads a file that `fill::write_lines` or SELECT INTO OUTFILE wrote.
pub(super) fn load_lines(lines: &Path) -> String {
    format!("LOAD DATA INFILE '{}' INTO TABLE cells (row_key, column_key, ref_key, body)", lines.display())
}

/// Its version, for the page.
pub fn version() -> String {
    process::try_output(Command::new(program()).arg("--version")).unwrap_or_default().trim().to_owned()
}
