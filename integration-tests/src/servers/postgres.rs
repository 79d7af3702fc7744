//! A PostgreSQL server for tests: how it is started, killed and asked; and for whoever starts one with other settings, how it
//! is found, installed and known.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Certificate;
use super::instance::{Instance, Own};
use crate::process::{self, Process};
use crate::scratch::Scratch;
use crate::settings;
use crate::wait;

/// A PostgreSQL server: `postgres` without a password, over TCP.
#[derive(Debug)]
pub struct Postgres(Instance);

impl Postgres {
    /// The server that the environment names.
    ///
    /// # Panics
    ///
    /// If it names none.
    pub fn shared() -> Self {
        let url = settings::shared(settings::POSTGRES_URL);
        let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next()?.parse().ok());
        Self(Instance::shared(port.unwrap_or_else(|| panic!("no port in {url}"))))
    }

    /// A server of our own, in a temporary directory.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn private() -> Self {
        Self::private_with(|_, _| Vec::new())
    }

    /// The same with this certificate; it lets nobody in without encryption.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn private_with_tls(certificate: &Certificate) -> Self {
        Self::private_with(|directory, user| {
            let [cert, key] = certificate.give(directory, user);
            let rule = "hostssl all all 127.0.0.1/32 trust\n";
            std::fs::write(directory.join("data/pg_hba.conf"), rule).expect("a file of the new server");
            let (cert, key) = (format!("ssl_cert_file={}", cert.display()), format!("ssl_key_file={}", key.display()));
            ["-c", "ssl=on", "-c", &cert, "-c", &key].map(str::to_owned).into()
        })
    }

    fn private_with(options: impl FnOnce(&Path, &str) -> Vec<String>) -> Self {
        let install = |scratch: &Scratch, user: &str| install(scratch.path(), user);
        Self(Instance::private("postgres", install, options, start))
    }

    /// The port, the same after every restart.
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// Its address, for a configuration.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port())
    }

    /// Starts it (again) and waits until it answers.
    ///
    /// # Panics
    ///
    /// If it is shared, or does not start.
    pub fn start(&mut self) {
        self.0.start();
    }

    /// Kills it with signal 9; its workers notice and end.
    ///
    /// # Panics
    ///
    /// If it is shared.
    pub fn kill(&mut self) {
        self.0.kill();
    }

    /// Kills it and starts it as a standby, of nobody; `SELECT pg_promote()` makes it a primary again.
    ///
    /// # Panics
    ///
    /// If it is shared, or does not start.
    pub fn restart_as_standby(&mut self) {
        self.kill();
        let own = self.0.expect_own();
        let signal = own.scratch.join("data/standby.signal");
        std::fs::write(&signal, "").expect("a file of the server");
        process::give(&signal, own.user);
        self.start();
    }

    /// Keeps a copy of its files, as of a standby that hears nothing more from now on.
    ///
    /// # Panics
    ///
    /// If it is shared, or does not start again.
    pub fn copy_files(&mut self) {
        self.kill();
        let own = self.0.expect_own();
        let [from, to] = ["data", "copy"].map(|name| own.scratch.join(name));
        process::output(process::tethered("cp", Some(own.user)).arg("-a").args([from, to]));
        self.start();
    }

    /// Kills it and starts the copy in its place as a standby, of nobody; `SELECT pg_promote()` makes it a primary.
    ///
    /// # Panics
    ///
    /// If it is shared, there is no copy, or it does not start.
    pub fn fail_over_to_copy(&mut self) {
        self.kill();
        let own = self.0.expect_own();
        let [data, copy, old] = ["data", "copy", "old"].map(|name| own.scratch.join(name));
        std::fs::rename(&data, old).expect("files of the server");
        std::fs::rename(copy, data).expect("a copy of its files");
        self.restart_as_standby();
    }

    /// A dump of a database.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn dump(&self, database: &str) -> Scratch {
        let dump = Scratch::new();
        process::output(of(Command::new("pg_dump"), self.port(), database).arg("--file").arg(dump.join("dump.sql")));
        dump
    }

    /// Loads a dump, in one transaction.
    ///
    /// # Panics
    ///
    /// If it does not load.
    pub fn load(&self, database: &str, dump: &Scratch) {
        process::output(
            psql(self.port(), database).args(["--single-transaction", "--file"]).arg(dump.join("dump.sql")),
        );
    }

    /// Creates a database.
    ///
    /// # Panics
    ///
    /// If it cannot be created.
    pub fn create_database(&self) -> String {
        let name = super::database_name();
        self.execute("postgres", &format!("CREATE DATABASE {name}"));
        name
    }

    /// Drops a database; a server that is down has nothing to drop.
    pub fn drop_database(&self, name: &str) {
        let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        let _ = process::try_output(psql(self.port(), "postgres").args(["--command", &drop]));
    }

    /// Runs statements with the server's own client; answers the rows, tab separated, without column names.
    ///
    /// # Panics
    ///
    /// If one fails.
    pub fn execute(&self, database: &str, statements: &str) -> String {
        process::output(psql(self.port(), database).args(["--command", statements]))
    }
}

