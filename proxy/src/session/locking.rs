//! Locks as a session takes and meets them: GET_LOCK, LOCK TABLES, and every statement that uses a table.

mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_schemaless::TableId;
use cellgate_sql::{Command, KillScope, LockMode, SqlError, TableLock, TableName, Value};
use cellgate_store::{Reason, StoreError};

use self::tables::{as_mode, key, named_now, shown, tables_of, written_by};
use super::calls::{LONGEST_WAIT, seconds};
use super::error::StatementError;
use super::variables::text_of;
use super::warnings::Level;
use super::{Answer, Done, Kill, Session};
use crate::catalog::{CatalogError, Snapshot};
use crate::errors::{self, notes};
use crate::locks::{Acquired, Entered, Key, LockError, Mode, Released, Which};

/// Longest name of GET_LOCK, in characters, as in MySQL.
const LOCK_NAME_CHARS: usize = 64;

/// What the process list says of who waits for a table that another session has locked, as MySQL does.
const WAITS_FOR_TABLE: &str = "Waiting for table metadata lock";

/// What this session has locked.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// The tables of its LOCK TABLES: it may use no others.
    tables: Option<BTreeMap<Key, Mode>>,
    /// It did FLUSH TABLES WITH READ LOCK.
    everything: bool,
    /// What the statement that runs has taken with GET_LOCK.
    names: Vec<Key>,
    /// How often this proxy had lost locks when the first of these was taken.
    since: Option<u64>,
}

/// A COMMIT that was let in.
pub(super) struct EnteredCommit {
    /// Whoever locks its tables waits for it as long as these are held.
    pub(super) entered: Vec<Entered>,
    /// Its tables, as they are named now, without those that are gone.
    pub(super) tables: Vec<TableName>,
}

impl Held {
    /// Who has let go of everything relies on nothing any more, unless something was lost that it has not been told of.
    fn settle(&mut self, losses: u64, holds: bool) {
        if self.since == Some(losses) && !holds {
            self.since = None;
        }
    }

    fn is_nothing(&self) -> bool {
        self.is_unlocked() && self.since.is_none()
    }

    fn is_unlocked(&self) -> bool {
        self.tables.is_none() && !self.everything
    }
}

impl Session {
    /// `GET_LOCK(name, seconds)`: 1, or 0 if somebody else had it all the time.
    pub(super) async fn get_lock(
        &mut self,
        arguments: &[Value],
        limit: Option<Duration>,
    ) -> Result<Value, StatementError> {
        let key = named(arguments)?;
        let asked = arguments.get(1).and_then(seconds).unwrap_or(0.0);
        // MySQL waits for ever when asked for less than nothing.
        let wait = if asked < 0.0 { LONGEST_WAIT } else { Duration::try_from_secs_f64(asked).unwrap_or(LONGEST_WAIT) };
        let cut = limit.filter(|limit| *limit < wait);
        let until = Instant::now() + cut.unwrap_or(wait).min(LONGEST_WAIT);
        match (self.acquire(&[(key.clone(), Mode::Write)], until).await?, cut) {
            (Some(_), _) => {
                self.held.names.push(key);
                Ok(Value::Int(1))
            }
            (None, Some(_)) => Err(StatementError::OwnTimeout),
            (None, None) => Ok(Value::Int(0)),
        }
    }

    /// What a statement has taken with GET_LOCK stays behind it.
    pub(super) fn keep_names(&mut self) {
        self.held.names.clear();
    }

    /// A statement was killed before its client was told what it has taken with GET_LOCK: that is let go of.
    pub(super) fn give_back_names(&mut self) {
        for key in std::mem::take(&mut self.held.names) {
            self.server.locks().give_back_one(self.process.id(), &key);
            self.forgets_locks();
        }
    }

