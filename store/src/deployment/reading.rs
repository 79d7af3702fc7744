//! Documents of the meta store that are read again and again: whether they can be, said once per change.

use std::sync::Mutex;
use std::time::Duration;

use cellgate_metrics::{Label, MetaDocument, Metrics};

use crate::error::StoreError;
use crate::sync::lock;

/// How reading a document goes. A document is read every second and more often, by several tasks: the log is told when
/// something has changed, and not at every look.
#[derive(Debug)]
pub struct Reading {
    document: MetaDocument,
    state: Mutex<State>,
}

/// What the looks so far have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    /// The last look brought an answer.
    is_reached: bool,
    /// The last answer was no such document. A store that does not answer makes it no better.
    is_corrupt: bool,
}

impl Reading {
    /// Of this document, which is taken to be readable until a look says otherwise.
    pub fn new(document: MetaDocument) -> Self {
        Self { document, state: Mutex::new(State { is_reached: true, is_corrupt: false }) }
    }

    /// A look has ended: with this document, or this error.
    pub fn ended<T>(&self, outcome: &Result<T, StoreError>) {
        let (before, now) = {
            let mut state = lock(&self.state);
            let before = *state;
            *state = match outcome {
                Ok(_) => State { is_reached: true, is_corrupt: false },
                Err(StoreError::Corrupt { .. }) => State { is_reached: true, is_corrupt: true },
                Err(_) => State { is_reached: false, ..before },
            };
            (before, *state)
        };
        let document = self.document.label();
        match outcome {
            _ if before == now => {}
            Ok(_) => tracing::info!(document, "the meta store can be read again"),
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(document, %error, "a document of the meta store is corrupt");
            }
            Err(error) => tracing::warn!(document, %error, "cannot read the meta store"),
        }
    }

    /// A look has not ended for so long. It goes on, and says so when it ends.
    pub fn hangs(&self, waited: Duration) {
        let was_reached = std::mem::replace(&mut lock(&self.state).is_reached, false);
        if was_reached {
            let (document, waited_s) = (self.document.label(), waited.as_secs());
            tracing::warn!(document, waited_s, "cannot read the meta store: it does not answer");
        }
    }

    /// Whether the meta store gave something else than this document the last time it gave anything.
    pub fn is_corrupt(&self) -> bool {
        lock(&self.state).is_corrupt
    }

    /// Tells the metrics.
    pub fn observe(&self, metrics: &Metrics) {
        metrics.meta_readable(self.document, !self.is_corrupt());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Reason;

    #[test]
    fn a_document_is_corrupt_from_the_look_that_finds_it_so_until_one_that_does_not() {
        let reading = Reading::new(MetaDocument::Catalog);
        let metrics = Metrics::new::<&str>("", &[]).unwrap();
        let shown = |metrics: &Metrics| {
            reading.observe(metrics);
            metrics.render().unwrap().contains("cellgate_meta_readable{document=\"catalog\"} 1")
        };
        assert!(shown(&metrics) && !reading.is_corrupt());
        reading.ended::<()>(&Err(StoreError::Corrupt { detail: String::new() }));
        assert!(!shown(&metrics) && reading.is_corrupt());
        // That the store does not answer now is no better news.
        reading.hangs(Duration::from_secs(3));
        assert!(!shown(&metrics) && reading.is_corrupt());
        let unreached = Err(StoreError::Unavailable { reason: Reason::Connect, detail: String::new() });
        reading.ended::<()>(&unreached);
        assert!(!shown(&metrics) && reading.is_corrupt());
        reading.ended(&Ok(()));
        reading.ended::<()>(&unreached);
        assert!(shown(&metrics) && !reading.is_corrupt());
    }
}
