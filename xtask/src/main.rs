//! The project's chores: `cargo xtask test`, `prove`, `bench`, `dist`, `edges`, `docs`, and what they need.
//!
//! Only the standard library and `cargo_metadata`: this is compiled before anything else can be said about the project.

mod bench;
mod command;
mod dist;
mod docs;
mod edges;
mod install;
mod instructions;
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
  dist                             the program as it is distributed, in target/dist: built, loaded, built again
  instructions [--update]          count instructions of the parts, and compare with what is kept for this compiler
  servers -- COMMAND...            run COMMAND with a MariaDB and a PostgreSQL of its own
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
    match name.as_str() {
        "test" => test::run(&test::Selection::parse(rest)?),
        "prove" => prove::run(rest),
        "bench" => bench::run(rest),
        "dist" => dist::run(rest),
        "instructions" => instructions::run(rest),
        "servers" => test::with_servers(rest),
        "clients" => stock::prepare(&workspace::Workspace::read()?),
        "install" => install::run(if rest == ["--quick"] { install::Extent::Servers } else { install::Extent::All }),
        "edges" => edges::run(),
        "tidy" => tidy::run(),
        "docs" => docs::run(),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        _ => Err(usage()),
    }
}

fn usage() -> Failure {
    Failure::new(format!("unknown or missing command\n\n{USAGE}"))
}
