//! Hostile servers, as plain functions: whatever a server sends is an answer or an error, never a panic.
//!
//! Conversations that are right are mutated by a seeded generator, because random bytes alone hardly get past the first
//! packet; one case in eight is random bytes all the same.

use super::answer::{Answer, Preparing, Shape, Step};
use super::error::{ServerError, WireError};
use super::fields::{Kind as Columns, Protocol};
use super::frames::{self, Received};
use super::greeting::Greeting;
use super::rsa::PublicKey;
use super::tests::{Kind, column, end, error, greeting, text};
use crate::engine::mysql::sinks::{CellRows, Values};

/// Cases of a run; some seconds without optimisation.
const CASES: u64 = 20_000;

/// Most random bytes of a case.
const RANDOM_BYTES: u64 = 200;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

/// Reads bytes as whatever a server may send.
fn read(bytes: &[u8]) {
    for shape in [(false, false), (true, false), (true, true)] {
        let shape = Shape { no_eof: shape.0, known_columns: shape.1 };
        for protocol in [Protocol::Text, Protocol::Binary] {
            let mut received = Received::default();
            let mut number = 0;
            let mut columns = vec![Columns::new(8, 0); 10];
            let mut answer = Answer::new(shape, protocol, &mut columns);
            let (mut values, mut cells) = (Values::default(), CellRows::new(1000));
            let mut preparing: Option<Preparing> = None;
            // In two pieces.
            for piece in [&bytes[..bytes.len() / 2], &bytes[bytes.len() / 2..]] {
                received.room(piece.len()).extend_from_slice(piece);
                while let Ok(Some(packet)) = received.packet(&mut number) {
                    let packet = packet.to_vec();
                    drop((Greeting::read(&packet), ServerError::read(&packet), PublicKey::from_pem(&packet)));
                    match &mut preparing {
                        Some(preparing) if !preparing.is_whole() => drop(preparing.packet(&packet)),
                        Some(_) | None => preparing = Preparing::new(&packet, shape).ok(),
                    }
                    let step = match protocol {
                        Protocol::Text => answer.packet(&packet, &mut values),
                        Protocol::Binary => answer.packet(&packet, &mut cells),
                    };
                    if matches!(step, Ok(Step::Last | Step::Enough) | Err(WireError::Malformed(_))) {
                        break;
                    }
                }
            }
        }
    }
}

/// Conversations that are right.
fn samples() -> Vec<Vec<Vec<u8>>> {
    let cell: Vec<Vec<u8>> = [8, 2, 1, 8, 8, 8, 0xfd, 0xfd, 8, 0xfc].map(column).to_vec();
    let mut row = vec![0, 0x80, 0];
    row.extend_from_slice(&[1; 8 + 2 + 1 + 8 + 8]);
    for bytes in [&b"row"[..], b"base"] {
        super::fields::put_string(&mut row, bytes);
    }
    row.extend_from_slice(&[2; 8]);
    super::fields::put_string(&mut row, b"{}");
    let rows = |header: Vec<u8>, kind, row: Vec<u8>| {
        let between = if kind == Kind::Old { vec![end(kind, 2)] } else { Vec::new() };
        [vec![header], cell.clone(), between, vec![row.clone(), row, end(kind, 2)]].concat()
    };
    vec![
        vec![greeting(Kind::KnownColumns, "mysql_native_password")],
        vec![greeting(Kind::Old, "caching_sha2_password"), error(1045, "no")],
        rows(vec![10], Kind::Old, row.clone()),
        rows(vec![10, 1], Kind::KnownColumns, row.clone()),
        vec![vec![10, 0], row, end(Kind::NoEof, 2)],
        rows(vec![10], Kind::NoEof, text(&["1", "2", "0", "3", "4", "5", "r", "c", "6", "{}"])),
        vec![vec![0, 5, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0], column(8), column(8), end(Kind::Old, 2)],
    ]
}

#[test]
fn no_server_makes_the_client_panic() {
    let samples = samples();
    let mut random = Random(0x5eed_fa11);
    for case in 0..CASES {
        if case % 8 == 7 {
            let bytes: Vec<u8> = (0..random.below(RANDOM_BYTES)).map(|_| random.next() as u8).collect();
            read(&bytes);
            continue;
        }
        let mut packets = samples[random.below(samples.len() as u64) as usize].clone();
        for _ in 0..random.below(4) {
            let at = random.below(packets.len() as u64) as usize;
            let packet = &mut packets[at];
            let place = random.below(packet.len() as u64) as usize;
            match random.below(5) {
                0 => packet.truncate(place),
                1 if !packet.is_empty() => packet[place] = random.next() as u8,
                2 if !packet.is_empty() => packet[place] ^= 1 << random.below(8),
                3 => packet.insert(place, [0, 0xfb, 0xfc, 0xfe, 0xff][random.below(5) as usize]),
                _ => packets.swap(at, random.below(1 + at as u64) as usize),
            }
        }
        let (mut bytes, mut number) = (Vec::new(), 0);
        for packet in packets {
            let begun = frames::begin(&mut bytes);
            bytes.extend_from_slice(&packet);
            number = frames::end(&mut bytes, begun, number);
        }
        if random.below(16) == 0 && !bytes.is_empty() {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.next() as u8;
        }
        read(&bytes);
    }
}
