//! Ending in the middle: what was started ends, and its files go.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cellgate_integration_tests::process;
use rustix::process::{Pid, Signal, kill_process};

use crate::processes;

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks without anything left to kill until all is over: a step under way may just start something.
const QUIET_LOOKS: u32 = 5;

/// Whether the run is being ended.
#[derive(Clone, Debug, Default)]
pub struct Interrupted(Arc<AtomicBool>);

impl Interrupted {
    /// Never returns once it is: what is to be started now would outlive the cleaning up.
    pub fn stop_here(&self) {
        while self.0.load(Ordering::Relaxed) {
            std::thread::park();
        }
    }
}

/// On Ctrl-C and on SIGTERM: kills every descendant of this process, removes the directory, and ends.
///
/// Without a runtime for signals, the kernel still ends the processes with this one, and only files are left.
pub fn clean_up_on_signals(directory: PathBuf) -> Interrupted {
    let interrupted = Interrupted::default();
    let flag = Arc::clone(&interrupted.0);
    std::thread::spawn(move || {
        if !process::asked_to_stop() {
            return;
        }
        flag.store(true, Ordering::Relaxed);
        eprintln!("interrupted: ending the servers");
        let own = std::process::id();
        let until = Instant::now() + PATIENCE;
        let mut quiet = 0;
        while quiet < QUIET_LOOKS && Instant::now() < until {
            let left = processes::descendants(own);
            for process in &left {
                if let Some(pid) = Pid::from_raw(*process as i32) {
                    // One that is gone already is what is wanted.
                    let _ = kill_process(pid, Signal::KILL);
                }
            }
            quiet = if left.is_empty() { quiet + 1 } else { 0 };
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = std::fs::remove_dir_all(&directory);
        std::process::exit(130);
    });
    interrupted
}
