//! The program as its user meets it: starting, refusing to, stopping, health, metrics, signals.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_integration_tests::Deployment;
use cellgate_integration_tests::client::{self, TRIPS, get, put, rows, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::http;
use cellgate_integration_tests::process::{self, Process, Signal};
use cellgate_integration_tests::proxy::{self, Options};
use cellgate_integration_tests::raw::{COM_QUERY, Raw, Reply};
use cellgate_integration_tests::servers::{MariaDb, Postgres, free_port};
use cellgate_integration_tests::{settings, wait};
use mysql_async::prelude::Queryable;

const SHORT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn the_ready_line_names_ports_that_answer() {
    let proxy = Deployment::embedded().start();
    assert_ne!(proxy.mysql().port(), 0);
    assert_ne!(proxy.http().port(), 0);
    let mut conn = client::connect(proxy.mysql()).await;
    let two: Option<i64> = conn.query_first("SELECT 1 + 1").await.unwrap();
    assert_eq!(two, Some(2));
    assert_eq!(http::get(proxy.http(), "/healthz").unwrap().status, 200);
    assert_eq!(http::get(proxy.http(), "/readyz").unwrap().status, 200);
    assert_eq!(http::get(proxy.http(), "/nothing").unwrap().status, 404);
}

#[tokio::test]
async fn metrics_count_what_was_put_and_read() {
    let proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let before = http::metrics(proxy.http()).unwrap();
    for reference in 1..=5 {
        put(&mut conn, &triple("a", "BASE", reference), "{}").await.unwrap();
        get(&mut conn, &triple("a", "BASE", reference)).await.unwrap();
    }
    // Behind the others: they are counted by now.
    run(&mut conn, "DO 1").await;
    let after = http::metrics(proxy.http()).unwrap();
    let grown = |family: &str| http::total(&after, family) - http::total(&before, family);
    assert_eq!(grown("cellgate_cells_written_total"), 5.0);
    assert_eq!(grown("cellgate_cells_read_total"), 5.0);
    assert!(grown("cellgate_queries_total") >= 10.0);
    assert!(http::total(&after, "cellgate_connections_open") >= 1.0);
}

#[test]
fn a_second_process_on_the_same_directory_is_refused() {
    let deployment = Deployment::embedded();
    let first = deployment.start();
    let refusal = deployment.try_start(Options::default()).expect_err("two processes share a directory");
    let status = refusal.status.expect("it ends");
    assert!(!status.success());
    assert!(refusal.log.contains("data"), "the reason is missing: {}", refusal.log);
    drop(first);
    // The lock goes with the process, however that ended.
    deployment.start();
}

#[test]
fn two_processes_with_directories_of_their_own_do_not_meet() {
    let deployment = Deployment::embedded();
    let first = deployment.start();
    let second = deployment.start_with(Options { data: "other".to_owned(), ..Options::default() });
    assert_ne!(first.mysql(), second.mysql());
}

#[tokio::test]
async fn files_are_nobody_elses() {
    let deployment = Deployment::embedded();
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    put(&mut conn, &triple("a", "BASE", 1), "{}").await.unwrap();
    let (mut directories, mut names) = (vec![deployment.directory().join("data")], Vec::new());
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            assert_eq!(metadata.permissions().mode() & 0o027, 0, "{}", entry.path().display());
            if metadata.is_dir() {
                directories.push(entry.path());
            }
            names.push(entry.file_name().into_string().unwrap());
        }
    }
    for ending in [".db", ".db-wal", ".db-shm", ".db.lock"] {
        assert!(names.iter().any(|name| name.ends_with(ending)), "{names:?}");
    }
    // One that is open to all, as an earlier version made them.
    drop(proxy);
    let meta = deployment.directory().join("data/meta.db");
    std::fs::set_permissions(&meta, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(deployment.start().log().contains("chmod o-rwx"));
}

