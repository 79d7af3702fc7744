//! The comparisons: what is measured against what, and what is asked of the ratio.

use serde::{Deserialize, Serialize};

use super::subject::Subject;
use crate::report::Report;
use crate::workload::{Mode, Operation};

/// One load on one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Measure {
    /// Who.
    pub subject: Subject,
    /// What is asked.
    pub operation: Operation,
    /// How.
    pub mode: Mode,
    /// Connections.
    pub connections: usize,
    /// Requests per second of an open loop; none: a closed loop.
    pub rate: Option<u32>,
}

impl Measure {
    /// What it is called in tables.
    pub fn label(&self) -> String {
        let operation = match self.operation {
            Operation::Get => "get",
            Operation::Latest => "latest",
            Operation::Put => "put",
            Operation::In100 => "IN of 100",
            Operation::Scan => "scan",
        };
        let mode = match self.mode {
            Mode::Prepared => "",
            Mode::Text => ", text",
        };
        let rate = self.rate.map_or(String::new(), |rate| format!(", {rate}/s"));
        format!("{operation}{mode}, {} conn.{rate}", self.connections)
    }
}

/// What of two loads is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quantity {
    /// Operations per second.
    Throughput,
    /// The median latency.
    Median,
    /// The latency that 99 of 100 do not exceed.
    Tail,
    /// Processor time per operation of everything but the loader.
    Cpu,
    /// Processor time per operation of the proxy, or of the echo.
    HopCpu,
}

impl Quantity {
    /// What a report says of it.
    pub fn of(self, report: &Report) -> f64 {
        match self {
            Self::Throughput => report.per_second,
            Self::Median => report.latency_us.p50,
            Self::Tail => report.latency_us.p99,
            Self::Cpu => report.all_cpu_us(),
            Self::HopCpu => report.cpu_us("proxy") + report.cpu_us("echo"),
        }
    }

    /// What it is called.
    pub fn label(self) -> &'static str {
        match self {
            Self::Throughput => "ops/s",
            Self::Median => "p50",
            Self::Tail => "p99",
            Self::Cpu => "CPU of proxy + server per op",
            Self::HopCpu => "CPU of the proxy per op",
        }
    }
}

/// On which side of floor and goal a figure has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Bound {
    /// The more, the better.
    AtLeast,
    /// The less, the better.
    AtMost,
}

impl Bound {
    /// Whether a figure is on the good side of a limit.
    pub fn holds(self, figure: f64, limit: f64) -> bool {
        match self {
            Self::AtLeast => figure >= limit,
            Self::AtMost => figure <= limit,
        }
    }
}

/// A comparison.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its number.
    pub id: &'static str,
    /// The loads that are interleaved with its own; also a name it is chosen by.
    pub group: &'static str,
    /// What is compared.
    pub quantity: Quantity,
    /// Of whom.
    pub ours: Measure,
    /// With whom.
    pub theirs: Measure,
    /// On which side the ratio has to be.
    pub bound: Bound,
    /// What must hold.
    pub floor: f64,
    /// What is wanted.
    pub goal: f64,
}

/// A closed loop of prepared statements.
fn on(subject: Subject, operation: Operation, connections: usize) -> Measure {
    Measure { subject, operation, mode: Mode::Prepared, connections, rate: None }
}

