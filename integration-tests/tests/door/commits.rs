//! A COMMIT that is refused or killed ends its transaction: pools give the connection to the next one without a ROLLBACK.

use cellgate_integration_tests::client::{self, put, refused, rows, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::raw::{COM_QUERY, Raw};
use cellgate_integration_tests::servers::MariaDb;
use cellgate_integration_tests::{Deployment, Proxy};
use mysql_async::Conn;

use super::{LIMIT, until_it_runs};

const ROLLED_BACK: &str = "; the transaction is rolled back";
/// The status flag of an OK packet that says that a transaction is open.
const IN_TRANSACTION: u16 = 0x0001;

async fn three(proxy: &Proxy) -> [Conn; 3] {
    let address = proxy.mysql();
    let conns = [client::connect(address).await, client::connect(address).await, client::connect(address).await];
    let [mut one, two, three] = conns;
    run(&mut one, client::TRIPS).await;
    [one, two, three]
}

async fn count(conn: &mut Conn) -> i64 {
    rows::<i64>(conn, "SELECT COUNT(*) FROM trips").await[0]
}

#[tokio::test]
async fn a_transaction_is_over_when_its_commit_is_refused_whichever_statement_commits() {
    let proxy = Deployment::embedded().start();
    let [mut one, mut holder, mut other] = three(&proxy).await;
    run(&mut one, "SET lock_wait_timeout = 1").await;
    for (version, (opens, commits)) in (1..).zip([
        ("BEGIN", "COMMIT"),
        ("BEGIN", "COMMIT AND CHAIN"),
        ("BEGIN", "BEGIN"),
        ("BEGIN", "FLUSH TABLES"),
        ("BEGIN", "CREATE DATABASE elsewhere"),
        ("BEGIN", "CREATE USER somebody IDENTIFIED BY 'a-password'"),
        ("BEGIN", "LOCK TABLES trips READ"),
        ("SET autocommit = 0", "COMMIT"),
        ("SET autocommit = 0", "SET autocommit = 1"),
    ]) {
        run(&mut one, opens).await;
        put(&mut one, &triple("refused", "BASE", version), "1").await.unwrap();
        run(&mut holder, "LOCK TABLES trips READ").await;
        let refusal = refused(&mut one, commits).await;
        // What is to be repeated is the transaction.
        let told = refusal.message.contains("trips is locked") && refusal.message.ends_with(ROLLED_BACK);
        assert!(refusal.code == 1213 && told, "{commits}: {refusal:?}");
        run(&mut holder, "UNLOCK TABLES").await;
        run(&mut one, "SET autocommit = 1").await;
        // The pool's next one.
        put(&mut one, &triple("acknowledged", "BASE", version), "1").await.unwrap();
        assert_eq!(count(&mut other).await, version, "{commits}");
        run(&mut one, "DELETE FROM trips WHERE row_key = 'nobody'").await;
    }
    for made in ["SHOW DATABASES LIKE 'elsewhere'", "SELECT user FROM mysql.user WHERE user = 'somebody'"] {
        assert_eq!(rows::<String>(&mut other, made).await, [""; 0], "refused and done");
    }
}

#[tokio::test]
async fn a_commit_that_is_killed_while_it_waits_is_rolled_back_and_may_be_repeated() {
    let proxy = Deployment::embedded().start();
    let [mut one, mut holder, mut root] = three(&proxy).await;
    let id = one.id();
    let append = "INSERT INTO trips (row_key, column_key, body) VALUES ('a', 'BASE', '1')";
    for commits in ["COMMIT", "BEGIN", "CREATE DATABASE elsewhere"] {
        let before = count(&mut root).await;
        run(&mut one, "BEGIN").await;
        run(&mut one, append).await;
        run(&mut holder, "LOCK TABLES trips READ").await;
        let killing = async {
            until_it_runs(&mut root, id, commits).await;
            run(&mut root, &format!("KILL QUERY {id}")).await;
        };
        let (refusal, ()) = tokio::join!(refused(&mut one, commits), killing);
        assert!(refusal.code == 1317 && refusal.message.ends_with(ROLLED_BACK), "{commits}: {refusal:?}");
        run(&mut holder, "UNLOCK TABLES").await;
        for statement in ["BEGIN", append, "COMMIT"] {
            run(&mut one, statement).await;
        }
        assert_eq!(count(&mut root).await, before + 1, "{commits}");
    }
}

#[tokio::test]
async fn what_waited_for_a_lock_is_not_written_if_its_own_lock_was_lost_meanwhile() {
    let mut builder = Builder::new();
    let meta = builder.shared_mariadb_database();
    let proxy = builder.topology(SHARDS, Some(&meta)).shared_mariadb("m").build().start();
    let [mut one, mut holder, mut root] = three(&proxy).await;
    let database = meta.rsplit('/').next().unwrap();
    let id = one.id();
    let insert = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '1')";
    // What is to be repeated is the transaction, or the statement.
    for (before, writes, code) in [(vec!["BEGIN", insert], "COMMIT", 1213), (vec![], insert, 1205)] {
        assert_eq!(rows::<i64>(&mut one, "SELECT GET_LOCK('a', 0)").await, [1]);
        for statement in before {
            run(&mut one, statement).await;
        }
        run(&mut holder, "LOCK TABLES trips READ").await;
        let losing = async {
            until_it_runs(&mut root, id, &writes[..6]).await;
            MariaDb::shared().execute(&format!("DELETE FROM `{database}`.cg_meta WHERE name = 'locks'"));
        };
        let (lost, ()) = tokio::join!(refused(&mut one, writes), losing);
        assert!(lost.code == code && lost.message.contains("were lost"), "{writes}: {lost:?}");
        assert_eq!(count(&mut root).await, 0, "{writes}");
        assert_eq!(refused(&mut holder, "SELECT COUNT(*) FROM trips").await.code, 1205, "its lock was lost, too");
    }
    run(&mut one, insert).await;
}

