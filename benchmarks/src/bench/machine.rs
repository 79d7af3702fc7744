//! Where a run took place, for the page.

use std::fs;
use std::path::Path;
use std::process::Command;

use cellgate_integration_tests::process;

use super::results::Setting;
use super::servers;

/// What is known before the first load.
pub fn setting(directory: &Path) -> Setting {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = field(&cpu, "model name").unwrap_or("unknown processor").to_owned();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = field(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok()).unwrap_or(0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.trim().split('-').next().unwrap_or_default();
    let autogroup = fs::read_to_string("/proc/sys/kernel/sched_autogroup_enabled").unwrap_or_default();
    let autogroup = autogroup.trim();
    Setting {
        machine: vec![
            format!("{model}, {cores} processors used{}, {} GiB of memory", threads_of_one_core(), memory >> 20),
            format!("Linux {kernel}, {} under the data", file_system(directory)),
            format!("processors are divided between {} first", if autogroup == "1" { "sessions" } else { "threads" }),
        ],
        versions: [servers::versions(), vec![output("rustc", &["--version"])]].concat(),
        commit: std::env::var("CELLGATE_COMMIT").unwrap_or_else(|_| "unknown".to_owned()),
        date: output("date", &["-u", "+%Y-%m-%d"]),
        load_average: fs::read_to_string("/proc/loadavg")
            .unwrap_or_default()
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_owned(),
        ..Setting::default()
    }
}

/// A remark if the processors that are used are threads of one core, which is less than two cores.
fn threads_of_one_core() -> &'static str {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let allowed = field(&status, "Cpus_allowed_list").unwrap_or_default().to_owned();
    let first = allowed.split([',', '-']).next().unwrap_or_default();
    let path = format!("/sys/devices/system/cpu/cpu{first}/topology/thread_siblings_list");
    let siblings = fs::read_to_string(path).unwrap_or_default();
    if allowed.len() > 1 && siblings.trim() == allowed { " (threads of one core)" } else { "" }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find(|line| line.starts_with(name))?.split_once(':').map(|(_, value)| value.trim())
}

/// The type of the file system a directory is on.
fn file_system(directory: &Path) -> String {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mut best = ("", "unknown file system");
    for line in mounts.lines() {
        let mut words = line.split(' ').skip(1);
        let (Some(place), Some(kind)) = (words.next(), words.next()) else { continue };
        if directory.starts_with(place) && place.len() >= best.0.len() {
            best = (place, kind);
        }
    }
    best.1.to_owned()
}

fn output(program: &str, arguments: &[&str]) -> String {
    process::try_output(Command::new(program).args(arguments)).unwrap_or_default().trim().to_owned()
}
