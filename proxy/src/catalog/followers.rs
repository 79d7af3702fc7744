//! Which proxies use which version of the catalog.
//!
//! A renamed table keeps its physical tables, so that nothing stops a proxy with an older catalog from writing to it under
//! the old name, while another table may have that name already. Each proxy says in a document of its own what it has
//! read; whoever renames waits until all have said that they know the new names, or may not use the old ones any more
//! (their own `meta.max_stale`, which they say, too). So does whoever gives a name to a new table or column, for a
//! rename that gave up. Columns that are renamed or dropped keep their cells, too.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use cellgate_store::StoreError;
use cellgate_store::deployment::{Edition, FOLLOWER};
use serde::{Deserialize, Serialize};

use super::{Catalog, micros};
use crate::sync::lock;

/// How often a rename looks who has followed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// The longest `meta.max_stale` that can be configured.
const MOST_STALE: Duration = Duration::from_secs(24 * 3600);
/// How long a change waits for others before the log is told for whom.
const WAITS_LONG: Duration = Duration::from_secs(5);
/// How often the log is told that this proxy still cannot say what it uses.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Which documents of others said that they use an older catalog, and since when: by name and version.
pub(super) type Silent = Mutex<BTreeMap<(String, i64), Instant>>;

/// What one proxy uses of the catalog: no statement that begins later uses an older one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Follower {
    version: i64,
    /// [`Edition::digest`] of that document. Versions up to 0.3.0 do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<u64>,
    /// Its `meta.max_stale`, in microseconds. Versions up to 0.3.0 do not say it: it is taken to be that of who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_stale: Option<u64>,
}

/// Another proxy that has not said that it uses a catalog.
#[derive(Clone, Debug)]
struct Behind {
    /// The name and the version of its document.
    said: (String, i64),
    /// For how long it may use what it has.
    max_stale: Duration,
}

/// What this proxy has said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Said {
    /// Which catalog.
    used: Edition,
    /// How long it may be used when it is old, in microseconds.
    max_stale: u64,
    /// The version of the document that says so.
    document: i64,
    /// When that was written.
    at: Option<Instant>,
}

/// When the log was told last that a proxy cannot say what it uses; `None` while it can.
#[derive(Debug, Default)]
pub(super) struct Refusal(Mutex<Option<Instant>>);

impl Refusal {
    /// It was said, or not: whether the log is to be told.
    fn is_news(&self, is_said: bool, now: Instant) -> bool {
        let mut told = lock(&self.0);
        let is_news = match *told {
            Some(at) => is_said || now.saturating_duration_since(at) >= TELL_AGAIN,
            None => !is_said,
        };
        if is_said {
            *told = None;
        } else if is_news {
            *told = Some(now);
        }
        is_news
    }

    fn ended(&self, outcome: &Result<bool, StoreError>) {
        match outcome {
            outcome if !self.is_news(outcome.is_ok(), Instant::now()) => {}
            Ok(_) => tracing::info!("the meta store takes again which catalog this proxy uses"),
            Err(error) => {
                tracing::warn!(%error, "could not say in the meta store which catalog is used: a newer one is not used for long");
            }
        }
    }
}

impl Catalog {
    /// Says which version this proxy uses, and for how long, if it has not yet. Answers whether it is known that its
    /// document was there all the time until now.
    pub(super) async fn say_what_is_used(&self) -> Result<bool, StoreError> {
        let mut said = self.said.lock().await;
        let known = self.known();
        let max_stale = self.max_stale.load(Ordering::Acquire);
        if said.document != 0 && said.used == known && said.max_stale == max_stale {
            return Ok(true);
        }
        self.say(&mut said, known).await
    }

    async fn say(&self, said: &mut Said, used: Edition) -> Result<bool, StoreError> {
        let outcome = self.write(said, used).await;
        self.refusal.ended(&outcome);
        outcome
    }

