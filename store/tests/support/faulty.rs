//! A backend that fails on purpose: it passes everything on to another one, but for what the test has asked for.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use cellgate_schemaless::{
    AddedId, Cell, ClusterNo, Epoch, Erasure, LatestKey, LogScan, RowScan, ShardId, TableRef, Triple, TxnId, limits,
};
use cellgate_store::{
    AtOnce, Backend, EraseStep, Erased, Identity, Location, LogPage, Passing, PutGroup, PutOutcome, Reason, RowPage,
    ShardState, StoreError,
};
use tokio::sync::Semaphore;

/// What happens to one put.
#[allow(dead_code, reason = "each test program uses its part of it")]
#[derive(Clone, Debug)]
pub enum PutFault {
    /// It fails, and nothing is written.
    Fails(StoreError),
    /// It is written, and the acknowledgement is lost.
    Lost,
    /// Somebody else writes these groups first.
    After(Vec<PutGroup>),
    /// It waits until the test lets it go: see [`Faulty::entered`] and [`Faulty::release`].
    Held,
}

/// What happens to one erasure.
#[allow(dead_code, reason = "each test program uses its part of it")]
#[derive(Clone, Debug)]
pub enum EraseFault {
    /// It is done.
    Done,
    /// It fails, and nothing is erased.
    Fails(StoreError),
    /// It is done, its answer is lost, and it is done again.
    Repeated,
    /// It is done, and its answer waits as that of [`PutFault::Held`].
    Held,
    /// It finds nothing to erase: others have. The server crashes and has taken that back.
    TakenBack,
}

/// Ends a process at one of its calls: that call and all behind it fail.
#[derive(Debug)]
pub struct Fuse {
    left: AtomicUsize,
    /// Whether the call at which it ends still takes effect.
    late: bool,
}

/// What a fuse does to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Burnt {
    /// Nothing.
    No,
    /// It takes effect, and nobody hears of it.
    Late,
    /// It does not happen.
    Yes,
}

#[allow(dead_code, reason = "each test program uses its part of it")]
impl Fuse {
    /// Lets `calls` calls through.
    pub fn after(calls: usize, late: bool) -> Arc<Self> {
        Arc::new(Self { left: AtomicUsize::new(calls + 1), late })
    }

    pub fn is_burnt(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }

    pub fn burn(&self) -> Burnt {
        match self.left.load(Ordering::SeqCst) {
            0 => Burnt::Yes,
            1 => {
                self.left.store(0, Ordering::SeqCst);
                if self.late { Burnt::Late } else { Burnt::Yes }
            }
            left => {
                self.left.store(left - 1, Ordering::SeqCst);
                Burnt::No
            }
        }
    }
}

/// The wrapper.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn Backend>,
    fuse: Option<Arc<Fuse>>,
    down: AtomicBool,
    denies: AtomicBool,
    hangs: AtomicBool,
    lists_nothing: AtomicBool,
    puts: Mutex<VecDeque<PutFault>>,
    erasures: Mutex<VecDeque<EraseFault>>,
    latests: Mutex<VecDeque<StoreError>>,
    heads: Mutex<VecDeque<StoreError>>,
    held_gets: AtomicUsize,
    undecided: Mutex<BTreeSet<Triple>>,
    moved: Mutex<BTreeSet<ShardId>>,
    identity: Mutex<Option<Identity>>,
    expected: Mutex<Option<Identity>>,
    location: Mutex<Option<Location>>,
    calls: AtomicUsize,
    put_calls: AtomicUsize,
    start: AtomicI64,
    /// One permit for every held call that has begun.
    pub entered: Semaphore,
    /// One permit lets one held call go on.
    pub release: Semaphore,
    /// One permit for every held call that is over.
    pub finished: Semaphore,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

#[allow(dead_code, reason = "each test program uses its part of it")]
impl Faulty {
    pub fn new(inner: Arc<dyn Backend>) -> Arc<Self> {
        Self::with_fuse(inner, None)
    }

