//! A running `cellgate`: started on free ports, read until it says that it is ready, killed, stopped, started again.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use crate::deployment::Deployment;
use crate::http;
use crate::process::{self, Process, Signal};
use crate::settings;
use crate::wait;

const ANY_PORT: &str = "127.0.0.1:0";

/// The message of the line of a panic; a test holds it against the program's.
const PANIC: &str = "a task panicked";

/// How long a log that does not stop growing is waited for.
const SETTLING: Duration = Duration::from_secs(2);
/// Looks in a row that find nothing new.
const QUIET_LOOKS: u32 = 5;

/// How to start a proxy.
#[derive(Clone, Debug)]
pub struct Options {
    /// `--listen`.
    pub listen: String,
    /// `--http`.
    pub http: String,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// Further environment.
    pub environment: Vec<(String, String)>,
    /// Name of its data directory within the deployment's directory; two proxies of one deployment need two.
    pub data: String,
    /// How many files it may open, if that is limited.
    pub open_files: Option<u32>,
    /// Whether what it writes to standard error is read on when it is ready.
    pub read_log: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            listen: ANY_PORT.to_owned(),
            http: ANY_PORT.to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
            data: "data".to_owned(),
            open_files: None,
            read_log: true,
        }
    }
}

/// A proxy that ended instead of becoming ready.
#[derive(Debug)]
pub struct NotReady {
    /// How it ended; `None` if it was still running, silent, when patience ran out.
    pub status: Option<ExitStatus>,
    /// What it wrote to standard error.
    pub log: String,
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(f, "cellgate ended with {status} before it was ready:\n{}", self.log),
            None => write!(f, "cellgate was not ready in {:?}:\n{}", wait::PATIENCE, self.log),
        }
    }
}

/// A `cellgate` process that has said it is ready.
#[derive(Debug)]
pub struct Proxy {
    // Before `deployment`: the process must be gone before its databases and files are.
    process: Process,
    log: Log,
    options: Options,
    mysql: SocketAddr,
    http: SocketAddr,
    deployment: Arc<Deployment>,
}

