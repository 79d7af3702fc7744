//! FLUSH, and the command of the protocol that says the same.

use std::sync::Arc;

use bytes::Bytes;
use cellgate_sql::Flush;

use super::error::StatementError;
use super::{Answer, Done, Session};
use crate::wire::{ErrorReply, Status};

/// What COM_REFRESH can ask for, bit by bit, as statements. Tables, threads, privileges and logs have nothing to be
/// flushed here.
const REFRESH: [(u8, &str); 4] =
    [(0x08, "FLUSH HOSTS"), (0x10, "FLUSH STATUS"), (0x40, "RESET REPLICA"), (0x80, "RESET MASTER")];

impl Session {
    /// FLUSH of what there is to flush. As in MySQL it ends the transaction first.
    pub(super) async fn flush(&mut self, what: &[Flush]) -> Result<Answer, StatementError> {
        self.commit_open().await?;
        self.use_up_characteristics();
        for one in what {
            match one {
                Flush::LoginDelays => self.server.forget_failed_logins(),
                Flush::Certificate => {
                    if let Some(tls) = self.server.tls() {
                        let tls = Arc::clone(tls);
                        // A file system may hang. What is wrong with the files is in the log, and changes nothing.
                        let renewed = tokio::task::spawn_blocking(move || tls.renew_logged()).await;
                        renewed.unwrap_or_else(|error| tracing::error!(%error, "looking at the TLS files failed"));
                    }
                }
            }
        }
        Ok(Answer::Done(Done::default()))
    }

    /// COM_REFRESH.
    pub(super) async fn refreshed(&mut self, what: u8) -> Result<Status, ErrorReply> {
        for (_, text) in REFRESH.iter().filter(|(bit, _)| what & bit != 0) {
            let done = match self.parse(&Bytes::from_static(text.as_bytes())).await {
                Ok(statements) => match statements.first() {
                    Some(statement) => self.run_here(statement).await.map(drop),
                    None => Ok(()),
                },
                Err(error) => Err(error),
            };
            done.map_err(|error| self.note_error(&error))?;
        }
        Ok(self.status())
    }
}