#[tokio::test]
async fn a_proxy_that_stops_is_not_ready_any_more() {
    let mut proxy = Deployment::configured("[timeouts]\nshutdown = \"1m\"\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    let mut busy = client::connect(proxy.mysql()).await;
    let held = tokio::spawn(async move { busy.query_drop("SELECT SLEEP(8)").await });
    wait::until_async("a statement at work", SHORT, async || {
        let running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'";
        conn.query_first::<u8, _>(running).await.unwrap().filter(|running| *running == 1)
    })
    .await;
    proxy.signal(Signal::Term);
    let answer = wait::until("a refusal", SHORT, || {
        http::get(proxy.http(), "/readyz").ok().filter(|answer| answer.status != 200)
    });
    assert_eq!(answer.status, 503);
    assert!(answer.text.contains("the proxy is stopping"), "{}", answer.text);
    held.await.unwrap().unwrap();
    assert_eq!(proxy.wait().code(), Some(0));
}

#[tokio::test]
async fn a_proxy_that_drains_is_not_ready_and_serves_old_and_new_clients() {
    let mut proxy = Deployment::configured("[timeouts]\ndrain = \"1h\"\nshutdown = \"1m\"\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let told = Instant::now();
    proxy.signal(Signal::Term);
    wait::until("a refusal", SHORT, || http::get(proxy.http(), "/readyz").ok().filter(|answer| answer.status == 503));
    for reference in 1..=3 {
        let mut new = client::connect(proxy.mysql()).await;
        put(&mut new, &triple("a", "BASE", reference), "1").await.unwrap();
        assert_eq!(get(&mut conn, &triple("a", "BASE", reference)).await.unwrap().as_deref(), Some("1"));
        new.disconnect().await.unwrap();
    }
    let mut busy = client::connect(proxy.mysql()).await;
    let held = tokio::spawn(async move { busy.query_drop("SELECT SLEEP(5)").await });
    wait::until_async("a statement at work", SHORT, async || {
        let running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'";
        conn.query_first::<u8, _>(running).await.unwrap().filter(|running| *running == 1)
    })
    .await;
    // Another signal ends that, and what is running is finished.
    wait::until("the time of one wish", SHORT, || (told.elapsed() > Duration::from_secs(1)).then_some(()));
    proxy.signal(Signal::Int);
    wait::until("the end of draining", SHORT, || proxy.log().contains("finishing what is running").then_some(()));
    held.await.unwrap().unwrap();
    assert_eq!(proxy.wait().code(), Some(0), "{}", proxy.log());
}

#[tokio::test]
async fn a_transaction_is_let_finish_when_the_program_is_told_to_stop() {
    let mut proxy = Deployment::configured("[timeouts]\nshutdown = \"1m\"\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    run(&mut conn, "BEGIN").await;
    put(&mut conn, &triple("a", "BASE", 1), "1").await.unwrap();
    proxy.signal(Signal::Term);
    wait::until("the stop", SHORT, || proxy.log().contains("finishing what is running").then_some(()));
    put(&mut conn, &triple("a", "BASE", 2), "2").await.unwrap();
    run(&mut conn, "COMMIT").await;
    assert!(conn.query_drop("SELECT 1").await.is_err());
    assert_eq!(proxy.wait().code(), Some(0), "{}", proxy.log());
    proxy.restart();
    let mut conn = client::connect(proxy.mysql()).await;
    for (reference, body) in [(1, "1"), (2, "2")] {
        assert_eq!(get(&mut conn, &triple("a", "BASE", reference)).await.unwrap().as_deref(), Some(body));
    }
}

#[tokio::test]
async fn who_is_cut_off_at_work_is_told_so_and_who_is_idle_is_not() {
    let mut proxy = Deployment::configured("[timeouts]\nshutdown = \"1s\"\n").start();
    let [mut idle, mut busy] = [(); 2].map(|()| Raw::login(proxy.mysql(), SHORT).unwrap());
    assert_eq!(idle.query(b"BEGIN").unwrap(), Reply::Ok);
    busy.command(COM_QUERY, b"SELECT SLEEP(3000)").unwrap();
    let mut conn = client::connect(proxy.mysql()).await;
    wait::until_async("a statement at work", SHORT, async || {
        let running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'";
        conn.query_first::<u8, _>(running).await.unwrap().filter(|running| *running == 1)
    })
    .await;
    proxy.signal(Signal::Term);
    assert_eq!(busy.reply().unwrap(), Reply::Error(1053));
    assert_eq!(proxy.wait().code(), Some(0), "{}", proxy.log());
    assert_eq!(idle.drain().unwrap(), 0, "bytes nobody asked for");
}

#[tokio::test]
async fn sigterm_ends_with_success_and_keeps_every_cell() {
    let mut proxy = Deployment::embedded().start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    put(&mut conn, &triple("a", "BASE", 1), "1").await.unwrap();
    assert_eq!(proxy.terminate().code(), Some(0), "{}", proxy.log());
    assert!(client::try_connect(client::options(proxy.mysql())).await.is_err());
    proxy.restart();
    let mut conn = client::connect(proxy.mysql()).await;
    assert_eq!(get(&mut conn, &triple("a", "BASE", 1)).await.unwrap().as_deref(), Some("1"));
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_what_is_running() {
    let mut proxy = Deployment::configured("[timeouts]\nshutdown = \"1h\"\n").start();
    let mut conn = client::connect(proxy.mysql()).await;
    let mut busy = client::connect(proxy.mysql()).await;
    let held = tokio::spawn(async move { busy.query_drop("SELECT SLEEP(3000)").await });
    wait::until_async("a statement at work", SHORT, async || {
        let running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'";
        conn.query_first::<u8, _>(running).await.unwrap().filter(|running| *running == 1)
    })
    .await;
    proxy.signal(Signal::Term);
    proxy.until_logged("the stop", |log| log.contains("finishing what is running"));
    proxy.signal(Signal::Hup);
    let refused = "is not reloaded: the program is stopping";
    proxy.until_logged("the reload to be refused", |log| log.contains(refused));
    assert!(proxy.is_running());
    // At once behind the first it is the same wish.
    wait::until("the stop at once", SHORT, || {
        proxy.signal(Signal::Term);
        proxy.log().contains("asked twice").then_some(())
    });
    assert_eq!(proxy.wait().code(), Some(0), "{}", proxy.log());
    assert!(held.await.unwrap().is_err());
    proxy.until_logged("what became of the statement", |log| log.contains("still busy are cut off"));
}

#[test]
fn a_signal_ends_a_start_that_waits_for_a_store() {
    // It takes connections and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let home = tempfile::tempdir().expect("a temporary directory");
    let config = home.path().join("cellgate.toml");
    let meta = format!("meta = \"mysql://cell@{}/meta\"", silent.local_addr().expect("bound"));
    std::fs::write(&config, format!("[timeouts]\nconnect = \"10m\"\n[topology]\n{meta}\n")).expect("writable");
    for signal in [Signal::Term, Signal::Int] {
        let mut command = process::tethered(settings::binary(), None);
        command.args(["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--config"]).arg(&config);
        command.current_dir(home.path()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
        let mut program = Process::spawn(&mut command);
        let (waiting, _) = silent.accept().expect("the program connects to its meta store");
        program.signal(signal);
        let status = wait::until("the end", SHORT, || program.ended());
        assert_eq!(status.code(), Some(0), "{signal:?}");
        drop(waiting);
    }
}

#[test]
fn sigint_ends_with_success() {
    let mut proxy = Deployment::embedded().start();
    proxy.signal(Signal::Int);
    assert_eq!(proxy.wait().code(), Some(0), "{}", proxy.log());
}

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

#[test]
fn an_open_address_without_passwords_is_refused_with_the_reason() {
    let deployment = Deployment::embedded();
    let options = Options { listen: "0.0.0.0:0".to_owned(), ..Options::default() };
    let refusal = deployment.try_start(options).expect_err("root without a password for everybody");
    assert!(!refusal.status.expect("it ends").success());
    assert!(refusal.log.contains("password"), "the reason is missing: {}", refusal.log);
}

#[test]
fn an_unknown_key_in_the_configuration_is_refused_with_the_nearest_known() {
    let deployment = Deployment::configured("[topology]\nvirtual_shard = 16\n");
    let refusal = deployment.try_start(Options::default()).expect_err("a misspelt key");
    assert!(refusal.log.contains("virtual_shards"), "{}", refusal.log);
}

#[test]
fn the_number_of_shards_is_fixed_at_creation() {
    let deployment = Deployment::configured("[topology]\nvirtual_shards = 16\n");
    drop(deployment.start());
    std::fs::write(deployment.config().expect("configured"), "[topology]\nvirtual_shards = 32\n").unwrap();
    let refusal = deployment.try_start(Options::default()).expect_err("another number of shards");
    assert!(refusal.log.contains("16") && refusal.log.contains("32"), "{}", refusal.log);
}

#[tokio::test]
async fn a_reader_of_the_log_that_stops_reading_stops_nothing_else() {
    let deployment = Deployment::configured("[log]\nslow_query = \"0s\"\n");
    let mut proxy = deployment.start_with(Options { read_log: false, ..Options::default() });
    let mut conn = client::connect(proxy.mysql()).await;
    // A pipe holds 64 KiB, the queue 8 MiB: the line of each statement shows 8 KiB of it.
    let long = format!("SELECT 1 AS {}", "y".repeat(1 << 14));
    for _ in 0..2000 {
        // The name is too long: what is no statement of ours is logged as well.
        let _ = conn.query_drop(&long).await;
    }
    let mut other = client::connect(proxy.mysql()).await;
    run(&mut other, "DO 1").await;
    assert_eq!(http::get(proxy.http(), "/healthz").unwrap().status, 200);
    assert!(proxy.metric("cellgate_log_lines_lost_total") >= 1.0);
    assert_eq!(proxy.terminate().code(), Some(0));
}

#[test]
fn a_log_that_cannot_be_written_prevents_neither_the_start_nor_the_end() {
    let (mysql, web) = (free_port(), free_port());
    let home = tempfile::tempdir().expect("a temporary directory");
    let mut command = process::tethered(settings::binary(), None);
    command.arg("serve").arg("--data-dir").arg(home.path().join("data"));
    command.args(["--listen", &format!("127.0.0.1:{mysql}"), "--http", &format!("127.0.0.1:{web}")]);
    command.current_dir(home.path()).stdout(std::process::Stdio::null());
    command.stderr(std::fs::File::options().write(true).open("/dev/full").expect("the device"));
    let mut program = Process::spawn(&mut command);
    let address = ([127, 0, 0, 1], web).into();
    wait::until("the program", wait::PATIENCE, || {
        assert_eq!(program.ended(), None, "it ended");
        http::get(address, "/readyz").ok().filter(|answer| answer.status == 200)
    });
    let lost = http::total(&http::metrics(address).unwrap(), "cellgate_log_lines_lost_total");
    assert!(lost >= 1.0, "{lost}");
    program.signal(Signal::Term);
    let status = wait::until("the end", wait::PATIENCE, || program.ended());
    assert_eq!(status.code(), Some(0));

    let mut command = process::tethered(settings::binary(), None);
    command.args(["check", "--config", "/nowhere"]).stdout(std::process::Stdio::null());
    command.stderr(std::fs::File::options().write(true).open("/dev/full").expect("the device"));
    let mut program = Process::spawn(&mut command);
    assert_eq!(wait::until("the end", SHORT, || program.ended()).code(), Some(1));
}

#[tokio::test]
async fn without_free_descriptors_clients_are_refused_and_health_checks_are_not() {
    let proxy = Deployment::embedded().start_with(Options { open_files: Some(140), ..Options::default() });
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let held: Vec<_> = (0..200).map(|_| std::net::TcpStream::connect(proxy.mysql()).unwrap()).collect();
    let refused = || (proxy.metric("cellgate_connections_refused_total") > 0.0).then_some(());
    wait::until("refusals", SHORT, refused);
    assert_eq!(http::get(proxy.http(), "/healthz").unwrap().status, 200);
    put(&mut conn, &triple("a", "BASE", 1), "1").await.unwrap();
    let told = |log: &str| log.matches("nearly as many files are open as may be").count();
    let log = proxy.until_logged("the reason", |log| told(log) > 0);
    assert!((1..=3).contains(&told(&log)), "{log}");
    drop(held);
    wait::until_async("a place", SHORT, async || client::try_connect(client::options(proxy.mysql())).await.ok()).await;
}

#[test]
fn check_connect_says_what_a_start_would_refuse() {
    let deployment = Builder::new().topology(SHARDS, None).sqlite("a").sqlite("b").build();
    drop(deployment.start());
    let config = deployment.config().expect("configured").to_owned();
    let text = std::fs::read_to_string(&config).unwrap();
    let check = |text: &str| {
        std::fs::write(&config, text.replace("[topology]\n", &meta(&deployment))).unwrap();
        proxy::run(&["check", "--connect", "--config", &config.display().to_string()], SHORT)
    };
    let (status, out, err) = check(&text);
    assert!(status.success() && err.contains("deployment: what the configuration says fits the stores"), "{out}{err}");
    let swapped = text.replace("a.db", "c.db").replace("b.db", "a.db").replace("c.db", "b.db");
    let (status, out, err) = check(&swapped);
    assert!(!status.success() && err.contains("the cluster number is"), "{out}{err}");
    let without = text.split("[[cluster]]\nname = \"b\"").next().unwrap();
    let (status, out, err) = check(without);
    assert!(!status.success() && err.contains("there is no [[cluster]] named \"b\""), "{out}{err}");
}

#[test]
fn check_connect_names_the_right_that_a_start_would_miss_on_a_postgresql() {
    let server = Postgres::shared();
    let (database, to_be_made) = (server.create_database(), format!("{}_new", server.create_database()));
    let role = format!("{database}_role");
    server.execute("postgres", &format!("CREATE ROLE {role} LOGIN"));
    server.execute(&database, "REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE SCHEMA of_others");
    let url = |database: &str| server.url(database).replace("postgres@", &format!("{role}@"));
    let check = |cluster: &str, missing: Option<&str>| {
        let deployment = Builder::new().topology(SHARDS, None).cluster("p", cluster).build();
        let config = deployment.config().expect("configured").display().to_string();
        let (status, _, err) = proxy::run(&["check", "--connect", "--config", &config], SHORT);
        let said = missing.unwrap_or("cluster p: reached, empty");
        assert!(status.success() == missing.is_none() && err.contains(said), "{cluster}: {said}: {err}");
        // A start agrees with it.
        let started = deployment.try_start(Options::default()).map_err(|not_ready| not_ready.log);
        assert_eq!(started.is_ok(), missing.is_none(), "{cluster}: {:?}", started.err());
    };
    let of_others = format!("{}?schema=of_others", url(&database));
    check(&url(&to_be_made), Some(&format!("CREATE DATABASE {to_be_made} OWNER {role}")));
    check(&url(&database), Some(&format!("GRANT USAGE, CREATE ON SCHEMA public TO {role}")));
    check(&of_others, Some(&format!("GRANT USAGE, CREATE ON SCHEMA of_others TO {role}")));
    let of_none = format!("{}?schema=of_none", url(&database));
    check(&of_none, Some(&format!("GRANT CREATE ON DATABASE {database} TO {role}")));
    server.execute(&database, &format!("GRANT CREATE, USAGE ON SCHEMA of_others TO {role}"));
    check(&of_others, None);
    server.execute(&database, &format!("ALTER ROLE {role} CREATEDB"));
    check(&url(&to_be_made), None);
    for name in [&to_be_made, &database, &to_be_made.replace("_new", "")] {
        server.drop_database(name);
    }
    server.execute("postgres", &format!("DROP ROLE {role}"));
}

#[test]
fn check_connect_leaves_no_lock_file_behind() {
    let deployment = Builder::new().topology(SHARDS, None).sqlite("a").build();
    drop(deployment.start());
    let config = deployment.config().expect("configured");
    let text = std::fs::read_to_string(config).unwrap();
    std::fs::write(config, text.replace("[topology]\n", &meta(&deployment))).unwrap();
    // As behind a restore: lock files are in no backup. One that another user makes keeps Cellgate's from starting.
    let locks = [deployment.directory().join("a.db.lock"), deployment.directory().join("data/meta.db.lock")];
    for lock in &locks {
        std::fs::remove_file(lock).expect("a start has made it");
    }
    let (status, out, err) = proxy::run(&["check", "--connect", "--config", &config.display().to_string()], SHORT);
    assert!(status.success() && err.contains("deployment: what the configuration says fits the stores"), "{out}{err}");
    for lock in &locks {
        assert!(!lock.exists(), "{} was made", lock.display());
    }
    let proxy = deployment.start();
    let (status, _, err) = proxy::run(&["check", "--connect", "--config", &config.display().to_string()], SHORT);
    assert!(!status.success() && err.contains("is in use by another process"), "{err}");
    drop(proxy);
}

/// `[topology]` with the meta store that a start without `meta` has made in its data directory.
fn meta(deployment: &Deployment) -> String {
    format!("[topology]\nmeta = \"sqlite:{}\"\n", deployment.directory().join("data/meta.db").display())
}

#[test]
fn help_and_version_are_printed_and_a_wrong_option_is_refused() {
    let (status, out, _) = proxy::run(&["--version"], SHORT);
    assert!(status.success() && out.contains(env!("CARGO_PKG_VERSION")), "{out}");
    let (status, out, _) = proxy::run(&["--help"], SHORT);
    assert!(status.success() && out.contains("cellgate") && out.contains("--data-dir"), "{out}");
    let (status, _, err) = proxy::run(&["--lissten", "127.0.0.1:0"], SHORT);
    assert!(status.code() == Some(2) && err.starts_with("error: ") && err.contains("--listen"), "{err}");
}

#[test]
fn check_prints_the_configuration_without_passwords() {
    let deployment = Deployment::configured(
        "[topology]\nmeta = \"mysql://cell:s3cret@127.0.0.1:3306/meta\"\n\
         [[cluster]]\nname = \"a\"\nprimary = \"mysql://cell:s3cret@127.0.0.1:3306/cellgate\"\n",
    );
    let config = deployment.config().expect("configured").display().to_string();
    let (status, out, err) = proxy::run(&["check", "--config", &config], SHORT);
    assert!(status.success(), "{out}{err}");
    assert!(out.contains("***") && !out.contains("s3cret") && !err.contains("s3cret"), "{out}{err}");
}

#[test]
fn check_connect_says_which_server_does_not_answer() {
    let deployment =
        Deployment::configured("[[cluster]]\nname = \"gone\"\nprimary = \"mysql://cell@127.0.0.1:1/cellgate\"\n");
    let config = deployment.config().expect("configured").display().to_string();
    let (status, out, err) = proxy::run(&["check", "--connect", "--config", &config], SHORT);
    assert!(!status.success(), "{out}{err}");
    assert!(out.contains("gone") || err.contains("gone"), "{out}{err}");
}

#[test]
fn check_connect_creates_nothing() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let data = home.path().join("data");
    let config = home.path().join("cellgate.toml");
    std::fs::write(&config, format!("[data]\ndir = \"{}\"\n", data.display())).expect("writable");
    let (status, out, err) = proxy::run(&["check", "--connect", "--config", &config.display().to_string()], SHORT);
    assert!(status.success(), "{out}{err}");
    assert!(err.contains("meta store: no file yet") && err.contains("cluster c1: no file yet"), "{out}{err}");
    assert!(!data.exists(), "{} was created", data.display());
}

#[test]
fn check_refuses_a_certificate_that_cannot_be_used() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let (config, file) = (home.path().join("cellgate.toml"), home.path().join("c.pem"));
    let check = |settings: &str| {
        std::fs::write(&config, format!("[listen]\n{settings}")).expect("writable");
        proxy::run(&["check", "--config", &config.display().to_string()], SHORT)
    };
    let settings = format!("tls_certificate = {file:?}\n");
    let (status, out, err) = check(&settings);
    assert!(!status.success() && err.contains("TLS for clients: ") && err.contains("c.pem"), "{out}{err}");
    std::fs::write(&file, "no certificate").expect("writable");
    let (status, out, err) = check(&settings);
    assert!(!status.success() && err.contains("there is no certificate in PEM form"), "{out}{err}");
    let (status, out, err) = check("tls_certificate = \"off\"\n");
    assert!(status.success() && err.contains("TLS for clients: off"), "{out}{err}");
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

#[tokio::test]
async fn a_cluster_whose_file_was_taken_away_takes_no_writes() {
    let deployment = Deployment::configured("[cache]\nsize = \"0\"\n");
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let cell = triple("a", "BASE", 1);
    put(&mut conn, &cell, "1").await.unwrap();
    for cluster in ["c1", "c2", "c3", "c4"] {
        std::fs::remove_file(deployment.directory().join(format!("data/{cluster}.db"))).unwrap();
    }
    wait::until("the health check", SHORT, || {
        (http::get(proxy.http(), "/readyz").unwrap().status == 503).then_some(())
    });
    put(&mut conn, &triple("a", "BASE", 2), "1").await.unwrap_err();
    get(&mut conn, &cell).await.unwrap_err();
    proxy.until_logged("why", |log| log.contains("was taken away while it was in use"));
}

#[test]
fn a_start_that_is_ended_by_a_signal_is_in_the_registry_no_more() {
    let mut databases = Builder::new();
    let meta = databases.shared_mariadb_database();
    let (schema, server) = (meta.rsplit('/').next().unwrap().to_owned(), MariaDb::shared());
    let ask = format!("SELECT COUNT(*) FROM {schema}.cg_meta WHERE name LIKE 'proxy/%'");
    let registered = || server.execute(&ask).trim().parse::<u32>().unwrap();
    let cluster = databases.shared_mariadb_database();
    let configuration = |more: &str| {
        let builder = Builder::new().topology(SHARDS, Some(&meta)).text("[timeouts]\nconnect = \"1m\"\n");
        builder.cluster("m", &cluster).text(more).build()
    };
    assert_eq!(configuration("").start().terminate().code(), Some(0));
    assert_eq!(registered(), 0);
    // Somebody who takes connections and says nothing: the start waits for a cluster that is new.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let waits = configuration(&format!("[[cluster]]\nname = \"n\"\nprimary = \"mysql://u@{address}/n\"\n"));
    let mut command = process::tethered(settings::binary(), None);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--config"])
        .arg(waits.config().unwrap());
    command.arg("--data-dir").arg(waits.directory().join("data")).current_dir(waits.directory());
    command.stderr(std::process::Stdio::null());
    let mut starting = Process::spawn(&mut command);
    wait::until("the start to be registered", SHORT, || (registered() == 1).then_some(()));
    starting.signal(Signal::Term);
    let status = wait::until("the start to end", SHORT, || starting.ended());
    assert_eq!(status.code(), Some(0));
    assert_eq!(registered(), 0, "others would take it to be alive for a lease");
    drop(databases.build());
}

/// A deployment whose meta store and cluster `m` are databases of the shared MariaDB, and the name of the meta store's.
fn on_the_shared_mariadb() -> (Arc<Deployment>, String) {
    let mut databases = Builder::new();
    let meta = databases.shared_mariadb_database();
    let schema = meta.rsplit('/').next().unwrap().to_owned();
    (databases.topology(SHARDS, Some(&meta)).shared_mariadb("m").build(), schema)
}

#[tokio::test]
async fn a_start_without_the_catalog_is_refused_until_it_is_restored() {
    let (deployment, schema) = on_the_shared_mariadb();
    let (mut proxy, server) = (deployment.start(), MariaDb::shared());
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    put(&mut conn, &triple("a", "BASE", 1), "1").await.unwrap();
    drop(conn);
    assert_eq!(proxy.terminate().code(), Some(0));
    let row = "cg_meta WHERE name = 'catalog'";
    server.execute(&format!("USE {schema}; CREATE TABLE kept AS SELECT * FROM {row}; DELETE FROM {row}"));
    let refused = deployment.try_start(Options::default()).expect_err("its table ids would be given out again");
    assert!(refused.log.contains("no document \"catalog\", but cluster m was created before"), "{refused}");
    let found = server.execute(&format!("SELECT COUNT(*) FROM {schema}.{row}"));
    assert_eq!(found.trim(), "0", "and none is made");
    server.execute(&format!("USE {schema}; INSERT INTO cg_meta SELECT * FROM kept"));
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    assert_eq!(get(&mut conn, &triple("a", "BASE", 1)).await.unwrap().as_deref(), Some("1"));
}

#[tokio::test]
async fn behind_an_older_meta_store_nothing_starts_or_is_made_before_the_last_id_is_raised() {
    let (deployment, schema) = on_the_shared_mariadb();
    let (mut proxy, server) = (deployment.start(), MariaDb::shared());
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    put(&mut conn, &triple("a", "BASE", 1), "1").await.unwrap();
    server.execute(&format!("USE {schema}; CREATE TABLE backup AS SELECT * FROM cg_meta WHERE name = 'catalog'"));
    run(&mut conn, &TRIPS.replace("trips", "later")).await;
    // Above the version that the proxy knows, so that it reads it.
    let restore = "UPDATE cg_meta m JOIN backup b ON m.name = b.name SET m.body = b.body, m.version = m.version + 1";
    server.execute(&format!("USE {schema}; {restore}"));
    let number = "last_table_id in the document 'catalog' of the meta store is 2 or higher";
    for statement in [&*TRIPS.replace("trips", "later"), &*TRIPS.replace("trips", "more"), "TRUNCATE trips"] {
        let refused = client::refused(&mut conn, statement).await;
        assert_eq!(refused.code, 1815, "{statement}: {refused:?}");
        assert!(refused.message.contains("later_2") && refused.message.contains(number), "{statement}: {refused:?}");
    }
    assert_eq!(get(&mut conn, &triple("a", "BASE", 1)).await.unwrap().as_deref(), Some("1"), "what it knows is served");
    drop(conn);
    assert_eq!(proxy.terminate().code(), Some(0));
    let refused = deployment.try_start(Options::default()).expect_err("an id would be given out again");
    assert!(refused.log.contains("later_2") && refused.log.contains("set last_table_id"), "{refused}");
    let config = deployment.config().expect("configured").display().to_string();
    let check = || proxy::run(&["check", "--connect", "--config", &config], SHORT);
    let (status, out, err) = check();
    assert!(!status.success() && err.contains("later_2") && err.contains("set last_table_id"), "{out}{err}");
    let raise = "UPDATE cg_meta SET body = REPLACE(body, '\"last_table_id\":1,', '\"last_table_id\":2,'), \
                 version = version + 1 WHERE name = 'catalog'";
    server.execute(&format!("USE {schema}; {raise}"));
    let (status, out, err) = check();
    assert!(status.success(), "{out}{err}");
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, &TRIPS.replace("trips", "more")).await;
    run(&mut conn, "TRUNCATE trips").await;
    assert_eq!(get(&mut conn, &triple("a", "BASE", 1)).await.unwrap(), None);
}