#[tokio::test]
async fn behind_a_refused_commit_no_transaction_is_shown() {
    let proxy = Deployment::embedded().start();
    let [_, mut holder, _] = three(&proxy).await;
    let mut raw = Raw::login(proxy.mysql(), LIMIT).unwrap();
    let mut flags = |statement: &str| {
        raw.command(COM_QUERY, statement.as_bytes()).unwrap();
        let packet = raw.read_packet().unwrap();
        // OK, affected rows and insert id (each below 251), status.
        assert!(packet[0] == 0 || statement == "COMMIT", "{statement}: {packet:?}");
        u16::from_le_bytes([packet[3], packet[4]])
    };
    flags("SET lock_wait_timeout = 1");
    assert_eq!(flags("BEGIN") & IN_TRANSACTION, IN_TRANSACTION);
    let insert = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ('a', 'BASE', 1, '1')";
    assert_eq!(flags(insert) & IN_TRANSACTION, IN_TRANSACTION);
    run(&mut holder, "LOCK TABLES trips READ").await;
    flags("COMMIT");
    run(&mut holder, "UNLOCK TABLES").await;
    assert_eq!(flags("DO 0") & IN_TRANSACTION, 0);
    assert_eq!(flags(insert) & IN_TRANSACTION, 0);
    assert_eq!(count(&mut holder).await, 1);
}

#[tokio::test]
async fn of_two_transactions_that_were_told_a_cell_is_new_one_commits_it() {
    let proxy = Deployment::mixed().start();
    let [mut one, mut two, _] = three(&proxy).await;
    let claim = triple("job", "OWNER", 1);
    for conn in [&mut one, &mut two] {
        run(conn, "BEGIN").await;
        assert_eq!(put(conn, &claim, "1").await.unwrap(), 1);
    }
    run(&mut one, "COMMIT").await;
    assert_eq!(refused(&mut two, "COMMIT").await.code, 1213);
    // Repeated, it is told that the cell is there.
    run(&mut two, "BEGIN").await;
    assert_eq!(put(&mut two, &claim, "1").await.unwrap(), 0);
    run(&mut two, "COMMIT").await;
}
