//! What the program does: serve, check, ask for health. `main.rs` only calls it.

mod background;
mod check;
mod reloading;
mod stores;

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use cellgate_metrics::Metrics;
use cellgate_store::background::told;
use cellgate_store::deployment::{Departure, Deployment, OpenError, ProxyInfo, Setup};
use cellgate_store::{StoreError, meta};
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle, JoinSet};

use self::background::Background;
use self::check::check;
use self::reloading::{Reloading, reload_config};
use self::stores::{Purpose, setup};
use crate::access::Accounts;
use crate::catalog::Catalog;
use crate::cli::{Command, Health, Serve};
use crate::config::{Config, ConfigError, Target};
use crate::logging::{self, ASKED_FOR, LoggingError};
use crate::server::Server;
use crate::signals::{self, Signals};
use crate::tls::{Tls, TlsError};
use crate::{descriptors, http, version};

/// Why the program ended early.
#[derive(Debug, Error)]
pub enum ProgramError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log.
    #[error(transparent)]
    Logging(#[from] LoggingError),
    /// The metrics.
    #[error(transparent)]
    Metrics(#[from] cellgate_metrics::MetricsError),
    /// The deployment.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The catalog.
    #[error("the catalog: {0}")]
    Catalog(StoreError),
    /// The accounts.
    #[error("the users: {0}")]
    Users(StoreError),
    /// A store.
    #[error("{place}: {error}")]
    Store {
        /// Which.
        place: String,
        /// What it said.
        error: StoreError,
    },
    /// An address or a directory.
    #[error("{what}: {source}")]
    Io {
        /// What could not be used.
        what: String,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate for clients.
    #[error("TLS for clients: {0}")]
    Tls(#[from] TlsError),
    /// A weight, which the configuration has checked.
    #[error(transparent)]
    Weight(#[from] cellgate_router::TopologyError),
    /// A task of the program panicked, which is a defect.
    #[error("a part of the program has died ({0}): the log has `a task panicked`")]
    Died(JoinError),
    /// A cluster is older than the catalog.
    #[error(
        "{0}, tables of the catalog: their store was restored from before they were made, or somebody dropped them there; \
         statements over them fail with 1146 (RUNBOOK.md, \"A table is missing in a cluster\")"
    )]
    TablesMissing(String),
    /// `check` found something beyond the file itself.
    #[error("{0} of what the configuration names cannot be used")]
    CheckFailed(usize),
}

/// Does what the command line says; answers the exit code.
pub fn run(command: Command) -> ExitCode {
    let outcome = match command {
        Command::Serve(serve) => load(&serve).map_err(ProgramError::from).and_then(|config| {
            keep_files_private();
            let threads = threads(&config);
            on_threads(threads, self::serve(serve, config))?.map(|()| ExitCode::SUCCESS)
        }),
        Command::Check(check) => on_threads(1, self::check(check)).and_then(|done| done.map(|()| ExitCode::SUCCESS)),
        Command::Health(health) => on_threads(1, self::health(health)).and_then(|done| done),
    };
    let code = outcome.unwrap_or_else(|error| {
        logging::say(&format!("cellgate: {error}"));
        ExitCode::FAILURE
    });
    logging::finish();
    code
}

/// Files and directories that are made from here on are nobody's but this user's, and for its group to read, as a MySQL's are.
/// SQLite files hold bodies and what passwords are checked by, and whoever may open them can lock them.
fn keep_files_private() {
    #[cfg(unix)]
    {
        use rustix::fs::Mode;
        let usual = rustix::process::umask(Mode::from_raw_mode(0o077));
        rustix::process::umask(usual | Mode::from_raw_mode(0o027));
    }
}

/// Runs a program on so many threads.
fn on_threads<T>(threads: usize, program: impl Future<Output = T>) -> Result<T, ProgramError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(threads).enable_all().build();
    let runtime = runtime.map_err(|source| io("cannot start", source))?;
    let outcome = runtime.block_on(program);
    // What still runs is past the shutdown timeout, and was told so.
    runtime.shutdown_background();
    Ok(outcome)
}

/// How many threads serve clients.
fn threads(config: &Config) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let embedded = config.clusters.iter().any(|cluster| cluster.primary.is_file());
    match config.limits.threads {
        0 if embedded => processors,
        0 => processors.div_ceil(2),
        given => given,
    }
}

/// The configuration that the command line names, with what it says itself.
fn load(arguments: &Serve) -> Result<Config, ConfigError> {
    Config::load(arguments.config.as_deref(), &environment, &arguments.overrides())
}

/// The same for a program that runs with `running`.
fn load_again(arguments: &Serve, running: &Config) -> Result<Config, ConfigError> {
    running.load_again(arguments.config.as_deref(), &environment, &arguments.overrides())
}

