//! `caching_sha2_password` when its short answer does not do: the password itself.

use mysql_common::scramble::{scramble_native, scramble_sha256};

use super::tls::{encrypted, server, ssl_request};
use super::*;
use crate::auth::rsa::tests::pair;

const PLUGIN: &[u8] = b"caching_sha2_password";
/// Long enough for an answer, and none that fits.
const OTHER_ANSWER: &[u8] = &[7; 32];

/// A client without TLS whose answer did not do, and the salt it was sent.
async fn asked_in_full(user: &[u8], denials: &Arc<Mutex<Vec<String>>>) -> (Client, Vec<u8>) {
    let login_key = Some(Arc::new(LoginKey::of(pair())));
    let mut client = Setup { login_key, denials: Arc::clone(denials), ..Setup::default() }.connect();
    let salt = client.greeting().await.nonce().to_vec();
    let login = Login41 { user, answer: OTHER_ANSWER, plugin: PLUGIN, ..Login41::default() };
    client.send(&login.payload(offered())).await;
    assert_eq!(client.packet().await.unwrap(), [1, 4]);
    (client, salt)
}

/// What a client encrypts.
fn mixed(password: &[u8], salt: &[u8]) -> Vec<u8> {
    password.iter().zip(salt.iter().cycle()).map(|(byte, salt)| byte ^ salt).collect()
}

#[tokio::test]
async fn without_tls_the_password_comes_encrypted_with_the_key_that_was_asked_for() {
    for (user, password, right) in [
        ("app", &b"secret\0"[..], true),
        ("app", b"wrong\0", false),
        ("app", b"secret", false),
        ("app", b"\0", false),
        ("app", b"", false),
        ("who", b"secret\0", false),
    ] {
        let denials = Arc::default();
        let (mut client, salt) = asked_in_full(user.as_bytes(), &denials).await;
        client.send(&[2]).await;
        let key = client.packet().await.unwrap();
        let (head, key) = key.split_first().unwrap();
        assert_eq!((*head, key), (1, pair().public_pem().as_bytes()));
        client.send(&mysql_common::crypto::encrypt(&mixed(password, &salt), key)).await;
        if right {
            client.ok().await;
            assert!(client.calls()[0].starts_with("login app"), "{:?}", client.calls());
            assert!(denials.lock().unwrap().is_empty());
        } else {
            assert_eq!(client.error_code().await, 1045, "{user} {password:?}");
            assert_eq!(*denials.lock().unwrap(), [user]);
        }
    }
}

#[tokio::test]
async fn a_client_that_has_the_key_need_not_ask_for_it() {
    let (mut client, salt) = asked_in_full(b"app", &Arc::default()).await;
    client.send(&mysql_common::crypto::encrypt(&mixed(b"secret\0", &salt), pair().public_pem().as_bytes())).await;
    client.ok().await;
}

#[tokio::test]
async fn a_password_encrypted_for_another_salt_is_worth_nothing() {
    let (mut client, mut salt) = asked_in_full(b"app", &Arc::default()).await;
    salt[0] ^= 1;
    client.send(&mysql_common::crypto::encrypt(&mixed(b"secret\0", &salt), pair().public_pem().as_bytes())).await;
    assert_eq!(client.error_code().await, 1045);
}

#[tokio::test]
async fn a_password_in_clear_is_not_taken_without_tls() {
    for answer in [&b"secret\0"[..], b"", &[0; 256], &[0xff; 256], &[1; 60_000]] {
        let (mut client, _) = asked_in_full(b"app", &Arc::default()).await;
        client.send(answer).await;
        assert_eq!(client.error_code().await, 1045);
    }
}

#[tokio::test]
async fn who_leaves_when_asked_was_refused_all_the_same() {
    let denials = Arc::default();
    let (client, _) = asked_in_full(b"app", &denials).await;
    drop(client.stream);
    let _ended = client.served.await.unwrap();
    assert_eq!(*denials.lock().unwrap(), ["app"]);

    let (mut client, _) = asked_in_full(b"app", &denials).await;
    client.stream.write_all(&[100, 0, 0, 3, 0]).await.unwrap();
    drop(client.stream);
    assert!(client.served.await.unwrap().is_err());
    assert_eq!(*denials.lock().unwrap(), ["app", "app"]);
}

