//! Golden scripts of the dialect, on embedded Cellgate, on a mixed deployment, and the common ones on a real MariaDB.

use std::net::{Ipv4Addr, SocketAddr};

use cellgate_integration_tests::golden::{self, Script, Server};
use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::{Deployment, Proxy, client};
use mysql_async::prelude::Queryable;

async fn on_cellgate(proxy: &Proxy, server: Server) -> Vec<String> {
    let mut differences = Vec::new();
    for script in Script::all() {
        // Each script makes its own tables, in a database of its own.
        let database = format!("golden_{}", script.name);
        let mut conn = golden::connect(proxy.mysql(), "test").await;
        client::run(&mut conn, &format!("CREATE DATABASE {database}")).await;
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

/// The golden script has the same of statements prepared by name; these go by the protocol, the short way and the long way.
#[tokio::test]
async fn a_statement_prepared_by_the_protocol_is_of_the_database_it_was_prepared_in() {
    let proxy = Deployment::embedded().start();
    let mut conn = golden::connect(proxy.mysql(), "test").await;
    for database in ["one", "two"] {
        client::run(&mut conn, &format!("CREATE DATABASE {database}")).await;
        client::run(&mut conn, &format!("CREATE TABLE {database}.trips ENGINE=CELLS")).await;
        let put = "trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1";
        client::run(&mut conn, &format!("INSERT INTO {database}.{put}, '\"{database}\"')")).await;
    }
    client::run(&mut conn, "USE one").await;
    let exact = "SELECT body FROM trips WHERE row_key = ? AND column_key = 'BASE' AND ref_key = ?";
    let exact = conn.prep(exact).await.unwrap();
    let counted = conn.prep("SELECT COUNT(*) FROM trips WHERE row_key = ?").await.unwrap();
    let named = conn.prep("SELECT DATABASE()").await.unwrap();
    let put = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (?, 'BASE', ?, '1')";
    let put = conn.prep(put).await.unwrap();
    client::run(&mut conn, "USE two").await;
    conn.exec_drop(&put, ("a", 2)).await.unwrap();
    conn.exec_drop(&put, ("b", 1)).await.unwrap();
    client::run(&mut conn, "BEGIN").await;
    conn.exec_drop(&put, ("a", 3)).await.unwrap();
    client::run(&mut conn, "COMMIT").await;
    for (number, what) in [(1, Some("\"one\"")), (2, Some("1")), (3, Some("1")), (4, None)] {
        let body: Option<String> = conn.exec_first(&exact, ("a", number)).await.unwrap();
        assert_eq!(body.as_deref(), what, "{number}");
    }
    assert_eq!(conn.exec_first(&counted, ("a",)).await.unwrap(), Some(3));
    assert_eq!(conn.exec_first(&named, ()).await.unwrap(), Some("one".to_owned()));
    assert_eq!(conn.query_first("SELECT DATABASE()").await.unwrap(), Some("two".to_owned()));
    assert_eq!(conn.query_first("SELECT COUNT(*) FROM trips WHERE row_key = 'a'").await.unwrap(), Some(1));
    // A plan that both sessions share is of each one's own database.
    let mut other = golden::connect(proxy.mysql(), "two").await;
    let text = "SELECT body FROM trips WHERE row_key = ? AND column_key = 'BASE' AND ref_key = ?";
    let body: Option<String> = other.exec_first(text, ("a", 1)).await.unwrap();
    assert_eq!(body.as_deref(), Some("\"two\""));
    let body: Option<String> = conn.exec_first(&exact, ("a", 1)).await.unwrap();
    assert_eq!(body.as_deref(), Some("\"one\""));
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
