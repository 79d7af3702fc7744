//! The whole comparison: `cargo xtask bench`.
//!
//! Loads of one group are interleaved round by round, so that what the machine does besides hits all of them; ratios are
//! taken within a round, and the median over the rounds counts. Whatever fails is a remark in its row and costs no other
//! row. Everything started ends with this process, however that ends.

mod interrupt;
mod loader;
mod machine;
mod memory;
mod overload;
mod page;
mod plot;
mod profile;
mod results;
mod rows;
mod servers;
mod stage;
mod subject;
mod train;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use interrupt::Interrupted;
use loader::Pace;
use results::{Judged, Results, Series, Setting, Verdict};
use rows::Row;
use stage::Stage;
use subject::Subject;
pub use train::run as train;

use crate::cells::CELLS;
use crate::load;
use crate::workload::{self, Mode, Operation};

/// What is run.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// Groups or rows; all of them without a name.
    names: Vec<String>,
    /// Two short rounds over fewer cells: whether it works, not what it is.
    #[arg(long)]
    quick: bool,
    /// Rounds.
    #[arg(long)]
    rounds: Option<usize>,
    /// Counted seconds of each load.
    #[arg(long, value_parser = load::counted_seconds)]
    seconds: Option<f64>,
    /// Cells loaded everywhere.
    #[arg(long, value_parser = clap::value_parser!(u64).range(workload::LEAST_CELLS..))]
    cells: Option<u64>,
    /// Write results and page also when the run was quick, not of everything, or left a row without a figure.
    #[arg(long)]
    write: bool,
    /// The workspace: where docs/PERFORMANCE.md and benchmarks/results are.
    #[arg(long, default_value = ".")]
    root: PathBuf,
    /// Only say whether all of this is understood: `cargo xtask bench` asks before it installs and builds anything.
    #[arg(long, hide = true)]
    only_check: bool,
}

/// How much is run.
struct Extent {
    rounds: usize,
    pace: Pace,
    cells: u64,
}

/// Rounds of a run that is not quick, if nobody says how many.
const ROUNDS: usize = 5;
/// Counted seconds of its loads.
const SECONDS: f64 = 3.0;

/// The command that measures everything to the extent of a setting: options stand for what is not the default.
fn command(setting: &Setting) -> String {
    let mut command = "cargo xtask bench".to_owned();
    if setting.rounds != ROUNDS {
        command += &format!(" --rounds {}", setting.rounds);
    }
    if setting.seconds != SECONDS {
        command += &format!(" --seconds {}", setting.seconds);
    }
    if setting.cells != CELLS {
        command += &format!(" --cells {}", setting.cells);
    }
    command
}

impl Options {
    fn extent(&self) -> Extent {
        let (rounds, warmup, seconds, cells) =
            if self.quick { (2, 0.3, 0.8, 20_000) } else { (ROUNDS, 0.7, SECONDS, CELLS) };
        Extent {
            rounds: self.rounds.unwrap_or(rounds).max(1),
            pace: Pace {
                warmup: Duration::from_secs_f64(warmup),
                time: Duration::from_secs_f64(self.seconds.unwrap_or(seconds)),
            },
            cells: self.cells.unwrap_or(cells),
        }
    }

    fn wants(&self, group: &str, id: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|name| name == group || name == id)
    }

    /// Whether results and page are written: a full run without a figure must not replace one that has them all.
    fn writes(&self, ended: Ended) -> bool {
        self.write || (self.names.is_empty() && !self.quick && ended.failed == 0)
    }
}

/// Groups that are no comparison of two loads.
const OTHER_GROUPS: &[&str] = &["memory", overload::GROUP, "profile"];

/// What became of a run's rows that did not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Rows whose floor was missed: a result like any other.
    pub missed: usize,
    /// Rows that have no figure, because something failed, or in which Cellgate refused or answered wrongly in a round.
    pub failed: usize,
}

impl Ended {
    fn of(judged: &[Judged]) -> Self {
        let failed = |row: &&Judged| row.wrong || row.verdict() == Verdict::Unknown;
        let missed = |row: &&Judged| !row.wrong && row.verdict() == Verdict::Missed;
        Self { missed: judged.iter().filter(missed).count(), failed: judged.iter().filter(failed).count() }
    }
}

