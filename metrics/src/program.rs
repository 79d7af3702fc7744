//! What is counted of the program itself: lines its log lost, its panics, and until when its certificate is good.

use std::sync::{Mutex, PoisonError};

use prometheus::{IntCounter, IntGauge};

use crate::error::MetricsError;
use crate::family::Registrar;

/// The families of the program.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) log_lines_lost: Counted,
    pub(crate) panics: Counted,
    pub(crate) tls_certificate_end: IntGauge,
}

impl Program {
    pub(crate) fn register(r: &mut Registrar) -> Result<Self, MetricsError> {
        Ok(Self {
            log_lines_lost: Counted::by(r.counter(
                "cellgate_log_lines_lost_total",
                "Lines of the log that could not be written to stderr, or not as fast as they came.",
            )?),
            panics: Counted::by(r.counter(
                "cellgate_panics_total",
                "Panics: defects of this program, each of which ended a connection, a statement or a task.",
            )?),
            tls_certificate_end: r.gauge(
                "cellgate_tls_certificate_end_seconds",
                "Until when the certificate that clients are shown is good, in seconds since 1970-01-01 UTC; 0 without TLS.",
            )?,
        })
    }
}

/// A counter of what somebody else counts.
#[derive(Debug)]
pub(crate) struct Counted {
    counter: IntCounter,
    /// How far it has come. Of two that ask at once, one counts.
    last: Mutex<u64>,
}

impl Counted {
    fn by(counter: IntCounter) -> Self {
        Self { counter, last: Mutex::new(0) }
    }

    /// So many are counted by now; fewer than before are what somebody has read earlier.
    pub(crate) fn reach(&self, count: u64) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if count > *last {
            self.counter.inc_by(count - *last);
            *last = count;
        }
    }
}
