//! A server for tests of what is above it: its sessions open at once and answer what the test has written down, and fail
//! at everything else.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use cellgate_schemaless::{Cell, Epoch};
use deadpool::managed::{Manager, Metrics, RecycleResult};

use crate::engine::server::core::size;
use crate::engine::server::driver::{
    Cells, Driver, Existing, Failure, Holds, Mark, NewRow, PassOver, Place, Session, Start,
};
use crate::error::{Reason, StoreError};
use crate::sql::{Dialect, MYSQL, POSTGRES, Query};
use crate::sync::lock;

use super::driver::Value;

/// What a session was asked, with its number: 1 for the first one that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To insert so many rows.
    Insert(i64, usize),
    /// For cells.
    Cells(i64),
    /// To end the session of this number.
    End(i64),
    /// Whether the server waits for the session of this number.
    Idle(i64),
    /// To confirm what it has found.
    Confirm(i64),
    /// To have the log head pass over ids.
    PassOver(i64, PassOver),
    /// To run a statement without parameters.
    Run(i64, String),
}

/// What sessions are asked, and what they answer: of each kind one answer after the other.
#[derive(Debug, Default)]
pub(crate) struct Script {
    asked: Mutex<Vec<Asked>>,
    pub(crate) opened: Mutex<i64>,
    /// Whether questions for cells are never answered.
    pub(crate) hangs: AtomicBool,
    /// Whether inserts do not say where rows are, as of a MySQL.
    pub(crate) untold: AtomicBool,
    /// Whether the server has lists of names that are bounded, as a MySQL.
    pub(crate) lists: AtomicBool,
    /// Answers to small questions.
    pub(crate) fetches: Answers<Vec<Vec<Value>>>,
    /// Answers to inserts.
    pub(crate) inserts: Answers<Vec<Option<Place>>>,
    /// Answers to questions for cells: whether they are cut, too. They are if they have more bytes than were asked for.
    pub(crate) cells: Answers<(Vec<Cell>, bool)>,
    /// Answers to statements that change something: how many rows.
    pub(crate) executes: Answers<u64>,
    /// Answers to statements without parameters. Behind them, of all such statements BEGIN alone succeeds.
    pub(crate) runs: Answers<()>,
    /// Whether another session is over. Behind them, it is.
    pub(crate) ends: Answers<bool>,
    /// For how long the server has waited for another session. Behind them, it is at work for it.
    pub(crate) idles: Answers<Option<Duration>>,
    /// Whether what was found is safe. Behind them, it is.
    pub(crate) confirms: Answers<()>,
    /// Of which start sessions are that are opened, if one may take back what was visible.
    pub(crate) start: Mutex<Option<Start>>,
    /// Whether the log head passes over ids. Behind them, it does.
    pub(crate) passes: Answers<()>,
    /// An idle session does not answer.
    pub(crate) idle_hang: AtomicBool,
    /// No session is ever opened.
    pub(crate) opens_none: AtomicBool,
    /// The server takes no more connections than there are.
    pub(crate) is_full: AtomicBool,
}

/// Answers of one kind.
#[derive(Debug)]
pub(crate) struct Answers<T>(Mutex<VecDeque<Result<T, Failure>>>);

impl<T> Default for Answers<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Answers<T> {
    /// These are the next ones.
    pub(crate) fn are(&self, answers: impl IntoIterator<Item = Result<T, Failure>>) {
        lock(&self.0).extend(answers);
    }

    fn next(&self) -> Option<Result<T, Failure>> {
        lock(&self.0).pop_front()
    }

    fn or_fails(&self) -> Result<T, Failure> {
        self.next().unwrap_or_else(|| Err(failed()))
    }
}

impl Script {
    /// What was asked so far, in order.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }

    fn ask(&self, asked: Asked) {
        lock(&self.asked).push(asked);
    }
}

/// Opens [`FakeSession`]s.
#[derive(Debug, Default)]
pub(crate) struct FakeDriver(pub(crate) Arc<Script>);

/// A session of nothing but its script.
#[derive(Debug, Default)]
pub(crate) struct FakeSession {
    number: i64,
    script: Arc<Script>,
    /// The one when it was opened.
    start: Option<Start>,
    /// Whether an answer was left half-read.
    cut: bool,
    /// Whether it was asked what is never answered.
    hangs: bool,
}

