//! Work that goes on to its end even if whoever waits for it stops waiting: a deadline, KILL, a client that is gone.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// Work with all that must stay in force until it is over. Waited for it costs no task; dropped before its end it goes on
/// in one of its own.
///
/// `unheard` is what is done with the outcome if nobody waits for it any more.
pub(super) struct Carried<F, U = fn(<F as Future>::Output)>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    U: FnOnce(F::Output) + Send + Unpin + 'static,
{
    work: Option<Pin<Box<F>>>,
    unheard: Option<U>,
}

/// Work that is carried to its end, also if it is never waited for.
pub(super) fn carried<F>(work: F) -> Carried<F>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Carried { work: Some(Box::pin(work)), unheard: None }
}

/// The same, of which something is to be known also if nobody waits for it: then `unheard` has its outcome.
pub(super) fn carried_or<F, U>(work: F, unheard: U) -> Carried<F, U>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    U: FnOnce(F::Output) + Send + Unpin + 'static,
{
    Carried { work: Some(Box::pin(work)), unheard: Some(unheard) }
}

impl<F, U> Future for Carried<F, U>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    U: FnOnce(F::Output) + Send + Unpin + 'static,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // Taken out meanwhile: work that is over, or that panics, is not gone on with.
        let Some(mut work) = self.work.take() else { return Poll::Pending };
        let outcome = work.as_mut().poll(cx);
        if outcome.is_pending() {
            self.work = Some(work);
        }
        outcome
    }
}

impl<F, U> Drop for Carried<F, U>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
    U: FnOnce(F::Output) + Send + Unpin + 'static,
{
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        // Without a runtime everything is over.
        let Ok(runtime) = Handle::try_current() else { return };
        match self.unheard.take() {
            None => drop(runtime.spawn(work)),
            Some(unheard) => drop(runtime.spawn(async move { unheard(work.await) })),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::sync::Notify;
    use tokio::time::timeout;

    use super::*;
    use crate::locks::{Key, Locks, Mode};

    #[tokio::test]
    async fn a_write_keeps_locks_waiting_until_it_is_over_whoever_stopped_waiting_for_it() {
        let (locks, stored) = (Locks::alone(), Arc::new(Notify::new()));
        let table = Key::Table("d".to_owned(), "t".to_owned());
        let now = std::time::Instant::now();
        for _ in 0..2 {
            let entered = locks.enter(1, &[(table.clone(), Mode::Write)], &[], now).await.unwrap();
            let quick = Locks::quick_write(&locks);
            let write = carried({
                let stored = Arc::clone(&stored);
                async move {
                    stored.notified().await;
                    drop((entered, quick));
                }
            });
            assert!(timeout(Duration::from_millis(1), write).await.is_err(), "nobody stores it");
            assert!(locks.acquire(2, &[(Key::Tables, Mode::Read)], now).await.unwrap().is_none(), "the write goes on");
            stored.notify_one();
            let soon = now + Duration::from_secs(60);
            assert!(locks.acquire(2, &[(Key::Tables, Mode::Read)], soon).await.unwrap().is_some());
            locks.ended(2);
        }
    }

    #[tokio::test]
    async fn work_that_is_waited_for_answers_and_is_not_repeated() {
        let mut work = carried(async { 7 });
        assert_eq!((&mut work).await, 7);
        assert!(work.work.is_none());
    }

    #[tokio::test]
    async fn an_outcome_goes_to_who_waits_and_else_to_who_is_named() {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let work = |number: u32| {
            let tell = tell.clone();
            let slow = async move {
                tokio::task::yield_now().await;
                number
            };
            carried_or(slow, move |number| tell.send(number).unwrap())
        };
        assert_eq!(work(1).await, 1);
        drop(work(2));
        assert_eq!(told.recv().await, Some(2));
        assert!(told.try_recv().is_err(), "the first was waited for");
    }
}
