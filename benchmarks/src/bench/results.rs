//! What a run found: figures of every load, and what they say about every row.

use serde::{Deserialize, Serialize};

use super::overload;
use super::rows::{Bound, Measure, Quantity, Row};
use crate::report::Report;

/// The watched process that delays what passes it, in the reports.
pub const RELAY: &str = "relay";

/// All of a run; `benchmarks/results/latest.json` holds one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// Where and what.
    pub setting: Setting,
    /// Loads, in the order they were run.
    pub series: Vec<Series>,
    /// Rows of the table.
    pub judged: Vec<Judged>,
    /// What share of a proxy's time went where, under gets of 64 connections.
    pub shares: Vec<(String, f64)>,
}

/// Machine and versions.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Setting {
    /// Processor, cores, kernel, file system.
    pub machine: Vec<String>,
    /// Versions of the servers and the compiler.
    pub versions: Vec<String>,
    /// The commit that was built.
    pub commit: String,
    /// When, in UTC.
    pub date: String,
    /// Cells loaded.
    pub cells: u64,
    /// Rounds.
    pub rounds: usize,
    /// Counted seconds of each load.
    pub seconds: f64,
    /// Load of the machine before the run.
    pub load_average: String,
}

/// One load in every round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Series {
    /// The group it was interleaved in.
    pub group: String,
    /// The load.
    pub measure: Measure,
    /// What each round found; nothing in a round that failed.
    pub rounds: Vec<Option<Report>>,
    /// Why the first round failed that did.
    pub failure: Option<String>,
}

impl Series {
    /// The median of something over the rounds without errors; none if there is no such round. Who refuses or answers wrongly
    /// is quick.
    pub fn median(&self, figure: impl Fn(&Report) -> f64) -> Option<f64> {
        median(self.rounds.iter().flatten().filter(|report| report.errors == 0).map(figure).collect())
    }

    /// Whether it is of a comparison: those are what tables and plots of loads show.
    pub fn is_compared(&self) -> bool {
        !self.group.starts_with(overload::GROUP)
    }

    /// Failed and wrong answers of all rounds.
    pub fn errors(&self) -> u64 {
        self.rounds.iter().flatten().map(|report| report.errors).sum()
    }
}

/// A figure, beside what was asked of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Judged {
    /// The row's number.
    pub id: String,
    /// The name of its group.
    pub group: String,
    /// What is compared.
    pub what: String,
    /// With what.
    pub against: String,
    /// The unit; empty for a ratio.
    pub unit: String,
    /// On which side of floor and goal it has to be.
    pub bound: Bound,
    /// What must hold.
    pub floor: f64,
    /// What is wanted.
    pub goal: f64,
    /// The figure.
    pub figure: Option<Spread>,
    /// Why there is none, or what else is to be said.
    pub remark: String,
    /// Whether Cellgate, or whoever is measured, refused or answered wrongly in a round: the run has failed, whatever the other
    /// rounds say.
    #[serde(default)]
    pub wrong: bool,
}

/// A median and what it is the median of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
}

impl Spread {
    /// Of some numbers; none of none.
    pub fn of(numbers: Vec<f64>) -> Option<Self> {
        let low = numbers.iter().copied().reduce(f64::min)?;
        let high = numbers.iter().copied().reduce(f64::max)?;
        Some(Self { median: median(numbers)?, low, high })
    }
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The goal is reached.
    Goal,
    /// The floor holds.
    Floor,
    /// It does not.
    Missed,
    /// There is no figure.
    Unknown,
}

impl Verdict {
    /// A word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Goal => "goal",
            Self::Floor => "floor",
            Self::Missed => "MISSED",
            Self::Unknown => "failed",
        }
    }
}

impl Judged {
    /// What became of it: the median decides.
    pub fn verdict(&self) -> Verdict {
        match self.figure {
            None => Verdict::Unknown,
            Some(spread) if self.bound.holds(spread.median, self.goal) => Verdict::Goal,
            Some(spread) if self.bound.holds(spread.median, self.floor) => Verdict::Floor,
            Some(_) => Verdict::Missed,
        }
    }
}

