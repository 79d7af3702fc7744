//! Compression, with TLS and without, by zlib and zstd.

use std::process::Command;

use cellgate_integration_tests::{Deployment, client};
use mysql_async::prelude::Queryable;
use mysql_async::{Compression, SslOpts};

use super::authority;

#[tokio::test]
async fn a_client_that_compresses_reads_and_writes_what_others_do() {
    let proxy = Deployment::embedded().start();
    let insecure = SslOpts::default().with_danger_accept_invalid_certs(true);
    for ssl in [None, Some(insecure)] {
        let options = client::options(proxy.mysql()).compression(Compression::default()).ssl_opts(ssl);
        let mut conn = client::try_connect(options).await.unwrap();
        for size in [10, 1000, 100_000, 17 << 20] {
            let text = "many alike ".repeat(size / 11 + 1);
            let found: Option<String> = conn.query_first(format!("SELECT '{text}' AS t")).await.unwrap();
            assert!(found.as_ref() == Some(&text), "{size} bytes");
        }
        conn.disconnect().await.unwrap();
    }
}

#[test]
fn the_command_line_client_comes_in_encrypted_and_compressed() {
    let proxy = Deployment::embedded().start();
    let ca = format!("--ssl-ca={}", authority(&proxy).display());
    // Without a word it asks for TLS where it is offered.
    for (options, version) in [
        (&["--ssl"][..], "TLSv1.3"),
        (&["--ssl", &ca, "--ssl-verify-server-cert"], "TLSv1.3"),
        (&["--skip-ssl", "--compress"], ""),
        (&["--ssl", "--compress"], "TLSv1.3"),
    ] {
        let output = Command::new("mariadb")
            .args([
                "--no-defaults",
                "--protocol=tcp",
                "--host=localhost",
                "--user=root",
                "--batch",
                "--skip-column-names",
            ])
            .arg(format!("--port={}", proxy.mysql().port()))
            .args(options)
            .args(["--execute", "SHOW STATUS LIKE 'Ssl_version'; SELECT 'a', 'b'"])
            .output()
            .expect("the mariadb command line");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text, format!("Ssl_version\t{version}\na\tb\n"), "{options:?}: {output:?}");
    }
}

/// No client that could be installed here speaks zstd; the script packs and unpacks with the C library.
#[test]
fn a_client_that_packs_with_the_real_zstd_is_understood_and_understands() {
    let proxy = Deployment::embedded().start();
    let output = Command::new("python3")
        .args(["-c", include_str!("zstd_client.py"), &proxy.mysql().port().to_string()])
        .output()
        .expect("python3");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "zstd\nok\n", "{output:?}");
}
