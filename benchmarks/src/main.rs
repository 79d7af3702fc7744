//! The program `cellgate-benchmarks`: one load, its helpers, and the whole comparison.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::time::Duration;

use cellgate_benchmarks::cells;
use cellgate_benchmarks::load::{self, Plan};
use cellgate_benchmarks::processes::Watched;
use cellgate_benchmarks::session::{Protocol, Target};
use cellgate_benchmarks::workload::{self, Mode, Operation};
use cellgate_benchmarks::{bench, echo, fill, relay};
use cellgate_integration_tests::process;
use clap::{Args, Parser, Subcommand};

/// Loads and measurements of MySQL and PostgreSQL servers.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One load on a server that has the data set.
    Load(LoadArgs),
    /// Loads the data set through a server that speaks MySQL's protocol.
    Fill(FillArgs),
    /// A server of requests and answers of fixed sizes.
    Echo(EchoArgs),
    /// A relay that delays every byte in each direction.
    Relay(RelayArgs),
    /// The comparisons of docs/PERFORMANCE.md, or some of them; `cargo xtask bench` prepares what they need.
    Bench(bench::Options),
    /// Short loads of every kind, for a program that counts what it does; `cargo xtask dist` builds one.
    Train,
    /// Writes docs/PERFORMANCE.md and its plots again from the results of the last full run.
    Render {
        /// The workspace.
        #[arg(long, default_value = ".")]
        root: std::path::PathBuf,
    },
}

#[derive(Debug, Args)]
struct TargetArgs {
    /// What the server speaks.
    #[arg(long, value_enum, default_value = "mysql")]
    protocol: Protocol,
    /// Its address.
    #[arg(long, default_value = "127.0.0.1:3307")]
    address: SocketAddr,
    /// Who logs in, without a password.
    #[arg(long, default_value = "root")]
    user: String,
    /// The database of the table `cells`.
    #[arg(long, default_value = "test")]
    database: String,
    /// Length of a request to an echo.
    #[arg(long, default_value_t = 64)]
    request_bytes: usize,
    /// Length of its answer.
    #[arg(long, default_value_t = 700)]
    answer_bytes: usize,
}

impl TargetArgs {
    fn target(self) -> Target {
        let Self { protocol, address, user, database, request_bytes, answer_bytes } = self;
        Target { protocol, address, user, database, echo: (request_bytes, answer_bytes) }
    }
}

#[derive(Debug, Args)]
struct LoadArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// What is asked.
    #[arg(long, value_enum, default_value = "get")]
    operation: Operation,
    /// How it is asked.
    #[arg(long, value_enum, default_value = "prepared")]
    mode: Mode,
    /// Connections.
    #[arg(long, default_value_t = 64, value_parser = load::connections)]
    connections: usize,
    /// Requests per second of an open loop; without it the loop is closed.
    #[arg(long, value_parser = load::rate)]
    rate: Option<f64>,
    /// Seconds before counting begins.
    #[arg(long, default_value_t = 0.5, value_parser = load::seconds)]
    warmup: f64,
    /// Seconds that are counted.
    #[arg(long, default_value_t = 5.0, value_parser = load::counted_seconds)]
    seconds: f64,
    /// Cells in the data set.
    #[arg(long, default_value_t = cells::CELLS, value_parser = clap::value_parser!(u64).range(workload::LEAST_CELLS..))]
    cells: u64,
    /// What the random choices follow from; without it the clock, so that puts are always new.
    #[arg(long, value_parser = clap::value_parser!(u64).range(..workload::SEEDS))]
    seed: Option<u64>,
    /// Processes (with their children) whose processor time is taken: NAME=PID[,PID..].
    #[arg(long)]
    watch: Vec<Watched>,
    /// One line of JSON instead of text.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct FillArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Cells in the data set.
    #[arg(long, default_value_t = cells::CELLS, value_parser = clap::value_parser!(u64).range(workload::LEAST_CELLS..))]
    cells: u64,
    /// Connections.
    #[arg(long, default_value_t = 4, value_parser = load::connections)]
    connections: usize,
    /// The statement that creates the table; nothing, if it is there.
    #[arg(long, default_value = "CREATE TABLE cells ENGINE=CELLS")]
    create: String,
}

#[derive(Debug, Args)]
struct EchoArgs {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Length of a request.
    #[arg(long)]
    request_bytes: usize,
    /// Length of an answer.
    #[arg(long)]
    answer_bytes: usize,
}

#[derive(Debug, Args)]
struct RelayArgs {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to relay to.
    #[arg(long)]
    to: SocketAddr,
    /// How long a byte takes, in microseconds.
    #[arg(long, default_value_t = 1000)]
    delay_us: u64,
}

fn main() -> ExitCode {
    process::allow_many_files();
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cellgate-benchmarks: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> std::io::Result<()> {
    match command {
        Command::Load(args) => {
            let json = args.json;
            let report = load::run(&plan(args))?;
            if json {
                println!("{}", serde_json::to_string(&report)?)
            } else {
                println!("{report}")
            }
            Ok(())
        }
        Command::Fill(args) => fill::insert(&args.target.target(), &args.create, args.cells, args.connections),
        Command::Bench(options) => {
            let bench::Ended { missed, failed } = bench::run(&options)?;
            if missed > 0 {
                eprintln!("cellgate-benchmarks: not every floor held");
            }
            match failed {
                0 => Ok(()),
                _ => Err(std::io::Error::other(format!(
                    "rows without a figure: {failed}; without --write the page and its results stay as they were"
                ))),
            }
        }
        Command::Train => bench::train(),
        Command::Render { root } => bench::render(&root),
        Command::Echo(args) => echo::serve(&listen(args.listen)?, args.request_bytes, args.answer_bytes),
        Command::Relay(args) => relay::serve(&listen(args.listen)?, args.to, Duration::from_micros(args.delay_us)),
    }
}

fn plan(args: LoadArgs) -> Plan {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Plan {
        target: args.target.target(),
        operation: args.operation,
        mode: args.mode,
        connections: args.connections,
        rate: args.rate,
        warmup: Duration::from_secs_f64(args.warmup),
        time: Duration::from_secs_f64(args.seconds),
        cells: args.cells,
        // Tenths of a second, within the seeds whose puts are all different.
        seed: args.seed.unwrap_or((clock.as_millis() / 100) as u64 % workload::SEEDS),
        watched: args.watch,
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    println!("listening {}", listener.local_addr()?);
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_that_could_not_end_or_could_not_be_right_is_refused() {
        let load = |option: &str| Cli::try_parse_from(["cellgate-benchmarks", "load", option]);
        assert!(load("--seed=268435455").is_ok() && load("--cells=200").is_ok() && load("--connections=1").is_ok());
        for option in ["--seed=268435456", "--cells=199", "--connections=0", "--rate=0", "--seconds=0"] {
            assert!(load(option).is_err(), "{option}");
        }
        let bench = |option: &str| Cli::try_parse_from(["cellgate-benchmarks", "bench", option]);
        assert!(bench("--seconds=1.2").is_ok() && bench("--seconds=0").is_err() && bench("--cells=199").is_err());
    }
}
