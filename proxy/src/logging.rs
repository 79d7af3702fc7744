//! The log: one line per event on stderr, as text or as JSON.
//!
//! Only our own crates are heard at the configured level, others from warnings up: what a driver logs while debugging
//! may hold statements, and so bodies. Nothing of ours logs a body or a password.

mod lines;

use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use thiserror::Error;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry, fmt, reload};

use crate::config::{LogFormat, LogLevel};
use crate::incidents;
use lines::{Lines, Queue};

/// The target of what is logged whatever the level: statements about accounts.
pub const AUDIT: &str = "audit";
/// The target of what came of a SIGHUP, which whoever sent it looks for whatever the level, and of a start that has created a
/// deployment, which nobody may have meant.
pub const ASKED_FOR: &str = "asked_for";
/// The target of slow queries, which have a switch of their own.
pub const SLOW_QUERY: &str = "slow_query";
/// The prefix of the targets of our crates.
const OURS: &str = "cellgate";

/// The message of a panic's line: a defect of this program, whatever it ended.
pub const PANIC: &str = "a task panicked";

/// Longest text of a panic that is logged, in bytes.
const PANIC_BYTES: usize = 300;

/// Longest text of a client that is logged, in bytes.
const TEXT_BYTES: usize = 8 * 1024;

/// Panics of this process.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// How long the end of the program waits for its last lines to be written.
const LAST_LINES: Duration = Duration::from_secs(1);

/// The lines of this process, once it has a log.
static LINES: OnceLock<Arc<Lines>> = OnceLock::new();

/// The log could not be set up or changed.
#[derive(Debug, Error)]
pub enum LoggingError {
    /// The process has a log already.
    #[error("the log of this process is set up already")]
    AlreadySet,
    /// The log is gone.
    #[error("the log of this process is gone")]
    Gone,
    /// There is no thread to write it.
    #[error("no thread for the log: {0}")]
    Thread(io::Error),
}

/// Changes the log while the program runs.
#[derive(Clone, Debug)]
pub struct LogHandle {
    filter: reload::Handle<Targets, Registry>,
}

impl LogHandle {
    /// Logs events of this level and graver ones from now on.
    ///
    /// # Errors
    /// [`LoggingError::Gone`] when there is no log any more.
    pub fn set_level(&self, level: LogLevel) -> Result<(), LoggingError> {
        self.filter.reload(filter(level)).map_err(|_| LoggingError::Gone)
    }
}

/// Sets up the log of this process, and logs panics with it.
///
/// # Errors
/// [`LoggingError::AlreadySet`] the second time; [`LoggingError::Thread`] if the system gives no thread.
pub fn init(format: LogFormat, level: LogLevel) -> Result<LogHandle, LoggingError> {
    let lines = Lines::written_to(io::stderr()).map_err(LoggingError::Thread)?;
    let (subscriber, handle) = subscriber(format, level, Queue(Arc::clone(&lines)));
    LINES.set(lines).map_err(|_| LoggingError::AlreadySet)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| LoggingError::AlreadySet)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(handle)
}

/// Says a line on stderr, behind those of the log if there is one. That it cannot be written is no error: neither a full
/// disk nor a reader that has gone ends the program.
pub fn say(line: &str) {
    let line = format!("{line}\n");
    match LINES.get() {
        Some(lines) => lines.push(line.as_bytes()),
        None => drop(io::stderr().write_all(line.as_bytes())),
    }
}

/// A text for a line of the log, of which no more is said than `TEXT_BYTES` and how long it is: a line that is too long is
/// lost.
pub fn cut(mut text: String) -> String {
    if text.len() > TEXT_BYTES {
        let length = text.len();
        text.truncate(text.floor_char_boundary(TEXT_BYTES));
        text.push_str(&format!(".. (cut, {length} bytes)"));
    }
    text
}

/// Waits until what was logged and said is written, but not long: nobody may be reading.
pub fn finish() {
    if let Some(lines) = LINES.get() {
        lines.flush(LAST_LINES);
    }
}

/// Lines of the log that could not be written, or not as fast as they came.
pub fn lost_lines() -> u64 {
    LINES.get().map_or(0, |lines| lines.lost())
}

/// Panics since the log was set up.
pub fn panics() -> u64 {
    PANICS.load(Ordering::Relaxed)
}

