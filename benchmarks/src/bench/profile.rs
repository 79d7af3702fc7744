//! Where a proxy's time goes: `perf` samples its stacks under load, and a flame graph and a table of shares are made of them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cellgate_integration_tests::process;

use super::loader::{Beside, Pace};
use super::results::sound;
use super::rows::Measure;
use super::stage::Stage;
use super::subject::Subject;
use crate::workload::{Mode, Operation};

/// Samples per second of each thread that runs: no divisor of anything periodic.
const RATE: u32 = 499;
/// Frames narrower than this share of all samples are left out of the graph.
const NARROWEST: f64 = 0.004;
const WIDTH: f64 = 1200.0;
const ROW: f64 = 16.0;

/// What was sampled.
#[derive(Debug)]
pub struct Profile {
    /// Share of each kind of work, most first.
    pub shares: Vec<(String, f64)>,
    /// The flame graph.
    pub svg: String,
}

/// Samples the proxy over the first MariaDB server under gets of 64 connections.
///
/// # Errors
/// If `perf` is not there, or may not sample.
pub fn run(stage: &mut Stage, seed: u64) -> Result<Profile, String> {
    let endpoint = stage.endpoint(Subject::Cellgate);
    let get = Measure {
        subject: Subject::Cellgate,
        operation: Operation::Get,
        mode: Mode::Prepared,
        connections: 64,
        rate: None,
    };
    let proxy = endpoint.watched.iter().find(|watched| watched.name == "proxy").and_then(|w| w.processes.first());
    let proxy = proxy.ok_or("no proxy to sample")?;
    let pace = Pace { warmup: Duration::from_secs(1), time: Duration::from_secs(4) };
    let load = Beside::start(&endpoint, &get, pace, stage.cells(), seed)?;
    let data = stage.directory().join("perf.data");
    let record = process::try_output(
        Command::new("perf")
            .args(["record", "--quiet", "--event", "cpu-clock", "--call-graph", "dwarf,8192"])
            .args(["--freq", &RATE.to_string(), "--pid", &proxy.to_string(), "--output"])
            .arg(&data)
            .args(["--", "sleep", "3"]),
    );
    load.finish().and_then(sound)?;
    record?;
    let script = Command::new("perf")
        .args(["script", "--no-inline", "--fields", "comm,ip,sym", "--input"])
        .arg(&data)
        .output()
        .map_err(|error| error.to_string())?;
    let stacks = stacks(&String::from_utf8_lossy(&script.stdout));
    if stacks.is_empty() || !script.status.success() {
        return Err(format!(
            "perf took no samples, or cannot print them: {}",
            String::from_utf8_lossy(&script.stderr).trim()
        ));
    }
    Ok(Profile { shares: shares(&stacks), svg: flame_graph(&stacks) })
}

/// Writes the flame graph where the page shows it.
///
/// # Errors
/// What the file system says.
pub fn write(root: &Path, profile: &Profile) -> std::io::Result<()> {
    let directory = root.join("docs/performance");
    std::fs::create_dir_all(&directory)?;
    std::fs::write(directory.join("flame.svg"), &profile.svg)
}

/// A function, and whether it is the kernel's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Frame {
    kernel: bool,
    name: String,
}

/// The stacks in what `perf script` printed, outermost frame first.
fn stacks(text: &str) -> Vec<Vec<Frame>> {
    let mut all = Vec::new();
    for sample in text.split("\n\n") {
        let frames = sample.lines().filter(|line| line.starts_with(['\t', ' '])).filter_map(|line| {
            let (address, name) = line.trim().split_once(' ')?;
            Some(Frame { kernel: address.len() == 16 && address.starts_with("ffff"), name: plain(name) })
        });
        let mut frames: Vec<Frame> = frames.collect();
        frames.reverse();
        if !frames.is_empty() {
            all.push(frames);
        }
    }
    all
}

