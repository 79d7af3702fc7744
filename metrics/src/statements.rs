//! What is counted per command: how many there were, what became of them, and the time of their stages.

use cellgate_schemaless::ErrorKind;
use prometheus::{IntCounter, IntGauge};

use crate::distribution::{Distribution, Unit};
use crate::error::MetricsError;
use crate::family::{By, LabelDescription, Lazy3, Registrar};
use crate::label::{Command, Label, Outcome, Shape, Stage};
use crate::service::LATENCY_SECONDS;

/// The families of commands and their statements.
#[derive(Debug)]
pub(crate) struct Statements {
    pub(crate) queries: Lazy3<Command, Shape, Outcome>,
    pub(crate) queries_failed: By<ErrorKind, IntCounter>,
    pub(crate) stages: By<Stage, Distribution>,
    pub(crate) lock_wait: IntGauge,
}

impl Statements {
    pub(crate) fn register(r: &mut Registrar) -> Result<Self, MetricsError> {
        let queries = r.counters(
            "cellgate_queries_total",
            "Commands answered, by command, shape of the statement and outcome. A series appears with its first command.",
            vec![
                LabelDescription::of::<Command>(),
                LabelDescription::of::<Shape>(),
                LabelDescription::of::<Outcome>(),
            ],
        )?;
        let failed = r.counters(
            "cellgate_queries_failed_total",
            "Commands answered with an error, by class of the error. Every series is there from the start, so that a rate \
             sees the first failure, too.",
            vec![LabelDescription::of::<ErrorKind>()],
        )?;
        let stages = r.distributions(
            "cellgate_stage_seconds",
            "Time of a command in each stage of its way, in seconds. In the total are also the waits that clients ask for \
             (SLEEP, GET_LOCK, LOCK TABLES) and those for other sessions' locks, which no other stage has.",
            LATENCY_SECONDS,
            Unit::Nanoseconds,
            vec![LabelDescription::of::<Stage>()],
        )?;
        let lock_wait = r.gauge(
            "cellgate_lock_wait_seconds",
            "For how long the statement has run that waits the longest for tables which another session has locked, in \
             seconds; 0 if none waits. GET_LOCK, which waits on purpose, is not in it.",
        )?;
        Ok(Self {
            queries: Lazy3::new(queries),
            queries_failed: By::resolve(|kind: ErrorKind| failed.with_label_values(&[Label::label(kind)])),
            stages: By::resolve(|stage: Stage| stages.with_label_values(&[stage.label()])),
            lock_wait,
        })
    }
}
