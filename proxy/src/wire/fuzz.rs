//! Hostile clients, as plain functions: any bytes may be given to them, and nothing but a returned [`Failure`] or a
//! panic is a finding.
//!
//! [`run`] feeds them with sessions that are right except for what a seeded mutator did to them, because random bytes
//! alone hardly get past the login.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{BufMut, Bytes};
use cellgate_schemaless::Micros;
use cellgate_sql::{ColumnMeta, ColumnType, Value};
use mysql_common::constants::{CapabilityFlags, ColumnType as WireType};
use mysql_common::io::BufMutExt as _;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use super::command::Command;
use super::error::{ErrorReply, WireError};
use super::execute::params;
use super::greeting::{CACHING_SHA2, Greeting, NATIVE, capabilities};
use super::handler::{Handler, Login, Prepared, WireEvent};
use super::limits::WireLimits;
use super::login::{FirstPacket, Identity};
use super::reader::Reader;
use super::reply::{OkReply, Replied, Reply};
use super::serve::serve;
use super::statements::Statements;
use super::status::Status;
use crate::auth::Verifier;

/// Most bytes a reply may have for each byte received. The largest reply of the handler in here is a result set of
/// 1.5 KB to a command of nine bytes.
const GROWTH: usize = 256;
/// Longer than any case takes, by far: a connection that lives on is stuck.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most packets of a generated session, and most bytes inserted into one of them at once.
const MOST_PACKETS: u64 = 12;
const MOST_INSERTED: u64 = 64;

/// What a case did that no case may.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Failure {
    /// The connection was still there long after its client had gone.
    #[error("a connection does not end: {input:02x?}")]
    Hang {
        /// What the client sent.
        input: Vec<u8>,
    },
    /// More was answered, or kept, than the input can be a reason for.
    #[error("{output} bytes of {} received: {input:02x?}", input.len())]
    Growth {
        /// What the client sent.
        input: Vec<u8>,
        /// How many bytes came of it.
        output: usize,
    },
    /// The runtime for the cases could not be started.
    #[error("no runtime for the cases")]
    Runtime,
}

/// Runs `cases` generated cases; the same `seed` gives the same cases. A panic prints seed and case.
///
/// # Errors
/// The first case that hung or grew.
pub fn run(seed: u64, cases: u64) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(|_| Failure::Runtime)?;
    for case in 0..cases {
        let _where = Case { seed, case };
        let mut random = Random(seed ^ case.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let session = Session::generate(&mut random);
        for packet in &session.packets {
            fuzz_packets(&packet.payload)?;
        }
        runtime.block_on(fuzz_connection(&session.bytes(&mut random)))?;
    }
    Ok(())
}

/// Reads one packet as everything it could be.
///
/// # Errors
/// It became more than its bytes are a reason for.
pub fn fuzz_packets(bytes: &[u8]) -> Result<(), Failure> {
    let packet = Bytes::copy_from_slice(bytes);
    let old = CapabilityFlags::CLIENT_PROTOCOL_41 | CapabilityFlags::CLIENT_CONNECT_WITH_DB;
    for offered in [capabilities(false), capabilities(true), old, old | CapabilityFlags::CLIENT_SECURE_CONNECTION] {
        if let Ok(FirstPacket::Login(login)) = FirstPacket::read(packet.clone(), offered) {
            bounded(bytes, login.answer.len() + size_of_identity(&login.identity))?;
        }
        if let Ok(identity) = Identity::read_change_user(Reader::new(packet.clone()), offered) {
            bounded(bytes, size_of_identity(&identity))?;
        }
    }
    if let Ok(Command::Execute { rest, .. }) = Command::read(packet.clone()) {
        fuzz_params(bytes, rest)?;
    }
    fuzz_params(bytes, Reader::new(packet))
}

/// Binds parameters, twice: the second time types may be re-used. Some are sent ahead.
fn fuzz_params(bytes: &[u8], fields: Reader) -> Result<(), Failure> {
    for count in [0, 1, 3, 8, 9, u16::MAX] {
        let mut statements = Statements::new(1, 64);
        let id = statements.insert((), count);
        statements.append_long_data(id, count / 2, b"sent ahead");
        for _ in 0..2 {
            let Ok((statement, long_data)) = statements.execute(id) else { continue };
            if let Ok(values) = params(fields.clone(), count, &mut statement.types, long_data) {
                bounded(bytes, values.len() + values.iter().map(size_of_value).sum::<usize>())?;
            }
        }
    }
    Ok(())
}

