//! What guesses of passwords cost: delays, turns.

use mysql_common::scramble::scramble_sha256;

use super::*;
use crate::auth::rsa::tests::pair;

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
