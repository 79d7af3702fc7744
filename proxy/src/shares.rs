//! Places for long work, of which one account has no more than a share: whoever has much to do keeps others waiting, but
//! never takes every place.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::sync::lock;

/// All places of a kind.
#[derive(Debug)]
pub struct Room {
    places: Arc<Semaphore>,
    /// How many of them one account has at most.
    share: usize,
    /// The shares of accounts that are there.
    shares: Mutex<HashMap<String, Weak<Semaphore>>>,
}

/// What one account has of a room. Clones are the same account's.
#[derive(Clone, Debug)]
pub struct Share {
    own: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// A place that is taken; free again when it is dropped.
#[must_use]
#[derive(Debug)]
pub struct Taken {
    _place: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
}

impl Room {
    /// So many places, and so many of them for one account.
    pub fn new(places: usize, share: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), share, shares: Mutex::default() }
    }

    /// What an account has of it.
    pub fn of(&self, account: &str) -> Share {
        let mut shares = lock(&self.shares);
        let own = match shares.get(account).and_then(Weak::upgrade) {
            Some(own) => own,
            None => {
                shares.retain(|_, own| own.strong_count() > 0);
                let own = Arc::new(Semaphore::new(self.share));
                shares.insert(account.to_owned(), Arc::downgrade(&own));
                own
            }
        };
        Share { own, places: Arc::clone(&self.places) }
    }

    /// Takes so many places at once.
    #[cfg(test)]
    pub fn at_work(&self, places: u32) -> OwnedSemaphorePermit {
        Arc::clone(&self.places).try_acquire_many_owned(places).unwrap()
    }

    /// How many places are free.
    pub fn free(&self) -> usize {
        self.places.available_permits()
    }
}

impl Share {
    /// Takes a place; `None` if there is none until then.
    pub async fn take(&self, until: Instant) -> Option<Taken> {
        let taking = async {
            // Its own first: who waits for that is in nobody's way.
            let own = Arc::clone(&self.own).acquire_owned().await.ok()?;
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            Some(Taken { _place: place, _own: own })
        };
        tokio::time::timeout_at(until.into(), taking).await.ok().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn who_has_its_share_waits_and_others_do_not() {
        let room = Room::new(3, 2);
        let soon = || Instant::now() + Duration::from_millis(20);
        let (hog, other) = (room.of("hog"), room.of("other"));
        let first = hog.take(soon()).await.unwrap();
        let _second = room.of("hog").take(soon()).await.unwrap();
        assert!(hog.take(soon()).await.is_none() && room.free() == 1);
        let _third = other.take(soon()).await.unwrap();
        assert!(other.take(soon()).await.is_none(), "there is no more room");
        drop(first);
        assert!(other.take(soon()).await.is_some());
        drop((hog, other));
        let _new = room.of("new");
        assert_eq!(lock(&room.shares).len(), 3, "those that have a place are there");
    }
}