/// Judges a row by the loads of its group: the ratio is taken within each round.
pub fn judge(row: &Row, series: &[Series]) -> Judged {
    let find = |measure: &Measure| series.iter().find(|s| s.group == row.group && s.measure == *measure);
    let mut figure = None;
    let mut remark = String::new();
    if let (Some(ours), Some(theirs)) = (find(&row.ours), find(&row.theirs)) {
        figure = ratio(ours, theirs, |report| row.quantity.of(report));
        for side in [ours, theirs] {
            let label = side.measure.subject.label();
            if let Some(failure) = &side.failure {
                remark = format!("{label}: {}", one_line(failure));
            } else if side.errors() > 0 {
                let first = side.rounds.iter().flatten().find_map(|report| report.first_error.clone());
                remark =
                    format!("{label}: {} errors, the first: {}", side.errors(), one_line(&first.unwrap_or_default()));
            }
        }
    }
    if let (Some(ours), Some(theirs)) = (find(&row.ours), find(&row.theirs))
        && remark.is_empty()
    {
        let relay = |series: &Series| series.median(|report| report.cpu_us(RELAY)).filter(|cpu| *cpu > 0.0);
        if let (Some(of_ours), Some(of_theirs)) = (relay(ours), relay(theirs))
            && let (Quantity::Throughput, Some(fair)) = (row.quantity, ratio(ours, theirs, without_relay))
        {
            remark = format!(
                "{:.2}x ({:.2} to {:.2}) without the relay, which took {of_ours:.1} against {of_theirs:.1} us per operation",
                fair.median, fair.low, fair.high
            );
        }
    }
    let what = match row.quantity {
        Quantity::Throughput => row.ours.label(),
        other => format!("{}: {}", other.label(), row.ours.label()),
    };
    let against =
        if row.ours.subject == row.theirs.subject { row.theirs.label() } else { row.theirs.subject.label().to_owned() };
    Judged {
        id: row.id.to_owned(),
        group: row.group.to_owned(),
        what: format!("{}: {what}", row.ours.subject.label()),
        against,
        unit: String::new(),
        bound: row.bound,
        floor: row.floor,
        goal: row.goal,
        figure,
        remark,
        wrong: find(&row.ours).is_some_and(|ours| ours.errors() > 0),
    }
}

/// The ratio of a figure of two loads within each round in which both had one. Who refuses or answers wrongly is quick: such
/// a round says nothing.
pub fn ratio(ours: &Series, theirs: &Series, figure: impl Fn(&Report) -> f64) -> Option<Spread> {
    let sound = |round: &Option<Report>| round.as_ref().filter(|report| report.errors == 0).map(&figure);
    let both = ours.rounds.iter().zip(&theirs.rounds).filter_map(|(ours, theirs)| sound(ours).zip(sound(theirs)));
    Spread::of(both.filter(|(ours, theirs)| *ours > 0.0 && *theirs > 0.0).map(|(ours, theirs)| ours / theirs).collect())
}

/// Operations per second if the relay's processor time were nobody's, as a network's is, and all others had it.
fn without_relay(report: &Report) -> f64 {
    let all = report.all_cpu_us() + report.loader_cpu_us;
    report.per_second * all / (all - report.cpu_us(RELAY)).max(f64::MIN_POSITIVE)
}

/// A group that has no figures because it could not be measured.
pub fn failed(group: &str, failure: &str) -> Judged {
    Judged {
        id: group.to_owned(),
        group: group.to_owned(),
        what: "all of it".to_owned(),
        against: String::new(),
        unit: String::new(),
        bound: Bound::AtLeast,
        floor: 0.0,
        goal: 0.0,
        figure: None,
        remark: one_line(failure),
        wrong: false,
    }
}

/// A load whose answers were all right; who refuses or answers wrongly is quick, so another says nothing.
///
/// # Errors
/// How many answers were not, and the first of them.
pub fn sound(report: Report) -> Result<Report, String> {
    match (report.errors, &report.first_error) {
        (0, _) => Ok(report),
        (errors, first) => {
            Err(format!("{errors} errors, the first: {}", one_line(first.as_deref().unwrap_or_default())))
        }
    }
}

