//! More clients than saturate it, and a scan beside point reads.

use super::loader::{self, Beside, Pace};
use super::places;
use super::results::{Judged, Series, Spread, one_line, ratio};
use super::rows::{Bound, Measure};
use super::stage::Stage;
use super::subject::Subject;
use crate::report::Report;
use crate::workload::{Mode, Operation};

/// Connections that may saturate it; four times the best of them is overload.
const STEPS: [usize; 3] = [64, 128, 256];
/// How many times as many connections are overload.
const OVER: usize = 4;
/// Reads per second beside the scan: about what leaves both room on two cores.
const BESIDE: u32 = 3_000;
/// The deadline of a request that waits: `timeouts.queue`, in milliseconds.
const DEADLINE_MS: f64 = 5_000.0;
/// The group of the rows. Those of the loads begin with it.
pub const GROUP: &str = "overload";

/// Measures it: rows, and the loads they are of.
///
/// # Panics
/// If the servers do not start.
pub fn judge(stage: &mut Stage, pace: Pace, rounds: usize, seed: &mut u64) -> (Vec<Judged>, Vec<Series>) {
    let (mut judged, mut series) = overload(stage, pace, rounds, seed);
    let (beside, loads) = scan(stage, pace, rounds, seed);
    judged.push(beside);
    series.extend(loads);
    (judged, series)
}

fn get(connections: usize, rate: Option<u32>) -> Measure {
    Measure { subject: Subject::Cellgate, operation: Operation::Get, mode: Mode::Prepared, connections, rate }
}

/// No rounds yet of a load.
fn series(group: &str, measure: Measure) -> Series {
    Series { group: group.to_owned(), measure, rounds: Vec::new(), failure: None }
}

/// What a round found.
fn push(series: &mut Series, outcome: Result<Report, String>) {
    if let Err(failure) = &outcome {
        series.failure.get_or_insert_with(|| failure.clone());
    }
    series.rounds.push(outcome.ok());
}

/// Why rows of these loads have no figure, or not of every round.
fn remark(series: &[&Series]) -> String {
    let failed = series.iter().find_map(|one| one.failure.as_deref());
    let wrong = series.iter().flat_map(|one| one.rounds.iter().flatten()).find_map(|one| one.first_error.as_deref());
    one_line(failed.or(wrong).unwrap_or_default())
}

/// Whether one of them was answered wrongly.
fn wrong(series: &[&Series]) -> bool {
    series.iter().any(|one| one.errors() > 0)
}

/// The connections with which most is done, by the median over the rounds.
fn best(steps: &[Series]) -> usize {
    let most = |one: &Series| one.median(|report| report.per_second).unwrap_or(0.0);
    let best = steps.iter().max_by(|one, other| most(one).total_cmp(&most(other)));
    best.map_or(STEPS[0], |one| one.measure.connections)
}

fn overload(stage: &mut Stage, pace: Pace, rounds: usize, seed: &mut u64) -> (Vec<Judged>, Vec<Series>) {
    let endpoint = stage.endpoint(Subject::Cellgate);
    // Which of the steps is the best is only known behind them all, so what is overload for each runs with it.
    let mut connections: Vec<usize> = STEPS.into_iter().chain(STEPS.map(|step| OVER * step)).collect();
    connections.sort_unstable();
    connections.dedup();
    let mut loads: Vec<Series> = connections.iter().map(|n| series(GROUP, get(*n, None))).collect();
    // Growth is between rounds, so one is not enough.
    for round in 1..=rounds.max(2) {
        for place in places(loads.len(), round) {
            *seed += 1;
            let load = &mut loads[place];
            let outcome = loader::run(&endpoint, &load.measure, pace, stage.cells(), *seed);
            push(load, outcome);
        }
    }
    let of = |connections| loads.iter().find(|load| load.measure.connections == connections);
    let steps: Vec<Series> = STEPS.into_iter().filter_map(of).cloned().collect();
    let best = best(&steps);
    let (mut ratios, mut tails, mut growth) = (None, None, None);
    if let (Some(saturated), Some(over)) = (of(best), of(OVER * best)) {
        ratios = ratio(over, saturated, |report| report.per_second);
        let sound: Vec<&Report> = over.rounds.iter().flatten().filter(|report| report.errors == 0).collect();
        tails = Spread::of(sound.iter().map(|report| report.latency_us.p99 / 1e3).collect());
        // Memory is flat if a round leaves no more of it in use than the round before.
        growth = Spread::of(sound.windows(2).map(|pair| memory(pair[1]) / memory(pair[0])).collect());
    }
    let all: Vec<&Series> = loads.iter().collect();
    let row = |id: &str, what: String, unit: &str, bound, floor, goal, figure| Judged {
        id: id.to_owned(),
        group: GROUP.to_owned(),
        what,
        against: format!("get, {best} conn."),
        unit: unit.to_owned(),
        bound,
        floor,
        goal,
        figure,
        remark: remark(&all),
        wrong: wrong(&all),
    };
    let over = OVER * best;
    let judged = vec![
        row("o1", format!("overload: get, {over} conn."), "", Bound::AtLeast, 0.9, 1.0, ratios),
        row("o2", format!("overload: p99, {over} conn."), "ms", Bound::AtMost, DEADLINE_MS, 250.0, tails),
        row("o3", "overload: memory of the proxy, round to round".to_owned(), "x", Bound::AtMost, 1.1, 1.02, growth),
    ];
    (judged, loads)
}