/// A whole connection whose client sends these bytes and then nothing more.
///
/// # Errors
/// It does not end, or answers more than the bytes are a reason for.
pub async fn fuzz_connection(bytes: &[u8]) -> Result<(), Failure> {
    let (client, server) = tokio::io::duplex(4096);
    let (mut replies, mut commands) = tokio::io::split(client);
    let (_running, shutdown) = watch::channel(false);
    let limits = WireLimits {
        max_allowed_packet: 256 * 1024,
        login_packet: 4096,
        prepared_statements: 4,
        long_data: 256,
        ..WireLimits::default()
    };
    let greeting = Greeting { server_version: "8.0.36-fuzz".to_owned(), connection_id: 1, tls: None };
    let serving = serve(Box::new(server), greeting, limits, Puppet, shutdown);
    let sending = async {
        // The server may close first.
        let _ = commands.write_all(bytes).await;
        let _ = commands.shutdown().await;
    };
    let receiving = async {
        let mut buffer = [0; 4096];
        let mut received = 0;
        while let Ok(read @ 1..) = replies.read(&mut buffer).await {
            received += read;
        }
        received
    };
    let whole = tokio::time::timeout(PATIENCE, async { tokio::join!(serving, sending, receiving) }).await;
    let (_ended, (), received) = whole.map_err(|_| Failure::Hang { input: bytes.to_vec() })?;
    bounded(bytes, received)
}

fn bounded(input: &[u8], output: usize) -> Result<(), Failure> {
    if output > 4096 + GROWTH * input.len() { Err(Failure::Growth { input: input.to_vec(), output }) } else { Ok(()) }
}

fn size_of_identity(identity: &Identity) -> usize {
    let Identity { user, database, charset: _, plugin, attributes } = identity;
    let attributes: usize = attributes.iter().map(|(name, value)| 1 + name.len() + value.len()).sum();
    user.len() + database.as_ref().map_or(0, String::len) + plugin.as_ref().map_or(0, Bytes::len) + attributes
}

fn size_of_value(value: &Value) -> usize {
    match value {
        Value::Text(bytes) | Value::Bytes(bytes) | Value::Json(bytes) => bytes.len(),
        Value::Decimal(text) => text.len(),
        Value::Null | Value::Int(_) | Value::UInt(_) | Value::Double(_) | Value::DateTime(_) => 0,
    }
}

/// Says which case it was if it panics.
struct Case {
    seed: u64,
    case: u64,
}

impl Drop for Case {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("wire fuzz: seed {} case {}", self.seed, self.case);
        }
    }
}

/// A session that does what the first byte of a statement says.
struct Puppet;

impl Puppet {
    fn columns() -> Vec<ColumnMeta> {
        [ColumnType::BigInt, ColumnType::Text, ColumnType::DateTime, ColumnType::Double]
            .map(|ty| ColumnMeta {
                schema: "test".to_owned(),
                table: "t".to_owned(),
                org_table: "t".to_owned(),
                name: "c".to_owned(),
                org_name: "c".to_owned(),
                ty,
                length: 20,
                decimals: 0,
                nullable: true,
                primary_key: false,
            })
            .into()
    }

    fn row() -> Vec<Value> {
        let text = Value::Text(Bytes::from_static(b"text"));
        vec![Value::Int(1), text, Value::DateTime(Micros(1)), Value::Double(0.5)]
    }

    async fn answer(text: &[u8], mut reply: Reply<'_>) -> Result<Replied, WireError> {
        let status = Status::default();
        match text.first() {
            Some(b'r') => {
                let mut rows = reply.rows(&Self::columns(), status).await?;
                for _ in 0..4 {
                    rows.row(&Self::row()).await?;
                }
                rows.finish(0, status).await
            }
            Some(b'm') => {
                reply.ok_part(OkReply::default()).await?;
                let mut rows = reply.rows_part(&Self::columns(), status).await?;
                rows.row(&Self::row()).await?;
                let _part = rows.finish(0, status).await?;
                reply.ok(OkReply::default()).await
            }
            Some(b'e') => reply.error(&ErrorReply::new(1064, "42000", "no")).await,
            Some(_) | None => reply.ok(OkReply::default()).await,
        }
    }
}

#[async_trait]
impl Handler for Puppet {
    type Plan = Bytes;

    fn verifier(&self, user: &str) -> Option<Verifier> {
        (user != "nobody").then(Verifier::empty)
    }

    async fn login(&mut self, _login: &Login) -> Result<Status, ErrorReply> {
        Ok(Status::default())
    }

    fn denied(&self, _user: &str, _using_password: bool) -> ErrorReply {
        ErrorReply::new(1045, "28000", "Access denied")
    }

    async fn init_db(&mut self, _database: &str) -> Result<Status, ErrorReply> {
        Ok(Status::default())
    }

    async fn query(&mut self, text: Bytes, reply: Reply<'_>) -> Result<Replied, WireError> {
        Self::answer(&text, reply).await
    }

