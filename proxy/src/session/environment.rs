//! The session as the dialect sees it while a statement is bound.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cellgate_router::Topology;
use cellgate_schemaless::{Micros, TableDef};
use cellgate_sql::relational::Relation;
use cellgate_sql::{
    CALLS, Environment, Patience, Privilege, SessionCall, SessionFunction, SqlError, SqlMode, StatementKind, TimeZone,
    Value,
};

use super::calls::seconds;
use super::error::StatementError;
use super::variables::{Target, Variables};
use super::{Session, wall_clock};
use crate::catalog::Snapshot;
use crate::relational::{charset_of, collation_of};
use crate::version;

/// A session, the catalog and the map, at the time of one statement.
pub(super) struct Bound<'a> {
    session: &'a Session,
    /// Which names without a database are of.
    database: Option<&'a str>,
    catalog: &'a Snapshot,
    topology: Arc<Topology>,
    now: Micros,
    /// How many calls the statement has made while it is bound.
    called: AtomicUsize,
    /// As the session has it, or as the statement has set it since.
    last_insert_id: AtomicU64,
    visible: Visible,
    /// What its values lost so far.
    lost: Mutex<Vec<SqlError>>,
    /// How long it may be worked on.
    limit: Duration,
}

/// Longest work on a statement where others wait for it to give way: what is bound, what SHOW filters. Mostly it is less
/// than a millisecond.
pub(super) const AT_A_TIME: Duration = Duration::from_secs(5);

/// Most values of a statement that are warned of.
const LOST: usize = 64;

/// Which tables and databases are there.
#[derive(Clone, Copy, Debug)]
enum Visible {
    /// Those that the user may see.
    Seen,
    /// Those on which the user has this privilege.
    With(Privilege),
    /// All: for what is made for every session, and asked for the user's privileges when it is used.
    All,
}

impl Session {
    /// What a statement is bound in, in this database, that may be worked on for so long.
    pub(super) fn environment<'a>(
        &'a self,
        database: Option<&'a str>,
        catalog: &'a Snapshot,
        limit: Duration,
    ) -> Bound<'a> {
        let topology = self.server.deployment().executor().topology();
        let now = self.variables.fixed_time().map_or_else(wall_clock, Micros);
        let (called, last_insert_id) = (AtomicUsize::new(0), AtomicU64::new(self.last_insert_id));
        let (visible, lost) = (Visible::Seen, Mutex::default());
        Bound { session: self, database, catalog, topology, now, called, last_insert_id, visible, lost, limit }
    }

    /// The patience with work that does not give way to others: this long at most, and until the statement is killed.
    pub(super) fn patience(&self, limit: Duration) -> Patience {
        let deadline = Instant::now() + limit.min(AT_A_TIME).min(self.server.config().timeouts.statement);
        let kill = self.process.kill_switch().clone();
        Patience::new(move || kill.is_statement_killed() || Instant::now() >= deadline)
    }

    /// What a statement ends with whose patience may be over: of KILL or of its time.
    pub(super) fn given_up(&self, error: SqlError) -> StatementError {
        match error {
            SqlError::GivenUp if self.process.kill_switch().is_statement_killed() => StatementError::Interrupted,
            error => error.into(),
        }
    }

    /// `@@name`; `None` if there is no such variable.
    pub(super) fn variable(&self, name: &str) -> Option<Value> {
        let number = |n: usize| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        match name {
            "warning_count" => Some(Value::Int(self.last.warnings.count().into())),
            "error_count" => Some(number(self.last.warnings.errors())),
            "character_set_database" | "collation_database" if !self.variables.is_set(name) => {
                let Some(database) = self.database.as_deref() else { return self.variables.get(name).cloned() };
                let catalog = self.server.catalog().snapshot();
                let collation = collation_of(&catalog, database);
                let shown = if name == "collation_database" { collation } else { charset_of(collation) };
                Some(Value::Text(shown.to_owned().into()))
            }
            "last_insert_id" | "identity" => Some(unsigned(self.last_insert_id)),
            "pseudo_thread_id" => Some(Value::Int(self.process.id().into())),
            "timestamp" => {
                let now = self.variables.fixed_time().map_or_else(wall_clock, Micros);
                #[allow(clippy::cast_precision_loss, reason = "what a DOUBLE of MySQL's is")]
                Some(Value::Double(now.0 as f64 / 1e6))
            }
            name => self.variables.get(name).cloned(),
        }
    }
}

