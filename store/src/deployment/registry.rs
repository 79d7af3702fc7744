//! The registry of running proxies, by lease.
//!
//! It says who must be alone (C13 of docs/ARCHITECTURE.md: a deployment with SQLite files has one proxy), who creates a
//! store, and where each proxy's stores are.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::documents::{FOLLOWER, PROXY, ProxyDocument, decode, encode};
use super::error::OpenError;
use super::locating::{Places, Store};
use super::setup::Setup;
use crate::error::StoreError;
use crate::meta::MetaStore;
use crate::sync::lock;

/// How long a proxy is taken to be alive after it last said so. Renewed at a third of it, so that two lost renewals do
/// no harm.
pub const LEASE: Duration = Duration::from_secs(15);

/// Entries that ended so long ago are removed by whoever starts next. Far above any pause of a process that could
/// come back and renew.
const FORGET: Duration = Duration::from_secs(24 * 3600);

/// A proxy that has not said for so long that it is alive is not waited for.
const GONE: Duration = Duration::from_secs(600);

/// How often the log is told of another proxy where there must be none.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// For how long behind a renewal a proxy may go by what it reads: until it may be taken for gone, less a half for clocks.
pub(super) const HELD: Duration = LEASE.saturating_add(Duration::from_secs(GONE.as_secs() / 2));
// Else it would answer what was erased by one who has taken it for gone.
const _: () = assert!(HELD.as_secs() < LEASE.as_secs() + GONE.as_secs());

/// Who this proxy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyInfo {
    /// Where it runs.
    pub host: String,
    /// Its process id.
    pub pid: u32,
    /// Its MySQL address.
    pub address: String,
    /// Its version.
    pub version: String,
}

/// Which files this proxy holds the locks of (C13 of docs/ARCHITECTURE.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Files {
    /// None: other proxies may serve this deployment.
    None,
    /// Those of clusters that were created before: no other proxy may, and what this host says of one that had them is
    /// out of date.
    Clusters,
    /// Those of clusters that are yet to be created: no other proxy may, and nothing is proven by their locks, for
    /// another process of this host may be about to create the same clusters in files of its own.
    NewClusters,
    /// That of the meta store, and so of the registry itself: nobody else who is in it is alive.
    Meta,
}

impl Files {
    /// Those of a start with these stores; `own_clusters` says that it has the locks of a cluster that was created before.
    pub(super) fn of(setup: &Setup, own_clusters: bool) -> Self {
        match (setup.meta_exclusive, setup.clusters.iter().any(|c| c.exclusive), own_clusters) {
            (true, _, _) => Self::Meta,
            (false, true, true) => Self::Clusters,
            (false, true, false) => Self::NewClusters,
            (false, false, _) => Self::None,
        }
    }
}

/// The way out of the registry of proxies for a start that is given up half-way, as at a signal: without it others would
/// take the proxy to be alive until its lease ends.
#[derive(Clone, Debug, Default)]
pub struct Departure(Arc<OnceLock<Arc<Registration>>>);

impl Departure {
    /// Leaves the registry, if it was entered; waits for that for at most `limit`.
    pub async fn leave(&self, limit: Duration) {
        let Some(registration) = self.0.get() else { return };
        if tokio::time::timeout(limit, registration.leave()).await.is_err() {
            tracing::warn!("the meta store does not answer: this proxy's lease ends by itself");
        }
    }

    /// This is the entry to be removed.
    fn by(&self, registration: &Arc<Registration>) {
        // One start has one.
        let _ = self.0.set(Arc::clone(registration));
    }
}

/// This proxy's entry.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) meta: Arc<dyn MetaStore>,
    pub(super) name: String,
    /// As it was at the start.
    pub(super) document: ProxyDocument,
    files: Files,
    version: AtomicI64,
    writing: tokio::sync::Mutex<()>,
    topology_seen: AtomicI64,
    /// Where the stores are.
    pub(super) places: Mutex<Places>,
    /// When the last renewal began that was successful.
    pub(super) renewed: Mutex<Instant>,
    /// Of one that must be alone: its lease was over, and since then it has not seen that nobody came meanwhile.
    lapsed: AtomicBool,
    /// When the log was told last that somebody did.
    told_of_rival: Mutex<Option<Instant>>,
    /// What the meta store's clock said and when: the one before last, and the last, at least [`GONE`] apart.
    clocks: Mutex<[(i64, Instant); 2]>,
}

