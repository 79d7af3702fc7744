//! Child processes that end with their owner.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

/// A signal by the name `kill` knows it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ask to stop.
    Term,
    /// Ask to stop, as from a keyboard.
    Int,
    /// Ask to read the configuration again.
    Hup,
    /// Freeze.
    Stop,
    /// Go on.
    Cont,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Int => "INT",
            Self::Hup => "HUP",
            Self::Stop => "STOP",
            Self::Cont => "CONT",
        }
    }
}

/// A command that the kernel kills when the thread that spawned it ends, however it ends: `setpriv` sets the parent
/// death signal and turns into the program, so the process id is the program's. As root it runs as `user`, because
/// database servers refuse to be root.
///
/// Spawn it from a thread that lives as long as the process is wanted: a test's own thread, not a pool's.
pub fn tethered(program: impl AsRef<OsStr>, user: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some(user) = user
        && is_root()
    {
        command.args(["--reuid", user, "--regid", &primary_group(user), "--clear-groups"]);
    }
    command.arg("--").arg(program).stdin(Stdio::null());
    command
}

/// As many open files for this process and its children as this user may have: a shell's usual limit is 1024, and there are
/// loads of thousands of connections.
pub fn allow_many_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // With fewer whoever needs them says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// How many files this process and each of its children may have open.
pub fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Waits until this process is asked to stop, by SIGINT or SIGTERM; `false` if that cannot be heard.
pub fn asked_to_stop() -> bool {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return false };
    let arrived = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt()).ok()?;
        let mut terminate = signal(SignalKind::terminate()).ok()?;
        tokio::select! {
            signal = interrupt.recv() => signal,
            signal = terminate.recv() => signal,
        }
    });
    arrived.is_some()
}

/// Whether this process is root.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|of| of.uid() == 0)
}

/// The first of these users that exists, else `nobody`.
pub fn existing_user<'a>(names: &[&'a str]) -> &'a str {
    names.iter().copied().find(|name| passwd(name).is_some()).unwrap_or("nobody")
}

/// Gives a file or a directory to a user, if we are root.
///
/// # Panics
///
/// If it cannot be done.
pub fn give(path: &std::path::Path, user: &str) {
    if let (true, Some((uid, gid))) = (is_root(), passwd(user)) {
        std::os::unix::fs::chown(path, Some(uid), Some(gid)).expect("chown as root");
    }
}

/// Gives a new directory to a user, if we are root.
///
/// # Panics
///
/// If it cannot be done, or the user cannot write there all the same: the message names what to change.
pub fn give_directory(path: &std::path::Path, user: &str) {
    give(path, user);
    let may_write = tethered("test", Some(user)).arg("-w").arg(path).status().is_ok_and(|status| status.success());
    assert!(
        may_write,
        "user {user} cannot enter {}: set TMPDIR to a directory that every user may enter, such as /tmp",
        path.display()
    );
}

fn primary_group(user: &str) -> String {
    passwd(user).map_or_else(|| "nogroup".to_owned(), |(_, gid)| gid.to_string())
}

/// User and group number of a user.
fn passwd(user: &str) -> Option<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = users.lines().find(|line| line.split(':').next() == Some(user))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

/// A running child; dropping it kills and reaps it.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts a command.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn spawn(command: &mut Command) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { child }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its standard error, once.
    pub fn take_stderr(&mut self) -> Option<std::process::ChildStderr> {
        self.child.stderr.take()
    }

    /// Sends a signal. A process that is gone already is none of our business.
    pub fn signal(&self, signal: Signal) {
        // The shell's own kill: minimal systems have no program of that name.
        let script = format!("kill -{} {}", signal.name(), self.id());
        let _ = Command::new("sh").args(["-c", &script]).stderr(Stdio::null()).status();
    }

    /// Kills it (signal 9) and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Its exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }
}

/// Memory that a process occupies, in bytes (resident set); `None` once it is gone.
pub fn resident_bytes(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a command to its end and answers its standard output.
///
/// # Panics
///
/// If it fails; the message has its output.
pub fn output(command: &mut Command) -> String {
    match try_output(command) {
        Ok(text) => text,
        Err(text) => panic!("{command:?} failed: {text}"),
    }
}

/// Runs a command to its end: its standard output, or what it said when it failed.
///
/// # Errors
///
/// The error is everything it wrote, for people.
pub fn try_output(command: &mut Command) -> Result<String, String> {
    let done = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.success() {
        return Ok(out);
    }
    Err(format!("{}\n{out}{}", done.status, String::from_utf8_lossy(&done.stderr)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_a_server_could_not_enter_is_refused_by_what_to_change() {
        let (closed, open) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/tmp").unwrap());
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(closed.path(), private).unwrap();
        let inner = closed.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        let refused = std::panic::catch_unwind(|| give_directory(&inner, "nobody")).err();
        let message = refused.and_then(|panic| panic.downcast::<String>().ok());
        let names = |text: Box<String>| text.contains("user nobody cannot enter") && text.contains("TMPDIR");
        // Who is not root starts servers as who he is.
        assert_eq!(message.map(names), is_root().then_some(true));
        give_directory(open.path(), "nobody");
    }
}
