//! The servers of a run: each is started and loaded when it is first asked for, and ends with the run.
//!
//! A server that could not be started is started again for the next group that needs it. Over what the first attempt left
//! it may then fail in another way: why it does not start is what the first group says.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cellgate_integration_tests::process;
use cellgate_integration_tests::scratch::Scratch;

use super::results::RELAY;
use super::servers::{Cache, Cellgate, HaProxy, Helper, MariaDb, Postgres, Spider, Threads, loopback};
use super::subject::Subject;
use crate::fill;
use crate::processes::Watched;
use crate::session::{Protocol, Target};

/// One-way delay of the relay.
const DELAY: Duration = Duration::from_millis(1);
/// Servers behind Spider.
const SHARDS: usize = 4;
/// Connections that load the data set.
const LOADERS: usize = 8;
const CREATE: &str = "CREATE TABLE cells ENGINE=CELLS";

/// Where a subject is reached, and whose processor time it costs.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Where.
    pub target: Target,
    /// The processes, as `server` (databases), `proxy` (what is between) and `echo`.
    pub watched: Vec<Watched>,
}

/// What has been started.
#[derive(Debug)]
pub struct Stage {
    cells: u64,
    sizes: (u64, u64),
    lines: Option<PathBuf>,
    mariadb: Option<MariaDb>,
    pool: Option<MariaDb>,
    shards: Vec<MariaDb>,
    spider: Option<Spider>,
    postgres: Option<Postgres>,
    haproxy: Option<HaProxy>,
    relay: Option<Helper>,
    echo: Option<Helper>,
    proxies: HashMap<Subject, Cellgate>,
    used: HashSet<Subject>,
    // Last, so that the servers are gone before their files are.
    scratch: Scratch,
}

impl Stage {
    /// Nothing yet; `cells` will be loaded everywhere.
    pub fn new(cells: u64) -> Self {
        Self {
            cells,
            sizes: (52, 707),
            lines: None,
            mariadb: None,
            pool: None,
            shards: Vec::new(),
            spider: None,
            postgres: None,
            haproxy: None,
            relay: None,
            echo: None,
            proxies: HashMap::new(),
            used: HashSet::new(),
            scratch: Scratch::new(),
        }
    }

    /// Cells loaded everywhere.
    pub fn cells(&self) -> u64 {
        self.cells
    }

    /// The run's directory.
    pub fn directory(&self) -> &Path {
        self.scratch.path()
    }

    /// The sizes of a get and its answer, for the echo; they are what Cellgate's clients sent and got.
    pub fn learn_sizes(&mut self, request: u64, answer: u64) {
        if self.echo.is_none() && request > 0 && answer > 0 {
            self.sizes = (request, answer);
        }
    }

    /// Whether nobody asked this about the subject before.
    pub fn first_use(&mut self, subject: Subject) -> bool {
        self.used.insert(subject)
    }

