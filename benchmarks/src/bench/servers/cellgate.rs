//! Cellgate: this tree, built as it is distributed.

use std::fmt::Write;
use std::path::Path;

use cellgate_integration_tests::process::{self, Process, Signal};
use cellgate_integration_tests::servers::{free_port, log_tail, start_on_free_port};
use cellgate_integration_tests::{settings, wait};

use super::{ready, service};

/// Most connections of a client; the measurement of idle ones needs more than the default.
const MAX_CONNECTIONS: u32 = 20_000;

/// Whether cells are kept in memory. Off where what is behind it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cache {
    /// None.
    Off,
    /// More than the data set needs.
    On,
}

impl Cache {
    fn section(self) -> &'static str {
        match self {
            Self::Off => "[cache]\nsize = \"0\"\n",
            Self::On => "[cache]\nsize = \"1GiB\"\n",
        }
    }
}

/// A running proxy.
#[derive(Debug)]
pub struct Cellgate {
    process: Process,
    port: u16,
}

impl Cellgate {
    /// Starts one in `dir`, over clusters at these addresses, or over its four SQLite files if there are none.
    ///
    /// # Panics
    /// If it does not become ready, or has no cache and one is wanted.
    pub fn start(dir: &Path, meta: Option<&str>, clusters: &[String], cache: Cache) -> Self {
        std::fs::create_dir_all(dir).expect("a directory in the run's directory");
        let (file, log) = (dir.join("cellgate.toml"), dir.join("log"));
        let (port, process) = start_on_free_port(|port| {
            let http = free_port();
            let mut text = format!(
                "[listen]\naddress = \"127.0.0.1:{port}\"\n[http]\naddress = \"127.0.0.1:{http}\"\n[data]\ndir = \"{}\"\n\
                 [limits]\nmax_connections = {MAX_CONNECTIONS}\n",
                dir.join("data").display()
            );
            if let Some(meta) = meta {
                let _ = writeln!(text, "[topology]\nmeta = \"{meta}\"");
            }
            for (place, cluster) in clusters.iter().enumerate() {
                let _ = writeln!(text, "[[cluster]]\nname = \"c{}\"\nprimary = \"{cluster}\"", place + 1);
            }
            text.push_str(cache.section());
            std::fs::write(&file, &text).expect("a file in a new directory");
            check(&file).unwrap_or_else(|refused| panic!("configuration refused: {refused}"));
            let mut command = service(settings::binary(), None);
            let is_ready = || log_tail(&log).contains("cellgate ready");
            Ok((port, ready("Cellgate", command.arg("--config").arg(&file), &log, is_ready)?))
        });
        Self { process, port }
    }

    /// Addresses of `count` SQLite files in a directory, for [`start`](Self::start).
    ///
    /// # Panics
    /// If the directory cannot be made.
    pub fn sqlite_files(dir: &Path, count: usize) -> Vec<String> {
        std::fs::create_dir_all(dir).expect("a directory in the run's directory");
        (1..=count).map(|n| format!("sqlite:{}", dir.join(format!("cells{n}.db")).display())).collect()
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops it as an operator does, and waits until it has ended.
    ///
    /// # Panics
    /// If it does not end.
    pub fn stop(mut self) {
        self.process.signal(Signal::Term);
        wait::until("the end of Cellgate", wait::PATIENCE, || self.process.ended());
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

/// What the program says about a configuration; its path is this run's and of no interest.
fn check(file: &Path) -> Result<String, String> {
    let checked =
        process::try_output(process::tethered(settings::binary(), None).args(["check", "--config"]).arg(file));
    checked.map_err(|refused| refused.replace(&file.display().to_string(), "cellgate.toml"))
}