    /// As a process sees it that ends with its fuse.
    pub fn with_fuse(inner: Arc<dyn Backend>, fuse: Option<Arc<Fuse>>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            fuse,
            down: AtomicBool::new(false),
            denies: AtomicBool::new(false),
            hangs: AtomicBool::new(false),
            lists_nothing: AtomicBool::new(false),
            puts: Mutex::default(),
            erasures: Mutex::default(),
            latests: Mutex::default(),
            heads: Mutex::default(),
            held_gets: AtomicUsize::new(0),
            undecided: Mutex::default(),
            moved: Mutex::default(),
            identity: Mutex::default(),
            expected: Mutex::default(),
            location: Mutex::default(),
            calls: AtomicUsize::new(0),
            put_calls: AtomicUsize::new(0),
            start: AtomicI64::new(0),
            entered: Semaphore::new(0),
            release: Semaphore::new(0),
            finished: Semaphore::new(0),
        })
    }

    /// From now on it cannot be reached, or can again.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// From now on it refuses the login, or takes it again.
    pub fn set_denying(&self, denies: bool) {
        self.denies.store(denies, Ordering::SeqCst);
    }

    /// From now on it does not tell which tables it has.
    pub fn list_nothing(&self) {
        self.lists_nothing.store(true, Ordering::SeqCst);
    }

    /// From now on it never answers a sign of life, nor who it is.
    pub fn hang(&self) {
        self.hangs.store(true, Ordering::SeqCst);
    }

    /// What happens to the next puts, one after the other; those behind them succeed.
    pub fn script(&self, faults: impl IntoIterator<Item = PutFault>) {
        locked(&self.puts).extend(faults);
    }

    /// What happens to the next erasures, one after the other; those behind them succeed.
    pub fn script_erasures(&self, faults: impl IntoIterator<Item = EraseFault>) {
        locked(&self.erasures).extend(faults);
    }

    /// What the next questions for the latest cells fail of, one after the other.
    pub fn script_latests(&self, errors: impl IntoIterator<Item = StoreError>) {
        locked(&self.latests).extend(errors);
    }

    /// What the next questions for the log head fail of, one after the other.
    pub fn script_heads(&self, errors: impl IntoIterator<Item = StoreError>) {
        locked(&self.heads).extend(errors);
    }

    /// The answers of the next reads by name wait until the test lets them go, as those of [`PutFault::Held`] do.
    pub fn hold_gets(&self, reads: usize) {
        self.held_gets.store(reads, Ordering::SeqCst);
    }

    /// What is being done is held until the test lets it go.
    async fn hold(&self) {
        self.entered.add_permits(1);
        self.release.acquire().await.unwrap().forget();
    }

    /// From now on this cell is held by a transaction that nobody settles.
    pub fn undecide(&self, triple: Triple) {
        locked(&self.undecided).insert(triple);
    }

    /// From now on it says that it is this one.
    pub fn pretend(&self, identity: Identity) {
        *locked(&self.identity) = Some(identity);
    }

    /// From now on it says that this shard went to another cluster.
    pub fn give_away(&self, shard: ShardId) {
        locked(&self.moved).insert(shard);
    }

    /// From now on it says that it is there.
    pub fn move_to(&self, place: &str) {
        let (address, place) = (format!("test://{place}"), place.to_owned());
        *locked(&self.location) = Some(Location { address, place });
    }

    /// Who it was said to be, once that was checked.
    pub fn expected(&self) -> Option<Identity> {
        locked(&self.expected).clone()
    }

    /// It has not been said to anybody who it is.
    pub fn forget_expected(&self) {
        *locked(&self.expected) = None;
    }

    /// How often it was asked anything.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// How often it was asked to write.
    pub fn put_calls(&self) -> usize {
        self.put_calls.load(Ordering::SeqCst)
    }

    fn marked(&self, mut known: AtOnce) -> AtOnce {
        if let AtOnce::Row(Some(cell)) = &mut known {
            self.mark(cell);
        }
        known
    }

    fn mark(&self, cell: &mut Cell) {
        if locked(&self.undecided).contains(&cell.triple) {
            cell.txn = Some(TxnId(1));
        }
    }
}