/// A message as one line, shortened.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(200).collect()
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(numbers[middle]),
        _ => Some((numbers[middle - 1] + numbers[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rows;
    use crate::report::{Group, Latency};

    fn report(per_second: f64) -> Report {
        Report {
            operation: crate::workload::Operation::Get,
            mode: crate::workload::Mode::Prepared,
            connections: 64,
            rate: None,
            seconds: 1.0,
            operations: per_second as u64,
            per_second,
            errors: 0,
            first_error: None,
            latency_us: Latency::default(),
            loader_cpu_us: 1.0,
            groups: vec![Group { name: "server".to_owned(), cpu_us: 10.0, resident: 0 }],
            request_bytes: 0,
            answer_bytes: 0,
        }
    }

    #[test]
    fn the_ratio_is_taken_within_a_round_and_a_lost_round_counts_for_nothing() {
        let row = &rows::all()[0];
        let series = |measure, per_second: [Option<f64>; 3]| Series {
            group: row.group.to_owned(),
            measure,
            rounds: per_second.iter().map(|figure| figure.map(report)).collect(),
            failure: None,
        };
        let loads = [
            series(row.theirs, [Some(100.0), Some(50.0), Some(10.0)]),
            series(row.ours, [Some(200.0), Some(200.0), None]),
        ];
        let judged = judge(row, &loads);
        assert_eq!(judged.figure, Some(Spread { median: 3.0, low: 2.0, high: 4.0 }));
        assert_eq!(judged.verdict(), Verdict::Goal);
        assert_eq!(judge(row, &[]).verdict(), Verdict::Unknown);
    }

    #[test]
    fn rounds_with_wrong_answers_say_nothing() {
        let row = &rows::all()[0];
        let wrong = |per_second| Report { errors: 3, first_error: Some("1105: no".to_owned()), ..report(per_second) };
        let series = |measure, rounds: [Report; 2]| Series {
            group: row.group.to_owned(),
            measure,
            rounds: rounds.into_iter().map(Some).collect(),
            failure: None,
        };
        let theirs = series(row.theirs, [report(100.0), report(100.0)]);
        let some = judge(row, &[theirs.clone(), series(row.ours, [wrong(9000.0), report(200.0)])]);
        assert_eq!(some.figure, Some(Spread { median: 2.0, low: 2.0, high: 2.0 }));
        assert!(some.remark.contains("3 errors, the first: 1105: no") && some.wrong, "{}", some.remark);
        let broken =
            judge(row, &[series(row.theirs, [wrong(1.0), report(1.0)]), series(row.ours, [report(2.0), report(2.0)])]);
        assert!(!broken.wrong, "that the baseline answers wrongly is no failure of ours");
        assert_eq!(series(row.ours, [wrong(9000.0), report(200.0)]).median(|report| report.per_second), Some(200.0));
        let all = judge(row, &[theirs, series(row.ours, [wrong(9000.0), wrong(9000.0)])]);
        assert_eq!(all.verdict(), Verdict::Unknown);
        assert!(sound(report(1.0)).is_ok());
        assert_eq!(sound(wrong(1.0)).unwrap_err(), "3 errors, the first: 1105: no");
        assert_eq!(failed("memory", "it did not start").verdict(), Verdict::Unknown);
    }

    #[test]
    fn the_relays_processor_time_is_taken_from_neither_side() {
        let rows = rows::all();
        let row = rows.iter().find(|row| row.id == "15b-get").unwrap();
        let load = |measure, per_second, relay| {
            let mut report = report(per_second);
            report.groups.push(Group { name: RELAY.to_owned(), cpu_us: relay, resident: 0 });
            Series { group: row.group.to_owned(), measure, rounds: vec![Some(report)], failure: None }
        };
        // 11 us of loader and server each; the relay takes as much of the one side, and nothing of the other.
        let judged = judge(row, &[load(row.theirs, 100.0, 11.0), load(row.ours, 300.0, 0.001)]);
        assert_eq!(judged.figure.map(|spread| spread.median), Some(3.0));
        assert!(judged.remark.starts_with("1.50x (1.50 to 1.50) without the relay"), "{}", judged.remark);
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
    }
}
