//! `cargo xtask test`: everything, from a clean checkout to one answer.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::command::{self, Failure, cargo};
use crate::install::{self, Extent};
use crate::mysql;
use crate::stock;
use crate::workspace::Workspace;

/// What to test.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    quick: bool,
    only: Vec<String>,
}

impl Selection {
    /// Reads `[--quick] [--only NAME..]..`.
    pub fn parse(arguments: &[String]) -> Result<Self, Failure> {
        let mut selection = Self::default();
        let mut names = false;
        for argument in arguments {
            match argument.as_str() {
                "--quick" => (selection.quick, names) = (true, false),
                "--only" => names = true,
                name if names && !name.starts_with('-') => selection.only.push(name.to_owned()),
                other => return Err(Failure::new(format!("`test` does not know `{other}`; see `cargo xtask help`"))),
            }
        }
        if names && selection.only.is_empty() {
            return Err(Failure::new(
                "`--only` needs a name: a folder of the workspace, or a test of integration-tests",
            ));
        }
        Ok(selection)
    }

    /// The arguments of `cargo test`, each list a run of its own.
    fn runs(&self, workspace: &Workspace) -> Result<Vec<Vec<String>>, Failure> {
        if !self.only.is_empty() {
            return self.only.iter().map(|name| one(workspace, name, self.quick)).collect();
        }
        if !self.quick {
            return Ok(vec![words(&["--workspace", "--no-fail-fast"])]);
        }
        // All but the test that runs the stock clients. The whole workspace, with the features that it is compiled with.
        let mut quick = words(&["--workspace", "--no-fail-fast", "--lib", "--bins"]);
        for name in workspace.tests().filter(|name| name != "clients") {
            quick.extend(["--test".to_owned(), name]);
        }
        Ok(vec![quick, words(&["--workspace", "--no-fail-fast", "--doc"])])
    }

    fn needs_clients(&self) -> bool {
        !self.quick
            && (self.only.is_empty() || self.only.iter().any(|name| name == "clients" || name == "integration-tests"))
    }
}

/// Runs it.
pub fn run(selection: &Selection) -> Result<(), Failure> {
    let workspace = Workspace::read()?;
    let runs = selection.runs(&workspace)?;
    let mut steps = Steps::default();
    let outcome = prepare(selection, &workspace, &mut steps).and_then(|()| run_all(runs, &workspace, &mut steps));
    if outcome.is_ok() {
        eprintln!("xtask: every test passed");
    }
    outcome
}

/// Installs and builds what the tests need.
fn prepare(selection: &Selection, workspace: &Workspace, steps: &mut Steps) -> Result<(), Failure> {
    let extent = if selection.needs_clients() { Extent::All } else { Extent::Servers };
    let packages = steps.time("packages", || install::run(extent));
    let prepared = packages.and_then(|()| build(selection, workspace, steps));
    if prepared.is_err() {
        steps.print();
    }
    prepared
}

fn build(selection: &Selection, workspace: &Workspace, steps: &mut Steps) -> Result<(), Failure> {
    std::thread::scope(|scope| {
        // Mostly downloads: beside the compiler they cost no time.
        let clients = selection.needs_clients().then(|| scope.spawn(|| stock::prepare(workspace)));
        scope.spawn(|| mysql::prepare(workspace));
        // One invocation with the features of the tests, so that nothing is compiled twice.
        let built = steps.time("build", || command::run(cargo().args(["build", "--workspace", "--all-targets"])));
        let prepared = steps.time("stock clients", || match clients {
            Some(thread) => thread.join().unwrap_or_else(|_| Err(Failure::new("preparing the stock clients panicked"))),
            None => Ok(()),
        });
        match (built, prepared) {
            (Err(built), Err(prepared)) => Err(Failure::new(format!("{built}\n{prepared}"))),
            (built, prepared) => built.and(prepared),
        }
    })
}

/// Runs `cargo test` with each of these lists of arguments, and says at the end what failed, and what tested nothing.
fn run_all(runs: Vec<Vec<String>>, workspace: &Workspace, steps: &mut Steps) -> Result<(), Failure> {
    // Another run beside this one has a file of its own.
    let skipped = workspace.target().join(format!("skipped-{}", std::process::id()));
    let _ = std::fs::remove_file(&skipped);
    let (mut failed, mut found) = (Vec::new(), Failed::default());
    for arguments in runs {
        let name = format!("cargo test {}", arguments.join(" "));
        let outcome = steps.time(&name, || {
            let mut test = servers(workspace);
            test.arg("cargo").arg("test").args(&arguments).env("CELLGATE_TEST_SKIPPED", &skipped);
            if command::is_watched() && std::env::var_os("CARGO_TERM_COLOR").is_none() {
                test.env("CARGO_TERM_COLOR", "always");
            }
            command::watch(environment(&mut test, workspace), |line| found.line(line))
        });
        if let Err(failure) = outcome {
            failed.push(failure.to_string());
        }
    }
    steps.print();
    // Each has passed without having tested anything.
    for line in std::fs::read_to_string(&skipped).unwrap_or_default().lines() {
        eprintln!("  skipped: {line}");
    }
    let _ = std::fs::remove_file(&skipped);
    if failed.is_empty() { Ok(()) } else { Err(Failure::new(found.told(&failed))) }
}

