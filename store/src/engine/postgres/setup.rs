//! Setting a session up: what it is told, and what it reads about its server.
//!
//! Refuses a standby, and a server that does not show a session its own entry in `pg_stat_activity`, by which it could not be
//! ended.

use super::session::plain;
use crate::backend::Timeouts;
use crate::engine::server::driver::{Failure, Mark, Start, Value};
use crate::error::{Reason, StoreError};
use crate::sql::{POSTGRES, Query};

/// How statements are planned: once per session, by index. Every statement of ours is a range of one index or a lookup per
/// key, whatever the values. Left alone, the planner makes a new plan for every statement of few keys (0.2 ms and more,
/// several times what reading them costs), and keeps reading a table as a whole that was empty when it made the plan.
const PLANS: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
                     SET enable_mergejoin = off; SET jit = off";

/// Which `cg_head` there is: its file, for dumps are loaded into new tables, or into emptied ones, which have a new file, too.
/// (So has one behind VACUUM FULL, which is taken for a start, and costs ids only.)
///
/// With the start of the server and the database it is the start of a session. Each server that takes over was started at
/// another time, and so was one whose files were put back. A plain restart loses nothing, and does not look different.
pub(super) const TABLES: &str = "SELECT coalesce(pg_relation_filenode(to_regclass('cg_head')), 0)::bigint";

/// What a session reads about the server when it starts.
pub(super) struct Facts {
    pub(super) mark: Mark,
    pub(super) durable: bool,
    pub(super) start: Start,
    /// Which `cg_head` there was; 0 if there was none.
    pub(super) tables: i64,
}

/// The statements that set a session up (C4 of docs/ARCHITECTURE.md).
pub(super) fn settings(timeouts: &Timeouts, schema: &str) -> String {
    let mut path = String::new();
    POSTGRES.quote(&mut path, schema);
    let (statement, lock) = (timeouts.statement.as_millis(), timeouts.lock.as_millis());
    format!(
        "SET search_path = {path}; SET synchronous_commit = on; SET default_transaction_isolation = \
         'read committed'; SET client_min_messages = warning; SET statement_timeout = {statement}; \
         SET lock_timeout = {lock}; SET idle_in_transaction_session_timeout = {lock}; {PLANS}"
    )
}

/// The statement that reads [`Facts`].
pub(super) fn facts() -> Query {
    plain(&format!(
        "SELECT pid::bigint, (extract(epoch FROM backend_start) * 1000000)::bigint, \
         current_setting('fsync'), pg_is_in_recovery(), \
         (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint, datid::bigint, ({TABLES}) \
         FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    ))
}

impl Facts {
    /// Out of what [`facts`] is answered.
    ///
    /// # Errors
    /// The server is a standby, or does not show a session its own entry.
    pub(super) fn of(rows: &[Vec<Value>]) -> Result<Self, Failure> {
        match rows.first().map(Vec::as_slice) {
            Some([_, _, _, Value::Int(1), ..]) => {
                // It may lack what was acknowledged, and have what was erased since.
                let detail = "the server is a standby (pg_is_in_recovery): only a primary is read from".to_owned();
                Err(Failure::Store(StoreError::Unavailable { reason: Reason::Connect, detail }))
            }
            Some(
                [
                    Value::Int(pid),
                    Value::Int(started),
                    Value::Bytes(fsync),
                    Value::Int(_),
                    Value::Int(server),
                    Value::Int(database),
                    Value::Int(tables),
                ],
            ) => Ok(Self {
                mark: Mark { number: *pid, nonce: started.to_string().into() },
                durable: fsync.as_ref() == b"on",
                start: Start::of(&[*server, *database, *tables]),
                tables: *tables,
            }),
            Some(_) | None => Err(Failure::Store(StoreError::Refused {
                detail: "the server does not show a session its own entry in pg_stat_activity: a role that logs in as another \
                         one needs pg_read_all_stats and pg_signal_backend"
                    .to_owned(),
            })),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_session_commits_durably_reads_what_is_committed_and_has_bounds() {
        let (statement, lock) = (Duration::from_millis(2500), Duration::from_millis(1500));
        let text = settings(&Timeouts { statement, lock, ..Timeouts::default() }, "a\"b");
        for setting in [
            "search_path = \"a\"\"b\"",
            "synchronous_commit = on",
            "default_transaction_isolation = 'read committed'",
            "statement_timeout = 2500",
            "SET lock_timeout = 1500",
            "idle_in_transaction_session_timeout = 1500",
        ] {
            assert!(text.contains(setting), "{setting} is not in: {text}");
        }
    }
}
