//! One connection at a time over a pipe: the client's side is written by hand, and read with mysql_common's parsers.

mod attributes;
mod commands;
mod compressed;
mod cursors;
mod full_exchange;
mod login;
mod packets;
mod prepared;
mod results;
mod shutdown;
mod tracking;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{BufMut, Bytes};
use cellgate_schemaless::Micros;
use cellgate_sql::{ColumnMeta, ColumnType, Parameters, Row, Value};
use mysql_common::constants::CapabilityFlags;
use mysql_common::io::{BufMutExt as _, ParseBuf};
use mysql_common::packets::{CommonOkPacket, HandshakePacket, OkPacket, OkPacketDeserializer};
use mysql_common::packets::{OldEofPacket, ResultSetTerminator};
use mysql_common::proto::MyDeserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::*;
use crate::auth::Verifier;
use crate::auth::login_key::LoginKey;

/// A column of that name and type.
pub(super) fn meta(name: &str, ty: ColumnType) -> ColumnMeta {
    ColumnMeta {
        schema: "test".to_owned(),
        table: "t".to_owned(),
        org_table: "t".to_owned(),
        name: name.to_owned(),
        org_name: name.to_owned(),
        ty,
        length: 20,
        decimals: 0,
        nullable: true,
        primary_key: false,
    }
}

fn text(text: &str) -> Value {
    Value::Text(Bytes::copy_from_slice(text.as_bytes()))
}

/// A session that does what a statement's first word says, and keeps a record.
struct Script {
    calls: Arc<Mutex<Vec<String>>>,
    events: Arc<Mutex<Vec<WireEvent>>>,
    /// `wait` takes one.
    permits: Arc<Semaphore>,
    status: Status,
    login_key: Option<Arc<LoginKey>>,
    denials: Arc<Mutex<Vec<String>>>,
    turns: Arc<Semaphore>,
    failures: Arc<AtomicUsize>,
}

impl Script {
    fn record(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }

