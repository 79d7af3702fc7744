//! A load: many connections, one thread, closed or open loop.
//!
//! Closed loop: each connection asks again as soon as it has its answer. Open loop: requests are due at fixed times, and
//! a latency counts from when its request was due, so that a server that stalls is charged for all it kept waiting.
//!
//! A request belongs to the counted time if it was sent in it, in an open loop if it was due in it. Its answer is waited
//! for and counted however late it comes; an answer to a request of the warm-up is not counted however late it comes. The
//! time and the cost of a closed loop are taken when it sends its last request, those of an open loop behind the last answer.
//!
//! An acknowledged put has no body to check, so some of what was put is read when all that is over.

mod read_back;
mod tally;

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use self::tally::Tally;
use crate::poll::Poll;
use crate::processes::{self, Used, Watched};
use crate::report::{Group, Latency, Report};
use crate::session::{Answer, Protocol, Session, Target};
use crate::workload::{Mode, Operation, Workload};

/// Longest silence of all connections before a load gives up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How late a phase may end in a closed loop.
const COARSE: Duration = Duration::from_millis(20);

/// What to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where.
    pub target: Target,
    /// What is asked.
    pub operation: Operation,
    /// How.
    pub mode: Mode,
    /// Connections.
    pub connections: usize,
    /// Requests per second of an open loop; a closed loop if there is none.
    pub rate: Option<f64>,
    /// How long before counting begins.
    pub warmup: Duration,
    /// How long is counted.
    pub time: Duration,
    /// Cells that are loaded.
    pub cells: u64,
    /// What the random choices follow from.
    pub seed: u64,
    /// Whose processor time is taken.
    pub watched: Vec<Watched>,
}

/// Reads a number of seconds, up to a day.
///
/// # Errors
/// If it is none; the message says so.
pub fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "not a number of seconds from 0 to 86400".to_owned())
}

/// Reads the number of seconds that are counted, up to a day; of none at all there is no figure.
///
/// # Errors
/// If it is none; the message says so.
pub fn counted_seconds(text: &str) -> Result<f64, String> {
    let seconds = seconds(text).ok().filter(|seconds| *seconds >= 0.01);
    seconds.ok_or_else(|| "not a number of seconds from 0.01 to 86400".to_owned())
}

/// Reads a number of connections: without one nothing would ever be answered.
///
/// # Errors
/// If it is none; the message says so.
pub fn connections(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|connections| *connections > 0).ok_or_else(|| "not a number from 1".to_owned())
}

/// Reads requests per second, up to a million: the time between two has to be one that a clock can tell.
///
/// # Errors
/// If it is none; the message says so.
pub fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.001..=1e6).contains(rate));
    rate.ok_or_else(|| "not a number of requests per second from 0.001 to 1000000".to_owned())
}

/// Runs it.
///
/// # Errors
/// If a connection cannot be opened or is lost, or nothing happens for long. A failed or wrong answer is only counted.
pub fn run(plan: &Plan) -> io::Result<Report> {
    let mut workload = Workload::new(plan.operation, plan.cells, plan.seed);
    let sessions: io::Result<Vec<Session>> =
        (0..plan.connections).map(|_| Session::open(&plan.target, &workload, plan.mode)).collect();
    let sessions = sessions.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot open {} connections: {error}", plan.connections))
    })?;
    let poll = Poll::new()?;
    for (token, session) in sessions.iter().enumerate() {
        poll.add(session.stream(), token as u64)?;
    }
    let mut tally = Tally::default();
    let counted = match plan.rate {
        None => closed(plan, sessions, poll, &mut workload, &mut tally)?,
        Some(rate) => open(plan, sessions, poll, &mut workload, &mut tally, Duration::from_secs_f64(1.0 / rate))?,
    };
    if let Some(back) = workload.read_back().filter(|_| plan.target.protocol != Protocol::Echo && tally.errors == 0) {
        read_back::check(&plan.target, back, &mut tally)?;
    }
    Ok(report(plan, &tally, &counted))
}