/// What cargo and the tests say of those that failed.
#[derive(Debug, Default)]
struct Failed {
    tests: Vec<String>,
    /// Each as the arguments that cargo names for it.
    programs: Vec<String>,
}

impl Failed {
    /// A line of what they say.
    fn line(&mut self, line: &str) {
        // Of a line in colour the last word is between marks.
        if let Some(test) = line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "))
            && test.1.contains("FAILED")
        {
            self.tests.push(test.0.to_owned());
        }
        // Of each as it fails, and of several at the end.
        let program = line.strip_prefix("    `-p ").or(line.split_once("to rerun pass `-p ").map(|(_, rest)| rest));
        if let Some(program) = program.and_then(|rest| rest.strip_suffix('`')).map(|program| format!("-p {program}"))
            && !self.programs.contains(&program)
        {
            self.programs.push(program);
        }
    }

    /// The message: which tests, and how to run their programs again; without any, which runs failed.
    fn told(&self, runs: &[String]) -> String {
        let mut lines = vec!["tests failed:".to_owned()];
        if self.tests.is_empty() && self.programs.is_empty() {
            lines.extend(runs.iter().cloned());
        }
        lines.extend(self.tests.iter().map(|test| format!("  {test}")));
        let again = self.programs.iter().map(|program| match program.split_once(" --test ") {
            // With the features that it is compiled with already.
            Some((_, test)) => format!("again: cargo xtask test --only {test}"),
            None => format!("again: cargo xtask servers -- cargo test {program}"),
        });
        lines.extend(again);
        lines.join("\n")
    }
}

/// `cargo xtask servers -- COMMAND..`.
pub fn with_servers(rest: &[String]) -> Result<(), Failure> {
    let Some(("--", command @ [_, ..])) = rest.split_first().map(|(dashes, command)| (dashes.as_str(), command)) else {
        return Err(Failure::new("`servers` needs `--` and a command: `cargo xtask servers -- COMMAND..`"));
    };
    install::run(Extent::Servers)?;
    let workspace = Workspace::read()?;
    mysql::prepare(&workspace);
    build_programs()?;
    let mut servers = servers(&workspace);
    let status = environment(servers.args(command), &workspace).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::new(format!("the command ended with {status}"))),
        Err(error) => Err(Failure::new(error.to_string())),
    }
}

/// Builds `servers` and `cellgate` as the tests use them.
pub fn build_programs() -> Result<(), Failure> {
    command::run(cargo().args(["build", "--quiet", "--workspace", "--all-targets"]))
}

/// The program that starts private servers for a command, which is to be appended.
pub fn servers(workspace: &Workspace) -> Command {
    // Servers must not outlive us, and they end with their starter.
    let mut command = Command::new("setpriv");
    command::without_our_package(&mut command);
    command.args(["--pdeathsig", "TERM", "--"]).arg(workspace.target().join("debug/servers")).arg("--");
    command
}

/// What the tests find in their environment.
pub fn environment<'a>(command: &'a mut Command, workspace: &Workspace) -> &'a mut Command {
    command
        .current_dir(workspace.root())
        .env("CELLGATE_BIN", workspace.target().join("debug/cellgate"))
        .env("CELLGATE_TEST_CLIENTS", workspace.clients())
}

/// The arguments for one name: a folder of the workspace, or an integration test. If it is to be quick, a folder is tested
/// without the stock clients.
fn one(workspace: &Workspace, name: &str, is_quick: bool) -> Result<Vec<String>, Failure> {
    if let Some(package) = workspace.in_folder(name) {
        let mut arguments = words(&["--no-fail-fast", "--package", &package.name]);
        let tests = package.targets.iter().filter(|target| target.is_test()).map(|target| target.name.as_str());
        let (clients, others): (Vec<_>, Vec<_>) = tests.partition(|name| *name == "clients");
        if is_quick && !clients.is_empty() {
            arguments.extend(words(&["--lib", "--bins"]));
            arguments.extend(others.iter().flat_map(|name| words(&["--test", name])));
        }
        return Ok(arguments);
    }
    let tests = integration_tests(workspace);
    if tests.iter().any(|test| test == name) {
        return Ok(words(&["--workspace", "--test", name]));
    }
    Err(Failure::new(format!("`{name}` is neither a folder of the workspace nor one of: {}", tests.join(", "))))
}

