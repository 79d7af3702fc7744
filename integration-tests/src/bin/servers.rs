//! Starts a MariaDB, a PostgreSQL and, if there is one, a MySQL on free loopback ports, runs a command with their addresses
//! in its environment, and ends them with it: `servers -- cargo test --workspace`. Asked to stop, it ends the command with
//! all it started, and then the servers.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cellgate_integration_tests::servers::{MariaDb, Mysql, Postgres};
use cellgate_integration_tests::{process, settings};
use rustix::process::{Pid, Signal, kill_process_group};

/// What a shell says of a command that was interrupted.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    // Its own are none: what stands before the dashes was meant otherwise.
    let program = arguments.next().filter(|first| first == "--").and_then(|_| arguments.next());
    let Some(program) = program else {
        eprintln!("usage: servers -- COMMAND [ARGUMENT]...");
        return ExitCode::from(2);
    };
    process::allow_many_files();
    let mariadb = MariaDb::private();
    let mysql = Mysql::private();
    let postgres = Postgres::private();
    let addresses = [
        Some((settings::MARIADB_URL, mariadb.url(""))),
        mysql.as_ref().map(|mysql| (settings::MYSQL_URL, mysql.url(""))),
        Some((settings::POSTGRES_URL, postgres.url("postgres"))),
    ];
    let addresses: Vec<_> = addresses.into_iter().flatten().collect();
    let told: Vec<_> = addresses.iter().map(|(name, url)| format!("{name}={url}")).collect();
    eprintln!("{}", told.join(" "));
    let started = Command::new(&program).args(arguments).envs(addresses).stdin(Stdio::null()).process_group(0).spawn();
    let mut command = match started {
        Ok(command) => command,
        Err(error) => {
            eprintln!("cannot run {}: {error}", program.to_string_lossy());
            return ExitCode::from(127);
        }
    };
    let interrupted = end_with_us(&command);
    let status = command.wait();
    if interrupted.load(Ordering::Relaxed) {
        return ExitCode::from(INTERRUPTED);
    }
    // A command that a signal ended has no code.
    let code = status.ok().and_then(|status| status.code()).and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(1))
}

/// Kills the command, and everything in its process group, when this process is asked to stop; says whether it was.
fn end_with_us(command: &Child) -> Arc<AtomicBool> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    let group = Pid::from_child(command);
    std::thread::spawn(move || {
        if process::asked_to_stop() {
            flag.store(true, Ordering::Relaxed);
            // One that is over already is what is wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
    });
    interrupted
}