impl Proxy {
    /// Starts one and waits until it is ready.
    ///
    /// # Errors
    ///
    /// [`NotReady`], with its log.
    pub fn start(deployment: Arc<Deployment>, options: Options) -> Result<Self, Box<NotReady>> {
        let (mut process, log, lines) = spawn(&deployment, &options);
        let end = std::time::Instant::now() + wait::PATIENCE;
        loop {
            let left = end.saturating_duration_since(std::time::Instant::now());
            match lines.recv_timeout(left) {
                Ok(line) => {
                    if let Some((mysql, http)) = ready(&line) {
                        return Ok(Self { process, log, options, mysql, http, deployment });
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Err(Box::new(NotReady { status: None, log: log.text() })),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = wait::until("cellgate to end", wait::PATIENCE, || process.ended());
                    return Err(Box::new(NotReady { status: Some(status), log: log.text() }));
                }
            }
        }
    }

    /// Where it speaks MySQL.
    pub fn mysql(&self) -> SocketAddr {
        self.mysql
    }

    /// Where it answers health checks and metrics.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// What it runs on.
    pub fn deployment(&self) -> &Arc<Deployment> {
        &self.deployment
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Memory it occupies, in bytes.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn resident_bytes(&self) -> u64 {
        process::resident_bytes(self.id()).unwrap_or_else(|| panic!("cellgate is gone:\n{}", self.log.text()))
    }

    /// Waits until what it has written to standard error holds this, and gives all of it. Its lines are written by a thread
    /// of their own, which may be late on a busy machine: what must be there is asked for here, and what must not by
    /// [`Proxy::log`].
    ///
    /// # Panics
    ///
    /// If it never does; the message names `what`, and the log is shown with the failed test.
    pub fn until_logged(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        wait::until(what, wait::PATIENCE, || holds(&self.log.text()).then_some(()));
        self.log()
    }

    /// What it has written to standard error so far, once it has been silent for a moment: lines that are on their way may
    /// be among it.
    pub fn log(&self) -> String {
        let (mut known, mut quiet) = (self.log.text(), 0);
        wait::at_most(SETTLING, || {
            let now = self.log.text();
            quiet = if now == known { quiet + 1 } else { 0 };
            known = now;
            (quiet == QUIET_LOOKS).then_some(())
        });
        known
    }

    /// Whether it is still running.
    pub fn is_running(&mut self) -> bool {
        self.process.ended().is_none()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Kills it with signal 9 and waits until it is gone.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks it to stop (SIGTERM) and waits for that.
    ///
    /// # Panics
    ///
    /// If it does not stop in time.
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.signal(Signal::Term);
        self.wait()
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    ///
    /// If it does not in time.
    pub fn wait(&mut self) -> ExitStatus {
        wait::until("cellgate to stop", wait::PATIENCE, || self.process.ended())
    }

    /// Starts it again after it ended: same data, same addresses.
    ///
    /// # Panics
    ///
    /// If it does not become ready.
    pub fn restart(&mut self) {
        self.process.kill();
        let options = Options { listen: self.mysql.to_string(), http: self.http.to_string(), ..self.options.clone() };
        *self = Self::start(Arc::clone(&self.deployment), options).unwrap_or_else(|error| panic!("restart: {error}"));
    }

    /// Sum of all samples of a metric family right now.
    ///
    /// # Panics
    ///
    /// If `/metrics` does not answer.
    pub fn metric(&self, family: &str) -> f64 {
        http::total(&http::metrics(self.http).expect("/metrics answers"), family)
    }

    /// Fails the test if a task of the proxy has panicked: a connection that dies of it could pass for a fault.
    ///
    /// # Panics
    ///
    /// If so.
    pub fn assert_no_panic(&self) {
        let log = self.log();
        assert!(!tells_of_panic(&log), "cellgate panicked:\n{log}");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Shown by the test runner for failed tests only.
            println!("--- log of cellgate {} ---\n{}", self.id(), self.log.text());
        } else {
            self.assert_no_panic();
        }
    }
}

/// What a process writes to standard error, line by line; only the newest lines are kept.
#[derive(Clone, Debug, Default)]
struct Log {
    lines: Arc<Mutex<std::collections::VecDeque<String>>>,
}

impl Log {
    /// Lines kept: enough to see how a failure came about, bounded for proofs that run for hours.
    const LINES: usize = 2000;

    fn push(&self, line: String) {
        let mut lines = self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A panic is kept whatever comes after it.
        if lines.len() >= Self::LINES
            && let Some(oldest) = lines.iter().position(|line| !tells_of_panic(line))
        {
            lines.remove(oldest);
        }
        lines.push_back(line);
    }

    fn text(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        lines.iter().fold(String::new(), |text, line| text + line + "\n")
    }
}

/// Whether a log has the line of a panic: the program's own, or that of a thread that panicked before there was a log.
fn tells_of_panic(log: &str) -> bool {
    log.contains(PANIC) || log.contains("panicked at")
}

fn spawn(deployment: &Deployment, options: &Options) -> (Process, Log, Receiver<String>) {
    let mut command = match options.open_files {
        None => process::tethered(settings::binary(), None),
        Some(files) => {
            let mut limited = process::tethered("prlimit", None);
            limited.arg(format!("--nofile={files}:{files}")).arg(settings::binary());
            limited
        }
    };
    command.arg("serve").arg("--data-dir").arg(deployment.directory().join(&options.data));
    command.args(["--listen", &options.listen, "--http", &options.http]);
    if let Some(config) = deployment.config() {
        command.arg("--config").arg(config);
    }
    command.args(&options.arguments).envs(options.environment.iter().cloned());
    // A relative path in a test must not land in the source tree.
    command.current_dir(deployment.directory()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut process = Process::spawn(&mut command);
    let log = Log::default();
    let (sender, lines) = mpsc::channel();
    if let Some(stderr) = process.take_stderr() {
        let (log, read_log) = (log.clone(), options.read_log);
        std::thread::spawn(move || collect(stderr, &log, &sender, read_log));
    }
    (process, log, lines)
}

/// Reads to the end, so that the pipe never fills; without `read_on` it does, once the process is ready.
fn collect(stderr: std::process::ChildStderr, log: &Log, lines: &Sender<String>, read_on: bool) {
    for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        log.push(line.clone());
        let is_ready = ready(&line).is_some();
        // Nobody listens once it is ready.
        let _ = lines.send(line);
        if is_ready && !read_on {
            // The pipe stays open, and nobody reads it.
            loop {
                std::thread::park();
            }
        }
    }
}

/// The addresses in `cellgate ready: mysql=127.0.0.1:3307 http=127.0.0.1:9307`.
fn ready(line: &str) -> Option<(SocketAddr, SocketAddr)> {
    let (_, rest) = line.split_once("cellgate ready: mysql=")?;
    let (mysql, rest) = rest.split_once(" http=")?;
    Some((mysql.parse().ok()?, rest.trim_end_matches(|c: char| !c.is_ascii_digit()).parse().ok()?))
}

/// Runs the program to its end: for `--help`, `check`, and starts that must be refused.
pub fn run(arguments: &[&str], limit: Duration) -> (ExitStatus, String, String) {
    let mut command = process::tethered(settings::binary(), None);
    let scratch = crate::scratch::Scratch::new();
    let (out, err) = (scratch.join("out"), scratch.join("err"));
    command.args(arguments).current_dir(scratch.path());
    command.stdout(std::fs::File::create(&out).expect("a file in a new directory"));
    command.stderr(std::fs::File::create(&err).expect("a file in a new directory"));
    let mut process = Process::spawn(&mut command);
    let status = wait::until(&format!("cellgate {arguments:?} to end"), limit, || process.ended());
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    (status, read(&out), read(&err))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_gives_both_addresses() {
        let (mysql, http) = ready("cellgate ready: mysql=127.0.0.1:3307 http=[::1]:9307").unwrap();
        assert_eq!((mysql.port(), http.port()), (3307, 9307));
        assert!(ready("listening").is_none());
    }

    #[test]
    fn a_panic_is_known_by_what_the_program_calls_it() {
        assert_eq!(PANIC, cellgate_proxy::logging::PANIC);
    }

    #[test]
    fn a_panic_is_kept_whatever_comes_after_it() {
        let log = Log::default();
        log.push(format!("ERROR cellgate::logging: {PANIC} place=\"x.rs:1:1\""));
        (0..2 * Log::LINES).for_each(|line| log.push(format!("line {line}")));
        assert!(tells_of_panic(&log.text()));
        assert_eq!(log.text().lines().count(), Log::LINES, "and nothing else is kept for it");
        assert!(!tells_of_panic("INFO cellgate: ready"));
    }
}
