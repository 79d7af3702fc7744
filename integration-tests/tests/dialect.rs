//! Golden scripts of the dialect, on embedded Cellgate, on a mixed deployment, and the common ones on a real MariaDB.

use std::net::{Ipv4Addr, SocketAddr};

use cellgate_integration_tests::golden::{self, Script, Server};
use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::{Deployment, Proxy};

async fn on_cellgate(proxy: &Proxy, server: Server) -> Vec<String> {
    let mut differences = Vec::new();
    for script in Script::all() {
        // Each script makes its own tables, in a database of its own.
        let database = format!("golden_{}", script.name);
        let mut conn = golden::connect(proxy.mysql(), "test").await;
        cellgate_integration_tests::client::run(&mut conn, &format!("CREATE DATABASE {database}")).await;
        let mut conn = golden::connect(proxy.mysql(), &database).await;
        let transcript = script.transcript(&mut conn).await;
        differences.extend(script.compare(server, &transcript).err());
    }
    differences
}

fn none(differences: &[String]) {
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[tokio::test]
async fn golden_scripts_answer_the_same_on_embedded_cellgate() {
    none(&on_cellgate(&Deployment::embedded().start(), Server::Embedded).await);
}

#[tokio::test]
async fn golden_scripts_answer_the_same_on_a_mixed_deployment() {
    none(&on_cellgate(&Deployment::mixed().start(), Server::Mixed).await);
}

#[tokio::test]
async fn common_golden_scripts_answer_the_same_on_mariadb() {
    let server = MariaDb::shared();
    let mut differences = Vec::new();
    let mut common = 0;
    for script in Script::all().into_iter().filter(|script| script.common) {
        common += 1;
        let database = server.create_database_of_bytes();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()));
        let mut conn = golden::connect(address, &database).await;
        let transcript = script.transcript(&mut conn).await;
        differences.extend(script.compare(Server::MariaDb, &transcript).err());
        server.drop_database(&database);
    }
    assert!(common > 0, "no script is marked common");
    none(&differences);
}

/// Over a derived table an expression goes through another parser, and to another engine, than over no table.
#[tokio::test]
async fn expressions_mean_the_same_over_no_table_and_in_a_relational_select() {
    let proxy = Deployment::embedded().start();
    let mut conn = golden::connect(proxy.mysql(), "test").await;
    let script = Script::all().into_iter().find(|script| script.name == "expressions").expect("the script is there");
    let mut differences = Vec::new();
    let mut asked = 0;
    for statement in script.statements() {
        let statement = statement.trim_end_matches(';');
        let alone = golden::answer(&mut conn, statement, false).await;
        if !statement.starts_with("SELECT ") || statement.contains(" FROM ") {
            continue;
        }
        asked += 1;
        let relational = golden::answer(&mut conn, &format!("{statement} FROM (SELECT 1) AS one_row"), false).await;
        if alone != relational {
            differences.push(format!("{statement}\n{alone}in a relational SELECT\n{relational}"));
        }
    }
    assert!(asked > 40, "only {asked} statements are over no table");
    none(&differences);
}
