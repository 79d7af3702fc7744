//! The session as the dialect sees it while a statement is bound.

use std::sync::Arc;

use cellgate_router::Topology;
use cellgate_schemaless::{Micros, TableDef};
use cellgate_sql::{Environment, Privilege, SessionFunction, SqlMode, StatementKind, Value};

use super::{Session, wall_clock};
use crate::catalog::Snapshot;
use crate::version;

/// A session, the catalog and the map, at the time of one statement.
pub(super) struct Bound<'a> {
    session: &'a Session,
    catalog: &'a Snapshot,
    topology: Arc<Topology>,
    now: Micros,
    visible: Visible,
}

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
    pub(super) fn environment<'a>(&'a self, catalog: &'a Snapshot) -> Bound<'a> {
        let topology = self.server.deployment().executor().topology();
        Bound { session: self, catalog, topology, now: wall_clock(), visible: Visible::Seen }
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
}

impl Environment for Bound<'_> {
    fn database(&self) -> Option<&str> {
        self.session.database.as_deref()
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
        let may = match self.visible {
            Visible::Seen | Visible::With(_) => self.session.access().may_see_database(database),
            Visible::All => true,
        };
        may && self.catalog.has_database(database)
    }

    fn variable(&self, global: bool, name: &str) -> Option<Value> {
        match (name, global) {
            ("warning_count", _) => Some(Value::Int(self.session.last.warnings.count().into())),
            ("error_count", _) => {
                Some(Value::Int(i64::try_from(self.session.last.warnings.rows(true).len()).unwrap_or(i64::MAX)))
            }
            (name, true) => self.session.server.global(name),
            (name, false) => self.session.variables.get(name).cloned(),
        }
    }

    fn user_variable(&self, name: &str) -> Value {
        self.session.user_variables.get(name).cloned().unwrap_or(Value::Null)
    }

    fn function(&self, function: SessionFunction) -> Value {
        let text = |text: String| Value::Text(text.into());
        match function {
            SessionFunction::Database => self.session.database.clone().map_or(Value::Null, text),
            SessionFunction::Version => text(version::server_version()),
            SessionFunction::User => text(format!("{}@{}", self.session.user, self.session.host)),
            SessionFunction::CurrentUser => {
                text(format!("{}@{}", self.session.account.user, self.session.account.host))
            }
            SessionFunction::ConnectionId => Value::Int(self.session.process.id().into()),
            SessionFunction::LastInsertId => Value::Int(0),
            SessionFunction::RowCount => Value::Int(self.session.last.row_count),
            SessionFunction::FoundRows => Value::Int(i64::try_from(self.session.last.found_rows).unwrap_or(i64::MAX)),
        }
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
}