    async fn answer(&mut self, text: &[u8], params: &[Value], mut reply: Reply<'_>) -> Result<Replied, WireError> {
        let (word, rest) = match text.iter().position(|byte| *byte == b' ') {
            Some(space) => (&text[..space], &text[space + 1..]),
            None => (text, &b""[..]),
        };
        let number = || std::str::from_utf8(rest).unwrap().parse::<usize>().unwrap();
        let one = [meta("c", ColumnType::Text)];
        match word {
            b"wait" => {
                self.record("waiting".to_owned());
                self.permits.acquire().await.unwrap().forget();
                Ok(reply.ok(&OkReply { status: self.status, ..OkReply::default() }))
            }
            b"begin" => {
                self.status.in_transaction = true;
                Ok(reply.ok(&OkReply { status: self.status, ..OkReply::default() }))
            }
            b"insert" => {
                let ok = OkReply {
                    affected_rows: 300,
                    last_insert_id: 70_000,
                    warnings: 2,
                    status: self.status,
                    info: "Records: 300".to_owned(),
                    changes: Vec::new(),
                };
                Ok(reply.ok(&ok))
            }
            b"set" => {
                let changes = vec![
                    SessionChange::Variable { name: "autocommit".to_owned(), value: "OFF".to_owned() },
                    SessionChange::Schema("shop".to_owned()),
                    SessionChange::State,
                ];
                Ok(reply.ok(&OkReply { status: self.status, changes, ..OkReply::default() }))
            }
            b"told" => {
                let mut rows = reply.rows(&one, self.status).await?;
                rows.row(&[Value::Int(1)]).await?;
                let changes = vec![
                    SessionChange::TransactionCharacteristics("START TRANSACTION;".to_owned()),
                    SessionChange::TransactionState("T_R___S_".to_owned()),
                ];
                rows.finish_with(0, self.status, changes).await
            }
            b"error" => Ok(reply.error(&ErrorReply::new(1064, "42000", "You have an error"))),
            b"echo" => {
                let mut rows = reply.rows(&one, self.status).await?;
                rows.row(&[Value::Bytes(Bytes::copy_from_slice(rest))]).await?;
                rows.finish(0, self.status).await
            }
            b"big" => {
                let mut rows = reply.rows(&one, self.status).await?;
                rows.row(&[Value::Bytes(vec![b'x'; number()].into())]).await?;
                rows.finish(0, self.status).await
            }
            b"rows" => {
                let mut rows = reply.rows(&[meta("n", ColumnType::BigInt)], self.status).await?;
                for row in 0..number() {
                    rows.row(&[Value::Int(row as i64)]).await?;
                }
                rows.finish(3, self.status).await
            }
            b"params" => {
                let columns: Vec<_> = params.iter().map(|_| meta("p", ColumnType::Text)).collect();
                let mut rows = reply.rows(&columns, self.status).await?;
                rows.row(params).await?;
                rows.finish(0, self.status).await
            }
            b"all" => {
                let mut rows = reply.rows(&all_columns(), self.status).await?;
                rows.row(&all_values()).await?;
                rows.row(&vec![Value::Null; all_columns().len()]).await?;
                rows.finish(0, self.status).await
            }
            b"breaks" => {
                let mut rows = reply.rows(&one, self.status).await?;
                rows.row(&[Value::Int(1)]).await?;
                rows.fail(&ErrorReply::new(1429, "HY000", "lost")).await
            }
            b"unfit" => {
                let mut rows = reply.rows(&[meta("n", ColumnType::BigInt)], self.status).await?;
                match rows.row(&[Value::Text(Bytes::from_static(b"x"))]).await {
                    Err(WireError::Protocol(_)) => rows.fail(&ErrorReply::new(1815, "HY000", "unfit")).await,
                    Ok(()) => rows.finish(0, self.status).await,
                    Err(error) => Err(error),
                }
            }
            b"several" => {
                reply.ok_part(OkReply { affected_rows: 1, status: self.status, ..OkReply::default() }).await?;
                let mut rows = reply.rows_part(&one, self.status).await?;
                rows.row(&[Value::Text(Bytes::from_static(b"second"))]).await?;
                let _part = rows.finish(0, self.status).await?;
                Ok(reply.ok(&OkReply { affected_rows: 3, status: self.status, ..OkReply::default() }))
            }
            b"unfinished" => {
                let rows = reply.rows_part(&one, self.status).await?;
                rows.finish(0, self.status).await
            }
            b"nocolumns" => reply.rows(&[], self.status).await?.finish(0, self.status).await,
            b"wide" => {
                let mut rows = reply.rows(&one, self.status).await?;
                rows.row(&[Value::Null, Value::Null]).await?;
                rows.finish(0, self.status).await
            }
            _ => Ok(reply.ok(&OkReply { status: self.status, ..OkReply::default() })),
        }
    }
}

fn all_columns() -> Vec<ColumnMeta> {
    vec![
        meta("null", ColumnType::Null),
        meta("int", ColumnType::BigInt),
        meta("uint", ColumnType::UnsignedBigInt),
        meta("double", ColumnType::Double),
        meta("decimal", ColumnType::Decimal),
        meta("text", ColumnType::Text),
        meta("bytes", ColumnType::Bytes),
        meta("json", ColumnType::Json),
        meta("datetime", ColumnType::DateTime),
    ]
}

fn all_values() -> Vec<Value> {
    vec![
        Value::Null,
        Value::Int(-5),
        Value::UInt(u64::MAX),
        Value::Double(1.5),
        Value::Decimal("12.50".to_owned()),
        text("hällo"),
        Value::Bytes(Bytes::from_static(&[0, 255])),
        Value::Json(Bytes::from_static(b"{\"a\": 1}")),
        Value::DateTime(Micros(1_700_000_000_123_456)),
    ]
}

#[async_trait]
impl Handler for Script {
    type Plan = Bytes;
    /// The next row and the one behind the last.
    type Cursor = (i64, i64);

