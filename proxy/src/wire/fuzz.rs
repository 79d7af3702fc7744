//! Hostile clients, as plain functions: any bytes may be given to them, and nothing but a returned [`Failure`] or a
//! panic is a finding. The program never calls this: only a test does (`fuzz` of `integration-tests`).
//!
//! [`run`] feeds them with sessions that are right except for what a seeded mutator did to them, because random bytes
//! alone hardly get past the login; one case in eight is random bytes all the same.

mod sessions;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use cellgate_schemaless::Micros;
use cellgate_sql::{ColumnMeta, ColumnType, Parameters, Row, Value};
use mysql_common::constants::CapabilityFlags;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;

use super::changes::SessionChange;
use super::command::Command;
use super::error::{ErrorReply, WireError};
use super::execute::{Attributes, Bound, Naming, params};
use super::greeting::{Greeting, capabilities};
use super::handler::{Answering, Handler, Login, Opened, Prepared, WireEvent};
use super::kill::KillSwitch;
use super::limits::WireLimits;
use super::login::{FirstPacket, Identity};
use super::proxied::header_length;
use super::reader::{Malformed, Reader};
use super::reply::{OkReply, Replied, Reply};
use super::serve::{Lifetime, serve};
use super::statements::Statements;
use super::status::Status;
use crate::auth::Verifier;
use sessions::{Random, Session};

/// Most bytes a reply may have for each byte received. The largest reply of the handler in here is a result set of
/// 1.5 KB to a command of nine bytes; a compressed frame unpacks to a thousand times its length, all of which may be
/// commands.
const GROWTH: usize = 1024;
/// Most random bytes of a case.
const RANDOM_BYTES: u64 = 300;
/// Longer than any case takes, by far: a connection that lives on is stuck.
const PATIENCE: Duration = Duration::from_secs(20);

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
        if case % 8 == 7 {
            let bytes: Vec<u8> = (0..random.below(RANDOM_BYTES)).map(|_| random.next() as u8).collect();
            fuzz_packets(&bytes)?;
            runtime.block_on(fuzz_connection(&bytes))?;
            continue;
        }
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
    if header_length(bytes) > bytes.len() {
        return Err(Failure::Growth { input: bytes.to_vec(), output: header_length(bytes) });
    }
    let old = CapabilityFlags::CLIENT_PROTOCOL_41 | CapabilityFlags::CLIENT_CONNECT_WITH_DB;
    for offered in [capabilities(false), capabilities(true), old, old | CapabilityFlags::CLIENT_SECURE_CONNECTION] {
        if let Ok(FirstPacket::Login(login)) = FirstPacket::read(packet.clone(), offered) {
            bounded(bytes, login.answer.len() + size_of_identity(&login.identity))?;
        }
        if let Ok(identity) = Identity::read_change_user(Reader::new(packet.clone()), offered) {
            bounded(bytes, size_of_identity(&identity))?;
        }
    }
    for capabilities in [CapabilityFlags::empty(), CapabilityFlags::CLIENT_QUERY_ATTRIBUTES] {
        match Command::read(packet.clone(), capabilities) {
            Ok(Command::Execute { rest, .. }) => fuzz_params(bytes, rest)?,
            Ok(Command::Query { text, attributes }) => bounded(bytes, text.len() + size_of_pairs(&attributes))?,
            Ok(_) | Err(Malformed) => {}
        }
    }
    fuzz_params(bytes, Reader::new(packet))
}

/// Binds parameters with and without names.
fn fuzz_params(bytes: &[u8], fields: Reader) -> Result<(), Failure> {
    for naming in [Naming::Bare, Naming::Named { counted: false }, Naming::Named { counted: true }] {
        fuzz_params_named(bytes, &fields, naming)?;
    }
    Ok(())
}