/// Runs what was asked for; answers how many rows did not hold. If one has no figure, results and page stay as they were,
/// unless they are to be written all the same.
///
/// # Errors
/// A name that is none, or files that cannot be written. A row that fails is in the results.
pub fn run(options: &Options) -> std::io::Result<Ended> {
    let rows: Vec<Row> = rows::all();
    check_names(&options.names, &rows)?;
    if options.only_check {
        return Ok(Ended::default());
    }
    let extent = options.extent();
    let begin = Instant::now();
    let mut stage = Stage::new(extent.cells);
    let interrupted = interrupt::clean_up_on_signals(stage.directory().to_owned());
    // One line per failure is in the table; the hook's backtraces would tear it apart.
    std::panic::set_hook(Box::new(|_| {}));
    let mut setting = machine::setting(stage.directory());
    (setting.cells, setting.rounds, setting.seconds) = (extent.cells, extent.rounds, extent.pace.time.as_secs_f64());
    let mut results = Results { setting, series: Vec::new(), judged: Vec::new(), shares: Vec::new() };
    let mut seed = 1;
    let mut sampled = None;
    for group in rows::groups(&rows) {
        let chosen: Vec<&Row> = rows.iter().filter(|row| row.group == group && options.wants(group, row.id)).collect();
        if chosen.is_empty() {
            continue;
        }
        eprintln!("== {group} ({:.0} s)", begin.elapsed().as_secs_f64());
        let series = run_group(&mut stage, group, &chosen, &extent, &mut seed, &interrupted);
        for row in chosen {
            let judged = results::judge(row, &series);
            eprintln!("  {}", page::line(&judged));
            results.judged.push(judged);
        }
        results.series.extend(series);
    }
    for group in OTHER_GROUPS.iter().filter(|group| options.wants(group, group)) {
        eprintln!("== {group} ({:.0} s)", begin.elapsed().as_secs_f64());
        let judged = attempt(&interrupted, || match *group {
            "memory" => memory::judge(&stage),
            overload::GROUP => {
                let (judged, series) = overload::judge(&mut stage, extent.pace, extent.rounds.min(3), &mut seed);
                results.series.extend(series);
                judged
            }
            _ => {
                sampled = Some(profile::run(&mut stage, seed + 1).unwrap_or_else(|failure| panic!("{failure}")));
                Vec::new()
            }
        });
        match judged {
            Ok(judged) => {
                judged.iter().for_each(|judged| eprintln!("  {}", page::line(judged)));
                results.judged.extend(judged);
            }
            Err(failure) => {
                let judged = results::failed(group, &failure);
                eprintln!("  {}", page::line(&judged));
                results.judged.push(judged);
            }
        }
    }
    drop(stage);
    if let Some(profile) = &sampled {
        results.shares.clone_from(&profile.shares);
        println!("{}", page::shares(&results.shares));
    }
    println!("{}", page::table(&results.judged));
    println!("{}", page::figures(&results.series));
    eprintln!("== done in {:.0} s", begin.elapsed().as_secs_f64());
    let ended = Ended::of(&results.judged);
    if options.writes(ended) {
        if let Some(profile) = &sampled {
            profile::write(&options.root, profile)?;
        }
        write(&options.root, &results)?;
    }
    Ok(ended)
}

/// Writes the page and the plots again from the results that are there; comparisons are judged anew by their loads.
///
/// # Errors
/// If they cannot be read or the page cannot be written.
pub fn render(root: &Path) -> std::io::Result<()> {
    let text = std::fs::read_to_string(root.join(RESULTS))?;
    let mut results: Results = serde_json::from_str(&text)?;
    let rows = rows::all();
    for judged in &mut results.judged {
        if let Some(row) = rows.iter().find(|row| row.id == judged.id) {
            *judged = results::judge(row, &results.series);
        }
    }
    page::write(root, &results)
}

/// Where the last full run is kept.
const RESULTS: &str = "benchmarks/results/latest.json";

fn write(root: &Path, results: &Results) -> std::io::Result<()> {
    let file = root.join(RESULTS);
    if let Some(directory) = file.parent() {
        std::fs::create_dir_all(directory)?;
    }
    std::fs::write(&file, serde_json::to_string_pretty(results)? + "\n")?;
    page::write(root, results)
}

fn check_names(names: &[String], rows: &[Row]) -> std::io::Result<()> {
    let known: Vec<&str> =
        rows.iter().flat_map(|row| [row.group, row.id]).chain(OTHER_GROUPS.iter().copied()).collect();
    match names.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => {
            let groups = [rows::groups(rows), OTHER_GROUPS.to_vec()].concat().join(", ");
            Err(std::io::Error::other(format!("no row is called `{name}`; groups: {groups}; or a row's number")))
        }
    }
}