    /// `root` has no password, `app` has `secret`, and so have `locked`, `secure`, who needs TLS, and `old`, of whom only
    /// the older hash is known.
    fn verifier(&self, user: &str, secure: bool) -> Option<Verifier> {
        match user {
            "secure" if !secure => None,
            "secure" | "locked" => Some(Verifier::from_password("secret")),
            "old" => Some(Verifier::from_hashes(*Verifier::from_password("secret").hashes()?.0, None)),
            "root" => Some(Verifier::empty()),
            "app" => Some(Verifier::from_password("secret")),
            _ => None,
        }
    }

    fn delay(&self, user: &str) -> Duration {
        match user {
            "slow" => SOON,
            "guessed" => SOON * u32::try_from(self.failures.load(Ordering::SeqCst)).unwrap(),
            _ => Duration::ZERO,
        }
    }

    fn turns(&self, user: &str) -> Option<Arc<Semaphore>> {
        (user == "guessed").then(|| Arc::clone(&self.turns))
    }

    fn asks_for_native(&self, user: &str) -> bool {
        user == "nobody like old"
    }

    fn failed(&self, _user: &str) {
        self.failures.fetch_add(1, Ordering::SeqCst);
    }

    fn barred(&self, user: &str) -> Option<ErrorReply> {
        (user == "locked").then(|| ErrorReply::new(3118, "HY000", "Account is locked"))
    }

    fn login_key(&self) -> Option<Arc<LoginKey>> {
        self.login_key.clone()
    }

    async fn login(&mut self, login: &Login) -> Result<Status, ErrorReply> {
        let tls = login.tls.as_ref().map(|tls| format!(" {}", tls.version)).unwrap_or_default();
        let Login { user, database, charset, attributes, .. } = login;
        self.record(format!("login {user} {database:?} {charset} {attributes:?}{tls}"));
        match login.database.as_deref() {
            Some("missing") => Err(ErrorReply::new(1049, "42000", "Unknown database 'missing'")),
            Some(_) | None => Ok(self.status),
        }
    }

    fn denied(&self, user: &str, using_password: bool, _secure: bool) -> ErrorReply {
        self.denials.lock().unwrap().push(user.to_owned());
        let using = if using_password { "YES" } else { "NO" };
        let message = format!("Access denied for user '{user}'@'localhost' (using password: {using})");
        ErrorReply::new(1045, "28000", message)
    }

    async fn init_db(&mut self, database: &str) -> Result<Status, ErrorReply> {
        self.record(format!("init_db {database}"));
        if database == "missing" {
            return Err(ErrorReply::new(1049, "42000", "Unknown database 'missing'"));
        }
        Ok(self.status)
    }

    async fn field_list(&mut self, table: &str) -> Result<Vec<ColumnMeta>, ErrorReply> {
        match table {
            "missing" => Err(ErrorReply::new(1146, "42S02", "Table 'test.missing' doesn't exist")),
            _ => Ok(all_columns()),
        }
    }

    async fn refresh(&mut self, what: u8) -> Result<Status, ErrorReply> {
        self.record(format!("refresh {what}"));
        if what == 0x10 { Err(ErrorReply::new(1235, "42000", "FLUSH STATUS")) } else { Ok(self.status) }
    }

    async fn kill(&mut self, connection: u32) -> Result<Status, ErrorReply> {
        self.record(format!("kill {connection}"));
        if connection == 1 { Ok(self.status) } else { Err(ErrorReply::new(1094, "HY000", "Unknown thread id")) }
    }

    fn query<'a>(&'a mut self, text: Bytes, reply: Reply<'a>) -> Answering<'a> {
        Answering::later(async move { self.answer(&text, &[], reply).await })
    }

    async fn prepare(&mut self, text: Bytes) -> Result<Prepared<Bytes>, ErrorReply> {
        if text.starts_with(b"error") {
            return Err(ErrorReply::new(1064, "42000", "You have an error"));
        }
        let params = text.iter().filter(|byte| **byte == b'?').count() as u16;
        let columns = match text.first() {
            Some(b'p') => (0..params).map(|_| meta("p", ColumnType::Text)).collect(),
            Some(b'a') => all_columns(),
            Some(b'r') => vec![meta("n", ColumnType::BigInt)],
            _ => Vec::new(),
        };
        Ok(Prepared { plan: text, params, columns, warnings: 1, status: self.status })
    }

