//! What is counted of clients: their connections and logins, and the bytes and rows that come and go.

use prometheus::{IntCounter, IntGauge};

use crate::error::MetricsError;
use crate::family::{By, LabelDescription, Registrar};
use crate::label::{Label, LoginFailure, Refusal};

/// The families of clients.
#[derive(Debug)]
pub(crate) struct Clients {
    pub(crate) connections_open: IntGauge,
    pub(crate) connections_accepted: IntCounter,
    pub(crate) connections_refused: By<Refusal, IntCounter>,
    pub(crate) login_failures: By<LoginFailure, IntCounter>,
    pub(crate) bytes_received: IntCounter,
    pub(crate) bytes_sent: IntCounter,
    pub(crate) rows_received: IntCounter,
    pub(crate) rows_sent: IntCounter,
}

impl Clients {
    pub(crate) fn register(r: &mut Registrar) -> Result<Self, MetricsError> {
        let connections_open = r.gauge("cellgate_connections_open", "Client connections open now.")?;
        let connections_accepted = r.counter("cellgate_connections_accepted_total", "Client connections accepted.")?;
        let refused = r.counters(
            "cellgate_connections_refused_total",
            "Client connections turned away for want of a place, before their login or behind it, by reason.",
            vec![LabelDescription::of::<Refusal>()],
        )?;
        let failures = r.counters(
            "cellgate_login_failures_total",
            "Logins that failed, by reason.",
            vec![LabelDescription::of::<LoginFailure>()],
        )?;
        Ok(Self {
            connections_open,
            connections_accepted,
            connections_refused: By::resolve(|reason: Refusal| refused.with_label_values(&[reason.label()])),
            login_failures: By::resolve(|reason: LoginFailure| failures.with_label_values(&[reason.label()])),
            bytes_received: r.counter("cellgate_received_bytes_total", "Bytes received from clients.")?,
            bytes_sent: r.counter("cellgate_sent_bytes_total", "Bytes sent to clients.")?,
            rows_received: r.counter("cellgate_received_rows_total", "Rows of INSERT statements received.")?,
            rows_sent: r.counter("cellgate_sent_rows_total", "Rows of result sets sent.")?,
        })
    }
}

/// A client connection that is open for as long as this value lives.
#[derive(Debug)]
#[must_use = "the connection counts as closed when this is dropped"]
pub struct OpenConnection {
    open: IntGauge,
}

impl OpenConnection {
    /// One more is open in this gauge.
    pub(crate) fn counted_in(open: &IntGauge) -> Self {
        open.inc();
        Self { open: open.clone() }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.open.dec();
    }
}
