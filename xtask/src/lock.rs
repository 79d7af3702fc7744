//! What only one of several runs in the same tree does at a time.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::command::Failure;

/// Waits until nobody else makes what is in `directory`, and says so; others wait until the answer is dropped. Whoever ends,
/// however it ends, lets go of it.
pub fn hold(directory: &Path) -> Result<File, Failure> {
    let path = directory.with_extension("lock");
    if let Some(above) = path.parent() {
        std::fs::create_dir_all(above).map_err(|error| Failure::of_file(above, &error))?;
    }
    let file = File::options().create(true).append(true).open(&path);
    let file = file.map_err(|error| Failure::of_file(&path, &error))?;
    let locked = match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            eprintln!("xtask: another run makes what is in {}: waiting for it", directory.display());
            file.lock()
        }
        Err(TryLockError::Error(error)) => Err(error),
        Ok(()) => Ok(()),
    };
    locked.map(|()| file).map_err(|error| Failure::of_file(&path, &error))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn a_second_run_goes_on_when_the_first_has_let_go() {
        let directory = std::env::temp_dir().join(format!("xtask-lock-{}", std::process::id()));
        let first = hold(&directory).unwrap();
        let path = directory.with_extension("lock");
        let busy = File::open(&path).unwrap().try_lock();
        assert!(matches!(busy, Err(TryLockError::WouldBlock)), "{busy:?}");
        let released = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                let _second = hold(&directory).unwrap();
                assert!(released.load(Ordering::SeqCst), "both had it");
            });
            released.store(true, Ordering::SeqCst);
            drop(first);
            second.join().unwrap();
        });
        std::fs::remove_file(&path).unwrap();
    }
}
