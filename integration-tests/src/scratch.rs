//! Temporary directories that servers of another user can use, and that do not pile up.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const PREFIX: &str = "cellgate-test-";

/// A directory that is removed with the value.
#[derive(Debug)]
pub struct Scratch {
    dir: tempfile::TempDir,
}

impl Scratch {
    /// A new, empty directory. Directories of test runs that were killed are removed on the way.
    ///
    /// # Panics
    ///
    /// If the temporary directory of the machine cannot be written.
    pub fn new() -> Self {
        remove_orphans(&std::env::temp_dir());
        let dir = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
            .tempdir()
            .expect("a temporary directory");
        // Servers run as users of their own when the tests run as root.
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).expect("permissions of our own");
        Self { dir }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A path in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// Removes what processes that are gone left behind: a killed test cannot clean up.
fn remove_orphans(root: &Path) {
    for entry in std::fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split('-').next());
        if let Some(pid) = owner
            && !Path::new("/proc").join(pid).exists()
        {
            // Somebody else's test may be removing it too.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_is_removed_by_the_next() {
        let root = tempfile::tempdir().unwrap();
        let left = root.path().join(format!("{PREFIX}999999999-abc"));
        let used = root.path().join(format!("{PREFIX}{}-abc", std::process::id()));
        std::fs::create_dir(&left).unwrap();
        std::fs::create_dir(&used).unwrap();
        remove_orphans(root.path());
        assert!(!left.exists());
        assert!(used.exists());
    }
}
