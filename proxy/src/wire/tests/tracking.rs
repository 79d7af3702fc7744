//! What changed of the session, in OK packets.

use super::*;

fn tracking() -> CapabilityFlags {
    offered() | CapabilityFlags::CLIENT_SESSION_TRACK
}

/// What is behind the fixed fields of an OK packet that has no rows and no id.
fn behind(packet: &[u8]) -> (u16, &[u8]) {
    assert_eq!(packet[..3], [0, 0, 0]);
    (u16::from_le_bytes([packet[3], packet[4]]), &packet[7..])
}

#[tokio::test]
async fn changes_are_told_to_who_asked() {
    let mut client = Setup::default().connect();
    client.capabilities = tracking();
    client.greeting().await;
    client.send(&Login41 { user: b"root", ..Login41::default() }.payload(tracking())).await;
    let told = [&[0, 7, 1, 5, 4][..], b"told"].concat();
    let packet = client.packet().await.unwrap();
    assert_eq!(behind(&packet), (0x4002, &told[..]), "the database, with the login");

    client.query("set").await;
    let packet = client.packet().await.unwrap();
    let mut all = vec![0, 27];
    all.extend_from_slice(b"\x00\x0f\x0aautocommit\x03OFF");
    all.extend_from_slice(b"\x01\x05\x04shop");
    all.extend_from_slice(b"\x02\x02\x011");
    all[1] = all.len() as u8 - 2;
    assert_eq!(behind(&packet), (0x4002, &all[..]));
    let ok = client.parse_ok(&packet);
    assert_eq!(ok.session_state_info().unwrap().len(), 3, "as a known client library reads it");

    client.command(b"\x02shop").await;
    assert_eq!(behind(&client.packet().await.unwrap()), (0x4002, &told[..]));
    client.command(b"\x0e").await;
    assert_eq!(behind(&client.packet().await.unwrap()), (0x0002, &b""[..]), "nothing changed");
    client.query("insert").await;
    let packet = client.packet().await.unwrap();
    let ok = client.parse_ok(&packet);
    assert_eq!(ok.info_str().unwrap(), "Records: 300");
}

#[tokio::test]
async fn changes_are_not_told_to_who_did_not_ask() {
    let mut client = enter().await;
    client.query("set").await;
    assert_eq!(behind(&client.packet().await.unwrap()), (0x0002, &b""[..]));
}

#[tokio::test]
async fn the_end_of_rows_tells_changes_too() {
    let mut client = Setup::default().connect();
    client.capabilities = tracking();
    client.greeting().await;
    client.send(&Login41 { user: b"root", ..Login41::default() }.payload(tracking())).await;
    client.packet().await.unwrap();
    client.query("told").await;
    for _ in 0..3 {
        client.packet().await.unwrap();
    }
    let end = client.packet().await.unwrap();
    let mut all = vec![0, 0];
    all.extend_from_slice(b"\x04\x13\x12START TRANSACTION;");
    all.extend_from_slice(b"\x05\x09\x08T_R___S_");
    all[1] = all.len() as u8 - 2;
    assert_eq!(end[..7], [0xfe, 0, 0, 2, 0x40, 0, 0]);
    assert_eq!(end[7..], all);

    // Who is not told gets the end as it was.
    let mut client = enter().await;
    client.query("told").await;
    for _ in 0..3 {
        client.packet().await.unwrap();
    }
    assert_eq!(client.packet().await.unwrap(), [0xfe, 0, 0, 2, 0, 0, 0]);
}