    /// Where a subject is; what is missing is started and loaded.
    ///
    /// # Panics
    /// If that fails.
    pub fn endpoint(&mut self, subject: Subject) -> Endpoint {
        match subject {
            Subject::Direct => mysql(self.mariadb().port(), "bench", &[("server", self.mariadb().id())]),
            Subject::DirectPool => mysql(self.pool().port(), "bench", &[("server", self.pool().id())]),
            Subject::HaProxy => {
                let (server, proxy) = (self.mariadb().id(), self.haproxy());
                mysql(proxy.port(), "bench", &[("server", server), ("proxy", proxy.id())])
            }
            Subject::DirectDelayed => {
                let server = self.mariadb().id();
                let relay = self.relay();
                mysql(relay.address().port(), "bench", &[("server", server), (RELAY, relay.id())])
            }
            Subject::Spider => {
                let mut watched: Vec<(&str, u32)> = vec![("proxy", self.spider().head().id())];
                watched.extend(self.shards.iter().map(|shard| ("server", shard.id())));
                mysql(self.spider().head().port(), "bench", &watched)
            }
            Subject::DirectPostgres => {
                let server = self.postgres();
                let target = Target {
                    protocol: Protocol::Postgres,
                    address: loopback(server.port()),
                    user: "postgres".to_owned(),
                    database: "bench".to_owned(),
                    echo: (0, 0),
                };
                Endpoint { target, watched: watch(&[("server", server.id())]) }
            }
            Subject::Echo => {
                let sizes = self.sizes;
                let dir = self.scratch.join("echo");
                let echo = self.echo.get_or_insert_with(|| Helper::echo(&dir, sizes.0, sizes.1));
                let mut endpoint = mysql(echo.address().port(), "", &[("echo", echo.id())]);
                endpoint.target.protocol = Protocol::Echo;
                endpoint.target.echo = (sizes.0 as usize, sizes.1 as usize);
                endpoint
            }
            Subject::Cellgate | Subject::CellgateCached => {
                let server = self.mariadb().id();
                self.cellgate(subject, &[server])
            }
            Subject::CellgateDelayed => {
                let (server, relay) = (self.mariadb().id(), self.relay().id());
                let mut endpoint = self.cellgate(subject, &[server]);
                endpoint.watched.extend(watch(&[(RELAY, relay)]));
                endpoint
            }
            Subject::CellgatePool => {
                let server = self.pool().id();
                self.cellgate(subject, &[server])
            }
            Subject::CellgatePostgres => {
                let server = self.postgres().id();
                self.cellgate(subject, &[server])
            }
            Subject::CellgateFour => {
                self.shards();
                let servers: Vec<u32> = self.shards.iter().map(MariaDb::id).collect();
                self.cellgate(subject, &servers)
            }
            Subject::Embedded | Subject::EmbeddedOne | Subject::EmbeddedEight => self.cellgate(subject, &[]),
        }
    }

    /// A proxy of the subject, with these servers behind it.
    fn cellgate(&mut self, subject: Subject, servers: &[u32]) -> Endpoint {
        if !self.proxies.contains_key(&subject) {
            let proxy = self.start_cellgate(subject);
            self.proxies.insert(subject, proxy);
        }
        let proxy = &self.proxies[&subject];
        let mut watched = vec![("proxy", proxy.id())];
        watched.extend(servers.iter().map(|server| ("server", *server)));
        mysql(proxy.port(), "test", &watched)
    }

    fn start_cellgate(&mut self, subject: Subject) -> Cellgate {
        let dir = self.scratch.join(&format!("{subject:?}"));
        // The proxies over the first MariaDB server are one deployment, which the first of them loads.
        let shares = matches!(subject, Subject::CellgateCached | Subject::CellgateDelayed);
        if shares {
            self.endpoint(Subject::Cellgate);
        }
        let meta = (shares || subject == Subject::Cellgate).then(|| self.mariadb().database("cellgate_meta"));
        let cache = if subject == Subject::CellgateCached { Cache::On } else { Cache::Off };
        let clusters = match subject {
            Subject::Cellgate | Subject::CellgateCached => vec![self.mariadb().database("cellgate")],
            Subject::CellgateDelayed => {
                vec![format!("mysql://root@{}/cellgate", self.relay().address())]
            }
            Subject::CellgatePool => vec![self.pool().database("cellgate")],
            Subject::CellgatePostgres => vec![self.postgres().database("cellgate")],
            Subject::CellgateFour => self.shards().iter().map(|shard| shard.database("cellgate")).collect(),
            Subject::EmbeddedOne => Cellgate::sqlite_files(&dir, 1),
            Subject::EmbeddedEight => Cellgate::sqlite_files(&dir, 8),
            Subject::Embedded
            | Subject::Direct
            | Subject::DirectPool
            | Subject::HaProxy
            | Subject::DirectPostgres
            | Subject::Spider
            | Subject::DirectDelayed
            | Subject::Echo => Vec::new(),
        };
        let proxy = Cellgate::start(&dir, meta.as_deref(), &clusters, cache);
        if !shares {
            let target = mysql(proxy.port(), "test", &[]).target;
            loading(subject.label(), || {
                fill::insert(&target, CREATE, self.cells, LOADERS).unwrap_or_else(|error| panic!("loading: {error}"));
            });
        }
        proxy
    }

    /// Another proxy over four SQLite files, empty and only for the caller.
    pub fn empty_cellgate(&self, name: &str) -> Cellgate {
        Cellgate::start(&self.scratch.join(name), None, &[], Cache::Off)
    }