    fn execute<'a>(&'a mut self, plan: &'a Bytes, params: Parameters, reply: Reply<'a>) -> Answering<'a> {
        self.record(format!("execute {:?}", &*params));
        Answering::later(async move { self.answer(plan, &params, reply).await })
    }

    fn attributes(&mut self, attributes: Attributes) {
        self.record(format!("attributes {attributes:?}"));
    }

    async fn open(&mut self, plan: &Bytes, params: Parameters) -> Result<Opened<(i64, i64)>, ErrorReply> {
        self.record(format!("open {:?}", &*params));
        let text = std::str::from_utf8(plan).unwrap();
        match text.split_once(' ') {
            Some(("rows", count)) => {
                let cursor = (0, count.parse().unwrap());
                Ok(Opened::Rows { cursor, columns: vec![meta("n", ColumnType::BigInt)], status: self.status })
            }
            Some(_) | None if text.starts_with("error") || text.starts_with("breaks") => {
                Err(ErrorReply::new(1317, "70100", "interrupted"))
            }
            Some(_) | None => Ok(Opened::Done(OkReply { affected_rows: 7, status: self.status, ..OkReply::default() })),
        }
    }

    async fn fetch(&mut self, (next, end): &mut (i64, i64)) -> Result<Option<Row>, ErrorReply> {
        if *next == 99 {
            return Err(ErrorReply::new(1429, "HY000", "lost"));
        }
        *next += 1;
        if *end == 201 {
            return Ok(Some(vec![Value::Text(Bytes::from_static(b"x"))]));
        }
        Ok((*next <= *end).then(|| vec![Value::Int(*next)]))
    }

    fn changes(&mut self) -> Vec<SessionChange> {
        vec![SessionChange::Schema("told".to_owned())]
    }

    async fn reset(&mut self) -> Status {
        self.record("reset".to_owned());
        self.status = Status::default();
        self.status
    }

    async fn statistics(&self) -> String {
        "Uptime: 1  Threads: 1".to_owned()
    }

    async fn set_multi_statements(&mut self, on: bool) -> Status {
        self.record(format!("multi_statements {on}"));
        self.status
    }

    fn status(&self) -> Status {
        self.status
    }

    fn observe(&self, event: WireEvent) {
        self.events.lock().unwrap().push(event);
    }
}

/// A connection to be served.
struct Setup {
    limits: WireLimits,
    tls: Option<Arc<rustls::ServerConfig>>,
    login_key: Option<Arc<LoginKey>>,
    /// Users that were refused.
    denials: Arc<Mutex<Vec<String>>>,
    /// What logins of `guessed` take turns by.
    turns: Arc<Semaphore>,
    /// How many answers were wrong; as often `guessed` waits for [`SOON`].
    failures: Arc<AtomicUsize>,
    /// Bytes the pipe holds before a writer has to wait.
    pipe: usize,
    /// What is left of the time for the login; without it, all of it.
    login: Option<Duration>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            limits: WireLimits::default(),
            tls: None,
            login_key: None,
            denials: Arc::default(),
            turns: Arc::new(Semaphore::new(1)),
            failures: Arc::default(),
            pipe: 1 << 20,
            login: None,
        }
    }
}

impl Setup {
    /// Serves a client that has not read its greeting.
    fn connect(self) -> Client {
        let (near, far) = tokio::io::duplex(self.pipe);
        let calls = Arc::default();
        let events = Arc::default();
        let permits = Arc::new(Semaphore::new(0));
        let script = Script {
            calls: Arc::clone(&calls),
            events: Arc::clone(&events),
            permits: Arc::clone(&permits),
            status: Status::default(),
            login_key: self.login_key,
            denials: self.denials,
            turns: self.turns,
            failures: self.failures,
        };
        let (stop, shutdown) = watch::channel(false);
        let kill = KillSwitch::default();
        let login_by = tokio::time::Instant::now() + self.login.unwrap_or(self.limits.handshake_timeout);
        let lifetime = Lifetime { shutdown, kill: kill.clone(), login_by };
        let greeting = Greeting { server_version: "8.0.36-cellgate-test".to_owned(), connection_id: 9, tls: self.tls };
        let served = tokio::spawn(serve(Box::new(far), greeting, self.limits, script, lifetime));
        Client { stream: near, sequence: 0, capabilities: offered(), served, stop, kill, calls, events, permits }
    }

