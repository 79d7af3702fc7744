//! Waiting for what is under way to end, when a store is closed.

use std::time::{Duration, Instant};

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until `is_over`, for at most `limit`.
pub(crate) async fn wait_until(is_over: impl Fn() -> bool, limit: Duration) {
    let until = Instant::now() + limit;
    while !is_over() && Instant::now() < until {
        tokio::time::sleep(PAUSE).await;
    }
}
