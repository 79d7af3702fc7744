//! Query attributes: names and values beside a statement.

use super::*;

fn named() -> CapabilityFlags {
    offered() | CapabilityFlags::CLIENT_QUERY_ATTRIBUTES
}

const LONG: [u8; 2] = [0x08, 0];
const TEXT: [u8; 2] = [0xfd, 0];

#[tokio::test]
async fn attributes_of_a_query_reach_the_session_and_its_text_is_what_is_behind_them() {
    let mut client = Setup::default().enter_with(named()).await;
    client.command(b"\x03\x00\x01begin").await;
    assert!(client.ok().await.status_flags().bits() & 1 != 0);
    let mut payload = vec![0x03, 3, 1, 0b100, 1];
    for (ty, name) in [(TEXT, "trace"), (LONG, "n"), (TEXT, "none")] {
        payload.put_slice(&ty);
        payload.put_lenenc_str(name.as_bytes());
    }
    payload.put_lenenc_str(b"abc-1");
    payload.put_i64_le(-5);
    payload.put_slice(b"error");
    client.command(&payload).await;
    assert_eq!(client.error_code().await, 1064);
    let told = r#"attributes [("trace", "abc-1"), ("n", "-5"), ("none", "NULL")]"#;
    assert_eq!(client.calls().last().unwrap(), told);
}

