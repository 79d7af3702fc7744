//! What processes have used, as `/proc` tells it.

use std::fs;
use std::time::Duration;

use cellgate_integration_tests::process::resident_bytes;

/// Ticks of a second in `/proc/<pid>/stat`: fixed for user space on Linux.
const TICKS: u64 = 100;

/// Processes that are watched under one name: each with all its children.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// What they are called.
    pub name: String,
    /// The parents.
    pub processes: Vec<u32>,
}

impl std::str::FromStr for Watched {
    type Err = String;

    /// Reads `NAME=PID[,PID..]`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, processes) = text.split_once('=').ok_or("write NAME=PID[,PID..]")?;
        let processes: Result<Vec<u32>, _> = processes.split(',').map(str::parse).collect();
        Ok(Self { name: name.to_owned(), processes: processes.map_err(|error| error.to_string())? })
    }
}

/// What a group of processes has used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Processor time, user and system.
    pub cpu: Duration,
    /// Resident memory, in bytes.
    pub resident: u64,
}

/// What they have used until now. Processes that are gone count nothing; what children have used that are gone, their
/// parents have.
pub fn used(watched: &Watched) -> Used {
    let mut used = Used::default();
    // Children only matter to servers with a process per connection; looking for them reads all of /proc once.
    let all = children();
    let mut queue = watched.processes.clone();
    while let Some(process) = queue.pop() {
        if let Some(stat) = Stat::read(process) {
            used.cpu += stat.cpu;
        }
        used.resident += resident_bytes(process).unwrap_or(0);
        queue.extend(all.iter().filter(|(parent, _)| *parent == process).map(|(_, child)| *child));
    }
    used
}

/// All children of a process and theirs that still run; those that only wait to be reaped are not among them.
pub fn descendants(process: u32) -> Vec<u32> {
    let all = children();
    let mut found = vec![process];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(all.iter().filter(|(of, _)| *of == parent).map(|(_, child)| *child));
        next += 1;
    }
    found.retain(|one| *one != process && Stat::read(*one).is_some_and(|stat| !stat.ended));
    found
}

/// Processor time of this process.
pub fn own_cpu() -> Duration {
    Stat::read(std::process::id()).map_or(Duration::ZERO, |stat| stat.cpu)
}

/// Pairs of parent and child.
fn children() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    processes.filter_map(|process| Some((Stat::read(process)?.parent, process))).collect()
}

/// The fields of `/proc/<pid>/stat` that matter here.
struct Stat {
    parent: u32,
    cpu: Duration,
    /// A zombie: nothing of it runs any more.
    ended: bool,
}

impl Stat {
    fn read(process: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        // The name stands in parentheses and may hold anything, also parentheses.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ended = *fields.first()? == "Z";
        let parent = fields.get(1)?.parse().ok()?;
        // utime, stime, and those of children that are gone.
        let ticks: Option<Vec<u64>> = fields.get(11..15)?.iter().map(|field| field.parse().ok()).collect();
        let ticks: u64 = ticks?.iter().sum();
        Some(Self { parent, ended, cpu: Duration::from_millis(ticks * 1000 / TICKS) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_whatever_the_name() {
        let line = "42 (a) b) (c) S 7 42 42 0 -1 4194304 100 0 0 0 150 50 10 5 20 0 1 0 100 1000 10";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.parent, stat.cpu), (7, Duration::from_millis(2150)));
    }

    #[test]
    fn this_process_has_memory_and_a_parent() {
        let own = std::process::id();
        assert!(resident_bytes(own).unwrap() > 100_000);
        assert!(children().iter().any(|(_, child)| *child == own));
        let watched: Watched = format!("own={own}").parse().unwrap();
        assert!(used(&watched).resident >= 100_000);
        assert!("own".parse::<Watched>().is_err());
    }
}
