//! TLS under the login; and the two ends of it, for others.

use mysql_common::scramble::scramble_native;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;

const CERTIFICATE: &[u8] = include_bytes!("../testdata/cert.der");
const KEY: &[u8] = include_bytes!("../testdata/key.der");

pub(super) fn server() -> Arc<rustls::ServerConfig> {
    let key = PrivateKeyDer::try_from(KEY.to_vec()).unwrap();
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![CertificateDer::from(CERTIFICATE)], key)
        .unwrap();
    Arc::new(config)
}

/// Takes exactly the certificate of the test.
#[derive(Debug)]
struct Pinned;

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        assert_eq!(&end_entity[..], CERTIFICATE);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}

pub(super) fn ssl_request(capabilities: CapabilityFlags) -> Vec<u8> {
    Login41::default().payload(capabilities)[..32].to_vec()
}

pub(super) async fn encrypted(client: Client, capabilities: CapabilityFlags) -> Client<TlsStream<DuplexStream>> {
    let config = rustls::ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned))
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let Client { stream, sequence, served, stop, kill, calls, events, permits, .. } = client;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    Client { stream, sequence, capabilities, served, stop, kill, calls, events, permits }
}

#[tokio::test]
async fn a_client_that_asks_for_tls_logs_in_over_it() {
    let mut client = Setup { tls: Some(server()), ..Setup::default() }.connect();
    let greeting = client.greeting().await;
    assert!(greeting.capabilities().contains(CapabilityFlags::CLIENT_SSL));
    let with_tls = offered() | CapabilityFlags::CLIENT_SSL;
    client.send(&ssl_request(with_tls)).await;

    let mut client = encrypted(client, with_tls).await;
    let answer = scramble_native(&greeting.nonce(), b"secret").unwrap();
    let plugin = b"mysql_native_password";
    client.send(&Login41 { user: b"app", answer: &answer, plugin, ..Login41::default() }.payload(with_tls)).await;
    client.ok().await;
    client.query("big 1000000").await;
    client.packet().await.unwrap();
    client.packet().await.unwrap();
    assert_eq!(client.packet().await.unwrap().len(), 1_000_004);
    client.end().await;
    client.command(b"\x01").await;
    assert!(client.closed().await.is_ok());
}

#[tokio::test]
async fn a_password_in_clear_is_taken_over_tls() {
    for (password, right) in [(&b"secret\0"[..], true), (b"wrong\0", false)] {
        let mut client = Setup { tls: Some(server()), ..Setup::default() }.connect();
        client.greeting().await;
        let with_tls = offered() | CapabilityFlags::CLIENT_SSL;
        client.send(&ssl_request(with_tls)).await;
        let mut client = encrypted(client, with_tls).await;
        let plugin = b"caching_sha2_password";
        let login = Login41 { user: b"app", answer: password, plugin, ..Login41::default() };
        client.send(&login.payload(with_tls)).await;
        if right {
            assert_eq!(client.packet().await.unwrap(), [0x01, 0x03]);
            client.ok().await;
            assert!(client.calls()[0].ends_with("TLSv1.3"), "{:?}", client.calls());
        } else {
            assert_eq!(client.error_code().await, 1045);
        }
    }
}

#[tokio::test]
async fn tls_stays_optional() {
    let mut client = Setup { tls: Some(server()), ..Setup::default() }.connect();
    client.greeting().await;
    client.send(&Login41 { user: b"root", ..Login41::default() }.payload(offered())).await;
    client.ok().await;
}

#[tokio::test]
async fn a_request_for_tls_that_was_not_offered_is_a_bad_handshake() {
    let mut client = Setup::default().connect();
    client.greeting().await;
    client.send(&ssl_request(offered() | CapabilityFlags::CLIENT_SSL)).await;
    assert_eq!(client.error_code().await, 1043);
}

#[tokio::test]
async fn what_is_no_tls_ends_the_connection() {
    let mut client = Setup { tls: Some(server()), ..Setup::default() }.connect();
    client.greeting().await;
    client.send(&ssl_request(offered() | CapabilityFlags::CLIENT_SSL)).await;
    client.send(&Login41 { user: b"root", ..Login41::default() }.payload(offered())).await;
    client.stream.shutdown().await.unwrap();
    assert!(matches!(client.served.await.unwrap(), Err(WireError::Io(_))));
}
