//! A MariaDB server for tests: how it is started, killed and asked; and for whoever starts one with other settings, how it is
//! found, installed and known.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Certificate;
use super::instance::{Instance, Own};
use crate::process::{self, Process, Signal};
use crate::scratch::Scratch;
use crate::settings;
use crate::wait;

/// Where a server keeps its temporary tables. When it starts it removes all there are: two servers must never share the directory.
pub const TEMPORARY: &str = "TMPDIR";
/// What a server runs when it starts. The installed root is root@localhost, which a connection over TCP without name lookup
/// never is.
pub(super) const GRANTS: &str = "CREATE USER IF NOT EXISTS root@'127.0.0.1';
GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;
";

/// A MariaDB server: `root` without a password, over TCP.
#[derive(Debug)]
pub struct MariaDb(Instance);

impl MariaDb {
    /// The server that the environment names.
    ///
    /// # Panics
    ///
    /// If it names none.
    pub fn shared() -> Self {
        Self(Instance::shared(super::port_of(&settings::shared(settings::MARIADB_URL))))
    }

    /// A server of our own, in a temporary directory. Clients that ask for TLS get it.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn private() -> Self {
        Self::private_with(|directory, user| tls_options(&Certificate::new(), directory, user))
    }

    /// The same, and between commits it does not write its log: once `innodb_flush_log_at_trx_commit` is 0, what is committed
    /// can be seen, and is lost when the server is killed.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn private_with_late_log() -> Self {
        Self::private_with(|directory, user| {
            let late = vec!["--innodb-flush-log-at-timeout=2700".to_owned()];
            [tls_options(&Certificate::new(), directory, user), late].concat()
        })
    }

    /// The same, and it keeps a binary log, which `sync_binlog = 0` leaves to the system to write to disk.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn private_with_binary_log() -> Self {
        Self::private_with(|directory, user| {
            let log = vec!["--log-bin=binary-log".to_owned()];
            [tls_options(&Certificate::new(), directory, user), log].concat()
        })
    }

    /// The same with this certificate; over TCP it lets nobody in without encryption.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn private_with_tls(certificate: &Certificate) -> Self {
        Self::private_with(|directory, user| {
            [tls_options(certificate, directory, user), vec!["--require-secure-transport=ON".to_owned()]].concat()
        })
    }

    fn private_with(options: impl FnOnce(&Path, &str) -> Vec<String>) -> Self {
        let install = |scratch: &Scratch, user: &str| install(scratch.path(), user);
        Self(Instance::private("mysql", install, options, start))
    }

    /// The port, the same after every restart.
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// Its address, for a configuration or a client.
    pub fn url(&self, database: &str) -> String {
        format!("mysql://root@127.0.0.1:{}/{database}", self.port())
    }

    /// Starts it (again) and waits until it answers.
    ///
    /// # Panics
    ///
    /// If it is shared, or does not start.
    pub fn start(&mut self) {
        self.0.start();
    }

    /// Kills it with signal 9.
    ///
    /// # Panics
    ///
    /// If it is shared.
    pub fn kill(&mut self) {
        self.0.kill();
    }

    /// Freezes it: connections stay open and are not answered.
    pub fn freeze(&self) {
        self.signal(Signal::Stop);
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.signal(Signal::Cont);
    }

    fn signal(&self, signal: Signal) {
        if let Some(process) = self.0.own().and_then(Own::process) {
            process.signal(signal);
        }
    }

    fn cli(&self) -> Command {
        cli(self.port(), self.0.own().map(|own| own.options.as_slice()).unwrap_or_default())
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

    /// Creates a database whose text compares by its bytes, as Cellgate's keys do.
    ///
    /// # Panics
    ///
    /// If it cannot be created.
    pub fn create_database_of_bytes(&self) -> String {
        let name = super::database_name();
        self.execute(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"));
        name
    }

    /// Drops a database; a server that is down has nothing to drop.
    pub fn drop_database(&self, name: &str) {
        let _ = process::try_output(self.cli().args(["--execute", &format!("DROP DATABASE IF EXISTS {name}")]));
    }

    /// Runs statements with the server's own client; answers the rows, tab separated, without column names.
    ///
    /// # Panics
    ///
    /// If one fails.
    pub fn execute(&self, statements: &str) -> String {
        self.try_execute(statements).unwrap_or_else(|error| panic!("{statements}: {error}"))
    }

    /// The same of statements that may fail.
    ///
    /// # Errors
    ///
    /// What the client said of the first that did.
    pub fn try_execute(&self, statements: &str) -> Result<String, String> {
        process::try_output(self.cli().args(["--batch", "--skip-column-names", "--execute", statements]))
    }
}

/// Starts it and waits until it answers. The error is the end of its log, if it ends instead.
fn start(own: &Own, port: u16) -> Result<Process, String> {
    let (data, log) = (own.scratch.join("data"), own.scratch.join("log"));
    let mut server = Process::spawn(
        process::tethered(program(), Some(own.user))
            .args(["--no-defaults", "--skip-name-resolve", "--bind-address=127.0.0.1", "--max-connections=600"])
            .args(["--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=128M", "--sync-binlog=0"])
            .arg(format!("--port={port}"))
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", own.scratch.join("socket").display()))
            .arg(format!("--pid-file={}", own.scratch.join("pid").display()))
            .args(&own.options)
            .env(TEMPORARY, own.scratch.path())
            .arg(format!("--init-file={}", own.scratch.join("init.sql").display()))
            .stdout(File::options().create(true).append(true).open(&log).expect("a log file"))
            .stderr(File::options().create(true).append(true).open(&log).expect("a log file")),
    );
    wait::until("MariaDB to answer", wait::PATIENCE, || {
        if let Some(status) = server.ended() {
            return Some(Err(format!("MariaDB ended with {status}:\n{}", super::log_tail(&log))));
        }
        answers(port, &own.options, &own.scratch.join("pid")).then_some(Ok(()))
    })?;
    Ok(server)
}

/// Makes a new server in a directory that belongs to this user: `data`, and `init.sql`, which it has to run when it starts.
///
/// # Panics
///
/// If that fails.
pub fn install(directory: &Path, user: &str) {
    process::output(
        process::tethered("mariadb-install-db", Some(user))
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", directory.join("data").display()))
            .env(TEMPORARY, directory),
    );
    let init = directory.join("init.sql");
    std::fs::write(&init, GRANTS).expect("a file in a new directory");
    process::give(&init, user);
}

/// Whether the server with these options and this file of its process answers, and no other that took the port first.
pub fn answers(port: u16, options: &[String], pid_file: &Path) -> bool {
    let asked = process::try_output(cli(port, options).args(["--skip-column-names", "--execute", "SELECT @@pid_file"]));
    asked.is_ok_and(|answer| Path::new(answer.trim()) == pid_file)
}

/// The options that make a server offer TLS with this certificate.
fn tls_options(certificate: &Certificate, directory: &Path, user: &str) -> Vec<String> {
    let [cert, key] = certificate.give(directory, user);
    vec![format!("--ssl-cert={}", cert.display()), format!("--ssl-key={}", key.display())]
}

/// The server's own client, for a server with these options beside the usual ones: with any of them there is encryption.
pub fn cli(port: u16, options: &[String]) -> Command {
    let mut command = Command::new("mariadb");
    command.args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--user=root"]).arg(format!("--port={port}"));
    if !options.is_empty() {
        command.arg("--ssl");
    }
    command
}

/// The server. Debian keeps it outside the path of ordinary users.
pub fn program() -> PathBuf {
    ["/usr/sbin/mariadbd", "/usr/libexec/mariadbd", "/usr/bin/mariadbd"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.is_file())
        .unwrap_or_else(|| "mariadbd".into())
}
