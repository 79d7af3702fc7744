//! `cargo xtask bench`: builds the program as it is distributed, and the loader, and runs the comparisons of `benchmarks`.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use crate::command::{self, Failure, cargo, quietly};
use crate::dist;
use crate::install::{self, Extent};
use crate::workspace::Workspace;

/// Cores for everything that is compared, the loader included.
const CORES: usize = 2;

/// Runs what `arguments` ask for; `cellgate-benchmarks bench --help` says what that may be. What it does not know is refused
/// before anything is installed, and before the program is built.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    let workspace = Workspace::read()?;
    let benchmarks = workspace.target().join("release/cellgate-benchmarks");
    let processors = processors(&std::fs::read_to_string("/proc/self/status").unwrap_or_default(), core);
    command::run(cargo().args(["build", "--release", "--locked", "--package", "cellgate-benchmarks"]))?;
    let arguments = || {
        let mut all = vec!["bench".into(), "--root".into(), workspace.root().into_os_string()];
        all.extend(arguments.iter().map(OsString::from));
        all
    };
    command::run(Command::new(&benchmarks).args(arguments()).arg("--only-check"))?;
    install::run(Extent::Benchmarks)?;
    let program = dist::build(&workspace)?;
    // The servers end with the program, and the program with us.
    let mut bench = Command::new("setpriv");
    bench.args(["--pdeathsig", "TERM", "--"]);
    if let Some(processors) = processors {
        bench.args(["taskset", "--cpu-list", &processors]);
    }
    bench.arg(benchmarks).args(arguments());
    bench.env("CELLGATE_BIN", program);
    bench.env("CELLGATE_COMMIT", commit(&workspace.root()));
    if std::env::var_os("TMPDIR").is_none() {
        // Unlike /tmp it is never in memory, where a durable write costs nothing.
        bench.env("TMPDIR", "/var/tmp");
    }
    command::run(&mut bench)
}

/// The processors to bind everything to, as `taskset` lists them, if this process may use more than [`CORES`] (by its
/// `/proc/self/status`, so that who has chosen some by hand is bound to these): the first ones that have a core each, else
/// the first ones. `core` says which core a processor is a thread of.
fn processors(status: &str, core: impl Fn(u32) -> String) -> Option<String> {
    let allowed: Vec<u32> = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?
        .trim()
        .split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(first.parse().ok()?..=last.parse().ok()?)
        })
        .flatten()
        .collect();
    if allowed.len() <= CORES {
        return None;
    }
    let mut cores: Vec<String> = Vec::new();
    let mut chosen: Vec<u32> = Vec::new();
    for processor in &allowed {
        let of = core(*processor);
        if !cores.contains(&of) {
            cores.push(of);
            chosen.push(*processor);
        }
    }
    if chosen.len() < CORES {
        chosen = allowed;
    }
    let names: Vec<String> = chosen.iter().take(CORES).map(u32::to_string).collect();
    Some(names.join(","))
}

/// The core that a processor is a thread of, with its siblings; of one that nothing is known of the processor itself.
fn core(processor: u32) -> String {
    let path = format!("/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list");
    std::fs::read_to_string(path).unwrap_or_else(|_| processor.to_string())
}

/// The commit of the tree, and whether there is more in it.
fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| quietly(Command::new("git").arg("-C").arg(root).args(arguments));
    let Ok(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".to_owned() };
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_ok_and(|changes| !changes.trim().is_empty());
    format!("{}{}", commit.trim(), if changed { " with changes" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_of_those_that_may_be_used_and_have_a_core_each() {
        let status = |list: &str| format!("Name:\tx\nCpus_allowed_list:\t{list}\nMems_allowed_list:\t0\n");
        let own = |processor: u32| processor.to_string();
        let pairs = |processor: u32| (processor / 2).to_string();
        assert_eq!(processors(&status("0-1"), own), None, "as it is");
        assert_eq!(processors("", own), None);
        assert_eq!(processors(&status("0-7"), own).as_deref(), Some("0,1"));
        assert_eq!(processors(&status("0-7"), pairs).as_deref(), Some("0,2"));
        assert_eq!(processors(&status("4-5,9,12-15"), own).as_deref(), Some("4,5"));
        assert_eq!(processors(&status("4-5,9"), pairs).as_deref(), Some("4,9"));
        assert_eq!(processors(&status("0-7"), |_| "one".to_owned()).as_deref(), Some("0,1"), "there is no other");
    }
}
