//! Where the stores of the clusters are: no two proxies may take two stores for one cluster.
//!
//! A copy of a store says that it is the store: deployment, number and shards are the same. Written to through two proxies,
//! both would give out the same ids and take the same names. So every proxy says in the registry where each of its stores
//! is, by the store's own account ([`Location`]), and a start that finds a living proxy with
//! another place for the same cluster is refused.
//!
//! Places change: a server is started again, or another one takes over, and two proxies do not learn of it at the same
//! instant. So another place counts only if its proxy was told of it behind the moment from which this proxy knows its own.
//! Until then the start waits: for the other's next renewal, or until the other has not heard of its store for a lease.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use super::documents::{PROXY, ProxyDocument, StoreDocument, decode};
use super::error::OpenError;
use super::registry::{LEASE, Registration, micros, not_alone};
use crate::backend::{Backend, Location};
use crate::error::StoreError;
use crate::executor::Cluster;
use crate::sync::lock;

/// How long a store may take to say where it is. What it said before stands for a lease.
const LOCATED_WITHIN: Duration = Duration::from_millis(1500);

/// How long another proxy's word is waited for. It comes with its next renewal, or its store is not heard of for a lease.
const AGREED_WITHIN: Duration = LEASE.saturating_mul(2);

/// Pause between two looks at what others say.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// A store of this proxy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Store<'a> {
    /// Its cluster's number.
    pub(super) number: u16,
    /// Its cluster's name.
    pub(super) name: &'a str,
    /// It.
    pub(super) backend: &'a dyn Backend,
}

impl<'a> Store<'a> {
    /// That of a cluster.
    pub(super) fn of(cluster: &'a Cluster) -> Self {
        Self { number: cluster.number.get(), name: &cluster.name, backend: cluster.backend.as_ref() }
    }
}

/// Where stores are, by cluster number.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(BTreeMap<u16, Place>);

/// Where a store is.
#[derive(Clone, Debug)]
struct Place {
    /// As others read it.
    document: StoreDocument,
    /// Whether others are to read it yet: not before they have said nothing against it.
    is_said: bool,
    /// When this proxy knew it to be there, behind the store's answer, microseconds UTC by the meta store's clock.
    since: i64,
    /// How often the store has said so.
    answers: u64,
}

impl Places {
    /// A store was asked at `now` where it is, and has answered this by `known_at`, or not in time (`None`). `is_used` says that
    /// this proxy uses it, whatever others say.
    fn answered(&mut self, number: u16, answer: Option<Option<Location>>, (now, known_at): (i64, i64), is_used: bool) {
        match (answer, self.0.get_mut(&number)) {
            (Some(Some(Location { address, place })), Some(known)) => {
                if known.document.place != place {
                    known.since = known_at;
                }
                known.answers += 1;
                known.document = StoreDocument { address, place, confirmed_at: now, ..known.document };
            }
            (Some(Some(Location { address, place })), None) => {
                let document = StoreDocument { address, place, confirmed_at: now, agreed: is_used };
                self.0.insert(number, Place { document, is_said: is_used, since: known_at, answers: 1 });
            }
            (Some(None), _) => drop(self.0.remove(&number)),
            (None, Some(known)) if known.document.is_outdated(now) => drop(self.0.remove(&number)),
            (None, _) => {}
        }
    }

    /// As others read them.
    pub(super) fn documents(&self) -> BTreeMap<u16, StoreDocument> {
        let said = self.0.iter().filter(|(_, place)| place.is_said);
        said.map(|(number, place)| (*number, place.document.clone())).collect()
    }

