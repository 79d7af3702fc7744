//! How the thread that writes to a file is doing.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How the thread is doing.
#[derive(Debug)]
pub(super) struct Pulse {
    started: Instant,
    /// When the job under way began: microseconds after `started`, plus one; 0 without one.
    since: AtomicU64,
    /// Whether the file could not be opened again behind a failure.
    pub(super) shut_out: AtomicBool,
    /// Whether a job that tries it once more is queued.
    pub(super) trying: AtomicBool,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), since: 0.into(), shut_out: false.into(), trying: false.into() }
    }

    pub(super) fn begins(&self) {
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX - 1);
        self.since.store(micros + 1, Ordering::Release);
    }

    pub(super) fn ends(&self) {
        self.since.store(0, Ordering::Release);
    }

    pub(super) fn is_shut_out(&self) -> bool {
        self.shut_out.load(Ordering::Acquire)
    }

    /// For how long the job under way has been.
    pub(super) fn busy(&self) -> Duration {
        match self.since.load(Ordering::Acquire) {
            0 => Duration::ZERO,
            since => self.started.elapsed().saturating_sub(Duration::from_micros(since - 1)),
        }
    }
}