/// What the counted time cost.
#[derive(Debug)]
struct Counted {
    time: Duration,
    own: Duration,
    used: Vec<(Used, Used)>,
}

/// The start of the counted time.
struct Start {
    at: Instant,
    own: Duration,
    used: Vec<Used>,
}

impl Start {
    fn now(plan: &Plan) -> Self {
        let used = plan.watched.iter().map(processes::used).collect();
        Self { own: processes::own_cpu(), used, at: Instant::now() }
    }

    fn end(self, plan: &Plan) -> Counted {
        let (time, own) = (self.at.elapsed(), processes::own_cpu().saturating_sub(self.own));
        let after = plan.watched.iter().map(processes::used);
        Counted { time, own, used: self.used.into_iter().zip(after).collect() }
    }
}

fn closed(
    plan: &Plan,
    mut sessions: Vec<Session>,
    mut poll: Poll,
    workload: &mut Workload,
    tally: &mut Tally,
) -> io::Result<Counted> {
    let begin = Instant::now();
    for session in &mut sessions {
        session.ask(workload, Instant::now())?;
    }
    let mut start = None;
    let mut heard = begin;
    let counted = loop {
        let now = Instant::now();
        if start.is_none() && now >= begin + plan.warmup {
            let now = Start::now(plan);
            tally.begin(now.at);
            start = Some(now);
        }
        if let Some(start) = start.take_if(|start| start.at.elapsed() >= plan.time) {
            break start.end(plan);
        }
        let ready = poll.wait(COARSE)?;
        patient(ready, &mut heard)?;
        for token in ready {
            let session = &mut sessions[*token as usize];
            if let Answer::Whole { bytes, checked } = session.hear(workload)? {
                let now = Instant::now();
                tally.answered(session.started(), now, bytes, checked);
                tally.sent(now, session.ask(workload, now)?);
            }
        }
    };
    // Each connection has one request under way, which is waited for, so that nothing slow is left out.
    let mut awaited = sessions.len();
    while awaited > 0 {
        let ready = poll.wait(COARSE)?;
        patient(ready, &mut heard)?;
        for token in ready {
            let session = &mut sessions[*token as usize];
            if let Answer::Whole { bytes, checked } = session.hear(workload)? {
                tally.answered(session.started(), Instant::now(), bytes, checked);
                awaited -= 1;
            }
        }
    }
    Ok(counted)
}

fn open(
    plan: &Plan,
    mut sessions: Vec<Session>,
    mut poll: Poll,
    workload: &mut Workload,
    tally: &mut Tally,
    pace: Duration,
) -> io::Result<Counted> {
    let begin = Instant::now();
    let (counts_from, end) = (begin + plan.warmup, begin + plan.warmup + plan.time);
    let mut idle: VecDeque<usize> = (0..sessions.len()).collect();
    let mut due = begin;
    let mut heard = begin;
    let mut start = None;
    tally.begin(counts_from);
    loop {
        let now = Instant::now();
        if start.is_none() && now >= counts_from {
            start = Some(Start::now(plan));
        }
        while due <= now && due < end {
            // All are busy: the request stays due, and its clock runs.
            let Some(token) = idle.pop_front() else { break };
            let sent = sessions[token].ask(workload, due)?;
            tally.sent(due, sent);
            due += pace;
        }
        // What was due in the counted time is waited for, so that nothing slow is left out, neither its latency nor
        // its cost.
        if due >= end
            && now >= end
            && idle.len() == sessions.len()
            && let Some(start) = start.take()
        {
            return Ok(start.end(plan));
        }
        let until = if idle.is_empty() || due >= end { now + COARSE } else { due };
        let ready = poll.wait_until(until)?;
        patient(ready, &mut heard)?;
        for token in ready {
            let token = *token as usize;
            if let Answer::Whole { bytes, checked } = sessions[token].hear(workload)? {
                tally.answered(sessions[token].started(), Instant::now(), bytes, checked);
                idle.push_back(token);
            }
        }
    }
}