impl Registration {
    /// Enters this proxy, then looks who else is there: two that start at once see each other.
    pub(super) async fn enter(
        setup: &Setup,
        id: &str,
        files: Files,
        topology_seen: i64,
    ) -> Result<Arc<Self>, OpenError> {
        let this = Arc::new(Self::planned(setup, id, files, topology_seen).await.map_err(OpenError::Meta)?);
        let now = this.document.started_at;
        setup.departure.by(&this);
        this.write(&this.document).await.map_err(OpenError::Meta)?;
        match this.others(now).await {
            Ok(None) => Ok(this),
            Ok(Some(other)) => {
                this.leave().await;
                Err(not_alone(other))
            }
            Err(error) => {
                this.leave().await;
                Err(OpenError::Meta(error))
            }
        }
    }

    /// The entry that this proxy would have now; nobody sees it yet.
    pub(super) async fn planned(setup: &Setup, id: &str, files: Files, topology_seen: i64) -> Result<Self, StoreError> {
        let (meta, info, began) = (Arc::clone(&setup.meta), &setup.proxy, Instant::now());
        let now = meta.now().await?;
        let document = ProxyDocument {
            host: info.host.clone(),
            pid: info.pid,
            address: info.address.clone(),
            version: info.version.clone(),
            started_at: now,
            lease_until: now + micros(LEASE),
            exclusive: files != Files::None,
            topology_seen,
            stores: BTreeMap::new(),
        };
        let (name, version, renewed) = (format!("{PROXY}{id}"), AtomicI64::new(0), Mutex::new(began));
        let (writing, places) = (tokio::sync::Mutex::new(()), Mutex::default());
        let (topology_seen, lapsed) = (AtomicI64::new(topology_seen), AtomicBool::new(false));
        let (told_of_rival, clocks) = (Mutex::default(), Mutex::new([(now, Instant::now()); 2]));
        Ok(Self {
            meta,
            name,
            document,
            files,
            version,
            writing,
            topology_seen,
            places,
            renewed,
            lapsed,
            told_of_rival,
            clocks,
        })
    }

