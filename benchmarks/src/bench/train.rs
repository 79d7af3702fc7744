//! Short loads of every kind on a program that counts what it does. What it has counted says the next build of it where its
//! time goes (`cargo xtask dist`).

use std::io;
use std::time::Duration;

use super::attempt;
use super::interrupt::clean_up_on_signals;
use super::loader::{self, Pace};
use super::results::sound;
use super::rows::Measure;
use super::stage::Stage;
use super::subject::Subject;
use crate::fill;
use crate::workload::{Mode, Operation};

/// Cells loaded everywhere.
const CELLS: u64 = 20_000;
/// A load counts for as long as it takes to see everything often.
const PACE: Pace = Pace { warmup: Duration::from_millis(100), time: Duration::from_millis(900) };
/// What programs are in front of.
const SUBJECTS: [Subject; 4] =
    [Subject::Embedded, Subject::Cellgate, Subject::CellgateCached, Subject::CellgatePostgres];
/// What is asked, how, and by how many.
const LOADS: [(Operation, Mode, usize); 9] = [
    (Operation::Get, Mode::Prepared, 64),
    (Operation::Get, Mode::Text, 64),
    (Operation::Get, Mode::Prepared, 4),
    (Operation::Latest, Mode::Prepared, 64),
    (Operation::Latest, Mode::Text, 16),
    (Operation::Put, Mode::Prepared, 64),
    (Operation::Put, Mode::Text, 16),
    (Operation::In100, Mode::Prepared, 8),
    (Operation::Scan, Mode::Prepared, 2),
];

/// Runs the loads. A subject that cannot be run, for want of its server, or that answers wrongly is left out, with a remark
/// on stderr and its name in a line of stdout.
///
/// # Errors
/// If nothing could be run.
pub fn run() -> io::Result<()> {
    let mut stage = Stage::new(CELLS);
    let interrupted = clean_up_on_signals(stage.directory().to_owned());
    let mut seed = 0;
    let mut trained = 0;
    for subject in SUBJECTS {
        let outcome = attempt(&interrupted, || {
            let endpoint = stage.endpoint(subject);
            if subject == Subject::CellgateCached {
                fill::read_all(&endpoint.target, CELLS).unwrap_or_else(|error| panic!("reading all cells: {error}"));
            }
            for (operation, mode, connections) in LOADS {
                seed += 1;
                let measure = Measure { subject, operation, mode, connections, rate: None };
                let report = loader::run(&endpoint, &measure, PACE, CELLS, seed);
                report.and_then(sound).unwrap_or_else(|error| panic!("{}: {error}", measure.label()));
            }
        });
        match outcome {
            Ok(()) => trained += 1,
            Err(why) => {
                eprintln!("  without {}: {why}", subject.label());
                println!("{}", subject.label());
            }
        }
    }
    stage.stop_proxies();
    if trained == 0 { Err(io::Error::other("no load could be run")) } else { Ok(()) }
}
