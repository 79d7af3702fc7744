//! The way to backends is encrypted when it is asked for, and the server's certificate is checked as far as it is asked for.

use std::path::Path;

use cellgate_integration_tests::client::{self, TRIPS, get, put, run, triple};
use cellgate_integration_tests::deployment::{Builder, SHARDS};
use cellgate_integration_tests::proxy::Options;
use cellgate_integration_tests::servers::{Certificate, MariaDb, Postgres};

/// One cluster at this address; the log of a start that was refused, else the proxy is used.
async fn start(address: &str) -> Result<(), String> {
    let deployment = Builder::new().topology(SHARDS, None).cluster("c", address).build();
    let proxy = match deployment.try_start(Options::default()) {
        Ok(proxy) => proxy,
        Err(refused) => return Err(refused.to_string()),
    };
    let mut conn = client::connect(proxy.mysql()).await;
    run(&mut conn, TRIPS).await;
    let cell = triple("a", "BASE", 1);
    assert_eq!(put(&mut conn, &cell, "1").await.unwrap(), 1);
    assert_eq!(get(&mut conn, &cell).await.unwrap().as_deref(), Some("1"));
    Ok(())
}

/// What a certificate must not pass for: another authority's, another name's, and one that has ended. `url` has neither
/// options nor a database with cells.
async fn assert_refusals(url: &str, ca: &Path, expired: &str, expired_ca: &Path) {
    let other = Certificate::new();
    let with = |url: &str, mode: &str, ca: &Path| format!("{url}?sslmode={mode}&ca={}", ca.display());
    // The certificate is for 127.0.0.1.
    let renamed = url.replace("127.0.0.1", "localhost");
    start(&with(&renamed, "verify-ca", ca)).await.unwrap();
    for refused in [
        with(&renamed, "verify-full", ca),
        format!("{url}?sslmode=verify-ca"),
        with(url, "verify-ca", &other.authority()),
        with(url, "verify-full", &other.authority()),
        with(expired, "verify-ca", expired_ca),
        with(expired, "verify-full", expired_ca),
    ] {
        let error = start(&refused).await.expect_err(&refused);
        assert!(error.contains("certificate"), "{refused}: {error}");
    }
    start(&format!("{expired}?sslmode=require")).await.unwrap();
}

#[tokio::test]
async fn mariadb_is_spoken_to_over_tls_and_its_certificate_is_checked() {
    let certificate = Certificate::new();
    let server = MariaDb::private_with_tls(&certificate);
    let ca = certificate.authority();
    for (database, mode) in [
        ("full", format!("verify-full&ca={}", ca.display())),
        ("ca", format!("verify-ca&ca={}", ca.display())),
        ("any", "require".to_owned()),
    ] {
        server.execute(&format!("CREATE DATABASE {database}"));
        start(&format!("{}?sslmode={mode}", server.url(database))).await.unwrap();
    }
    server.execute("CREATE DATABASE refused");
    // The public authorities know nothing of this one; and the server lets nobody in without encryption.
    let unknown = start(&format!("{}?sslmode=verify-full", server.url("refused"))).await.unwrap_err();
    assert!(unknown.contains("cluster c"), "{unknown}");
    let plain = start(&server.url("refused")).await.unwrap_err();
    assert!(plain.contains("cluster c"), "{plain}");
    assert_eq!(server.execute("SHOW TABLES IN refused"), "", "nothing was made over a way that was refused");
    server.execute("CREATE DATABASE named");
    let ended = Certificate::expired();
    let expired = MariaDb::private_with_tls(&ended);
    expired.execute("CREATE DATABASE named");
    assert_refusals(&server.url("named"), &ca, &expired.url("named"), &ended.authority()).await;
}

#[tokio::test]
async fn postgresql_is_spoken_to_over_tls_and_its_certificate_is_checked() {
    let certificate = Certificate::new();
    let server = Postgres::private_with_tls(&certificate);
    let ca = certificate.authority();
    let checked = |mode: &str, database: &str| format!("{}?sslmode={mode}&ca={}", server.url(database), ca.display());
    start(&checked("verify-full", "full")).await.unwrap();
    start(&checked("verify-ca", "ca")).await.unwrap();
    start(&format!("{}?sslmode=require", server.url("any"))).await.unwrap();
    let unknown = start(&format!("{}?sslmode=verify-full", server.url("refused"))).await.unwrap_err();
    assert!(unknown.contains("cluster c"), "{unknown}");
    let plain = start(&server.url("refused")).await.unwrap_err();
    assert!(plain.contains("cluster c"), "{plain}");
    let ended = Certificate::expired();
    let expired = Postgres::private_with_tls(&ended);
    assert_refusals(&server.url("named"), &ca, &expired.url("named"), &ended.authority()).await;
}

/// A certificate without extensions will do where nobody is asked whose it is; else it is refused by name.
async fn assert_version_1(url: &str, ca: &Path) {
    start(&format!("{url}?sslmode=require")).await.unwrap();
    for mode in ["verify-ca", "verify-full"] {
        let checked = format!("{url}?sslmode={mode}&ca={}", ca.display());
        let refused = start(&checked).await.expect_err(&checked);
        assert!(refused.contains("it has to be of X.509 version 3"), "{checked}: {refused}");
    }
}

#[tokio::test]
async fn a_certificate_of_version_1_will_do_for_encryption_alone() {
    let certificate = Certificate::of_version_1();
    let server = MariaDb::private_with_tls(&certificate);
    server.execute("CREATE DATABASE old");
    assert_version_1(&server.url("old"), &certificate.authority()).await;
    let server = Postgres::private_with_tls(&certificate);
    assert_version_1(&server.url("old"), &certificate.authority()).await;
}