    /// A living proxy that cannot be there together with this one, which starts; removes those that are surely gone.
    async fn others(&self, now: i64) -> Result<Option<ProxyDocument>, StoreError> {
        for entry in self.meta.list(PROXY).await? {
            if entry.name == self.name {
                continue;
            }
            let other: ProxyDocument = decode(&entry.name, &entry.body)?;
            let replaced = self.replaces(&other);
            if replaced || other.lease_until + micros(FORGET) < now {
                // Who has only said nothing may be one that cannot write and goes on reading: what it said of the catalog is
                // left to the next RENAME, which waits for as long as that proxy may go by it.
                if self.meta.remove(&entry.name, entry.version).await? && replaced {
                    self.meta.remove_at_any_version(&follower(&entry.name)).await?;
                }
                continue;
            }
            if self.is_rival(&other, now) {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    /// The same, only looked for, by who has entered nothing: also whom a start would remove is let be.
    pub(super) async fn in_the_way(&self) -> Result<Option<ProxyDocument>, StoreError> {
        let now = self.document.started_at;
        for entry in self.meta.list(PROXY).await? {
            let other: ProxyDocument = decode(&entry.name, &entry.body)?;
            if !self.replaces(&other) && self.is_rival(&other, now) {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    /// Whether a start proves that this other one is gone, by the locks of its files.
    fn replaces(&self, other: &ProxyDocument) -> bool {
        match self.files {
            Files::None | Files::NewClusters => false,
            Files::Clusters => other.exclusive && other.host == self.document.host,
            Files::Meta => true,
        }
    }

    /// A rival of one that runs, only looked for. Whom a start on this host replaces, [`Registration::others`] removes; behind a start it
    /// may be this proxy that was replaced.
    async fn rival(&self, now: i64) -> Result<Option<ProxyDocument>, StoreError> {
        for entry in self.meta.list(PROXY).await? {
            let other: ProxyDocument = decode(&entry.name, &entry.body)?;
            if entry.name != self.name && self.is_rival(&other, now) {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }

    /// Whether this other one is alive, and must not be beside this one.
    fn is_rival(&self, other: &ProxyDocument, now: i64) -> bool {
        other.lease_until >= now && (other.exclusive || self.document.exclusive)
    }

    /// Its id: what its document's name ends in.
    pub(super) fn id(&self) -> &str {
        self.name.strip_prefix(PROXY).unwrap_or(&self.name)
    }

    /// The proxy with this id, if it is there and its lease is not over.
    pub(super) async fn alive(&self, id: &str) -> Result<Option<ProxyDocument>, StoreError> {
        let (name, now) = (format!("{PROXY}{id}"), self.meta.now().await?);
        let Some(entry) = self.meta.load(&name).await? else { return Ok(None) };
        let proxy: ProxyDocument = decode(&name, &entry.body)?;
        Ok(Some(proxy).filter(|proxy| proxy.lease_until >= now))
    }

    /// Does `work` and renews the lease meanwhile, however long it takes.
    pub(super) async fn renewed_during<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            never = self.keep_renewing() => match never {},
        }
    }

    async fn keep_renewing(&self) -> Infallible {
        let mut interval = tokio::time::interval(LEASE / 3);
        interval.tick().await;
        loop {
            interval.tick().await;
            if let Err(error) = self.renew(None, &[], false).await {
                tracing::warn!(%error, "could not renew the lease in the registry of proxies");
            }
        }
    }

    /// Whether no other proxy can ever serve this deployment while this one runs.
    pub(super) fn is_exclusive(&self) -> bool {
        self.files != Files::None
    }

    /// Whether what this proxy has read at `now` may be used by it: whoever asks whether he is alone knows of it, until long
    /// after that ([`HELD`]). A proxy that could not renew its lease for longer may have been taken for gone.
    pub(super) fn is_held(&self, now: Instant) -> bool {
        self.is_exclusive() || now < *lock(&self.renewed) + HELD
    }

    /// Whether no other proxy can be serving now. One whose lease has ended may only have been slow to renew it.
    pub(super) async fn is_alone(&self) -> Result<bool, StoreError> {
        if self.is_exclusive() {
            return Ok(true);
        }
        let now = self.meta.now().await?;
        self.nobody_renewed_lately(now).await
    }

    /// The same where nobody else is asked whether he is there: a clock of the meta store that jumped ahead takes nobody for gone.
    pub(super) async fn is_surely_alone(&self) -> Result<bool, StoreError> {
        if self.is_exclusive() {
            return Ok(true);
        }
        let now = self.meta.now().await?;
        self.nobody_renewed_lately(self.no_later_than(now, Instant::now())).await
    }

    /// The meta store's time, but no later than by this proxy's clock since a while ago.
    fn no_later_than(&self, time: i64, now: Instant) -> i64 {
        let [(was, at), _] = *lock(&self.clocks);
        time.min(was.saturating_add(micros(now.saturating_duration_since(at))))
    }

    /// The meta store says this time now. What it said long ago counts no more, for clocks drift.
    fn compare_clocks(&self, time: i64, now: Instant) {
        let mut clocks = lock(&self.clocks);
        if now.saturating_duration_since(clocks[1].1) >= GONE {
            *clocks = [clocks[1], (time, now)];
        }
    }

    /// Whether no other entry is of a proxy that may still be there at this time.
    async fn nobody_renewed_lately(&self, now: i64) -> Result<bool, StoreError> {
        for entry in self.meta.list(PROXY).await? {
            let other: ProxyDocument = decode(&entry.name, &entry.body)?;
            if entry.name != self.name && other.lease_until + micros(GONE) >= now {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Renews the lease and asks these stores where they are, of which `are_used` says whether this proxy uses them already.
    /// What is known of others stands, and so does the topology seen before if there is no newer one.
    pub(super) async fn renew(
        &self,
        topology_seen: Option<i64>,
        stores: &[Store<'_>],
        are_used: bool,
    ) -> Result<(), StoreError> {
        let began = Instant::now();
        let now = self.meta.now().await?;
        self.compare_clocks(now, Instant::now());
        self.locate(stores, now, are_used).await?;
        // A renewal, and a cluster that has come back: who writes last has read last.
        let _one = self.writing.lock().await;
        if let Some(seen) = topology_seen {
            self.topology_seen.fetch_max(seen, Ordering::AcqRel);
        }
        let topology_seen = self.topology_seen.load(Ordering::Acquire);
        let (lease_until, stores) = (now + micros(LEASE), lock(&self.places).documents());
        self.write(&ProxyDocument { lease_until, topology_seen, stores, ..self.document.clone() }).await?;
        let before = std::mem::replace(&mut *lock(&self.renewed), began);
        if self.is_exclusive() && began.saturating_duration_since(before) > LEASE {
            self.lapsed.store(true, Ordering::Release);
        }
        self.look_for_rival(now).await;
        Ok(())
    }

    /// One that must be alone, and could not say for longer than its lease that it is there, may have been taken for gone by
    /// another one, which was let in and does not look again. Both go on, for neither can know whose stores are the right ones;
    /// the log is told, every minute.
    async fn look_for_rival(&self, now: i64) {
        if !self.lapsed.load(Ordering::Acquire) {
            return;
        }
        // If it is not known, the next renewal looks again.
        let Ok(rival) = self.rival(now).await else { return };
        let mut told = lock(&self.told_of_rival);
        let Some(ProxyDocument { host, pid, address, .. }) = rival else {
            *told = None;
            return self.lapsed.store(false, Ordering::Release);
        };
        let now = Instant::now();
        if told.is_none_or(|at| now.saturating_duration_since(at) >= TELL_AGAIN) {
            *told = Some(now);
            tracing::error!(
                host,
                pid,
                address,
                "another proxy came while this one could not renew its lease, and both of them must be alone: stop the one whose stores are a copy"
            );
        }
    }

    /// Removes the entry, and what this proxy said of the catalog that it uses; best effort, the lease ends anyway. At whatever
    /// version they are: of one that is being written it is not known.
    pub(super) async fn leave(&self) {
        for name in [&self.name, &follower(&self.name)] {
            match self.meta.remove_at_any_version(name).await {
                Ok(true) => {}
                Ok(false) => {
                    tracing::warn!(document = name, "could not leave the registry of proxies: it keeps changing")
                }
                Err(error) => tracing::warn!(document = name, %error, "could not leave the registry of proxies"),
            }
        }
    }

    async fn write(&self, document: &ProxyDocument) -> Result<(), StoreError> {
        let body = encode(&self.name, document)?;
        let version = self.version.load(Ordering::Acquire);
        if self.meta.compare_and_set(&self.name, version, &body).await? {
            self.version.store(version + 1, Ordering::Release);
            return Ok(());
        }
        // Somebody took this proxy for dead and removed or changed its entry: enter again on top of what is there.
        let found = self.meta.load(&self.name).await?.map_or(0, |d| d.version);
        let entered = self.meta.compare_and_set(&self.name, found, &body).await?;
        self.version.store(if entered { found + 1 } else { found }, Ordering::Release);
        if !entered {
            return Err(StoreError::Failed { detail: format!("'{}' keeps changing", self.name) });
        }
        Ok(())
    }
}

/// This other proxy is in the way.
pub(super) fn not_alone(other: ProxyDocument) -> OpenError {
    OpenError::NotAlone { host: other.host, pid: other.pid, address: other.address }
}

/// The name of the document in which the proxy of this entry says which catalog it uses.
fn follower(entry: &str) -> String {
    format!("{FOLLOWER}{}", entry.strip_prefix(PROXY).unwrap_or(entry))
}

pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::memory::MemoryMeta;

    async fn enter(meta: &Arc<MemoryMeta>, id: &str, host: &str, files: Files) -> Arc<Registration> {
        let (address, version) = (format!("{host}:1"), "0".to_owned());
        let setup = Setup {
            virtual_shards: None,
            meta: Arc::clone(meta) as _,
            meta_exclusive: false,
            clusters: Vec::new(),
            proxy: ProxyInfo { host: host.to_owned(), pid: 1, address, version },
            poll: LEASE,
            cache_bytes: 0,
            first_documents: Vec::new(),
            departure: Departure::default(),
        };
        Registration::enter(&setup, id, files, 1).await.unwrap()
    }

    #[tokio::test]
    async fn who_must_be_alone_and_was_silent_for_longer_than_its_lease_looks_who_has_come() {
        // Also one of the same host name, which took this one for replaced.
        for host in ["b", "a"] {
            let meta = Arc::new(MemoryMeta::created());
            let first = enter(&meta, "1", "a", Files::Clusters).await;
            first.renew(None, &[], false).await.unwrap();
            assert!(!first.lapsed.load(Ordering::Acquire));
            meta.advance(LEASE * 2);
            let second = enter(&meta, "2", host, Files::Clusters).await;
            let before = Instant::now().checked_sub(LEASE * 2).expect("this machine has run for a while");
            *lock(&first.renewed) = before;
            first.renew(None, &[], false).await.unwrap();
            assert!(lock(&first.told_of_rival).is_some());
            assert!(meta.load(&second.name).await.unwrap().is_some(), "it is only looked at");
            second.leave().await;
            first.renew(None, &[], false).await.unwrap();
            assert!(lock(&first.told_of_rival).is_none() && !first.lapsed.load(Ordering::Acquire));
        }
    }

    #[tokio::test]
    async fn a_clock_that_jumps_ahead_takes_nobody_for_gone_before_that_time_has_passed_here() {
        let meta = Arc::new(MemoryMeta::created());
        let first = enter(&meta, "a", "a", Files::None).await;
        let _second = enter(&meta, "b", "b", Files::None).await;
        let (began, jump) = (Instant::now(), LEASE + GONE + LEASE);
        assert!(!first.is_surely_alone().await.unwrap());
        meta.advance(jump);
        assert!(first.is_alone().await.unwrap() && !first.is_surely_alone().await.unwrap());
        let time = micros(jump);
        // The jump is seen at the next comparison, and believed behind the one after that.
        first.compare_clocks(time, began + GONE);
        assert!(first.no_later_than(time, began + GONE) < time);
        first.compare_clocks(time + micros(GONE), began + 2 * GONE);
        assert_eq!(first.no_later_than(time + micros(GONE), began + 2 * GONE), time + micros(GONE));
        assert!(first.is_surely_alone().await.unwrap());
    }
}