/// All comparisons, in the order they are run.
pub fn all() -> Vec<Row> {
    use Bound::{AtLeast, AtMost};
    use Operation::{Get, In100, Latest, Put};
    use Quantity::{Cpu, HopCpu, Median, Tail, Throughput};
    use Subject::{
        Cellgate, CellgateCached, CellgateDelayed, CellgateFour, CellgatePool, CellgatePostgres, Direct, DirectDelayed,
        DirectPool, DirectPostgres, Echo, Embedded, EmbeddedEight, EmbeddedOne, HaProxy, Spider,
    };
    let mut rows = Vec::new();
    let mut add = |id, group, quantity, ours: Measure, theirs: Measure, bound, floor, goal| {
        rows.push(Row { id, group, quantity, ours, theirs, bound, floor, goal });
    };
    let get = on(Cellgate, Get, 64);
    let text = Measure { mode: Mode::Text, ..get };
    let open = |subject| Measure { rate: Some(10_000), ..on(subject, Get, 64) };

    add("1", "get", Throughput, get, on(Direct, Get, 64), AtLeast, 1.8, 3.0);
    add("2", "get", Cpu, get, on(Direct, Get, 64), AtMost, 0.45, 0.28);
    add("6", "get", Throughput, get, on(HaProxy, Get, 64), AtLeast, 2.0, 3.5);
    add("8a", "get", HopCpu, on(CellgateCached, Get, 64), on(Echo, Get, 64), AtMost, 1.6, 1.2);
    add("8b", "get", Throughput, on(CellgateCached, Get, 64), on(Direct, Get, 64), AtLeast, 4.0, 6.0);
    add("9", "get", HopCpu, get, on(Echo, Get, 64), AtMost, 2.0, 1.2);
    add("10a", "get", Throughput, on(Embedded, Get, 64), on(Direct, Get, 64), AtLeast, 2.5, 4.5);
    add("12", "get", Tail, get, on(Direct, Get, 64), AtMost, 0.4, 0.12);
    add("14", "get", Throughput, text, get, AtLeast, 0.9, 1.0);

    add("1b", "get-pool", Throughput, on(CellgatePool, Get, 64), on(DirectPool, Get, 64), AtLeast, 1.25, 2.0);

    add("1c-16", "get-few", Throughput, on(Cellgate, Get, 16), on(Direct, Get, 16), AtLeast, 1.1, 1.6);
    add("1c-4", "get-few", Throughput, on(Cellgate, Get, 4), on(HaProxy, Get, 4), AtLeast, 1.0, 1.2);

    add("3", "latest", Throughput, on(Cellgate, Latest, 64), on(Direct, Latest, 64), AtLeast, 1.8, 3.5);

    add("4-64", "put", Throughput, on(Cellgate, Put, 64), on(Direct, Put, 64), AtLeast, 2.0, 3.5);
    add("10b-64", "put", Throughput, on(Embedded, Put, 64), on(Direct, Put, 64), AtLeast, 2.0, 3.0);
    add("4-256", "put", Throughput, on(Cellgate, Put, 256), on(Direct, Put, 256), AtLeast, 3.0, 6.0);
    add("10b-256", "put", Throughput, on(Embedded, Put, 256), on(Direct, Put, 256), AtLeast, 3.5, 6.0);
    add("4b-16", "put", Throughput, on(Cellgate, Put, 16), on(Direct, Put, 16), AtLeast, 1.0, 1.3);

    add("4b-64", "put-pool", Throughput, on(CellgatePool, Put, 64), on(DirectPool, Put, 64), AtLeast, 1.4, 2.2);

    add("5", "spider", Throughput, on(CellgateFour, Get, 64), on(Spider, Get, 64), AtLeast, 8.0, 25.0);

    let postgres = |operation| (on(CellgatePostgres, operation, 64), on(DirectPostgres, operation, 64));
    for (id, operation, floor, goal) in
        [("7-get", Get, 1.3, 2.0), ("7-latest", Latest, 1.3, 2.0), ("7-put", Put, 2.0, 3.5)]
    {
        let (ours, theirs) = postgres(operation);
        add(id, "postgres", Throughput, ours, theirs, AtLeast, floor, goal);
    }

    add("11a", "latency", Median, on(Cellgate, Get, 1), on(HaProxy, Get, 1), AtMost, 1.15, 0.9);
    add("11b", "latency", Tail, open(Cellgate), open(HaProxy), AtMost, 0.8, 0.3);

    add("15", "in100", Cpu, on(EmbeddedEight, In100, 16), on(EmbeddedOne, In100, 16), AtMost, 1.5, 1.1);

    for (id, operation) in [("15b-get", Get), ("15b-put", Put)] {
        let (ours, theirs) = (on(CellgateDelayed, operation, 256), on(DirectDelayed, operation, 256));
        add(id, "delay", Throughput, ours, theirs, AtLeast, 1.5, 3.0);
    }
    rows
}

/// The names of groups, in the order they are run.
pub fn groups(rows: &[Row]) -> Vec<&'static str> {
    let mut groups: Vec<&'static str> = Vec::new();
    for row in rows {
        if !groups.contains(&row.group) {
            groups.push(row.group);
        }
    }
    groups
}

/// The loads of some rows, each once, baseline first.
pub fn measures<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<Measure> {
    let mut measures = Vec::new();
    for row in rows {
        for measure in [row.theirs, row.ours] {
            if !measures.contains(&measure) {
                measures.push(measure);
            }
        }
    }
    // The echo has the sizes of what was measured before it.
    measures.sort_by_key(|measure| measure.subject == Subject::Echo);
    measures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_number_of_its_own_and_a_goal_beyond_its_floor() {
        let rows = all();
        for (place, row) in rows.iter().enumerate() {
            assert!(rows[..place].iter().all(|other| other.id != row.id), "{} twice", row.id);
            assert!(row.bound.holds(row.goal, row.floor), "{}", row.id);
            assert_ne!(row.ours, row.theirs);
        }
    }

    #[test]
    fn a_group_loads_each_measure_once_a_round_and_the_echo_last() {
        let rows = all();
        let get: Vec<&Row> = rows.iter().filter(|row| row.group == "get").collect();
        let measures = measures(get.iter().copied());
        assert_eq!(measures.len(), 7);
        assert_eq!(measures.last().map(|measure| measure.subject), Some(Subject::Echo));
        assert!(groups(&rows).len() >= 10);
    }
}
