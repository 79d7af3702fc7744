//! Long work that keeps no other client waiting: another thread serves them meanwhile.

use std::sync::LazyLock;
use std::thread::available_parallelism;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;

/// Work that is handed over by [`handing_over_few`]: as much at a time as there are processors.
static HANDED: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, usize::from)));

/// The same of work that many clients may ask for at once: each would take a thread, of which there are not so many. What is
/// beyond the number of processors is done here.
pub(crate) fn handing_over_few<T>(work: impl FnOnce() -> T) -> T {
    match HANDED.try_acquire() {
        Ok(_permit) => handing_over(work),
        Err(_) => work(),
    }
}

/// Does long work while another thread serves the other clients, if the runtime may have more than this one.
pub(crate) fn handing_over<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        Ok(_) | Err(_) => work(),
    }
}
