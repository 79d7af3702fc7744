//! What all sessions share: configuration, catalog, deployment, users, and who is connected.

mod connections;
mod probes;
mod reporting;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use cellgate_metrics::{Label, LoginFailure, MetaDocument, Metrics};
use cellgate_sql::Value;
use cellgate_store::deployment::Deployment;
use tokio::sync::Semaphore;

use crate::access::Accounts;
use crate::auth::Verifier;
use crate::auth::delays::LoginDelays;
use crate::auth::login_key::LoginKey;
use crate::catalog::Catalog;
use crate::config::Config;
use crate::incidents::Incidents;
use crate::locks::Locks;
use crate::places::Places;
use crate::plans::Plans;
use crate::processes::Processes;
use crate::relational::Relational;
use crate::session::{ServerFacts, Variables, Workshop};
use crate::sync::lock;
use crate::tls::Tls;
use crate::version;
use crate::zones::Zones;
use reporting::TurnedAway;

/// Everything shared.
#[derive(Debug)]
pub struct Server {
    config: ArcSwap<Config>,
    deployment: Arc<Deployment>,
    catalog: Arc<Catalog>,
    accounts: Arc<Accounts>,
    metrics: Arc<Metrics>,
    facts: ServerFacts,
    locks: Arc<Locks>,
    tls: Option<Arc<Tls>>,
    login_key: Arc<LoginKey>,
    delays: LoginDelays,
    globals: Mutex<Variables>,
    processes: Processes,
    places: Places,
    plans: Plans,
    incidents: Incidents,
    relational: Arc<Relational>,
    workshop: Workshop,
    /// How often all tables were locked by FLUSH.
    flushes: AtomicU64,
    started: Instant,
    /// The program was told to stop.
    stopping: AtomicBool,
    /// The id of the line of the log that says that statements are refused for the age of what is known of the meta store.
    stale: Mutex<Option<String>>,
    /// What the log is told of clients that are turned away.
    turned_away: TurnedAway,
}

impl Server {
    /// Everything shared, of an open deployment.
    #[allow(clippy::too_many_arguments, reason = "each is a part of the program, opened by itself")]
    pub fn new(
        config: Config,
        deployment: Arc<Deployment>,
        catalog: Arc<Catalog>,
        accounts: Arc<Accounts>,
        metrics: Arc<Metrics>,
        port: u16,
        hostname: String,
        tls: Option<Arc<Tls>>,
    ) -> Self {
        let facts = ServerFacts {
            port,
            hostname,
            deployment: deployment.id().to_owned(),
            prepared_statements: config.limits.prepared_statements as u64,
            idle_seconds: config.timeouts.idle.as_secs(),
            read_seconds: config.timeouts.read.as_secs().max(1),
            write_seconds: config.timeouts.write.as_secs().max(1),
            handshake_seconds: config.timeouts.handshake.as_secs().max(1),
            max_allowed_packet: config.limits.max_allowed_packet.bytes() as u64,
            max_connections: config.limits.max_connections.into(),
            tls: tls.is_some(),
            zones: Arc::new(Zones::of_the_system()),
        };
        let locks = locks_of(&config, &deployment, &facts);
        let login_key = Arc::new(LoginKey::within(Path::new(&config.data.dir)));
        let plans = Plans::new(config.limits.plan_cache.bytes() as u64);
        let places = Places::new(usize::try_from(config.limits.max_connections).unwrap_or(usize::MAX));
        Self {
            config: ArcSwap::from_pointee(config),
            deployment,
            catalog,
            accounts,
            metrics,
            globals: Mutex::new(Variables::new(&facts)),
            facts,
            locks,
            processes: Processes::default(),
            places,
            plans,
            incidents: Incidents::default(),
            tls,
            relational: Arc::default(),
            workshop: Workshop::default(),
            flushes: AtomicU64::new(0),
            login_key,
            delays: LoginDelays::default(),
            started: Instant::now(),
            stopping: AtomicBool::new(false),
            stale: Mutex::new(None),
            turned_away: TurnedAway::default(),
        }
    }

    /// The configuration as it is now, for a short look.
    pub fn config(&self) -> Guard<Arc<Config>> {
        self.config.load()
    }

