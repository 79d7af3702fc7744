//! SIGHUP: the configuration is read again while clients are served.

use std::os::unix::fs::PermissionsExt as _;

use cellgate_integration_tests::client::{self, TRIPS, put, rows, run, triple};
use cellgate_integration_tests::process::Signal;
use cellgate_integration_tests::{Deployment, wait};
use mysql_async::prelude::Queryable;

use super::SHORT;

#[tokio::test]
async fn sighup_does_not_disturb_a_connection() {
    let mut proxy = Deployment::mixed().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    proxy.signal(Signal::Hup);
    let log = proxy.until_logged("a line about the signal", |log| log.contains("configuration"));
    assert!(!log.contains("not reloaded"), "{log}");
    assert!(proxy.is_running());
    assert_eq!(put(&mut conn, &triple("a", "BASE", 1), "1").await.unwrap(), 1);
}

#[tokio::test]
async fn sighup_takes_over_what_can_change_and_names_what_needs_a_restart() {
    let deployment = Deployment::configured("[log]\nslow_query = \"0s\"\n");
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    put(&mut conn, &triple("a", "BASE", 1), "\"very-private\"").await.unwrap();
    proxy.until_logged("the slow-query log", |log| log.contains("INSERT INTO trips"));
    run(&mut conn, "SET sql_mode = 'NO_BACKSLASH_ESCAPES'").await;
    let read = r"SELECT body FROM trips WHERE row_key = 'C:\' AND column_key = 'very-private' AND ref_key = 1";
    assert_eq!(rows::<String>(&mut conn, read).await, Vec::<String>::new());
    run(&mut conn, "SET sql_mode = DEFAULT").await;
    let log = proxy.until_logged("the slow-query log", |log| log.contains("SET sql_mode = DEFAULT"));
    assert!(!log.contains("very-private"), "literals are masked:\n{log}");

    let file = deployment.config().expect("configured").to_owned();
    let changed = "[log]\nslow_query = \"off\"\n[limits]\nmax_connections = 7\n[[user]]\nname = \"root\"\n\
                   [[user]]\nname = \"late\"\npassword = \"secret-word\"\n";
    std::fs::write(&file, changed).unwrap();
    proxy.signal(Signal::Hup);
    let late = || client::options(proxy.mysql()).user(Some("late")).pass(Some("secret-word"));
    wait::until_async("the new user", SHORT, async || client::try_connect(late()).await.ok()).await;
    let log = proxy.until_logged("what needs a restart", |log| {
        log.contains("need a restart") && log.contains("limits.max_connections")
    });
    assert!(!log.contains("secret-word"), "a password is logged");

    // What is risky about it is said again.
    let password = deployment.directory().join("late.pw");
    std::fs::write(&password, "secret-word").unwrap();
    std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o644)).unwrap();
    let shared = format!("[[user]]\nname = \"root\"\n[[user]]\nname = \"late\"\npassword_file = {password:?}\n");
    std::fs::write(&file, shared).unwrap();
    proxy.signal(Signal::Hup);
    proxy.until_logged("a warning", |log| log.contains("late.pw can be read by every user of this machine"));

    // A file with an error changes nothing.
    std::fs::write(&file, "[limits]\nmax_conections = 7\n").unwrap();
    proxy.signal(Signal::Hup);
    proxy.until_logged("the refusal", |log| log.contains("not reloaded"));
    client::try_connect(late()).await.unwrap();
    assert_eq!(put(&mut conn, &triple("a", "BASE", 2), "1").await.unwrap(), 1);
}

#[tokio::test]
async fn a_file_that_is_half_written_takes_no_user_away() {
    let user = "[[user]]\nname = \"app\"\npassword = \"secret-word\"\n";
    let deployment = Deployment::configured(user);
    let proxy = deployment.start();
    std::fs::write(deployment.config().expect("configured"), "").unwrap();
    proxy.signal(Signal::Hup);
    proxy.until_logged("the refusal", |log| log.contains("not reloaded") && log.contains("names no user any more"));
    let login = |name: &str, password| client::options(proxy.mysql()).user(Some(name.to_owned())).pass(password);
    client::try_connect(login("app", Some("secret-word"))).await.unwrap();
    client::try_connect(login("root", None)).await.unwrap_err();
}

#[tokio::test]
async fn a_file_that_hangs_keeps_nobody_waiting_and_the_program_from_no_stop() {
    let deployment = Deployment::configured("[log]\nlevel = \"info\"\n");
    let mut proxy = deployment.start();
    let file = deployment.config().expect("configured").to_owned();
    std::fs::remove_file(&file).unwrap();
    // Nobody writes to the pipe.
    rustix::fs::mkfifoat(rustix::fs::CWD, &file, rustix::fs::Mode::RWXU).unwrap();
    for _ in 0..2 {
        proxy.signal(Signal::Hup);
        let mut conn = client::connect(proxy.mysql()).await;
        run(&mut conn, TRIPS).await;
        run(&mut conn, "DROP TABLE trips").await;
    }
    assert!(!proxy.log().contains("not reloaded"), "{}", proxy.log());
    assert_eq!(proxy.terminate().code(), Some(0), "{}", proxy.log());
}

#[tokio::test]
async fn variables_show_what_is_configured_and_what_a_reload_made_of_it() {
    let text = |seconds: u64, statements: u64| {
        format!("[timeouts]\nread = \"{seconds}s\"\n[limits]\nprepared_statements = {statements}\n")
    };
    let deployment = Deployment::configured(&text(45, 77));
    let proxy = deployment.start();
    let shown = async || {
        let mut conn = client::connect(proxy.mysql()).await;
        let row: Option<(u64, u64)> =
            conn.query_first("SELECT @@net_read_timeout, @@max_prepared_stmt_count").await.unwrap();
        row.expect("a row")
    };
    assert_eq!(shown().await, (45, 77));
    std::fs::write(deployment.config().expect("configured"), text(50, 88)).unwrap();
    proxy.signal(Signal::Hup);
    wait::until_async("the new values", SHORT, async || (shown().await == (50, 88)).then_some(())).await;
}
