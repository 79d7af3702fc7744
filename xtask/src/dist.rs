//! `cargo xtask dist`: the program as it is distributed, in target/dist. It is built twice: the first build counts what it does
//! under load, and so says the second where its time goes (profile-guided optimisation, as the rustc book describes it).

use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, Failure, cargo, quietly, succeeds};
use crate::crates;
use crate::install::{self, Extent};
use crate::workspace::Workspace;

/// Between the flags in cargo's variable for them.
const SEPARATOR: &str = "\u{1f}";

/// Builds the program and says where it is.
pub fn run(arguments: &[String]) -> Result<(), Failure> {
    if !arguments.is_empty() {
        return Err(Failure::new("dist takes no arguments"));
    }
    if let Err(failure) = install::run(Extent::Servers) {
        eprintln!("xtask: {failure}; the loads are run on what is here");
    }
    println!("{}", build(&Workspace::read()?)?.display());
    Ok(())
}

/// Builds the program.
pub fn build(workspace: &Workspace) -> Result<PathBuf, Failure> {
    let compiler = Compiler::read()?;
    let profdata = compiler.profdata()?;
    // First: they may have to be downloaded, and a build of minutes would fail at its end.
    let licences = crates::licences(workspace)?;
    let place = workspace.target().join("trained");
    let (counts, profiles) = (place.join("counts"), place.join("profiles"));
    command::run(cargo().args(["build", "--release", "--locked", "--package", "cellgate-benchmarks"]))?;
    // As the last build, but for its linking as one piece: a function is known again by what it looks like.
    let counting = compiler.program(
        &place.join("counting"),
        &format!("-Cprofile-generate={}", counts.display()),
        &["--config", "profile.dist.lto='off'"],
    )?;
    // A program that was loaded before is not loaded again: with another profile everything would be compiled anew.
    let mut profile = profiles.join(format!("{:016x}.profdata", digest(&counting)?));
    if !profile.is_file() {
        let _ = std::fs::remove_dir_all(&counts);
        std::fs::create_dir_all(&profiles).map_err(|error| io("make", &profiles, &error))?;
        let mut train = Command::new("setpriv");
        train.args(["--pdeathsig", "TERM", "--"]).arg(workspace.target().join("release/cellgate-benchmarks"));
        train.arg("train").env("CELLGATE_BIN", &counting).env("LLVM_PROFILE_FILE", counts.join("%p-%m.profraw"));
        let left_out = command::read(&mut train)?;
        if let Some(remark) = incomplete(&left_out) {
            eprintln!("xtask: {remark}");
            profile = profiles.join("incomplete.profdata");
            // Cargo goes by the name, under which there may have been another one.
            let _ = std::fs::remove_dir_all(place.join("last"));
        }
        // Whole or not at all under the name by which it is found the next time.
        let part = profile.with_extension("part");
        let mut merge = Command::new(profdata);
        command::run(merge.arg("merge").arg("--output").arg(&part).args(files(&counts)?))?;
        std::fs::rename(&part, &profile).map_err(|error| io("rename", &part, &error))?;
    }
    let trained = compiler.program(&place.join("last"), &format!("-Cprofile-use={}", profile.display()), &[])?;
    let dist = workspace.target().join("dist");
    let program = dist.join("cellgate");
    std::fs::create_dir_all(&dist).map_err(|error| io("make", &dist, &error))?;
    // Not over a program that may be running.
    let _ = std::fs::remove_file(&program);
    std::fs::copy(&trained, &program).map_err(|error| io("write", &program, &error))?;
    let place = dist.join("LICENSES");
    std::fs::write(&place, licences).map_err(|error| io("write", &place, &error))?;
    Ok(program)
}

/// What is to be said of a profile that some subjects had no part in. It is used, and not kept for the next time: by then
/// their servers may be there.
fn incomplete(left_out: &str) -> Option<String> {
    let subjects: Vec<&str> = left_out.lines().collect();
    let names = subjects.join(", ");
    (!subjects.is_empty()).then(|| format!("the profile knows nothing of {names}, and is not kept"))
}

/// The compiler.
struct Compiler {
    sysroot: PathBuf,
    host: String,
}

impl Compiler {
    fn read() -> Result<Self, Failure> {
        let rustc = || Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        let sysroot = PathBuf::from(quietly(rustc().args(["--print", "sysroot"]))?.trim());
        let version = quietly(rustc().arg("-vV"))?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        let host = host.ok_or_else(|| Failure::new("rustc does not say what it runs on"))?.to_owned();
        Ok(Self { sysroot, host })
    }

    /// What puts counts together, of the compiler's own version.
    fn profdata(&self) -> Result<PathBuf, Failure> {
        let path = self.sysroot.join("lib/rustlib").join(&self.host).join("bin/llvm-profdata");
        if path.is_file() || succeeds(Command::new("rustup").args(["component", "add", "llvm-tools"])) && path.is_file()
        {
            return Ok(path);
        }
        Err(Failure::new(
            "there is no llvm-profdata: add the component llvm-tools to the toolchain, or build without a profile, by \
             `cargo build --profile dist --locked`",
        ))
    }

    /// The program, built in `place` with one more flag.
    fn program(&self, place: &Path, flag: &str, more: &[&str]) -> Result<PathBuf, Failure> {
        let given = std::env::var("RUSTFLAGS").unwrap_or_default();
        let flags: Vec<&str> = given.split_whitespace().chain([flag]).collect();
        let mut build = cargo();
        build.args(["build", "--profile", "dist", "--locked", "--package", "cellgate"]);
        // Named, so that build scripts and macros are built without the flags.
        build.arg("--target").arg(&self.host).arg("--target-dir").arg(place).args(more);
        command::run(build.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", flags.join(SEPARATOR)))?;
        Ok(place.join(&self.host).join("dist/cellgate"))
    }
}

fn digest(file: &Path) -> Result<u64, Failure> {
    let mut hasher = DefaultHasher::new();
    hasher.write(&std::fs::read(file).map_err(|error| io("read", file, &error))?);
    Ok(hasher.finish())
}

fn files(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|error| io("read", directory, &error))?;
    Ok(entries.into_iter().map(|entry| entry.path()).collect())
}

fn io(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_profile_of_all_subjects_is_kept() {
        assert_eq!(incomplete(""), None);
        let remark = incomplete("Cellgate\nCellgate, PostgreSQL\n").unwrap();
        assert!(remark.contains("nothing of Cellgate, Cellgate, PostgreSQL"), "{remark}");
    }
}