    /// `RELEASE_LOCK(name)`: 1, 0 if somebody else has it, NULL if nobody has.
    pub(super) async fn release_lock(&mut self, arguments: &[Value]) -> Result<Value, StatementError> {
        let key = named(arguments)?;
        if let Some(place) = self.held.names.iter().position(|name| *name == key) {
            self.held.names.swap_remove(place);
        }
        let released = self.answered(Instant::now(), self.server.locks().release(self.process.id(), &key)).await;
        self.forgets_locks();
        Ok(match released?.map_err(CatalogError::Meta)? {
            Released::Yes => Value::Int(1),
            Released::NotYours => Value::Int(0),
            Released::Nobody => Value::Null,
        })
    }

    /// `RELEASE_ALL_LOCKS()`: how many there were.
    pub(super) async fn release_all_locks(&mut self) -> Result<Value, StatementError> {
        self.keep_names();
        let locks = self.server.locks();
        let released = self.answered(Instant::now(), locks.release_all(self.process.id(), Which::Names)).await;
        self.forgets_locks();
        Ok(Value::Int(released?.map_err(CatalogError::Meta)?.into()))
    }

    /// The connection that holds a lock of GET_LOCK, by a number that no connection of this proxy has if it is another one's.
    pub(super) async fn lock_holder(&self, arguments: &[Value]) -> Result<Option<u64>, StatementError> {
        let key = named(arguments)?;
        let holder = self.answered(Instant::now(), self.server.locks().holder(&key)).await?;
        Ok(holder.map_err(CatalogError::Meta)?)
    }

    /// LOCK TABLES and its kin.
    pub(super) async fn lock(&mut self, lock: TableLock) -> Result<Answer, StatementError> {
        match &lock {
            TableLock::Unlock => {
                // What became of the transaction is answered also if KILL ends the waiting behind it.
                let kill = self.process.kill_switch().clone();
                let shield = kill.shield();
                let committed = if self.locks_tables() {
                    let committed = self.commit_open().await;
                    self.use_up_characteristics();
                    committed
                } else {
                    Ok(())
                };
                let held = Held { since: self.held.since, ..Held::default() };
                let let_go = if std::mem::replace(&mut self.held, held).is_unlocked() {
                    Some(Ok(()))
                } else {
                    kill.interruptible_within(&shield, self.let_go(Which::AllTables)).await
                };
                // Whatever became of the transaction, others wait no longer, as in MySQL.
                committed?;
                self.behind_commit(let_go)?;
            }
            TableLock::Tables(tables) => {
                let writes = tables.iter().any(|(_, mode)| *mode == LockMode::Write);
                if self.held.everything && writes {
                    self.end_locked().await?;
                    self.use_up_characteristics();
                    return Err(StatementError::ReadLock);
                }
                let place = tables.first().map_or_else(String::new, |(name, _)| name.table.clone());
                let wanted: Vec<_> = tables.iter().map(|(name, mode)| (key(name), as_mode(*mode))).collect();
                self.lock_anew(&lock, &wanted, place).await?;
            }
            TableLock::Everything => {
                if self.held.tables.is_some() {
                    self.commit_open().await?;
                    self.use_up_characteristics();
                    return Err(StatementError::TablesLocked);
                }
                self.server.flushed();
                self.lock_anew(&lock, &[(Key::Tables, Mode::Read)], "a table".to_owned()).await?;
            }
        }
        Ok(Answer::Done(Done::default()))
    }