/// What it fails of.
pub(crate) fn failed() -> Failure {
    Failure::Store(StoreError::Failed { detail: "for the test".to_owned() })
}

/// How it is lost.
pub(crate) fn lost() -> Failure {
    Failure::Lost { detail: "for the test".to_owned() }
}

impl Manager for FakeDriver {
    type Type = FakeSession;
    type Error = StoreError;

    async fn create(&self) -> Result<FakeSession, StoreError> {
        if self.0.opens_none.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.0.is_full.load(Ordering::SeqCst) {
            let detail = "too many connections".to_owned();
            return Err(StoreError::Unavailable { reason: Reason::Queue, detail });
        }
        let mut opened = lock(&self.0.opened);
        *opened += 1;
        let start = *lock(&self.0.start);
        Ok(FakeSession { number: *opened, script: Arc::clone(&self.0), start, cut: false, hangs: false })
    }

    async fn recycle(&self, _: &mut FakeSession, _: &Metrics) -> RecycleResult<StoreError> {
        if self.0.idle_hang.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(())
    }
}

#[async_trait]
impl Driver for FakeDriver {
    type Session = FakeSession;

    fn dialect(&self) -> &'static Dialect {
        if self.0.lists.load(Ordering::SeqCst) { &MYSQL } else { &POSTGRES }
    }

    fn address(&self) -> String {
        "fake".to_owned()
    }

    fn shows_unflushed(&self) -> bool {
        lock(&self.0.start).is_some()
    }

    fn clock(&self) -> &'static str {
        "0"
    }

    async fn create_database(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl Session for FakeSession {
    async fn cells(&mut self, _: &Query, budget: usize) -> Result<Cells, Failure> {
        self.script.ask(Asked::Cells(self.number));
        if self.script.hangs.load(Ordering::SeqCst) {
            self.hangs = true;
            std::future::pending::<()>().await;
        }
        let (cells, cut) = self.script.cells.or_fails()?;
        let cut = cut || cells.iter().map(size).sum::<usize>() > budget;
        self.cut |= cut;
        Ok(Cells { cells, cut })
    }

    async fn fetch(&mut self, _: &Query) -> Result<Vec<Vec<Value>>, Failure> {
        self.script.fetches.or_fails()
    }

    async fn execute(&mut self, _: &Query) -> Result<u64, Failure> {
        self.script.executes.or_fails()
    }

    async fn run(&mut self, text: &str) -> Result<(), Failure> {
        self.script.ask(Asked::Run(self.number, text.to_owned()));
        self.script.runs.next().unwrap_or_else(|| if text == "BEGIN" { Ok(()) } else { Err(failed()) })
    }

    async fn insert(&mut self, _: Epoch, rows: &[NewRow<'_>], _: Existing) -> Result<Vec<Option<Place>>, Failure> {
        self.script.ask(Asked::Insert(self.number, rows.len()));
        self.script.inserts.or_fails()
    }

    fn tells_places(&self) -> bool {
        !self.script.untold.load(Ordering::SeqCst)
    }

    fn mark(&self) -> Mark {
        Mark { number: self.number, nonce: "".into() }
    }

    async fn end(&mut self, other: &Mark, _: Duration) -> Result<bool, Failure> {
        self.script.ask(Asked::End(other.number));
        self.script.ends.next().unwrap_or(Ok(true))
    }

    async fn idle(&mut self, other: &Mark) -> Result<Option<Duration>, Failure> {
        self.script.ask(Asked::Idle(other.number));
        self.script.idles.next().unwrap_or(Ok(None))
    }

    fn is_awaited(&self) -> bool {
        self.hangs
    }

    fn hang_up(&mut self) {}

    fn start(&self) -> Option<Start> {
        self.start
    }

    async fn pass_over(&mut self, passing: PassOver) -> Result<(), Failure> {
        self.script.ask(Asked::PassOver(self.number, passing));
        // As over a network: others get on meanwhile.
        tokio::task::yield_now().await;
        self.script.passes.next().unwrap_or(Ok(()))
    }

    async fn confirm(&mut self, _: Holds) -> Result<(), Failure> {
        self.script.ask(Asked::Confirm(self.number));
        self.script.confirms.next().unwrap_or(Ok(()))
    }

    fn is_idle(&self) -> bool {
        !self.cut
    }

    async fn define(&mut self, _: &[String]) -> Result<(), Failure> {
        Err(failed())
    }
}
