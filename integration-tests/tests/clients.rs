//! Every stock client does its steps on a real MariaDB, on embedded Cellgate and on a mixed deployment; a table says how it
//! went, and docs/CLIENTS.md must say the same. `cargo test --test clients -- PyMySQL sqlx` runs these two. It takes the options
//! of the ordinary test runner, because `cargo test` gives the same to all; what they say of output and threads means nothing here.
//! For the same reason a name that no client has is no error: it may be that of another test. The run says so.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use cellgate_integration_tests::Deployment;
use cellgate_integration_tests::clients::{
    APP_PASSWORD, APP_USER, CLIENTS, Judged, Outcome, Page, Report, Selection, StockClient, Target,
};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::settings;

/// One program on one server.
struct Run {
    report: Report,
    time: Duration,
}

fn main() -> ExitCode {
    let selection = Selection::of(std::env::args().skip(1));
    let selected = selection.clients();
    if selection.is_list() {
        selected.iter().for_each(|client| println!("{}: test", client.name));
        return ExitCode::SUCCESS;
    }
    if selected.is_empty() {
        println!("no stock client is called so");
        return ExitCode::SUCCESS;
    }
    let users = format!("[[user]]\nname = \"root\"\n[[user]]\nname = \"{APP_USER}\"\npassword = \"{APP_PASSWORD}\"\n");
    let mariadb = MariaDb::shared();
    let (database, restored) = (mariadb.create_database(), mariadb.create_database());
    mariadb.execute(&format!(
        "CREATE USER {APP_USER}@'127.0.0.1' IDENTIFIED BY '{APP_PASSWORD}'; GRANT ALL ON *.* TO {APP_USER}@'127.0.0.1'"
    ));
    let embedded = Deployment::configured(&users).start();
    let mixed = Builder::new()
        .text(&users)
        .topology(SHARDS, None)
        .shared_mariadb("m")
        .shared_postgres("p")
        .sqlite("s")
        .shared_mysql("y")
        .build()
        .start();
    let fresh = [Deployment::configured(&users).start(), Deployment::configured(&users).start()];
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, mariadb.port()));
    let cellgate = |name, address, other| Target {
        name,
        judged: Judged::Cellgate,
        address,
        database: "test".to_owned(),
        other,
        other_database: "test".to_owned(),
    };
    let targets = [
        Target {
            name: "MariaDB",
            judged: Judged::Program,
            address: server,
            database: database.clone(),
            other: server,
            other_database: restored.clone(),
        },
        cellgate("embedded", embedded.mysql(), fresh[0].mysql()),
        cellgate("mixed", mixed.mysql(), fresh[1].mysql()),
    ];
    let runs = run_all(&selected, &targets);
    mariadb.execute(&format!("DROP USER {APP_USER}@'127.0.0.1'"));
    mariadb.drop_database(&database);
    mariadb.drop_database(&restored);
    print_table(&selected, &targets, &runs);
    let mut failures = failures(&selected, &targets, &runs);
    if selected.len() == CLIENTS.len() {
        failures.extend(compare_page(&selected, &runs));
    }
    if failures.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\n{}", failures.join("\n"));
    println!("--- log of the embedded proxy ---\n{}\n--- log of the mixed proxy ---\n{}", embedded.log(), mixed.log());
    ExitCode::FAILURE
}

/// Every client on every target, a few at a time. The answer is in the order of clients, then of targets.
fn run_all(clients: &[&StockClient], targets: &[Target; 3]) -> Vec<[Run; 3]> {
    let pairs = clients.len() * targets.len();
    let next = Mutex::new(0..pairs);
    let done: Vec<Mutex<Option<Run>>> = (0..pairs).map(|_| Mutex::new(None)).collect();
    // One more than there are cores: a client waits as often as it works.
    let workers = std::thread::available_parallelism().map_or(2, usize::from) + 1;
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(pair) = { next.lock().expect("no panic while it is held").next() } {
                    let start = Instant::now();
                    let report = clients[pair / targets.len()].run(&targets[pair % targets.len()]);
                    *done[pair].lock().expect("no panic while it is held") =
                        Some(Run { report, time: start.elapsed() });
                }
            });
        }
    });
    let mut done = done.into_iter().map(|run| run.into_inner().expect("no panic").expect("every pair was run"));
    clients.iter().map(|_| std::array::from_fn(|_| done.next().expect("as many as pairs"))).collect()
}

fn print_table(clients: &[&StockClient], targets: &[Target; 3], runs: &[[Run; 3]]) {
    println!("{:28} {}", "client", targets.each_ref().map(|target| format!("{:>18}", target.name)).concat());
    for (client, runs) in clients.iter().zip(runs) {
        let cells = runs.each_ref().map(|run| {
            let mark = if run.report.is_good() { "" } else { "! " };
            let steps = run.report.steps.len();
            format!("{:>18}", format!("{mark}{}/{steps} {:>5.1} s", run.report.passed(), run.time.as_secs_f64()))
        });
        println!("{:28} {}", client.name, cells.concat());
    }
}

fn failures(clients: &[&StockClient], targets: &[Target; 3], runs: &[[Run; 3]]) -> Vec<String> {
    let mut failures = Vec::new();
    for (client, runs) in clients.iter().zip(runs) {
        for (target, run) in targets.iter().zip(runs) {
            let Some(output) = &run.report.output else { continue };
            failures.push(format!(
                "{} on {}: {:?}; it said:\n{output}",
                client.name,
                target.name,
                run.report.failures()
            ));
        }
    }
    failures
}

/// What the page says of a client: that of the embedded deployment, unless the mixed one fails.
fn on_the_page(runs: &[Run; 3]) -> Report {
    let [_, embedded, mixed] = runs;
    let mut report = embedded.report.clone();
    for ((_, outcome), (_, other)) in report.steps.iter_mut().zip(&mixed.report.steps) {
        if matches!(other, Outcome::Failed(_) | Outcome::NotYet(_)) {
            *outcome = other.clone();
        }
    }
    report
}

/// Compares docs/CLIENTS.md with what was found, or writes it.
fn compare_page(clients: &[&StockClient], runs: &[[Run; 3]]) -> Option<String> {
    let reports: Vec<_> = clients.iter().zip(runs).map(|(client, runs)| (*client, on_the_page(runs))).collect();
    let page = Page::of(&reports);
    if settings::updates_golden() {
        std::fs::write(Page::path(), page.text()).expect("docs can be written");
        return None;
    }
    let written = std::fs::read_to_string(Page::path()).unwrap_or_default();
    let advice =
        "docs/CLIENTS.md does not say what was found; UPDATE_GOLDEN=1 cargo xtask test --only clients writes it";
    (!page.agrees_with(&written)).then(|| advice.to_owned())
}