    /// Takes the locks of a statement, which ends a transaction and LOCK TABLES before it.
    async fn lock_anew(
        &mut self,
        lock: &TableLock,
        wanted: &[(Key, Mode)],
        place: String,
    ) -> Result<(), StatementError> {
        self.end_locked().await?;
        self.use_up_characteristics();
        let kill = self.process.kill_switch().clone();
        let everything = *lock == TableLock::Everything;
        if everything && self.held.everything {
            return self.check_losses();
        }
        let until = Instant::now() + self.lock_patience();
        let Some(Acquired { waited, .. }) = self.acquire(wanted, until).await? else {
            return Err(StatementError::LockTimeout(place));
        };
        // What it was told is what it holds: not cut off by KILL in between, but where that gives back what was taken.
        let shield = kill.shield();
        let judged = kill.interruptible_within(&shield, self.judge_lock(lock, waited, until)).await;
        if let Err(error) = judged.unwrap_or(Err(StatementError::Interrupted)) {
            // Not waiting for a meta store that may be what it was waiting for.
            self.server.locks().give_back(self.process.id(), if everything { Which::AllTables } else { Which::Tables });
            self.forgets_locks();
            return Err(error);
        }
        if everything {
            self.held.everything = true;
            return Ok(());
        }
        let mut held = BTreeMap::new();
        for (key, mode) in wanted {
            let known = held.entry(key.clone()).or_insert(*mode);
            if *mode == Mode::Write {
                *known = Mode::Write;
            }
        }
        self.held.tables = Some(held);
        Ok(())
    }

    /// Waits, until then, for writes that were let in to the tables when they had other names. Behind a wait, this one or
    /// one before: meanwhile the account may have lost its rights, and who was waited for may have changed the tables.
    async fn judge_lock(&mut self, lock: &TableLock, waited: bool, until: Instant) -> Result<(), StatementError> {
        let mut catalog = if waited { self.catalog_now().await? } else { self.server.catalog().snapshot() };
        let tables = if let TableLock::Tables(tables) = lock { tables.as_slice() } else { &[] };
        let found = tables.iter().filter_map(|(name, _)| catalog.table(&name.database, &name.table));
        let ids: Vec<TableId> = found.map(|table| TableId(table.id)).collect();
        let busy = self.server.locks().written_to(&ids, until).await;
        let place = || tables.first().map_or_else(String::new, |(name, _)| name.table.clone());
        let busy = busy.ok_or_else(|| StatementError::LockTimeout(place()))?;
        if !waited && !busy {
            return Ok(());
        }
        if busy {
            catalog = self.catalog_now().await?;
        }
        self.renew_access();
        self.check(&Command::Lock(lock.clone()))?;
        for (TableName { database, table }, _) in tables {
            if catalog.table(database, table).is_none() {
                return Err(SqlError::UnknownTable { database: database.clone(), table: table.clone() }.into());
            }
        }
        Ok(())
    }

    async fn catalog_now(&self) -> Result<Arc<Snapshot>, StatementError> {
        Ok(self.server.catalog().refresh().await.map_err(CatalogError::Meta)?)
    }

    /// Takes all of these or none; from then on a loss of locks is a loss of this session's. A meta store that does not answer
    /// is not waited for much longer than for the locks, whoever else of this proxy waits for it.
    async fn acquire(&mut self, wanted: &[(Key, Mode)], until: Instant) -> Result<Option<Acquired>, StatementError> {
        self.check_losses()?;
        let waits = self.process.waits(match wanted {
            [(Key::Name(_), _), ..] => "User lock",
            [(Key::Tables, _), ..] => "Waiting for global read lock",
            _ => WAITS_FOR_TABLE,
        });
        let took = self.answered(until, self.server.locks().acquire(self.process.id(), wanted, until)).await?;
        drop(waits);
        let took = took.map_err(refused)?;
        if let Some(Acquired { losses, .. }) = took {
            self.held.since.get_or_insert(losses);
        }
        Ok(took)
    }

    /// What comes of work that waits for the meta store, whose answer is waited for until then and `timeouts.connect` longer.
    async fn answered<T>(&self, until: Instant, work: impl Future<Output = T>) -> Result<T, StatementError> {
        let connect = self.server.config().timeouts.connect;
        let answer = tokio::time::timeout_at((until + connect).into(), work).await;
        answer.map_err(|_| {
            let detail = format!("no answer within {connect:?} (timeouts.connect)");
            CatalogError::Meta(StoreError::Timeout { reason: Reason::Connect, detail }).into()
        })
    }

