//! Waiting for something to become true, with a deadline.

use std::time::{Duration, Instant};

/// How long a test waits for a process to start, to stop or to recover. Generous: a loaded machine with two cores still
/// makes it, and a test that would pass never waits that long.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Pause between two questions: short beside what is waited for (starting a server takes a second).
pub const PAUSE: Duration = Duration::from_millis(20);

/// Asks until the answer is `Some`.
///
/// # Panics
///
/// If `limit` passes first; the message names `what`.
pub fn until<T>(what: &str, limit: Duration, ask: impl FnMut() -> Option<T>) -> T {
    at_most(limit, ask).unwrap_or_else(|| panic!("waited {limit:?} in vain for {what}"))
}

/// Asks until the answer is `Some`, or `limit` has passed.
pub fn at_most<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        let answer = ask();
        if answer.is_some() || Instant::now() >= end {
            return answer;
        }
        std::thread::sleep(PAUSE);
    }
}

/// The same for questions that are asked asynchronously.
///
/// # Panics
///
/// If `limit` passes first; the message names `what`.
pub async fn until_async<T>(what: &str, limit: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < end, "waited {limit:?} in vain for {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Lets `time` pass, where it is time alone that makes the difference: `why` says which. What can be asked for is waited for by
/// [`until`].
pub fn passes(why: &str, time: Duration) {
    eprintln!("{time:?}: {why}");
    std::thread::sleep(time);
}

/// Lets a load run for `time` while something else is about to happen to it. Nothing is right because of it: it only
/// decides how much load there is.
pub async fn under_load(time: Duration) {
    tokio::time::sleep(time).await;
}
