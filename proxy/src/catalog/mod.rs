//! The catalog: databases and tables, kept as one document of the meta store.
//!
//! Reads take an immutable snapshot. A change is a compare-and-set of the document, so that two proxies that change it
//! at once both see what the other did. Physical tables are made before a table is published and removed after it is
//! unpublished; what a crash leaves half-way is listed in the document and cleaned up by whoever comes next.

mod change;
mod columns;
mod document;
mod error;
mod followers;
mod tables;
#[cfg(test)]
mod tests;
mod upkeep;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex as SyncMutex};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use cellgate_metrics::MetaDocument;
use cellgate_schemaless::TableDef;
use cellgate_store::StoreError;
use cellgate_store::deployment::{Deployment, Edition, FirstDocument, Known, Reading};
use tokio::sync::{Mutex, watch};

pub use change::Changed;
use document::CATALOG;
pub use document::{CatalogDocument, Unpublished};
pub use error::CatalogError;
use followers::{Refusal, Said, Silent};
pub use tables::NewTable;
use upkeep::Complete;

use crate::sync::lock;

/// The database every deployment starts with.
pub const FIRST_DATABASE: &str = "test";

/// The default collation of a database that did not name one.
const DEFAULT_COLLATION: &str = "utf8mb4_0900_ai_ci";

/// How often the document is read until it may be used. Who has to say first that it is there reads twice.
const LOADS: usize = 3;

/// How many times as long as a look for an unknown name took there is none behind it: all of them together take a quarter of
/// one connection to the meta store.
const REST: u32 = 3;

/// Longest time without such a look, in which those who wait for one share the next.
const LONGEST_REST: Duration = Duration::from_millis(100);

/// A look for a name that was not known.
#[derive(Debug)]
struct Look {
    began: Instant,
    outcome: Result<(), StoreError>,
    /// When the next one may begin.
    next: Instant,
}

/// What the catalog holds, at one version.
#[derive(Debug, Default)]
pub struct Snapshot {
    version: i64,
    /// Which document it was made of.
    edition: Edition,
    /// See [`CatalogDocument::names_moved_in`].
    names_moved_in: i64,
    /// The databases, with their default collations.
    databases: BTreeMap<String, String>,
    tables: BTreeMap<(String, String), Arc<TableDef>>,
}

impl Snapshot {
    pub(crate) fn new(version: i64, document: &CatalogDocument) -> Self {
        let tables = document.tables.iter().map(|t| ((t.database.clone(), t.name.clone()), Arc::new(t.clone())));
        let collation = |database: &String| {
            let options = document.database_options.get(database);
            options.map_or_else(|| DEFAULT_COLLATION.to_owned(), |options| options.collation.clone())
        };
        let databases = document.databases.iter().map(|name| (name.clone(), collation(name)));
        let names_moved_in = document.names_moved_in;
        let edition = Edition { version, digest: 0 };
        Self { version, edition, names_moved_in, databases: databases.collect(), tables: tables.collect() }
    }

    /// Its number in this process, which ascends with every document that is taken over. It is the document's version, unless the
    /// meta store went back once.
    pub fn version(&self) -> i64 {
        self.version
    }

    /// The version of the document.
    pub fn document_version(&self) -> i64 {
        self.edition.version
    }

    /// Whether there is such a database.
    pub fn has_database(&self, name: &str) -> bool {
        self.databases.contains_key(name)
    }

    /// The default collation of a database: what CREATE and ALTER DATABASE said, for whoever asks. Tables compare bytes.
    pub fn collation(&self, database: &str) -> &str {
        self.databases.get(database).map_or(DEFAULT_COLLATION, String::as_str)
    }

    /// The databases, by name.
    pub fn databases(&self) -> impl Iterator<Item = &str> {
        self.databases.keys().map(String::as_str)
    }

    /// A table, by exact names.
    pub fn table(&self, database: &str, name: &str) -> Option<&Arc<TableDef>> {
        self.tables.get(&(database.to_owned(), name.to_owned()))
    }

    /// All tables, by database and name.
    pub fn all_tables(&self) -> impl Iterator<Item = &Arc<TableDef>> {
        self.tables.values()
    }

