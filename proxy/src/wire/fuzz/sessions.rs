//! What hostile clients send: sessions that are right, but for a few changes.

use bytes::BufMut;
use mysql_common::constants::{CapabilityFlags, ColumnType as WireType};
use mysql_common::io::BufMutExt as _;

use crate::wire::compress::{self, Algorithm};
use crate::wire::greeting::{CACHING_SHA2, NATIVE, capabilities};

/// Most packets of a generated session, and most bytes inserted into one of them at once.
const MOST_PACKETS: u64 = 12;
const MOST_INSERTED: u64 = 64;

/// What a client sends, before it is cut into frames.
pub(super) struct Session {
    pub(super) packets: Vec<Packet>,
    /// From this packet on they travel compressed, and how.
    compressed: Option<(usize, Algorithm)>,
}

#[derive(Clone)]
pub(super) struct Packet {
    sequence: u8,
    pub(super) payload: Vec<u8>,
}

impl Session {
    pub(super) fn generate(random: &mut Random) -> Self {
        let (mut packets, capabilities) = login(random);
        let compressed = Algorithm::of(capabilities).map(|algorithm| (packets.len(), algorithm));
        let naming = capabilities.contains(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);
        for _ in 0..random.below(MOST_PACKETS) {
            packets.extend(command(random, naming));
        }
        for _ in 0..random.below(4) {
            let which = random.below(packets.len() as u64) as usize;
            match random.below(6) {
                0 => drop(packets.remove(which)),
                1 => packets.insert(which, packets[which].clone()),
                2 => packets[which].sequence = random.next() as u8,
                _ => mutate(random, &mut packets[which].payload),
            }
            if packets.is_empty() {
                break;
            }
        }
        Self { packets, compressed }
    }

    /// The bytes on the wire: mostly well framed.
    pub(super) fn bytes(&self, random: &mut Random) -> Vec<u8> {
        let (plain, algorithm) = self.compressed.unwrap_or((self.packets.len(), Algorithm::Zlib));
        let plain = plain.min(self.packets.len());
        let mut bytes = framed(&self.packets[..plain]);
        let mut rest = &framed(&self.packets[plain..])[..];
        while !rest.is_empty() {
            let length = 1 + random.below(rest.len() as u64) as usize;
            compressed(random, &rest[..length], algorithm, &mut bytes);
            rest = &rest[length..];
        }
        if random.below(4) == 0 {
            mutate(random, &mut bytes);
        }
        bytes
    }
}

fn framed(packets: &[Packet]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Packet { sequence, payload } in packets {
        bytes.put_u24_le(payload.len() as u32);
        bytes.put_u8(*sequence);
        bytes.put_slice(payload);
    }
    bytes
}

/// A frame of the compressed protocol, packed or not, and now and then not what it says.
fn compressed(random: &mut Random, bytes: &[u8], algorithm: Algorithm, out: &mut Vec<u8>) {
    let mut packed = Vec::with_capacity(bytes.len() + 64);
    let mut before = 0;
    if random.below(3) == 0 {
        packed.extend_from_slice(bytes);
    } else {
        before = bytes.len() as u32;
        // A Vec with room takes all of it.
        compress::pack(algorithm, bytes, &mut packed);
    }
    match random.below(16) {
        0 => before = random.next() as u32 & 0xff_ffff,
        1 => mutate(random, &mut packed),
        _ => {}
    }
    out.put_u24_le(packed.len() as u32);
    out.put_u8(random.next() as u8);
    out.put_u24_le(before);
    out.put_slice(&packed);
}

fn login(random: &mut Random) -> (Vec<Packet>, CapabilityFlags) {
    let offered = capabilities(false);
    let zlib = CapabilityFlags::CLIENT_COMPRESS;
    let capabilities = match random.below(7) {
        // Mutations then meet the commands themselves, not what is packed around them.
        4 => offered - zlib - CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM,
        5 => {
            let zstd = CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM;
            offered - zlib - zstd - CapabilityFlags::CLIENT_QUERY_ATTRIBUTES
        }
        6 => offered - zlib,
        0 => offered - CapabilityFlags::CLIENT_PLUGIN_AUTH,
        1 => offered - CapabilityFlags::CLIENT_DEPRECATE_EOF,
        2 => offered - CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA,
        _ => CapabilityFlags::all(),
    };
    let plugin = [NATIVE, CACHING_SHA2, "client_ed25519"][random.below(3) as usize];
    let mut payload = Vec::new();
    payload.put_u32_le(capabilities.bits());
    payload.put_u32_le(1 << 24);
    payload.put_u8(random.next() as u8);
    payload.put_slice(&[0; 23]);
    payload.put_slice(b"root\0");
    payload.put_u8(0);
    payload.put_slice(b"test\0");
    if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
        payload.put_slice(plugin.as_bytes());
        payload.put_u8(0);
    }
    payload.put_lenenc_int(12);
    payload.put_lenenc_str(b"_name");
    payload.put_lenenc_str(b"fuzz5");
    let mut packets = vec![Packet { sequence: 1, payload }];
    // Another plugin is switched, and so is an empty answer of the older one.
    if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) && plugin != CACHING_SHA2 {
        packets.push(Packet { sequence: 3, payload: Vec::new() });
    }
    (packets, capabilities)
}

