//! The server's side: a session that does what a statement says.

use async_trait::async_trait;
use cellgate_sql::{ColumnMeta, ColumnType, Parameters, Row};

use super::*;
use crate::auth::Verifier;

/// A column of that name and type.
pub(in crate::wire) fn meta(name: &str, ty: ColumnType) -> ColumnMeta {
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

pub(super) fn text(text: &str) -> Value {
    Value::Text(Bytes::copy_from_slice(text.as_bytes()))
}

/// A session that does what a statement's first word says, and keeps a record.
pub(super) struct Script {
    pub(super) calls: Arc<Mutex<Vec<String>>>,
    pub(super) events: Arc<Mutex<Vec<WireEvent>>>,
    /// `wait` takes one.
    pub(super) permits: Arc<Semaphore>,
    pub(super) status: Status,
    pub(super) login_key: Option<Arc<LoginKey>>,
    pub(super) denials: Arc<Mutex<Vec<String>>>,
    pub(super) turns: Arc<Semaphore>,
    pub(super) failures: Arc<AtomicUsize>,
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
