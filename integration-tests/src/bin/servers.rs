//! Starts a MariaDB and a PostgreSQL on free loopback ports, runs a command with their addresses in its environment, and
//! ends them with it: `servers -- cargo test --workspace`.

use std::process::{Command, ExitCode};

use cellgate_integration_tests::servers::{MariaDb, Postgres};
use cellgate_integration_tests::settings;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1).skip_while(|argument| argument == "--");
    let Some(program) = arguments.next() else {
        eprintln!("usage: servers -- COMMAND [ARGUMENT]...");
        return ExitCode::from(2);
    };
    let mysql = MariaDb::private();
    let postgres = Postgres::private();
    let mysql_url = mysql.url("");
    let postgres_url = postgres.url("postgres");
    eprintln!("{}={mysql_url} {}={postgres_url}", settings::MYSQL_URL, settings::POSTGRES_URL);
    let status = Command::new(&program)
        .args(arguments)
        .env(settings::MYSQL_URL, mysql_url)
        .env(settings::POSTGRES_URL, postgres_url)
        .status();
    match status {
        // A command that a signal ended has no code.
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("cannot run {}: {error}", program.to_string_lossy());
            ExitCode::from(127)
        }
    }
}