    /// Lets go of the tables of LOCK TABLES; what FLUSH TABLES WITH READ LOCK holds stays. Who could not be told of it is as
    /// soon as that can be done.
    pub(super) async fn unlock_tables(&mut self) -> Result<(), StatementError> {
        if self.held.tables.take().is_none() {
            return Ok(());
        }
        self.let_go(Which::Tables).await
    }

    /// What a statement answers that has committed and let go of its locks: `None` if it was killed in that. A meta store that
    /// could not be told is a warning: behind an error the client would repeat what is committed.
    pub(super) fn behind_commit(&mut self, let_go: Option<Result<(), StatementError>>) -> Result<(), StatementError> {
        if let Err(error) = let_go.ok_or(StatementError::Interrupted)? {
            let reply = errors::reply(&error, self.server.incidents());
            let later = "; the locks are released, and other proxies learn of it as soon as it answers";
            self.warn(Level::Warning, notes::OF_OURS, reply.message + later);
        }
        Ok(())
    }

    /// Lets go of these; the session has forgotten that it held them. KILL ends no more than the waiting for the meta store,
    /// which is told as soon as it can be; one that does not answer is not waited for beyond `timeouts.connect`.
    async fn let_go(&mut self, which: Which) -> Result<(), StatementError> {
        let forgotten = self.server.locks().forget(self.process.id(), which);
        self.forgets_locks();
        let settled = self.answered(Instant::now(), self.server.locks().settled(forgotten)).await?;
        Ok(settled.map_err(CatalogError::Meta)?)
    }

    /// Some of what it held is let go of.
    fn forgets_locks(&mut self) {
        let locks = self.server.locks();
        self.held.settle(locks.losses(), locks.holds(self.process.id()));
    }

    /// KILL.
    pub(super) fn kill_statement(&mut self, id: u64, scope: KillScope) -> Result<Answer, StatementError> {
        let end = match scope {
            KillScope::Connection => Kill::Connection,
            KillScope::Query => Kill::Statement,
        };
        // There are no ids that high.
        let id = u32::try_from(id).unwrap_or(u32::MAX);
        self.kill_session(id, end)?;
        // Who kills itself is the statement that is interrupted.
        if id == self.process.id() { Err(StatementError::Interrupted) } else { Ok(Answer::Done(Done::default())) }
    }

    /// Waits until a statement may use its tables, and refuses those that the session's own locks forbid.
    pub(super) async fn enter_tables(&mut self, command: &Command) -> Result<(Vec<Entered>, bool), StatementError> {
        let tables = tables_of(command);
        if tables.is_empty() {
            return Ok((Vec::new(), false));
        }
        self.check_losses()?;
        for (key, mode) in &tables {
            self.may_use(key, *mode)?;
        }
        let writes = tables.iter().any(|(_, mode)| *mode == Mode::Write);
        if !writes && self.server.locks().is_open() {
            return Ok((Vec::new(), false));
        }
        self.enter_all(&tables, &written_by(command), self.lock_patience()).await
    }

    /// The same for the tables that a COMMIT writes to, under the names they have now. It does not wait for longer than a
    /// statement may take.
    pub(super) async fn enter_commit(&self, written: &BTreeSet<TableId>) -> Result<EnteredCommit, StatementError> {
        let until = Instant::now() + self.lock_patience().min(self.server.config().timeouts.statement);
        let mut catalog = self.server.catalog().snapshot();
        let mut tables = named_now(&catalog, written);
        let ids: Vec<TableId> = written.iter().copied().collect();
        loop {
            let keys: Vec<(Key, Mode)> = tables.iter().map(|name| (key(name), Mode::Write)).collect();
            let left = until.saturating_duration_since(Instant::now());
            let (entered, waited) = self.enter_all(&keys, &ids, left).await?;
            // Who was waited for may have renamed them, and so may others at the same time.
            let newer = if waited {
                self.server.catalog().refresh().await.map_err(CatalogError::Meta)?
            } else {
                self.server.catalog().snapshot()
            };
            let now = if newer.version() == catalog.version() { None } else { Some(named_now(&newer, written)) };
            match now.filter(|now| *now != tables) {
                None => return Ok(EnteredCommit { entered, tables }),
                Some(now) => {
                    drop(entered);
                    (catalog, tables) = (newer, now);
                }
            }
        }
    }

