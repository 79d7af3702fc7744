//! Running a client's program on a server.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::report::{Judged, Report};
use super::table::{Program, StockClient};
use crate::process::{self, Process};
use crate::scratch::Scratch;
use crate::settings;
use crate::wait;

/// How long one program may take. A client that waits for a reply that never comes is a failure, not a hang of the tests.
const LIMIT: Duration = Duration::from_secs(120);

/// The user with a password: its name.
pub const APP_USER: &str = "app";
/// And its password.
pub const APP_PASSWORD: &str = "a-password";

/// A server to run on.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name in the table.
    pub name: &'static str,
    /// What it is.
    pub judged: Judged,
    /// Where it is; `root` needs no password, [`APP_USER`] needs [`APP_PASSWORD`].
    pub address: SocketAddr,
    /// An existing database.
    pub database: String,
    /// Where a dump is restored.
    pub other: SocketAddr,
    /// An existing database there.
    pub other_database: String,
}

impl StockClient {
    /// The name of its table. Clients run at the same time.
    fn table(&self) -> String {
        let plain: String =
            self.name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
        format!("trips_{plain}")
    }

    /// Runs the client's program on a server.
    ///
    /// # Panics
    ///
    /// If the clients have not been prepared.
    pub fn run(&self, target: &Target) -> Report {
        let scratch = Scratch::new();
        let output = scratch.join("output");
        let file = File::create(&output).expect("a file in a new directory");
        let mut command = self.command();
        command
            .env("MYSQL_HOST", target.address.ip().to_string())
            .env("MYSQL_PORT", target.address.port().to_string())
            .env("MYSQL_USER", "root")
            .env("MYSQL_DATABASE", &target.database)
            .env("MYSQL_APP_USER", APP_USER)
            .env("MYSQL_APP_PASSWORD", APP_PASSWORD)
            .env("MYSQL_TABLE", self.table())
            .env("MYSQL_OTHER_PORT", target.other.port().to_string())
            .env("MYSQL_OTHER_DATABASE", &target.other_database)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("HOME", scratch.path())
            .current_dir(scratch.path())
            .stdout(file.try_clone().expect("a second handle of an open file"))
            .stderr(file);
        let mut program = Process::spawn(&mut command);
        // One that has not ended by then is killed when it is dropped.
        let ended = wait::at_most(LIMIT, || program.ended());
        let text = std::fs::read(&output).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default();
        Report::of(self, target.judged, ended.and_then(|status| status.code()), &text)
    }

    fn command(&self) -> Command {
        let clients = PathBuf::from(settings::shared(settings::CLIENTS));
        let sources = settings::package().join("clients");
        let script = |interpreter: PathBuf, path: PathBuf, argument: &str| {
            let mut command = process::tethered(interpreter, None);
            command.arg(path).arg(argument);
            command
        };
        let python = |name: &str, argument: &str| {
            script(clients.join("python/venv/bin/python"), sources.join("python").join(name), argument)
        };
        match self.program {
            Program::Python(name, argument) => python(name, argument),
            Program::PythonOlderConnector(name, argument) => {
                let mut command = python(name, argument);
                command.env("PYTHONPATH", clients.join("python/older-connector"));
                command
            }
            Program::Node(name, argument) => script("node".into(), clients.join("node").join(name), argument),
            Program::Php(name, argument) => script("php".into(), sources.join("php").join(name), argument),
            Program::Perl(name, argument) => script("perl".into(), sources.join("perl").join(name), argument),
            Program::Ruby(name, argument) => script("ruby".into(), sources.join("ruby").join(name), argument),
            Program::Rust(argument) => {
                let mut command = process::tethered(clients.join("rust/target/debug/client"), None);
                command.arg(argument);
                command
            }
            Program::Go => {
                let mut command = process::tethered(clients.join("go/client"), None);
                // A package of Debian's does not know its own version.
                let package = "golang-github-go-sql-driver-mysql-dev";
                let mut query = Command::new("dpkg-query");
                query.args(["--show", "--showformat=${Version}", package]);
                command.env("CLIENT_VERSION", process::try_output(&mut query).unwrap_or_default());
                command
            }
            Program::Java(argument) => {
                let path = format!("{}:/usr/share/java/mariadb-java-client.jar", clients.join("java").display());
                let mut command = process::tethered("java", None);
                // A small program: the second compiler does not pay for its start.
                command.args(["-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", &path, "Client", argument]);
                command
            }
        }
    }
}
