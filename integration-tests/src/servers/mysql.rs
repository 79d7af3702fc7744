//! MySQL.

use std::fs::File;
use std::path::Path;

use super::mariadb;
use crate::process::{self, Process};
use crate::scratch::Scratch;
use crate::settings;
use crate::wait;

/// A MySQL server: `root` without a password, over TCP. Packets are as long as a MariaDB takes them.
#[derive(Debug)]
pub struct Mysql {
    port: u16,
    /// The process and its files, of a server that we started.
    _own: Option<(Process, Scratch)>,
}

impl Mysql {
    /// The server that the environment names, if it names one.
    ///
    /// # Panics
    ///
    /// If its address has no port.
    pub fn shared() -> Option<Self> {
        let url = std::env::var(settings::MYSQL_URL).ok()?;
        Some(Self { port: super::port_of(&url), _own: None })
    }

    /// A server of our own, in a temporary directory, if there is the program.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn private() -> Option<Self> {
        let program = settings::of_mysql("mysqld")?;
        let scratch = Scratch::new();
        let data = scratch.join("data");
        // As root it stays root, for which it must be told: another user need not be able to read where the program is.
        let user = if process::is_root() { vec!["--user=root"] } else { Vec::new() };
        process::output(
            process::tethered(&program, None)
                .args(["--no-defaults", "--initialize-insecure"])
                .args(&user)
                .arg(format!("--datadir={}", data.display()))
                .env(mariadb::TEMPORARY, scratch.path()),
        );
        std::fs::write(scratch.join("init.sql"), mariadb::GRANTS).expect("a file in a new directory");
        let (port, process) =
            super::start_on_free_port(|port| start(&program, &scratch, &user, port).map(|process| (port, process)));
        Some(Self { port, _own: Some((process, scratch)) })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address, for a configuration or a client.
    pub fn url(&self, database: &str) -> String {
        format!("mysql://root@127.0.0.1:{}/{database}", self.port)
    }

    /// Creates a database.
    ///
    /// # Panics
    ///
    /// If it cannot be created.
    pub fn create_database(&self) -> String {
        let name = super::database_name();
        self.execute(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"));
        name
    }

    /// Drops a database; a server that is down has nothing to drop.
    pub fn drop_database(&self, name: &str) {
        let statement = format!("DROP DATABASE IF EXISTS {name}");
        let _ = process::try_output(mariadb::cli(self.port, &[]).args(["--execute", &statement]));
    }

    /// Runs statements; answers the rows, tab separated, without column names.
    ///
    /// # Panics
    ///
    /// If one fails.
    pub fn execute(&self, statements: &str) -> String {
        process::output(mariadb::cli(self.port, &[]).args(["--batch", "--skip-column-names", "--execute", statements]))
    }
}

/// Starts a server that is initialised in `scratch` and waits until it answers. The error is the end of its log, if it ends
/// instead.
fn start(program: &Path, scratch: &Scratch, user: &[&str], port: u16) -> Result<Process, String> {
    let log = scratch.join("log");
    let mut server = Process::spawn(
        process::tethered(program, None)
            .args(["--no-defaults", "--skip-name-resolve", "--bind-address=127.0.0.1", "--max-connections=600"])
            .args(["--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=128M", "--skip-log-bin"])
            .args(["--mysqlx=OFF", "--performance-schema=OFF", "--secure-file-priv=", "--max-allowed-packet=16M"])
            .args(user)
            .arg(format!("--port={port}"))
            .arg(format!("--datadir={}", scratch.join("data").display()))
            .arg(format!("--socket={}", scratch.join("socket").display()))
            .arg(format!("--pid-file={}", scratch.join("pid").display()))
            .arg(format!("--init-file={}", scratch.join("init.sql").display()))
            .env(mariadb::TEMPORARY, scratch.path())
            .stdout(File::options().create(true).append(true).open(&log).expect("a log file"))
            .stderr(File::options().create(true).append(true).open(&log).expect("a log file")),
    );
    wait::until("MySQL to answer", wait::PATIENCE, || {
        if let Some(status) = server.ended() {
            return Some(Err(format!("MySQL ended with {status}:\n{}", super::log_tail(&log))));
        }
        let asked = process::try_output(mariadb::cli(port, &[]).args(["-N", "--execute", "SELECT @@pid_file"])).ok()?;
        (Path::new(asked.trim()) == scratch.join("pid")).then_some(Ok(()))
    })?;
    Ok(server)
}
