//! Ending in the middle: what was started ends, and its files go.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use crate::processes;

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// On Ctrl-C and on SIGTERM: kills every descendant of this process, removes the directory, and ends.
///
/// Without a runtime for signals, the kernel still ends the processes with this one, and only files are left.
pub fn clean_up_on_signals(directory: PathBuf) {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        let arrived = runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt()).ok()?;
            let mut terminate = signal(SignalKind::terminate()).ok()?;
            tokio::select! {
                signal = interrupt.recv() => signal,
                signal = terminate.recv() => signal,
            }
        });
        if arrived.is_none() {
            return;
        }
        eprintln!("interrupted: ending the servers");
        let own = std::process::id();
        let until = Instant::now() + PATIENCE;
        loop {
            let left = processes::descendants(own);
            for process in &left {
                if let Some(pid) = Pid::from_raw(*process as i32) {
                    // One that is gone already is what is wanted.
                    let _ = kill_process(pid, Signal::KILL);
                }
            }
            if left.is_empty() || Instant::now() > until {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = std::fs::remove_dir_all(&directory);
        std::process::exit(130);
    });
}
