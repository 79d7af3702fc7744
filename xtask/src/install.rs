//! The Debian packages the tests need.

use std::path::Path;
use std::process::Command;

use crate::command::{self, Failure, succeeds};

/// How much is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The database servers.
    Servers,
    /// Those and what they are compared with.
    Benchmarks,
    /// The database servers and the stock clients of other languages.
    All,
    /// What counts instructions.
    Instructions,
}

impl Extent {
    /// Whether what is needed for `other` is needed for this.
    fn includes(self, other: Self) -> bool {
        match self {
            Self::Servers => other == Self::Servers,
            Self::Benchmarks => matches!(other, Self::Servers | Self::Benchmarks),
            Self::All => matches!(other, Self::Servers | Self::All),
            Self::Instructions => other == Self::Instructions,
        }
    }
}

/// Something a package brings.
struct Need {
    package: &'static str,
    extent: Extent,
    present: fn() -> bool,
}

const NEEDS: &[Need] = &[
    Need { package: "util-linux", extent: Extent::Servers, present: || program("setpriv") },
    Need {
        package: "mariadb-server",
        extent: Extent::Servers,
        present: || program("mariadb-install-db") && (program("mariadbd") || Path::new("/usr/sbin/mariadbd").is_file()),
    },
    Need { package: "mariadb-client", extent: Extent::Servers, present: || program("mariadb") },
    Need { package: "postgresql", extent: Extent::Servers, present: || program("psql") && postgres_server() },
    Need { package: "sqlite3", extent: Extent::Servers, present: || program("sqlite3") },
    Need { package: "openssl", extent: Extent::Servers, present: || program("openssl") },
    Need { package: "gcc", extent: Extent::Servers, present: || program("cc") },
    Need { package: "python3", extent: Extent::Servers, present: || program("python3") },
    Need { package: "strace", extent: Extent::Servers, present: || program("strace") },
    Need { package: "haproxy", extent: Extent::Servers, present: || program("haproxy") || sbin("haproxy") },
    Need {
        package: "mariadb-plugin-spider",
        extent: Extent::Benchmarks,
        present: || Path::new("/usr/lib/mysql/plugin/ha_spider.so").is_file(),
    },
    Need { package: "linux-perf", extent: Extent::Benchmarks, present: || program("perf") },
    Need { package: "valgrind", extent: Extent::Instructions, present: || program("valgrind") },
    Need { package: "python3-venv", extent: Extent::All, present: python },
    Need { package: "python3-dev", extent: Extent::All, present: python },
    Need { package: "libc6-dev", extent: Extent::All, present: || Path::new("/usr/include/stdio.h").is_file() },
    Need { package: "pkg-config", extent: Extent::All, present: || program("pkg-config") },
    Need {
        package: "libmariadb-dev",
        extent: Extent::All,
        present: || succeeds(Command::new("pkg-config").args(["--exists", "libmariadb"])),
    },
    Need { package: "nodejs", extent: Extent::All, present: || program("node") },
    Need { package: "npm", extent: Extent::All, present: || program("npm") },
    Need { package: "golang-go", extent: Extent::All, present: || program("go") },
    Need {
        package: "golang-github-go-sql-driver-mysql-dev",
        extent: Extent::All,
        present: || Path::new("/usr/share/gocode/src/github.com/go-sql-driver/mysql").is_dir(),
    },
    Need { package: "default-jdk-headless", extent: Extent::All, present: || program("javac") && program("java") },
    Need {
        package: "libmariadb-java",
        extent: Extent::All,
        present: || Path::new(crate::stock::MARIADB_JAR).is_file(),
    },
    Need { package: "php-cli", extent: Extent::All, present: || program("php") },
    Need {
        package: "php-mysql",
        extent: Extent::All,
        present: || runs("php", &["-r", "exit((int) !class_exists('mysqli'));"]),
    },
    Need {
        package: "php-doctrine-dbal",
        extent: Extent::All,
        present: || Path::new("/usr/share/php/Doctrine/DBAL/autoload.php").is_file(),
    },
    Need { package: "ruby-mysql2", extent: Extent::All, present: || ruby("mysql2") },
    Need { package: "ruby-sequel", extent: Extent::All, present: || ruby("sequel") },
    Need { package: "ruby-activerecord", extent: Extent::All, present: || ruby("active_record") },
    Need { package: "libdbd-mysql-perl", extent: Extent::All, present: || runs("perl", &["-MDBD::mysql", "-e", "1"]) },
    Need {
        package: "libdbd-mariadb-perl",
        extent: Extent::All,
        present: || runs("perl", &["-MDBD::MariaDB", "-e", "1"]),
    },
    Need {
        package: "prometheus-mysqld-exporter",
        extent: Extent::All,
        present: || program("prometheus-mysqld-exporter"),
    },
];