fn command(random: &mut Random, naming: bool) -> Vec<Packet> {
    let text = [&b"rows ?"[..], b"many ?, ?", b"error", b"ok", b"ok ???????????"][random.below(5) as usize];
    let statement = 1 + random.below(3) as u32;
    let mut payload = Vec::new();
    let mut answer = None;
    match random.below(16) {
        0..=2 => {
            payload.put_u8(0x03);
            if naming {
                query_attributes(random, &mut payload);
            }
            payload.put_slice(text);
        }
        3..=5 => {
            payload.put_u8(0x16);
            payload.put_slice(text);
        }
        6..=8 => execute(random, &mut payload, statement, text, naming),
        9 => {
            payload.put_u8(0x18);
            payload.put_u32_le(statement);
            payload.put_u16_le(random.below(3) as u16);
            payload.put_slice(text);
        }
        10 => {
            payload.put_u8(0x11);
            payload.put_slice(b"root\0\0test\0");
            payload.put_u16_le(45);
            payload.put_slice(NATIVE.as_bytes());
            payload.put_slice(b"\0\0");
            answer = Some(Packet { sequence: 2, payload: Vec::new() });
        }
        11 => {
            payload.put_u8(0x1c);
            payload.put_u32_le(statement);
            payload.put_u32_le(random.below(6) as u32);
        }
        12 => payload.put_slice(b"\x04t\0%"),
        _ => {
            // Any command, most of which have an id or nothing behind the code.
            payload.put_u8(random.below(0x21) as u8);
            payload.put_u32_le(statement);
        }
    }
    let mut packets = vec![Packet { sequence: 0, payload }];
    packets.extend(answer);
    packets
}

/// Types and values of parameters.
const VALUES: [(WireType, &[u8]); 9] = [
    (WireType::MYSQL_TYPE_LONGLONG, &[1, 2, 3, 4, 5, 6, 7, 8]),
    (WireType::MYSQL_TYPE_TINY, &[255]),
    (WireType::MYSQL_TYPE_DOUBLE, &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
    (WireType::MYSQL_TYPE_VAR_STRING, b"\x04text"),
    (WireType::MYSQL_TYPE_BLOB, &[3, 0, 255, 1]),
    (WireType::MYSQL_TYPE_DATETIME, &[11, 0xe8, 0x07, 2, 29, 1, 2, 3, 4, 0, 0, 0]),
    (WireType::MYSQL_TYPE_TIME, &[8, 1, 1, 0, 0, 0, 2, 3, 4]),
    (WireType::MYSQL_TYPE_NEWDECIMAL, b"\x041.50"),
    (WireType::MYSQL_TYPE_NULL, &[]),
];

fn execute(random: &mut Random, payload: &mut Vec<u8>, statement: u32, text: &[u8], naming: bool) {
    let own = text.iter().filter(|byte| **byte == b'?').count();
    payload.put_u8(0x17);
    payload.put_u32_le(statement);
    let cursor = u8::from(random.below(3) == 0);
    payload.put_u8(if naming { cursor | 0x08 } else { cursor });
    payload.put_u32_le(1);
    let attributes = if naming { random.below(3) as usize } else { 0 };
    if naming {
        payload.put_lenenc_int((own + attributes) as u64);
    }
    bind(random, payload, own + attributes, naming);
}

fn query_attributes(random: &mut Random, payload: &mut Vec<u8>) {
    let count = random.below(4).saturating_sub(1);
    payload.put_lenenc_int(count);
    payload.put_lenenc_int(1);
    bind(random, payload, count as usize, true);
}

fn bind(random: &mut Random, payload: &mut Vec<u8>, count: usize, naming: bool) {
    if count == 0 {
        return;
    }
    for _ in 0..count.div_ceil(8) {
        payload.put_u8(if random.below(4) == 0 { random.next() as u8 } else { 0 });
    }
    payload.put_u8(u8::from(random.below(4) != 0));
    let chosen: Vec<_> = (0..count).map(|_| VALUES[random.below(VALUES.len() as u64) as usize]).collect();
    for (ty, _) in &chosen {
        payload.put_slice(&[*ty as u8, random.next() as u8 & 0x80]);
        if naming {
            payload.put_lenenc_str(&b"name"[..random.below(5) as usize]);
        }
    }
    for (_, value) in &chosen {
        payload.put_slice(value);
    }
}

/// Does one thing to some bytes.
fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len() as u64 + 1) as usize;
    match random.below(6) {
        0 => bytes.truncate(at),
        1 => {
            let inserted: Vec<u8> = (0..random.below(MOST_INSERTED)).map(|_| random.next() as u8).collect();
            bytes.splice(at..at, inserted);
        }
        2 => {
            let end = (at + random.below(MOST_INSERTED) as usize).min(bytes.len());
            bytes.drain(at..end);
        }
        3 => {
            let end = (at + random.below(MOST_INSERTED) as usize).min(bytes.len());
            let repeated = bytes[at..end].to_vec();
            bytes.splice(at..at, repeated);
        }
        // Lengths, counts and markers are at their most interesting at the ends of their ranges.
        4 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = [0, 1, 0x7f, 0x80, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe, 0xff][random.below(10) as usize];
            }
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.below(8);
            }
        }
    }
}

/// SplitMix64: small, seeded, and good enough to choose with.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::wire::login::FirstPacket;

    #[test]
    fn most_generated_sessions_get_past_the_login() {
        let past = (0..1000)
            .filter(|case| {
                let session = Session::generate(&mut Random(*case));
                let login = session.packets.first().map(|packet| Bytes::from(packet.payload.clone()));
                login.is_some_and(|login| FirstPacket::read(login, capabilities(false)).is_ok())
            })
            .count();
        assert!(past > 800, "{past}");
    }
}
