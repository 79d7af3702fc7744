//! `cellgate check`, with the stores and without, and what the command line refuses.

use cellgate_integration_tests::Deployment;
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::proxy::{self, Options};
use cellgate_integration_tests::servers::Postgres;

use super::SHORT;

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
    let looked_for = |store: &str, file: &str| format!("{store}: no file yet ({})", data.join(file).display());
    for line in [looked_for("meta store", "meta.db"), looked_for("cluster c1", "c1.db")] {
        assert!(err.contains(&line), "{line}: {out}{err}");
    }
    assert!(err.contains("deployment: there is none yet") && !err.contains("fits the stores"), "{out}{err}");
    assert!(!data.exists(), "{} was created", data.display());
}

#[test]
fn check_connect_fails_where_no_file_can_be_made() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let config = home.path().join("cellgate.toml");
    let no_directory = config.join("x.db");
    std::fs::write(&config, format!("[topology]\nmeta = \"sqlite:{}\"\n", no_directory.display())).expect("writable");
    let (status, out, err) = proxy::run(&["check", "--connect", "--config", &config.display().to_string()], SHORT);
    assert!(!status.success() && err.contains("is not a directory"), "{out}{err}");
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
    // None yet: the start makes one, where it can.
    let data = |place: &std::path::Path| check(&format!("[data]\ndir = {place:?}\n"));
    let (status, out, err) = data(&home.path().join("data"));
    assert!(status.success() && err.contains("TLS for clients: no certificate yet"), "{out}{err}");
    let (status, out, err) = data(&file.join("data"));
    assert!(!status.success() && err.contains("TLS for clients: ") && err.contains("is not a directory"), "{out}{err}");
}