#[tokio::test]
async fn without_a_key_and_without_tls_nothing_more_is_asked() {
    let mut client = Setup::default().connect();
    client.greeting().await;
    let login = Login41 { user: b"app", answer: OTHER_ANSWER, plugin: PLUGIN, ..Login41::default() };
    client.send(&login.payload(offered())).await;
    assert_eq!(client.error_code().await, 1045);
}

#[tokio::test]
async fn no_password_is_not_asked_twice() {
    for answer in [&b""[..], b"\0"] {
        let login_key = Some(Arc::new(LoginKey::of(pair())));
        let mut client = Setup { login_key, ..Setup::default() }.connect();
        client.greeting().await;
        client.send(&Login41 { user: b"app", answer, plugin: PLUGIN, ..Login41::default() }.payload(offered())).await;
        assert_eq!(client.error_code().await, 1045);
    }
}

#[tokio::test]
async fn over_tls_the_password_comes_in_clear() {
    // Of `old` no answer can be checked but the password itself; without TLS it is switched to the other plugin.
    for (user, password, right) in [
        ("app", &b"secret\0"[..], true),
        ("old", b"secret\0", true),
        ("app", b"wrong\0", false),
        ("app", b"secret", false),
        ("app", b"", false),
        ("who", b"secret\0", false),
    ] {
        let login_key = Some(Arc::new(LoginKey::of(pair())));
        let mut client = Setup { tls: Some(server()), login_key, ..Setup::default() }.connect();
        let salt = client.greeting().await.nonce();
        let with_tls = offered() | CapabilityFlags::CLIENT_SSL;
        client.send(&ssl_request(with_tls)).await;
        let mut client = encrypted(client, with_tls).await;
        let answer = match user {
            "old" => scramble_sha256(&salt, b"secret").unwrap().to_vec(),
            _ => OTHER_ANSWER.to_vec(),
        };
        let login = Login41 { user: user.as_bytes(), answer: &answer, plugin: PLUGIN, ..Login41::default() };
        client.send(&login.payload(with_tls)).await;
        assert_eq!(client.packet().await.unwrap(), [1, 4]);
        client.send(password).await;
        if right { drop(client.ok().await) } else { assert_eq!(client.error_code().await, 1045, "{user} {password:?}") }
    }
}

#[tokio::test]
async fn an_answer_that_ends_like_a_password_is_none() {
    let mut answer = OTHER_ANSWER.to_vec();
    answer[31] = 0;
    let mut client = Setup { tls: Some(server()), ..Setup::default() }.connect();
    client.greeting().await;
    let with_tls = offered() | CapabilityFlags::CLIENT_SSL;
    client.send(&ssl_request(with_tls)).await;
    let mut client = encrypted(client, with_tls).await;
    let login = Login41 { user: b"old", answer: &answer, plugin: PLUGIN, ..Login41::default() };
    client.send(&login.payload(with_tls)).await;
    assert_eq!(client.packet().await.unwrap(), [1, 4]);
    client.send(b"secret\0").await;
    client.ok().await;
}

#[tokio::test]
async fn an_account_of_the_older_hash_is_switched_to_its_plugin_without_tls() {
    let login_key = Some(Arc::new(LoginKey::of(pair())));
    let mut client = Setup { login_key, ..Setup::default() }.connect();
    let salt = client.greeting().await.nonce();
    let answer = scramble_sha256(&salt, b"secret").unwrap();
    client
        .send(&Login41 { user: b"old", answer: &answer, plugin: PLUGIN, ..Login41::default() }.payload(offered()))
        .await;
    let switch = client.packet().await.unwrap();
    let fresh = switch.strip_prefix(b"\xfemysql_native_password\0").unwrap();
    client.send(&scramble_native(&fresh[..20], b"secret").unwrap()).await;
    client.ok().await;
}

