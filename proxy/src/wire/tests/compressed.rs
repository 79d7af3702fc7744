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