fn run_group(
    stage: &mut Stage,
    group: &str,
    rows: &[&Row],
    extent: &Extent,
    seed: &mut u64,
    interrupted: &Interrupted,
) -> Vec<Series> {
    let measures = rows::measures(rows.iter().copied());
    let mut series: Vec<Series> = measures
        .into_iter()
        .map(|measure| Series { group: group.to_owned(), measure, rounds: Vec::new(), failure: None })
        .collect();
    // Whoever cannot be started is not tried again in every round.
    let mut absent = HashSet::new();
    for round in 1..=extent.rounds {
        // What a load leaves to be done by the server it shares with others hits another one in every second round.
        for place in places(series.len(), round) {
            let series = &mut series[place];
            let measure = series.measure;
            let outcome = if absent.contains(&measure.subject) {
                Err(series.failure.clone().unwrap_or_else(|| "did not start".to_owned()))
            } else {
                attempt(interrupted, || ready(stage, measure.subject))
                    .inspect_err(|_| {
                        absent.insert(measure.subject);
                    })
                    .and_then(|endpoint| {
                        *seed += 1;
                        loader::run(&endpoint, &measure, extent.pace.of(&measure), extent.cells, *seed)
                    })
            };
            match &outcome {
                Ok(report) => eprintln!("  {round} {:<28} {:<22} {report}", measure.subject.label(), measure.label()),
                Err(failure) => {
                    let line = results::one_line(failure);
                    eprintln!("  {round} {:<28} {:<22} failed: {line}", measure.subject.label(), measure.label());
                    series.failure.get_or_insert_with(|| failure.clone());
                }
            }
            if let Ok(report) = &outcome
                && measure.subject == Subject::Cellgate
                && (measure.operation, measure.mode) == (Operation::Get, Mode::Prepared)
            {
                stage.learn_sizes(report.request_bytes, report.answer_bytes);
            }
            series.rounds.push(outcome.ok());
        }
    }
    series
}

/// In which order the loads of a round are run: forwards, and backwards in every second round.
fn places(loads: usize, round: usize) -> Vec<usize> {
    if round.is_multiple_of(2) { (0..loads).rev().collect() } else { (0..loads).collect() }
}

/// A subject that is started and, if it has a cache, warm.
fn ready(stage: &mut Stage, subject: Subject) -> stage::Endpoint {
    let endpoint = stage.endpoint(subject);
    if subject == Subject::CellgateCached && stage.first_use(subject) {
        crate::fill::read_all(&endpoint.target, stage.cells()).unwrap_or_else(|error| panic!("warming up: {error}"));
    }
    endpoint
}

/// What a step answers, or what it panicked with.
fn attempt<T>(interrupted: &Interrupted, step: impl FnOnce() -> T) -> Result<T, String> {
    interrupted.stop_here();
    let outcome = catch_unwind(AssertUnwindSafe(step));
    interrupted.stop_here();
    outcome.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic without a message").to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_comes_behind_the_same_load_in_every_round() {
        assert_eq!((places(3, 1), places(3, 2)), (vec![0, 1, 2], vec![2, 1, 0]));
    }

    #[test]
    fn a_row_without_a_figure_is_no_missed_floor_and_keeps_the_page_as_it_was() {
        let failed = results::failed("memory", "it did not start");
        let figure = |median| Some(results::Spread { median, low: median, high: median });
        let missed = Judged { floor: 1.0, goal: 2.0, figure: figure(0.5), ..failed.clone() };
        let held = Judged { figure: figure(3.0), ..missed.clone() };
        assert_eq!(Ended::of(&[held.clone(), missed.clone(), missed.clone()]), Ended { missed: 2, failed: 0 });
        assert_eq!(Ended::of(&[Judged { wrong: true, ..held.clone() }]), Ended { missed: 0, failed: 1 });
        let ended = Ended::of(&[held, missed, failed]);
        assert_eq!(ended, Ended { missed: 1, failed: 1 });
        let full = Options::default();
        assert!(full.writes(Ended { missed: 1, failed: 0 }) && !full.writes(ended));
        assert!(Options { write: true, ..full.clone() }.writes(ended));
        assert!(!Options { quick: true, ..full }.writes(Ended::default()));
    }

    #[test]
    fn the_page_names_the_command_that_measures_so() {
        let full = Setting { rounds: ROUNDS, seconds: SECONDS, cells: CELLS, ..Setting::default() };
        assert_eq!(command(&full), "cargo xtask bench");
        let short = Setting { seconds: 1.2, cells: 1000, ..full };
        assert_eq!(command(&short), "cargo xtask bench --seconds 1.2 --cells 1000");
    }

    #[test]
    fn a_name_that_is_none_is_told_without_running_anything() {
        let check = |name: &str| run(&Options { names: vec![name.to_owned()], only_check: true, ..Options::default() });
        assert_eq!(check("get").unwrap(), Ended::default());
        assert!(check("gett").unwrap_err().to_string().contains("no row is called `gett`"));
    }
}
