//! Greeting, passwords, plugins, TLS.

use std::collections::HashMap;

use mysql_common::packets::{AuthPlugin, AuthSwitchRequest, HandshakeResponse};
use mysql_common::proto::MySerialize;
use mysql_common::scramble::{scramble_native, scramble_sha256};

use super::*;
use crate::auth::rsa::tests::pair;

#[tokio::test]
async fn native_password_lets_in_who_knows_it() {
    let mut client = Setup::default().connect();
    let salt = client.greeting().await.nonce();
    let answer = scramble_native(&salt, b"secret").unwrap();
    let plugin = b"mysql_native_password";
    client.send(&Login41 { user: b"app", answer: &answer, plugin, ..Login41::default() }.payload(offered())).await;
    let ok = client.ok().await;
    assert_eq!(ok.status_flags().bits(), 0x0002);
    client.query("ok").await;
    client.ok().await;
}

#[tokio::test]
async fn caching_sha2_is_answered_fast_auth_and_ok() {
    let mut client = Setup::default().connect();
    let salt = client.greeting().await.nonce();
    let answer = scramble_sha256(&salt, b"secret").unwrap();
    let login = Login41 { user: b"app", answer: &answer, plugin: b"caching_sha2_password", ..Login41::default() };
    client.send(&login.payload(offered())).await;
    assert_eq!(client.packet().await.unwrap(), [0x01, 0x03]);
    client.ok().await;
}

#[tokio::test]
async fn an_empty_password_needs_no_fast_auth() {
    for answer in [&b""[..], b"\0"] {
        let mut client = Setup::default().connect();
        client.greeting().await;
        let login = Login41 { user: b"root", answer, plugin: b"caching_sha2_password", ..Login41::default() };
        client.send(&login.payload(offered())).await;
        client.ok().await;
    }
}

