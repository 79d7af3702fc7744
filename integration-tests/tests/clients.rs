//! Every stock client does every step on a real MariaDB, on embedded Cellgate and on a mixed deployment; a table says how it
//! went. `cargo test --test clients -- pymysql sqlx` runs these two.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use cellgate_integration_tests::Deployment;
use cellgate_integration_tests::clients::{CLIENTS, StockClient};
use cellgate_integration_tests::servers::MariaDb;

fn main() -> ExitCode {
    // Options are those of the ordinary test runner; names select.
    let names: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let selected: Vec<&StockClient> = CLIENTS
        .iter()
        .filter(|client| names.is_empty() || names.iter().any(|name| client.name.contains(name)))
        .collect();
    let mariadb = MariaDb::shared();
    let database = mariadb.create_database();
    let (embedded, mixed) = (Deployment::embedded().start(), Deployment::mixed().start());
    let targets = [
        ("MariaDB", SocketAddr::from((Ipv4Addr::LOCALHOST, mariadb.port())), database.as_str()),
        ("embedded", embedded.mysql(), "test"),
        ("mixed", mixed.mysql(), "test"),
    ];
    println!("{:24} {}", "client", targets.map(|(name, ..)| format!("{name:>10}")).concat());
    let mut failures = Vec::new();
    for client in selected {
        let cells = targets.map(|(target, address, database)| {
            let report = client.run(address, database);
            for failure in &report.failures {
                failures.push(format!("{} on {target}: {failure}", client.name));
            }
            let mark = if report.failures.is_empty() { "" } else { "!" };
            format!("{:>10}", format!("{mark}{}/{}", report.passed, client.steps().count()))
        });
        println!("{:24} {}", client.name, cells.concat());
    }
    mariadb.drop_database(&database);
    if failures.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("\n{}", failures.join("\n"));
    println!("--- log of the embedded proxy ---\n{}\n--- log of the mixed proxy ---\n{}", embedded.log(), mixed.log());
    ExitCode::FAILURE
}
