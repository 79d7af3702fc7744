//! What the log and the metrics are told of what goes wrong, beside the error that a client gets.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cellgate_metrics::Refusal;
use cellgate_schemaless::{ClusterNo, ErrorKind};
use cellgate_store::background::told;
use cellgate_store::executor::{Cluster, GivenUp};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::Server;
use crate::errors;
use crate::incidents;
use crate::session::StatementError;
use crate::sync::lock;

/// How soon the log is told again that clients are turned away for the same reason.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// How often it is looked whether what is known of the meta store is too old.
const LOOK_AT_AGE: Duration = Duration::from_secs(1);

impl Server {
    /// Logs and counts what is more than the failure of one store, and answers what the client is told of it behind the
    /// error's own text: the id of the line, and which clusters it waited for or do not answer. `asked` says which have not
    /// answered the session.
    pub fn more_of(&self, error: &StatementError, asked: &GivenUp) -> Option<String> {
        match error {
            StatementError::PartlyCommitted { clusters, .. } => {
                self.metrics.partial_write();
                Some(format!("; what is done in part: (log id {})", self.incidents.partly_done(clusters)))
            }
            StatementError::Write { stored, .. } if !stored.is_empty() => {
                self.metrics.partial_write();
                let id = self.incidents.partly_done(&stored.clusters);
                Some(format!("; what is done in part: (log id {id})"))
            }
            // A client's doing: nothing has failed, and its error says all of it.
            StatementError::Duplicate { stored, .. } if !stored.is_empty() => {
                self.metrics.partial_duplicate();
                None
            }
            StatementError::Timeout { .. } => {
                let waited_for = asked.ran_out();
                // Its calls there have failed for that, which nobody else can count.
                waited_for.iter().for_each(|number| self.metrics.cluster(*number).failed(ErrorKind::Timeout));
                self.more_of_timeout(&waited_for)
            }
            // Its client was in more of a hurry than the clusters need be.
            StatementError::OwnTimeout => self.more_of_timeout(&asked.ran_out()),
            StatementError::RolledBack(cause) => self.more_of(cause, asked),
            StatementError::Stale { .. } => Some(format!(" (log id {})", self.is_stale(self.meta_age()))),
            _ => None,
        }
    }

    /// A write has failed that nobody waits for any more, because its client is gone or its time was over: logs and counts
    /// what is to be known of it all the same, unless it is only that its table was dropped meanwhile.
    pub fn unheard(self: Arc<Self>, error: StatementError) {
        tokio::spawn(async move {
            if !self.is_of_dropped(&error).await {
                let _reply = errors::reply(&error, &self.incidents);
                self.note_lacking(&error);
            }
            let _more = self.more_of(&error, &GivenUp::default());
        });
    }

    /// Whether a cluster lacks a physical table that the newest catalog does not have either.
    async fn is_of_dropped(&self, error: &StatementError) -> bool {
        let Some((_, table)) = error.lacking() else { return false };
        let newest = self.catalog.look_again().await;
        newest.is_ok_and(|catalog| !catalog.all_tables().any(|known| known.table_ref().physical() == table))
    }

    /// Counts at a cluster that a client was told of a table which is missing there.
    pub fn note_lacking(&self, error: &StatementError) {
        let Some(name) = error.lacks_table() else { return };
        if let Some(cluster) = self.deployment.executor().clusters().find(|cluster| cluster.name == name) {
            self.metrics.cluster(cluster.number).failed(ErrorKind::NotFound);
        }
    }

    /// A statement ran out of time while it waited for these clusters.
    fn more_of_timeout(&self, waited_for: &BTreeSet<ClusterNo>) -> Option<String> {
        let clusters = |of: &dyn Fn(&Cluster) -> bool| {
            let names: Vec<String> = self
                .deployment
                .executor()
                .clusters()
                .filter(|cluster| of(cluster))
                .map(|cluster| format!("cluster '{}'", cluster.name))
                .collect();
            names.join(", ")
        };
        let waited_for = clusters(&|cluster| waited_for.contains(&cluster.number));
        let down = clusters(&|cluster| !cluster.is_up());
        if waited_for.is_empty() && down.is_empty() {
            return None;
        }
        let mut more = String::new();
        if !waited_for.is_empty() {
            more.push_str(&format!("; it waited for {waited_for}"));
        }
        if !down.is_empty() {
            more.push_str(&format!("; not answering now: {down}"));
        }
        let id = self.incidents.timed_out(&waited_for, &down);
        Some(format!("{more} (log id {id})"))
    }

