//! Ending a connection, or what it runs, from elsewhere: KILL and KILL QUERY.
//!
//! A wish is a bit that whoever runs the connection looks at, and is woken for. What must not be cut off half-way (a
//! COMMIT that is being written) is done under a [`Shield`]: the wish is granted behind it.
//!
//! All that waits for a wish waits in the one task of its connection, so that one waker is enough, and waiting costs a
//! statement an atomic read.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use futures_util::task::AtomicWaker;

/// The running statement is to end.
const STATEMENT: u8 = 1;
/// The connection is to end.
const CONNECTION: u8 = 2;
/// What runs now must not be cut off.
const SHIELDED: u8 = 4;

/// How one connection is killed. Clones are the same connection's.
#[derive(Clone, Debug, Default)]
pub struct KillSwitch(Arc<State>);

#[derive(Debug, Default)]
struct State {
    bits: AtomicU8,
    /// The connection's task.
    waker: AtomicWaker,
}

/// As long as it lives, statements are not interrupted.
#[must_use]
pub struct Shield {
    switch: KillSwitch,
    /// Whether another shield is around this one.
    outer: bool,
}

impl KillSwitch {
    /// The running statement ends with an error. One that begins later does not.
    pub fn kill_statement(&self) {
        self.set(STATEMENT);
    }

    /// The running statement ends with an error, and the connection behind it.
    pub fn kill_connection(&self) {
        self.set(CONNECTION);
    }

    /// A statement begins: a wish that came before it was for another one.
    pub fn statement_begins(&self) {
        self.0.bits.fetch_and(!STATEMENT, Ordering::Relaxed);
    }

    /// Whether the running statement is to end now.
    pub fn is_statement_killed(&self) -> bool {
        self.is_wished() && self.0.bits.load(Ordering::Relaxed) & SHIELDED == 0
    }

    /// Whether the running statement is to end, now or behind its shield.
    fn is_wished(&self) -> bool {
        self.0.bits.load(Ordering::Relaxed) & (STATEMENT | CONNECTION) != 0
    }

    /// Whether the connection is to end.
    pub fn is_connection_killed(&self) -> bool {
        self.0.bits.load(Ordering::Relaxed) & CONNECTION != 0
    }

    /// Completes once the connection is to end.
    pub async fn connection_killed(&self) {
        poll_fn(|cx| self.poll_connection_killed(cx)).await;
    }

    /// The same, for who waits for something else as well. To be asked again at every poll: a wish of either kind takes the
    /// waker with it.
    pub fn poll_connection_killed(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.waker.register(cx.waker());
        if self.is_connection_killed() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Does a part of a statement; `None` if the statement was killed in it, which is dropped then.
    pub async fn interruptible<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        if self.is_statement_killed() {
            return None;
        }
        let mut work = pin!(work);
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => {
                // Before looking, so that a wish in between is not missed.
                self.0.waker.register(cx.waker());
                if self.is_statement_killed() { Poll::Ready(None) } else { Poll::Pending }
            }
        })
        .await
    }

    /// Does a part of a statement that may end here although the statement is shielded, because whoever does it ends it
    /// properly; `None` if the statement was killed in it, which is dropped then.
    pub async fn interruptible_within<T>(&self, _shield: &Shield, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            self.0.waker.register(cx.waker());
            match work.as_mut().poll(cx) {
                Poll::Ready(done) => Poll::Ready(Some(done)),
                Poll::Pending if self.is_wished() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Keeps what follows from being cut off.
    pub fn shield(&self) -> Shield {
        let before = self.0.bits.fetch_or(SHIELDED, Ordering::Relaxed);
        Shield { switch: self.clone(), outer: before & SHIELDED != 0 }
    }

    fn set(&self, bit: u8) {
        self.0.bits.fetch_or(bit, Ordering::Relaxed);
        self.0.waker.wake();
    }
}

impl Drop for Shield {
    fn drop(&mut self) {
        if !self.outer {
            self.switch.0.bits.fetch_and(!SHIELDED, Ordering::Relaxed);
            self.switch.0.waker.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wish_ends_the_statement_that_runs_and_not_the_next_one() {
        let switch = KillSwitch::default();
        let other = switch.clone();
        let killing = async move { other.kill_statement() };
        let (work, ()) = tokio::join!(switch.interruptible(std::future::pending::<()>()), killing);
        assert_eq!(work, None);
        assert_eq!(switch.interruptible(async { 1 }).await, None);
        switch.statement_begins();
        assert_eq!(switch.interruptible(async { 1 }).await, Some(1));
        assert!(!switch.is_connection_killed());
    }

    #[tokio::test]
    async fn what_ends_properly_by_itself_is_ended_within_a_shield() {
        let switch = KillSwitch::default();
        let work = async {
            let shield = switch.shield();
            assert_eq!(switch.interruptible_within(&shield, async { 1 }).await, Some(1));
            switch.kill_statement();
            switch.interruptible_within(&shield, std::future::pending::<()>()).await
        };
        assert_eq!(switch.interruptible(work).await, Some(None), "and what follows it is shielded still");
    }

    #[tokio::test]
    async fn what_is_shielded_is_finished_first() {
        let switch = KillSwitch::default();
        let work = async {
            let shield = switch.shield();
            let inner = switch.shield();
            switch.kill_connection();
            tokio::task::yield_now().await;
            drop(inner);
            assert!(!switch.is_statement_killed(), "the outer shield is still up");
            drop(shield);
            std::future::pending::<()>().await;
        };
        assert_eq!(switch.interruptible(work).await, None);
        switch.connection_killed().await;
        switch.statement_begins();
        assert!(switch.is_statement_killed(), "a killed connection runs nothing more");
    }
}