/// Serves until SIGTERM or SIGINT.
async fn serve(arguments: Serve, config: Config) -> Result<(), ProgramError> {
    let log = logging::init(config.log.format, config.log.level)?;
    descriptors::raise_limit();
    warn_of(&config);
    for warning in descriptors::warnings(&config, meta::CONNECTIONS as u64) {
        tracing::warn!("{warning}");
    }
    let Signals { shutdown, asked, mut reload } =
        signals::listen().map_err(|source| io("cannot listen for signals", source))?;

    // Addresses first: a second process on the same ones should fail before it touches a store.
    let mysql = bind(&config.listen.address.to_string()).await?;
    let web = bind(&config.http.address.to_string()).await?;
    let mysql_address = mysql.local_addr().map_err(|source| io("the MySQL listener", source))?;
    let web_address = web.local_addr().map_err(|source| io("the HTTP listener", source))?;

    // The kernel takes probes from here on: they are answered, however long the stores take.
    let max_http = usize::try_from(config.http.max_connections).unwrap_or(usize::MAX);
    let mut background = Background::answering(web, max_http);
    let mut stopping = shutdown.clone();
    let departure = Departure::default();
    let opened = tokio::select! {
        opened = open(config, mysql_address, &departure) => Some(opened),
        () = told(&mut stopping) => None,
    };
    let server = match opened {
        Some(Ok(server)) => Arc::new(server),
        ended => {
            departure.leave(DEPARTURE).await;
            ended.transpose()?;
            tracing::info!("stopped before it was ready");
            return Ok(());
        }
    };
    background.start(&server);
    let mut clients = tokio::spawn({
        let server = Arc::clone(&server);
        async move { server.serve(mysql, shutdown, asked).await }
    });

    logging::say(&format!("cellgate ready: mysql={mysql_address} http={web_address}"));

    let reading = {
        let (server, arguments) = (Arc::clone(&server), arguments);
        move || {
            if let Some(tls) = server.tls() {
                tls.renew_logged();
            }
            load_again(&arguments, &server.config())
        }
    };
    let mut reloading = Reloading::new(reading);
    let served = loop {
        tokio::select! {
            served = until_served(&mut clients, &mut background.tasks) => break served,
            Some(()) = reload.recv() => {
                if *stopping.borrow() {
                    tracing::warn!(target: ASKED_FOR, "the configuration is not reloaded: the program is stopping");
                    continue;
                }
                reloading.ask();
            }
            Some(loaded) = reloading.read() => {
                // A stop may have begun while it was read.
                if !*stopping.borrow() {
                    reload_config(&server, &log, loaded);
                }
            }
        }
    };
    // A task that has died cannot be done without: whoever supervises the program starts it again.
    clients.abort();
    background.stop(&server).await;
    served.map_err(ProgramError::Died)?;
    tracing::info!("stopped");
    Ok(())
}

/// Waits for the end of the task that serves clients, or for the panic of one that it needs.
async fn until_served(clients: &mut JoinHandle<()>, background: &mut JoinSet<()>) -> Result<(), JoinError> {
    loop {
        tokio::select! {
            served = &mut *clients => return served,
            Some(ended) = background.join_next() => ended?,
        }
    }
}

/// Opens what is served: the stores, and what is known of them.
async fn open(config: Config, mysql: SocketAddr, departure: &Departure) -> Result<Server, ProgramError> {
    let names: Vec<&str> = config.clusters.iter().map(|c| c.name.as_str()).collect();
    let metrics = Arc::new(Metrics::new(version::VERSION, &names)?);
    let hostname = hostname();
    let proxy = ProxyInfo {
        host: hostname.clone(),
        pid: std::process::id(),
        address: mysql.to_string(),
        version: version::VERSION.to_owned(),
    };
    let tls = Tls::open(&config.listen, Path::new(&config.data.dir), &hostname)?.map(Arc::new);
    let setup = Setup { departure: departure.clone(), ..setup(&config, Purpose::Serve, proxy, &metrics)? };
    let deployment = Deployment::open(setup, Arc::clone(&metrics)).await?;
    if deployment.is_new() {
        let (deployment, meta) = (deployment.id(), place(&config.topology.meta));
        tracing::info!(target: ASKED_FOR, deployment, meta, "created a new deployment: the meta store was empty");
    }
    let (poll, max_stale) = (config.meta.poll, config.meta.max_stale);
    let catalog = Catalog::open(Arc::clone(&deployment), poll, max_stale).await.map_err(ProgramError::Catalog)?;
    let accounts = Accounts::open(Arc::clone(deployment.meta()), &config.users).await.map_err(ProgramError::Users)?;
    let (catalog, accounts) = (Arc::new(catalog), Arc::new(accounts));
    Ok(Server::new(config, deployment, catalog, accounts, metrics, mysql.port(), hostname, tls))
}

/// Where a store is, in full: a path may be relative to a directory that was not meant.
fn place(target: &Target) -> String {
    match target {
        Target::Sqlite { path } => std::path::absolute(path).as_deref().unwrap_or(path).display().to_string(),
        Target::Server(_) => target.to_string(),
    }
}

/// How long a start that has ended waits for leaving the registry of proxies.
const DEPARTURE: Duration = Duration::from_secs(1);

fn warn_of(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}

/// Asks a running Cellgate whether it is ready.
async fn health(arguments: Health) -> Result<ExitCode, ProgramError> {
    match tokio::task::block_in_place(|| http::probe(&arguments.http)) {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => {
            logging::say(&format!("cellgate: {error}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn bind(address: &str) -> Result<TcpListener, ProgramError> {
    TcpListener::bind(address).await.map_err(|source| io(&format!("cannot listen on {address}"), source))
}

fn io(what: &str, source: std::io::Error) -> ProgramError {
    ProgramError::Io { what: what.to_owned(), source }
}

fn hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task that panics, or has ended well, or runs on.
    async fn task(panics: Option<bool>) {
        match panics {
            Some(true) => panic!("a defect"),
            Some(false) => {}
            None => std::future::pending().await,
        }
    }

    #[tokio::test]
    async fn a_task_that_panics_ends_the_program_and_one_that_has_nothing_to_do_does_not() {
        for (clients, background, ends_well) in [
            (Some(true), None, false),
            (None, Some(true), false),
            (Some(false), None, true),
            (Some(false), Some(false), true),
        ] {
            let mut clients = tokio::spawn(task(clients));
            let mut others = JoinSet::new();
            others.spawn(task(background));
            let served = tokio::time::timeout(Duration::from_secs(60), until_served(&mut clients, &mut others)).await;
            assert_eq!(served.expect("in time").is_ok(), ends_well, "{background:?}");
        }
    }
}
