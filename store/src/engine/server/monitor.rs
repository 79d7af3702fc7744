//! One more session to the server, beside the pool: by it others are looked after that do not answer, and the server is asked
//! for a sign of life while all of them are in use.
//!
//! A connection that is lost without a word (a router forgot it, a cable was pulled) looks like a server that takes long.
//! The server tells them apart: it waits for the one session to ask something, and works for the other. And what a session
//! that was given up is doing goes on until it is ended.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use deadpool::managed::Pool;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::backend::Timeouts;
use crate::engine::server::attempts::{GRACE, PAUSE, bounded};
use crate::engine::server::core::way;
use crate::engine::server::driver::{Driver, Failure, Mark, Session};

/// How long the session is used without a doubt; an older one may be lost as well.
const FRESH: Duration = Duration::from_secs(1);

/// Least time without an answer after which the server is asked.
const LEAST_PATIENCE: Duration = Duration::from_secs(1);

/// Bytes that even a slow network carries in a second.
const SLOWEST: usize = 256 * 1024;

/// Looks after the sessions to one server.
pub(crate) struct Monitor<D: Driver> {
    /// Who knows how to open sessions; the monitor's own is none of the pool's.
    pool: Pool<D>,
    timeouts: Timeouts,
    /// The session and when it answered last.
    session: Mutex<Option<(D::Session, Instant)>>,
}

impl<D: Driver> Monitor<D> {
    /// One that opens no session before it needs one.
    pub(crate) fn new(pool: Pool<D>, timeouts: Timeouts) -> Self {
        Self { pool, timeouts, session: Mutex::default() }
    }

    /// The outcome of `work`, which waits for the marked session, within `limit`; `None` if it takes longer. `sent` is about
    /// how many bytes the server has to receive first.
    ///
    /// When half a connect timeout has passed without an answer, the server is asked. If it has itself waited for that long for
    /// the session to ask something, the connection is lost. If the server does not say so, the wait goes on.
    pub(crate) async fn answered<T>(
        &self,
        mark: &Mark,
        sent: usize,
        limit: Duration,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Option<Result<T, Failure>> {
        let until = Instant::now() + limit;
        let patience = LEAST_PATIENCE.max(self.timeouts.connect / 2);
        let patience = patience + Duration::from_secs_f64(sent as f64 / SLOWEST as f64);
        let (mut work, mut wait) = (pin!(work), patience);
        loop {
            if let Ok(done) = tokio::time::timeout_at(until.min(Instant::now() + wait), &mut work).await {
                return Some(done);
            }
            if Instant::now() >= until {
                return None;
            }
            let idle = tokio::select! {
                biased;
                done = &mut work => return Some(done),
                idle = self.ask(mark, Question::Idle) => idle,
                () = tokio::time::sleep_until(until) => return None,
            };
            if idle.is_ok_and(|idle| idle.is_some_and(|idle| idle >= patience)) {
                // What the server has sent may still be on a slow way.
                if let Ok(done) = tokio::time::timeout(LEAST_PATIENCE, &mut work).await {
                    return Some(done);
                }
                let detail = format!("no answer, and the server has waited for a question for {patience:?}");
                return Some(Err(Failure::Lost { detail }));
            }
            wait = patience / 2;
        }
    }

    /// Ends the marked session, which was given up, and waits until it is over, but no longer than for a lock.
    pub(crate) async fn end(&self, mark: &Mark) {
        let until = Instant::now() + self.timeouts.lock + GRACE;
        let mut pause = PAUSE.0;
        loop {
            match tokio::time::timeout_at(until, self.ask(mark, Question::End)).await {
                Ok(Ok(Some(_))) => return,
                Ok(Ok(None) | Err(_)) if Instant::now() + pause < until => tokio::time::sleep(pause).await,
                Ok(_) | Err(_) => {
                    tracing::debug!(session = mark.number, "a session that was given up is not known to be over");
                    return;
                }
            }
            pause = PAUSE.1.min(pause * 2);
        }
    }

    /// The server and back, within the time for connecting: how long the way was.
    pub(crate) async fn ping(&self) -> Result<Duration, Failure> {
        bounded(self.timeouts.connect, self.with_session(async |session| way(session).await)).await
    }

    /// For how long the server has not worked for the marked session; `None` if it does.
    async fn ask(&self, mark: &Mark, question: Question) -> Result<Option<Duration>, Failure> {
        let asked = self.with_session(async |session| match question {
            Question::Idle => session.idle(mark).await,
            Question::End => session.end(mark, Duration::ZERO).await.map(|is_over| is_over.then_some(Duration::MAX)),
        });
        asked.await
    }

    /// What the session answers. One that does not is not used again.
    async fn with_session<T>(
        &self,
        ask: impl AsyncFnOnce(&mut D::Session) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        // One after the other: however many are stuck, there is one session more.
        let mut kept = self.session.lock().await;
        let mut session = match kept.take() {
            Some((session, used)) if used.elapsed() < FRESH => session,
            Some(_) | None => {
                let open = async { self.pool.manager().create().await.map_err(Failure::from) };
                bounded(self.timeouts.connect, open).await?
            }
        };
        let answer = bounded(self.timeouts.connect, ask(&mut session)).await?;
        *kept = Some((session, Instant::now()));
        Ok(answer)
    }
}

/// What is asked about a session.
#[derive(Clone, Copy, Debug)]
enum Question {
    /// Whether the server waits for it.
    Idle,
    /// To end it.
    End,
}
