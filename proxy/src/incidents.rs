//! Failures of stores, in the log: under the id that the client's message names, and no more lines than a log can take.
//!
//! While a store is away, every statement that needs it fails, hundreds in a second. Of those that fail in one place in
//! one way the first few of a second get a line and an id each; further ones share the last line's id, and are counted.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use cellgate_store::StoreError;
use cellgate_store::background::told;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::sync::lock;

/// The target of these lines: that of this module.
pub const TARGET: &str = module_path!();

/// Most lines about one place and kind of error in a [`SPAN`].
const LINES: u32 = 5;
/// What [`LINES`] are counted in.
const SPAN: Duration = Duration::from_secs(1);

/// What stores failed lately.
#[derive(Debug, Default)]
pub struct Incidents {
    /// By place and kind of error: as many as there are clusters and kinds.
    lately: Mutex<BTreeMap<(String, &'static str), Lately>>,
}

/// One kind of failure in one place, in this span.
#[derive(Debug, Default)]
struct Lately {
    lines: u32,
    /// The id of the last line.
    id: String,
    /// How many failures had no line.
    left_out: u64,
}

impl Incidents {
    /// A store failed a statement: answers the id of the line that says so. If there were too many lines, it is that of
    /// the last one about the same place and kind of error.
    pub fn failed(&self, place: &str, error: &StoreError) -> String {
        self.happened(place, error.kind().label(), |log_id| {
            tracing::warn!(log_id, place, %error, "a store failed a statement");
        })
    }

    /// A statement ran out of time while it waited for clusters, or while clusters did not answer: answers the id of the
    /// line, as [`Incidents::failed`] does.
    pub fn timed_out(&self, waited_for: &str, not_answering: &str) -> String {
        let place = if waited_for.is_empty() { not_answering } else { waited_for };
        self.happened(place, "statement_timeout", |log_id| {
            tracing::warn!(log_id, waited_for, not_answering, "a statement ran out of time");
        })
    }

    /// A write over several clusters was done in part, or may be; `what` is stored where, without the names of cells.
    /// Answers the id of the line, as [`Incidents::failed`] does.
    pub fn partly_done(&self, what: &str) -> String {
        self.happened(what, "partial_write", |log_id| {
            tracing::error!(log_id, what, "a write over several clusters was done in part");
        })
    }

    /// Logs with `line` under a new id what has happened in a place, unless there were too many lines like that; answers
    /// the id.
    fn happened(&self, place: &str, kind: &'static str, line: impl FnOnce(&str)) -> String {
        let mut lately = lock(&self.lately);
        let this = lately.entry((place.to_owned(), kind)).or_default();
        if this.lines == LINES {
            this.left_out += 1;
            return this.id.clone();
        }
        this.lines += 1;
        this.id = log_id();
        line(&this.id);
        this.id.clone()
    }

    /// Says how many failures had no line, every second, until `shutdown`.
    pub async fn run(&self, mut shutdown: watch::Receiver<bool>) {
        let mut beat = tokio::time::interval(SPAN);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = told(&mut shutdown) => break,
                _ = beat.tick() => self.begin_anew(),
            }
        }
        self.begin_anew();
    }

    /// Ends a span.
    fn begin_anew(&self) {
        for ((place, kind), past) in std::mem::take(&mut *lock(&self.lately)) {
            if past.left_out > 0 {
                let (count, log_id) = (past.left_out, past.id);
                tracing::warn!(log_id, place, kind, count, "a store failed more statements like that one");
            }
        }
    }
}

/// Random, so that ids of several proxies do not meet in one log; without randomness any text serves.
pub fn log_id() -> String {
    getrandom::u32().map_or_else(|_| "none".to_owned(), |bits| format!("{bits:08x}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use cellgate_store::Reason;

    use super::*;

    #[test]
    fn lines_are_bounded_by_place_and_kind_and_every_id_is_that_of_a_line() {
        let incidents = Incidents::default();
        let away = StoreError::Unavailable { reason: Reason::Connect, detail: "away".into() };
        let full = StoreError::DiskFull { detail: "full".into() };
        let ids: Vec<String> = (0..100).map(|_| incidents.failed("cluster 'a'", &away)).collect();
        let different: BTreeSet<&String> = ids.iter().collect();
        assert_eq!(different.len(), LINES as usize);
        assert_eq!(ids.last(), ids.get(LINES as usize - 1), "further ones share the last line's id");
        assert!(!ids.contains(&incidents.failed("cluster 'a'", &full)));
        assert!(!ids.contains(&incidents.failed("cluster 'b'", &away)));
        incidents.begin_anew();
        assert!(!ids.contains(&incidents.failed("cluster 'a'", &away)), "a new span has new lines");
    }
}
