//! Which HTTP connection makes room for a new one, and how long a new one may take to ask.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use crate::sync::lock;

/// Longest wait for the head of a connection's first request.
const FIRST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// The open connections, the one whose last request (or beginning) is the longest ago first.
#[derive(Debug, Default)]
pub(super) struct Line {
    state: Mutex<LineState>,
}

#[derive(Debug, Default)]
struct LineState {
    next: u64,
    waiting: BTreeMap<u64, Arc<Notify>>,
}

impl Line {
    /// A new connection, at the end of the line.
    pub(super) fn enter(self: &Arc<Self>) -> InLine {
        let leave = Arc::new(Notify::new());
        InLine {
            line: Arc::clone(self),
            place: AtomicU64::new(self.append(&leave)),
            leave,
            has_asked: AtomicBool::new(false),
        }
    }

    fn append(&self, leave: &Arc<Notify>) -> u64 {
        let mut state = lock(&self.state);
        let place = state.next;
        state.next += 1;
        state.waiting.insert(place, Arc::clone(leave));
        place
    }

    /// Tells the first connection to end.
    pub(super) fn send_off_first(&self) {
        if let Some((_, leave)) = lock(&self.state).waiting.pop_first() {
            leave.notify_one();
        }
    }
}

/// A connection in the line; dropped, it is out of it.
#[derive(Debug)]
pub(super) struct InLine {
    line: Arc<Line>,
    place: AtomicU64,
    leave: Arc<Notify>,
    has_asked: AtomicBool,
}

impl InLine {
    /// It has asked for something: to the end of the line.
    pub(super) fn asked(&self) {
        self.has_asked.store(true, Ordering::Relaxed);
        let before = self.place.load(Ordering::Relaxed);
        // One that was told to leave stays out.
        if lock(&self.line.state).waiting.remove(&before).is_some() {
            self.place.store(self.line.append(&self.leave), Ordering::Relaxed);
        }
    }

    /// Returns when it has to end at once: for another one's sake, or because its first request does not come.
    pub(super) async fn has_to_leave(&self) {
        tokio::select! {
            () = self.leave.notified() => return,
            () = tokio::time::sleep(FIRST_HEAD_TIMEOUT) => {}
        }
        if self.has_asked.load(Ordering::Relaxed) {
            self.leave.notified().await;
        }
    }
}

impl Drop for InLine {
    fn drop(&mut self) {
        lock(&self.line.state).waiting.remove(&self.place.load(Ordering::Relaxed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_first_head_that_does_not_come_ends_the_connection_and_later_ones_may_take_longer() {
        let line = Arc::new(Line::default());
        let (silent, scraper) = (line.enter(), line.enter());
        scraper.asked();
        let begun = tokio::time::Instant::now();
        silent.has_to_leave().await;
        assert_eq!(begun.elapsed(), FIRST_HEAD_TIMEOUT);
        assert!(tokio::time::timeout(FIRST_HEAD_TIMEOUT * 10, scraper.has_to_leave()).await.is_err());
        line.send_off_first();
        line.send_off_first();
        scraper.has_to_leave().await;
        // It does not come back.
        scraper.asked();
        assert!(lock(&line.state).waiting.is_empty());
    }
}
