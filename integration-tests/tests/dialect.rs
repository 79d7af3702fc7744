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
