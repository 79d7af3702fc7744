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

/// How the last look ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It was read.
    Read,
    /// The meta store did not give it.
    Unreached,
    /// The meta store gave it, and it is none.
    Corrupt,
}

impl Reading {
    /// Of this document, which is taken to be readable until a look says otherwise.
    pub fn new(document: MetaDocument) -> Self {
        Self { document, state: Mutex::new(State::Read) }
    }

    /// A look has ended: with this document, or this error.
    pub fn ended<T>(&self, outcome: &Result<T, StoreError>) {
        let state = match outcome {
            Ok(_) => State::Read,
            Err(StoreError::Corrupt { .. }) => State::Corrupt,
            Err(_) => State::Unreached,
        };
        let before = {
            let mut known = lock(&self.state);
            std::mem::replace(&mut *known, state)
        };
        let document = self.document.label();
        match outcome {
            _ if before == state => {}
            Ok(_) => tracing::info!(document, "the meta store can be read again"),
            Err(error @ StoreError::Corrupt { .. }) => {
                tracing::error!(document, %error, "a document of the meta store is corrupt");
            }
            Err(error) => tracing::warn!(document, %error, "cannot read the meta store"),
        }
    }

    /// A look has not ended for so long. It goes on, and says so when it ends.
    pub fn hangs(&self, waited: Duration) {
        let mut known = lock(&self.state);
        if std::mem::replace(&mut *known, State::Unreached) != State::Unreached {
            let (document, waited_s) = (self.document.label(), waited.as_secs());
            tracing::warn!(document, waited_s, "cannot read the meta store: it does not answer");
        }
    }

    /// Whether the meta store gave something else than this document the last time it gave anything.
    pub fn is_corrupt(&self) -> bool {
        *lock(&self.state) == State::Corrupt
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
        reading.ended(&Ok(()));
        reading.ended::<()>(&Err(StoreError::Unavailable { reason: Reason::Connect, detail: String::new() }));
        assert!(shown(&metrics) && !reading.is_corrupt());
    }
}
