//! Commands that need no rows.

use std::time::Instant;

use mysql_common::packets::{AuthPlugin, AuthSwitchRequest, ComChangeUser, ComChangeUserMoreData};
use mysql_common::proto::MySerialize;
use mysql_common::scramble::{scramble_native, scramble_sha256};

use super::*;

#[tokio::test]
async fn ping_tells_the_sessions_state() {
    let mut client = enter().await;
    client.command(b"\x0e").await;
    assert_eq!(client.ok().await.status_flags().bits(), 0x0002);
    client.query("begin").await;
    assert_eq!(client.ok().await.status_flags().bits(), 0x0003);
    client.command(b"\x0e").await;
    assert_eq!(client.ok().await.status_flags().bits(), 0x0003);
}

#[test]
fn each_part_of_the_state_has_its_bit() {
    use super::super::status::Following;
    let none = Status { autocommit: false, ..Status::default() };
    assert_eq!(none.bits(Following::Last), 0);
    assert_eq!(none.bits(Following::More), 0x0008);
    assert_eq!(Status { autocommit: true, ..none }.bits(Following::Last), 0x0002);
    assert_eq!(Status { in_transaction: true, ..none }.bits(Following::Last), 0x0001);
    assert_eq!(Status { no_backslash_escapes: true, ..none }.bits(Following::Last), 0x0200);
    assert_eq!(Status { in_read_only_transaction: true, ..none }.bits(Following::Last), 0x2000);
}

#[tokio::test]
async fn an_unknown_command_is_1047_and_the_connection_lives() {
    let mut client = enter().await;
    for code in [0x00, 0x05, 0x0a, 0x12, 0x1d, 0x20, 0xfa, 0xff] {
        client.command(&[code, 1, 2, 3]).await;
        assert_eq!(client.error().await, (1047, "08S01".to_owned(), "Unknown command".to_owned()), "{code:#x}");
    }
    client.command(b"").await;
    assert_eq!(client.error_code().await, 1047);
    client.command(b"\x0e").await;
    client.ok().await;
}

#[tokio::test]
async fn init_db_reaches_the_session() {
    let mut client = enter().await;
    client.command(b"\x02shop").await;
    client.ok().await;
    client.command(b"\x02missing").await;
    assert_eq!(client.error_code().await, 1049);
    client.command(b"\x02\xff").await;
    client.ok().await;
    assert_eq!(client.calls()[1..], ["init_db shop", "init_db missing", "init_db \u{fffd}"]);
}

#[tokio::test]
async fn field_list_tells_the_columns_that_fit() {
    for (capabilities, pattern, names) in [
        (offered(), &b""[..], &["null", "int", "uint", "double", "decimal", "text", "bytes", "json", "datetime"][..]),
        (old_eof(), b"%", &["null", "int", "uint", "double", "decimal", "text", "bytes", "json", "datetime"]),
        (offered(), b"D%E", &["double", "datetime"]),
        (offered(), b"_nt", &["int"]),
        (offered(), b"none", &[]),
    ] {
        let mut client = Setup::default().enter_with(capabilities).await;
        client.command(&[b"\x04t\0", pattern].concat()).await;
        for name in names {
            let packet = client.packet().await.unwrap();
            let mut buffer = ParseBuf(&packet);
            let column = mysql_common::packets::Column::deserialize((), &mut buffer).unwrap();
            assert_eq!(column.name_str(), *name);
            assert_eq!(buffer.0, [0xfb], "the default");
        }
        client.end().await;
        client.command(b"\x04missing\0").await;
        assert_eq!(client.error_code().await, 1146);
    }
}

#[tokio::test]
async fn refresh_reaches_the_session() {
    let mut client = enter().await;
    client.command(b"\x07\x2e").await;
    client.ok().await;
    client.command(b"\x07\x10").await;
    assert_eq!(client.error_code().await, 1235);
    client.command(b"\x07").await;
    assert_eq!(client.error_code().await, 1835);
    assert_eq!(client.calls()[1..], ["refresh 46", "refresh 16"]);
}

#[tokio::test]
async fn process_kill_reaches_the_session() {
    let mut client = enter().await;
    client.command(b"\x0c\x01\0\0\0").await;
    client.ok().await;
    client.command(b"\x0c\x02\0\0\0").await;
    assert_eq!(client.error_code().await, 1094);
    client.command(b"\x0c\x02").await;
    assert_eq!(client.error_code().await, 1835);
}

#[tokio::test]
async fn a_killed_connection_ends_at_once_if_it_is_idle() {
    let client = enter().await;
    client.kill.kill_connection();
    assert!(client.closed().await.is_ok());
}

#[tokio::test]
async fn a_killed_connection_ends_soon_if_what_it_runs_does_not() {
    let limits = WireLimits { kill_grace: SOON, ..WireLimits::default() };
    let mut client = Setup { limits, ..Setup::default() }.enter().await;
    client.query("wait").await;
    while client.calls().last().is_none_or(|call| call != "waiting") {
        tokio::task::yield_now().await;
    }
    client.kill.kill_connection();
    assert!(matches!(client.closed().await, Err(WireError::Killed)));
}

