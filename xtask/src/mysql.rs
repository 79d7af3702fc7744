//! A MySQL server and its own clients, in `target/mysql`: Debian's stable releases have none, its unstable one has.
//!
//! Its packages are unpacked there with all they need, C library included, and nothing of the system is touched. Where they
//! cannot be had, what is tested with a MySQL is tested with a MariaDB that is spoken to as if it were one, and the run says so.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Failure, quietly};
use crate::lock;
use crate::workspace::Workspace;

/// The packages, of unstable.
const PACKAGES: [&str; 2] = ["mysql-server-core", "mysql-client-core"];
/// The versions that the tests know. Debian's unstable has what is newest: another one is another server, and what it does
/// otherwise is no fault of a change that is tested with it.
const SERIES: &str = "9.7.";
/// Most seconds of one call of apt, retries and all.
const APT_SECONDS: &str = "300";
/// Most seconds of making an empty database.
const INITIALIZE_SECONDS: &str = "180";
/// The programs of theirs that are used.
const PROGRAMS: [&str; 3] = ["sbin/mysqld", "bin/mysql", "bin/mysqldump"];

/// Unpacks it unless it is there and runs. Says on the way what was found, or why there is none.
pub fn prepare(workspace: &Workspace) {
    let directory = workspace.mysql();
    // Another run must not remove what this one unpacks.
    let found = lock::hold(&directory).and_then(|_alone| {
        find_or_unpack(&directory).inspect_err(|_| {
            // What does not run would be found and started.
            let _ = fs::remove_dir_all(&directory);
        })
    });
    match found {
        Ok(version) => eprintln!("xtask: a MySQL: {version}"),
        Err(failure) => {
            eprintln!("xtask: no MySQL, so a MariaDB stands in for it in the tests that are about one: {failure}");
        }
    }
}

/// Answers its version.
fn find_or_unpack(directory: &Path) -> Result<String, Failure> {
    if let Ok(version) = version(directory).and_then(known) {
        return try_out(directory).map(|()| version);
    }
    // What an interrupted run left would be in the way.
    let _ = fs::remove_dir_all(directory);
    let apt = directory.join("apt");
    let options = options(&apt)?;
    let apt_get = || {
        let mut command = Command::new("timeout");
        command.args([APT_SECONDS, "apt-get"]).args(&options);
        command
    };
    quietly(apt_get().arg("update"))?;
    quietly(apt_get().args(["install", "--yes", "--download-only"]).args(PACKAGES))?;
    let root = directory.join("root");
    fs::create_dir_all(&root).map_err(|error| Failure::of_file(&root, &error))?;
    for package in list(&apt.join("cache/archives"))?.iter().filter(|path| path.extension().is_some_and(|e| e == "deb"))
    {
        quietly(Command::new("dpkg-deb").arg("--extract").arg(package).arg(&root))?;
    }
    for program in PROGRAMS {
        write_starter(directory, &root, program)?;
    }
    fs::remove_dir_all(&apt).map_err(|error| Failure::of_file(&apt, &error))?;
    let version = version(directory).and_then(known)?;
    try_out(directory).map(|()| version)
}

/// The version, if the tests know it.
fn known(version: String) -> Result<String, Failure> {
    if version.starts_with(SERIES) {
        return Ok(version);
    }
    Err(Failure::new(format!("it is a {version}, and the tests know {SERIES}x: run them with it, and change `SERIES`")))
}

/// Makes an empty database, once: a program that tells its version need not run here.
fn try_out(directory: &Path) -> Result<(), Failure> {
    let stamp = directory.join("tried");
    if stamp.is_file() {
        return Ok(());
    }
    let scratch = directory.join("scratch");
    let _ = fs::remove_dir_all(&scratch);
    fs::create_dir_all(&scratch).map_err(|error| Failure::of_file(&scratch, &error))?;
    let mut command = Command::new("timeout");
    command.arg(INITIALIZE_SECONDS).arg(directory.join("mysqld")).args(["--no-defaults", "--initialize-insecure"]);
    if quietly(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0") {
        command.arg("--user=root");
    }
    quietly(command.arg(format!("--datadir={}", scratch.join("data").display())).env("TMPDIR", &scratch))?;
    fs::remove_dir_all(&scratch).map_err(|error| Failure::of_file(&scratch, &error))?;
    fs::write(&stamp, "").map_err(|error| Failure::of_file(&stamp, &error))
}

fn version(directory: &Path) -> Result<String, Failure> {
    let line = quietly(Command::new(directory.join("mysqld")).arg("--version"))?;
    // "/../mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))"
    let version = line.split_whitespace().skip_while(|word| *word != "Ver").nth(1);
    version.map(str::to_owned).ok_or_else(|| Failure::new(format!("`mysqld --version` says {line:?}")))
}