/// A store that cannot be reached.
pub fn unavailable() -> StoreError {
    StoreError::Unavailable { reason: Reason::Connect, detail: "down for the test".to_owned() }
}

#[async_trait]
impl Passing for Faulty {
    fn inner(&self) -> &dyn Backend {
        self.inner.as_ref()
    }

    fn reach(&self) -> Result<&dyn Backend, StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let burnt = self.fuse.as_ref().is_some_and(|fuse| fuse.is_burnt());
        if self.denies.load(Ordering::SeqCst) {
            return Err(StoreError::Denied { detail: "wrong password for the test".to_owned() });
        }
        if burnt || self.down.load(Ordering::SeqCst) { Err(unavailable()) } else { Ok(self.inner.as_ref()) }
    }

    async fn get(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        let mut cells = self.reach()?.get(table, keys).await?;
        let one_less = |left: usize| left.checked_sub(1);
        if self.held_gets.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            self.hold().await;
            self.finished.add_permits(1);
        }
        cells.iter_mut().flatten().for_each(|cell| self.mark(cell));
        Ok(cells)
    }

    async fn latest(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        let inner = self.reach()?;
        let fault = locked(&self.latests).pop_front();
        if let Some(error) = fault {
            return Err(error);
        }
        let mut cells = inner.latest(table, keys).await?;
        cells.iter_mut().flatten().for_each(|cell| self.mark(cell));
        Ok(cells)
    }

    async fn versions(&self, table: &TableRef, keys: &[LatestKey]) -> Result<Vec<Option<Cell>>, StoreError> {
        let inner = self.reach()?;
        let fault = locked(&self.latests).pop_front();
        match fault {
            Some(error) => Err(error),
            None => inner.versions(table, keys).await,
        }
    }

    async fn get_shared(&self, table: &TableRef, keys: &[Triple]) -> Result<Vec<Option<Cell>>, StoreError> {
        let mut cells = self.reach()?.get_shared(table, keys).await?;
        cells.iter_mut().flatten().for_each(|cell| self.mark(cell));
        Ok(cells)
    }

    fn get_at_once(&self, table: &TableRef, key: &Triple) -> AtOnce {
        self.reach().map_or(AtOnce::Ask, |inner| self.marked(inner.get_at_once(table, key)))
    }

    fn latest_at_once(&self, table: &TableRef, key: &LatestKey) -> AtOnce {
        self.reach().map_or(AtOnce::Ask, |inner| self.marked(inner.latest_at_once(table, key)))
    }

    async fn rows(&self, table: &TableRef, scan: &RowScan) -> Result<RowPage, StoreError> {
        let mut page = self.reach()?.rows(table, scan).await?;
        page.cells.iter_mut().for_each(|cell| self.mark(cell));
        Ok(page)
    }

    async fn log(&self, table: &TableRef, scan: &LogScan) -> Result<LogPage, StoreError> {
        let mut page = self.reach()?.log(table, scan).await?;
        page.cells.iter_mut().for_each(|cell| self.mark(cell));
        Ok(page)
    }

    async fn head(&self) -> Result<AddedId, StoreError> {
        let inner = self.reach()?;
        let fault = locked(&self.heads).pop_front();
        match fault {
            Some(error) => Err(error),
            None => inner.head().await,
        }
    }

    async fn put(&self, epoch: Epoch, groups: &[PutGroup]) -> Result<Vec<PutOutcome>, StoreError> {
        let inner = self.reach()?;
        self.put_calls.fetch_add(1, Ordering::SeqCst);
        let undecided = |triple: &Triple| locked(&self.undecided).contains(triple);
        if let Some(cell) = groups.iter().find_map(|g| g.cells.iter().position(|c| undecided(&c.triple))) {
            return Ok(groups.iter().map(|_| PutOutcome::Undecided { cell }).collect());
        }
        let fault = locked(&self.puts).pop_front();
        match fault {
            None => inner.put(epoch, groups).await,
            Some(PutFault::Fails(error)) => Err(error),
            Some(PutFault::Lost) => {
                inner.put(epoch, groups).await?;
                Err(StoreError::MaybeWritten { detail: "the acknowledgement was lost".to_owned() })
            }
            Some(PutFault::After(others)) => {
                inner.put(epoch, &others).await?;
                inner.put(epoch, groups).await
            }
            Some(PutFault::Held) => {
                self.hold().await;
                let outcome = inner.put(epoch, groups).await;
                self.finished.add_permits(1);
                outcome
            }
        }
    }

    async fn erase(
        &self,
        epoch: Epoch,
        table: &TableRef,
        what: &Erasure,
        step: &EraseStep,
    ) -> Result<Erased, StoreError> {
        let inner = self.reach()?;
        let fault = locked(&self.erasures).pop_front();
        match fault {
            None | Some(EraseFault::Done) => inner.erase(epoch, table, what, step).await,
            Some(EraseFault::Fails(error)) => Err(error),
            Some(EraseFault::Repeated) => {
                inner.erase(epoch, table, what, step).await?;
                let again = inner.erase(epoch, table, what, step).await?;
                Ok(Erased { perhaps_more: true, ..again })
            }
            Some(EraseFault::Held) => {
                let erased = inner.erase(epoch, table, what, step).await;
                self.hold().await;
                self.finished.add_permits(1);
                erased
            }
            Some(EraseFault::TakenBack) => {
                self.start.fetch_add(1, Ordering::SeqCst);
                Ok(Erased { cells: 0, perhaps_more: false, last: None })
            }
        }
    }

    async fn tables(&self) -> Result<Vec<String>, StoreError> {
        let inner = self.reach()?;
        if self.lists_nothing.load(Ordering::SeqCst) {
            return Err(StoreError::Refused { detail: "SELECT command denied".to_owned() });
        }
        inner.tables().await
    }

    async fn identity(&self) -> Result<Option<Identity>, StoreError> {
        let inner = self.reach()?;
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        let found = inner.identity().await?;
        Ok(locked(&self.identity).clone().or(found))
    }

    async fn location(&self) -> Result<Option<Location>, StoreError> {
        self.reach()?;
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(locked(&self.location).clone())
    }

    fn start(&self) -> i64 {
        self.inner.start() + self.start.load(Ordering::SeqCst)
    }

    fn expect_identity(&self, identity: &Identity) {
        *locked(&self.expected) = Some(identity.clone());
        self.inner.expect_identity(identity);
    }

    async fn shards(&self) -> Result<(Epoch, Vec<ShardState>), StoreError> {
        let (epoch, mut shards) = self.reach()?.shards().await?;
        let elsewhere = ClusterNo::new(limits::CLUSTER_NO_MAX).ok();
        let moved = locked(&self.moved);
        shards.iter_mut().filter(|s| moved.contains(&s.shard)).for_each(|s| s.moved_to = elsewhere);
        Ok((epoch, shards))
    }

    async fn claim(&self, identity: &Identity, shards: &[ShardId]) -> Result<Identity, StoreError> {
        let inner = self.reach()?;
        let burnt = self.fuse.as_ref().map_or(Burnt::No, |fuse| fuse.burn());
        if burnt == Burnt::Yes {
            return Err(unavailable());
        }
        let stands = inner.claim(identity, shards).await?;
        if burnt == Burnt::Late { Err(unavailable()) } else { Ok(stands) }
    }

    async fn ping(&self) -> Result<Duration, StoreError> {
        let inner = self.reach()?;
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        inner.ping().await
    }
}
