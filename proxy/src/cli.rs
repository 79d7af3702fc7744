//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{Address, LogFormat, Overrides};

const EXAMPLES: &str = "Examples:
  cellgate                                    serve this machine, data in ./cellgate-data
  cellgate --config /etc/cellgate.toml        serve as configured
  cellgate --listen 127.0.0.1:0               serve on any free port; the `ready` line says which
  cellgate check --config /etc/cellgate.toml  say what is wrong, or print the effective configuration
  cellgate health --http 127.0.0.1:9307       whether it is ready, for containers and scripts
  mysql -h 127.0.0.1 -P 3307 -u root test     talk to it

Signals: SIGTERM and SIGINT finish what is running and exit 0; SIGHUP reads the configuration file again.";

/// A MySQL server whose tables are Schemaless cells, kept in SQLite, MySQL/MariaDB and PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq, Parser)]
#[command(name = "cellgate", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

/// What the program is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Serve MySQL clients (what `cellgate` alone does).
    Serve(Serve),
    /// Check a configuration file, with the certificate it names, and print the effective configuration, secrets as ***.
    Check(Check),
    /// Ask a running Cellgate whether it is ready; exits 0 if it is, 1 if not.
    Health(Health),
}

/// `cellgate [serve]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Serve {
    /// Configuration file (TOML); without one, SQLite files in the data directory and this machine only.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory of the embedded engine's files [default: ./cellgate-data].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address for MySQL clients; port 0 is any free one [default: 127.0.0.1:3307].
    #[arg(long, value_name = "HOST:PORT")]
    pub listen: Option<Address>,
    /// Address for /metrics, /healthz and /readyz; port 0 is any free one [default: 127.0.0.1:9307].
    #[arg(long, value_name = "HOST:PORT")]
    pub http: Option<Address>,
    /// How log lines look: text or json [default: text].
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// `cellgate check`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Check {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Also connect to the meta store and to every cluster; nothing is created or written.
    #[arg(long)]
    pub connect: bool,
}

/// `cellgate health`.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct Health {
    /// Its HTTP address.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:9307")]
    pub http: Address,
}

impl Cli {
    /// What to do.
    pub fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

impl Serve {
    /// What the command line says over the file.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            data_dir: self.data_dir.clone(),
            listen: self.listen.clone(),
            http: self.http.clone(),
            log_format: self.log_format,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap::error::ErrorKind;

    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split(' ')).map(Cli::command)
    }

    #[test]
    fn the_definition_is_consistent() {
        <Cli as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn cellgate_alone_serves_with_the_same_flags_as_serve() {
        let flags = "--config f.toml --data-dir d --listen [::1]:0 --http 127.0.0.1:1 --log-format json";
        let bare = parse(&format!("cellgate {flags}")).expect("valid");
        assert_eq!(bare, parse(&format!("cellgate serve {flags}")).expect("valid"));
        let Command::Serve(serve) = bare else { panic!("{bare:?}") };
        assert_eq!(serve.config, Some(PathBuf::from("f.toml")));
        let overrides = serve.overrides();
        assert_eq!(overrides.listen.expect("given").to_string(), "[::1]:0");
        assert_eq!(overrides.http.expect("given").to_string(), "127.0.0.1:1");
        assert_eq!(overrides.data_dir, Some(PathBuf::from("d")));
        assert_eq!(overrides.log_format, Some(LogFormat::Json));
        assert_eq!(parse("cellgate").expect("valid"), Command::Serve(Serve::default()));
    }

    #[test]
    fn check_needs_a_file() {
        let check = Check { config: PathBuf::from("f.toml"), connect: true };
        assert_eq!(parse("cellgate check --config f.toml --connect").expect("valid"), Command::Check(check));
        assert_eq!(parse("cellgate check").expect_err("no file").kind(), ErrorKind::MissingRequiredArgument);
    }

    #[test]
    fn an_address_that_is_none_is_refused_with_what_would_be_right() {
        let error = parse("cellgate --listen 3307").expect_err("no host").to_string();
        assert!(error.contains("HOST:PORT, e.g."), "{error}");
        assert!(parse("cellgate --log-format xml").expect_err("no format").to_string().contains("\"json\""));
        assert!(parse("cellgate --lisen 127.0.0.1:1").expect_err("typo").to_string().contains("--listen"));
    }

    #[test]
    fn help_shows_examples_and_every_command() {
        let help = parse("cellgate --help").expect_err("help is an early exit").to_string();
        assert!(help.contains("mysql -h 127.0.0.1 -P 3307 -u root test"), "{help}");
        for command in ["serve", "check", "health"] {
            assert!(help.lines().any(|line| line.trim_start().starts_with(&format!("{command} "))), "{help}");
        }
        let version = parse("cellgate --version").expect_err("version is an early exit").to_string();
        assert_eq!(version.trim(), format!("cellgate {}", env!("CARGO_PKG_VERSION")));
    }
}