/// Options that keep apt in a directory of its own, with unstable as its only source and nothing installed.
fn options(apt: &Path) -> Result<Vec<OsString>, Failure> {
    let keys = Path::new("/usr/share/keyrings/debian-archive-keyring.gpg");
    if !keys.is_file() {
        return Err(Failure::new(format!("not a Debian: no {}", keys.display())));
    }
    for part in ["lists/partial", "cache/archives/partial", "none"] {
        let part = apt.join(part);
        fs::create_dir_all(&part).map_err(|error| Failure::of_file(&part, &error))?;
    }
    let (sources, status) = (apt.join("sources.list"), apt.join("status"));
    let source = format!("deb [signed-by={}] {} sid main\n", keys.display(), mirror()?);
    fs::write(&sources, source).map_err(|error| Failure::of_file(&sources, &error))?;
    fs::write(&status, "").map_err(|error| Failure::of_file(&status, &error))?;
    let places: [(&str, PathBuf); 5] = [
        ("Dir::Etc::sourcelist", sources),
        ("Dir::Etc::sourceparts", apt.join("none")),
        ("Dir::State::lists", apt.join("lists")),
        ("Dir::State::status", status),
        ("Dir::Cache", apt.join("cache")),
    ];
    let mut options: Vec<OsString> = vec!["-qq".into(), "--no-install-recommends".into()];
    // As root apt becomes another user, who need not be able to write here.
    let mut settings: Vec<OsString> = [
        "APT::Sandbox::User=root",
        "Acquire::Languages=none",
        // Who has no way there is told soon, and why.
        "Acquire::Retries=0",
        "Acquire::http::Timeout=15",
        "Acquire::https::Timeout=15",
        "APT::Update::Error-Mode=any",
    ]
    .map(OsString::from)
    .to_vec();
    settings.extend(places.map(|(name, path)| {
        let mut setting = OsString::from(format!("{name}="));
        setting.push(path);
        setting
    }));
    options.extend(settings.into_iter().flat_map(|setting| ["-o".into(), setting]));
    Ok(options)
}

/// Where this machine gets Debian's main archive.
fn mirror() -> Result<String, Failure> {
    let format = "$(ORIGIN) $(COMPONENT) $(CODENAME) $(REPO_URI)";
    let sources = quietly(Command::new("apt-get").args(["indextargets", "--format", format, "Created-By: Packages"]))?;
    let of_main = sources.lines().find_map(|line| {
        let mut words = line.split(' ');
        let release = words.next() == Some("Debian") && words.next() == Some("main") && !words.next()?.contains('-');
        words.next().filter(|_| release)
    });
    of_main.map(str::to_owned).ok_or_else(|| Failure::new("apt has no source that is Debian's main archive"))
}

/// A script that runs a program with the C library and the files it was built for.
fn write_starter(directory: &Path, root: &Path, program: &str) -> Result<(), Failure> {
    let libraries = list(&root.join("usr/lib"))?;
    let libraries = libraries.iter().find(|path| path.to_string_lossy().ends_with("-linux-gnu"));
    let libraries = libraries.ok_or_else(|| Failure::new("the packages have no libraries"))?;
    let loader = list(libraries)?.into_iter().find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("ld-linux") || name.starts_with("ld64")
    });
    let loader = loader.ok_or_else(|| Failure::new("the packages have no dynamic loader"))?;
    let share = root.join("usr/share/mysql");
    // Only the server has options for where its files are that must come first.
    let own = if program.ends_with("mysqld") {
        format!(
            " \"$@\" '--basedir={}' '--lc-messages-dir={share}' '--character-sets-dir={share}/charsets'",
            root.join("usr").display(),
            share = share.display()
        )
    } else {
        " \"$@\"".to_owned()
    };
    let script = format!(
        "#!/bin/sh\nexec '{}' --library-path '{}' '{}'{own}\n",
        loader.display(),
        libraries.display(),
        root.join("usr").join(program).display()
    );
    let name = directory.join(Path::new(program).file_name().unwrap_or_default());
    fs::write(&name, script).map_err(|error| Failure::of_file(&name, &error))?;
    fs::set_permissions(&name, fs::Permissions::from_mode(0o755)).map_err(|error| Failure::of_file(&name, &error))
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = fs::read_dir(directory).map_err(|error| Failure::of_file(directory, &error))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_the_tests_do_not_know_is_not_used() {
        assert_eq!(known("9.7.4-2".to_owned()).unwrap(), "9.7.4-2");
        for other in ["9.70.1", "9.8.0-1", "8.4.6"] {
            let refusal = known(other.to_owned()).unwrap_err().to_string();
            assert!(refusal.contains(other) && refusal.contains("SERIES"), "{refusal}");
        }
    }
}
