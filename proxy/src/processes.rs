//! The process list: who is connected, and what runs for them.
//!
//! Every session has an entry of its own with a lock of its own, so that a statement never waits for another session's;
//! the list's lock is taken only when a connection comes or goes, and by whoever looks at the list.

use std::borrow::Cow;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cellgate_sql::Statement;

use crate::sync::lock;
use crate::wire::KillSwitch;

/// Longest part of a statement that the process list shows, in bytes.
const SHOWN_STATEMENT: usize = 1024;

/// All connections.
#[derive(Debug, Default)]
pub struct Processes {
    list: Mutex<List>,
    statements: AtomicU64,
    ended: AtomicBool,
}

#[derive(Debug, Default)]
struct List {
    last_id: u32,
    open: BTreeMap<u32, Arc<Process>>,
    /// What was last known of connections that have ended, of which a write goes on.
    outlived: Vec<ProcessInfo>,
}

/// How the State begins of who waits for tables that are locked.
const WAITS_FOR: &str = "Waiting for ";

/// A connection's entry.
#[derive(Debug)]
pub struct Process {
    id: u32,
    host: String,
    kill: KillSwitch,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    user: String,
    database: Option<String>,
    running: Option<Running>,
    /// What it waits for, beside stores.
    waits: Option<&'static str>,
    since: Instant,
    /// What the client says of itself, on one line.
    client: String,
    /// What the client says of the statement.
    attributes: String,
}

/// What runs.
#[derive(Clone, Debug)]
pub enum Running {
    /// A statement.
    Statement(Statement),
    /// A text that was not parsed, in UTF-8.
    Text(Bytes),
    /// A text of so many bytes is parsed: nobody knows yet what of it is a password.
    Reading(usize),
}

impl Running {
    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Statement(statement) => Cow::Borrowed(statement.text()),
            Self::Text(text) => String::from_utf8_lossy(text),
            Self::Reading(bytes) => Cow::Owned(format!("/* a text of {bytes} bytes is parsed */")),
        }
    }
}

/// A connection as the process list shows it.
#[derive(Clone, Debug)]
pub struct ProcessInfo {
    /// Its id.
    pub id: u32,
    /// Who.
    pub user: String,
    /// From where.
    pub host: String,
    /// The current database.
    pub database: Option<String>,
    /// What runs, shortened.
    pub statement: Option<String>,
    /// What it waits for at the moment, in MySQL's words, if that is another session's lock.
    pub waits: Option<&'static str>,
    /// Since when it does what it does.
    pub since: Instant,
    /// What the client says of itself and of the statement: connection and query attributes, on one line.
    pub attributes: String,
}

impl Processes {
    /// Enters a connection from `host`; it stays listed until [`Processes::leave`].
    pub fn enter(&self, host: &str) -> Arc<Process> {
        let mut list = lock(&self.list);
        loop {
            list.last_id = list.last_id.checked_add(1).unwrap_or(1);
            let id = list.last_id;
            if let Entry::Vacant(free) = list.open.entry(id) {
                let state = State {
                    user: String::new(),
                    database: None,
                    running: None,
                    waits: None,
                    since: Instant::now(),
                    client: String::new(),
                    attributes: String::new(),
                };
                let process = Arc::new(Process {
                    id,
                    host: host.to_owned(),
                    kill: KillSwitch::default(),
                    state: Mutex::new(state),
                });
                free.insert(Arc::clone(&process));
                return process;
            }
        }
    }

    /// Takes a connection off the list.
    pub fn leave(&self, process: &Process) {
        lock(&self.list).open.remove(&process.id);
    }

    /// Lists a connection that has ended as one of those that are outlived by a write. Those of which no write is
    /// `going_on` any more are forgotten; it is asked while nobody else is listed, so that it knows of all that are.
    pub fn outlive(&self, process: &Process, going_on: impl FnOnce() -> HashSet<u32>) {
        let info = process.info();
        let outlived = &mut lock(&self.list).outlived;
        outlived.push(info);
        let going_on = going_on();
        outlived.retain(|info| going_on.contains(&info.id));
    }

