//! The project's chores: `cargo xtask test`, `prove`, `bench`, `dist`, `edges`, `docs`, and what they need.
//!
//! Only the standard library and `cargo_metadata`: this is compiled before anything else can be said about the project.

mod bench;
mod command;
mod crates;
mod dist;
mod docs;
mod edges;
mod install;
mod instructions;
mod lock;
mod mysql;
mod prove;
mod stock;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use command::Failure;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [--quick] [--only NAME]...  install what is missing, start private servers, run every test
                                   --quick: without the stock clients of other languages
                                   --only:  a folder of the workspace, or a test of integration-tests
  prove NAME [--rounds N] [--seed S]
                                   a long proof: kill-proxy, kill-backends, log, fuzz, idle, model
  bench [NAME]... [--quick] [--rounds N] [--seconds S] [--write]
                                   compare with what users would use instead; all of it writes docs/PERFORMANCE.md
  dist                             the program as it is distributed, in target/dist: built, loaded, built again;
                                   beside it the licences of what it is linked of
  instructions [--update]          count instructions of the parts, and compare with what is kept for this compiler
  servers -- COMMAND...            run COMMAND with a MariaDB, a MySQL and a PostgreSQL of its own
  clients                          install and build the stock clients under target/clients
  install [--quick]                install the Debian packages that are missing
  edges                            check the directions of dependencies
  tidy                             check the rules of style a program can check; list the longest files
  docs                             write the pages that are generated from code
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Failure> {
    let (name, rest) = arguments.split_first().ok_or_else(usage)?;
    if asks_for_help(rest) {
        print!("{USAGE}");
        return Ok(());
    }
    match name.as_str() {
        "test" => test::run(&test::Selection::parse(rest)?),
        "prove" => prove::run(rest),
        "bench" => bench::run(rest),
        "dist" => dist::run(rest),
        "instructions" => instructions::run(rest),
        "servers" => test::with_servers(rest),
        "clients" => none(name, rest).and_then(|()| stock::prepare(&workspace::Workspace::read()?)),
        "install" if rest == ["--quick"] => install::run(install::Extent::Servers),
        "install" => none(name, rest).and_then(|()| install::run(install::Extent::All)),
        "edges" => none(name, rest).and_then(|()| edges::run()),
        "tidy" => none(name, rest).and_then(|()| tidy::run()),
        "docs" => none(name, rest).and_then(|()| docs::run()),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        _ => Err(usage()),
    }
}

/// Whether help is asked for. What is behind `--` is for another command.
fn asks_for_help(arguments: &[String]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--help" || argument == "-h")
}

/// Refuses arguments of a command that has none, before it does anything.
fn none(command: &str, rest: &[String]) -> Result<(), Failure> {
    match rest.first() {
        None => Ok(()),
        Some(other) => Err(Failure::new(format!("`{command}` does not know `{other}`; see `cargo xtask help`"))),
    }
}

fn usage() -> Failure {
    Failure::new(format!("unknown or missing command\n\n{USAGE}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_does_not_know_is_refused_before_it_does_anything() {
        for (command, argument) in [("install", "--all"), ("clients", "all"), ("tidy", "x"), ("docs", "--write")] {
            let failure = run(&[command.to_owned(), argument.to_owned()]).expect_err("refused");
            assert!(failure.to_string().contains(&format!("`{command}` does not know `{argument}`")), "{failure}");
        }
        assert!(run(&["servers".to_owned()]).is_err());
    }

    #[test]
    fn asked_for_help_a_command_does_nothing_else() {
        for command in ["test", "prove", "bench", "dist", "instructions", "clients", "install", "edges", "tidy", "docs"]
        {
            for help in ["--help", "-h"] {
                assert!(run(&[command.to_owned(), help.to_owned()]).is_ok(), "{command} {help}");
            }
        }
        assert!(!asks_for_help(&["--", "false", "--help"].map(str::to_owned)));
    }
}
