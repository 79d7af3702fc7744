//! Functions that wait: SLEEP; those of locks are in [`super::locking`].
//!
//! Binding a statement is a plain function and cannot wait. When it meets one of these it stops with what is to be
//! done; the session does it and binds again. LAST_INSERT_ID(n) and UUID() wait for nothing and are answered where they
//! are met ([`super::environment`]).

use std::time::{Duration, Instant};

use cellgate_sql::{SessionCall, SqlError, Value};

use super::Session;
use super::error::StatementError;

impl Session {
    /// Does what a function stands for, and answers its value. Its statement may take as long as `limit`.
    pub(super) async fn call(
        &mut self,
        call: SessionCall,
        arguments: &[Value],
        limit: Option<Duration>,
    ) -> Result<Value, StatementError> {
        match call {
            SessionCall::SetLastInsertId | SessionCall::Uuid => {
                Err(SqlError::Internal(format!("{} waits for nothing", call.name())).into())
            }
            SessionCall::Sleep => {
                let seconds = match arguments {
                    [value] => seconds(value).filter(|seconds| *seconds >= 0.0),
                    _ => None,
                };
                let wait = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                let wait = wait.ok_or_else(|| SqlError::Arguments("sleep".to_owned()))?;
                let cut = limit.filter(|limit| *limit < wait);
                tokio::time::sleep_until((Instant::now() + cut.unwrap_or(wait).min(LONGEST_WAIT)).into()).await;
                if cut.is_some() { Err(StatementError::OwnTimeout) } else { Ok(Value::Int(0)) }
            }
            SessionCall::GetLock => self.get_lock(arguments, limit).await,
            SessionCall::ReleaseLock => self.release_lock(arguments).await,
            SessionCall::ReleaseAllLocks => self.release_all_locks().await,
            SessionCall::IsFreeLock => Ok(Value::Int(i64::from(self.lock_holder(arguments).await?.is_none()))),
            SessionCall::IsUsedLock => {
                let holder = self.lock_holder(arguments).await?.map(|id| i64::try_from(id).unwrap_or(i64::MAX));
                Ok(holder.map_or(Value::Null, Value::Int))
            }
        }
    }
}

/// No statement waits longer: MySQL's own bound of `lock_wait_timeout`.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(31_536_000);

/// A number of seconds, of a text what it begins with, as everywhere in SQL; `None` for NULL.
pub(super) fn seconds(value: &Value) -> Option<f64> {
    value.as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_as_sql_reads_numbers() {
        let text = |text: &'static str| seconds(&Value::Text(text.into()));
        assert_eq!((text("1abc"), text(" 0.5 "), text("-1e0x")), (Some(1.0), Some(0.5), Some(-1.0)));
        assert_eq!((text("nan"), text("inf"), text("")), (Some(0.0), Some(0.0), Some(0.0)));
        assert_eq!((seconds(&Value::Int(3)), seconds(&Value::Decimal("2.5".to_owned()))), (Some(3.0), Some(2.5)));
        assert_eq!(seconds(&Value::Null), None);
    }
}