/// A name without the hash at its end and without type arguments.
fn plain(name: &str) -> String {
    let name = match name.rsplit_once("::h") {
        Some((head, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => head,
        _ => name,
    };
    let mut depth = 0_usize;
    let mut text = String::new();
    for letter in name.chars() {
        match letter {
            // `<T as Trait>::f` begins with what would be left out.
            '<' if !text.is_empty() || depth > 0 => depth += 1,
            '>' if depth > 0 => depth -= 1,
            _ if depth == 0 => text.push(letter),
            _ => {}
        }
    }
    text.replace("{{closure}}", "{}")
}

/// The share of each kind of work.
fn shares(stacks: &[Vec<Frame>]) -> Vec<(String, f64)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for stack in stacks {
        *counts.entry(kind(stack)).or_default() += 1;
    }
    let mut shares: Vec<(String, f64)> =
        counts.into_iter().map(|(kind, count)| (kind, count as f64 / stacks.len() as f64)).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}

/// What a sample was doing.
fn kind(stack: &[Frame]) -> String {
    let Some(leaf) = stack.last() else { return "unknown".to_owned() };
    let has = |part: &str| stack.iter().any(|frame| frame.kernel && frame.name.contains(part));
    if leaf.kernel {
        return if has("sendmsg") || has("sendto") || has("ksys_write") || has("writev") {
            "kernel: sending"
        } else if has("recvmsg") || has("recvfrom") || has("ksys_read") || has("readv") {
            "kernel: receiving"
        } else if has("epoll") {
            "kernel: waiting for sockets"
        } else if has("futex") {
            "kernel: waking threads"
        } else {
            "kernel: other"
        }
        .to_owned();
    }
    if ["mi_", "_mi_", "malloc", "free"].iter().any(|name| leaf.name.starts_with(name)) {
        return "allocating".to_owned();
    }
    // The innermost frame of ours says whose work it is, whatever it called.
    let ours = stack.iter().rev().find_map(|frame| {
        let at = frame.name.find("cellgate_")?;
        let mut parts = frame.name[at..]
            .split("::")
            .map(|part| part.trim_matches(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').to_owned());
        let (package, module) = (parts.next()?, parts.next()?);
        Some(format!("{}::{}", package.split(' ').next()?, module.split(' ').next()?))
    });
    ours.unwrap_or_else(|| leaf.name.trim_start_matches('<').split("::").next().unwrap_or("unknown").to_owned())
}

/// A function with what it called.
#[derive(Debug, Default)]
struct Node {
    samples: usize,
    callees: BTreeMap<Frame, Node>,
}

fn flame_graph(stacks: &[Vec<Frame>]) -> String {
    let mut root = Node::default();
    for stack in stacks {
        let mut node = &mut root;
        node.samples += 1;
        for frame in stack {
            node = node.callees.entry(frame.clone()).or_default();
            node.samples += 1;
        }
    }
    let total = root.samples as f64;
    let mut body = String::new();
    let deepest = draw(&mut body, &root, 0.0, 0, total);
    let height = (deepest + 2) as f64 * ROW + 20.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"monospace\" \
         font-size=\"10\"><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}

/// Draws what a function called, from the top down; answers how deep that went.
fn draw(body: &mut String, node: &Node, mut left: f64, depth: usize, total: f64) -> usize {
    let mut deepest = depth;
    for (frame, callee) in &node.callees {
        let share = callee.samples as f64 / total;
        let width = share * WIDTH;
        if share >= NARROWEST {
            let y = 10.0 + depth as f64 * ROW;
            let colour = if frame.kernel {
                "#c9b29b"
            } else if frame.name.contains("cellgate") {
                "#e8a33d"
            } else {
                "#f2d5a0"
            };
            let name = frame.name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            let room = (width / 6.1) as usize;
            // The end of a path says more than its start.
            let shown: String = if frame.name.chars().count() <= room {
                name.clone()
            } else if room > 4 {
                let end: String = frame.name.chars().rev().take(room - 1).collect();
                let end: String = end.chars().rev().collect();
                end.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
            } else {
                String::new()
            };
            let _ = writeln!(
                body,
                "<g><title>{name}: {:.1} %</title><rect x=\"{left:.1}\" y=\"{y:.0}\" width=\"{:.1}\" height=\"{:.0}\" \
                 fill=\"{colour}\" stroke=\"#fff\" stroke-width=\"0.5\"/><text x=\"{:.1}\" y=\"{:.0}\">{shown}</text></g>",
                share * 100.0,
                width,
                ROW - 1.0,
                left + 2.0,
                y + 11.0
            );
            deepest = deepest.max(draw(body, callee, left, depth + 1, total));
        }
        left += width;
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "cellgate-1\n\tffffffff81234567 tcp_sendmsg\n\tffffffff81000000 __x64_sys_sendto\n\
         \t    55d0c0de cellgate_proxy::wire::packet::Channel::flush::h0123456789abcdef\n\n\
         cellgate-1\n\t    55d0c0df mi_malloc\n\t    55d0c0de cellgate_sql::template::Template<T>::fill\n\n\
         cellgate-1\n\t    55d0c0e0 <cellgate_store::executor::Executor as core::clone::Clone>::clone\n";

    #[test]
    fn every_sample_is_some_kind_of_work() {
        let stacks = stacks(SCRIPT);
        assert_eq!(stacks.len(), 3);
        assert_eq!(stacks[0][0].name, "cellgate_proxy::wire::packet::Channel::flush");
        let kinds: Vec<String> = stacks.iter().map(|stack| kind(stack)).collect();
        assert_eq!(kinds, ["kernel: sending", "allocating", "cellgate_store::executor"]);
        assert!((shares(&stacks).iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_graph_is_as_wide_as_all_samples() {
        let svg = flame_graph(&stacks(SCRIPT));
        assert!(svg.contains("tcp_sendmsg: 33.3 %") && svg.contains("&lt;cellgate_store"));
        assert_eq!(svg.matches("<g>").count(), svg.matches("</g>").count());
    }
}
