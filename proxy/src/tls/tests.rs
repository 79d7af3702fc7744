//! Certificates: made, kept, read, renewed, refused.

use std::os::unix::fs::PermissionsExt as _;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{ServerName, UnixTime};

use super::*;
use crate::config::{Config, Overrides};

fn listen(settings: &str) -> Listen {
    let text = format!("[listen]\n{settings}[[user]]\nname = \"app\"\npassword = \"secret\"\n");
    Config::parse(&text, None, &|_| None, &Overrides::default()).unwrap().listen
}

fn shown(tls: &Tls) -> CertificateDer<'static> {
    tls.shown.0.load().key.cert[0].clone()
}

/// A later time than any file of the test has.
fn touch(path: &Path) {
    let later = SystemTime::now() + Duration::from_secs(100);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(later).unwrap();
}

#[test]
fn a_first_start_makes_a_certificate_and_the_next_one_uses_it() {
    let data = tempfile::tempdir().unwrap();
    let dir = data.path().join("new");
    let first = Tls::open(&listen(""), &dir, "db.example").unwrap().unwrap();
    let again = Tls::open(&listen(""), &dir, "other").unwrap().unwrap();
    assert_eq!(shown(&first), shown(&again));
    let mode = |name| std::fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(OWN_FILE), 0o600);
    let public = std::fs::read_to_string(dir.join(OWN_CERTIFICATE)).unwrap();
    assert!(!public.contains("PRIVATE"));
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 2, "nothing else is left behind");
}

#[test]
fn a_client_that_trusts_the_own_certificate_accepts_its_names_and_no_other() {
    let data = tempfile::tempdir().unwrap();
    let tls = Tls::open(&listen("address = \"192.0.2.7:3307\"\n"), data.path(), "db.example").unwrap().unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(shown(&tls)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    for (name, right) in [
        ("localhost", true),
        ("db.example", true),
        ("127.0.0.1", true),
        ("::1", true),
        ("192.0.2.7", true),
        ("192.0.2.8", false),
        ("example", false),
    ] {
        let name = ServerName::try_from(name).unwrap();
        let verified = verifier.verify_server_cert(&shown(&tls), &[], &name, &[], UnixTime::now());
        assert_eq!(verified.is_ok(), right, "{name:?}: {verified:?}");
    }
}

#[test]
fn new_files_are_taken_over_and_broken_ones_change_nothing() {
    let data = tempfile::tempdir().unwrap();
    let (certificate, key) = (data.path().join("c.pem"), data.path().join("k.pem"));
    let put = |own: &SelfSigned| {
        std::fs::write(&certificate, &own.certificate).unwrap();
        std::fs::write(&key, &own.key).unwrap();
    };
    let first = SelfSigned::generate(&["a"], &[]).unwrap();
    put(&first);
    let settings = format!("tls_certificate = {certificate:?}\ntls_key = {key:?}\n");
    let tls = Tls::open(&listen(&settings), data.path(), "host").unwrap().unwrap();
    let before = shown(&tls);
    assert!(!tls.renew().unwrap(), "nothing was written");
    let second = SelfSigned::generate(&["b"], &[]).unwrap();
    std::fs::write(&certificate, &second.certificate).unwrap();
    touch(&certificate);
    assert!(matches!(tls.renew(), Err(TlsError::Unusable { .. })), "a key of another certificate");
    assert_eq!(shown(&tls), before);
    put(&second);
    touch(&certificate);
    assert!(tls.renew().unwrap());
    assert_ne!(shown(&tls), before);
    std::fs::write(&certificate, "").unwrap();
    touch(&key);
    let error = tls.renew().unwrap_err();
    assert!(matches!(error, TlsError::Missing { .. }));
    // Said once, until the files or what is wrong with them change.
    let files = stamp(&certificate, &key);
    let news = [files, files, [None, None], files].map(|stamp| tls.is_news(stamp, &error));
    assert_eq!(news, [true, false, true, true]);
    assert!(tls.is_news(files, &TlsError::NotMade));
}

#[test]
fn tls_can_be_off_and_a_missing_file_is_named() {
    let data = tempfile::tempdir().unwrap();
    assert!(Tls::open(&listen("tls_certificate = \"off\"\n"), data.path(), "host").unwrap().is_none());
    assert_eq!(std::fs::read_dir(data.path()).unwrap().count(), 0);
    let error = Tls::open(&listen("tls_certificate = \"/no/such.pem\"\n"), data.path(), "host").unwrap_err();
    assert!(error.to_string().starts_with("/no/such.pem: "), "{error}");
}

/// The same certificate with another end. Its signature is wrong then, which a server does not look at.
fn ending(own: &SelfSigned, end: &[u8; 15]) -> String {
    let mut der = CertificateDer::from_pem_slice(own.certificate.as_bytes()).unwrap().to_vec();
    let place = der.windows(end.len()).position(|bytes| bytes == b"99991231235959Z").unwrap();
    der[place..place + end.len()].copy_from_slice(end);
    crate::der::pem("CERTIFICATE", &der)
}

#[test]
fn a_certificate_that_has_expired_is_shown_and_told_of_once() {
    let data = tempfile::tempdir().unwrap();
    let own = SelfSigned::generate(&["a"], &[]).unwrap();
    let file = data.path().join("c.pem");
    std::fs::write(&file, own.certificate.clone() + &own.key).unwrap();
    let listen = listen(&format!("tls_certificate = {file:?}\n"));
    assert_eq!(Tls::to_be_made(&listen, data.path()), None);
    let tls = Tls::open(&listen, data.path(), "host").unwrap().unwrap();
    assert_eq!((tls.end(), tls.news_of_end()), (Some(253_402_300_799), Validity::Lasting));
    assert_eq!(Tls::check(&listen, data.path()).unwrap(), "usable");
    std::fs::write(&file, ending(&own, b"20200101000000Z") + &own.key).unwrap();
    touch(&file);
    assert!(tls.renew().unwrap());
    assert_eq!(tls.end(), Some(1_577_836_800));
    assert_eq!([tls.news_of_end(), tls.news_of_end()], [Validity::Ended, Validity::Lasting]);
    assert!(Tls::check(&listen, data.path()).unwrap().contains("has expired"));
    // In a chain the first end counts.
    let intermediate = ending(&own, b"20200101000000Z");
    std::fs::write(&file, own.certificate.clone() + &intermediate + &own.key).unwrap();
    assert!(Tls::check(&listen, data.path()).unwrap().contains("has expired"));
}
