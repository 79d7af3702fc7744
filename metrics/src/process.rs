//! What Linux tells a process about itself, under the names that Prometheus's own clients use.
//!
//! Read from `/proc` as text when metrics are asked for: the ready-made collector of the `prometheus` crate brings four
//! crates along that take longer to compile than all others of this crate together.

use prometheus::{Counter, Gauge, IntGauge, Opts};

use crate::error::MetricsError;
use crate::family::{Registrar, failed};

/// Clock ticks a second in `/proc/self/stat`: Linux shows them to programs as 100 on every architecture.
const TICKS: f64 = 100.0;

/// The process's families.
#[derive(Debug)]
pub(crate) struct ProcessMetrics {
    cpu_seconds: Counter,
    open_fds: IntGauge,
    max_fds: IntGauge,
    virtual_bytes: IntGauge,
    resident_bytes: IntGauge,
    threads: IntGauge,
}

impl ProcessMetrics {
    /// Registers them; the start is read once, for it does not change.
    pub(crate) fn register(r: &mut Registrar) -> Result<Self, MetricsError> {
        let gauge = |name: &str, help: &str| -> Result<IntGauge, MetricsError> {
            let gauge = IntGauge::with_opts(Opts::new(name, help)).map_err(|e| failed(name, &e))?;
            r.registry.register(Box::new(gauge.clone())).map_err(|e| failed(name, &e))?;
            Ok(gauge)
        };
        let open_fds = gauge("process_open_fds", "Number of open file descriptors.")?;
        let max_fds = gauge("process_max_fds", "Maximum number of open file descriptors.")?;
        let virtual_bytes = gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.")?;
        let resident_bytes = gauge("process_resident_memory_bytes", "Resident memory size in bytes.")?;
        let threads = gauge("process_threads", "Number of OS threads in the process.")?;
        let name = "process_cpu_seconds_total";
        let cpu_seconds = Counter::with_opts(Opts::new(name, "Total user and system CPU time spent in seconds."))
            .map_err(|e| failed(name, &e))?;
        r.registry.register(Box::new(cpu_seconds.clone())).map_err(|e| failed(name, &e))?;
        let name = "process_start_time_seconds";
        let started = Gauge::with_opts(Opts::new(name, "Start time of the process since unix epoch in seconds."))
            .map_err(|e| failed(name, &e))?;
        r.registry.register(Box::new(started.clone())).map_err(|e| failed(name, &e))?;
        started.set(start(&text("/proc/self/stat"), &text("/proc/stat")).unwrap_or_default());
        Ok(Self { cpu_seconds, open_fds, max_fds, virtual_bytes, resident_bytes, threads })
    }

    /// Reads what the process is like now. What cannot be read stays as it was.
    pub(crate) fn refresh(&self) {
        if let Some(seconds) = cpu(&text("/proc/self/stat")) {
            self.cpu_seconds.inc_by((seconds - self.cpu_seconds.get()).max(0.0));
        }
        let status = text("/proc/self/status");
        let set = |gauge: &IntGauge, value: Option<i64>| value.into_iter().for_each(|value| gauge.set(value));
        set(&self.virtual_bytes, field(&status, "VmSize:").map(|kib| kib * 1024));
        set(&self.resident_bytes, field(&status, "VmRSS:").map(|kib| kib * 1024));
        set(&self.threads, field(&status, "Threads:"));
        set(&self.max_fds, field(&text("/proc/self/limits"), "Max open files"));
        // One of them is the directory itself, being read.
        let open = std::fs::read_dir("/proc/self/fd").map(|entries| entries.count().saturating_sub(1));
        set(&self.open_fds, open.ok().and_then(|count| i64::try_from(count).ok()));
    }
}

fn text(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// The first number behind `name` at the beginning of a line.
fn field(text: &str, name: &str) -> Option<i64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// A number of `/proc/self/stat`, counted as in proc(5). The name in parentheses, the second field, may hold anything.
fn stat(stat: &str, number: usize) -> Option<f64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

/// CPU seconds spent, in the program and for it in the kernel.
fn cpu(text: &str) -> Option<f64> {
    Some((stat(text, 14)? + stat(text, 15)?) / TICKS)
}

/// When the process started, in seconds since 1970.
fn start(own: &str, system: &str) -> Option<f64> {
    #[allow(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in a double")]
    let booted = field(system, "btime")? as f64;
    Some(booted + stat(own, 22)? / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_behind_a_name_with_anything_in_it() {
        let text = "42 (a b) c) 1) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 9 0 1234 5000 6 18446744073709551615";
        assert_eq!(cpu(text), Some(3.0));
        assert_eq!(start(text, "cpu 1 2\nbtime 1700000000\n"), Some(1_700_000_012.34));
        assert_eq!((cpu(""), start("1 (a) S", "btime x")), (None, None));
        assert_eq!(field("Max open files            1024                 4096  files\n", "Max open files"), Some(1024));
        assert_eq!(field("VmRSS:\t  12 kB\n", "VmRSS:"), Some(12));
    }
}
