//! More clients than saturate it, and a scan beside point reads.

use super::loader::{self, Beside, Pace};
use super::results::{Judged, Spread, sound};
use super::rows::{Bound, Measure};
use super::stage::Stage;
use super::subject::Subject;
use crate::report::Report;
use crate::workload::{Mode, Operation};

/// Connections that may saturate it; four times the best of them is overload.
const STEPS: &[usize] = &[64, 128, 256];
/// Reads per second beside the scan: about what leaves both room on two cores.
const BESIDE: u32 = 3_000;
/// The deadline of a request that waits: `timeouts.queue`, in milliseconds.
const DEADLINE_MS: f64 = 5_000.0;

/// Measures it.
///
/// # Panics
/// If the servers do not start.
pub fn judge(stage: &mut Stage, pace: Pace, rounds: usize, seed: &mut u64) -> Vec<Judged> {
    let mut judged = overload(stage, pace, rounds, seed);
    judged.push(scan(stage, pace, rounds, seed));
    judged
}

fn get(connections: usize, rate: Option<u32>) -> Measure {
    Measure { subject: Subject::Cellgate, operation: Operation::Get, mode: Mode::Prepared, connections, rate }
}

fn overload(stage: &mut Stage, pace: Pace, rounds: usize, seed: &mut u64) -> Vec<Judged> {
    let endpoint = stage.endpoint(Subject::Cellgate);
    let mut run = |connections| {
        *seed += 1;
        loader::run(&endpoint, &get(connections, None), pace, stage.cells(), *seed).and_then(sound)
    };
    let mut best: Option<(usize, f64)> = None;
    let mut failure = String::new();
    for connections in STEPS {
        match run(*connections) {
            Ok(report) if best.is_none_or(|(_, most)| report.per_second > most) => {
                best = Some((*connections, report.per_second));
            }
            Ok(_) => {}
            Err(error) => failure = error,
        }
    }
    let (mut ratios, mut tails, mut growth) = (Vec::new(), Vec::new(), Vec::new());
    let best = best.map_or(STEPS[0], |(connections, _)| connections);
    let mut resident = None;
    // Growth is between rounds, so one is not enough.
    for _ in 0..rounds.max(2) {
        match (run(best), run(4 * best)) {
            (Ok(saturated), Ok(over)) => {
                ratios.push(over.per_second / saturated.per_second);
                tails.push(over.latency_us.p99 / 1e3);
                let now = memory(&over);
                // Memory is flat if a round leaves no more of it in use than the round before.
                if let Some(before) = resident.replace(now) {
                    growth.push(now / before);
                }
            }
            (Err(error), _) | (_, Err(error)) => failure = error,
        }
    }
    let row = |id: &str, what: String, unit: &str, bound, floor, goal, figures| Judged {
        id: id.to_owned(),
        group: "overload".to_owned(),
        what,
        against: format!("get, {best} conn."),
        unit: unit.to_owned(),
        bound,
        floor,
        goal,
        figure: Spread::of(figures),
        remark: failure.clone(),
    };
    let over = 4 * best;
    vec![
        row("o1", format!("overload: get, {over} conn."), "", Bound::AtLeast, 0.9, 1.0, ratios),
        row("o2", format!("overload: p99, {over} conn."), "ms", Bound::AtMost, DEADLINE_MS, 250.0, tails),
        row("o3", "overload: memory of the proxy, round to round".to_owned(), "x", Bound::AtMost, 1.1, 1.02, growth),
    ]
}

fn memory(report: &Report) -> f64 {
    report.groups.iter().filter(|group| group.name == "proxy").map(|group| group.resident as f64).sum()
}

fn scan(stage: &mut Stage, pace: Pace, rounds: usize, seed: &mut u64) -> Judged {
    let endpoint = stage.endpoint(Subject::Cellgate);
    let cells = stage.cells();
    let scan = Measure { operation: Operation::Scan, ..get(1, None) };
    let reads = get(64, Some(BESIDE));
    let pace = pace.of(&reads);
    let (mut ratios, mut remark) = (Vec::new(), String::new());
    for _ in 0..rounds {
        *seed += 2;
        let alone = loader::run(&endpoint, &reads, pace, cells, *seed).and_then(sound);
        // It begins to be counted about when the reads do, and ends behind them.
        let longer = Pace { warmup: pace.warmup, time: pace.time + 2 * pace.warmup };
        let both = Beside::start(&endpoint, &scan, longer, cells, *seed + 1).and_then(|scan| {
            let reads = loader::run(&endpoint, &reads, pace, cells, *seed).and_then(sound);
            scan.finish().and_then(sound).and_then(|scan| reads.map(|reads| (reads, scan)))
        });
        match (alone, both) {
            (Ok(alone), Ok((reads, scan))) => {
                ratios.push(reads.latency_us.p99 / alone.latency_us.p99);
                let rows = scan.per_second * crate::workload::SCAN_ROWS.min(cells) as f64;
                remark = format!("the scan read {rows:.0} cells/s");
            }
            (Err(error), _) | (_, Err(error)) => remark = error,
        }
    }
    Judged {
        id: "o4".to_owned(),
        group: "overload".to_owned(),
        what: format!("p99 of gets beside a scan, {BESIDE}/s over 64 conn."),
        against: "the same alone".to_owned(),
        unit: String::new(),
        bound: Bound::AtMost,
        floor: 1.5,
        goal: 1.2,
        figure: Spread::of(ratios),
        remark,
    }
}
