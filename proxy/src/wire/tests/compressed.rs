//! The compressed protocol, from the login on.

use super::*;
use crate::wire::compress::{Algorithm, Compressed};

const ZLIB: CapabilityFlags = CapabilityFlags::CLIENT_COMPRESS;
const ZSTD: CapabilityFlags = CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM;

/// A client that is logged in and compresses from then on.
async fn enter_compressed(setup: Setup, capability: CapabilityFlags) -> Client<Compressed> {
    let capabilities = offered() | capability;
    let client = setup.enter_with(capabilities).await;
    let Client { stream, sequence, capabilities, served, stop, kill, calls, events, permits } = client;
    let stream = Compressed::new(Box::new(stream), Algorithm::of(capability).unwrap());
    Client { stream, sequence, capabilities, served, stop, kill, calls, events, permits }
}

impl Client<Compressed> {
    async fn compressed(&mut self, payload: &[u8]) {
        self.command(payload).await;
        self.stream.flush().await.unwrap();
    }
}

#[tokio::test]
async fn commands_and_replies_of_every_size_travel_compressed() {
    // Who would take either takes zlib.
    for capability in [ZLIB, ZSTD, ZLIB | ZSTD] {
        every_size(enter_compressed(Setup::default(), capability).await).await;
    }
}

async fn every_size(mut client: Client<Compressed>) {
    client.compressed(b"\x0e").await;
    client.ok().await;
    for size in [10, 1000, 70_000, 17_000_000] {
        client.compressed(format!("\x03big {size}").as_bytes()).await;
        client.packet().await.unwrap();
        client.packet().await.unwrap();
        let row = client.packet().await.unwrap();
        assert!(row.ends_with(&vec![b'x'; size]));
        client.end().await;
        let text = [b"\x03echo ".to_vec(), vec![b'y'; size]].concat();
        client.compressed(&text).await;
        client.packet().await.unwrap();
        client.packet().await.unwrap();
        let row = client.packet().await.unwrap();
        assert!(row.ends_with(&vec![b'y'; size]));
        client.end().await;
    }
    client.compressed(b"\x01").await;
    assert!(client.served.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_bomb_is_a_packet_too_large_and_no_memory() {
    let limits = WireLimits { max_allowed_packet: 1 << 20, ..WireLimits::default() };
    for capability in [ZLIB, ZSTD] {
        let mut client = enter_compressed(Setup { limits, ..Setup::default() }, capability).await;
        let dull = [b"\x03".to_vec(), vec![0; 2 << 20]].concat();
        client.compressed(&dull).await;
        assert_eq!(client.error_code().await, 1153);
        let Client { stream, served, .. } = client;
        drop(stream);
        assert!(matches!(served.await.unwrap(), Err(WireError::TooLarge { .. })));
    }
}

#[tokio::test]
async fn what_is_no_compressed_frame_ends_the_connection() {
    for capability in [ZLIB, ZSTD] {
        let mut client = Setup::default().enter_with(offered() | capability).await;
        client.stream.write_all(b"\x05\0\0\0\xff\0\0hello").await.unwrap();
        let mut rest = Vec::new();
        client.stream.read_to_end(&mut rest).await.unwrap();
        assert!(matches!(client.served.await.unwrap(), Err(WireError::Io(_))));
    }
}

/// Bytes that no algorithm makes much fewer of, but fewer: they travel packed.
fn noise() -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..NOISE).map(|_| next()).chain([0; 1 << 16]).collect()
}

/// As long is what [`noise`] is packed to, at least.
const NOISE: usize = 1 << 20;

/// A packet with these bytes, in one compressed frame or in a first one of a hundred bytes and another.
async fn packed(bytes: &[u8], capability: CapabilityFlags, apart: bool) -> Vec<u8> {
    let (near, mut far) = tokio::io::duplex(1 << 25);
    let mut stream = Compressed::new(Box::new(near), Algorithm::of(capability).unwrap());
    let packet = frames(bytes, &mut 0);
    let (first, rest) = packet.split_at(if apart { 100 } else { 0 });
    stream.write_all(first).await.unwrap();
    stream.flush().await.unwrap();
    stream.write_all(rest).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut out = Vec::new();
    far.read_to_end(&mut out).await.unwrap();
    out
}

/// What a client takes or sends in most of the time that it has for 32 KiB.
const PART: usize = 40 * 1024;

#[tokio::test(start_paused = true)]
async fn a_slow_client_is_sent_a_reply_as_long_as_it_keeps_taking_it() {
    for capability in [ZLIB, ZSTD] {
        let limits = WireLimits { write_timeout: 10 * SOON, ..WireLimits::default() };
        let mut client = enter_compressed(Setup { limits, pipe: PART, ..Setup::default() }, capability).await;
        let body = noise();
        client.compressed(&[b"\x03echo ", &body[..]].concat()).await;
        let Client { stream, served, .. } = &mut client;
        // All of it is one frame, and it takes the client longer than the time for a part.
        let mut out = Vec::new();
        while out.len() < NOISE {
            tokio::time::sleep(9 * SOON).await;
            let mut part = vec![0; PART];
            let read = stream.raw().read(&mut part).await.unwrap();
            assert!(read > 0 && !served.is_finished(), "cut off after {} bytes", out.len());
            out.extend_from_slice(&part[..read]);
        }
        // One that stops is not waited for.
        client
            .stream
            .raw()
            .write_all(&packed(&[b"\x03echo ", &body[..]].concat(), capability, false).await)
            .await
            .unwrap();
        assert!(matches!(client.served.await.unwrap(), Err(WireError::Timeout(Wait::Write))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_may_send_a_command_as_long_as_it_keeps_sending() {
    for (capability, apart) in [(ZLIB, false), (ZLIB, true), (ZSTD, false), (ZSTD, true)] {
        let limits = WireLimits { idle_timeout: 20 * SOON, read_timeout: 10 * SOON, ..WireLimits::default() };
        let mut client = enter_compressed(Setup { limits, ..Setup::default() }, capability).await;
        let body = noise();
        let command = packed(&[b"\x03echo ", &body[..]].concat(), capability, apart).await;
        for part in command.chunks(PART) {
            client.stream.raw().write_all(part).await.unwrap();
            tokio::time::sleep(9 * SOON).await;
            assert!(!client.served.is_finished(), "{capability:?} {apart}");
        }
        client.sequence = 1;
        assert_eq!(client.packet().await.unwrap(), [1]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stops_within_a_frame_has_the_time_of_a_command_and_not_that_between_commands() {
    for capability in [ZLIB, ZSTD] {
        let mut client = enter_compressed(Setup::default(), capability).await;
        let begun = tokio::time::Instant::now();
        let command = packed(&[b"\x03echo ", &noise()[..]].concat(), capability, false).await;
        for (sent, length) in [(0, 3), (3, 100_000)] {
            client.stream.raw().write_all(&command[sent..sent + length]).await.unwrap();
            tokio::time::sleep(WireLimits::default().read_timeout / 2).await;
            assert!(!client.served.is_finished());
        }
        assert!(matches!(client.served.await.unwrap(), Err(WireError::Timeout(Wait::Read))));
        assert!(begun.elapsed() < 3 * WireLimits::default().read_timeout, "{:?}", begun.elapsed());
    }
}