    /// The tables of a database, by name.
    pub fn tables<'a>(&'a self, database: &'a str) -> impl Iterator<Item = &'a Arc<TableDef>> {
        self.tables.values().filter(move |t| t.database == database)
    }
}

/// The catalog as this proxy knows it, and the way to change it.
#[derive(Debug)]
pub struct Catalog {
    deployment: Arc<Deployment>,
    current: ArcSwap<Snapshot>,
    /// The [`Snapshot::version`] of what is known now.
    version: AtomicI64,
    /// Which document that is. Held while it is replaced.
    known: SyncMutex<Known>,
    /// Held by the one change of this proxy that is under way.
    changing: Mutex<()>,
    /// What is known of tables in clusters without shards.
    complete: Mutex<Complete>,
    reading: Reading,
    /// The last look because of a name that is not known.
    looked: Mutex<Option<Look>>,
    /// When the last successful read began whose version this proxy's document says.
    fresh: watch::Sender<Instant>,
    poll: Duration,
    /// How long this proxy may use an old catalog, in microseconds: as configured, and as the others were told.
    max_stale: AtomicU64,
    told_stale: AtomicU64,
    /// The longest that any proxy may, as was found last, in microseconds.
    longest_stale: AtomicU64,
    /// How many definitions of tables were read that were not known before.
    opened: AtomicU64,
    /// The name of the document in which this proxy says what it uses.
    follower: String,
    /// What it says. Held while it is written.
    said: Mutex<Said>,
    /// Which document it says.
    used: SyncMutex<Edition>,
    /// When the log was told last that it could not be written.
    refusal: Refusal,
    /// Who is behind, to be forgotten.
    silent: Silent,
}

impl Catalog {
    /// That of a new deployment, with the database [`FIRST_DATABASE`].
    ///
    /// # Errors
    /// None but a defect: it can be written.
    pub fn first() -> Result<FirstDocument, StoreError> {
        let first = CatalogDocument { databases: vec![FIRST_DATABASE.into()], ..CatalogDocument::default() };
        let tables = Some(document::known_tables as _);
        Ok(FirstDocument { name: CATALOG, body: document::encode(&first)?, tables })
    }

    /// Reads the catalog, which a deployment has from the beginning ([`Catalog::first`]). `poll` is the time between two
    /// looks for changes of other proxies, `max_stale` how long each may go on without one.
    ///
    /// # Errors
    /// What the meta store says.
    pub async fn open(deployment: Arc<Deployment>, poll: Duration, max_stale: Duration) -> Result<Self, StoreError> {
        let fresh = watch::Sender::new(Instant::now());
        let (current, changing, complete) = (ArcSwap::default(), Mutex::new(()), Mutex::default());
        let [max_stale, told_stale, longest_stale] = std::array::from_fn(|_| AtomicU64::new(micros(max_stale)));
        let opened = AtomicU64::new(0);
        let version = AtomicI64::new(0);
        let reading = Reading::new(MetaDocument::Catalog);
        let (follower, said) = (deployment.follower(), Mutex::default());
        let (used, refusal) = (SyncMutex::default(), Refusal::default());
        let known = SyncMutex::new(Known::nothing_of(MetaDocument::Catalog));
        let this = Self {
            deployment,
            current,
            version,
            known,
            changing,
            complete,
            reading,
            looked: Mutex::default(),
            fresh,
            poll,
            max_stale,
            told_stale,
            longest_stale,
            opened,
            follower,
            said,
            used,
            refusal,
            silent: Silent::default(),
        };
        // Before it is read, so that nobody changes it behind that who does not wait for this proxy.
        this.say_what_is_used().await?;
        this.follow().await?;
        Ok(this)
    }

    /// `meta.max_stale` is another from now on; a longer one as soon as the others know it.
    pub fn set_max_stale(&self, max_stale: Duration) {
        self.max_stale.store(micros(max_stale), Ordering::Release);
    }

    /// How long this proxy may use an old catalog: no longer than it says, for others wait that long for it.
    pub fn max_stale(&self) -> Duration {
        let told = self.told_stale.load(Ordering::Acquire);
        Duration::from_micros(self.max_stale.load(Ordering::Acquire).min(told))
    }