#[tokio::test]
async fn change_user_has_the_full_exchange_too() {
    let login_key = Some(Arc::new(LoginKey::of(pair())));
    let mut client = Setup { login_key, ..Setup::default() }.enter().await;
    let named = [b"\x11app\0\0\0\x2d\0".as_slice(), PLUGIN, b"\0"].concat();
    client.command(&named).await;
    let switch = client.packet().await.unwrap();
    let salt = &switch.strip_prefix(b"\xfecaching_sha2_password\0").unwrap()[..20];
    client.send(OTHER_ANSWER).await;
    assert_eq!(client.packet().await.unwrap(), [1, 4]);
    client.send(&mysql_common::crypto::encrypt(&mixed(b"secret\0", salt), pair().public_pem().as_bytes())).await;
    client.ok().await;
}

#[tokio::test]
async fn change_user_goes_by_the_newer_plugin_if_the_login_did() {
    let mut client = Setup::default().connect();
    let salt = client.greeting().await.nonce();
    let answer = scramble_sha256(&salt, b"secret").unwrap();
    client
        .send(&Login41 { user: b"app", answer: &answer, plugin: PLUGIN, ..Login41::default() }.payload(offered()))
        .await;
    assert_eq!(client.packet().await.unwrap(), [1, 3]);
    client.ok().await;
    client.command(b"\x11app\0\0\0\x2d\0mysql_native_password\0").await;
    let switch = client.packet().await.unwrap();
    assert!(switch.starts_with(b"\xfecaching_sha2_password\0"));
    let answer = scramble_sha256(&switch[23..43], b"secret").unwrap();
    client.send(&answer).await;
    assert_eq!(client.packet().await.unwrap(), [1, 3]);
    client.ok().await;
}

#[tokio::test]
async fn change_user_asks_once_whatever_is_known_of_the_user() {
    for (user, password, right) in
        [("old", "secret", true), ("old", "wrong", false), ("nobody like old", "secret", false)]
    {
        let mut client = Setup::default().connect();
        let salt = client.greeting().await.nonce();
        let answer = scramble_sha256(&salt, b"secret").unwrap();
        client
            .send(&Login41 { user: b"app", answer: &answer, plugin: PLUGIN, ..Login41::default() }.payload(offered()))
            .await;
        assert_eq!(client.packet().await.unwrap(), [1, 3]);
        client.ok().await;
        client.command(&[b"\x11", user.as_bytes(), b"\0\0\0\x2d\0", PLUGIN, b"\0"].concat()).await;
        let switch = client.packet().await.unwrap();
        let fresh = switch.strip_prefix(b"\xfemysql_native_password\0").unwrap();
        client.send(&scramble_native(&fresh[..20], password.as_bytes()).unwrap()).await;
        if right { drop(client.ok().await) } else { assert_eq!(client.error_code().await, 1045, "{user}") }
    }
}

#[tokio::test]
async fn over_tls_the_password_alone_is_the_guess_where_the_answer_says_nothing() {
    for (user, password, failed) in [
        ("old", &b"secret\0"[..], 0),
        ("old", b"wrong\0", 1),
        ("nobody like old", b"secret\0", 1),
        ("who", b"secret\0", 1),
        // Its answer could have passed.
        ("app", b"secret\0", 1),
    ] {
        let failures = Arc::new(AtomicUsize::new(0));
        let mut client = Setup { tls: Some(server()), failures: Arc::clone(&failures), ..Setup::default() }.connect();
        client.greeting().await;
        let with_tls = offered() | CapabilityFlags::CLIENT_SSL;
        client.send(&ssl_request(with_tls)).await;
        let mut client = encrypted(client, with_tls).await;
        let login = Login41 { user: user.as_bytes(), answer: OTHER_ANSWER, plugin: PLUGIN, ..Login41::default() };
        client.send(&login.payload(with_tls)).await;
        assert_eq!(client.packet().await.unwrap(), [1, 4]);
        let asked = failures.load(Ordering::SeqCst);
        assert_eq!(asked, usize::from(!user.contains("old")), "{user}");
        client.send(password).await;
        match user {
            "old" if failed == 0 => drop(client.ok().await),
            "app" => drop(client.ok().await),
            _ => assert_eq!(client.error_code().await, 1045, "{user}"),
        }
        assert_eq!(failures.load(Ordering::SeqCst), failed, "{user} {password:?}");
    }
}