    /// Connections that have ended, of which a write is `going_on`.
    pub fn outlived(&self, going_on: impl FnOnce() -> HashSet<u32>) -> Vec<ProcessInfo> {
        let outlived = &mut lock(&self.list).outlived;
        let going_on = going_on();
        outlived.retain(|info| going_on.contains(&info.id));
        outlived.clone()
    }

    /// A statement of `process` began then.
    pub fn begin(&self, process: &Process, running: Running, began: Instant) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        let mut state = lock(&process.state);
        state.running = Some(running);
        state.since = began;
    }

    /// A statement of `process` that was over before anybody could look began and ended.
    pub fn passed(&self, process: &Process, ended: Instant) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        let mut state = lock(&process.state);
        state.since = ended;
        if !state.attributes.is_empty() {
            state.attributes = String::new();
        }
    }

    /// The entry of a connection that is open.
    pub fn find(&self, id: u32) -> Option<Arc<Process>> {
        lock(&self.list).open.get(&id).cloned()
    }

    /// Ends all connections, as KILL does: the program stops.
    pub fn end_all(&self) {
        self.ended.store(true, Ordering::Release);
        lock(&self.list).open.values().for_each(|process| process.kill.kill_connection());
    }

    /// Whether all were ended.
    pub fn are_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Everybody, by id.
    pub fn all(&self) -> Vec<ProcessInfo> {
        let open: Vec<Arc<Process>> = lock(&self.list).open.values().cloned().collect();
        open.iter().map(|process| process.info()).collect()
    }

    /// For how long the statement has run that waits the longest for tables which another session has locked; nought if none
    /// waits. GET_LOCK waits on purpose and is left out.
    pub fn longest_lock_wait(&self) -> Duration {
        let waiting = |process: &Arc<Process>| {
            let state = lock(&process.state);
            state.waits.filter(|what| what.starts_with(WAITS_FOR)).map(|_| state.since.elapsed())
        };
        lock(&self.list).open.values().filter_map(waiting).max().unwrap_or_default()
    }

    /// How many connections there are, and how many of them run something.
    pub fn count(&self) -> (usize, usize) {
        let list = lock(&self.list);
        (list.open.len(), list.open.values().filter(|process| lock(&process.state).running.is_some()).count())
    }

    /// How many connections there have been.
    pub fn connections(&self) -> u32 {
        lock(&self.list).last_id
    }

    /// How many statements have begun.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }
}

impl Process {
    /// The connection's id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// How it is killed.
    pub fn kill_switch(&self) -> &KillSwitch {
        &self.kill
    }

    /// Whether it is this user's.
    pub fn is_of(&self, user: &str) -> bool {
        lock(&self.state).user == user
    }

    /// A text of so many bytes is parsed, since then: it is to be seen, and counted as what it is found to be.
    pub fn reads(&self, bytes: usize, since: Instant) {
        let mut state = lock(&self.state);
        state.running = Some(Running::Reading(bytes));
        state.since = since;
    }

    /// What runs, and since when.
    pub fn running(&self) -> Option<(Running, Instant)> {
        let state = lock(&self.state);
        state.running.clone().map(|running| (running, state.since))
    }

    /// Who logged in, and with what: its connection attributes.
    pub fn login(&self, user: &str, client: String) {
        let mut state = lock(&self.state);
        user.clone_into(&mut state.user);
        state.client = client;
        state.since = Instant::now();
    }