/// Binds parameters, twice: the second time types may be re-used. Some are sent ahead.
fn fuzz_params_named(bytes: &[u8], fields: &Reader, naming: Naming) -> Result<(), Failure> {
    for count in [0, 1, 3, 8, 9, u16::MAX] {
        let mut statements = Statements::new(1, 64);
        let id = statements.insert((), count);
        statements.append_long_data(id, count / 2, b"sent ahead");
        for _ in 0..2 {
            let Ok((statement, long_data)) = statements.execute(id) else { continue };
            let declared = &mut statement.declared;
            if let Ok(Bound { values, attributes }) = params(fields.clone(), count, declared, long_data, naming) {
                let values = values.len() + values.iter().map(size_of_value).sum::<usize>();
                bounded(bytes, values + size_of_pairs(&attributes))?;
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
    let login_by = tokio::time::Instant::now() + limits.handshake_timeout;
    let lifetime = Lifetime { shutdown, kill: KillSwitch::default(), login_by };
    let serving = serve(Box::new(server), greeting, limits, Puppet, lifetime);
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
    let attributes = size_of_pairs(attributes);
    user.len() + database.as_ref().map_or(0, String::len) + plugin.as_ref().map_or(0, Bytes::len) + attributes
}

fn size_of_pairs(pairs: &[(String, String)]) -> usize {
    pairs.iter().map(|(name, value)| 1 + name.len() + value.len()).sum()
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
                Ok(reply.ok(&OkReply::default()))
            }
            Some(b'e') => Ok(reply.error(&ErrorReply::new(1064, "42000", "no"))),
            Some(_) | None => Ok(reply.ok(&OkReply::default())),
        }
    }
}

#[async_trait]
impl Handler for Puppet {
    type Plan = Bytes;
    /// How many rows are left.
    type Cursor = u32;

    fn verifier(&self, user: &str, _secure: bool) -> Option<Verifier> {
        (user != "nobody").then(Verifier::empty)
    }

    fn delay(&self, _user: &str) -> Duration {
        Duration::ZERO
    }

    async fn login(&mut self, _login: &Login) -> Result<Status, ErrorReply> {
        Ok(Status::default())
    }

    fn denied(&self, _user: &str, _using_password: bool, _secure: bool) -> ErrorReply {
        ErrorReply::new(1045, "28000", "Access denied")
    }

    async fn init_db(&mut self, _database: &str) -> Result<Status, ErrorReply> {
        Ok(Status::default())
    }

    async fn field_list(&mut self, _table: &str) -> Result<Vec<ColumnMeta>, ErrorReply> {
        Ok(Self::columns())
    }

    async fn refresh(&mut self, _what: u8) -> Result<Status, ErrorReply> {
        Ok(Status::default())
    }

    async fn kill(&mut self, _connection: u32) -> Result<Status, ErrorReply> {
        Ok(Status::default())
    }

    fn query<'a>(&'a mut self, text: Bytes, reply: Reply<'a>) -> Answering<'a> {
        Answering::later(async move { Self::answer(&text, reply).await })
    }

    async fn prepare(&mut self, text: Bytes) -> Result<Prepared<Bytes>, ErrorReply> {
        let params = text.iter().filter(|byte| **byte == b'?').count().min(1000) as u16;
        let columns = if text.first() == Some(&b'r') { Self::columns() } else { Vec::new() };
        Ok(Prepared { plan: text, params, columns, warnings: 0, status: Status::default() })
    }

    fn execute<'a>(&'a mut self, plan: &'a Bytes, _params: Parameters, reply: Reply<'a>) -> Answering<'a> {
        Answering::later(Self::answer(plan, reply))
    }

    fn attributes(&mut self, _attributes: Attributes) {}

    async fn open(&mut self, plan: &Bytes, _params: Parameters) -> Result<Opened<u32>, ErrorReply> {
        match plan.first() {
            Some(b'r') => Ok(Opened::Rows { cursor: 4, columns: Self::columns(), status: Status::default() }),
            Some(b'e') => Err(ErrorReply::new(1064, "42000", "no")),
            Some(_) | None => Ok(Opened::Done(OkReply::default())),
        }
    }

    async fn fetch(&mut self, cursor: &mut u32) -> Result<Option<Row>, ErrorReply> {
        let more = *cursor > 0;
        *cursor = cursor.saturating_sub(1);
        Ok(more.then(Self::row))
    }

    fn changes(&mut self) -> Vec<SessionChange> {
        vec![SessionChange::Schema("test".to_owned()), SessionChange::State]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutated_sessions_and_random_bytes_neither_panic_nor_hang_nor_grow() {
        assert_eq!(run(20_240_229, 20_000), Ok(()));
    }
}