    async fn write(&self, said: &mut Said, used: Edition) -> Result<bool, StoreError> {
        let failed = |error| StoreError::Failed { detail: format!("what was read cannot be written: {error}") };
        let max_stale = self.max_stale.load(Ordering::Acquire);
        let follower = Follower { version: used.version, digest: Some(used.digest), max_stale: Some(max_stale) };
        let body = serde_json::to_vec(&follower).map_err(failed)?;
        let (meta, name) = (self.deployment.meta(), &self.follower);
        let was_there = meta.compare_and_set(name, said.document, &body).await?;
        if !was_there {
            // Somebody took this proxy for gone, or an acknowledgement was lost.
            said.document = meta.load_to_change(name).await?.map_or(0, |stored| stored.version);
            if !meta.compare_and_set(name, said.document, &body).await? {
                return Err(StoreError::Failed { detail: format!("'{name}' keeps changing") });
            }
        }
        self.told_stale.store(max_stale, Ordering::Release);
        *said = Said { used, max_stale, document: said.document + 1, at: Some(Instant::now()) };
        *lock(&self.used) = used;
        Ok(was_there)
    }

    /// Whether this catalog, whose reading began then, may be used: any RENAME that is not in it must find that this
    /// proxy uses an older one, and wait for it.
    ///
    /// Nobody takes this proxy for gone for `meta.max_stale` behind a read of the version that its document says. Later the
    /// document is looked for *behind* the read: where it is there and says this version, nobody has. Else it is written, and
    /// the catalog must be read again (`false`), for a RENAME may have come in between.
    pub(super) async fn may_use(&self, read: Edition, began: Instant) -> Result<bool, StoreError> {
        if self.fresh_at().elapsed() < self.max_stale() {
            if *lock(&self.used) == read {
                self.read_began(began);
            }
            return Ok(true);
        }
        let mut said = self.said.lock().await;
        if said.at.is_some_and(|at| at > began) {
            // Another task has said so behind the read.
            return Ok(false);
        }
        if said.document != 0 && said.used == read {
            // Its version was made by this proxy and is durable.
            let stored = self.deployment.meta().load_to_change(&self.follower).await?;
            if stored.is_some_and(|stored| stored.version == said.document) {
                self.read_began(began);
                return Ok(true);
            }
        }
        self.say(&mut said, read).await?;
        Ok(false)
    }

    /// This proxy reads nothing any more; best effort.
    pub(super) async fn leave(&self) {
        let left = self.deployment.meta().remove_at_any_version(&self.follower).await;
        if !matches!(left, Ok(true)) {
            tracing::debug!("the next RENAME waits for this proxy");
        }
    }

    /// Answers when no proxy uses a catalog that is older than this one: when all have said so or, where one says nothing, when
    /// what it knows is too old to be used. Who has said nothing by then is not waited for again before it reappears.
    ///
    /// The registry is not asked who is there: a proxy that could not renew its lease for long may have read the catalog all
    /// that time.
    pub(super) async fn all_follow(&self, version: i64) {
        if version == 0 {
            // There was never anything to follow.
            return;
        }
        let (began, mut longest, mut is_told) = (Instant::now(), Duration::ZERO, false);
        loop {
            let behind = self.who_is_behind(version).await;
            if matches!(&behind, Ok(behind) if behind.is_empty()) {
                return;
            }
            // Who has said less meanwhile may have begun a statement before.
            longest = match &behind {
                Ok(behind) => behind.iter().map(|other| other.max_stale).fold(longest, Duration::max),
                Err(_) => longest.max(self.longest_stale()),
            };
            let settled = began + longest;
            if self.deployment.is_exclusive() || Instant::now() >= settled {
                for Behind { said: (name, document), .. } in behind.unwrap_or_default() {
                    let _removed = self.deployment.meta().remove(&name, document).await;
                }
                return;
            }
            if let Ok(behind) = behind
                && !is_told
                && began.elapsed() >= WAITS_LONG
            {
                is_told = true;
                let names: Vec<&str> = behind.iter().map(|other| other.said.0.as_str()).collect();
                let (waits_for, at_most_s) = (names.join(", "), longest.as_secs());
                tracing::warn!(
                    waits_for,
                    at_most_s,
                    "a change of names waits for proxies that do not follow the catalog"
                );
            }
            tokio::time::sleep_until((Instant::now() + LOOK_AGAIN.min(self.poll)).min(settled).into()).await;
        }
    }