    /// Others are to read of these stores from now on; whether they were not before.
    fn say(&mut self, stores: &[Store<'_>]) -> bool {
        let mut is_new = false;
        for store in stores {
            if let Some(place) = self.0.get_mut(&store.number) {
                is_new |= !std::mem::replace(&mut place.is_said, true);
            }
        }
        is_new
    }
}

impl StoreDocument {
    /// Whether its proxy has not heard of the store for so long that it can be taken to have lost it.
    fn is_outdated(&self, now: i64) -> bool {
        self.confirmed_at + micros(LEASE) < now
    }
}

/// What another proxy says against a store of this one.
struct Dispute {
    error: OpenError,
    /// Both are where they say, at one time.
    is_certain: bool,
}

/// Words of others that came behind what this proxy knows: by entry, cluster, place and the moment from which this proxy knows
/// its own, how often its store had said that when they were read first.
type Heard = BTreeMap<(String, u16, String, i64), u64>;

impl Registration {
    /// Asks stores where they are; `is_used` says that this proxy uses them already.
    ///
    /// # Errors
    /// What the meta store says, whose clock it is.
    pub(super) async fn locate(&self, stores: &[Store<'_>], now: i64, is_used: bool) -> Result<(), StoreError> {
        if self.is_exclusive() || stores.is_empty() {
            return Ok(());
        }
        let asked = stores.iter().map(|store| timeout(LOCATED_WITHIN, store.backend.location()));
        let answers = join_all(asked).await;
        let known_at = self.meta.now().await?;
        let mut places = lock(&self.places);
        for (store, answer) in stores.iter().zip(answers) {
            places.answered(store.number, answer.ok().and_then(Result::ok), (now, known_at), is_used);
        }
        Ok(())
    }

    /// Makes sure that no living proxy says that one of these clusters is elsewhere, says where they are, and looks again: of
    /// two that do so at once at least one sees the other.
    ///
    /// # Errors
    /// [`OpenError::TwoStores`]; then nothing is said of these stores.
    pub(super) async fn agree(&self, stores: &[Store<'_>]) -> Result<(), OpenError> {
        if self.is_exclusive() {
            return Ok(());
        }
        let outcome = self.settled(stores, true).await;
        let was_said = {
            let mut places = lock(&self.places);
            let mut was_said = false;
            for store in stores {
                if outcome.is_err() {
                    was_said |= places.0.remove(&store.number).is_some_and(|place| place.is_said);
                } else if let Some(place) = places.0.get_mut(&store.number) {
                    place.document.agreed = true;
                }
            }
            was_said
        };
        if was_said && let Err(error) = self.renew(None, &[], false).await {
            tracing::debug!(%error, "the next renewal takes it back");
        }
        outcome
    }

    /// Looks whether [`Registration::enter`] or [`Registration::agree`] would be refused, for who has no entry: says nothing.
    ///
    /// # Errors
    /// [`OpenError::NotAlone`], [`OpenError::TwoStores`]
    pub(super) async fn compare(&self, stores: &[Store<'_>]) -> Result<(), OpenError> {
        if let Some(other) = self.in_the_way().await.map_err(OpenError::Meta)? {
            return Err(not_alone(other));
        }
        if self.is_exclusive() { Ok(()) } else { self.settled(stores, false).await }
    }

    /// Answers when nobody says anything against these stores; `says` is whether this proxy then says where they are.
    async fn settled(&self, stores: &[Store<'_>], says: bool) -> Result<(), OpenError> {
        let (deadline, mut waits, mut heard) = (Instant::now() + AGREED_WITHIN, false, Heard::new());
        loop {
            let located = async {
                if says {
                    return self.renew(None, stores, false).await;
                }
                self.locate(stores, self.meta.now().await?, false).await
            };
            located.await.map_err(OpenError::Meta)?;
            match self.dispute(stores, &mut heard).await.map_err(OpenError::Meta)? {
                None if says && lock(&self.places).say(stores) => continue,
                None => return Ok(()),
                Some(Dispute { error, is_certain }) if is_certain || Instant::now() >= deadline => return Err(error),
                Some(Dispute { error, .. }) => {
                    if !std::mem::replace(&mut waits, true) {
                        tracing::info!(%error, "waiting for what another proxy says next of where a cluster is");
                    }
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// What a living proxy says against these stores; what is certain before what is not.
    ///
    /// It is certain if the other one was told of its place behind the moment from which this proxy knows its own, and this one
    /// was told of its own again behind reading that.
    async fn dispute(&self, stores: &[Store<'_>], heard: &mut Heard) -> Result<Option<Dispute>, StoreError> {
        let (now, ours) = (self.meta.now().await?, lock(&self.places).clone());
        let mut perhaps = None;
        for entry in self.meta.list(PROXY).await? {
            let other: ProxyDocument = decode(&entry.name, &entry.body)?;
            if entry.name == self.name || other.lease_until < now {
                continue;
            }
            // Of two that are about to decide, the later one gives way, and the earlier one waits for that.
            let is_earlier = (other.started_at, &entry.name) < (self.document.started_at, &self.name);
            for store in stores {
                let (Some(our), Some(their)) = (ours.0.get(&store.number), other.stores.get(&store.number)) else {
                    continue;
                };
                if their.place == our.document.place || their.is_outdated(now) {
                    continue;
                }
                let error = OpenError::TwoStores {
                    cluster: store.name.to_owned(),
                    here: our.document.to_string(),
                    there: their.to_string(),
                    proxy: format!("pid {} on {}, {}", other.pid, other.host, other.address),
                };
                let is_later = their.confirmed_at >= our.since && (their.agreed || is_earlier);
                let word = (entry.name.clone(), store.number, their.place.clone(), our.since);
                let is_certain = match heard.get(&word) {
                    Some(answers) if is_later => our.answers > *answers,
                    None if is_later => {
                        heard.insert(word, our.answers);
                        false
                    }
                    Some(_) | None => false,
                };
                perhaps = Some(Dispute { error, is_certain });
                if is_certain {
                    return Ok(perhaps);
                }
            }
        }
        Ok(perhaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(place: &str) -> Option<Option<Location>> {
        Some(Some(Location { address: "mysql://x".to_owned(), place: place.to_owned() }))
    }

    fn known(places: &Places) -> Option<(&str, i64, i64)> {
        places.0.get(&1).map(|place| (place.document.place.as_str(), place.document.confirmed_at, place.since))
    }

    #[test]
    fn a_place_is_known_since_it_is_another_and_forgotten_when_nothing_is_heard_of_it_for_a_lease() {
        let (mut places, lease) = (Places::default(), micros(LEASE));
        places.answered(1, None, (5, 5), false);
        assert_eq!(known(&places), None);
        places.answered(1, at("x"), (9, 10), false);
        places.answered(1, at("x"), (20, 20), false);
        assert_eq!(known(&places), Some(("x", 20, 10)));
        places.answered(1, at("y"), (30, 30), false);
        assert_eq!(known(&places), Some(("y", 30, 30)), "another server has taken over");
        assert!(places.documents().is_empty(), "others may be against it");
        places.answered(1, None, (30 + lease, 30 + lease), false);
        assert_eq!(known(&places), Some(("y", 30, 30)), "it does not answer for once");
        places.answered(1, None, (31 + lease, 31 + lease), false);
        assert_eq!(known(&places), None);
        places.answered(1, at("y"), (50, 50), true);
        assert!(places.documents()[&1].agreed, "it is in use");
        places.answered(1, Some(None), (60, 60), true);
        assert_eq!(known(&places), None, "nothing can be written there any more");
    }
}