    /// Shows what the statement waits for, until what it answers is dropped.
    pub fn waits(&self, what: &'static str) -> Waits<'_> {
        lock(&self.state).waits = Some(what);
        Waits(self)
    }

    /// The current database.
    pub fn use_database(&self, database: Option<&str>) {
        let mut state = lock(&self.state);
        if state.database.as_deref() != database {
            state.database = database.map(str::to_owned);
        }
    }

    /// The attributes of the statement that comes next.
    pub fn describe(&self, attributes: String) {
        lock(&self.state).attributes = attributes;
    }

    /// The statement ended then, in this database.
    pub fn end(&self, ended: Instant, database: Option<&str>) {
        let mut state = lock(&self.state);
        state.running = None;
        state.attributes = String::new();
        state.since = ended;
        if state.database.as_deref() != database {
            state.database = database.map(str::to_owned);
        }
    }

    fn info(&self) -> ProcessInfo {
        let state = lock(&self.state);
        ProcessInfo {
            id: self.id,
            user: state.user.clone(),
            host: self.host.clone(),
            database: state.database.clone(),
            statement: state.running.as_ref().map(|running| shortened(&running.text()).to_owned()),
            waits: state.waits,
            since: state.since,
            attributes: [&state.client[..], &state.attributes[..]].join(" ").trim().to_owned(),
        }
    }
}

/// A connection whose statement waits.
#[must_use]
#[derive(Debug)]
pub struct Waits<'a>(&'a Process);

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).waits = None;
    }
}

fn shortened(text: &str) -> &str {
    let mut end = text.len().min(SHOWN_STATEMENT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(text: &str) -> Running {
        Running::Statement(cellgate_sql::parse(text, cellgate_sql::SqlMode::default()).unwrap().remove(0))
    }

    #[test]
    fn a_statement_is_listed_while_it_runs() {
        let processes = Processes::default();
        let process = processes.enter("localhost");
        process.login("app", "program_name=x".to_owned());
        process.describe("trace=1".to_owned());
        process.use_database(Some("test"));
        processes.begin(&process, statement("SELECT 1"), Instant::now());
        let [info] = <[ProcessInfo; 1]>::try_from(processes.all()).unwrap();
        assert_eq!((info.id, info.user.as_str(), info.host.as_str()), (1, "app", "localhost"));
        assert_eq!((info.database.as_deref(), info.statement.as_deref()), (Some("test"), Some("SELECT 1")));
        assert_eq!(info.attributes, "program_name=x trace=1");
        assert_eq!(processes.count(), (1, 1));
        let waits = process.waits("User lock");
        assert_eq!(processes.all()[0].waits, Some("User lock"));
        assert_eq!(processes.longest_lock_wait(), Duration::ZERO, "it waits on purpose");
        drop(waits);
        assert_eq!(processes.all()[0].waits, None);
        let waits = process.waits("Waiting for table metadata lock");
        assert!(processes.longest_lock_wait() > Duration::ZERO);
        drop(waits);
        assert_eq!(processes.longest_lock_wait(), Duration::ZERO);
        processes.begin(&process, Running::Text("SELECT 2".into()), Instant::now());
        assert_eq!(processes.all()[0].statement.as_deref(), Some("SELECT 2"));
        process.end(Instant::now(), Some("test"));
        assert_eq!(processes.all()[0].attributes, "program_name=x");
        assert_eq!(processes.all()[0].statement, None);
        processes.leave(&process);
        assert_eq!(processes.count(), (0, 0));
        assert_eq!((processes.connections(), processes.statements()), (1, 2));
    }

    #[test]
    fn an_id_is_given_once_and_never_while_it_is_in_use() {
        let processes = Processes::default();
        let first = processes.enter("a");
        processes.leave(&first);
        let second = processes.enter("a");
        assert_eq!((first.id(), second.id()), (1, 2));
        lock(&processes.list).last_id = u32::MAX;
        assert_eq!(processes.enter("a").id(), 1);
        assert_eq!(processes.enter("a").id(), 3);
        assert!(processes.find(2).is_some());
        assert!(processes.find(7).is_none());
    }

    #[test]
    fn a_long_statement_is_shown_cut_at_a_character() {
        let text = format!("SELECT '{}'", "ü".repeat(SHOWN_STATEMENT));
        assert!(shortened(&text).len() <= SHOWN_STATEMENT);
        assert!(text.starts_with(shortened(&text)));
    }
}
