//! Who holds what: plain data, the same whether it lives in memory or in a document.

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use super::{ACCOUNT_NAMES, LockError, NAMES, SESSION_NAMES, Which};

/// What is locked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// A name of GET_LOCK, in lower case.
    Name(String),
    /// A table, by database and name.
    Table(String, String),
    /// A database with all its tables, as CREATE, ALTER and DROP DATABASE use it. Nobody locks one.
    Database(String),
    /// The accounts, as statements about them use them. Nobody locks them.
    Accounts,
    /// Every table and what is beside them: FLUSH TABLES WITH READ LOCK.
    Tables,
}

/// How it is locked, or is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Together with others who read.
    Read,
    /// Alone.
    Write,
}

/// A session.
#[derive(Clone, Debug, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The proxy it is connected to; empty if there is only one.
    pub proxy: String,
    /// Its connection id there.
    pub connection: u32,
    /// The user of its account, as far as that is known: whose names these are. It is the same session whatever this says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub user: String,
}

impl PartialEq for Owner {
    fn eq(&self, other: &Self) -> bool {
        self.connection == other.connection && self.proxy == other.proxy
    }
}

impl Hash for Owner {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.proxy, self.connection).hash(state);
    }
}

/// What came of letting go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released {
    /// It was held, and is held once less.
    Yes,
    /// Somebody else holds it.
    NotYours,
    /// Nobody holds it.
    Nobody,
}

/// One hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    key: Key,
    mode: Mode,
    owner: Owner,
    /// How often it was taken: each has to be let go of.
    count: u32,
}

/// All holds, and until when each proxy's are valid (microseconds UTC by the meta store's clock).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockTable {
    held: Vec<Held>,
    #[serde(default)]
    leases: BTreeMap<String, i64>,
}

impl LockTable {
    /// Whether there is room for the names among these.
    ///
    /// # Errors
    /// [`LockError::Names`].
    pub fn room(&self, owner: &Owner, wanted: &[(Key, Mode)]) -> Result<(), LockError> {
        let is_name = |key: &Key| matches!(key, Key::Name(_));
        let held = |key: &Key| self.held.iter().any(|held| held.owner == *owner && held.key == *key);
        let new = wanted.iter().filter(|(key, _)| is_name(key) && !held(key)).count();
        if new == 0 {
            return Ok(());
        }
        let all = self.held.iter().filter(|held| is_name(&held.key));
        let (own, all) = all.fold((0, 0), |(own, all), held| (own + usize::from(held.owner == *owner), all + 1));
        if own + new > SESSION_NAMES {
            let what = "the number of locks of GET_LOCK that this session holds";
            return Err(LockError::Names { what, limit: SESSION_NAMES });
        }
        let of_account = |held: &&Held| is_name(&held.key) && held.owner.user == owner.user;
        let known = !owner.user.is_empty();
        if known && self.held.iter().filter(of_account).count() + new > ACCOUNT_NAMES {
            let what = "the number of locks of GET_LOCK that all sessions of this user hold";
            return Err(LockError::Names { what, limit: ACCOUNT_NAMES });
        }
        if all + new > NAMES {
            let what = "the number of locks of GET_LOCK that all sessions hold";
            return Err(LockError::Names { what, limit: NAMES });
        }
        Ok(())
    }

    /// How many names are held.
    #[cfg(test)]
    pub fn names(&self) -> usize {
        self.held.iter().filter(|held| matches!(held.key, Key::Name(_))).count()
    }

    /// Takes all of these or none; answers whether it did.
    pub fn acquire(&mut self, owner: &Owner, wanted: &[(Key, Mode)]) -> bool {
        if self.in_the_way(owner, wanted).next().is_some() {
            return false;
        }
        for (key, mode) in wanted {
            match self.held.iter_mut().find(|held| held.owner == *owner && held.key == *key) {
                Some(held) => {
                    held.count = held.count.saturating_add(1);
                    if *mode == Mode::Write {
                        held.mode = Mode::Write;
                    }
                }
                None => self.held.push(Held { key: key.clone(), mode: *mode, owner: owner.clone(), count: 1 }),
            }
        }
        true
    }

    /// The sessions that hold what keeps this one from having all of these.
    pub fn in_the_way(&self, owner: &Owner, wanted: &[(Key, Mode)]) -> impl Iterator<Item = &Owner> {
        let others = self.held.iter().filter(move |held| held.owner != *owner);
        let conflict = move |held: &&Held| {
            let mut overlapping = wanted.iter().filter(|(key, _)| overlap(&held.key, key));
            overlapping.any(|(_, mode)| held.mode == Mode::Write || *mode == Mode::Write)
        };
        others.filter(conflict).map(|held| &held.owner)
    }

