//! Stock MySQL clients of other languages: programs in `clients/<language>` that all do the same steps, run on a real MariaDB
//! (which proves the program) and on Cellgate (which proves Cellgate).
//!
//! A program finds its server in `MYSQL_HOST`, `MYSQL_PORT`, `MYSQL_USER` and `MYSQL_DATABASE`. It prints `ok <step>` or
//! `FAIL <step>: <error>` for each of [`STEPS`], `skip <step>: <why>` for what the client cannot do at all, and last
//! `N passed, M failed`.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::process::{self, Process};
use crate::scratch::Scratch;
use crate::settings;
use crate::wait;

/// What every client does, in this order.
pub const STEPS: &[&str] = &[
    "connect",
    "create",
    "put",
    "get",
    "latest",
    "list",
    "multi-put",
    "duplicate",
    "prepared",
    "commit",
    "rollback",
    "text",
    "reconnect",
    "drop",
];

/// How long one program may take. A client that waits for a reply that never comes is a failure, not a hang of the tests.
const LIMIT: Duration = Duration::from_secs(120);

/// A stock client.
#[derive(Clone, Copy, Debug)]
pub struct StockClient {
    /// Its name, as in the README.
    pub name: &'static str,
    kind: Kind,
    /// Steps the client has no way to do.
    skips: &'static [&'static str],
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Python(&'static str),
    Node(&'static str),
    Go,
    Java,
    RustSqlx,
    Cli,
}

/// All of them.
pub const CLIENTS: &[StockClient] = &[
    // The command line has no prepared statements of the protocol.
    StockClient { name: "mariadb-cli", kind: Kind::Cli, skips: &["prepared"] },
    StockClient { name: "pymysql", kind: Kind::Python("pymysql"), skips: &[] },
    StockClient { name: "mysqlclient", kind: Kind::Python("mysqlclient"), skips: &[] },
    StockClient { name: "mysql-connector-python", kind: Kind::Python("connector"), skips: &[] },
    StockClient { name: "mysql2-node", kind: Kind::Node("mysql2"), skips: &[] },
    StockClient { name: "mariadb-node", kind: Kind::Node("mariadb"), skips: &[] },
    StockClient { name: "go-sql-driver", kind: Kind::Go, skips: &[] },
    StockClient { name: "sqlx", kind: Kind::RustSqlx, skips: &[] },
    StockClient { name: "mariadb-connector-j", kind: Kind::Java, skips: &[] },
];

/// How a program fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Steps that went well.
    pub passed: usize,
    /// What went wrong; empty if nothing did.
    pub failures: Vec<String>,
}

impl StockClient {
    /// Runs the client's program on a server.
    ///
    /// # Panics
    ///
    /// If the clients have not been prepared.
    pub fn run(&self, address: SocketAddr, database: &str) -> Report {
        let scratch = Scratch::new();
        let output = scratch.join("output");
        let file = File::create(&output).expect("a file in a new directory");
        let mut command = self.command();
        command
            .env("MYSQL_HOST", address.ip().to_string())
            .env("MYSQL_PORT", address.port().to_string())
            .env("MYSQL_USER", "root")
            .env("MYSQL_DATABASE", database)
            .current_dir(scratch.path())
            .stdout(file.try_clone().expect("a second handle of an open file"))
            .stderr(file);
        let mut program = Process::spawn(&mut command);
        // One that has not ended by then is killed when it is dropped.
        let ended = wait::at_most(LIMIT, || program.ended());
        let text = std::fs::read(&output).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
        self.report(ended.is_some_and(|status| status.success()), &text)
    }

    /// What this client does of [`STEPS`].
    pub fn steps(&self) -> impl Iterator<Item = &'static str> {
        STEPS.iter().copied().filter(|step| !self.skips.contains(step))
    }

    fn command(&self) -> Command {
        let clients = PathBuf::from(settings::shared(settings::CLIENTS));
        let sources = settings::package().join("clients");
        let mut command = match self.kind {
            Kind::Python(_) => process::tethered(clients.join("python/venv/bin/python"), None),
            Kind::Node(_) => process::tethered("node", None),
            Kind::Go => process::tethered(clients.join("go/client"), None),
            Kind::Java => process::tethered("java", None),
            Kind::RustSqlx => process::tethered(clients.join("rust-sqlx/target/debug/client"), None),
            Kind::Cli => process::tethered("bash", None),
        };
        match self.kind {
            Kind::Python(driver) => command.arg(sources.join("python/client.py")).arg(driver),
            Kind::Node(driver) => command.arg(clients.join("node").join(format!("{driver}.mjs"))),
            Kind::Go | Kind::RustSqlx => &mut command,
            Kind::Java => {
                let path = format!("{}:/usr/share/java/mariadb-java-client.jar", clients.join("java").display());
                // A small program: neither a big heap nor the second compiler pays for its start.
                command.args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", &path, "Client"])
            }
            Kind::Cli => command.arg(sources.join("cli/client.sh")),
        };
        command
    }

    /// Judges the output: every step must be there, so that a program that stops early cannot pass.
    fn report(&self, success: bool, output: &str) -> Report {
        let said = |word: &str, step: &str| {
            let prefix = format!("{word} {step}");
            output
                .lines()
                .any(|line| line.strip_prefix(&prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')))
        };
        let passed = self.steps().filter(|step| said("ok", step)).count();
        let mut failures: Vec<String> =
            output.lines().filter(|line| line.starts_with("FAIL ")).map(str::to_owned).collect();
        for step in self.steps().filter(|step| !said("ok", step) && !said("FAIL", step)) {
            failures.push(format!("{step}: not reached"));
        }
        if !failures.is_empty() || !success {
            failures.push(format!("{} said:\n{output}", self.name));
        }
        Report { passed, failures }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(skip: &str) -> String {
        STEPS.iter().filter(|step| **step != skip).map(|step| format!("ok {step}\n")).collect()
    }

    #[test]
    fn a_client_that_does_every_step_passes() {
        let report = CLIENTS[1].report(true, &output(""));
        assert_eq!(report, Report { passed: STEPS.len(), failures: Vec::new() });
    }

    #[test]
    fn a_client_that_leaves_out_a_step_or_fails_at_the_end_does_not_pass() {
        assert!(!CLIENTS[1].report(true, &output("latest")).failures.is_empty());
        assert!(!CLIENTS[1].report(false, &output("")).failures.is_empty());
        assert!(!CLIENTS[1].report(true, &(output("") + "FAIL more: x\n")).failures.is_empty());
    }
}
