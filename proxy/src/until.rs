//! When work on another thread must have ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Asked by the work, now and then, whether it is over.
#[derive(Clone, Debug)]
pub(crate) struct Until {
    deadline: Instant,
    abandoned: Arc<AtomicBool>,
}

/// Held by whoever waits for the work: when it is dropped (KILL, a client that goes away), nobody waits any more.
#[derive(Debug)]
pub(crate) struct Waiting(Arc<AtomicBool>);

impl Until {
    /// Until the deadline, and while somebody waits.
    pub fn new(deadline: Instant) -> (Self, Waiting) {
        let abandoned = Arc::new(AtomicBool::new(false));
        (Self { deadline, abandoned: Arc::clone(&abandoned) }, Waiting(abandoned))
    }

    /// Whether the work is to end.
    pub fn is_over(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed) || Instant::now() >= self.deadline
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn work_is_over_when_nobody_waits_or_at_the_deadline() {
        let (until, waiting) = Until::new(Instant::now() + Duration::from_secs(60));
        assert!(!until.is_over());
        drop(waiting);
        assert!(until.is_over());
        assert!(Until::new(Instant::now()).0.is_over());
    }
}
