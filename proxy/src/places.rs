//! Places for client connections: `limits.max_connections`, and one more for an account with ADMIN.
//!
//! When every place is taken, somebody must still be able to look and to KILL. Who that is only a login tells. So a few
//! more connections may come in to log in, [`LATE_LOGINS`] at most; behind the login one with ADMIN gets the reserved
//! place, one of another account a place that has become free meanwhile, or 1040.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections beyond `limits.max_connections` that may be logging in at once.
pub const LATE_LOGINS: usize = 16;
/// Connections of accounts with ADMIN beyond `limits.max_connections`.
pub const RESERVED: usize = 1;

/// The places there are.
#[derive(Debug)]
pub struct Places {
    ordinary: Arc<Semaphore>,
    late: Arc<Semaphore>,
    reserved: Arc<Semaphore>,
}

/// A connection's place; free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    kind: Kind,
    _permit: OwnedSemaphorePermit,
}

/// Which place it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One of `limits.max_connections`.
    Ordinary,
    /// Until it is known who it is.
    Late,
    /// That of an account with ADMIN.
    Reserved,
}

/// No place is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Places {
    /// So many ordinary places.
    pub fn new(connections: usize) -> Self {
        let of = |places: usize| Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        Self { ordinary: of(connections), late: of(LATE_LOGINS), reserved: of(RESERVED) }
    }

    /// A place for a connection of whom nothing is known yet.
    ///
    /// # Errors
    /// [`Full`]: not even to log in.
    pub fn arrive(&self) -> Result<Place, Full> {
        take(Kind::Ordinary, &self.ordinary).or_else(|Full| take(Kind::Late, &self.late))
    }

    /// Its account is known now, and whether it has ADMIN: gives it the place it may keep.
    ///
    /// # Errors
    /// [`Full`]: there is none for it.
    pub fn settle(&self, place: &mut Place, may_administer: bool) -> Result<(), Full> {
        match (place.kind, may_administer) {
            (Kind::Ordinary, _) | (Kind::Reserved, true) => return Ok(()),
            (Kind::Late, _) | (Kind::Reserved, false) => {}
        }
        let free = take(Kind::Ordinary, &self.ordinary);
        *place = if may_administer { free.or_else(|Full| take(Kind::Reserved, &self.reserved))? } else { free? };
        Ok(())
    }
}

fn take(kind: Kind, places: &Arc<Semaphore>) -> Result<Place, Full> {
    Arc::clone(places).try_acquire_owned().map(|permit| Place { kind, _permit: permit }).map_err(|_| Full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_limit_there_is_one_place_for_an_admin_and_a_few_to_log_in() {
        let places = Places::new(1);
        let mut first = places.arrive().unwrap();
        places.settle(&mut first, false).unwrap();
        let mut late: Vec<Place> = (0..LATE_LOGINS).map(|_| places.arrive().unwrap()).collect();
        assert_eq!(places.arrive().unwrap_err(), Full, "half-open logins are bounded");

        let mut other = late.pop().unwrap();
        assert_eq!(places.settle(&mut other, false), Err(Full));
        let mut admin = late.pop().unwrap();
        places.settle(&mut admin, true).unwrap();
        assert_eq!(places.settle(&mut late.pop().unwrap(), true), Err(Full), "one, and no more");
        // CHANGE_USER: only an account with ADMIN keeps it.
        assert_eq!(places.settle(&mut admin, false), Err(Full));
        places.settle(&mut admin, true).unwrap();

        drop(first);
        places.settle(&mut other, false).unwrap();
        drop((late, admin));
        assert!(places.arrive().is_ok_and(|place| place.kind == Kind::Late));
    }
}