#[tokio::test]
async fn a_command_that_trickles_in_is_ended() {
    let limits = WireLimits { read_timeout: SOON, ..WireLimits::default() };
    let mut client = Setup { limits, ..Setup::default() }.enter().await;
    client.stream.write_all(&[200, 0, 0, 0, 3]).await.unwrap();
    client.sequence = 0;
    assert_eq!(client.error_code().await, 1159);
    let Client { stream, served, .. } = client;
    drop(stream);
    assert!(matches!(served.await.unwrap(), Err(WireError::Timeout(Wait::Read))));
}

#[tokio::test(start_paused = true)]
async fn a_slow_command_is_taken_as_long_as_it_keeps_coming() {
    let limits = WireLimits { read_timeout: 10 * SOON, ..WireLimits::default() };
    let mut client = Setup { limits, pipe: 64 * 1024, ..Setup::default() }.enter().await;
    let text = [b"\x03echo ".to_vec(), vec![b'x'; 1 << 20]].concat();
    for part in frames(&text, &mut 0).chunks(64 * 1024) {
        client.stream.write_all(part).await.unwrap();
        tokio::time::sleep(SOON).await;
    }
    client.sequence = 1;
    assert_eq!(client.packet().await.unwrap(), [1]);
}

#[tokio::test(start_paused = true)]
async fn the_time_between_commands_is_not_that_of_a_command() {
    let limits = WireLimits { idle_timeout: 5 * SOON, read_timeout: 100 * SOON, ..WireLimits::default() };
    let mut client = Setup { limits, ..Setup::default() }.enter().await;
    for _ in 0..3 {
        let ping = frames(b"\x03echo slowly", &mut 0);
        for part in ping.chunks(5) {
            client.stream.write_all(part).await.unwrap();
            tokio::time::sleep(4 * SOON).await;
        }
        client.sequence = 1;
        assert_eq!(client.packet().await.unwrap(), [1]);
        client.packet().await.unwrap();
        assert_eq!(client.packet().await.unwrap(), b"\x06slowly");
        client.end().await;
    }
}

#[tokio::test]
async fn statistics_is_a_bare_string() {
    let mut client = enter().await;
    client.command(b"\x09").await;
    assert_eq!(client.packet().await.unwrap(), b"Uptime: 1  Threads: 1");
}

#[tokio::test]
async fn set_option_is_answered_by_an_end_of_rows() {
    for capabilities in [offered(), old_eof()] {
        let mut client = Setup::default().enter_with(capabilities).await;
        client.command(b"\x1b\x00\x00").await;
        client.end().await;
        client.command(b"\x1b\x01\x00").await;
        client.end().await;
        client.command(b"\x1b\x02\x00").await;
        assert_eq!(client.error_code().await, 1047);
        client.command(b"\x1b\x00").await;
        assert_eq!(client.error_code().await, 1835);
        assert_eq!(client.calls()[1..], ["multi_statements true", "multi_statements false"]);
    }
}

#[tokio::test]
async fn quit_closes_without_a_reply() {
    let mut client = enter().await;
    client.command(b"\x01").await;
    assert!(client.closed().await.is_ok());
}

#[tokio::test]
async fn replies_written_before_a_quit_in_the_same_packet_train_are_sent() {
    let mut client = enter().await;
    let bytes = [frames(b"\x0e", &mut 0), frames(b"\x01", &mut 0)].concat();
    client.stream.write_all(&bytes).await.unwrap();
    client.sequence = 1;
    client.ok().await;
    assert!(client.closed().await.is_ok());
}

#[tokio::test]
async fn a_client_that_goes_away_between_commands_has_quit() {
    let client = enter().await;
    drop(client.stream);
    assert!(client.served.await.unwrap().is_ok());
}

#[tokio::test]
async fn an_idle_client_is_told_unasked_and_closed() {
    let limits = WireLimits { idle_timeout: SOON, ..WireLimits::default() };
    let mut client = Setup { limits, ..Setup::default() }.enter().await;
    client.sequence = 0;
    assert_eq!(client.error_code().await, 4031);
    drop(client.stream);
    assert!(matches!(client.served.await.unwrap(), Err(WireError::Timeout(Wait::Idle))));
}

#[tokio::test]
async fn reset_connection_resets_the_session() {
    let mut client = enter().await;
    client.query("begin").await;
    client.ok().await;
    client.command(b"\x1f").await;
    assert_eq!(client.ok().await.status_flags().bits(), 0x0002);
    assert_eq!(client.calls()[1..], ["reset"]);
}

#[tokio::test]
async fn the_first_command_behind_a_login_is_not_read_from_the_login_on() {
    let mut client = enter().await;
    let entered = Instant::now();
    client.query("ok").await;
    client.ok().await;
    let events = client.events.lock().unwrap();
    let WireEvent::Command { reading, started, .. } = events[0] else { panic!("{events:?}") };
    assert!(started - reading >= entered, "it took {reading:?}");
}

