//! `cellgate check`: what a configuration says, and whether what it names can be used.

use std::io::Write as _;
use std::path::Path;

use cellgate_metrics::Metrics;
use cellgate_store::StoreError;
use cellgate_store::deployment::{ProxyInfo, compare};

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

/// What the check says of a file that the first start will make: opening it would make it now.
const NO_FILE_YET: &str = "no file yet";

async fn check_meta(config: &Config) -> Result<&'static str, StoreError> {
    if is_missing(&config.topology.meta) {
        return Ok(NO_FILE_YET);
    }
    let meta = open_meta(config, Purpose::Check)?;
    if meta.exists().await? {
        return Ok("reached");
    }
    meta.check_rights().await.map(|()| "reached, empty")
}

async fn check_cluster(config: &Config, cluster: &Cluster) -> Result<&'static str, StoreError> {
    if is_missing(&cluster.primary) {
        return Ok(NO_FILE_YET);
    }
    let backend = open_cluster(config, Purpose::Check, cluster, None)?;
    let state = match backend.identity().await {
        Ok(Some(_)) => Ok("reached"),
        Ok(None) => backend.check_rights().await.map(|()| "reached, empty"),
        Err(error) => Err(error),
    };
    backend.close().await;
    state
}

/// Whether the stores are those of one deployment, each in its place. All of them can be reached.
async fn check_deployment(config: &Config) -> Result<&'static str, ProgramError> {
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
    let missing =
        compared?.into_iter().map(|found| format!("cluster {} lacks {}", found.cluster, found.tables.join(", ")));
    let missing: Vec<String> = missing.collect();
    if !missing.is_empty() {
        return Err(ProgramError::TablesMissing(missing.join("; ")));
    }
    Ok("what the configuration says fits the stores")
}

/// Whether it is a file that is not there.
fn is_missing(target: &Target) -> bool {
    match target {
        Target::Sqlite { path } => !path.exists(),
        Target::Server(_) => false,
    }
}

fn report<E: std::fmt::Display>(place: &str, answer: Result<&str, E>) -> bool {
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