/// Starts it and waits until it answers. The error is the end of its log, if it ends instead.
fn start(own: &Own, port: u16) -> Result<Process, String> {
    let (data, log) = (own.scratch.join("data"), own.scratch.join("log"));
    let spawn = || {
        Process::spawn(
            process::tethered(program("postgres"), Some(own.user))
                .arg("-D")
                .arg(&data)
                .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=400"])
                .args(&own.options)
                .args(["-c", "fsync=off", "-c", "shared_buffers=64MB"])
                .args(["-c", &format!("unix_socket_directories={}", own.scratch.path().display())])
                .stdout(File::options().create(true).append(true).open(&log).expect("a log file"))
                .stderr(File::options().create(true).append(true).open(&log).expect("a log file")),
        )
    };
    let mut server = spawn();
    wait::until("PostgreSQL to answer", wait::PATIENCE, || {
        if server.ended().is_some() {
            // After a kill the old workers hold the shared memory until they notice; the log says what else it was.
            let end = super::log_tail(&log);
            if !end.contains("shared memory block") {
                return Some(Err(format!("PostgreSQL ended:\n{end}")));
            }
            server = spawn();
        }
        answers(port, own.scratch.path()).then_some(Ok(()))
    })?;
    Ok(server)
}

/// Makes the data of a new server in `data` of a directory that belongs to this user.
///
/// # Panics
///
/// If that fails.
pub fn install(directory: &Path, user: &str) {
    process::output(
        process::tethered(program("initdb"), Some(user))
            .args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"])
            .arg("--pgdata")
            .arg(directory.join("data")),
    );
}

/// Whether the server of this directory answers, and no other that took the port first.
pub fn answers(port: u16, directory: &Path) -> bool {
    let asked = process::try_output(psql(port, "postgres").args(["--command", "SHOW data_directory"]));
    asked.is_ok_and(|answer| Path::new(answer.trim()) == directory.join("data"))
}

/// The server's own client: rows tab separated, without column names; the first error ends it.
pub fn psql(port: u16, database: &str) -> Command {
    let mut command = of(Command::new("psql"), port, database);
    command
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--field-separator=\t"])
        .args(["--set", "ON_ERROR_STOP=1"]);
    command
}

/// A client of the server's own, for this database.
fn of(mut client: Command, port: u16, database: &str) -> Command {
    client
        .args(["--no-password", "--host=127.0.0.1", "--username=postgres", "--dbname", database])
        .arg(format!("--port={port}"))
        .env("PGCONNECT_TIMEOUT", "5");
    client
}

/// A program of the server. Debian keeps those of each version in a directory of its own; the newest wins.
pub fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    newest(versions.filter(|version| version.join("bin").join(name).is_file()))
        .map_or_else(|| name.into(), |version| version.join("bin").join(name))
}

/// The directory whose name is the highest version: as numbers, since 9.6 is older than 17.
fn newest(directories: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let version = |directory: &PathBuf| directory.file_name()?.to_str()?.parse::<f64>().ok();
    directories.max_by(|a, b| version(a).unwrap_or(0.0).total_cmp(&version(b).unwrap_or(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_the_highest_number() {
        let newest = |names: &[&str]| newest(names.iter().map(|name| Path::new("/usr/lib/postgresql").join(name)));
        assert_eq!(newest(&["17", "9.6", "15"]), Some("/usr/lib/postgresql/17".into()));
        assert_eq!(newest(&["9.6", "common"]), Some("/usr/lib/postgresql/9.6".into()));
        assert_eq!(newest(&[]), None);
    }
}
