//! The relational engine: `information_schema` and its like, and every SELECT the cell dialect does not have.
//!
//! A [`Program`] is SQL of our own for an in-memory SQLite (`engine`); what its tables hold is made of the catalog
//! and of the server's state (`tables`). Engines are kept between statements with the rows they were filled with,
//! each for one version of the catalog and one user's sight, so that a client that browses fills them once.
//!
//! Engines are bounded in number; a statement that finds none free waits for one until its deadline.

mod engine;
mod error;
mod sight;
mod tables;
#[cfg(test)]
mod tests;
mod view;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use cellgate_sql::relational::Program;

use crate::catalog::Snapshot;
use crate::shares::Room;
use crate::sync::lock;
use crate::until::Until;
pub use engine::Outcome;
use engine::{Engine, Filling, Source};
pub use error::RelationalFailure;
pub use sight::Sight;
pub use tables::{
    LISTED_DATABASES, SYSTEM_DATABASES, State, charset_of, collation_of, column_type, is_system_database, relation,
    relations, static_rows, system_database, table_type,
};
pub use view::{ColumnView, Escapes, IndexRow, IndexView, TableView};

/// Most engines, idle and at work: each is the memory of what it holds and, at work, a thread.
const ENGINES: usize = 8;

/// How many of them work for one account at a time.
const OF_AN_ACCOUNT: usize = ENGINES / 2;

/// What an engine's rows were made of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    catalog: i64,
    sight: String,
}

/// The engines of a server.
#[derive(Debug)]
pub struct Relational {
    idle: Mutex<Vec<Engine<Key>>>,
    room: Room,
}

impl Default for Relational {
    fn default() -> Self {
        Self { idle: Mutex::default(), room: Room::new(ENGINES, OF_AN_ACCOUNT) }
    }
}

impl Relational {
    /// Runs a program of an account over the catalog as `sight` sees it.
    ///
    /// # Errors
    /// What a value makes of an operator, a bound that is exceeded, or no engine free before the deadline.
    pub async fn run(
        self: &Arc<Self>,
        account: &str,
        program: Program,
        catalog: Arc<Snapshot>,
        state: State,
        deadline: Instant,
    ) -> Result<Outcome, RelationalFailure> {
        let place = self.room.of(account).take(deadline).await.ok_or(RelationalFailure::Busy)?;
        let this = Arc::clone(self);
        let program = Arc::new(program);
        // Whoever stops waiting (KILL, a client that goes away) stops the engine.
        let (until, _waiting) = Until::new(deadline);
        let work = move || {
            // The room is taken for as long as the thread is at work, also when nobody waits for it any more.
            let _place = place;
            this.run_now(&program, &catalog, &state, &until)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or(Err(RelationalFailure::Panicked))
    }

    fn run_now(
        &self,
        program: &Arc<Program>,
        catalog: &Arc<Snapshot>,
        state: &State,
        until: &Until,
    ) -> Result<Outcome, RelationalFailure> {
        let key = Key { catalog: catalog.version(), sight: state.sight.key() };
        let mut engine = self.take(&key)?;
        let tables = program.relations().iter().map(|relation| Filling {
            relation,
            rows: match tables::rows(relation, catalog, state) {
                tables::Rows::OfCatalog(make) => Source::Kept(make),
                tables::Rows::Now(rows) => Source::Now(rows),
            },
        });
        let outcome = engine.run(program, key, tables.collect(), until);
        // A statement that fails leaves nothing behind; of an engine that failed itself nobody knows what it holds.
        if !matches!(outcome, Err(RelationalFailure::Sqlite(_))) && !engine.is_half_filled() {
            lock(&self.idle).push(engine);
        }
        outcome
    }

    /// An engine, that of the key if there is one. Those at work count: there are never more than `ENGINES`, but for one
    /// that is given back at this moment.
    fn take(&self, key: &Key) -> Result<Engine<Key>, RelationalFailure> {
        let mut idle = lock(&self.idle);
        let fitting = idle.iter().position(|engine| engine.key() == Some(key));
        // The caller has its place already.
        let others = (ENGINES - self.room.free().min(ENGINES)).saturating_sub(1);
        // The one unused for longest stands first.
        let place = fitting.or((!idle.is_empty() && idle.len() + others >= ENGINES).then_some(0));
        match place {
            Some(place) => Ok(idle.remove(place)),
            None => Ok(Engine::new()?),
        }
    }
}