/// Installs what is missing; as somebody who may not, says what to install.
pub fn run(extent: Extent) -> Result<(), Failure> {
    let missing = missing(extent);
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    let Some(may_install) = Administrator::find() else {
        let why = if program("apt-get") {
            format!("this user may not install them. As root: {by_hand}")
        } else {
            format!("this machine has no apt-get. Install what corresponds to these of Debian: {}", missing.join(" "))
        };
        return Err(Failure::new(format!("packages are missing, and {why}")));
    };
    if let Err(failure) = may_install.apt_get(&["update"]) {
        // One list that cannot be fetched need not be the one that matters: installing tells.
        eprintln!("xtask: {failure}; going on with the lists there are");
    }
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(&missing);
    may_install.apt_get(&arguments)?;
    let still = self::missing(extent);
    if still.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("installed, and still not usable: {}", still.join(" "))))
}

fn missing(extent: Extent) -> Vec<&'static str> {
    NEEDS
        .iter()
        .filter(|need| extent.includes(need.extent))
        .filter(|need| !(need.present)())
        .map(|need| need.package)
        .collect()
}

/// A way to install packages.
enum Administrator {
    Root,
    Sudo,
}

impl Administrator {
    fn find() -> Option<Self> {
        if !program("apt-get") {
            return None;
        }
        if command::quietly(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0") {
            return Some(Self::Root);
        }
        succeeds(Command::new("sudo").args(["-n", "true"])).then_some(Self::Sudo)
    }

    fn apt_get(&self, arguments: &[&str]) -> Result<(), Failure> {
        let mut command = match self {
            Self::Root => Command::new("env"),
            Self::Sudo => {
                let mut sudo = Command::new("sudo");
                sudo.args(["-n", "env"]);
                sudo
            }
        };
        // Somebody else may be installing something, and a mirror may be away for a moment.
        let patience = ["-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"];
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]).args(patience);
        command::run(command.args(arguments))
    }
}

/// Whether a program is on the path.
fn program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// Whether a program runs to a good end.
fn runs(name: &str, arguments: &[&str]) -> bool {
    succeeds(Command::new(name).args(arguments))
}

/// Whether Ruby has a library. Debian's Ruby: another one on the path has libraries of its own.
fn ruby(library: &str) -> bool {
    runs("ruby", &["-e", &format!("require '{library}'")])
}

/// Whether it is where only administrators look.
fn sbin(name: &str) -> bool {
    Path::new("/usr/sbin").join(name).is_file()
}

/// Looked for as `integration-tests/src/servers/postgres.rs` does, of which nothing may be used here.
fn postgres_server() -> bool {
    std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .any(|version| version.path().join("bin/postgres").is_file())
}

fn python() -> bool {
    crate::stock::python().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benchmarks_need_the_servers_and_instruction_counts_do_not() {
        let names = |extent: Extent| {
            let needs = NEEDS.iter().filter(|need| extent.includes(need.extent));
            needs.map(|need| need.package).collect::<Vec<_>>()
        };
        let benchmarks = names(Extent::Benchmarks);
        assert!(names(Extent::Servers).iter().all(|package| benchmarks.contains(package)));
        let spider = "mariadb-plugin-spider";
        assert!(benchmarks.contains(&spider) && !names(Extent::All).contains(&spider));
        assert_eq!(names(Extent::Instructions), ["valgrind"]);
    }

    #[test]
    fn the_servers_need_no_package_of_the_stock_clients() {
        let servers: Vec<_> = NEEDS.iter().filter(|need| need.extent == Extent::Servers).collect();
        assert!(servers.iter().all(|need| !["nodejs", "golang-go", "default-jdk-headless"].contains(&need.package)));
        assert!(servers.len() < NEEDS.len());
        // What tests beside those of the stock clients start.
        for program in ["python3", "strace"] {
            assert!(servers.iter().any(|need| need.package == program), "{program}");
        }
    }
}