    /// Statements are refused because what is known of the meta store is too old: says so once, and answers the id of that
    /// line.
    fn is_stale(&self, age: Duration) -> String {
        lock(&self.stale)
            .get_or_insert_with(|| {
                let (log_id, age_s) = (incidents::log_id(), age.as_secs());
                let why =
                    "the meta store was not read for longer than meta.max_stale: statements over tables are refused";
                tracing::error!(log_id, age_s, "{why}");
                log_id
            })
            .clone()
    }

    /// Says when statements begin to be refused because what is known of the meta store is too old, and when they are
    /// served again, until `shutdown`.
    pub async fn watch_meta_age(&self, mut shutdown: watch::Receiver<bool>) {
        let mut beat = tokio::time::interval(LOOK_AT_AGE);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = told(&mut shutdown) => return,
                _ = beat.tick() => {}
            }
            let age = self.meta_age();
            if age > self.catalog.max_stale() {
                self.is_stale(age);
            } else if let Some(log_id) = lock(&self.stale).take() {
                tracing::info!(log_id, "the meta store was read: statements over tables are served again");
            }
        }
    }

    /// A client is turned away with 1040. The log is told now and then.
    pub fn refuse_connection(&self, refusal: Refusal) {
        self.metrics.connection_refused(refusal);
        let of = match refusal {
            Refusal::TooMany => &self.turned_away.too_many,
            Refusal::Descriptors => &self.turned_away.descriptors,
        };
        let Some(count) = of.happened(Instant::now()) else { return };
        match refusal {
            Refusal::TooMany => {
                let limit = self.config().limits.max_connections;
                let why = "clients are refused (1040): as many are connected as limits.max_connections allows";
                tracing::warn!(count, limit, "{why}");
            }
            Refusal::Descriptors => {
                let why = "clients are refused (1040): nearly as many files are open as may be, see LimitNOFILE";
                tracing::warn!(count, "{why}");
            }
        }
    }

    /// A connection from an address that sends PROXY headers has waited for more than a moment and sent none. The log is told
    /// now and then.
    pub(super) fn miss_header(&self, peer: IpAddr) {
        if let Some(count) = self.turned_away.headerless.happened(Instant::now()) {
            let why =
                "no PROXY header came from an address of listen.proxy_protocol_from, so that no greeting was sent";
            tracing::warn!(%peer, count, "{why}");
        }
    }
}

/// What the log is told of clients that are turned away, by reason.
#[derive(Debug, Default)]
pub(super) struct TurnedAway {
    too_many: Often,
    descriptors: Often,
    headerless: Often,
}

/// Something that may happen often, and is logged at most once in [`TELL_AGAIN`].
#[derive(Debug, Default)]
struct Often(Mutex<(Option<Instant>, u64)>);

impl Often {
    /// It has happened. If the log is to be told: how often, since it was told last.
    fn happened(&self, now: Instant) -> Option<u64> {
        let mut so_far = lock(&self.0);
        let (told, count) = &mut *so_far;
        *count += 1;
        if told.is_some_and(|told| now.duration_since(told) < TELL_AGAIN) {
            return None;
        }
        *told = Some(now);
        Some(std::mem::take(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_often_is_told_at_once_and_then_with_how_often_it_was() {
        let (often, now) = (Often::default(), Instant::now());
        assert_eq!(often.happened(now), Some(1));
        for second in 1..60 {
            assert_eq!(often.happened(now + Duration::from_secs(second)), None);
        }
        assert_eq!(often.happened(now + TELL_AGAIN), Some(60));
        assert_eq!(often.happened(now + TELL_AGAIN), None);
    }
}
