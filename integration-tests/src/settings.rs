//! What a run may set through the environment. `cargo xtask test` and `cargo xtask prove` set it.

use std::path::PathBuf;

/// The `cellgate` program to test; without it the one beside the test's own target directory.
pub const BINARY: &str = "CELLGATE_BIN";
/// Address of the shared MariaDB, e.g. `mysql://root@127.0.0.1:3306/`.
pub const MARIADB_URL: &str = "CELLGATE_TEST_MARIADB_URL";
/// Address of the shared MySQL, likewise; without one a MariaDB stands in for it.
pub const MYSQL_URL: &str = "CELLGATE_TEST_MYSQL_URL";
/// Address of the shared PostgreSQL, e.g. `postgres://postgres@127.0.0.1:5432/postgres`.
pub const POSTGRES_URL: &str = "CELLGATE_TEST_POSTGRES_URL";
/// Where the client programs and their packages are (`target/clients`).
pub const CLIENTS: &str = "CELLGATE_TEST_CLIENTS";
/// Rounds of a long proof.
pub const ROUNDS: &str = "CELLGATE_ROUNDS";
/// Seed of everything random; without it the clock, and the seed is printed.
pub const SEED: &str = "CELLGATE_SEED";
/// A file that gets a line for each test that passes without having tested anything; `cargo xtask test` shows it.
pub const SKIPPED: &str = "CELLGATE_TEST_SKIPPED";
/// Set to 1, golden results are written instead of compared.
pub const UPDATE_GOLDEN: &str = "UPDATE_GOLDEN";

/// Whether golden results are written instead of compared.
pub fn updates_golden() -> bool {
    std::env::var(UPDATE_GOLDEN).is_ok_and(|value| value == "1")
}

/// Says that a test, or a part of it, passes without having tested anything, and why.
///
/// # Panics
///
/// If the file that the environment names cannot be written.
pub fn skipped(why: &str) {
    eprintln!("skipped: {why}");
    if let Some(path) = std::env::var_os(SKIPPED) {
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let mut file =
            std::fs::File::options().create(true).append(true).open(path).expect("the file of skipped tests");
        std::io::Write::write_all(&mut file, format!("{test}: {why}\n").as_bytes()).expect("a line of it");
    }
}

/// Rounds of a long proof: the environment's number, or this test's small share of it.
///
/// # Panics
///
/// If the environment's number is none, or 0: nothing would be proved.
pub fn rounds(share: u64) -> u64 {
    let Ok(text) = std::env::var(ROUNDS) else { return share };
    let rounds = text.parse().ok().filter(|rounds| *rounds > 0);
    rounds.unwrap_or_else(|| panic!("{ROUNDS}={text} is not a number above 0"))
}

/// The seed of this run; printed, so that a failure can be repeated.
///
/// # Panics
///
/// If the environment's seed is not a number.
pub fn seed() -> u64 {
    seed_or_else(|| {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos() as u64 & 0xffff_ffff)
    })
}

/// The same with a seed of its own where the environment has none: for comparisons with another server, where what is
/// unlike and known to be is sorted out by hand. `cargo xtask prove` and the variable ask other questions.
///
/// # Panics
///
/// If the environment's seed is not a number.
pub fn seed_or(own: u64) -> u64 {
    seed_or_else(|| own)
}

fn seed_or_else(own: impl FnOnce() -> u64) -> u64 {
    let seed = match std::env::var(SEED) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{SEED}={text} is not a number")),
        Err(_) => own(),
    };
    println!("seed: {SEED}={seed}");
    seed
}

/// The `cellgate` program.
///
/// # Panics
///
/// If it has not been built.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os(BINARY) {
        return path.into();
    }
    // A test's program is <target>/<profile>/deps/<name>; the product is two levels up.
    let beside = std::env::current_exe().ok().and_then(|test| Some(test.parent()?.parent()?.join("cellgate")));
    match beside {
        Some(path) if path.is_file() => path,
        Some(_) | None => panic!("no `cellgate` program: run `cargo build -p cellgate`, or set {BINARY}"),
    }
}

/// A program of MySQL's own (`mysqld`, `mysql`, `mysqldump`), where `cargo xtask test` puts them: `<target>/mysql`. `None` where
/// it could not be had.
pub fn of_mysql(name: &str) -> Option<PathBuf> {
    // Programs are in <target>/<profile>, tests in <target>/<profile>/deps.
    let this = std::env::current_exe().ok()?;
    let mut programs = this.ancestors().skip(2).take(2).map(|directory| directory.join("mysql").join(name));
    programs.find(|program| program.is_file())
}

/// The directory of this package, where the golden scripts are.
pub fn package() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A variable that the `servers` program sets.
pub(crate) fn shared(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run `cargo xtask test`, or put `cargo xtask servers --` in front of the command")
    })
}
