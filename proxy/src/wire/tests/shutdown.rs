//! The server stops.

use super::*;

#[tokio::test]
async fn an_idle_clients_connection_is_closed_without_a_word() {
    let client = enter().await;
    client.stop.send(true).unwrap();
    assert!(client.closed().await.is_ok());
}

#[tokio::test]
async fn the_running_command_is_finished_and_the_next_one_refused() {
    let mut client = enter().await;
    let both = [frames(b"\x03wait", &mut 0), frames(b"\x0e", &mut 0)].concat();
    client.stream.write_all(&both).await.unwrap();
    while client.calls().last().is_none_or(|call| call != "waiting") {
        tokio::task::yield_now().await;
    }
    client.stop.send(true).unwrap();
    client.permits.add_permits(1);
    client.sequence = 1;
    client.ok().await;
    client.sequence = 1;
    assert_eq!(client.error().await, (1053, "08S01".to_owned(), "Server shutdown in progress".to_owned()));
    assert!(client.closed().await.is_ok());
}

#[tokio::test]
async fn a_transaction_is_let_finish_and_the_connection_closed_behind_it() {
    let mut client = enter().await;
    client.command(b"\x03begin").await;
    client.ok().await;
    client.stop.send(true).unwrap();
    for command in [&b"\x0e"[..], b"\x03insert"] {
        client.command(command).await;
        client.ok().await;
    }
    // Ends it.
    client.command(b"\x1f").await;
    client.ok().await;
    assert!(client.closed().await.is_ok());
}

#[tokio::test]
async fn a_client_within_its_login_is_sent_away() {
    let mut client = Setup::default().connect();
    client.greeting().await;
    client.stop.send(true).unwrap();
    assert_eq!(client.error_code().await, 1053);
    assert!(client.closed().await.is_ok());
}

#[tokio::test]
async fn a_connection_outlives_whoever_could_have_stopped_it() {
    let client = enter().await;
    let Client { stream, sequence, capabilities, served, stop, kill, calls, events, permits } = client;
    drop(stop);
    let (stop, _) = watch::channel(false);
    let mut client = Client { stream, sequence, capabilities, served, stop, kill, calls, events, permits };
    client.command(b"\x0e").await;
    client.ok().await;
}

#[tokio::test]
async fn an_idle_client_that_has_waited_often_is_ended_all_the_same() {
    for stops in [true, false] {
        let mut client = enter().await;
        for _ in 0..3 {
            client.command(b"\x0e").await;
            client.ok().await;
            // Meant for a statement, and none runs: it wakes the connection, which goes on waiting.
            client.kill.kill_statement();
            tokio::task::yield_now().await;
        }
        if stops {
            client.stop.send(true).unwrap();
        } else {
            client.kill.kill_connection();
        }
        assert!(client.closed().await.is_ok(), "stops: {stops}");
    }
}

#[tokio::test]
async fn a_transaction_that_is_not_waited_for_any_more_is_closed_without_a_word() {
    let mut client = enter().await;
    client.command(b"\x03begin").await;
    client.ok().await;
    client.stop.send(true).unwrap();
    client.command(b"\x0e").await;
    client.ok().await;
    client.kill.kill_connection();
    assert!(client.closed().await.is_ok());
}