    /// Serves a client that is logged in as root, with these capabilities.
    async fn enter_with(self, capabilities: CapabilityFlags) -> Client {
        let mut client = self.connect();
        client.capabilities = capabilities;
        client.greeting().await;
        let login = Login41 { user: b"root", plugin: b"mysql_native_password", ..Login41::default() };
        client.send(&login.payload(capabilities)).await;
        if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
            assert!(client.packet().await.unwrap().starts_with(b"\xfemysql_native_password\0"));
            client.send(b"").await;
        }
        client.ok().await;
        client
    }

    async fn enter(self) -> Client {
        self.enter_with(offered()).await
    }
}

async fn enter() -> Client {
    Setup::default().enter().await
}

/// What most tests use of what is offered: no compression, no attributes, no changes told.
fn offered() -> CapabilityFlags {
    super::greeting::capabilities(false)
        - CapabilityFlags::CLIENT_COMPRESS
        - CapabilityFlags::CLIENT_ZSTD_COMPRESSION_ALGORITHM
        - CapabilityFlags::CLIENT_QUERY_ATTRIBUTES
        - CapabilityFlags::CLIENT_SESSION_TRACK
}

fn old_eof() -> CapabilityFlags {
    offered() - CapabilityFlags::CLIENT_DEPRECATE_EOF
}

/// The fields of a login packet.
struct Login41<'a> {
    user: &'a [u8],
    answer: &'a [u8],
    database: &'a [u8],
    plugin: &'a [u8],
    attributes: &'a [(&'a [u8], &'a [u8])],
    charset: u8,
}

impl Default for Login41<'_> {
    fn default() -> Self {
        Self { user: b"", answer: b"", database: b"", plugin: b"caching_sha2_password", attributes: &[], charset: 45 }
    }
}

impl Login41<'_> {
    /// Laid out by exactly these flags.
    fn payload(&self, capabilities: CapabilityFlags) -> Vec<u8> {
        self.payload_claiming(capabilities, capabilities)
    }

    /// Laid out by some flags, while claiming others.
    fn payload_claiming(&self, layout: CapabilityFlags, claimed: CapabilityFlags) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u32_le(claimed.bits());
        out.put_u32_le(1 << 24);
        out.put_u8(self.charset);
        out.put_slice(&[0; 23]);
        out.put_slice(self.user);
        out.put_u8(0);
        if layout.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA) {
            out.put_lenenc_str(self.answer);
        } else {
            out.put_u8(self.answer.len() as u8);
            out.put_slice(self.answer);
        }
        if layout.contains(CapabilityFlags::CLIENT_CONNECT_WITH_DB) {
            out.put_slice(self.database);
            out.put_u8(0);
        }
        if layout.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
            out.put_slice(self.plugin);
            out.put_u8(0);
        }
        if layout.contains(CapabilityFlags::CLIENT_CONNECT_ATTRS) {
            let mut block = Vec::new();
            for (name, value) in self.attributes {
                block.put_lenenc_str(name);
                block.put_lenenc_str(value);
            }
            out.put_lenenc_str(&block);
        }
        out
    }
}

/// The client's end, with a framing of its own.
struct Client<S = DuplexStream> {
    stream: S,
    sequence: u8,
    capabilities: CapabilityFlags,
    served: JoinHandle<Result<(), WireError>>,
    stop: watch::Sender<bool>,
    kill: KillSwitch,
    calls: Arc<Mutex<Vec<String>>>,
    events: Arc<Mutex<Vec<WireEvent>>>,
    permits: Arc<Semaphore>,
}

