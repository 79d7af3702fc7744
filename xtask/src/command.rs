//! Running other programs, and saying what went wrong.

use std::fmt;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// Why a chore failed, for people.
#[derive(Debug)]
pub struct Failure {
    message: String,
}

impl Failure {
    /// A failure with this explanation.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// What went wrong with a file or a directory.
    pub fn of_file(path: &Path, error: &std::io::Error) -> Self {
        Self::new(format!("{}: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Runs a command; its output is ours.
pub fn run(command: &mut Command) -> Result<(), Failure> {
    eprintln!("$ {}", line(command));
    let status = command.stdin(Stdio::null()).status();
    let status = status.map_err(|error| Failure::new(format!("cannot run `{}`: {error}", line(command))))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{}` failed: {status}", line(command)))) }
}

/// Runs a command; its output is ours, and each line of it is told as well. Who writes in colour to a terminal must be asked to.
pub fn watch(command: &mut Command, told: impl FnMut(&str) + Send) -> Result<(), Failure> {
    eprintln!("$ {}", line(command));
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let failure = |error| Failure::new(format!("cannot run `{}`: {error}", line(command)));
    let mut child = piped.map_err(failure)?;
    let (out, err, told) = (child.stdout.take(), child.stderr.take(), Mutex::new(told));
    std::thread::scope(|scope| {
        scope.spawn(|| out.map(|out| copy(out, std::io::stdout(), &told)));
        scope.spawn(|| err.map(|err| copy(err, std::io::stderr(), &told)));
    });
    let status = child.wait().map_err(failure)?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("`{}` failed: {status}", line(command)))) }
}

/// Copies lines to the end, and tells each.
fn copy(from: impl Read, mut to: impl Write, told: &Mutex<impl FnMut(&str)>) {
    let (mut from, mut line) = (BufReader::new(from), Vec::new());
    while from.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
        // Who does not listen any more hears of it by our end.
        let _ = to.write_all(&line).and_then(|()| to.flush());
        if let Ok(mut told) = told.lock() {
            (*told)(String::from_utf8_lossy(&line).trim_end());
        }
        line.clear();
    }
}

/// Whether a person looks at what commands say.
pub fn is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Runs a command; its stderr is ours, and its stdout is answered.
pub fn read(command: &mut Command) -> Result<String, Failure> {
    eprintln!("$ {}", line(command));
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| Failure::new(format!("cannot run `{}`: {error}", line(command))))?;
    if !output.status.success() {
        return Err(Failure::new(format!("`{}` failed: {}", line(command), output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command silently; what it wrote becomes part of the failure.
pub fn quietly(command: &mut Command) -> Result<String, Failure> {
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|error| Failure::new(format!("cannot run `{}`: {error}", line(command))))?;
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(out);
    }
    let err = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("`{}` failed: {}\n{out}{err}", line(command), output.status)))
}

/// Whether a command succeeds; nothing is printed.
pub fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    without_our_package(&mut cargo);
    cargo
}

/// Takes out of a command's environment what cargo says to us about this package. Build scripts that watch these variables,
/// as that of `ring` does, would be run again by a cargo that we start, and all behind them compiled again.
pub fn without_our_package(command: &mut Command) {
    std::env::vars_os().map(|(name, _)| name).filter(|name| is_of_package(&name.to_string_lossy())).for_each(|name| {
        command.env_remove(name);
    });
}

fn is_of_package(name: &str) -> bool {
    let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_PACKAGE"];
    of_package.iter().any(|start| name.starts_with(start))
}

fn line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_watched_is_told_by_lines_and_fails_by_its_status() {
        let (mut lines, mut copied) = (Vec::new(), Vec::new());
        copy(&b"one\ntwo\xff"[..], &mut copied, &Mutex::new(|line: &str| lines.push(line.to_owned())));
        assert_eq!((lines, &copied[..]), (vec!["one".to_owned(), "two\u{fffd}".to_owned()], &b"one\ntwo\xff"[..]));
        let failure = watch(Command::new("sh").args(["-c", "exit 3"]), |_| {}).unwrap_err();
        assert!(failure.to_string().contains("exit status: 3"), "{failure}");
    }

    #[test]
    fn a_cargo_of_ours_is_not_told_about_our_package_and_keeps_what_a_person_set() {
        assert!(["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "CARGO_PRIMARY_PACKAGE"].into_iter().all(is_of_package));
        assert!(
            !["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_PROFILE_DEV_OPT_LEVEL", "CARGO"].into_iter().any(is_of_package)
        );
        // Cargo tells this test about its package, too.
        let mut command = Command::new("true");
        without_our_package(&mut command);
        assert!(command.get_envs().any(|(name, value)| name == "CARGO_PKG_NAME" && value.is_none()));
    }
}
