//! Greeting, passwords, plugins.

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
async fn a_refused_connection_gets_an_error_in_place_of_the_greeting() {
    let (near, far) = tokio::io::duplex(1024);
    refuse(Box::new(far), &ErrorReply::new(1040, "08004", "Too many connections")).await.unwrap();
    let mut bytes = Vec::new();
    let mut near = near;
    near.read_to_end(&mut bytes).await.unwrap();
    assert_eq!(bytes, b"\x17\x00\x00\x00\xff\x10\x04Too many connections");
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