#[tokio::test]
async fn attributes_of_an_execution_are_told_apart_from_its_parameters() {
    let mut client = Setup::default().enter_with(named()).await;
    client.command(b"\x16insert ?").await;
    client.packet().await.unwrap();
    client.packet().await.unwrap();
    let mut payload = vec![0x17, 1, 0, 0, 0, 0x08, 1, 0, 0, 0, 2, 0, 1];
    payload.put_slice(&LONG);
    payload.put_lenenc_str(b"");
    payload.put_slice(&TEXT);
    payload.put_lenenc_str(b"trace");
    payload.put_i64_le(7);
    payload.put_lenenc_str(b"x");
    client.command(&payload).await;
    client.ok().await;
    let calls = client.calls();
    assert_eq!(calls[calls.len() - 2..], [r#"attributes [("trace", "x")]"#, "execute [Int(7)]"]);
    // Types and names need not be repeated.
    let mut payload = vec![0x17, 1, 0, 0, 0, 0x08, 1, 0, 0, 0, 2, 0, 0];
    payload.put_i64_le(8);
    payload.put_lenenc_str(b"y");
    client.command(&payload).await;
    client.ok().await;
    let calls = client.calls();
    assert_eq!(calls[calls.len() - 2..], [r#"attributes [("trace", "y")]"#, "execute [Int(8)]"]);
    // Nor if the attribute is gone, and when it is there again.
    let payload = [&[0x17, 1, 0, 0, 0, 0x08, 1, 0, 0, 0, 1, 0, 0][..], &5_i64.to_le_bytes()].concat();
    client.command(&payload).await;
    client.ok().await;
    let calls = client.calls();
    assert_eq!(calls.last().unwrap(), "execute [Int(5)]");
    assert!(!calls[calls.len() - 2].starts_with("attributes"), "{calls:?}");
    let mut payload = vec![0x17, 1, 0, 0, 0, 0x08, 1, 0, 0, 0, 2, 0, 0];
    payload.put_i64_le(6);
    payload.put_lenenc_str(b"z");
    client.command(&payload).await;
    client.ok().await;
    let calls = client.calls();
    assert_eq!(calls[calls.len() - 2..], [r#"attributes [("trace", "z")]"#, "execute [Int(6)]"]);
    // Without attributes the number is in the packet, and the names are empty.
    let payload = [&[0x17, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1][..], &LONG, &[0], &9_i64.to_le_bytes()].concat();
    client.command(&payload).await;
    client.ok().await;
    assert_eq!(client.calls().last().unwrap(), "execute [Int(9)]");
}

#[tokio::test]
async fn a_statement_without_parameters_may_have_attributes_if_the_client_says_so() {
    let mut client = Setup::default().enter_with(named()).await;
    client.command(b"\x16begin").await;
    client.packet().await.unwrap();
    client.command(&[0x17, 1, 0, 0, 0, 0, 1, 0, 0, 0]).await;
    client.ok().await;
    client.command(&[0x17, 1, 0, 0, 0, 0x08, 1, 0, 0, 0, 0]).await;
    client.ok().await;
    client.command(&[0x17, 1, 0, 0, 0, 0x08, 1, 0, 0, 0, 1, 0, 1, 0x01, 0, 1, b'a', 5]).await;
    client.ok().await;
    let calls = client.calls();
    assert_eq!(calls[calls.len() - 2..], [r#"attributes [("a", "5")]"#, "execute []"]);
}

#[tokio::test]
async fn attributes_that_cannot_be_read_are_1835_and_the_connection_lives() {
    let mut client = Setup::default().enter_with(named()).await;
    let too_many = [&[0x03, 65, 1][..], &[0; 9], &[1], &[0x06, 0, 0].repeat(65)].concat();
    for payload in [&b"\x03"[..], b"\x03\x00", b"\x03\x01\x01\x00", b"\x03\x01\x01\x00\x00begin", &too_many] {
        client.command(payload).await;
        assert_eq!(client.error_code().await, 1835, "{payload:02x?}");
    }
    client.command(b"\x16insert ?").await;
    client.packet().await.unwrap();
    client.packet().await.unwrap();
    for (payload, code) in [
        (&[0x17, 1, 0, 0, 0, 0x08, 1, 0, 0, 0, 0][..], 1210),
        (&[0x17, 1, 0, 0, 0, 0x08, 1, 0, 0, 0, 0xfe], 1835),
        (&[0x17, 1, 0, 0, 0, 0x08, 1, 0, 0, 0, 1, 0, 0], 1210),
        (&[0x17, 1, 0, 0, 0, 0x08, 1, 0, 0, 0, 100, 0, 1], 1835),
    ] {
        client.command(payload).await;
        assert_eq!(client.error_code().await, code, "{payload:02x?}");
    }
}

#[tokio::test]
async fn long_names_and_values_are_cut() {
    let mut client = Setup::default().enter_with(named()).await;
    let mut payload = vec![0x03, 1, 1, 0, 1];
    payload.put_slice(&TEXT);
    payload.put_lenenc_str(&[b'n'; 5000]);
    payload.put_lenenc_str(&[b'v'; 5000]);
    payload.put_slice(b"ok");
    client.command(&payload).await;
    client.ok().await;
    let told = format!(r#"attributes [("{}", "{}")]"#, "n".repeat(1024), "v".repeat(1024));
    assert_eq!(client.calls().last().unwrap(), &told);
}

#[tokio::test]
async fn names_of_attributes_that_are_kept_are_bounded_over_all_statements() {
    let mut client = Setup::default().enter_with(named()).await;
    let execution = |statement: u32, declares: bool, attributes: u8| {
        let mut payload = vec![0x17];
        payload.put_u32_le(statement);
        payload.put_slice(&[0x08, 1, 0, 0, 0, attributes]);
        payload.put_slice(&vec![0xff; usize::from(attributes).div_ceil(8)]);
        payload.put_u8(u8::from(declares));
        if declares {
            for _ in 0..attributes {
                payload.put_slice(&TEXT);
                payload.put_lenenc_str(&[0xff; 1024]);
            }
        }
        payload
    };
    for statement in 1..=6 {
        client.command(b"\x16begin").await;
        client.packet().await.unwrap();
        client.command(&execution(statement, true, 64)).await;
        client.ok().await;
    }
    // Wrong bytes become no more than right ones would; what does not fit has no names until it is given again.
    client.command(&execution(3, false, 64)).await;
    client.ok().await;
    client.command(&execution(6, false, 64)).await;
    client.ok().await;
    let told = client.calls().into_iter().rev().nth(1).unwrap();
    assert!(told.starts_with(r#"attributes [("", "NULL")"#), "names are forgotten, types are not: {told}");
    client.command(&execution(6, true, 1)).await;
    client.ok().await;
    client.command(&[0x19, 3, 0, 0, 0]).await;
    client.command(&execution(6, true, 64)).await;
    client.ok().await;
    client.command(&execution(6, false, 64)).await;
    client.ok().await;
}