async fn change_user(client: &mut Client, plugin: AuthPlugin<'static>, user: &[u8], database: &[u8]) -> Vec<u8> {
    let attributes = [("program_name".to_owned(), "pool".to_owned())].into();
    let more = ComChangeUserMoreData::new(255).with_auth_plugin(Some(plugin)).with_connect_attributes(Some(attributes));
    let command = ComChangeUser::new()
        .with_user(Some(user.to_vec()))
        .with_database(Some(database.to_vec()))
        .with_auth_plugin_data(Some(b"scrambled with a used salt".to_vec()))
        .with_more_data(Some(more));
    let mut payload = Vec::new();
    command.serialize(&mut payload);
    client.command(&payload).await;
    client.packet().await.unwrap()
}

#[tokio::test]
async fn change_user_proves_the_password_over_a_fresh_salt_and_resets() {
    let mut client = enter().await;
    client.query("begin").await;
    client.ok().await;
    let mut salts = Vec::new();
    for plugin in [AuthPlugin::MysqlNativePassword, AuthPlugin::CachingSha2Password] {
        let packet = change_user(&mut client, plugin.clone(), b"app", b"shop").await;
        let switch = AuthSwitchRequest::deserialize((), &mut ParseBuf(&packet)).unwrap();
        assert_eq!(switch.auth_plugin(), plugin);
        let salt = switch.plugin_data()[..20].to_vec();
        if plugin == AuthPlugin::MysqlNativePassword {
            client.send(&scramble_native(&salt, b"secret").unwrap()).await;
        } else {
            client.send(&scramble_sha256(&salt, b"secret").unwrap()).await;
            assert_eq!(client.packet().await.unwrap(), [1, 3]);
        }
        salts.push(salt);
        assert_eq!(client.ok().await.status_flags().bits(), 0x0002);
        let login = r#"login app Some("shop") 255 [("program_name", "pool")]"#;
        let calls = client.calls();
        assert_eq!(calls[calls.len() - 2..], ["reset".to_owned(), login.to_owned()]);
    }
    assert_ne!(salts[0], salts[1]);
    client.query("ok").await;
    client.ok().await;
}

#[tokio::test]
async fn a_failed_change_user_closes_the_connection() {
    for (user, database, password, code) in
        [("app", "shop", "wrong", 1045), ("who", "shop", "secret", 1045), ("app", "missing", "secret", 1049)]
    {
        let mut client = enter().await;
        let plugin = AuthPlugin::MysqlNativePassword;
        let packet = change_user(&mut client, plugin, user.as_bytes(), database.as_bytes()).await;
        let switch = AuthSwitchRequest::deserialize((), &mut ParseBuf(&packet)).unwrap();
        let answer = scramble_native(&switch.plugin_data()[..20], password.as_bytes()).unwrap();
        client.send(&answer).await;
        assert_eq!(client.error_code().await, code);
        assert!(client.closed().await.is_ok());
    }
}

#[tokio::test]
async fn change_user_without_plugin_charset_or_attributes_is_read() {
    let old = offered() - CapabilityFlags::CLIENT_PLUGIN_AUTH - CapabilityFlags::CLIENT_CONNECT_ATTRS;
    for rest in [&b""[..], b"\0", b"\0\x21\0"] {
        let mut client = Setup::default().enter_with(old).await;
        client.command(&[b"\x11root\0\0", rest].concat()).await;
        let packet = client.packet().await.unwrap();
        assert!(packet.starts_with(b"\xfemysql_native_password\0"));
        client.send(b"").await;
        client.ok().await;
        let charset = if rest.len() > 1 { 33 } else { 45 };
        assert_eq!(client.calls().last().unwrap(), &format!("login root None {charset} []"));
    }
}

#[tokio::test]
async fn a_change_user_that_cannot_be_read_closes_the_connection() {
    let mut client = enter().await;
    client.command(b"\x11root").await;
    assert_eq!(client.error_code().await, 1835);
    client.stream.shutdown().await.unwrap();
    assert!(matches!(client.closed().await, Err(WireError::Protocol(Violation::BadChangeUser))));
}

#[tokio::test]
async fn commands_and_traffic_are_observed() {
    let mut client = enter().await;
    client.command(b"\x0e").await;
    client.ok().await;
    client.command(b"\x01").await;
    let events = Arc::clone(&client.events);
    assert!(client.closed().await.is_ok());
    let events = events.lock().unwrap();
    let kinds: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            WireEvent::Command { kind, .. } => Some(*kind),
            WireEvent::Traffic { .. } => None,
        })
        .collect();
    assert_eq!(kinds, [CommandKind::Ping, CommandKind::Quit]);
    assert_eq!(events[3], WireEvent::Traffic { received: 5, sent: 0 });
    // Greeting and login are part of the first.
    assert!(matches!(events[1], WireEvent::Traffic { received: 50.., sent: 80.. }));
}
