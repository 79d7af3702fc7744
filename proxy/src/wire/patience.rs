//! Waiting with a limit, for what is waited for again and again.
//!
//! A limit that moves with every command would be entered into the runtime's timers and taken out again each time.
//! Here the timer stays where it is: when it fires early, it is set to the limit there is by then. In hours of waiting
//! for commands that costs a few wake-ups, and nothing per command.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// What stands for a limit that no clock reaches.
const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

/// A timer for one connection's waits, one after the other.
#[derive(Debug, Default)]
pub struct Patience {
    timer: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    /// The outcome of `work`, or `None` if it takes longer than `limit`. The work stays where it is: handed over, it would be
    /// copied for every command.
    pub fn wait<'a, F: Future>(
        &'a mut self,
        limit: Duration,
        work: Pin<&'a mut F>,
    ) -> impl Future<Output = Option<F::Output>> + use<'a, F> {
        // From the first time there is something to wait for.
        let deadline = move || {
            let now = Instant::now();
            now.checked_add(limit).unwrap_or(now + FOREVER)
        };
        self.until(deadline, work)
    }

    /// The outcome of `work`, or `None` if there is none by the deadline.
    pub fn wait_until<'a, F: Future>(
        &'a mut self,
        deadline: Instant,
        work: Pin<&'a mut F>,
    ) -> impl Future<Output = Option<F::Output>> + use<'a, F> {
        self.until(move || deadline, work)
    }

    fn until<'a, F: Future, L: Fn() -> Instant>(
        &'a mut self,
        limit: L,
        mut work: Pin<&'a mut F>,
    ) -> impl Future<Output = Option<F::Output>> + use<'a, F, L> {
        let mut deadline = None;
        poll_fn(move |cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Some(done));
            }
            let deadline = *deadline.get_or_insert_with(&limit);
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if timer.deadline() > deadline {
                timer.as_mut().reset(deadline);
            }
            while timer.as_mut().poll(cx).is_ready() {
                if Instant::now() >= deadline {
                    // A timer that has fired stays so: the next wait sets it anew.
                    self.timer = None;
                    return Poll::Ready(None);
                }
                timer.as_mut().reset(deadline);
            }
            Poll::Pending
        })
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_wait_has_its_own_limit_whatever_came_before() {
        let mut patience = Patience::default();
        let start = Instant::now();
        assert_eq!(patience.wait(10 * SECOND, pin!(sleep(9 * SECOND))).await, Some(()));
        assert_eq!(patience.wait(10 * SECOND, pin!(sleep(9 * SECOND))).await, Some(()));
        assert_eq!(start.elapsed().as_secs(), 18);
        assert_eq!(patience.wait(3 * SECOND, pin!(sleep(9 * SECOND))).await, None);
        assert_eq!(start.elapsed().as_secs(), 21);
        assert_eq!(patience.wait(SECOND, pin!(sleep(9 * SECOND))).await, None);
        assert_eq!(patience.wait(20 * SECOND, pin!(sleep(19 * SECOND))).await, Some(()));
        assert_eq!(start.elapsed().as_secs(), 41);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_done_at_once_sets_no_timer() {
        let mut patience = Patience::default();
        assert_eq!(patience.wait(SECOND, pin!(async { 7 })).await, Some(7));
        assert!(patience.timer.is_none());
    }
}
