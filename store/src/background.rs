//! Work that goes on beside other work until it is told to stop.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// Does `work` at once and then in this interval, for ever. Work that takes longer than the interval is not made up for.
pub async fn every<F: Future<Output = ()>>(period: Duration, work: impl Fn() -> F) {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        work().await;
    }
}

/// Returns once `shutdown` is `true`, or nobody is left who could turn it.
pub async fn told(shutdown: &mut watch::Receiver<bool>) {
    // What it answers borrows the channel's lock, which must not be held over an await of the caller's.
    let _ = shutdown.wait_for(|stop| *stop).await;
}