fn integration_tests(workspace: &Workspace) -> Vec<String> {
    let targets = workspace.in_folder("integration-tests").map(|package| package.targets.as_slice());
    let tests = targets.unwrap_or_default().iter().filter(|target| target.is_test());
    tests.map(|target| target.name.clone()).collect()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// How long each step took.
#[derive(Debug, Default)]
pub struct Steps {
    taken: Vec<(String, Duration, bool)>,
}

impl Steps {
    fn time<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        eprintln!("== {name}");
        let start = Instant::now();
        let outcome = step();
        self.taken.push((name.to_owned(), start.elapsed(), outcome.is_ok()));
        outcome
    }

    fn print(&self) {
        eprintln!("== summary");
        for (name, time, passed) in &self.taken {
            eprintln!("{:>7.1} s  {}  {name}", time.as_secs_f64(), if *passed { "ok    " } else { "FAILED" });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_takes_several_names() {
        let selection = Selection::parse(&words(&["--only", "sql", "kill", "--quick"])).unwrap();
        assert_eq!(selection, Selection { quick: true, only: words(&["sql", "kill"]) });
        assert!(Selection::parse(&words(&["sql"])).is_err());
        assert!(Selection::parse(&words(&["--only"])).is_err());
    }

    #[test]
    fn a_name_is_a_folder_or_an_integration_test() {
        let workspace = Workspace::read().unwrap();
        assert!(one(&workspace, "proxy", false).unwrap().contains(&"cellgate".to_owned()));
        assert_eq!(one(&workspace, "dialect", true).unwrap(), words(&["--workspace", "--test", "dialect"]));
        assert!(one(&workspace, "nonsense", false).is_err());
        let quick = one(&workspace, "integration-tests", true).unwrap();
        assert!(quick.contains(&"documents".to_owned()) && !quick.contains(&"clients".to_owned()), "{quick:?}");
    }

    #[test]
    fn the_page_of_the_integration_tests_names_each() {
        let workspace = Workspace::read().unwrap();
        let page = std::fs::read_to_string(workspace.root().join("integration-tests/README.md")).unwrap();
        let table: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).collect();
        for test in integration_tests(&workspace) {
            let name = format!("`{test}`");
            assert!(
                table.iter().any(|names| names.split(", ").any(|other| other == name)),
                "{name} is not in the table"
            );
        }
    }

    #[test]
    fn at_the_end_of_a_run_there_is_what_failed_and_how_to_run_it_again() {
        let mut failed = Failed::default();
        let output = "running 2 tests\ntest one::holds ... ok\ntest two::holds ... FAILED\nfailures:\n    two::holds\n\
                      error: test failed, to rerun pass `-p cellgate-integration-tests --test documents`\n\
                      error: 2 targets failed:\n    `-p cellgate-integration-tests --test documents`\n    `-p cellgate-sql --lib`";
        output.lines().for_each(|line| failed.line(line));
        let expected = "tests failed:\n  two::holds\nagain: cargo xtask test --only documents\n\
                        again: cargo xtask servers -- cargo test -p cellgate-sql --lib";
        assert_eq!(failed.told(&["`cargo test` failed".to_owned()]), expected);
        let broken = Failed::default().told(&["`cargo test` failed: exit status: 101".to_owned()]);
        assert_eq!(broken, "tests failed:\n`cargo test` failed: exit status: 101");
    }

    #[test]
    fn servers_are_started_for_a_command_behind_dashes_only() {
        for wrong in [&[][..], &["--"], &["--help"], &["cargo", "test"]] {
            let refused = with_servers(&words(wrong)).expect_err("refused before anything is installed");
            assert!(refused.to_string().contains("needs `--` and a command"), "{refused}");
        }
    }

    #[test]
    fn a_quick_run_leaves_out_the_stock_clients_and_nothing_else() {
        let workspace = Workspace::read().unwrap();
        let quick = Selection { quick: true, only: Vec::new() };
        let arguments = quick.runs(&workspace).unwrap().concat();
        assert!(!arguments.contains(&"clients".to_owned()));
        let tests: Vec<String> = workspace.tests().collect();
        assert_eq!(tests.iter().filter(|test| arguments.contains(test)).count(), tests.len() - 1);
        assert!(tests.len() > integration_tests(&workspace).len(), "those of the other folders too");
    }
}
