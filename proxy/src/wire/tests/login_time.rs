//! The time for a login, and clients that leave within it.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_login_that_does_not_come_in_time_is_ended() {
    let limits = WireLimits { handshake_timeout: SOON, ..WireLimits::default() };
    let mut client = Setup { limits, ..Setup::default() }.connect();
    client.greeting().await;
    assert_eq!(client.error_code().await, 1159);
    drop(client.stream);
    assert!(matches!(client.served.await.unwrap(), Err(WireError::Timeout(Wait::Handshake))));
}

#[tokio::test(start_paused = true)]
async fn a_login_has_only_what_is_left_of_its_time() {
    // A PROXY header came late, for example.
    let mut client = Setup { login: Some(SOON), ..Setup::default() }.connect();
    client.greeting().await;
    assert_eq!(client.error_code().await, 1159);
    drop(client.stream);
    assert!(matches!(client.served.await.unwrap(), Err(WireError::Timeout(Wait::Handshake))));
}

#[tokio::test(start_paused = true)]
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
