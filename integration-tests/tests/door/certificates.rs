//! TLS and the certificate that clients are shown: made at the first start, or configured and read again.

use std::path::Path;

use cellgate_integration_tests::scratch::Scratch;
use cellgate_integration_tests::{Deployment, client, wait};
use mysql_async::SslOpts;
use mysql_async::prelude::Queryable;

use super::{LIMIT, authority, status};

#[tokio::test]
async fn a_client_that_verifies_gets_tls_out_of_the_box() {
    let proxy = Deployment::embedded().start();
    let trusting = SslOpts::default().with_root_certs(vec![authority(&proxy).into()]);
    let mut conn = client::try_connect(client::options(proxy.mysql()).ssl_opts(trusting)).await.unwrap();
    assert_eq!(status(&mut conn, "Ssl_version").await, "TLSv1.3");
    assert_eq!(status(&mut conn, "Ssl_cipher").await, "TLS_AES_256_GCM_SHA384");
    conn.disconnect().await.unwrap();
    let distrusting = client::options(proxy.mysql()).ssl_opts(SslOpts::default());
    assert!(client::try_connect(distrusting).await.is_err(), "nobody vouches for it");
    let mut conn = client::connect(proxy.mysql()).await;
    assert_eq!(status(&mut conn, "Ssl_version").await, "");
}

/// Makes a certificate with another proxy, and copies it.
fn new_certificate(to: &Path) {
    let other = Deployment::embedded().start();
    std::fs::copy(other.deployment().directory().join("data/tls.pem"), to).unwrap();
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart() {
    let files = Scratch::new();
    let file = files.join("server.pem");
    new_certificate(&file);
    let proxy = Deployment::configured(&format!("[listen]\ntls_certificate = {file:?}\n")).start();
    let trusting = async |ca: &Path| {
        let options = SslOpts::default().with_root_certs(vec![ca.to_owned().into()]);
        client::try_connect(client::options(proxy.mysql()).ssl_opts(options)).await.ok()
    };
    let old = files.join("old.pem");
    std::fs::copy(&file, &old).unwrap();
    let mut before = trusting(&old).await.expect("the first certificate");
    new_certificate(&file);
    wait::until_async("the new certificate", LIMIT, async || trusting(&file).await).await;
    assert!(trusting(&old).await.is_none(), "the old one is shown no more");
    let still: Option<u8> = before.query_first("SELECT 1").await.unwrap();
    assert_eq!(still, Some(1), "open connections stay");
}

#[tokio::test]
async fn the_end_of_the_certificate_is_a_metric() {
    const END: &str = "cellgate_tls_certificate_end_seconds";
    assert!(Deployment::embedded().start().metric(END) > 200_000_000_000.0, "its own does not end");
    assert!(Deployment::configured("[listen]\ntls_certificate = \"off\"\n").start().metric(END) < 1.0);
}