    /// Removes what proxies said that say nothing any more: those that were found to use an older catalog than this one, and have
    /// said nothing in their `meta.max_stale` since. What they know is too old to be used then, as behind a RENAME; one that was
    /// only slow says again what it uses, and reads once more. Of who uses this catalog nobody knows whether he still does:
    /// while he reads it he needs not say so again.
    pub(super) async fn forget_the_silent(&self) -> Result<(), StoreError> {
        let behind = self.who_is_behind(self.known().version).await?;
        let now = Instant::now();
        let silent: Vec<(String, i64)> = {
            let mut known = lock(&self.silent);
            known.retain(|said, _| behind.iter().any(|other| other.said == *said));
            let since = behind.into_iter().map(|other| (*known.entry(other.said.clone()).or_insert(now), other));
            let silent = since.filter(|(since, other)| now.duration_since(*since) > other.max_stale);
            silent.map(|(_, other)| other.said).collect()
        };
        for (name, document) in silent {
            self.deployment.meta().remove(&name, document).await?;
        }
        Ok(())
    }

    /// Whether all others that have ever said which version they use have said this one. Not known is no.
    pub(super) async fn nobody_is_behind(&self) -> bool {
        self.who_is_behind(self.known().version).await.is_ok_and(|behind| behind.is_empty())
    }

    /// The others that have not said that they use this version or a newer one, with the versions of what they said. A newer one
    /// than the newest, or the newest with another body, is one that the meta store has lost.
    async fn who_is_behind(&self, version: i64) -> Result<Vec<Behind>, StoreError> {
        let others = self.others().await?;
        if others.iter().any(|(.., other)| other.version > self.known().version) {
            self.load().await?;
        }
        let newest = self.known();
        let is_lost = |other: &Follower| match other.digest {
            Some(digest) => other.version == newest.version && digest != newest.digest,
            None => false,
        };
        let behind = |(.., other): &(String, i64, Follower)| {
            other.version < version || other.version > newest.version || is_lost(other)
        };
        let behind = others.into_iter().filter(behind);
        let max_stale = |other: &Follower| self.max_stale_of(other);
        Ok(behind.map(|(name, at, other)| Behind { said: (name, at), max_stale: max_stale(&other) }).collect())
    }

    /// What the others have said: by name, with the versions of their documents.
    async fn others(&self) -> Result<Vec<(String, i64, Follower)>, StoreError> {
        let mut others = self.deployment.meta().list(FOLLOWER).await?;
        others.retain(|stored| stored.name != self.follower);
        let read = |body: &[u8]| serde_json::from_slice::<Follower>(body).unwrap_or_default();
        let others: Vec<_> = others.into_iter().map(|other| (other.name, other.version, read(&other.body))).collect();
        let own = Duration::from_micros(self.max_stale.load(Ordering::Acquire)).max(self.max_stale());
        let longest = others.iter().map(|(.., other)| self.max_stale_of(other)).fold(own, Duration::max);
        self.longest_stale.store(micros(longest), Ordering::Release);
        Ok(others)
    }

    fn max_stale_of(&self, other: &Follower) -> Duration {
        let said = other.max_stale.map(Duration::from_micros);
        said.unwrap_or(Duration::from_micros(self.max_stale.load(Ordering::Acquire))).min(MOST_STALE)
    }

    /// The longest that any proxy may use an old catalog, as was found last.
    fn longest_stale(&self) -> Duration {
        Duration::from_micros(self.longest_stale.load(Ordering::Acquire))
    }

    /// The same, as it is now; where that cannot be read, as was found last.
    pub(super) async fn ask_longest_stale(&self) -> Duration {
        // What cannot be read is known from before.
        let _others = self.others().await;
        self.longest_stale()
    }
}
