//! What the program does: serve, check, ask for health. `main.rs` only calls it.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use cellgate_metrics::{ClusterMetrics, Metrics};
use cellgate_router::Weight;
use cellgate_store::coalesce::{CoalesceOptions, Coalescing};
use cellgate_store::deployment::{ClusterSetup, Departure, Deployment, OpenError, ProxyInfo, Setup, compare};
use cellgate_store::meta::{self, MetaStore};
use cellgate_store::{Backend, Engines, StoreError, Timeouts};
use futures_util::TryFutureExt as _;
use futures_util::future::join_all;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use crate::access::Accounts;
use crate::catalog::Catalog;
use crate::cli::{Check, Command, Health, Serve};
use crate::config::{Cluster, Config, ConfigError, Target};
use crate::logging::{self, LogHandle, LoggingError};
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

    let mut stopping = shutdown.clone();
    let departure = Departure::default();
    let opened = tokio::select! {
        opened = open(config, mysql_address, &departure) => Some(opened),
        () = signals::told(&mut stopping) => None,
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
    let mut background = Background::start(&server, web);
    let mut clients = tokio::spawn({
        let server = Arc::clone(&server);
        async move { server.serve(mysql, shutdown, asked).await }
    });

    logging::say(&format!("cellgate ready: mysql={mysql_address} http={web_address}"));

    let served = loop {
        tokio::select! {
            served = until_served(&mut clients, &mut background.tasks) => break served,
            Some(()) = reload.recv() => {
                if *stopping.borrow() {
                    tracing::warn!("the configuration is not reloaded: the program is stopping");
                    continue;
                }
                reload_config(&server, &log, load(&arguments));
                if let Some(tls) = server.tls() {
                    tls.renew_logged();
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
    let setup = Setup { departure: departure.clone(), ..setup(&config, proxy, &metrics)? };
    let deployment = Deployment::open(setup, Arc::clone(&metrics)).await?;
    let (poll, max_stale) = (config.meta.poll, config.meta.max_stale);
    let catalog = Catalog::open(Arc::clone(&deployment), poll, max_stale).await.map_err(ProgramError::Catalog)?;
    let accounts = Accounts::open(Arc::clone(deployment.meta()), &config.users).await.map_err(ProgramError::Users)?;
    let (catalog, accounts) = (Arc::new(catalog), Arc::new(accounts));
    Ok(Server::new(config, deployment, catalog, accounts, metrics, mysql.port(), hostname, tls))
}

/// What clients need and what watches over them. It outlives them: it stops when the last connection has ended.
struct Background {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Background {
    fn start(server: &Arc<Server>, web: TcpListener) -> Self {
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let config = server.config();
        let (poll, max_http) = (config.meta.poll, config.http.max_connections);
        let (deployment, until) = (Arc::clone(server.deployment()), stopping.clone());
        tasks.spawn(async move { deployment.run(until).await });
        let (catalog, until) = (Arc::clone(server.catalog()), stopping.clone());
        tasks.spawn(async move { catalog.run(until).await });
        let (accounts, until) = (Arc::clone(server.accounts()), stopping.clone());
        tasks.spawn(async move { accounts.run(poll, until).await });
        let (locks, until) = (Arc::clone(server.locks()), stopping.clone());
        tasks.spawn(async move { locks.run(poll, until).await });
        let (counting, until) = (Arc::clone(server), stopping.clone());
        tasks.spawn(async move { counting.incidents().run(until).await });
        let (aging, until) = (Arc::clone(server), stopping.clone());
        tasks.spawn(async move { aging.watch_meta_age(until).await });
        if let Some(tls) = server.tls() {
            tasks.spawn(Arc::clone(tls).follow(stopping.clone()));
        }
        let max_http = usize::try_from(max_http).unwrap_or(usize::MAX);
        tasks.spawn(http::serve(web, Arc::clone(server) as _, max_http, stopping));
        Self { stop, tasks }
    }

    /// Stops all of it and closes the stores, beside each other: one that does not answer costs the others nothing.
    async fn stop(mut self, server: &Server) {
        self.stop.send_replace(true);
        let late = |what: String| move |_: Elapsed| Some(what);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        let ended =
            timeout(FAREWELL, ended).map_ok_or_else(late("the meta store or a client of HTTP".to_owned()), |()| None);
        let closed = server.deployment().executor().clusters().map(|cluster| {
            let late = late(format!("cluster '{}'", cluster.name));
            timeout(FAREWELL, cluster.backend.close()).map_ok_or_else(late, |()| None)
        });
        let (ended, closed) = tokio::join!(ended, join_all(closed));
        let silent: Vec<String> = closed.into_iter().chain([ended]).flatten().collect();
        if !silent.is_empty() {
            tracing::warn!(
                silent = silent.join(", "),
                "a store does not answer: stopping without waiting for it any longer"
            );
        }
    }
}

/// How long leaving the meta store and closing the stores may take, when no client is there any more. A store that does not
/// answer needs no farewell: leases end by themselves.
const FAREWELL: Duration = Duration::from_secs(5);

/// How long a start that has ended waits for leaving the registry of proxies.
const DEPARTURE: Duration = Duration::from_secs(1);

fn warn_of(config: &Config) {
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
}

/// SIGHUP: takes over what can change, names what cannot.
fn reload_config(server: &Server, log: &LogHandle, loaded: Result<Config, ConfigError>) {
    let new = match loaded {
        Ok(new) => new,
        Err(error) => {
            tracing::error!(%error, "the configuration is not reloaded");
            return;
        }
    };
    warn_of(&new);
    let old = server.config();
    let changes = Config::diff(&old, &new);
    if !changes.needs_restart.is_empty() {
        tracing::warn!(keys = changes.needs_restart.join(", "), "these changes need a restart");
    }
    let reloaded = old.reloaded(&new);
    if let Err(error) = log.set_level(reloaded.log.level) {
        tracing::warn!(%error, "the log level is not changed");
    }
    server.reload(reloaded);
    tracing::info!(keys = changes.reloadable.join(", "), "configuration reloaded");
}

/// Prints the effective configuration and tries the certificate; with `--connect` also every store. Creates nothing.
async fn check(arguments: Check) -> Result<(), ProgramError> {
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
    open_meta(config)?.exists().await.map(|there| if there { "reached" } else { "reached, empty" })
}

async fn check_cluster(config: &Config, cluster: &Cluster) -> Result<&'static str, StoreError> {
    if is_missing(&cluster.primary) {
        return Ok(NO_FILE_YET);
    }
    let backend = open_cluster(config, &cluster.primary, &cluster.name, cluster.pool_size, None)?;
    let identity = backend.identity().await;
    backend.close().await;
    identity.map(|identity| if identity.is_some() { "reached" } else { "reached, empty" })
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
    let setup = setup(config, proxy, &metrics)?;
    let compared = compare(&setup).await;
    for cluster in &setup.clusters {
        cluster.backend.close().await;
    }
    compared?;
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

/// The stores of a configuration. Nothing is created by opening them.
fn setup(config: &Config, proxy: ProxyInfo, metrics: &Metrics) -> Result<Setup, ProgramError> {
    let clusters = config.clusters.iter().map(|cluster| {
        let counted = metrics.cluster_named(&cluster.name);
        let backend = open_cluster(config, &cluster.primary, &cluster.name, cluster.pool_size, counted)
            .map_err(|error| ProgramError::Store { place: format!("cluster {}", cluster.name), error })?;
        Ok(ClusterSetup {
            name: cluster.name.clone(),
            number: cluster.number,
            weight: Weight::new(cluster.weight)?,
            engine: cluster.primary.engine(),
            queues: queues(config, cluster, &backend, metrics.cluster_named(&cluster.name)),
            backend,
            exclusive: cluster.primary.is_file(),
        })
    });
    let clusters = clusters.collect::<Result<Vec<_>, ProgramError>>()?;
    let meta = open_meta(config).map_err(|error| ProgramError::Store { place: "meta store".into(), error })?;
    Ok(Setup {
        virtual_shards: Some(config.topology.virtual_shards),
        meta,
        meta_exclusive: config.topology.meta.is_file(),
        clusters,
        proxy,
        poll: config.meta.poll,
        cache_bytes: config.cache.size.bytes(),
        first_documents: vec![Catalog::first().map_err(ProgramError::Catalog)?],
        departure: Departure::default(),
    })
}

fn timeouts(config: &Config) -> Timeouts {
    let t = &config.timeouts;
    Timeouts { connect: t.connect, statement: t.statement, lock: t.lock, queue: t.queue }
}

fn open_cluster(
    config: &Config,
    target: &Target,
    name: &str,
    pool_size: u32,
    metrics: Option<Arc<ClusterMetrics>>,
) -> Result<Arc<dyn Backend>, StoreError> {
    let engines = Engines { timeouts: timeouts(config), pool_size: usize::try_from(pool_size).unwrap_or(usize::MAX) };
    match target {
        Target::Sqlite { path } => engines.sqlite(path),
        Target::Server(dsn) => engines.server(name, dsn, metrics),
    }
}

/// Queues in front of a server. A file needs none: its reads are cheaper than a queue, and its writer commits in groups.
fn queues(
    config: &Config,
    cluster: &Cluster,
    backend: &Arc<dyn Backend>,
    metrics: Option<Arc<ClusterMetrics>>,
) -> Option<Arc<Coalescing>> {
    let c = &config.coalesce;
    let metrics = metrics.filter(|_| c.enabled && !cluster.primary.is_file())?;
    let options = CoalesceOptions {
        batch_reads: c.batch_reads,
        batch_writes: c.batch_writes,
        per_request: c.per_request,
        lanes: c.lanes,
        busy_lanes: c.busy_lanes,
        write_lanes: if cluster.primary.is_postgres() { 2 } else { 1 },
        slow: c.slow,
        far: c.far,
        queue_cells: c.queue_cells,
    };
    let connections = usize::try_from(cluster.pool_size).unwrap_or(usize::MAX);
    Some(Arc::new(Coalescing::new(Arc::clone(backend), options, connections, timeouts(config), &metrics)))
}

fn open_meta(config: &Config) -> Result<Arc<dyn MetaStore>, StoreError> {
    match &config.topology.meta {
        Target::Sqlite { path } => meta::open_sqlite(path, timeouts(config)),
        Target::Server(dsn) => meta::open_server(dsn, timeouts(config)),
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
