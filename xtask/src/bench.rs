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
    if std::thread::available_parallelism().is_ok_and(|cores| usize::from(cores) > CORES) {
        bench.args(["taskset", "--cpu-list", "0,1"]);
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

/// The commit of the tree, and whether there is more in it.
fn commit(root: &Path) -> String {
    let git = |arguments: &[&str]| quietly(Command::new("git").arg("-C").arg(root).args(arguments));
    let Ok(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".to_owned() };
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_ok_and(|changes| !changes.trim().is_empty());
    format!("{}{}", commit.trim(), if changed { " with changes" } else { "" })
}