const FRAME: usize = 0xff_ffff;

fn frames(payload: &[u8], sequence: &mut u8) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = payload;
    loop {
        let (frame, behind) = rest.split_at(rest.len().min(FRAME));
        out.put_u24_le(frame.len() as u32);
        out.put_u8(*sequence);
        *sequence = sequence.wrapping_add(1);
        out.put_slice(frame);
        if frame.len() < FRAME {
            return out;
        }
        rest = behind;
    }
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Client<S> {
    /// Sends a packet with the next number.
    async fn send(&mut self, payload: &[u8]) {
        let bytes = frames(payload, &mut self.sequence);
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// Sends a command.
    async fn command(&mut self, payload: &[u8]) {
        self.sequence = 0;
        self.send(payload).await;
    }

    async fn query(&mut self, text: &str) {
        self.command(&[b"\x03", text.as_bytes()].concat()).await;
    }

    /// The next packet, put together from its frames; `None` at the end of the connection.
    async fn packet(&mut self) -> Option<Vec<u8>> {
        let mut payload = Vec::new();
        loop {
            let mut header = [0; 4];
            self.stream.read_exact(&mut header).await.ok()?;
            let [a, b, c, sequence] = header;
            assert_eq!(sequence, self.sequence, "the server's packet number");
            self.sequence = self.sequence.wrapping_add(1);
            let length = u32::from_le_bytes([a, b, c, 0]) as usize;
            let start = payload.len();
            payload.resize(start + length, 0);
            self.stream.read_exact(&mut payload[start..]).await.unwrap();
            if length < FRAME {
                return Some(payload);
            }
        }
    }

    async fn greeting(&mut self) -> HandshakePacket<'static> {
        let packet = self.packet().await.unwrap();
        HandshakePacket::deserialize((), &mut ParseBuf(&packet)).unwrap().into_owned()
    }

    async fn ok(&mut self) -> OkPacket<'static> {
        let packet = self.packet().await.unwrap();
        self.parse_ok(&packet)
    }

    fn parse_ok(&self, packet: &[u8]) -> OkPacket<'static> {
        OkPacketDeserializer::<CommonOkPacket>::deserialize(self.capabilities, &mut ParseBuf(packet))
            .unwrap_or_else(|error| panic!("{error}: {packet:02x?}"))
            .into_inner()
            .into_owned()
    }

    /// The end of rows, in the form this client asked for.
    fn parse_end(&self, packet: &[u8]) -> OkPacket<'static> {
        let mut buffer = ParseBuf(packet);
        let end = if self.capabilities.contains(CapabilityFlags::CLIENT_DEPRECATE_EOF) {
            assert_eq!(packet.len(), 7);
            OkPacketDeserializer::<ResultSetTerminator>::deserialize(self.capabilities, &mut buffer)
                .unwrap()
                .into_inner()
        } else {
            assert_eq!(packet.len(), 5);
            OkPacketDeserializer::<OldEofPacket>::deserialize(self.capabilities, &mut buffer).unwrap().into_inner()
        };
        assert!(buffer.is_empty());
        end.into_owned()
    }

    async fn end(&mut self) -> OkPacket<'static> {
        let packet = self.packet().await.unwrap();
        self.parse_end(&packet)
    }

    /// Number, state and text of an ERR packet.
    async fn error(&mut self) -> (u16, String, String) {
        let packet = self.packet().await.unwrap();
        assert_eq!(packet[0], 0xff, "{packet:02x?}");
        assert_eq!(packet[3], b'#');
        let code = u16::from_le_bytes([packet[1], packet[2]]);
        let string = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (code, string(&packet[4..9]), string(&packet[9..]))
    }

    async fn error_code(&mut self) -> u16 {
        self.error().await.0
    }

    /// The connection is closed with nothing more said; how serving it ended.
    async fn closed(mut self) -> Result<(), WireError> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"");
        drop(self.stream);
        self.served.await.unwrap()
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

/// Short enough to wait for in a test.
const SOON: Duration = Duration::from_millis(30);
