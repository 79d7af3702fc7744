//! PostgreSQL.

use std::path::Path;
use std::process::Command;

use cellgate_integration_tests::process::{self, Process};
use cellgate_integration_tests::servers::postgres::{self, program, psql};
use cellgate_integration_tests::servers::start_on_free_port;

use super::{ready, service};

/// The table of the clients that use the server directly.
const TABLE: &str = "CREATE TABLE cells (added_id BIGSERIAL PRIMARY KEY, row_key TEXT COLLATE \"C\" NOT NULL, \
     column_key TEXT COLLATE \"C\" NOT NULL, ref_key BIGINT NOT NULL, body TEXT NOT NULL, \
     created_at TIMESTAMPTZ NOT NULL DEFAULT now(), UNIQUE (row_key, column_key, ref_key))";

/// A running server.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    port: u16,
}

impl Postgres {
    /// Starts one with its data in `dir`, which does not exist yet.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start(dir: &Path) -> Self {
        let user = process::existing_user(&["postgres"]);
        std::fs::create_dir_all(dir).expect("a directory in the run's directory");
        process::give_directory(dir, user);
        postgres::install(dir, user);
        let log = dir.join("log");
        let (port, process) = start_on_free_port(|port| {
            let mut command = service(program("postgres"), Some(user));
            command.arg("-D").arg(dir.join("data")).args(["-p", &port.to_string()]);
            for setting in [
                "listen_addresses=127.0.0.1",
                "max_connections=600",
                "shared_buffers=512MB",
                "max_wal_size=4GB",
                &format!("unix_socket_directories={}", dir.display()),
            ] {
                command.args(["-c", setting]);
            }
            Ok((port, ready("PostgreSQL", &mut command, &log, || postgres::answers(port, dir))?))
        });
        Self { process, port }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process; connections are children of it.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// An address for Cellgate's configuration; the database is created.
    ///
    /// # Panics
    /// If it cannot be created.
    pub fn database(&self, name: &str) -> String {
        process::output(psql(self.port, "postgres").args(["--command", &format!("CREATE DATABASE {name}")]));
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Creates the table of direct clients in the database `bench`, and loads it from a file of lines.
    ///
    /// # Panics
    /// If that fails.
    pub fn load_table(&self, lines: &Path) {
        self.database("bench");
        let copy = format!("\\copy cells (row_key, column_key, ref_key, body) from '{}'", lines.display());
        process::output(psql(self.port, "bench").args(["--command", TABLE, "--command", &copy]));
        process::output(psql(self.port, "bench").args(["--command", "VACUUM ANALYZE cells"]));
    }
}

/// Its version, for the page.
pub fn version() -> String {
    process::try_output(Command::new(program("postgres")).arg("--version")).unwrap_or_default().trim().to_owned()
}