    /// Takes over what can change while running.
    pub fn reload(&self, config: Config) {
        for ((name, old), (_, new)) in reloadable(&self.config()).into_iter().zip(reloadable(&config)) {
            if old != new {
                self.set_global(name, Value::Int(new.cast_signed()));
            }
        }
        self.accounts.configure(&config.users);
        self.catalog.set_max_stale(config.meta.max_stale);
        self.config.store(Arc::new(config));
    }

    /// The deployment.
    pub fn deployment(&self) -> &Arc<Deployment> {
        &self.deployment
    }

    /// The catalog.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// The users, and what they may do.
    pub fn accounts(&self) -> &Arc<Accounts> {
        &self.accounts
    }

    /// How old what this proxy knows of the meta store is: its catalog or its topology, whichever is older.
    pub fn meta_age(&self) -> Duration {
        self.meta_read().elapsed()
    }

    /// When what this proxy knows of the meta store was read: its catalog or its topology, whichever is older.
    pub fn meta_read(&self) -> Instant {
        self.deployment.fresh_at().min(self.catalog.fresh_at())
    }

    /// What is corrupt in the meta store of that which must not be too old.
    pub fn corrupt_document(&self) -> Option<MetaDocument> {
        if self.catalog.reading().is_corrupt() {
            Some(MetaDocument::Catalog)
        } else {
            self.deployment.is_topology_corrupt().then_some(MetaDocument::Topology)
        }
    }

    /// Counts a FLUSH TABLES WITH READ LOCK.
    pub fn flushed(&self) {
        self.flushes.fetch_add(1, Ordering::Relaxed);
    }

    /// Where expressions over much data are computed.
    pub fn workshop(&self) -> &Workshop {
        &self.workshop
    }

    /// Failures of stores, in the log.
    pub fn incidents(&self) -> &Incidents {
        &self.incidents
    }

    /// The relational engine.
    pub fn relational(&self) -> &Arc<Relational> {
        &self.relational
    }

    /// Locks between sessions.
    pub fn locks(&self) -> &Arc<Locks> {
        &self.locks
    }

    /// The metrics.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// What the server knows of itself.
    pub fn facts(&self) -> &ServerFacts {
        &self.facts
    }

    /// The variables a new session starts with.
    pub fn globals(&self) -> Variables {
        lock(&self.globals).clone()
    }

    /// A global variable.
    pub fn global(&self, name: &str) -> Option<Value> {
        lock(&self.globals).get(name).cloned()
    }

    /// SET GLOBAL, already checked. For this proxy, until it ends.
    pub fn set_global(&self, name: &'static str, value: Value) {
        lock(&self.globals).set(name, value);
    }

    /// The verifier of a user, if the user may come from there like this: without a password only from this machine, and
    /// without TLS (`secure`) only if the account does not need it.
    pub fn verifier(&self, user: &str, host: &str, secure: bool) -> Option<Verifier> {
        let accounts = self.accounts.current();
        let found = accounts.matching(user, host)?;
        if found.needs_tls() && !secure {
            return None;
        }
        (!found.verifier.is_empty() || is_loopback(host)).then(|| found.verifier.clone())
    }

    /// The key that passwords are encrypted with where there is no TLS.
    pub fn login_key(&self) -> &Arc<LoginKey> {
        &self.login_key
    }

    /// How long a login has to wait for its judgement, because others of this user from there failed.
    pub fn login_delay(&self, user: &str, host: &str) -> Duration {
        let config = self.config.load();
        // A login that waits longer than it may take would fail with the right password, too.
        self.delays.delay(user, host, config.limits.login_delay.min(config.timeouts.handshake / 2))
    }

    /// What logins that have to wait take turns by.
    pub fn login_turns(&self, user: &str, host: &str) -> Option<Arc<Semaphore>> {
        self.delays.turns(user, host)
    }

    /// A login succeeded.
    pub fn login_granted(&self, user: &str, host: &str) {
        self.delays.succeeded(user, host);
    }

    /// FLUSH HOSTS: nobody has to wait for failures of before.
    pub fn forget_failed_logins(&self) {
        self.delays.forget();
    }

    /// What clients are shown, if they can have TLS.
    pub fn tls(&self) -> Option<&Arc<Tls>> {
        self.tls.as_ref()
    }

    /// An answer to a login's salt was wrong: the next login of this user from there waits.
    pub fn login_suspected(&self, user: &str, host: &str) {
        self.delays.failed(user, host);
    }

