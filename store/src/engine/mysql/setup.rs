//! Setting a session up: what it is told, and what it reads about its server.

use std::time::Duration;

use super::sinks::{Count, Values};
use super::wire::{Connection, WireError};
use crate::backend::Timeouts;
use crate::engine::server::driver::{Start, Value};
use crate::error::StoreError;

/// What a session reads about the server when it starts.
pub(super) struct Facts {
    pub(super) packet: usize,
    /// By which setting a crash loses commits that were answered; nothing if none does.
    pub(super) risk: Option<&'static str>,
    pub(super) start: Start,
    /// The second in which the server was started.
    pub(super) started: i64,
    /// Which `cg_head` there was.
    pub(super) tables: i64,
    /// Whether the session holds the lock of its nonce.
    pub(super) marked: bool,
    /// The server's number of the session. What is greeted with may be another, of something in between.
    pub(super) number: i64,
}

pub(super) async fn set_up(
    connection: &mut Connection,
    timeouts: &Timeouts,
    maria: bool,
    nonce: &str,
) -> Result<Facts, WireError> {
    connection.query(settings(timeouts, maria).as_bytes(), &mut Count::default()).await?;
    let mut values = Values::default();
    connection.query(facts(maria, nonce).as_bytes(), &mut values).await?;
    match values.rows.first().map(Vec::as_slice) {
        Some(
            [
                Value::Int(packet),
                Value::Int(flush),
                Value::Int(log_bin),
                Value::Int(sync_binlog),
                locked,
                Value::Int(second),
                Value::Int(server),
                Value::Int(sequence),
                Value::Int(tables),
                Value::Int(number),
            ],
        ) => Ok(Facts {
            number: *number,
            packet: usize::try_from(*packet).unwrap_or(usize::MAX),
            risk: risk(maria, *flush, *log_bin != 0, *sync_binlog),
            marked: *locked == Value::Int(1),
            started: *second,
            tables: *tables,
            start: Start::of(&[*second, *server, *sequence, *tables]),
        }),
        Some(_) | None => Err(WireError::Malformed("settings")),
    }
}

/// By which setting a crash of the server's machine loses commits that were answered.
///
/// Where there is a binary log, both servers write a commit to it and leave out InnoDB's own sync: after a crash they
/// take back what InnoDB has prepared and that log lacks. MariaDB alone has a 3, which syncs InnoDB also then.
fn risk(maria: bool, flush: i64, binary_log: bool, sync_binlog: i64) -> Option<&'static str> {
    match flush {
        3 if maria => None,
        1 if binary_log && sync_binlog != 1 => Some("there is a binary log and sync_binlog is not 1"),
        1 => None,
        _ => Some("innodb_flush_log_at_trx_commit is not 1"),
    }
}

/// Which `cg_head` there is, 0 if there is none: the second in which it was made, for dumps are loaded into new tables. (ALTER
/// TABLE makes one, too, which is taken for a start and costs ids only.)
pub(super) const TABLES: &str = "SELECT IFNULL(MAX(CAST(UNIX_TIMESTAMP(CREATE_TIME) AS SIGNED)), 0) \
                                 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'cg_head'";

/// The statement that reads what a session must know.
///
/// Four numbers tell starts apart. Uptime is counted in whole seconds from the second in which the server was started to that
/// of the statement, so that the difference is the same as long as the server runs. A server that took over may have been
/// started in the same second; its id is another. And one that crashes may be back within the second: the clock sequence of
/// its UUIDs is drawn anew at every start (and when its clock goes back, which is taken for a start and costs ids only). The last
/// one is of the tables.
fn facts(maria: bool, nonce: &str) -> String {
    let status = if maria { "information_schema.GLOBAL_STATUS" } else { "performance_schema.global_status" };
    format!(
        "SELECT @@max_allowed_packet, @@innodb_flush_log_at_trx_commit, @@log_bin, @@sync_binlog, \
         GET_LOCK('{nonce}', 0), CAST(UNIX_TIMESTAMP() AS SIGNED) - \
         CAST((SELECT VARIABLE_VALUE FROM {status} WHERE VARIABLE_NAME = 'UPTIME') AS SIGNED), CAST(@@server_id AS SIGNED), CAST(CONV(SUBSTRING(UUID(), 20, 4), 16, 10) AS SIGNED), \
         ({TABLES}), CAST(CONNECTION_ID() AS SIGNED)"
    )
}

