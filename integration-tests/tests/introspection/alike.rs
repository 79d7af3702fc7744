//! What a table says of itself here and on a real MariaDB.

use std::net::{Ipv4Addr, SocketAddr};

use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::{Deployment, client, golden};

use super::{answer, shop};

/// What a table made by `TRIPS` says of itself that MySQL and MariaDB agree on.
const ALIKE: &[&str] = &[
    "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = DATABASE()",
    "SELECT column_name, ordinal_position, is_nullable, character_maximum_length, datetime_precision FROM \
     information_schema.columns WHERE table_schema = DATABASE() AND data_type <> 'json' AND data_type <> 'longtext' \
     ORDER BY 2",
    "SELECT c.column_name, COUNT(*) n FROM information_schema.columns c JOIN information_schema.tables t USING \
     (table_schema, table_name) WHERE t.table_schema = DATABASE() GROUP BY c.column_name HAVING n > 0 ORDER BY \
     c.column_name DESC LIMIT 3",
    "SELECT EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'trips') e, \
     (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()) n",
    "SELECT GROUP_CONCAT(column_name ORDER BY ordinal_position SEPARATOR ', ') c FROM information_schema.columns WHERE \
     table_schema = DATABASE() AND table_name IN (SELECT table_name FROM information_schema.tables WHERE table_type = \
     'BASE TABLE')",
];

#[tokio::test]
async fn a_table_looks_as_on_mariadb() {
    let proxy = Deployment::embedded().start();
    let server = MariaDb::shared();
    let database = server.create_database_of_bytes();
    let mut first = golden::connect(proxy.mysql(), "test").await;
    client::run(&mut first, &format!("CREATE DATABASE {database}")).await;
    let mut ours = shop(proxy.mysql(), &database).await;
    let mut theirs = shop(SocketAddr::from((Ipv4Addr::LOCALHOST, server.port())), &database).await;
    for statement in ALIKE {
        let (_, ours) = answer(&mut ours, statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        let (_, theirs) = answer(&mut theirs, statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        assert_eq!(ours, theirs, "{statement}");
    }
    server.drop_database(&database);
}