    /// A login failed behind [`Server::login_suspected`].
    pub fn login_denied(&self, user: &str, host: &str, secure: bool) {
        let accounts = self.accounts.current();
        let reason = match accounts.matching(user, host) {
            Some(account) if account.needs_tls() && !secure => LoginFailure::Unencrypted,
            Some(account) if account.verifier.is_empty() && !is_loopback(host) => LoginFailure::Remote,
            Some(_) | None => LoginFailure::Denied,
        };
        self.login_refused(reason, user, host);
    }

    /// A login failed for this reason: the next one of this user from there waits.
    pub fn login_failed(&self, reason: LoginFailure, user: &str, host: &str) {
        self.delays.failed(user, host);
        self.login_refused(reason, user, host);
    }

    /// A login was refused, for this reason.
    pub fn login_refused(&self, reason: LoginFailure, user: &str, host: &str) {
        self.metrics.login_failed(reason);
        tracing::warn!(user, host, reason = reason.label(), "access denied");
    }

    /// Places for connections.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Who is connected.
    pub fn processes(&self) -> &Processes {
        &self.processes
    }

    /// The plan cache.
    pub fn plans(&self) -> &Plans {
        &self.plans
    }

    /// The line of COM_STATISTICS.
    pub fn statistics(&self) -> String {
        let (open, _) = self.processes.count();
        let statements = self.processes.statements();
        let slow = self.metrics.slow_queries();
        let uptime = self.started.elapsed().as_secs().max(1);
        #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = statements as f64 / uptime as f64;
        let (opened, tables) = (self.catalog.opened(), self.catalog.snapshot().all_tables().count());
        format!(
            "Uptime: {uptime}  Threads: {open}  Questions: {statements}  Slow queries: {slow}  Opens: {opened}  Open tables: {tables}  Queries per second avg: {rate:.3}",
        )
    }

    /// The rows of SHOW STATUS.
    pub fn status(&self) -> Vec<(String, String)> {
        let (open, running) = self.processes.count();
        let catalog = self.catalog.snapshot();
        let topology = self.deployment.executor().topology();
        let rows = [
            ("Connections", self.processes.connections().to_string()),
            ("Flush_commands", self.flushes.load(Ordering::Relaxed).to_string()),
            ("Open_tables", catalog.all_tables().count().to_string()),
            ("Opened_tables", self.catalog.opened().to_string()),
            ("Queries", self.processes.statements().to_string()),
            ("Questions", self.processes.statements().to_string()),
            ("Slow_queries", self.metrics.slow_queries().to_string()),
            ("Threads_connected", open.to_string()),
            ("Threads_running", running.to_string()),
            ("Uptime", self.started.elapsed().as_secs().to_string()),
            ("cellgate_catalog_version", catalog.document_version().to_string()),
            ("cellgate_clusters", topology.clusters().len().to_string()),
            ("cellgate_deployment", self.deployment.id().to_owned()),
            ("cellgate_topology_version", topology.version().to_string()),
            ("cellgate_version", version::VERSION.to_owned()),
            ("cellgate_virtual_shards", topology.virtual_shards().to_string()),
        ];
        rows.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// The variables that show what a reload can change.
fn reloadable(config: &Config) -> [(&'static str, u64); 6] {
    let seconds = |time: Duration| time.as_secs().max(1);
    let (limits, timeouts) = (&config.limits, &config.timeouts);
    [
        ("wait_timeout", seconds(timeouts.idle)),
        ("interactive_timeout", seconds(timeouts.idle)),
        ("net_read_timeout", seconds(timeouts.read)),
        ("net_write_timeout", seconds(timeouts.write)),
        ("connect_timeout", seconds(timeouts.handshake)),
        ("max_prepared_stmt_count", limits.prepared_statements as u64),
    ]
}

/// Locks between the sessions of this proxy or, if others can serve the deployment, of all proxies.
fn locks_of(config: &Config, deployment: &Deployment, facts: &ServerFacts) -> Arc<Locks> {
    if config.topology.meta.is_file() || config.clusters.iter().any(|cluster| cluster.primary.is_file()) {
        return Locks::alone();
    }
    // A proxy that starts again must not be taken for the one that held locks.
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let name = format!("{}-{}-{}-{}", facts.hostname, facts.port, std::process::id(), since.as_nanos());
    Locks::shared(Arc::clone(deployment.meta()), name)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
}