    /// What is known now, to keep.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// The [`Snapshot::version`] of what is known now: what a statement asks that is bound already.
    pub fn version(&self) -> i64 {
        self.version.load(Ordering::Acquire)
    }

    /// What is known now, for a short look.
    pub fn current(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// Reads the document again because somebody has named what is not known. Whoever asked before a look began shares it, and
    /// behind each there is a rest: programs that name what is not there, without end, take a bounded share of the meta store.
    ///
    /// # Errors
    /// What the meta store says.
    pub async fn look_again(&self) -> Result<Arc<Snapshot>, StoreError> {
        let asked = Instant::now();
        let mut last = self.looked.lock().await;
        match &*last {
            Some(look) if look.began >= asked => return look.outcome.clone().map(|()| self.snapshot()),
            Some(look) => tokio::time::sleep_until(look.next.into()).await,
            None => {}
        }
        let began = Instant::now();
        let outcome = self.refresh().await.map(drop);
        let rest = began.elapsed().saturating_mul(REST).min(LONGEST_REST);
        *last = Some(Look { began, outcome: outcome.clone(), next: Instant::now() + rest });
        outcome.map(|()| self.snapshot())
    }

    /// Reads the document again.
    ///
    /// # Errors
    /// What the meta store says.
    pub async fn refresh(&self) -> Result<Arc<Snapshot>, StoreError> {
        self.load().await?;
        Ok(self.snapshot())
    }

    /// Takes over a document that a look has found, or a change has stored, which began then; unless it is overtaken, for several
    /// tasks read and change it at once ([`Known::learns`]).
    fn know(&self, edition: Edition, document: &CatalogDocument, began: Instant) {
        if !lock(&self.known).would_learn(edition, began) {
            return;
        }
        let made = Snapshot::new(edition.version, document);
        let mut known = lock(&self.known);
        if !known.learns(edition, began) {
            return;
        }
        let before = self.current.load_full();
        // Whoever has a newer version knows more, also if the meta store went back.
        let version = made.version.max(before.version + 1);
        let read = Arc::new(Snapshot { version, edition, ..made });
        self.current.store(Arc::clone(&read));
        self.version.store(version, Ordering::Release);
        let is_new = |(name, table): &(&(String, String), &Arc<TableDef>)| before.tables.get(*name) != Some(*table);
        let new = read.tables.iter().filter(is_new).count();
        self.opened.fetch_add(new as u64, Ordering::Relaxed);
    }

    /// Which document no statement that begins now uses an older one than.
    fn known(&self) -> Edition {
        lock(&self.known).edition()
    }

    /// How many definitions of tables were read since this proxy started; a changed one counts again.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }

    /// How reading the document goes.
    pub fn reading(&self) -> &Reading {
        &self.reading
    }

    /// Reads the document and takes it over; it may be used ([`Catalog::may_use`]). Answers its body, for who changes it.
    async fn load(&self) -> Result<(Edition, Vec<u8>), StoreError> {
        for _ in 0..LOADS {
            let began = Instant::now();
            let (edition, body) = self.read(began).await?;
            if self.may_use(edition, began).await? {
                return Ok((edition, body));
            }
        }
        Err(StoreError::Failed { detail: "the catalog takes longer to read than meta.max_stale".into() })
    }

    /// Reads the document, and takes it over if it is another one than what is known: else nothing of it is decoded.
    async fn read(&self, began: Instant) -> Result<(Edition, Vec<u8>), StoreError> {
        let outcome = match self.deployment.meta().load(CATALOG).await {
            Ok(Some(stored)) => {
                let edition = Edition::of(stored.version, &stored.body);
                let is_news = lock(&self.known).would_learn(edition, began);
                let document = is_news.then(|| document::decode(&stored.body)).transpose();
                document.map(|document| {
                    // Before it counts as fresh: nobody is to find an older one fresh.
                    if let Some(document) = document {
                        self.know(edition, &document, began);
                    }
                    (edition, stored.body)
                })
            }
            Ok(None) => Err(StoreError::Corrupt { detail: "the meta store has no catalog".into() }),
            Err(error) => Err(error),
        };
        self.reading.ended(&outcome);
        outcome
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
