//! Waiting for something to become true, with a deadline: the one place of these tests that sleeps.

use std::time::{Duration, Instant};

/// Far above what anything waited for here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(5);

/// Returns once `holds` answers true; panics after half a minute.
pub async fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what} did not happen within {PATIENCE:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Lets `time` pass, where it is time alone that makes the difference: `why` says which.
pub async fn passes(why: &str, time: Duration) {
    eprintln!("{time:?}: {why}");
    tokio::time::sleep(time).await;
}

/// Asks again and again until there is an answer; panics after half a minute.
pub async fn for_some<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < PATIENCE, "{what} did not happen within {PATIENCE:?}");
        tokio::time::sleep(PAUSE).await;
    }
}
