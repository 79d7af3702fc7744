//! A load as a process of its own: its processor time is its own, and a load that fails fails alone.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cellgate_integration_tests::process;
use clap::ValueEnum;

use super::rows::Measure;
use super::servers::service;
use super::stage::Endpoint;
use crate::report::Report;

/// How long a load warms up and counts.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Before counting begins.
    pub warmup: Duration,
    /// What is counted.
    pub time: Duration,
}

impl Pace {
    /// For this measure: who asks at a rate is measured for its slowest answers, of which there are few.
    pub fn of(self, measure: &Measure) -> Self {
        let times = if measure.rate.is_some() { OPEN_LOOP } else { 1 };
        Self { time: self.time * times, ..self }
    }
}

/// How much longer an open loop is counted than a closed one.
const OPEN_LOOP: u32 = 3;

/// Runs a load to its end.
///
/// # Errors
/// What the loader said.
pub fn run(endpoint: &Endpoint, measure: &Measure, pace: Pace, cells: u64, seed: u64) -> Result<Report, String> {
    read(&process::try_output(&mut command(endpoint, measure, pace, cells, seed))?)
}

/// A load that goes on beside others, until it is ended or its time is over.
#[derive(Debug)]
pub struct Beside(Child);

impl Beside {
    /// Starts one.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start(endpoint: &Endpoint, measure: &Measure, pace: Pace, cells: u64, seed: u64) -> Result<Self, String> {
        let mut command = command(endpoint, measure, pace, cells, seed);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        child.map(Self).map_err(|error| error.to_string())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// What the loader said.
    pub fn finish(self) -> Result<Report, String> {
        let output = self.0.wait_with_output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        read(&String::from_utf8_lossy(&output.stdout))
    }
}

fn read(text: &str) -> Result<Report, String> {
    serde_json::from_str(text.trim()).map_err(|error| format!("the loader's report: {error}"))
}

/// The word for a value on the command line.
fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |word| word.get_name().to_owned())
}

fn command(endpoint: &Endpoint, measure: &Measure, pace: Pace, cells: u64, seed: u64) -> Command {
    let target = &endpoint.target;
    let mut command = service(std::env::current_exe().unwrap_or_else(|_| "cellgate-benchmarks".into()), None);
    command
        .args(["load", "--json"])
        .arg(format!("--protocol={}", word(target.protocol)))
        .arg(format!("--operation={}", word(measure.operation)))
        .arg(format!("--mode={}", word(measure.mode)))
        .arg(format!("--address={}", target.address))
        .arg(format!("--user={}", target.user))
        .arg(format!("--database={}", target.database))
        .arg(format!("--connections={}", measure.connections))
        .arg(format!("--request-bytes={}", target.echo.0))
        .arg(format!("--answer-bytes={}", target.echo.1))
        .arg(format!("--warmup={}", pace.warmup.as_secs_f64()))
        .arg(format!("--seconds={}", pace.time.as_secs_f64()))
        .arg(format!("--cells={cells}"))
        .arg(format!("--seed={seed}"));
    if let Some(rate) = measure.rate {
        command.arg(format!("--rate={rate}"));
    }
    for watched in &endpoint.watched {
        let processes: Vec<String> = watched.processes.iter().map(u32::to_string).collect();
        command.arg(format!("--watch={}={}", watched.name, processes.join(",")));
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Protocol;
    use crate::workload::{Mode, Operation};

    #[test]
    fn words_are_those_of_the_command_line() {
        assert_eq!(
            Protocol::value_variants().iter().copied().map(word).collect::<Vec<_>>(),
            ["mysql", "postgres", "echo"]
        );
        let operations: Vec<String> = Operation::value_variants().iter().copied().map(word).collect();
        assert_eq!(operations, ["get", "latest", "put", "in100", "scan"]);
        assert_eq!([word(Mode::Prepared), word(Mode::Text)], ["prepared", "text"]);
    }
}