fn memory(report: &Report) -> f64 {
    report.groups.iter().filter(|group| group.name == "proxy").map(|group| group.resident as f64).sum()
}

fn scan(stage: &mut Stage, pace: Pace, rounds: usize, seed: &mut u64) -> (Judged, Vec<Series>) {
    let endpoint = stage.endpoint(Subject::Cellgate);
    let cells = stage.cells();
    let scan = Measure { operation: Operation::Scan, ..get(1, None) };
    let reads = get(64, Some(BESIDE));
    let pace = pace.of(&reads);
    let mut alone = series(&format!("{GROUP}: alone"), reads);
    let mut beside = series(&format!("{GROUP}: beside a scan"), reads);
    let mut scans = series(&format!("{GROUP}: the scan"), scan);
    for round in 1..=rounds {
        for place in places(2, round) {
            // No two loads ask for the same keys: the second one would find them in caches of the server.
            *seed += 2;
            if place == 0 {
                push(&mut alone, loader::run(&endpoint, &reads, pace, cells, *seed));
                continue;
            }
            // It begins to be counted about when the reads do, and ends behind them.
            let longer = Pace { warmup: pace.warmup, time: pace.time + 2 * pace.warmup };
            match Beside::start(&endpoint, &scan, longer, cells, *seed + 1) {
                Ok(scan) => {
                    push(&mut beside, loader::run(&endpoint, &reads, pace, cells, *seed));
                    push(&mut scans, scan.finish());
                }
                Err(failure) => {
                    push(&mut beside, Err(failure.clone()));
                    push(&mut scans, Err(failure));
                }
            }
        }
    }
    let all = [&alone, &beside, &scans];
    let rows = scans.median(|report| report.per_second * crate::workload::SCAN_ROWS.min(cells) as f64);
    let remark = match (remark(&all), rows) {
        (failure, Some(rows)) if failure.is_empty() => format!("the scan read {rows:.0} cells/s"),
        (failure, _) => failure,
    };
    let judged = Judged {
        id: "o4".to_owned(),
        group: GROUP.to_owned(),
        what: format!("p99 of gets beside a scan, {BESIDE}/s over 64 conn."),
        against: "the same alone".to_owned(),
        unit: String::new(),
        bound: Bound::AtMost,
        floor: 1.5,
        goal: 1.2,
        // Reads beside a scan that failed are reads alone.
        figure: ratio(&beside, &alone, |report| report.latency_us.p99).filter(|_| rows.is_some()),
        remark,
        wrong: wrong(&all),
    };
    (judged, vec![alone, beside, scans])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Latency;

    fn report(per_second: f64, errors: u64) -> Report {
        Report {
            operation: Operation::Get,
            mode: Mode::Prepared,
            connections: 64,
            rate: None,
            seconds: 1.0,
            operations: per_second as u64,
            per_second,
            errors,
            first_error: (errors > 0).then(|| "3168: too many".to_owned()),
            latency_us: Latency::default(),
            loader_cpu_us: 1.0,
            groups: Vec::new(),
            request_bytes: 0,
            answer_bytes: 0,
        }
    }

    #[test]
    fn the_best_is_what_most_rounds_say_and_not_the_luckiest_one() {
        let load = |connections, per_second: [f64; 3]| {
            let mut load = series(GROUP, get(connections, None));
            per_second.into_iter().for_each(|figure| push(&mut load, Ok(report(figure, 0))));
            load
        };
        let steps = [load(64, [90.0, 10.0, 10.0]), load(128, [20.0, 21.0, 19.0]), load(256, [11.0, 12.0, 30.0])];
        assert_eq!(best(&steps), 128);
        assert_eq!(best(&[series(GROUP, get(128, None))]), 128, "of one that has no figure");
        assert_eq!(best(&[]), STEPS[0]);
    }

    #[test]
    fn failed_and_wrong_rounds_are_in_the_remark() {
        let mut load = series(GROUP, get(64, None));
        push(&mut load, Ok(report(1.0, 2)));
        assert_eq!((remark(&[&load]).as_str(), wrong(&[&load])), ("3168: too many", true));
        push(&mut load, Err("it did not start".to_owned()));
        assert_eq!((remark(&[&load]).as_str(), load.rounds.len()), ("it did not start", 2));
    }
}