/// What an administrator may have set for all sessions, as for the loading of a dump. Without a look at unique indexes
/// there are two cells of one name; a list that ends early lacks cells; behind a COMMIT nothing is to be open; and no
/// statement of ours is too large a join, or a change by no key.
const NOT_INHERITED: &str =
    "unique_checks=1, sql_select_limit=18446744073709551615, completion_type=0, sql_big_selects=1, sql_safe_updates=0";

/// The statements that set a session up (C4 of docs/ARCHITECTURE.md).
fn settings(timeouts: &Timeouts, maria: bool) -> String {
    let lock = whole_seconds(timeouts.lock).min(5);
    let statement = timeouts.statement;
    // A session that was left in a transaction, as by a proxy that was stopped, must not hold the log head for longer
    // than others wait for it. MySQL knows no such limit but that on any idleness.
    let of_engine = if maria {
        format!(
            "max_statement_time={:.3}, idle_transaction_timeout={lock}, in_predicate_conversion_threshold=0",
            statement.as_secs_f64()
        )
    } else {
        // With its 8 MiB MySQL reads the whole table for a list of some 4000 names.
        let millis = statement.as_millis();
        format!("max_execution_time={millis}, wait_timeout=30, range_optimizer_max_mem_size=0")
    };
    // Without backslash escapes a quoted literal has one special character.
    format!(
        "SET NAMES utf8mb4; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
         SET SESSION sql_mode='STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,NO_ENGINE_SUBSTITUTION', time_zone='+00:00', \
         autocommit=1, innodb_lock_wait_timeout={lock}, lock_wait_timeout={lock}, {NOT_INHERITED}, {of_engine}"
    )
}

/// A name no other session ever had, safe in a literal.
pub(super) fn nonce() -> Result<String, StoreError> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|e| StoreError::Failed { detail: format!("the system gives no random bytes: {e}") })?;
    Ok(format!("cg_{:032x}", u128::from_be_bytes(bytes)))
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{risk, settings};
    use crate::backend::Timeouts;

    #[test]
    fn a_commit_is_kept_if_the_log_that_a_crash_is_recovered_from_is_on_disk() {
        let (flush, sync) =
            (Some("innodb_flush_log_at_trx_commit is not 1"), "there is a binary log and sync_binlog is not 1");
        for (maria, at_commit, binary_log, sync_binlog, expected) in [
            (true, 1, false, 0, None),
            (true, 1, true, 1, None),
            (true, 1, true, 0, Some(sync)),
            (true, 1, true, 100, Some(sync)),
            (true, 3, true, 0, None),
            (true, 3, false, 0, None),
            (true, 2, false, 1, flush),
            (true, 0, true, 1, flush),
            (false, 1, true, 1, None),
            (false, 1, true, 0, Some(sync)),
            (false, 1, false, 0, None),
            (false, 2, true, 1, flush),
            (false, 3, true, 1, flush),
        ] {
            let found = risk(maria, at_commit, binary_log, sync_binlog);
            assert_eq!(found, expected, "{maria}, {at_commit}, {binary_log}, {sync_binlog}");
        }
    }

    #[test]
    fn a_session_is_strict_reads_what_is_committed_and_has_bounds_and_a_time_zone_of_its_own() {
        let (statement, lock) = (Duration::from_millis(2500), Duration::from_millis(1500));
        let timeouts = Timeouts { statement, lock, ..Timeouts::default() };
        let of_both = [
            "TRANSACTION ISOLATION LEVEL READ COMMITTED",
            "sql_mode='STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,",
            "time_zone='+00:00'",
            "autocommit=1",
            "innodb_lock_wait_timeout=2,",
            "unique_checks=1,",
            "sql_select_limit=18446744073709551615,",
            "completion_type=0,",
            "sql_big_selects=1,",
            "sql_safe_updates=0,",
        ];
        let of_one = [
            (true, ["max_statement_time=2.500", "idle_transaction_timeout=2", "in_predicate_conversion_threshold=0"]),
            (false, ["max_execution_time=2500", "wait_timeout=30", "range_optimizer_max_mem_size=0"]),
        ];
        for (maria, own) in of_one {
            let text = settings(&timeouts, maria);
            for setting in of_both.into_iter().chain(own) {
                assert!(text.contains(setting), "{setting} is not in: {text}");
            }
        }
        // However long a write may wait, the log head is not held for longer than this.
        let patient = settings(&Timeouts { lock: Duration::from_secs(60), ..timeouts }, true);
        assert!(patient.contains("innodb_lock_wait_timeout=5,"), "{patient}");
    }
}
