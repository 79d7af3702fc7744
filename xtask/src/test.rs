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
            return self.only.iter().map(|name| one(workspace, name)).collect();
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
    let extent = if selection.needs_clients() { Extent::All } else { Extent::Servers };
    steps.time("packages", || install::run(extent))?;
    std::thread::scope(|scope| {
        // Mostly downloads: beside the compiler they cost no time.
        let clients = selection.needs_clients().then(|| {
            let workspace = &workspace;
            scope.spawn(move || stock::prepare(workspace))
        });
        scope.spawn(|| mysql::prepare(&workspace));
        // One invocation with the features of the tests, so that nothing is compiled twice.
        let built = steps.time("build", || command::run(cargo().args(["build", "--workspace", "--all-targets"])));
        let prepared = steps.time("stock clients", || match clients {
            Some(thread) => thread.join().unwrap_or_else(|_| Err(Failure::new("preparing the stock clients panicked"))),
            None => Ok(()),
        });
        built.and(prepared)
    })?;
    // Another run beside this one has a file of its own.
    let skipped = workspace.target().join(format!("skipped-{}", std::process::id()));
    let _ = std::fs::remove_file(&skipped);
    let mut failed = Vec::new();
    for arguments in runs {
        let name = format!("cargo test {}", arguments.join(" "));
        let outcome = steps.time(&name, || {
            let mut test = servers(&workspace);
            test.arg("cargo").arg("test").args(&arguments).env("CELLGATE_TEST_SKIPPED", &skipped);
            command::run(environment(&mut test, &workspace))
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
    if failed.is_empty() {
        eprintln!("xtask: every test passed");
        return Ok(());
    }
    Err(Failure::new(format!("tests failed:\n{}", failed.join("\n"))))
}

/// `cargo xtask servers -- COMMAND..`.
pub fn with_servers(rest: &[String]) -> Result<(), Failure> {
    if rest.iter().all(|argument| argument == "--") {
        return Err(Failure::new("`servers` needs a command: `cargo xtask servers -- COMMAND..`"));
    }
    install::run(Extent::Servers)?;
    let workspace = Workspace::read()?;
    mysql::prepare(&workspace);
    build_programs()?;
    let mut command = servers(&workspace);
    command.args(rest.iter().skip_while(|argument| *argument == "--"));
    let status = environment(&mut command, &workspace).status();
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

/// The arguments for one name: a folder of the workspace, or an integration test.
fn one(workspace: &Workspace, name: &str) -> Result<Vec<String>, Failure> {
    if let Some(package) = workspace.in_folder(name) {
        return Ok(words(&["--no-fail-fast", "--package", &package.name]));
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
        assert!(one(&workspace, "proxy").unwrap().contains(&"cellgate".to_owned()));
        assert_eq!(one(&workspace, "dialect").unwrap(), words(&["--workspace", "--test", "dialect"]));
        assert!(one(&workspace, "nonsense").is_err());
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