#[tokio::test]
async fn who_names_native_password_and_says_nothing_is_asked_over_a_fresh_salt() {
    for (user, password, refused) in
        [("app", "secret", None), ("app", "wrong", Some("YES")), ("app", "", Some("NO")), ("root", "", None)]
    {
        let failures = Arc::default();
        let mut client = Setup { failures: Arc::clone(&failures), ..Setup::default() }.connect();
        let first = client.greeting().await.nonce();
        let login = Login41 { user: user.as_bytes(), plugin: b"mysql_native_password", ..Login41::default() };
        client.send(&login.payload(offered())).await;
        let packet = client.packet().await.unwrap();
        let salt = packet.strip_prefix(b"\xfemysql_native_password\0").unwrap();
        assert_ne!(salt[..20], first);
        assert_eq!(failures.load(Ordering::SeqCst), 0, "nothing was said that could be wrong");
        let answer = scramble_native(&salt[..20], password.as_bytes()).map(|answer| answer.to_vec());
        client.send(&answer.unwrap_or_default()).await;
        match refused {
            None => drop(client.ok().await),
            Some(using) => {
                let message = format!("Access denied for user '{user}'@'localhost' (using password: {using})");
                assert_eq!(client.error().await.2, message);
                assert_eq!(failures.load(Ordering::SeqCst), 1);
            }
        }
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_user_are_refused_alike() {
    for plugin in [&b"mysql_native_password"[..], b"caching_sha2_password"] {
        for (user, password, using) in
            [("app", "wrong", "YES"), ("app", "", "NO"), ("who", "secret", "YES"), ("", "", "NO")]
        {
            let mut client = Setup::default().connect();
            let salt = client.greeting().await.nonce();
            let answer = if plugin.starts_with(b"mysql") {
                scramble_native(&salt, password.as_bytes()).map(|answer| answer.to_vec())
            } else {
                scramble_sha256(&salt, password.as_bytes()).map(|answer| answer.to_vec())
            };
            let answer = answer.unwrap_or_default();
            let login = Login41 { user: user.as_bytes(), answer: &answer, plugin, ..Login41::default() };
            client.send(&login.payload(offered())).await;
            if answer.is_empty() && plugin.starts_with(b"mysql") {
                assert_eq!(client.packet().await.unwrap()[0], 0xfe);
                client.send(b"").await;
            }
            let message = format!("Access denied for user '{user}'@'localhost' (using password: {using})");
            assert_eq!(client.error().await, (1045, "28000".to_owned(), message));
            assert!(client.calls().is_empty());
            assert!(client.closed().await.is_ok());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_failed_before_waits_for_the_judgement_within_the_time_for_the_login() {
    // A wait that is longer than what is left is cut short: who knows the password must get in.
    for (handshake_timeout, whole) in [(Duration::from_secs(10), true), (SOON / 2, false)] {
        let limits = WireLimits { handshake_timeout, ..WireLimits::default() };
        let mut client = Setup { limits, ..Setup::default() }.connect();
        client.greeting().await;
        let started = tokio::time::Instant::now();
        client.send(&Login41 { user: b"slow", ..Login41::default() }.payload(offered())).await;
        assert_eq!(client.error_code().await, 1045);
        assert_eq!(started.elapsed() >= SOON, whole);
    }
}

#[tokio::test(start_paused = true)]
async fn who_guesses_many_times_at_once_waits_for_each_failure() {
    let (failures, turns) = (Arc::new(AtomicUsize::new(1)), Arc::new(Semaphore::new(1)));
    let connect = || Setup { failures: Arc::clone(&failures), turns: Arc::clone(&turns), ..Setup::default() }.connect();
    let started = tokio::time::Instant::now();
    let mut clients = [connect(), connect()];
    for client in &mut clients {
        client.greeting().await;
        client.send(&Login41 { user: b"guessed", ..Login41::default() }.payload(offered())).await;
    }
    for client in &mut clients {
        assert_eq!(client.error_code().await, 1045);
    }
    // The second waits behind the first, and as long as after two failures.
    assert!(started.elapsed() >= 3 * SOON, "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_is_judged_before_the_wait_is_over_gives_nobody_else_a_turn_sooner() {
    let (failures, turns) = (Arc::new(AtomicUsize::new(10)), Arc::new(Semaphore::new(1)));
    let connect = |handshake_timeout| {
        let limits = WireLimits { handshake_timeout, ..WireLimits::default() };
        Setup { limits, failures: Arc::clone(&failures), turns: Arc::clone(&turns), ..Setup::default() }.connect()
    };
    let started = tokio::time::Instant::now();
    // The first has half of its wait left for its login, like one that has said nothing for long.
    let mut clients = [connect(5 * SOON), connect(Duration::from_secs(10))];
    let mut answered = Vec::new();
    for client in &mut clients {
        client.greeting().await;
        client.send(&Login41 { user: b"guessed", ..Login41::default() }.payload(offered())).await;
    }
    for client in &mut clients {
        assert_eq!(client.error_code().await, 1045);
        answered.push(started.elapsed());
    }
    assert!(answered[0] < 10 * SOON && answered[1] >= 21 * SOON, "{answered:?}");
}

#[tokio::test]
async fn who_is_asked_for_the_password_itself_waits_for_what_failed_meanwhile() {
    let (failures, login_key) = (Arc::new(AtomicUsize::new(0)), Some(Arc::new(LoginKey::of(pair()))));
    let mut client = Setup { failures: Arc::clone(&failures), login_key, ..Setup::default() }.connect();
    let salt = client.greeting().await.nonce();
    let login = Login41 { user: b"guessed", answer: &[7; 32], plugin: b"caching_sha2_password", ..Login41::default() };
    client.send(&login.payload(offered())).await;
    assert_eq!(client.packet().await.unwrap(), [0x01, 0x04]);
    assert_eq!(failures.load(Ordering::SeqCst), 1, "counted before the password is asked for");
    let started = tokio::time::Instant::now();
    let mixed: Vec<u8> = b"wrong\0".iter().zip(&salt).map(|(byte, salt)| byte ^ salt).collect();
    client.send(&mysql_common::crypto::encrypt(&mixed, pair().public_pem().as_bytes())).await;
    assert_eq!(client.error_code().await, 1045);
    assert!(started.elapsed() >= SOON, "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_password_takes_one_turn_though_it_is_shown_twice() {
    for (password, code) in [(&b"wrong\0"[..], 1045), (b"other\0", 1159)] {
        let (failures, turns) = (Arc::new(AtomicUsize::new(1)), Arc::new(Semaphore::new(1)));
        let limits = WireLimits { handshake_timeout: 5 * SOON, ..WireLimits::default() };
        let login_key = Some(Arc::new(LoginKey::of(pair())));
        let mut client = Setup { limits, failures, turns: Arc::clone(&turns), login_key, ..Setup::default() }.connect();
        let salt = client.greeting().await.nonce();
        let answer = scramble_sha256(&salt, b"wrong").unwrap();
        let plugin = b"caching_sha2_password";
        client
            .send(&Login41 { user: b"guessed", answer: &answer, plugin, ..Login41::default() }.payload(offered()))
            .await;
        assert_eq!(client.packet().await.unwrap(), [0x01, 0x04]);
        let _other = turns.acquire().await.unwrap();
        let mixed: Vec<u8> = password.iter().zip(&salt).map(|(byte, salt)| byte ^ salt).collect();
        client.send(&mysql_common::crypto::encrypt(&mixed, pair().public_pem().as_bytes())).await;
        assert_eq!(client.error_code().await, code);
    }
}

#[tokio::test]
async fn who_never_has_a_turn_is_too_slow() {
    let (limits, turns) =
        (WireLimits { handshake_timeout: SOON, ..WireLimits::default() }, Arc::new(Semaphore::new(0)));
    let failures = Arc::new(AtomicUsize::new(1));
    let mut client = Setup { limits, turns, failures, ..Setup::default() }.connect();
    client.greeting().await;
    client.send(&Login41 { user: b"guessed", ..Login41::default() }.payload(offered())).await;
    assert_eq!(client.error_code().await, 1159);
}

#[tokio::test]
async fn a_refusal_does_not_tell_a_right_password_from_a_wrong_one() {
    let plugin = b"caching_sha2_password";
    for (user, right) in [("secure", [0x01, 0x04]), ("nobody", [0x01, 0x04]), ("locked", [0xff, 0x2e])] {
        let denials = Arc::default();
        let login_key = Some(Arc::new(LoginKey::of(pair())));
        let mut client = Setup { denials: Arc::clone(&denials), login_key, ..Setup::default() }.connect();
        let salt = client.greeting().await.nonce();
        let answer = scramble_sha256(&salt, b"secret").unwrap();
        let login = Login41 { user: user.as_bytes(), answer: &answer, plugin, ..Login41::default() };
        client.send(&login.payload(offered())).await;
        // Never "the password was right": who needs TLS is asked for it like anybody unknown.
        assert_eq!(client.packet().await.unwrap()[..2], right, "{user}");
    }
}

#[tokio::test]
async fn users_that_do_not_exist_are_switched_to_native_like_those_of_whom_no_more_is_known() {
    for (user, switched) in [("old", true), ("nobody like old", true), ("nobody", false), ("app", false)] {
        let mut client = Setup::default().connect();
        let salt = client.greeting().await.nonce();
        let answer = scramble_sha256(&salt, b"wrong").unwrap();
        let plugin = b"caching_sha2_password";
        client
            .send(&Login41 { user: user.as_bytes(), answer: &answer, plugin, ..Login41::default() }.payload(offered()))
            .await;
        let packet = client.packet().await.unwrap();
        assert_eq!(packet.starts_with(b"\xfemysql_native_password\0"), switched, "{user}");
        if switched {
            client.send(&scramble_native(&packet[packet.len() - 21..][..20], b"wrong").unwrap()).await;
            assert_eq!(client.error_code().await, 1045);
        }
    }
}

#[tokio::test]
async fn a_password_in_clear_is_not_taken_without_tls() {
    let mut client = Setup::default().connect();
    client.greeting().await;
    let plugin = b"caching_sha2_password";
    client.send(&Login41 { user: b"app", answer: b"secret\0", plugin, ..Login41::default() }.payload(offered())).await;
    assert_eq!(client.error_code().await, 1045);
}

#[tokio::test]
async fn an_unknown_plugin_is_switched_to_native_over_a_fresh_salt() {
    for (password, code) in [("secret", None), ("wrong", Some(1045))] {
        let mut client = Setup::default().connect();
        let first = client.greeting().await.nonce();
        let login = Login41 { user: b"app", answer: b"?", plugin: b"client_ed25519", ..Login41::default() };
        client.send(&login.payload(offered())).await;
        let packet = client.packet().await.unwrap();
        let switch = AuthSwitchRequest::deserialize((), &mut ParseBuf(&packet)).unwrap();
        assert_eq!(switch.auth_plugin(), AuthPlugin::MysqlNativePassword);
        let salt = &switch.plugin_data()[..20];
        assert_ne!(salt, first);
        assert_eq!(packet.len(), 1 + b"mysql_native_password\0".len() + 20 + 1);
        client.send(&scramble_native(salt, password.as_bytes()).unwrap()).await;
        match code {
            None => drop(client.ok().await),
            Some(code) => assert_eq!(client.error_code().await, code),
        }
    }
}

#[tokio::test]
async fn without_plugin_auth_the_password_is_native() {
    let mut client = Setup::default().connect();
    let salt = client.greeting().await.nonce();
    let answer = scramble_native(&salt, b"secret").unwrap();
    let old = offered() - CapabilityFlags::CLIENT_PLUGIN_AUTH - CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA;
    client.capabilities = old;
    client.send(&Login41 { user: b"app", answer: &answer, ..Login41::default() }.payload(old)).await;
    client.ok().await;
}

#[tokio::test]
async fn flags_that_were_not_offered_do_not_change_the_layout() {
    // Bits of query attributes, compression, session tracking, local files, SSL: claimed, not used.
    let mut client = Setup::default().connect();
    client.greeting().await;
    let login = Login41 { user: b"root", database: b"shop", ..Login41::default() };
    client.send(&login.payload_claiming(offered(), CapabilityFlags::from_bits_retain(u32::MAX))).await;
    client.ok().await;
    assert_eq!(client.calls(), ["login root Some(\"shop\") 45 []"]);
}

#[tokio::test]
async fn database_charset_and_attributes_reach_the_session() {
    let mut client = Setup::default().connect();
    client.greeting().await;
    let login = Login41 {
        user: "jürgen".as_bytes(),
        charset: 224,
        database: b"shop",
        attributes: &[(b"_os", b"linux"), (b"program_name", b"x")],
        ..Login41::default()
    };
    client.send(&login.payload(offered())).await;
    assert_eq!(client.error_code().await, 1045);

    let mut client = Setup::default().connect();
    client.greeting().await;
    client.send(&Login41 { user: b"root", ..login }.payload(offered())).await;
    client.ok().await;
    let attributes = r#"[("_os", "linux"), ("program_name", "x")]"#;
    assert_eq!(client.calls(), [format!("login root Some(\"shop\") 224 {attributes}")]);
}

#[tokio::test]
async fn an_unknown_database_is_told_and_the_connection_closed() {
    let mut client = Setup::default().connect();
    client.greeting().await;
    client.send(&Login41 { user: b"root", database: b"missing", ..Login41::default() }.payload(offered())).await;
    assert_eq!(client.error_code().await, 1049);
    assert!(client.closed().await.is_ok());
}

#[tokio::test]
async fn the_login_of_a_known_client_library_is_read() {
    let mut client = Setup::default().connect();
    let salt = client.greeting().await.nonce();
    let attributes = HashMap::from([("_client_name".to_owned(), "oracle".to_owned())]);
    let response = HandshakeResponse::new(
        Some(scramble_sha256(&salt, b"secret").unwrap().to_vec()),
        (8, 0, 36),
        Some(&b"app"[..]),
        Some(&b"shop"[..]),
        Some(AuthPlugin::CachingSha2Password),
        offered(),
        Some(attributes),
        1 << 24,
    );
    let mut payload = Vec::new();
    response.serialize(&mut payload);
    client.send(&payload).await;
    assert_eq!(client.packet().await.unwrap(), [1, 3]);
    client.ok().await;
    assert!(client.calls()[0].starts_with("login app Some(\"shop\")"));
    assert!(client.calls()[0].ends_with(r#"[("_client_name", "oracle")]"#));
}

#[tokio::test]
async fn a_login_cut_short_anywhere_lets_nobody_in() {
    let whole = Login41 { user: b"who", answer: b"12345678901234567890", database: b"shop", ..Login41::default() }
        .payload(offered());
    for length in 0..whole.len() {
        let mut client = Setup::default().connect();
        client.greeting().await;
        client.send(&whole[..length]).await;
        client.stream.shutdown().await.unwrap();
        let packet = client.packet().await.unwrap();
        let code = u16::from_le_bytes([packet[1], packet[2]]);
        let user_and_answer = 32 + 4 + 21;
        let plugin = user_and_answer + 5 + 21;
        if length < user_and_answer {
            assert_eq!((packet[0], code), (0xff, 1043), "cut to {length}");
        } else if length < plugin {
            // Part of a plugin's name is the name of an unknown one.
            assert_eq!(packet[0], 0xfe, "cut to {length}");
        } else {
            assert_eq!((packet[0], code), (0xff, 1045), "cut to {length}");
        }
    }
}

#[tokio::test]
async fn a_client_of_before_4_1_is_a_bad_handshake() {
    let mut client = Setup::default().connect();
    client.greeting().await;
    let old = CapabilityFlags::CLIENT_LONG_PASSWORD;
    client.send(&Login41 { user: b"root", ..Login41::default() }.payload(old)).await;
    assert_eq!(client.error().await, (1043, "08S01".to_owned(), "Bad handshake".to_owned()));
    drop(client.stream);
    assert!(matches!(client.served.await.unwrap(), Err(WireError::Protocol(Violation::BadHandshake))));
}

#[tokio::test]
async fn attributes_that_cannot_be_read_do_not_matter() {
    let mut client = Setup::default().connect();
    client.greeting().await;
    let mut payload = Login41 { user: b"root", ..Login41::default() }.payload(offered());
    payload.pop();
    payload.extend_from_slice(b"\xfc\xff\xffjunk");
    client.send(&payload).await;
    client.ok().await;
    assert_eq!(client.calls(), ["login root None 45 []"]);
}

#[tokio::test]
async fn a_packet_over_64_kib_before_login_is_refused() {
    let mut client = Setup::default().connect();
    client.greeting().await;
    client.stream.write_all(&[1, 0, 1, 1]).await.unwrap();
    client.sequence = 2;
    assert_eq!(client.error_code().await, 1153);
    client.stream.shutdown().await.unwrap();
    assert!(matches!(client.served.await.unwrap(), Err(WireError::TooLarge { limit: 65_536 })));
}

#[tokio::test]
async fn a_login_that_does_not_come_in_time_is_ended() {
    let limits = WireLimits { handshake_timeout: SOON, ..WireLimits::default() };
    let mut client = Setup { limits, ..Setup::default() }.connect();
    client.greeting().await;
    assert_eq!(client.error_code().await, 1159);
    drop(client.stream);
    assert!(matches!(client.served.await.unwrap(), Err(WireError::Timeout(Wait::Handshake))));
}

#[tokio::test]
async fn a_login_has_only_what_is_left_of_its_time() {
    // A PROXY header came late, for example.
    let mut client = Setup { login: Some(SOON), ..Setup::default() }.connect();
    client.greeting().await;
    assert_eq!(client.error_code().await, 1159);
    drop(client.stream);
    assert!(matches!(client.served.await.unwrap(), Err(WireError::Timeout(Wait::Handshake))));
}

#[tokio::test]
async fn a_login_that_trickles_in_is_ended_too() {
    let limits = WireLimits { handshake_timeout: 3 * SOON, ..WireLimits::default() };
    let mut client = Setup { limits, ..Setup::default() }.connect();
    client.greeting().await;
    let (mut replies, mut commands) = tokio::io::split(client.stream);
    let trickle = async {
        commands.write_all(&[200, 0, 0, 1]).await.unwrap();
        let mut beat = tokio::time::interval(SOON / 3);
        loop {
            beat.tick().await;
            // Fails once the server has closed.
            let _ = commands.write_all(&[0]).await;
        }
    };
    let mut reply = [0; 7];
    tokio::select! {
        () = trickle => {}
        read = replies.read_exact(&mut reply) => drop(read.unwrap()),
    }
    assert_eq!(u16::from_le_bytes([reply[5], reply[6]]), 1159);
}

#[tokio::test]
async fn a_port_check_is_no_error() {
    let mut client = Setup::default().connect();
    client.greeting().await;
    drop(client.stream);
    assert!(client.served.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_client_that_leaves_within_the_login_is_told_apart() {
    let mut client = Setup::default().connect();
    client.greeting().await;
    client.stream.write_all(&[100, 0, 0, 1, 0]).await.unwrap();
    drop(client.stream);
    assert!(matches!(client.served.await.unwrap(), Err(WireError::Closed)));
}

#[tokio::test]
async fn a_refused_connection_gets_an_error_in_place_of_the_greeting() {
    let (near, far) = tokio::io::duplex(1024);
    refuse(Box::new(far), &ErrorReply::new(1040, "08004", "Too many connections")).await.unwrap();
    let mut bytes = Vec::new();
    let mut near = near;
    near.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, b"\x17\x00\x00\x00\xff\x10\x04Too many connections");
}

pub(super) mod tls {
    use std::sync::Arc;

    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, SignatureScheme};
    use tokio_rustls::TlsConnector;
    use tokio_rustls::client::TlsStream;

    use super::*;

    const CERTIFICATE: &[u8] = include_bytes!("../testdata/cert.der");
    const KEY: &[u8] = include_bytes!("../testdata/key.der");

    pub(in crate::wire::tests) fn server() -> Arc<rustls::ServerConfig> {
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

    pub(in crate::wire::tests) fn ssl_request(capabilities: CapabilityFlags) -> Vec<u8> {
        Login41::default().payload(capabilities)[..32].to_vec()
    }

    pub(in crate::wire::tests) async fn encrypted(
        client: Client,
        capabilities: CapabilityFlags,
    ) -> Client<TlsStream<DuplexStream>> {
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
}

#[tokio::test]
async fn a_name_is_no_longer_than_a_users_can_be() {
    let mut client = Setup::default().connect();
    client.greeting().await;
    let name = "x".repeat(60_000);
    client.send(&Login41 { user: name.as_bytes(), ..Login41::default() }.payload(offered())).await;
    let message = format!("Access denied for user '{}'@'localhost' (using password: NO)", "x".repeat(32));
    assert_eq!(client.error().await, (1045, "28000".to_owned(), message));
}
