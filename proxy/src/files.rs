//! Files that are there whole or not at all.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Writes a file under a name beside its own, and renames it once it is on the disk. `mode` is that of a new file.
pub(crate) fn write_whole(path: &Path, text: &str, mode: u32) -> std::io::Result<()> {
    // Not by the process's number: in two containers that share a directory, both are number 1.
    let mut number = [0; 8];
    getrandom::fill(&mut number)?;
    let new = path.with_extension(format!("{:016x}.new", u64::from_ne_bytes(number)));
    let written = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&new)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&new, path));
    if written.is_err() {
        // Nobody would ever take it for the file; that it cannot be removed either is no news.
        let _ = std::fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_written_at_once_are_whole_and_nothing_is_left_beside_them() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("a.pem");
        let texts = ["a", "b", "c", "d"].map(|letter| letter.repeat(100_000));
        std::thread::scope(|scope| {
            for text in &texts {
                scope.spawn(|| write_whole(&path, text, 0o600).expect("written"));
            }
        });
        let written = std::fs::read_to_string(&path).expect("there");
        assert!(texts.contains(&written), "{} bytes", written.len());
        assert!(write_whole(&directory.path().join("none/a.pem"), "a", 0o600).is_err());
        assert_eq!(std::fs::read_dir(directory.path()).expect("read").count(), 1);
    }
}