/// Gives up when no connection has said anything for long.
fn patient(ready: &[u64], heard: &mut Instant) -> io::Result<()> {
    if !ready.is_empty() {
        *heard = Instant::now();
    } else if heard.elapsed() > PATIENCE {
        return Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer on any connection for {PATIENCE:?}")));
    }
    Ok(())
}

fn report(plan: &Plan, tally: &Tally, counted: &Counted) -> Report {
    let operations = tally.latencies.count();
    let per_operation = |cpu: Duration| cpu.as_secs_f64() * 1e6 / operations.max(1) as f64;
    let micros = |nanos: u64| nanos as f64 / 1e3;
    let groups = plan.watched.iter().zip(&counted.used).map(|(watched, (before, after))| Group {
        name: watched.name.clone(),
        cpu_us: per_operation(after.cpu.saturating_sub(before.cpu)),
        resident: after.resident,
    });
    Report {
        operation: plan.operation,
        mode: plan.mode,
        connections: plan.connections,
        rate: plan.rate,
        seconds: counted.time.as_secs_f64(),
        operations,
        per_second: operations as f64 / counted.time.as_secs_f64(),
        errors: tally.errors,
        first_error: tally.first_error.clone(),
        latency_us: Latency {
            mean: micros(tally.latencies.mean()),
            p50: micros(tally.latencies.quantile(0.5)),
            p90: micros(tally.latencies.quantile(0.9)),
            p99: micros(tally.latencies.quantile(0.99)),
            p999: micros(tally.latencies.quantile(0.999)),
            most: micros(tally.latencies.most()),
        },
        loader_cpu_us: per_operation(counted.own),
        groups: groups.collect(),
        request_bytes: tally.sent.checked_div(operations).unwrap_or(0),
        answer_bytes: tally.received.checked_div(operations).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn seconds_are_a_number_that_time_can_be_made_of() {
        assert_eq!([seconds("0"), seconds("2.5")], [Ok(0.0), Ok(2.5)]);
        assert!(["-1", "nan", "inf", "1e30", "soon"].into_iter().all(|text| seconds(text).is_err()));
        assert_eq!(counted_seconds("1.2"), Ok(1.2));
        assert!(["0", "1e-12", "-1", "nan", "1e30"].into_iter().all(|text| counted_seconds(text).is_err()));
        assert_eq!([rate("0.5"), rate("1e6")], [Ok(0.5), Ok(1e6)]);
        assert!(["0", "-1", "nan", "1e-300", "3e9", "inf", "fast"].into_iter().all(|text| rate(text).is_err()));
    }

    #[test]
    fn an_answer_counts_that_is_late_and_one_to_the_warm_up_does_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let plan = Plan {
            target: Target {
                protocol: Protocol::Echo,
                address: listener.local_addr().unwrap(),
                user: String::new(),
                database: String::new(),
                echo: (1, 1),
            },
            operation: Operation::Get,
            mode: Mode::Prepared,
            connections: 1,
            rate: None,
            warmup: Duration::ZERO,
            time: Duration::from_millis(500),
            cells: 100,
            seed: 1,
            watched: Vec::new(),
        };
        // The first request was sent before the counted time, the second in it; this one's answer is later than its end.
        let late = plan.time * 2;
        let server = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut request = [0];
            client.read_exact(&mut request).unwrap();
            client.write_all(b"y").unwrap();
            client.read_exact(&mut request).unwrap();
            let heard = Instant::now();
            while heard.elapsed() < late {
                thread::park_timeout(late);
            }
            client.write_all(b"y").unwrap();
            assert_eq!(client.read(&mut request).unwrap(), 0, "nothing is sent behind the end");
        });
        let report = run(&plan).unwrap();
        server.join().unwrap();
        assert_eq!((report.operations, report.errors), (1, 0));
        assert!(report.latency_us.p50 >= late.as_micros() as f64, "{report}");
        assert!(report.seconds < late.as_secs_f64(), "{report}");
    }
}