    async fn enter_all(
        &self,
        tables: &[(Key, Mode)],
        written: &[TableId],
        patience: Duration,
    ) -> Result<(Vec<Entered>, bool), StatementError> {
        let _waits = self.process.waits(WAITS_FOR_TABLE);
        let entered = self.server.locks().enter(self.process.id(), tables, written, Instant::now() + patience).await;
        entered.map_err(|key| StatementError::LockTimeout(shown(&key)))
    }

    /// Whether it holds LOCK TABLES.
    pub(super) fn locks_tables(&self) -> bool {
        self.held.tables.is_some()
    }

    /// Whether nothing that this session has locked or lost changes what a statement may use.
    pub(super) fn is_unlocked(&self) -> bool {
        self.held.is_nothing()
    }

    fn may_use(&self, key: &Key, mode: Mode) -> Result<(), StatementError> {
        if self.held.everything && mode == Mode::Write {
            return Err(StatementError::ReadLock);
        }
        if self.held.tables.is_some() && matches!(key, Key::Database(_)) {
            return Err(StatementError::TablesLocked);
        }
        match self.held.tables.as_ref().map(|tables| tables.get(key)) {
            None => Ok(()),
            Some(None) => Err(StatementError::NotLocked(shown(key))),
            Some(Some(Mode::Read)) if mode == Mode::Write => Err(StatementError::LockedForReading(shown(key))),
            Some(Some(_)) => Ok(()),
        }
    }

    /// What relies on a lock must not go on without it. Those it still has are let go of: it is to take them again. A
    /// transaction is rolled back: what was read and buffered under the lock must not be committed without it.
    pub(super) fn check_losses(&mut self) -> Result<(), StatementError> {
        match self.held.since {
            Some(since) if since != self.server.locks().losses() => {
                self.held = Held::default();
                let rolled_back = self.transaction.take().is_some();
                self.server.locks().give_back(self.process.id(), Which::All);
                Err(StatementError::LocksLost { rolled_back })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// `lock_wait_timeout`.
    fn lock_patience(&self) -> Duration {
        let seconds = u64::try_from(self.variables.number("lock_wait_timeout")).unwrap_or(1);
        Duration::from_secs(seconds).min(LONGEST_WAIT)
    }
}

/// Why a lock was not taken, as a statement fails for it.
fn refused(error: LockError) -> StatementError {
    match error {
        LockError::Meta(error) => CatalogError::Meta(error).into(),
        LockError::Names { what, limit } => {
            let name = "RELEASE_LOCK lets go of them";
            SqlError::Limit { what: what.to_owned(), limit: limit as u64, name }.into()
        }
    }
}

/// The lock that is named by the first argument.
fn named(arguments: &[Value]) -> Result<Key, StatementError> {
    let name = match arguments.first() {
        Some(Value::Null) | None => return Err(StatementError::LockName("NULL".to_owned())),
        Some(name) => text_of(name),
    };
    if name.is_empty() || name.chars().count() > LOCK_NAME_CHARS {
        return Err(StatementError::LockName(name));
    }
    Ok(Key::Name(name.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_let_go_of_everything_goes_the_short_way_again_unless_something_was_lost() {
        let mut held = Held { since: Some(3), ..Held::default() };
        held.settle(3, true);
        assert!(!held.is_nothing(), "there is more that it holds");
        held.settle(4, false);
        assert_eq!(held.since, Some(3), "it has not been told of the loss");
        held.settle(3, false);
        assert!(held.is_nothing());
        let mut tables = Held { tables: Some(BTreeMap::new()), since: Some(3), ..Held::default() };
        tables.settle(3, false);
        assert!(!tables.is_nothing(), "what it may use is still decided by LOCK TABLES");
    }
}