impl Bound<'_> {
    /// For a statement of this kind: a table is there if the statement may use it.
    pub(super) fn running(self, kind: StatementKind) -> Self {
        let visible = super::access::needed(kind).map_or(Visible::Seen, Visible::With);
        Self { visible, ..self }
    }

    /// For a plan that other sessions will use.
    pub(super) fn for_everybody(self) -> Self {
        Self { visible: Visible::All, ..self }
    }

    /// What the values of the statement lost, to be warned of.
    pub(super) fn take_lost(&self) -> Vec<SqlError> {
        std::mem::take(&mut self.lost.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// `DATABASE()`: of a prepared statement it is that of PREPARE, unless that has been dropped since.
    fn shown_database(&self) -> Option<&str> {
        let is_own = self.database == self.session.database.as_deref();
        self.database.filter(|name| is_own || self.is_system_database(name) || self.catalog.has_database(name))
    }

    /// `LAST_INSERT_ID()` as it is once the statement has run.
    pub(super) fn last_insert_id(&self) -> u64 {
        self.last_insert_id.load(Ordering::Relaxed)
    }
}

/// A BIGINT UNSIGNED.
fn unsigned(n: u64) -> Value {
    i64::try_from(n).map_or(Value::UInt(n), Value::Int)
}

impl Environment for Bound<'_> {
    fn database(&self) -> Option<&str> {
        self.database
    }

    fn table(&self, database: &str, name: &str) -> Option<Arc<TableDef>> {
        let access = self.session.access();
        let may = match self.visible {
            Visible::Seen => access.may_see_table(database, name),
            Visible::With(privilege) => access.may(privilege, database, Some(name)),
            Visible::All => true,
        };
        if may { self.catalog.table(database, name).cloned() } else { None }
    }

    fn has_database(&self, database: &str) -> bool {
        // One that may not be seen might be there: whoever names it is refused, whether it is or not.
        let hidden = match self.visible {
            Visible::Seen | Visible::With(_) => !self.session.access().may_see_database(database),
            Visible::All => false,
        };
        hidden || self.catalog.has_database(database) || self.is_system_database(database)
    }

    fn relation(&self, database: &str, table: &str) -> Option<&'static Relation> {
        crate::relational::relation(database, table)
    }

    fn is_system_database(&self, name: &str) -> bool {
        crate::relational::is_system_database(name)
    }

    fn variable(&self, global: bool, name: &str) -> Option<Value> {
        if global { self.session.server.global(name) } else { self.session.variable(name) }
    }

    fn check_scope(&self, global: bool, name: &str) -> Result<(), SqlError> {
        let asked = if global { Target::Global } else { Target::Session };
        let scope = match Variables::only_of(name) {
            Some(only) if only == asked => return Ok(()),
            Some(Target::Global) => "GLOBAL",
            Some(Target::Session) => "SESSION",
            None => return Ok(()),
        };
        Err(SqlError::OtherScope { name: name.to_owned(), scope })
    }

    fn user_variable(&self, name: &str) -> Value {
        self.session.user_variables.get(name)
    }

    fn function(&self, function: SessionFunction) -> Value {
        let text = |text: String| Value::Text(text.into());
        match function {
            SessionFunction::Database => self.shown_database().map_or(Value::Null, |name| text(name.to_owned())),
            SessionFunction::Version => text(version::server_version()),
            SessionFunction::User => text(format!("{}@{}", self.session.user, self.session.host)),
            SessionFunction::CurrentUser => {
                text(format!("{}@{}", self.session.account.user, self.session.account.host))
            }
            SessionFunction::CurrentRole => text("NONE".to_owned()),
            SessionFunction::ConnectionId => Value::Int(self.session.process.id().into()),
            SessionFunction::LastInsertId => Value::UInt(self.last_insert_id()),
            SessionFunction::RowCount => Value::Int(self.session.last.row_count),
            SessionFunction::FoundRows => Value::Int(i64::try_from(self.session.last.found_rows).unwrap_or(i64::MAX)),
        }
    }

    fn lost(&self, told: SqlError) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if lost.len() < LOST {
            lost.push(told);
        }
    }

    fn call(&self, call: SessionCall, arguments: &[Value]) -> Result<Value, SqlError> {
        match (call, arguments) {
            // Nothing to wait for: answered here, however often a statement has them.
            (SessionCall::Uuid, _) => return Ok(Value::Text(uuid().into())),
            (SessionCall::SetLastInsertId, [Value::Null]) => return Ok(Value::Null),
            (SessionCall::SetLastInsertId, _) => {
                let id = arguments.first().map_or(0, integer);
                self.last_insert_id.store(id.cast_unsigned(), Ordering::Relaxed);
                return Ok(Value::Int(id));
            }
            (
                SessionCall::GetLock
                | SessionCall::ReleaseLock
                | SessionCall::ReleaseAllLocks
                | SessionCall::IsFreeLock
                | SessionCall::IsUsedLock
                | SessionCall::Sleep,
                _,
            ) => {}
        }
        let place = self.called.fetch_add(1, Ordering::Relaxed);
        if place >= CALLS {
            let what = "the number of calls of SLEEP, GET_LOCK and its kin".to_owned();
            return Err(SqlError::Limit { what, limit: CALLS as u64, name: "calls" });
        }
        let done = self.session.calls.get(place).cloned();
        done.ok_or_else(|| SqlError::Pending(call, arguments.to_vec()))
    }

    fn time_zone(&self) -> TimeZone {
        self.session.variables.derived().time_zone.clone()
    }

    fn zone(&self, name: &str) -> Result<Option<TimeZone>, SqlError> {
        self.session.server.facts().zones.find(name).map_err(|error| SqlError::TimeZoneFile(error.to_string()))
    }

    fn shard_of(&self, row_key: &[u8]) -> u16 {
        self.topology.shard_of(row_key).0
    }

    fn virtual_shards(&self) -> u32 {
        self.topology.virtual_shards()
    }

    fn now(&self) -> Micros {
        self.now
    }

    fn sql_mode(&self) -> SqlMode {
        self.session.variables.sql_mode()
    }

    fn collect_rows(&self) -> usize {
        self.session.server.config().limits.collect_rows
    }

    fn collect_bytes(&self) -> usize {
        self.session.server.config().limits.collect_bytes.bytes()
    }

    fn patience(&self) -> Patience {
        self.session.patience(self.limit)
    }
}

/// A whole number, as LAST_INSERT_ID(n) takes it.
fn integer(value: &Value) -> i64 {
    match value {
        Value::Int(n) => *n,
        Value::UInt(n) => n.cast_signed(),
        #[allow(clippy::cast_possible_truncation, reason = "saturates, as MySQL does")]
        other => seconds(other).map_or(0, |n| n.round() as i64),
    }
}

/// A random UUID (version 4). MySQL's are of version 1; they are as unique, and nobody reads their time.
fn uuid() -> String {
    let mut bytes = [0_u8; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // Without randomness the clock is what is left.
        bytes.copy_from_slice(&wall_clock().0.unsigned_abs().to_be_bytes().repeat(2));
    }
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