    /// Stops the proxies as an operator does, so that they end by themselves.
    ///
    /// # Panics
    /// If one does not end.
    pub fn stop_proxies(&mut self) {
        self.proxies.drain().for_each(|(_, proxy)| proxy.stop());
    }

    fn mariadb(&mut self) -> &MariaDb {
        if self.mariadb.is_none() {
            let lines = self.lines();
            let server = MariaDb::start(&self.scratch.join("mariadb"), Threads::PerConnection, 768, &[]);
            loading(Subject::Direct.label(), || server.load_table(&lines));
            self.mariadb = Some(server);
        }
        self.mariadb.as_ref().expect("just started")
    }

    fn pool(&mut self) -> &MariaDb {
        if self.pool.is_none() {
            let lines = self.lines();
            let server = MariaDb::start(&self.scratch.join("pool"), Threads::Pool, 768, &[]);
            loading(Subject::DirectPool.label(), || server.load_table(&lines));
            self.pool = Some(server);
        }
        self.pool.as_ref().expect("just started")
    }

    fn shards(&mut self) -> &[MariaDb] {
        while self.shards.len() < SHARDS {
            let dir = self.scratch.join(&format!("shard{}", self.shards.len()));
            self.shards.push(MariaDb::start(&dir, Threads::PerConnection, 256, &[]));
        }
        &self.shards
    }

    fn spider(&mut self) -> &Spider {
        if self.spider.is_none() {
            let lines = self.lines();
            self.shards();
            let dir = self.scratch.join("spider");
            let spider = loading(Subject::Spider.label(), || Spider::start(&dir, &self.shards, &lines));
            self.spider = Some(spider);
        }
        self.spider.as_ref().expect("just started")
    }

    fn postgres(&mut self) -> &Postgres {
        if self.postgres.is_none() {
            let lines = self.lines();
            let server = Postgres::start(&self.scratch.join("postgres"));
            loading(Subject::DirectPostgres.label(), || server.load_table(&lines));
            self.postgres = Some(server);
        }
        self.postgres.as_ref().expect("just started")
    }

    fn haproxy(&mut self) -> &HaProxy {
        let to = self.mariadb().port();
        let dir = self.scratch.join("haproxy");
        self.haproxy.get_or_insert_with(|| HaProxy::start(&dir, to))
    }

    fn relay(&mut self) -> &Helper {
        let to = loopback(self.mariadb().port());
        let dir = self.scratch.join("relay");
        self.relay.get_or_insert_with(|| Helper::relay(&dir, to, DELAY))
    }

    /// The data set as a file that the servers may read.
    fn lines(&mut self) -> PathBuf {
        if let Some(lines) = &self.lines {
            return lines.clone();
        }
        let path = self.scratch.join("cells.tsv");
        let file = File::create(&path).expect("a file in the run's directory");
        fill::write_lines(file, self.cells).unwrap_or_else(|error| panic!("the data set: {error}"));
        process::give(&path, process::existing_user(&["mysql"]));
        self.lines.insert(path).clone()
    }
}

/// Says how long loading took.
fn loading<T>(what: &str, load: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let loaded = load();
    eprintln!("  loaded {what} in {:.1} s", start.elapsed().as_secs_f64());
    loaded
}

/// A server on loopback that speaks MySQL's protocol, and the processes that are watched, by name.
pub fn mysql(port: u16, database: &str, watched: &[(&str, u32)]) -> Endpoint {
    let target = Target {
        protocol: Protocol::Mysql,
        address: loopback(port),
        user: "root".to_owned(),
        database: database.to_owned(),
        echo: (0, 0),
    };
    Endpoint { target, watched: watch(watched) }
}

/// Processes by name; those of one name together.
fn watch(pairs: &[(&str, u32)]) -> Vec<Watched> {
    let mut watched: Vec<Watched> = Vec::new();
    for (name, process) in pairs {
        match watched.iter_mut().find(|watched| watched.name == *name) {
            Some(watched) => watched.processes.push(*process),
            None => watched.push(Watched { name: (*name).to_owned(), processes: vec![*process] }),
        }
    }
    watched
}
