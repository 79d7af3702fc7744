//! Functions that wait: SLEEP; those of locks are in [`super::locking`].
//!
//! Binding a statement is a plain function and cannot wait. When it meets one of these it stops with what is to be
//! done; the session does it and binds again. LAST_INSERT_ID(n) and UUID() wait for nothing and are answered where they
//! are met ([`super::environment`]).

use std::time::{Duration, Instant};

use cellgate_sql::{SessionCall, SqlError, Value};

use super::Session;
use super::error::StatementError;
use super::variables::text_of;

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
                if cut.is_some() { Err(StatementError::Timeout { detail: "" }) } else { Ok(Value::Int(0)) }
            }
            SessionCall::GetLock => self.get_lock(arguments, limit).await,
            SessionCall::ReleaseLock => self.release_lock(arguments).await,
            SessionCall::ReleaseAllLocks => self.release_all_locks().await,
            SessionCall::IsFreeLock => Ok(Value::Int(i64::from(self.lock_holder(arguments).await?.is_none()))),
            SessionCall::IsUsedLock => {
                Ok(self.lock_holder(arguments).await?.map_or(Value::Null, |id| Value::Int(id.into())))
            }
        }
    }
}

/// No statement waits longer: MySQL's own bound of `lock_wait_timeout`.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(31_536_000);

/// A number of seconds; `None` for what is no number.
pub(super) fn seconds(value: &Value) -> Option<f64> {
    match value {
        #[allow(clippy::cast_precision_loss, reason = "seconds to wait")]
        Value::Int(n) => Some(*n as f64),
        #[allow(clippy::cast_precision_loss, reason = "seconds to wait")]
        Value::UInt(n) => Some(*n as f64),
        Value::Double(n) => Some(*n),
        Value::Decimal(_) | Value::Text(_) | Value::Bytes(_) | Value::Json(_) => text_of(value).trim().parse().ok(),
        Value::Null | Value::DateTime(_) => None,
    }
}
