//! DELETE (erasure).

use std::sync::Arc;
use std::time::Instant;

use cellgate_metrics::Stage;
use cellgate_sql::Erase;

use super::error::StatementError;
use super::read::within;
use super::to_the_end::carried_or;
use super::{Answer, Done, Session};
use crate::locks::Entered;

impl Session {
    /// DELETE on a cell table. It goes on to its end even if that is after its deadline.
    pub(super) async fn erase(
        &mut self,
        erase: Erase,
        entered: Vec<Entered>,
        deadline: Instant,
    ) -> Result<Answer, StatementError> {
        self.open_implicitly();
        self.refuse_read_only()?;
        if self.transaction.as_ref().is_some_and(|t| !t.buffer.is_empty()) {
            return Err(StatementError::Unsupported {
                what: "DELETE (erasure) in a transaction that has written",
                instead: "erasure cannot be rolled back: COMMIT first",
            });
        }
        let (executor, server) = (Arc::clone(&self.executor), Arc::clone(&self.server));
        let erasing = async move {
            let erased = executor.erase(&erase.table.table_ref(), erase.what).await;
            drop(entered);
            erased.map_err(StatementError::from)
        };
        let erasing = carried_or(erasing, move |erased| {
            if let Err(error) = erased {
                server.unheard(error);
            }
        });
        let timed = self.timed(Stage::Store);
        let erased = within(deadline, erasing).await;
        drop(timed);
        if let (Some(open), false) = (&mut self.transaction, matches!(erased, Ok(Ok(0)))) {
            open.erased = true;
        }
        let affected = erased.map_err(|_| StatementError::Timeout {
            detail: "; some or all of the cells may be erased: repeat the DELETE",
        })??;
        Ok(Answer::Done(Done { affected, ..Done::default() }))
    }
}