    async fn prepare(&mut self, text: Bytes) -> Result<Prepared<Bytes>, ErrorReply> {
        let params = text.iter().filter(|byte| **byte == b'?').count().min(1000) as u16;
        let columns = if text.first() == Some(&b'r') { Self::columns() } else { Vec::new() };
        Ok(Prepared { plan: text, params, columns, warnings: 0, status: Status::default() })
    }

    async fn execute(&mut self, plan: &Bytes, _params: Vec<Value>, reply: Reply<'_>) -> Result<Replied, WireError> {
        Self::answer(plan, reply).await
    }

    async fn reset(&mut self) -> Status {
        Status::default()
    }

    async fn statistics(&self) -> String {
        "Uptime: 1".to_owned()
    }

    async fn set_multi_statements(&mut self, _on: bool) -> Status {
        Status::default()
    }

    fn status(&self) -> Status {
        Status::default()
    }

    fn observe(&self, _event: WireEvent) {}
}

/// What a client sends, before it is cut into frames.
struct Session {
    packets: Vec<Packet>,
}

#[derive(Clone)]
struct Packet {
    sequence: u8,
    payload: Vec<u8>,
}

impl Session {
    fn generate(random: &mut Random) -> Self {
        let mut packets = login(random);
        for _ in 0..random.below(MOST_PACKETS) {
            packets.extend(command(random));
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
        Self { packets }
    }

    /// The bytes on the wire: mostly well framed.
    fn bytes(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = Vec::new();
        for Packet { sequence, payload } in &self.packets {
            bytes.put_u24_le(payload.len() as u32);
            bytes.put_u8(*sequence);
            bytes.put_slice(payload);
        }
        if random.below(4) == 0 {
            mutate(random, &mut bytes);
        }
        bytes
    }
}

fn login(random: &mut Random) -> Vec<Packet> {
    let offered = capabilities(false);
    let capabilities = match random.below(4) {
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
    if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) && plugin != NATIVE && plugin != CACHING_SHA2 {
        packets.push(Packet { sequence: 3, payload: Vec::new() });
    }
    packets
}

fn command(random: &mut Random) -> Vec<Packet> {
    let text = [&b"rows ?"[..], b"many ?, ?", b"error", b"ok", b"ok ???????????"][random.below(5) as usize];
    let statement = 1 + random.below(3) as u32;
    let mut payload = Vec::new();
    let mut answer = None;
    match random.below(14) {
        0..=2 => {
            payload.put_u8(0x03);
            payload.put_slice(text);
        }
        3..=5 => {
            payload.put_u8(0x16);
            payload.put_slice(text);
        }
        6..=8 => execute(random, &mut payload, statement, text),
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

fn execute(random: &mut Random, payload: &mut Vec<u8>, statement: u32, text: &[u8]) {
    let count = text.iter().filter(|byte| **byte == b'?').count();
    payload.put_u8(0x17);
    payload.put_u32_le(statement);
    payload.put_u8(0);
    payload.put_u32_le(1);
    if count == 0 {
        return;
    }
    for _ in 0..count.div_ceil(8) {
        payload.put_u8(if random.below(4) == 0 { random.next() as u8 } else { 0 });
    }
    payload.put_u8(u8::from(random.below(4) != 0));
    let types = [
        (WireType::MYSQL_TYPE_LONGLONG, &[1, 2, 3, 4, 5, 6, 7, 8][..]),
        (WireType::MYSQL_TYPE_TINY, &[255]),
        (WireType::MYSQL_TYPE_DOUBLE, &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
        (WireType::MYSQL_TYPE_VAR_STRING, b"\x04text"),
        (WireType::MYSQL_TYPE_BLOB, &[3, 0, 255, 1]),
        (WireType::MYSQL_TYPE_DATETIME, &[11, 0xe8, 0x07, 2, 29, 1, 2, 3, 4, 0, 0, 0]),
        (WireType::MYSQL_TYPE_TIME, &[8, 1, 1, 0, 0, 0, 2, 3, 4]),
        (WireType::MYSQL_TYPE_NEWDECIMAL, b"\x041.50"),
        (WireType::MYSQL_TYPE_NULL, &[]),
    ];
    let chosen: Vec<_> = (0..count).map(|_| types[random.below(types.len() as u64) as usize]).collect();
    for (ty, _) in &chosen {
        payload.put_slice(&[*ty as u8, random.next() as u8 & 0x80]);
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
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutated_sessions_neither_panic_nor_hang_nor_grow() {
        assert_eq!(run(20_240_229, 20_000), Ok(()));
    }

    #[test]
    fn random_bytes_neither_panic_nor_hang_nor_grow() {
        let mut random = Random(7);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        for _ in 0..5_000 {
            let bytes: Vec<u8> = (0..random.below(200)).map(|_| random.next() as u8).collect();
            assert_eq!(fuzz_packets(&bytes), Ok(()));
            assert_eq!(runtime.block_on(fuzz_connection(&bytes)), Ok(()));
        }
    }

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
