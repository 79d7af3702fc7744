//! Logins: delays for who fails, and the key for passwords without TLS.

use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cellgate_integration_tests::Deployment;
use cellgate_integration_tests::client::{self, Refusal};
use mysql_async::prelude::Queryable;

use super::number;

/// A deployment with a key for passwords without TLS. To make one takes a second of computing or more, within the time
/// of the first login that needs it.
fn deployment(config: &str) -> Arc<Deployment> {
    let deployment = Deployment::configured(config);
    let data = deployment.directory().join("data");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("login-key.pem"), include_str!("login-key.pem")).unwrap();
    deployment
}

#[tokio::test]
async fn guessing_takes_time_and_shows_no_password() {
    let user = "[[user]]\nname = \"app\"\npassword = \"right-one\"\n";
    let proxy = deployment(&format!("[limits]\nlogin_delay = \"3s\"\n{user}")).start();
    let attempt = async |password: &str| {
        let options = client::options(proxy.mysql()).user(Some("app")).pass(Some(password)).prefer_socket(false);
        let started = Instant::now();
        let outcome = client::try_connect(options).await.map(drop);
        (outcome.map_err(|error| Refusal::of(&error).map(|refusal| refusal.code)), started.elapsed())
    };
    for _ in 0..7 {
        assert_eq!(attempt("wrong-one").await.0, Err(Some(1045)));
    }
    let (outcome, took) = attempt("right-one").await;
    assert_eq!(outcome, Ok(()));
    assert!(took >= Duration::from_millis(2900), "{took:?}");
    assert!(attempt("right-one").await.1 < Duration::from_secs(2), "a success ends it");
    let log = proxy.until_logged("a refusal", |log| log.contains("access denied"));
    assert!(!log.contains("wrong-one") && !log.contains("right-one"), "{log}");
}

#[tokio::test]
async fn who_may_not_log_in_is_delayed_like_who_guesses() {
    let secure = "[[user]]\nname = \"app\"\npassword = \"right-one\"\nrequire_tls = true\n[[user]]\nname = \"root\"\n";
    let delay = "[limits]\nlogin_delay = \"600ms\"\n[timeouts]\nhandshake = \"1m\"\n";
    let proxy = deployment(&format!("{delay}{secure}")).start();
    let mut root = client::connect(proxy.mysql()).await;
    client::run(&mut root, "CREATE USER locked IDENTIFIED BY 'right-one' ACCOUNT LOCK").await;
    for (user, code) in [("app", 1045), ("locked", 3118)] {
        let options = || client::options(proxy.mysql()).user(Some(user)).pass(Some("right-one")).prefer_socket(false);
        for _ in 0..5 {
            assert_eq!(number(client::try_connect(options()).await.map(drop)), code, "{user}");
        }
        let started = Instant::now();
        assert_eq!(number(client::try_connect(options()).await.map(drop)), code, "{user}");
        assert!(started.elapsed() >= Duration::from_millis(500), "{user}: {:?}", started.elapsed());
    }
}

#[tokio::test]
async fn a_delayed_login_ends_within_its_time() {
    let user = "[[user]]\nname = \"app\"\npassword = \"right-one\"\ngrants = [\"SELECT ON *.*\"]\n";
    let config = format!("[limits]\nlogin_delay = \"1m\"\n[timeouts]\nhandshake = \"2s\"\n{user}");
    let proxy = deployment(&config).start();
    let attempt = async |password: &str| {
        let options = client::options(proxy.mysql()).user(Some("app")).pass(Some(password)).prefer_socket(false);
        client::try_connect(options).await
    };
    // From the seventh on the delays would be longer than a login may take.
    for _ in 0..8 {
        assert_eq!(number(attempt("wrong-one").await), 1045);
    }
    attempt("right-one").await.unwrap();
}

/// C clients of before 8.0 always do so, others if `default-auth` is set.
#[test]
fn a_c_client_that_uses_the_older_plugin_logs_in() {
    let user = "[[user]]\nname = \"app\"\npassword = \"right-one\"\n";
    let proxy = Deployment::configured(user).start();
    for (password, said) in [("right-one", "app@localhost\n"), ("wrong-one", "(using password: YES)")] {
        for tls in ["--skip-ssl", "--ssl"] {
            let output = Command::new("mariadb")
                .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", tls, "--user=app"])
                .arg(format!("--port={}", proxy.mysql().port()))
                .arg(format!("--password={password}"))
                .args(["--default-auth=mysql_native_password", "--batch", "--skip-column-names"])
                .args(["--execute", "SELECT USER()"])
                .output()
                .expect("the mariadb command line");
            let all = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(all.contains(said), "{tls} {password}: {all}");
        }
    }
}

#[tokio::test]
async fn flush_hosts_forgets_failed_logins() {
    let user = "[[user]]\nname = \"app\"\npassword = \"right-one\"\ngrants = [\"SELECT ON *.*\"]\n\
                [[user]]\nname = \"root\"\n";
    let delay = "[limits]\nlogin_delay = \"30s\"\n[timeouts]\nhandshake = \"1m\"\n";
    let proxy = deployment(&format!("{delay}{user}")).start();
    let attempt = async |password: &str| {
        let options = client::options(proxy.mysql()).user(Some("app")).pass(Some(password)).prefer_socket(false);
        client::try_connect(options).await
    };
    for _ in 0..8 {
        assert_eq!(number(attempt("wrong-one").await), 1045);
    }
    let mut root = client::connect(proxy.mysql()).await;
    root.query_drop("FLUSH HOSTS").await.unwrap();
    let started = Instant::now();
    let mut app = attempt("right-one").await.unwrap();
    // The ninth would have waited for eight seconds.
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    assert_eq!(number(app.query_drop("FLUSH HOSTS").await), 1227);
    app.query_drop("FLUSH LOGS").await.unwrap();
}

#[tokio::test]
async fn the_key_for_passwords_without_tls_is_shown_to_who_asks_for_it_by_name() {
    let deployment = Deployment::embedded();
    let proxy = deployment.start();
    let mut conn = client::connect(proxy.mysql()).await;
    let everything: Vec<(String, String)> = client::rows(&mut conn, "SHOW STATUS").await;
    let of = |rows: &[(String, String)]| {
        rows.iter().find(|(name, _)| name == "Caching_sha2_password_rsa_public_key").map(|(_, key)| key.clone())
    };
    assert_eq!(of(&everything).as_deref(), Some(""), "nobody has needed it yet");
    let asked = "SHOW STATUS LIKE 'Caching_sha2_password_rsa_public_key'";
    let key = of(&client::rows(&mut conn, asked).await).unwrap();
    assert!(key.starts_with("-----BEGIN PUBLIC KEY-----"), "{key}");
    let everything: Vec<(String, String)> = client::rows(&mut conn, "SHOW GLOBAL STATUS").await;
    assert_eq!(of(&everything), Some(key));
}