fn subscriber<W>(format: LogFormat, level: LogLevel, writer: W) -> (Box<dyn Subscriber + Send + Sync>, LogHandle)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(filter(level));
    let registry = tracing_subscriber::registry().with(filter);
    let lines = OneLine { writer, format };
    let subscriber: Box<dyn Subscriber + Send + Sync> = match format {
        LogFormat::Text => Box::new(registry.with(fmt::layer().with_ansi(false).with_writer(lines))),
        LogFormat::Json => {
            Box::new(registry.with(fmt::layer().json().flatten_event(true).with_ansi(false).with_writer(lines)))
        }
    };
    (subscriber, LogHandle { filter: handle })
}

fn filter(level: LogLevel) -> Targets {
    let ours = match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    };
    Targets::new()
        .with_default(LevelFilter::from_level(ours.min(Level::WARN)))
        .with_target(OURS, ours)
        .with_target(AUDIT, LevelFilter::INFO)
        .with_target(ASKED_FOR, LevelFilter::INFO)
        // Clients are told ids of these lines, whatever the level.
        .with_target(incidents::TARGET, ours.max(Level::WARN))
        .with_target(SLOW_QUERY, LevelFilter::WARN)
}

fn log_panic(info: &PanicHookInfo<'_>) {
    PANICS.fetch_add(1, Ordering::Relaxed);
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    let end = (0..=text.len().min(PANIC_BYTES)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    tracing::error!(place, thread = thread.name().unwrap_or_default(), detail = &text[..end], "{PANIC}");
}

/// Keeps every event on one line, which a terminal takes no orders from: the formatter writes an event with one call, and
/// control characters and line separators within it (from a client or an engine's error text) are written as escapes of the
/// format.
struct OneLine<W> {
    writer: W,
    format: LogFormat,
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for OneLine<W> {
    type Writer = OneLineWriter<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        OneLineWriter { writer: self.writer.make_writer(), format: self.format }
    }
}

struct OneLineWriter<W> {
    writer: W,
    format: LogFormat,
}

impl<W: Write> Write for OneLineWriter<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let (line, end) = text.strip_suffix('\n').map_or((&*text, ""), |line| (line, "\n"));
        if !line.contains(is_escaped) {
            self.writer.write_all(event)?;
            return Ok(event.len());
        }
        let mut escaped = String::with_capacity(text.len() + 16);
        for c in line.chars() {
            match self.format {
                _ if !is_escaped(c) => escaped.push(c),
                // Of those, JSON has these within its strings only.
                LogFormat::Json => escaped.push_str(&format!("\\u{:04x}", u32::from(c))),
                LogFormat::Text => match u8::try_from(c) {
                    Ok(byte) if byte.is_ascii() => escaped.extend(byte.escape_ascii().map(char::from)),
                    Ok(_) | Err(_) => escaped.extend(c.escape_unicode()),
                },
            }
        }
        escaped.push_str(end);
        self.writer.write_all(escaped.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Whether a character does not stand in a line as it is. All of these are of the Basic Multilingual Plane.
fn is_escaped(c: char) -> bool {
    c != '\t' && c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: LogLevel, run: impl FnOnce(&LogHandle)) -> Vec<String> {
        let kept = Kept::default();
        let writer = kept.clone();
        let (subscriber, handle) = subscriber(format, level, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || run(&handle));
        let bytes = kept.0.lock().expect("not poisoned").clone();
        String::from_utf8(bytes).expect("UTF-8").lines().map(str::to_owned).collect()
    }

    #[test]
    fn an_event_is_one_line_whatever_its_text_holds() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = logged(format, LogLevel::Info, |_| {
                tracing::info!(target: "cellgate::x", detail = "a\nb\r\n\u{1b}[31mred", "two\nlines");
                tracing::warn!(target: "cellgate::x", "next");
            });
            assert_eq!(lines.len(), 2, "{lines:?}");
            assert!(!lines[0].contains('\u{1b}') && !lines[0].contains('\r'), "{lines:?}");
        }
    }

    #[test]
    fn whatever_character_a_text_holds_its_json_line_reads_back_and_no_line_holds_it_raw() {
        let separators = ['\u{2028}', '\u{2029}', '\u{feff}', '\u{1f600}'];
        for c in (0..=0x9f_u8).map(char::from).chain(separators) {
            let text = format!("a{c}b");
            for format in [LogFormat::Json, LogFormat::Text] {
                let lines =
                    logged(format, LogLevel::Info, |_| tracing::info!(target: "cellgate::x", user = text, "{text}"));
                let [line] = &lines[..] else { panic!("{c:?}: {lines:?}") };
                assert!(!line.contains(is_escaped), "{c:?}: {line:?}");
                if format == LogFormat::Json {
                    let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
                    assert_eq!((&event["user"], &event["message"]), (&text.as_str().into(), &text.as_str().into()));
                }
            }
        }
    }

    #[test]
    fn a_json_line_is_an_object_with_level_target_message_and_fields() {
        let lines = logged(LogFormat::Json, LogLevel::Info, |_| {
            tracing::info!(target: "cellgate::x", cluster = "a", rows = 3, "hello");
        });
        let event: serde_json::Value = serde_json::from_str(&lines[0]).expect("JSON");
        assert_eq!(event["level"], "INFO");
        assert_eq!(event["target"], "cellgate::x");
        assert_eq!(event["message"], "hello");
        assert_eq!(event["cluster"], "a");
        assert_eq!(event["rows"], 3);
        assert!(event["timestamp"].is_string());
    }

    /// The variable that makes the test below the process whose panic it looks at: log and panic hook are a whole
    /// process's.
    const PANICS_WITH: &str = "CELLGATE_TEST_PANICS_WITH";

    fn panic_under_a_log(format: LogFormat) {
        init(format, LogLevel::Error).expect("the first log");
        let task = std::thread::Builder::new().name("worker".to_owned()).spawn(|| panic!("a defect\nin two lines"));
        assert!(task.expect("a thread").join().is_err());
        say(&format!("panics={}", panics()));
        finish();
    }

    #[test]
    fn a_panic_is_one_line_with_its_text_and_is_counted() {
        match std::env::var(PANICS_WITH).as_deref() {
            Ok("json") => return panic_under_a_log(LogFormat::Json),
            Ok(_) => return panic_under_a_log(LogFormat::Text),
            Err(_) => {}
        }
        for format in ["text", "json"] {
            let mut child = std::process::Command::new(std::env::current_exe().expect("this test's own program"));
            let this = "logging::tests::a_panic_is_one_line_with_its_text_and_is_counted";
            child.args(["--exact", this, "--nocapture"]).env(PANICS_WITH, format);
            let output = child.output().expect("it starts");
            let log = String::from_utf8(output.stderr).expect("UTF-8");
            let lines: Vec<&str> = log.lines().filter(|line| line.contains(PANIC)).collect();
            let [line] = lines[..] else { panic!("{lines:?} in\n{log}") };
            let found = ["a defect", "in two lines", "worker", "logging.rs"].map(|part| line.contains(part));
            assert_eq!(found, [true; 4], "{line}");
            assert!(log.contains("panics=1"), "{log}");
            if format == "json" {
                let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
                assert_eq!((&event["message"], line.matches("\"message\"").count()), (&PANIC.into(), 1), "{line}");
            }
        }
    }

    #[test]
    fn the_level_holds_and_can_be_changed_while_running() {
        let lines = logged(LogFormat::Text, LogLevel::Warn, |handle| {
            tracing::info!(target: "cellgate_store::x", "unheard");
            handle.set_level(LogLevel::Debug).expect("the log is there");
            tracing::debug!(target: "cellgate_store::x", "heard");
            tracing::trace!(target: "cellgate_store::x", "unheard");
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("heard"));
    }

    #[test]
    fn lines_that_somebody_was_told_of_or_asked_for_are_heard_at_every_level() {
        let lines = logged(LogFormat::Text, LogLevel::Error, |_| {
            incidents::Incidents::default().timed_out("cluster 'a'", "");
            tracing::warn!(target: SLOW_QUERY, "slow query");
            tracing::info!(target: ASKED_FOR, "configuration reloaded");
            tracing::warn!(target: "cellgate_proxy::x", "unheard");
        });
        let [incident, slow, reloaded] = &lines[..] else { panic!("{lines:?}") };
        assert!(incident.contains("ran out of time") && slow.contains("slow query"), "{lines:?}");
        assert!(reloaded.contains("configuration reloaded"), "{lines:?}");
    }

    #[test]
    fn other_crates_are_heard_from_warnings_up_only() {
        let lines = logged(LogFormat::Text, LogLevel::Trace, |_| {
            tracing::debug!(target: "some_driver", "SELECT 'a body'");
            tracing::info!(target: "some_driver", "SELECT 'a body'");
            tracing::warn!(target: "some_driver", "trouble");
        });
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("trouble"));
        let lines = logged(LogFormat::Text, LogLevel::Error, |_| tracing::warn!(target: "some_driver", "trouble"));
        assert!(lines.is_empty(), "{lines:?}");
    }
}
