//! Time zones by name, out of the zoneinfo files of the system.
//!
//! A file is read the first time its zone is named, and kept: a change of it (a new tzdata) holds from the next start.
//! Names are looked up as MySQL does, whatever their case.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use cellgate_sql::{TimeZone, Zone};
use thiserror::Error;

use crate::sync::lock;

/// Where systems keep zoneinfo files.
const FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo"];
/// Most names kept: there are some 600, and as many ways to write them as clients like.
const NAMES: usize = 2048;
/// Longest name, in bytes: MySQL's bound.
const NAME_BYTES: usize = 64;
/// Most bytes read of a file; one that has more is none.
const FILE_BYTES: u64 = (64 << 10) + 1;

/// A zone's file may be there, and cannot be read now.
#[derive(Debug, Error)]
#[error("the file of time zone '{name}' cannot be read: {source}")]
pub struct UnreadableZone {
    /// The zone.
    name: String,
    /// Why.
    source: io::Error,
}

/// The time zones that have a name.
#[derive(Debug)]
pub struct Zones {
    /// The folders that are there.
    folders: Vec<PathBuf>,
    /// What was found, by the name as it was written.
    known: Mutex<HashMap<String, Arc<Zone>>>,
}

impl Zones {
    /// The zones of the machine this runs on.
    pub fn of_the_system() -> Self {
        Self::within(&FOLDERS.map(Path::new))
    }

    /// The zones of these folders, the first that has one first.
    pub fn within(folders: &[&Path]) -> Self {
        let there = folders.iter().filter(|folder| folder.is_dir());
        Self { folders: there.map(|folder| folder.to_path_buf()).collect(), known: Mutex::default() }
    }

    /// Whether no folder with zones is there.
    pub fn is_empty(&self) -> bool {
        self.folders.is_empty()
    }

    /// The zone of this name: an offset, `UTC`, `SYSTEM` (which is UTC), or one of the files. Reads the file, of a few
    /// kilobytes, the first time.
    ///
    /// # Errors
    /// [`UnreadableZone`] if there may be such a file, but it cannot be read now: no file descriptors are left, mostly.
    pub fn find(&self, name: &str) -> Result<Option<TimeZone>, UnreadableZone> {
        if let Some(zone) = TimeZone::named(name) {
            return Ok(Some(zone));
        }
        let Some(parts) = parts(name) else { return Ok(None) };
        if let Some(zone) = lock(&self.known).get(name) {
            return Ok(Some(TimeZone::Place(Arc::clone(zone))));
        }
        let found = self.folders.iter().find_map(|folder| read(folder, &parts).transpose()).transpose();
        let found = found.map_err(|source| UnreadableZone { name: name.to_owned(), source })?;
        let Some(zone) = found.map(Arc::new) else { return Ok(None) };
        let mut known = lock(&self.known);
        if known.len() < NAMES {
            known.insert(name.to_owned(), Arc::clone(&zone));
        }
        Ok(Some(TimeZone::Place(zone)))
    }
}

/// The parts of a name, none of which leads out of a folder.
fn parts(name: &str) -> Option<Vec<&str>> {
    let plain = |part: &str| {
        let first = part.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        first && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'_'))
    };
    let parts: Vec<&str> = name.split('/').collect();
    (name.len() <= NAME_BYTES && parts.iter().all(|part| plain(part))).then_some(parts)
}

/// The zone of a folder's file, if it has one.
fn read(folder: &Path, parts: &[&str]) -> io::Result<Option<Zone>> {
    let mut path = folder.to_owned();
    let mut name = Vec::with_capacity(parts.len());
    for part in parts {
        let Some(written) = written(&path, part)? else { return Ok(None) };
        path.push(&written);
        name.push(written);
    }
    // Not a pipe or a device, which could be waited for.
    if !there(fs::metadata(&path))?.is_some_and(|file| file.is_file()) {
        return Ok(None);
    }
    let Some(file) = there(File::open(&path))? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(FILE_BYTES).read_to_end(&mut bytes)?;
    match Zone::parse(&name.join("/"), &bytes) {
        Ok(zone) => Ok(Some(zone)),
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "not a time zone");
            Ok(None)
        }
    }
}

/// A name as the folder has it, whatever its case.
fn written(folder: &Path, part: &str) -> io::Result<Option<String>> {
    if folder.join(part).exists() {
        return Ok(Some(part.to_owned()));
    }
    for entry in there(fs::read_dir(folder))?.into_iter().flatten() {
        if let Ok(name) = entry?.file_name().into_string()
            && name.eq_ignore_ascii_case(part)
        {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// What is not there is nothing; any other failure says nothing about what is there.
fn there<T>(outcome: io::Result<T>) -> io::Result<Option<T>> {
    match outcome {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A version 1 file of a zone that is always so many seconds ahead.
    fn fixed(ahead: i32) -> Vec<u8> {
        let mut file = b"TZif".to_vec();
        file.extend([0; 16]);
        for count in [0_u32, 0, 0, 0, 1, 4] {
            file.extend(count.to_be_bytes());
        }
        file.extend(ahead.to_be_bytes());
        file.extend([0, 0]);
        file.extend(b"ABC\0");
        file
    }

    #[test]
    fn a_zone_is_found_in_any_case_and_only_within_the_folder() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("zoneinfo");
        fs::create_dir_all(folder.join("Some")).unwrap();
        fs::write(folder.join("Some/Where"), fixed(3600)).unwrap();
        fs::write(folder.join("junk"), "no zone").unwrap();
        fs::write(root.path().join("outside"), fixed(60)).unwrap();
        let zones = Zones::within(&[&root.path().join("none"), &folder]);
        assert!(!zones.is_empty());
        for name in ["Some/Where", "some/WHERE", "Some/Where"] {
            let Some(TimeZone::Place(zone)) = zones.find(name).unwrap() else { panic!("{name}") };
            assert_eq!(zone.name(), "Some/Where");
        }
        let outside = root.path().join("outside");
        let long = format!("Some/{}", "a".repeat(NAME_BYTES));
        for name in ["../outside", "Some/../Some/Where", outside.to_str().unwrap(), "junk", "Some", "", "/", &long] {
            assert_eq!(zones.find(name).unwrap(), None, "{name}");
        }
        assert_eq!(zones.find("utc").unwrap(), Some(TimeZone::UTC));
    }

    #[test]
    fn a_file_that_cannot_be_read_now_is_not_an_unknown_zone() {
        let root = tempfile::tempdir().unwrap();
        // Opening it fails, whoever asks, as when there are no file descriptors left.
        std::os::unix::fs::symlink("Loop", root.path().join("Loop")).unwrap();
        fs::write(root.path().join("Place"), fixed(60)).unwrap();
        let zones = Zones::within(&[root.path()]);
        let error = zones.find("Loop").unwrap_err().to_string();
        assert!(error.contains("the file of time zone 'Loop' cannot be read"), "{error}");
        assert_eq!(zones.find("Place/Within").unwrap(), None);
        assert_eq!(zones.find("Nowhere").unwrap(), None);
    }

    #[test]
    fn without_zoneinfo_there_are_offsets_only() {
        let zones = Zones::within(&[]);
        assert!(zones.is_empty());
        assert_eq!(zones.find("Europe/Paris").unwrap(), None);
        assert_eq!(zones.find("+02:00").unwrap(), TimeZone::named("+02:00"));
    }
}
