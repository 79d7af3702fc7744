//! `cellgate check`: what a configuration says, and whether what it names can be used.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use cellgate_metrics::Metrics;
use cellgate_store::StoreError;
use cellgate_store::deployment::{Comparison, ProxyInfo, SurplusTables, compare};
use rustix::fs::{Access, PROC_SUPER_MAGIC};

use super::stores::{Purpose, open_cluster, open_meta, setup};
use super::{ProgramError, environment, hostname, io};
use crate::cli::Check;
use crate::config::{Cluster, Config, Target};
use crate::tls::Tls;
use crate::{logging, version};

/// Prints the effective configuration and tries the certificate; with `--connect` also every store. Creates nothing.
pub(super) async fn check(arguments: Check) -> Result<(), ProgramError> {
    let config = Config::load(Some(&arguments.config), &environment, &Default::default())?;
    std::io::stdout().write_all(config.render().as_bytes()).map_err(|source| io("cannot print", source))?;
    for warning in &config.warnings {
        logging::say(&format!("warning: {warning}"));
    }
    let tls = Tls::check(&config.listen, Path::new(&config.data.dir));
    let tls = tls.map_err(|error| error.to_string()).and_then(|state| {
        let to_make = Tls::to_be_made(&config.listen, Path::new(&config.data.dir));
        to_make.map_or(Ok(()), |file| check_place(&file)).map(|()| state).map_err(|error| error.to_string())
    });
    let mut failed = usize::from(!report("TLS for clients", tls));
    if arguments.connect {
        failed += usize::from(!report("meta store", check_meta(&config).await));
        for cluster in &config.clusters {
            failed += usize::from(!report(&format!("cluster {}", cluster.name), check_cluster(&config, cluster).await));
        }
        if failed == 0 {
            failed += usize::from(!report("deployment", check_deployment(&config).await));
        }
    }
    if failed > 0 { Err(ProgramError::CheckFailed(failed)) } else { Ok(()) }
}

async fn check_meta(config: &Config) -> Result<String, StoreError> {
    if let Some(path) = missing_file(&config.topology.meta) {
        return check_place(path).map(|()| no_file_yet(path));
    }
    let meta = open_meta(config, Purpose::Check)?;
    if meta.exists().await? {
        meta.check_writable().await?;
        return Ok("reached".to_owned());
    }
    meta.check_rights().await.map(|()| "reached, empty".to_owned())
}

async fn check_cluster(config: &Config, cluster: &Cluster) -> Result<String, StoreError> {
    if let Some(path) = missing_file(&cluster.primary) {
        return check_place(path).map(|()| no_file_yet(path));
    }
    let backend = open_cluster(config, Purpose::Check, cluster, None)?;
    let state = match backend.identity().await {
        Ok(Some(_)) => Ok("reached".to_owned()),
        Ok(None) => backend.check_rights().await.map(|()| "reached, empty".to_owned()),
        Err(error) => Err(error),
    };
    backend.close().await;
    state
}

/// Whether the stores are those of one deployment, each in its place. All of them can be reached.
async fn check_deployment(config: &Config) -> Result<String, ProgramError> {
    let names: Vec<&str> = config.clusters.iter().map(|c| c.name.as_str()).collect();
    let metrics = Metrics::new(version::VERSION, &names)?;
    let proxy = ProxyInfo {
        host: hostname(),
        pid: std::process::id(),
        address: config.listen.address.to_string(),
        version: version::VERSION.to_owned(),
    };
    let setup = setup(config, Purpose::Check, proxy, &metrics)?;
    let compared = compare(&setup).await;
    for cluster in &setup.clusters {
        cluster.backend.close().await;
    }
    let Some(Comparison { missing, surplus }) = compared? else {
        return Ok("there is none yet: a start would create it".to_owned());
    };
    let missing = missing.iter().map(|found| format!("cluster {} lacks {}", found.cluster, found.tables.join(", ")));
    let missing: Vec<String> = missing.collect();
    if !missing.is_empty() {
        return Err(ProgramError::TablesMissing(missing.join("; ")));
    }
    let mut says = "what the configuration says fits the stores".to_owned();
    for SurplusTables { cluster, tables } in surplus {
        says += &format!("; cluster {cluster} has tables that the catalog does not know: {}", tables.join(", "));
    }
    Ok(says)
}

/// What the check says of a file that the first start will make: opening it would make it now. It says where it has
/// looked, because a path may be relative to a directory in which the program is not started.
fn no_file_yet(path: &Path) -> String {
    format!("no file yet ({})", absolute(path).display())
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The file, if it is one that is not there.
fn missing_file(target: &Target) -> Option<&Path> {
    match target {
        Target::Sqlite { path } => (!path.exists()).then_some(path),
        Target::Server(_) => None,
    }
}

/// Whether the first start can make this file, and the directories above it that are missing: as far as can be said without
/// making anything, and for the user who asks.
///
/// # Errors
/// [`StoreError::Refused`] if not.
fn check_place(path: &Path) -> Result<(), StoreError> {
    let refused = |above: &Path, why: &str| {
        let detail = format!("cannot make {}: {} {why}", path.display(), above.display());
        Err(StoreError::Refused { detail })
    };
    let absolute = absolute(path);
    // A link that leads nowhere is there.
    let Some(above) = absolute.ancestors().skip(1).find(|above| above.symlink_metadata().is_ok()) else {
        return refused(path, "is in no directory");
    };
    if !above.is_dir() {
        return refused(above, "is not a directory");
    }
    match rustix::fs::access(above, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => {}
        Err(error) => return refused(above, &format!("cannot be written to by this user: {error}")),
    }
    // Its files are the system's, though root has the right to make some.
    match rustix::fs::statfs(above) {
        Ok(system) if system.f_type == PROC_SUPER_MAGIC => refused(above, "takes no files"),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn report<S: std::fmt::Display, E: std::fmt::Display>(place: &str, answer: Result<S, E>) -> bool {
    match answer {
        Ok(state) => {
            logging::say(&format!("{place}: {state}"));
            true
        }
        Err(error) => {
            logging::say(&format!("{place}: {error}"));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_missing_needs_a_directory_in_which_it_can_be_made() {
        let directory = tempfile::tempdir().expect("a directory");
        let directory = directory.path();
        let (file, link) = (directory.join("file"), directory.join("link"));
        std::fs::write(&file, "").expect("writable");
        std::os::unix::fs::symlink(directory.join("nowhere"), &link).expect("writable");
        assert!(check_place(&directory.join("x.db")).is_ok());
        assert!(check_place(&directory.join("new/and/newer/x.db")).is_ok(), "the start makes directories");
        assert!(check_place(Path::new("x.db")).is_ok(), "in the working directory");
        for (path, above, why) in [
            (file.join("x.db"), &*file, "is not a directory"),
            (file.join("new/x.db"), &*file, "is not a directory"),
            (link.join("x.db"), &*link, "is not a directory"),
        ] {
            let error = check_place(&path).expect_err("the start fails").to_string();
            let said = format!("cannot make {}: {} {why}", path.display(), above.display());
            assert!(error.contains(&said), "{error}");
        }
        assert!(check_place(Path::new("/proc/x.db")).is_err());
    }
}