    /// Lets go of one hold.
    pub fn release(&mut self, owner: &Owner, key: &Key) -> Released {
        let Some(place) = self.held.iter().position(|held| held.owner == *owner && held.key == *key) else {
            let by_others = self.held.iter().any(|held| held.key == *key);
            return if by_others { Released::NotYours } else { Released::Nobody };
        };
        let held = &mut self.held[place];
        held.count = held.count.saturating_sub(1);
        if held.count == 0 {
            self.held.remove(place);
        }
        Released::Yes
    }

    /// Lets go of everything that is chosen; answers how many holds there were.
    pub fn release_all(&mut self, owner: &Owner, which: Which) -> u32 {
        let chosen = |key: &Key| match which {
            Which::Names => matches!(key, Key::Name(_)),
            Which::Tables => matches!(key, Key::Table(..)),
            Which::AllTables => !matches!(key, Key::Name(_)),
            Which::All => true,
        };
        let gone = self.held.extract_if(.., |held| held.owner == *owner && chosen(&held.key));
        gone.map(|held| held.count).fold(0, u32::saturating_add)
    }

    /// Everything that is held, by whom and how.
    pub fn holds_of_all(&self) -> impl Iterator<Item = (&Owner, &Key, Mode)> {
        self.held.iter().map(|held| (&held.owner, &held.key, held.mode))
    }

    /// Who holds it.
    pub fn holder(&self, key: &Key) -> Option<&Owner> {
        self.held.iter().find(|held| held.key == *key).map(|held| &held.owner)
    }

    /// Whether a statement of this session may use a table now. What the session itself has locked it knows itself.
    pub fn lets(&self, owner: &Owner, table: &Key, mode: Mode) -> bool {
        let others = self.held.iter().filter(|held| held.owner != *owner && overlap(&held.key, table));
        !others.into_iter().any(|held| held.mode == Mode::Write || mode == Mode::Write)
    }

    /// Whether the same is held by the same, whatever their leases.
    pub fn has_the_same_holds(&self, other: &Self) -> bool {
        self.held == other.held
    }

    /// Whether any table is locked.
    pub fn has_tables(&self) -> bool {
        self.held.iter().any(|held| !matches!(held.key, Key::Name(_)))
    }

    /// Whether the session holds anything.
    pub fn holds(&self, owner: &Owner) -> bool {
        self.held.iter().any(|held| held.owner == *owner)
    }

    /// Whether any session of the proxy holds anything.
    pub fn holds_any(&self, proxy: &str) -> bool {
        self.held.iter().any(|held| held.owner.proxy == proxy)
    }

    /// Lets go of everything of the proxy's sessions; answers whether there was anything.
    pub fn give_up(&mut self, proxy: &str) -> bool {
        let before = self.held.len();
        self.held.retain(|held| held.owner.proxy != proxy);
        self.held.len() < before
    }

    /// Makes what the proxy's sessions hold what is known of it, as far as it is still here; answers whether some of it is
    /// not.
    pub fn follow(&mut self, known: &Self, proxy: &str) -> bool {
        let own = known.held.iter().filter(|held| held.owner.proxy == proxy);
        let mut by_session: HashMap<u32, HashMap<&Key, &Held>> = HashMap::new();
        for held in own {
            by_session.entry(held.owner.connection).or_default().insert(&held.key, held);
        }
        self.held.retain_mut(|held| {
            if held.owner.proxy != proxy {
                return true;
            }
            let own = by_session.get_mut(&held.owner.connection).and_then(|own| own.remove(&held.key));
            if let Some(own) = own {
                held.clone_from(own);
            }
            own.is_some()
        });
        by_session.values().any(|missing| !missing.is_empty())
    }

    /// What the proxy holds is valid until then.
    pub fn renew(&mut self, proxy: &str, until: i64) {
        self.leases.insert(proxy.to_owned(), until);
    }

    /// Whether what the proxy holds is valid beyond that.
    pub fn lasts(&self, proxy: &str, beyond: i64) -> bool {
        self.leases.get(proxy).is_some_and(|until| *until > beyond)
    }

    /// Forgets what belongs to proxies whose lease has ended, and leases of proxies that hold nothing.
    pub fn expire(&mut self, now: i64) {
        let leases = &mut self.leases;
        self.held.retain(|held| leases.get(&held.owner.proxy).is_some_and(|until| *until >= now));
        let held = &self.held;
        leases.retain(|proxy, _| held.iter().any(|held| held.owner.proxy == *proxy));
    }
}

/// Whether two keys can be about the same thing.
pub(super) fn overlap(one: &Key, other: &Key) -> bool {
    match (one, other) {
        (Key::Name(_), _) | (_, Key::Name(_)) | (Key::Table(..), Key::Table(..)) => one == other,
        (Key::Tables, _) | (_, Key::Tables) => true,
        (Key::Accounts, _) | (_, Key::Accounts) => false,
        (Key::Database(one), Key::Database(other) | Key::Table(other, _))
        | (Key::Table(one, _), Key::Database(other)) => one == other,
    }
}
